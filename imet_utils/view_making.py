"""Plan the views of one image and make them: squeeze it, crop it, flip it, turn its colours."""

import hashlib
import math
import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image
from torch import Tensor

HUE = 0.05  # the largest shift, in turns of the colour circle
SATURATION = 0.05  # the largest relative change
LUMA = (0.299, 0.587, 0.114)  # of R, G and B: ITU-R BT.601, as Pillow and torchvision have it


@dataclass(frozen=True)
class View:
    """What is done to an image to get one view of it.

    Attributes:
        box: left, top, right and bottom of the square that is cut out, in pixels; None for the
            whole image. It is squeezed or scaled up to the size of a view.
        flip: left and right change places.
        colours: rows of the 3 x 3 matrix that R, G and B are multiplied by; None to leave them.
    """

    box: tuple[int, int, int, int] | None
    flip: bool
    colours: tuple[tuple[float, ...], ...] | None


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
    digest = hashlib.blake2b(f"{seed}:{view}:{image_id}".encode(), digest_size=40).digest()
    words = struct.unpack("<5Q", digest)  # of 64 bits each
    top, left, flip, hue, saturation = ((word >> 11) * 2**-53 for word in words)  # in [0, 1)
    return _Draw(top, left, flip < 0.5, HUE * (2 * hue - 1), 1 + SATURATION * (2 * saturation - 1))


def plan_views(
    image_size: tuple[int, int],
    image_id: str,
    crop: bool,
    augment: bool,
    seed: int = 0,
    size: int = 224,
    views: Iterable[int] = range(6),
) -> list[View]:
    """Decide what the views of an image are, see `make_views`.

    Args:
        image_size: width and height of the image in pixels.
        image_id: with `seed` and the view's number it decides all that is random in a view.
        crop: without it every view is the whole image.
        augment: flip and turn the colours of every view.
        seed: of the randomness.
        size: side of a view in pixels.
        views: their numbers; 0 is the whole image.
    """
    width, height = image_size
    side = min(size, width, height)
    plan = []
    for view in views:
        draw = _draw_view(seed, image_id, view)
        box = None
        if crop and view:
            left = int(draw.left * (width - side + 1))
            top = int(draw.top * (height - side + 1))
            box = (left, top, left + side, top + side)
        colours = colour_matrix(draw.hue, draw.saturation) if augment else None
        plan.append(View(box, augment and draw.flip, colours))
    return plan


def colour_matrix(hue: float, saturation: float) -> tuple[tuple[float, ...], ...]:
    """Return the 3 x 3 matrix that turns RGB about its grey axis, then blends it with its grey.

    A colour's hue in HSV moves by `hue` to within 0.007 turns; greys stay. A linear map is what
    both a CPU and a GPU do at once for all pixels, where the way through HSV takes the longest of
    all that a view needs.

    Args:
        hue: in turns of the colour circle.
        saturation: 1 leaves it, 0 gives greys of the same luma.
    """
    cosine, sine = math.cos(2 * math.pi * hue), math.sin(2 * math.pi * hue) / math.sqrt(3)
    same, after, before = (1 + 2 * cosine) / 3, (1 - cosine) / 3 - sine, (1 - cosine) / 3 + sine
    turn = ((same, after, before), (before, same, after), (after, before, same))  # Rodrigues
    luma = [sum(w * row[k] for w, row in zip(LUMA, turn, strict=True)) for k in range(3)]
    return tuple(
        tuple(saturation * t + (1 - saturation) * grey for t, grey in zip(row, luma, strict=True))
        for row in turn
    )


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

    Of an image with a short side under `size` a crop has the whole short side.

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
        (V, 3, size, size) uint8, RGB, or as many as `only` names; in memory channels come last.
    """
    if image.mode != "RGB":
        raise ValueError(f"image must be RGB, got {image.mode}")
    if num_views < 1 or size < 1:
        raise ValueError(f"num_views and size must be positive, got {num_views} and {size}")
    wanted = range(num_views) if only is None else only
    plan = plan_views(image.size, image_id, crop, augment, seed, size, wanted)
    views = np.empty((len(plan), size, size, 3), dtype=np.uint8)
    whole = None
    for place, view in enumerate(plan):
        if view.box is None:
            picture = whole = whole or _cut(image, None, size)
        else:
            picture = _cut(image, view.box, size)
        if view.flip:
            picture = picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        if view.colours:
            rows = [number for row in view.colours for number in (*row, 0.0)]
            picture = picture.convert("RGB", rows)
        views[place] = np.asarray(picture)
    return torch.from_numpy(views).permute(0, 3, 1, 2)  # (V, 3, size, size)


def _cut(image: Image.Image, box: tuple[int, int, int, int] | None, size: int) -> Image.Image:
    picture = image.crop(box) if box else image
    if picture.size == (size, size):
        return picture
    return picture.resize((size, size), Image.Resampling.BILINEAR)  # antialiased by Pillow
