import numpy as np
import pytest
import torch
from PIL import Image

from imet_utils.device_views import make_device_views, turn_colours
from imet_utils.view_making import View, make_views, plan_views


def paint(width, height, seed):
    """A smooth image with noise over it."""
    rng = np.random.default_rng(seed)
    waves = np.sin(np.arange(width) / 9)[:, None] * np.cos(np.arange(height) / 7)[:, None, None]
    levels = 128 + 90 * waves * rng.uniform(-1, 1, 3) + rng.normal(0, 9, (height, width, 3))
    return Image.fromarray(levels.clip(0, 255).astype(np.uint8))


def pixels(image):
    return torch.from_numpy(np.array(image)).permute(2, 0, 1)


@pytest.mark.parametrize("augment", [False, True])
@pytest.mark.parametrize("crop", [False, True])
def test_views_are_those_of_pillow(crop, augment):
    sizes = [(90, 60), (64, 64), (40, 30), (20, 70)]  # the last two are smaller than a view
    images = [paint(width, height, seed) for seed, (width, height) in enumerate(sizes)]
    settings = {"crop": crop, "augment": augment, "seed": 4, "size": 48}
    expected = torch.stack([make_views(image, "a", **settings) for image in images])
    plans = [plan_views(image.size, "a", **settings) for image in images]
    made = make_device_views([pixels(image) for image in images], plans, 48)
    assert made.shape == (4, 6, 3, 48, 48)
    assert (made.int() - expected.int()).abs().max() <= 1 + augment  # rounded once and again
    assert (made.float() - expected.float()).abs().mean() < 0.1


def test_cuts_are_exact():
    image = paint(70, 50, 0)
    view = View((11, 7, 43, 39), flip=True, colours=None)
    made = make_device_views([pixels(image)], [[view]], 32)
    assert torch.equal(made[0, 0], pixels(image)[:, 7:39, 11:43].flip(-1))


def test_colours_are_rounded_and_clipped():
    images = torch.tensor([10, 100, 200], dtype=torch.uint8).view(1, 3, 1, 1)
    matrices = torch.tensor([[[0.25, 0, 0], [0, 3, 0], [0, 0, -1]]])
    assert turn_colours(images, matrices).flatten().tolist() == [3, 255, 0]
