"""The six views of each image of a set, and their targets."""

import hashlib
import math
import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import Dataset

from imet_utils.files import fingerprint_of, sample_file
from imet_utils.tables import SPLITS, Tables, find_images, read_image, take_split

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


def _draw(seed: int, image_id: str, view: int) -> list[float]:
    """Draw five numbers in [0, 1) from (seed, id, view) alone, whatever the order."""
    digest = hashlib.blake2b(f"{seed}:{view}:{image_id}".encode(), digest_size=40).digest()
    return [(word >> 11) * 2**-53 for word in struct.unpack("<5Q", digest)]  # of 64 bits each


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
        down, across, flip, hue, saturation = _draw(seed, image_id, view)
        box = colours = None
        if crop and view:
            left, top = int(across * (width - side + 1)), int(down * (height - side + 1))
            box = (left, top, left + side, top + side)
        if augment:
            colours = colour_matrix(HUE * (2 * hue - 1), 1 + SATURATION * (2 * saturation - 1))
        plan.append(View(box, augment and flip < 0.5, colours))
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
        image_id: this and the next ones as for `plan_views`.
        crop: likewise.
        augment: likewise.
        seed: likewise.
        size: likewise.
        num_views: V.
        only: numbers of the views to make; None for all V.

    Returns:
        (V, 3, size, size) uint8, RGB, or as many as `only` names; in memory channels come last.
    """
    wanted = range(num_views) if only is None else only
    plan = plan_views(image.size, image_id, crop, augment, seed, size, wanted)
    views = np.empty((len(plan), size, size, 3), dtype=np.uint8)
    whole = None
    for place, view in enumerate(plan):
        if view.box is None:
            picture = whole = whole or _scale(image, size)
        else:
            picture = _scale(image.crop(view.box), size)
        if view.flip:
            picture = picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        if view.colours:
            rows = [number for row in view.colours for number in (*row, 0.0)]
            picture = picture.convert("RGB", rows)
        views[place] = np.asarray(picture)
    return torch.from_numpy(views).permute(0, 3, 1, 2)  # (V, 3, size, size)


def _scale(image: Image.Image, size: int) -> Image.Image:
    if image.size == (size, size):
        return image
    return image.resize((size, size), Image.Resampling.BILINEAR)  # antialiased by Pillow


class ViewDataset(Dataset[Tensor]):
    """The views of a set of images; an item is (V, 3, size, size) uint8, RGB."""

    def __init__(
        self,
        paths: Sequence[Path | str | Image.Image],
        ids: Sequence[str],
        has_culture: Sequence[bool] | np.ndarray,
        train: bool,
        seed: int = 0,
        size: int = 224,
        num_views: int = 6,
    ) -> None:
        """Keep what makes the views.

        Args:
            paths: files of the N images, or the images themselves.
            ids: of the images.
            has_culture: (N,) whether an image has a culture label. A training image without one
                is not cropped, since a crop may cut off what its tags name.
            train: training images are augmented, and cropped only where they have a culture.
            seed: of crops and augmentation.
            size: side of a view in pixels.
            num_views: V.
        """
        self.paths = [p if isinstance(p, Image.Image) else str(p) for p in paths]
        self.ids = [str(image_id) for image_id in ids]
        self.has_culture = np.asarray(has_culture, dtype=bool)
        self.train = train
        self.seed = seed
        self.size = size
        self.num_views = num_views

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> Tensor:
        """Read an image once and make all its views."""
        return self.some_views(index)

    def some_views(self, index: int, only: Sequence[int] | None = None) -> Tensor:
        """Read an image once and make those of its views, or all."""
        image = read_image(self.paths[index])
        return make_views(image, **self._settings(index), num_views=self.num_views, only=only)

    def plan(self, index: int, image_size: tuple[int, int]) -> list[View]:
        """Decide what the views of an image of this width and height are."""
        return plan_views(image_size, **self._settings(index), views=range(self.num_views))

    def _settings(self, index: int) -> dict[str, Any]:
        return {
            "image_id": self.ids[index],
            "crop": not self.train or bool(self.has_culture[index]),
            "augment": self.train,
            "seed": self.seed,
            "size": self.size,
        }

    def image_keys(self) -> list[str]:
        """Hash what the views of each image are made of: its file and what is done to it.

        Of a file these are its size and samples of its bytes, whatever its name and time.
        """
        common = [self.num_views, HUE, SATURATION]
        return [
            fingerprint_of([self._settings(index), common, sample_file(path)])
            for index, path in enumerate(self.paths)
        ]

    def fingerprint(self) -> dict[str, Any]:
        """Say what the views are made of: settings of all images, and a hash of `image_keys`."""
        settings = {"seed": self.seed, "size": self.size, "num_views": self.num_views}
        return settings | {"images": fingerprint_of(self.image_keys())}


def split_dataset(tables: Tables, split: str, seed: int = 0, size: int = 224) -> ViewDataset:
    """Make the data set of the images of `train`, `val` or `test`, in views of `size` pixels."""
    part = take_split(tables, split)
    has_culture = part.targets[:, part.is_culture].any(axis=1)
    paths = find_images(part.data_dir / "train", part.images["id"])
    return ViewDataset(paths, part.images["id"], has_culture, split == "train", seed, size)


def open_datasets(tables: Tables, seed: int = 0, size: int = 224) -> dict[str, ViewDataset]:
    """Make the data sets of all splits, in views of `size` pixels."""
    return {split: split_dataset(tables, split, seed, size) for split in SPLITS}
