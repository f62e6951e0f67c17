from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from skimage import draw
from skimage.feature import hog as skimage_hog

from imet_utils.hog import hog, hog_picture

PAINTINGS = Path(__file__).parents[2] / "shared" / "met_paintings" / "train"
AXES = np.mgrid[:64, :64]
TIED = {  # patterns whose gradients lie on borders of bins or are equally strong
    "checkerboard": AXES.sum(0) % 2 * 255,
    "wide checkerboard": (AXES // 3).sum(0) % 2 * 200,
    "ramp down": AXES[0] * 3,
    "ramp right": AXES[1] * 3,
    "diagonal ramp": AXES.sum(0),
    "other diagonal": AXES[0] - AXES[1] + 64,
    "steep ramp": (2 * AXES[0] + AXES[1]) % 256,
    "diagonal stripes": (AXES.sum(0) // 4) % 2 * 90,
    "disc": ((AXES - 31) ** 2).sum(0) // 8,
    "flat": np.full((64, 64), 77),
}


def reference(images, orientations=8, cell=(16, 16), block=(3, 3)):
    """scikit-image's HOG of each image of a batch (B, C, H, W)."""
    return np.stack(
        [
            skimage_hog(
                image.transpose(1, 2, 0), orientations, cell, block, "L2-Hys", channel_axis=-1
            )
            for image in np.asarray(images)
        ]
    )


def assert_equals_reference(images, *settings_of_hog):
    ours = hog(torch.from_numpy(images), *settings_of_hog)
    assert ours.dtype == torch.float32
    np.testing.assert_allclose(ours, reference(images, *settings_of_hog), rtol=0, atol=1e-5)


def random_images(seed=0, shape=(2, 3, 50, 70), levels=256):
    values = np.random.default_rng(seed).integers(0, levels, shape) * (255 // (levels - 1))
    return values.astype(np.uint8)


def as_dtype(images, dtype):
    return images if dtype == "uint8" else (images / 255).astype(dtype)


@pytest.mark.parametrize("dtype", ["uint8", "float16", "float32", "float64"])
@pytest.mark.parametrize("channels", [1, 3])
def test_equals_scikit_image_for_each_dtype(channels, dtype):
    images = as_dtype(random_images(shape=(2, channels, 50, 70)), dtype)
    assert_equals_reference(images, 9, (8, 8), (2, 2))


@pytest.mark.parametrize("dtype", ["uint8", "float32", "float64"])
@pytest.mark.parametrize("orientations", [4, 8, 9])
def test_equals_scikit_image_on_exact_ties(orientations, dtype):
    grey = np.stack(list(TIED.values()))[:, None].astype(np.uint8)
    colour = np.concatenate([grey, grey[::-1], grey[:, :, ::-1]], axis=1)  # tied channels as well
    assert_equals_reference(as_dtype(grey, dtype), orientations)
    assert_equals_reference(as_dtype(colour, dtype), orientations)
    assert_equals_reference(as_dtype(255 - colour, dtype), orientations)


@pytest.mark.parametrize("dtype", ["uint8", "float32"])
def test_equals_scikit_image_at_the_size_of_a_view(dtype):
    assert_equals_reference(as_dtype(random_images(7, (2, 3, 224, 224)), dtype))


@settings(max_examples=40, deadline=None, derandomize=True)
@given(
    data=st.data(),
    orientations=st.integers(1, 40),
    cell=st.tuples(st.integers(1, 12), st.integers(1, 12)),
    block=st.tuples(st.integers(1, 4), st.integers(1, 4)),
    channels=st.sampled_from([1, 3]),
    levels=st.sampled_from([2, 3, 4, 16, 256]),
    dtype=st.sampled_from(["uint8", "float32", "float64"]),
)
def test_equals_scikit_image_for_any_settings(
    data, orientations, cell, block, channels, levels, dtype
):
    rows, columns = (
        cell[i] * (block[i] + data.draw(st.integers(0, 2))) + data.draw(st.integers(0, cell[i] - 1))
        for i in (0, 1)
    )
    seed = data.draw(st.integers(0, 1000))
    images = as_dtype(random_images(seed, (1, channels, rows, columns), levels), dtype)
    assert_equals_reference(images, orientations, cell, block)


@pytest.mark.shared
@pytest.mark.skipif(not PAINTINGS.is_dir(), reason=f"no {PAINTINGS}")
@pytest.mark.parametrize("dtype", ["uint8", "float32", "float64"])
def test_equals_scikit_image_on_paintings(dtype):
    paths = sorted(PAINTINGS.iterdir())[::300]
    images = [np.asarray(Image.open(path).convert("RGB").resize((224, 224))) for path in paths]
    assert_equals_reference(as_dtype(np.stack(images).transpose(0, 3, 1, 2).copy(), dtype))


def test_diagonal_ramp_by_hand():
    ramp = torch.from_numpy(AXES.sum(0)).to(torch.uint8)[None, None]  # 45 degrees: bin 2 of 8
    (cell,) = hog(ramp[..., :16, :16], cells_per_block=1)  # strongest inside, straight at the rim
    inner, rim = 14 * 14 * 2 * 2**0.5, 2 * 14 * 2  # of each straight direction: two sides
    votes = torch.tensor([rim, 0, inner, 0, rim, 0, 0, 0]) / 1.0
    shares = (votes / votes.norm()).clamp(max=0.2)
    torch.testing.assert_close(cell, shares / shares.norm())


def images_of_gradients(rise, run):
    """3 x 3 images (N, 1, 3, 3) whose middle pixel has the gradient (rise, run)."""
    images = np.zeros((len(rise), 1, 3, 3), dtype=np.uint8)
    images[:, 0, 2, 1], images[:, 0, 0, 1] = np.maximum(rise, 0), np.maximum(-rise, 0)
    images[:, 0, 1, 2], images[:, 0, 1, 0] = np.maximum(run, 0), np.maximum(-run, 0)
    return images


@pytest.mark.parametrize("orientations", [4, 8, 9, 180])
def test_every_gradient_of_uint8_votes_in_scikit_image_s_bin(orientations):
    differences = np.arange(-255, 256)
    rise, run = (part.ravel() for part in np.meshgrid(differences, differences))
    chosen = np.random.default_rng(0).permutation(len(rise))[:4000]
    images = images_of_gradients(rise[chosen], run[chosen])
    assert_equals_reference(images, orientations, (3, 3), (1, 1))


def test_angle_a_rounding_error_below_zero_has_no_vote():
    image = torch.zeros(1, 1, 3, 3)
    image[0, 0, 1, 2], image[0, 0, 2, 1] = 1.0, -1e-20  # -6e-19 degrees modulo 180 is 180
    assert_equals_reference(image.numpy(), 8, (3, 3), (1, 1))
    assert_equals_reference(-image.numpy(), 8, (3, 3), (1, 1))


@pytest.mark.parametrize("dtype", ["uint8", "float32", "float64"])
def test_image_has_the_same_numbers_in_any_batch(dtype):
    images = torch.from_numpy(as_dtype(random_images(3, (7, 3, 224, 224)), dtype))
    together = hog(images, 9)
    assert torch.equal(together, torch.cat([hog(image[None], 9) for image in images]))
    assert torch.equal(together[:3], hog(images[:3], 9))


@pytest.mark.parametrize("dtype", ["uint8", "float32", "float64"])
def test_layout_in_memory_does_not_matter_and_the_input_is_left_alone(dtype):
    images = torch.from_numpy(as_dtype(random_images(4, (3, 3, 64, 64)), dtype))
    before, expected = images.clone(), hog(images)
    assert torch.equal(images, before)
    assert torch.equal(hog(images.contiguous(memory_format=torch.channels_last)), expected)
    assert torch.equal(hog(images.repeat_interleave(2, dim=3)[..., ::2]), expected)
    assert torch.equal(hog(images.transpose(2, 3).contiguous().transpose(2, 3)), expected)
    assert torch.equal(hog(images[:0]), expected[:0])


def test_works_in_inference_mode_and_leaves_nothing_of_it_behind():
    images = torch.from_numpy(random_images(5, (2, 3, 64, 64)))
    with torch.inference_mode():
        inside = hog(images, orientations=11)
    outside = hog(images, orientations=11)
    assert torch.equal(outside, inside)
    assert not hog(images.float().requires_grad_()).requires_grad
    layer = torch.nn.Linear(outside.shape[1], 1)
    layer(outside).sum().backward()
    assert torch.equal(layer.weight.grad[0], outside.sum(0))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.parametrize("dtype", ["uint8", "float32"])
def test_cuda_equals_the_cpu(dtype):
    images = torch.from_numpy(as_dtype(random_images(8, (4, 3, 96, 96), 6), dtype))
    torch.testing.assert_close(hog(images.cuda()).cpu(), hog(images), rtol=0, atol=1e-6)


@pytest.mark.parametrize(
    ("images", "more", "message"),
    [
        (torch.zeros(3, 64, 64), {}, "images"),
        (torch.zeros(1, 2, 64, 64), {}, "images"),
        (torch.zeros(1, 3, 64, 64, dtype=torch.int32), {}, "int32"),
        (torch.zeros(1, 3, 64, 47), {}, "64 x 47"),
        (torch.zeros(1, 3, 64, 64), {"orientations": 0}, "orientations"),
        (torch.zeros(1, 3, 64, 64), {"pixels_per_cell": (8, 0)}, "pixels_per_cell"),
        (torch.zeros(1, 3, 64, 64), {"cells_per_block": 2.5}, "cells_per_block"),
    ],
)
def test_refuses_what_it_cannot_describe(images, more, message):
    with pytest.raises(ValueError, match=message):
        hog(images, **more)


@pytest.mark.parametrize("cell", [(16, 16), (15, 9), (4, 4)])
def test_picture_has_the_strokes_of_scikit_image(cell):
    image = random_images(9, (1, 1, 130, 150)).astype(float)
    _, expected = skimage_hog(image[0, 0], 9, cell, (1, 1), visualize=True)
    picture = hog_picture(hog(torch.from_numpy(image), 9, cell, 1)[0], (130, 150), 9, cell, 1)
    assert torch.equal(picture > 0, torch.from_numpy(expected > 0))


def test_picture_shows_the_mean_of_the_blocks_over_a_cell():
    rng = np.random.default_rng(10)
    blocks = rng.random((2, 3, 2, 2, 5)).astype(np.float32)  # of 3 x 4 cells
    expected = np.zeros((31, 40))
    for row, column in np.ndindex(3, 4):
        over = [
            blocks[r, c, row - r, column - c]
            for r, c in np.ndindex(2, 3)
            if 0 <= row - r < 2 and 0 <= column - c < 2
        ]
        for k, weight in enumerate(np.mean(over, axis=0)):
            angle = np.pi * (k + 0.5) / 5
            reach = 4 * np.array([np.cos(angle), -np.sin(angle)])
            middle = np.array([row * 10 + 5, column * 10 + 5])
            ends = np.concatenate([middle - reach, middle + reach]).astype(int)
            expected[draw.line(*ends)] += weight
    picture = hog_picture(torch.from_numpy(blocks.ravel()), (31, 40), 5, 10, 2)
    np.testing.assert_allclose(picture, expected, rtol=1e-5)


@pytest.mark.parametrize(
    ("features", "size"), [(torch.zeros(287), (64, 64)), (torch.zeros(1, 1, 288), (64, 64))]
)
def test_picture_refuses_a_descriptor_of_other_settings(features, size):
    with pytest.raises(ValueError, match="288"):
        hog_picture(features, size)
