import numpy as np
import pytest
import torch

from imet_utils.hog_votes import float_votes, uint8_votes


def reference_bins(rise, run, orientations):
    """scikit-image's arithmetic: float64 angles against borders that are held in float32."""
    angles = np.arctan2(rise, run) * (180 / np.pi) % 180
    borders = (180.0 / orientations * np.arange(1, orientations + 1)).astype(np.float32)
    return np.searchsorted(borders.astype(float), angles, side="right")


def images_of_gradients(rise, run):
    """3 x 3 images (N, 1, 3, 3) whose middle pixel has the gradient (rise, run)."""
    images = np.zeros((len(rise), 1, 3, 3), dtype=np.uint8)
    images[:, 0, 2, 1], images[:, 0, 0, 1] = np.maximum(rise, 0), np.maximum(-rise, 0)
    images[:, 0, 1, 2], images[:, 0, 1, 0] = np.maximum(run, 0), np.maximum(-run, 0)
    return torch.from_numpy(images)


@pytest.fixture(scope="module")
def all_gradients():
    differences = np.arange(-255, 256)
    rise, run = (part.ravel() for part in np.meshgrid(differences, differences))
    return rise, run, images_of_gradients(rise, run)


@pytest.mark.parametrize("orientations", [1, 2, 3, 4, 7, 8, 9, 12, 36, 180, 16384])
def test_every_gradient_of_uint8_votes_in_its_bin(all_gradients, orientations):
    rise, run, images = all_gradients
    bins, strengths = uint8_votes(images, orientations)
    np.testing.assert_array_equal(bins[:, 1, 1], reference_bins(rise, run, orientations))
    np.testing.assert_allclose(strengths[:, 1, 1], np.hypot(rise, run), rtol=1e-7)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("orientations", [8, 9])
def test_floating_images_of_whole_numbers_vote_as_uint8(dtype, orientations):
    rng = np.random.default_rng(0)
    images = torch.from_numpy(rng.integers(0, 4, (2, 3, 40, 50), dtype=np.uint8) * np.uint8(85))
    expected_bins, expected_strengths = uint8_votes(images, orientations)
    bins, strengths = float_votes(images.to(dtype), orientations)
    assert torch.equal(strengths, expected_strengths)
    voting = strengths > 0
    assert torch.equal(bins[voting], expected_bins[voting])


@pytest.mark.parametrize("scale", [1e-30, 1e-3, 1.0, 1e15])
def test_lengths_of_float32_are_rounded_as_numpy_rounds_them(scale):
    rng = np.random.default_rng(1)
    levels = rng.integers(0, 256, (1, 1, 400, 1000)).astype(np.float32) / np.float32(255)
    levels *= np.float32(scale)
    _, strengths = float_votes(torch.from_numpy(levels), 8)
    rise, run = np.zeros_like(levels), np.zeros_like(levels)
    rise[:, :, 1:-1] = levels[:, :, 2:] - levels[:, :, :-2]
    run[..., 1:-1] = levels[..., 2:] - levels[..., :-2]
    np.testing.assert_array_equal(strengths, np.hypot(rise, run)[:, 0])


@pytest.mark.parametrize("votes_of", [uint8_votes, float_votes])
def test_first_of_equally_strong_channels_speaks(votes_of):
    channels = [([0], [50]), ([50], [0]), ([-50], [0])]  # 0, 90 and 90 degrees
    images = torch.cat([images_of_gradients(*map(np.array, pair)) for pair in channels], dim=1)
    images = images if votes_of is uint8_votes else images.float()
    assert votes_of(images, 4)[0][0, 1, 1] == 0
    assert votes_of(images.flip(1), 4)[0][0, 1, 1] == 2
    assert votes_of(images[:, :1], 4)[0][0, 1, 1] == 0


def test_weak_first_channel_gives_way():
    weak, strong = (
        images_of_gradients(np.array([3]), np.array([4])),
        images_of_gradients(np.array([0]), np.array([6])),
    )
    bins, strengths = uint8_votes(torch.cat([weak, weak, strong], dim=1), 9)
    assert (int(bins[0, 1, 1]), float(strengths[0, 1, 1])) == (0, 6.0)


def test_angle_a_rounding_error_below_zero_has_no_vote():
    image = torch.zeros(1, 1, 3, 3)
    image[0, 0, 1, 2], image[0, 0, 2, 1] = 1.0, -1e-20
    assert float_votes(image, 8)[0][0, 1, 1] == 8  # -6e-19 degrees modulo 180 is 180
    assert float_votes(-image, 8)[0][0, 1, 1] == 0
