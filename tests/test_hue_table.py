import numpy as np
import pytest
from PIL import Image

from imet_utils.hue_table import rgb_of_hsv, turn_hue


@pytest.mark.parametrize("shift", [-12, 0, 1, 255])
def test_turning_equals_pillow(shift):
    noise = np.random.default_rng(0).integers(0, 256, (40, 30, 3), dtype=np.uint8)
    image = Image.frombytes("HSV", (30, 40), noise.tobytes())
    lookup = [(level + shift) % 256 for level in range(256)] + list(range(256)) * 2
    turned = turn_hue(image, shift)
    assert turned.mode == "RGB"
    np.testing.assert_array_equal(turned, image.point(lookup).convert("RGB"))


def test_table_has_the_primary_colours():
    places = [(hue << 16) | 0xFFFF for hue in (0, 85, 170)]
    rgb = rgb_of_hsv()[places].view(np.uint8).reshape(3, 4)
    np.testing.assert_array_equal(rgb.argmax(axis=1), [0, 1, 2])
    assert rgb.max(axis=1).tolist() == [255] * 3
    assert not rgb[:, 3].any()
