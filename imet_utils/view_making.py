"""Make the views of one image: squeeze it, crop it, change its colours."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image, ImageEnhance
from torch import Tensor

from imet_utils.hue_table import turn_hue

HUE = 0.05  # the largest shift, in turns of the colour circle
SATURATION = 0.05  # the largest relative change


@dataclass(frozen=True)
class _Draw:
    """The random numbers of one view: place of the crop in [0, 1), flip, hue, saturation."""

    top: float
    left: float
    flip: bool
    hue: float
    saturation: float


def _draw_view(seed: int, image_id: str, view: int) -> _Draw:
    """Draw a view's numbers from (seed, id, view) alone, whatever the order or the workers."""
    digest = hashlib.blake2b(f"{seed}:{view}:{image_id}".encode(), digest_size=16).digest()
    top, left, flip, hue, saturation = np.random.default_rng(list(digest)).random(5)
    return _Draw(top, left, flip < 0.5, HUE * (2 * hue - 1), 1 + SATURATION * (2 * saturation - 1))


def _squeeze(image: Image.Image, size: int) -> Image.Image:
    return image.resize((size, size), Image.Resampling.BILINEAR)  # antialiased by Pillow


def _crop(image: Image.Image, size: int, draw: _Draw) -> Image.Image:
    """Crop a square; of a short side under `size` the whole side, scaled up to `size`."""
    side = min(size, *image.size)
    left = int(draw.left * (image.width - side + 1))
    top = int(draw.top * (image.height - side + 1))
    box = (left, top, left + side, top + side)
    if side == size:
        return image.crop(box)
    return image.resize((size, size), Image.Resampling.BILINEAR, box=box)


def _augment(image: Image.Image, draw: _Draw) -> Image.Image:
    """Flip, turn the hue and change the saturation as torchvision does on PIL images."""
    if draw.flip:
        image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    image = turn_hue(image.convert("HSV"), int(draw.hue * 255))
    return ImageEnhance.Color(image).enhance(draw.saturation)


def make_views(
    image: Image.Image,
    image_id: str,
    crop: bool,
    augment: bool,
    seed: int = 0,
    size: int = 224,
    num_views: int = 6,
    only: Sequence[int] | None = None,
) -> Tensor:
    """Make the views of one image: view 0 the whole image squeezed, the others random crops.

    Args:
        image: RGB.
        image_id: with `seed` and the view's number it decides all that is random in a view.
        crop: without it every view is the whole image.
        augment: flip and colour jitter in every view.
        seed: of the randomness.
        size: side of a view in pixels.
        num_views: V.
        only: numbers of the views to make; None for all V.

    Returns:
        (V, 3, size, size) uint8, RGB, or as many as `only` names.
    """
    if image.mode != "RGB":
        raise ValueError(f"image must be RGB, got {image.mode}")
    if num_views < 1 or size < 1:
        raise ValueError(f"num_views and size must be positive, got {num_views} and {size}")
    whole = _squeeze(image, size)
    if augment:  # the way to HSV once for all views, where that is the shorter one
        whole = whole.convert("HSV")
        if size <= min(image.size) and image.width * image.height < (num_views - 1) * size**2:
            image = image.convert("HSV")
    wanted = range(num_views) if only is None else only
    views = np.empty((len(wanted), size, size, 3), dtype=np.uint8)
    for place, view in enumerate(wanted):
        draw = _draw_view(seed, image_id, view)
        picture = _crop(image, size, draw) if crop and view else whole
        views[place] = np.asarray(_augment(picture, draw) if augment else picture)
    return torch.from_numpy(views).permute(0, 3, 1, 2).contiguous()  # (V, 3, size, size)
