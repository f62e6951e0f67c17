import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from skimage.feature import hog as skimage_hog

from imet_utils.hog import hog


def random_images(seed, shape, levels=256):
    values = np.random.default_rng(seed).integers(0, levels, shape) * (255 // (levels - 1))
    return values.astype(np.uint8)


@given(
    data=st.data(),
    orientations=st.integers(1, 40),
    cell=st.integers(1, 12),
    block=st.integers(1, 4),
    channels=st.sampled_from([1, 3]),
    levels=st.sampled_from([2, 3, 4, 16, 256]),
)
def test_equals_scikit_image_for_any_settings(data, orientations, cell, block, channels, levels):
    """Few levels make gradients on borders of bins, and channels of which several are strongest."""
    extra = st.integers(0, 3 * cell - 1)  # whole cells and parts of one
    shape = (1, channels, *(cell * block + data.draw(extra) for _ in range(2)))
    images = random_images(data.draw(st.integers(0, 1000)), shape, levels)
    sizes = (cell, cell), (block, block)
    colours_last = images[0].transpose(1, 2, 0)
    expected = skimage_hog(colours_last, orientations, *sizes, "L2-Hys", channel_axis=-1)
    ours = hog(torch.from_numpy(images), orientations, cell, block)
    assert ours.dtype == torch.float32
    np.testing.assert_allclose(ours[0], expected, rtol=0, atol=1e-5)


def test_neither_batch_nor_layout_in_memory_nor_inference_mode_matters():
    images = torch.from_numpy(random_images(3, (7, 3, 224, 224)))
    before, together = images.clone(), hog(images, 9)
    assert torch.equal(images, before)
    assert torch.equal(together, torch.cat([hog(image[None], 9) for image in images]))
    some, expected = images[:3], together[:3]
    assert torch.equal(hog(some.contiguous(memory_format=torch.channels_last), 9), expected)
    with torch.inference_mode():
        hog(some, 11)  # its table must serve what has gradients too
    features = hog(some, 11)
    layer = torch.nn.Linear(features.shape[1], 1)
    layer(features).sum().backward()
    assert torch.equal(layer.weight.grad[0], features.sum(0))


@pytest.mark.gpu
def test_cuda_equals_the_cpu():
    images = torch.from_numpy(random_images(8, (4, 3, 96, 96), 6))
    torch.testing.assert_close(hog(images.cuda()).cpu(), hog(images), rtol=0, atol=1e-6)


@pytest.mark.parametrize(
    ("shape", "dtype", "options", "message"),
    [
        ((3, 64, 64), torch.uint8, {}, "images"),
        ((1, 3, 64, 64), torch.float32, {}, "float32"),
        ((1, 3, 64, 47), torch.uint8, {}, "64 x 47"),
        ((1, 3, 64, 64), torch.uint8, {"orientations": 0}, "orientations"),
        ((1, 3, 64, 64), torch.uint8, {"pixels_per_cell": (8, 8)}, "pixels_per_cell"),
        ((1, 3, 64, 64), torch.uint8, {"cells_per_block": 2.5}, "cells_per_block"),
    ],
)
def test_refuses_what_it_cannot_describe(shape, dtype, options, message):
    with pytest.raises(ValueError, match=message):
        hog(torch.zeros(shape, dtype=dtype), **options)
