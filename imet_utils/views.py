"""The six views of each image of a set, their targets, and channel statistics."""

import hashlib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from imet_utils.image_reading import read_image
from imet_utils.skipped_images import usable_ids
from imet_utils.tables import Tables, find_images, take_split
from imet_utils.view_making import HUE, SATURATION, View, make_views, plan_views

__all__ = [
    "ViewDataset",
    "channel_stats",
    "make_views",
    "read_image",
    "split_dataset",
    "submission_dataset",
    "view_targets",
]


class ViewDataset(Dataset[Tensor]):
    """The views of a set of images; an item is (V, 3, size, size) uint8, RGB."""

    def __init__(
        self,
        paths: Sequence[Path | str],
        ids: Sequence[str],
        has_culture: Sequence[bool] | np.ndarray,
        train: bool,
        seed: int = 0,
        size: int = 224,
        num_views: int = 6,
        augment: bool = True,
    ) -> None:
        """Keep what makes the views.

        Args:
            paths: files of the images.
            ids: of the images.
            has_culture: (N,) whether an image has a culture label. A training image without one
                is not cropped, since a crop may cut off what its tags name.
            train: training images are augmented, and cropped only where they have a culture.
            seed: of crops and augmentation.
            size: side of a view in pixels.
            num_views: V.
            augment: set it to False to leave out flip and jitter of training images.
        """
        if not len(paths) == len(ids) == len(has_culture):
            raise ValueError(
                "paths, ids and has_culture must be equally long, got "
                f"{len(paths)}, {len(ids)} and {len(has_culture)}"
            )
        if num_views < 1 or size < 1:
            raise ValueError(f"num_views and size must be positive, got {num_views} and {size}")
        self.paths = [str(path) for path in paths]
        self.ids = [str(image_id) for image_id in ids]
        self.has_culture = np.asarray(has_culture, dtype=bool)
        self.train = train
        self.seed = seed
        self.size = size
        self.num_views = num_views
        self.augment = augment

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> Tensor:
        """Read an image once and make all its views."""
        return self.some_views(index)

    def some_views(self, index: int, only: Sequence[int] | None = None) -> Tensor:
        """Read an image once and make those of its views, or all."""
        return make_views(
            self.read(index), **self._settings(index), num_views=self.num_views, only=only
        )

    def read(self, index: int) -> Image.Image:
        """Read an image, RGB."""
        return read_image(self.paths[index])

    def plan(self, index: int, image_size: tuple[int, int]) -> list[View]:
        """Decide what the views of an image of this width and height are."""
        return plan_views(image_size, **self._settings(index), views=range(self.num_views))

    def _settings(self, index: int) -> dict[str, Any]:
        return {
            "image_id": self.ids[index],
            "crop": not self.train or bool(self.has_culture[index]),
            "augment": self.train and self.augment,
            "seed": self.seed,
            "size": self.size,
        }

    def fingerprint(self) -> dict[str, Any]:
        """Say what the views are made of: their settings, and a hash of ids and file sizes."""
        files = [
            f"{i}\t{Path(p).stat().st_size}" for i, p in zip(self.ids, self.paths, strict=True)
        ]
        digest = hashlib.sha256("\n".join(files).encode() + self.has_culture.tobytes())
        names = ("train", "seed", "size", "num_views", "augment")
        settings = {name: getattr(self, name) for name in names}
        return settings | {"hue": HUE, "saturation": SATURATION, "images": digest.hexdigest()}

    def whole_images(self) -> "ViewDataset":
        """Return the same images with view 0 alone, not augmented."""
        return ViewDataset(
            self.paths,
            self.ids,
            self.has_culture,
            self.train,
            size=self.size,
            num_views=1,
            augment=False,
        )


def split_dataset(tables: Tables, split: str, seed: int = 0) -> ViewDataset:
    """Make the data set of the images of `train`, `val` or `test`."""
    part = take_split(tables, split)
    has_culture = part.targets[:, part.is_culture].any(axis=1)
    paths = find_images(part.data_dir / "train", part.images["id"])
    return ViewDataset(paths, part.images["id"], has_culture, split == "train", seed)


def submission_dataset(
    data_dir: Path | str, output_dir: Path | str, seed: int = 0
) -> ViewDataset | None:
    """Make the data set of the unlabelled images of `test/`, or None where there are none.

    Images that the run of `output_dir` skips are left out.
    """
    ids = usable_ids(data_dir, output_dir)
    if not ids:
        return None
    return ViewDataset(
        find_images(Path(data_dir) / "test", ids), ids, np.zeros(len(ids)), train=False, seed=seed
    )


def view_targets(
    targets: np.ndarray, is_culture: np.ndarray, crop_targets: str = "all", num_views: int = 6
) -> np.ndarray:
    """Spread targets over the views.

    With `culture`, as the poster meant it for training images, a crop keeps the culture labels
    only: it may cut off what a tag names, but not the style. Images without a culture are not
    cropped in training and keep their tags.

    Args:
        targets: (N, C) bool.
        is_culture: (C,) bool.
        crop_targets: labels that the views after the first keep, `all` or `culture`.
        num_views: V.

    Returns:
        (N, V, C) bool; read-only and without memory of its own where the views are alike.
    """
    targets, is_culture = np.asarray(targets), np.asarray(is_culture)
    if targets.ndim != 2 or is_culture.shape != targets.shape[1:] or num_views < 1:
        raise ValueError(
            "targets must be (N, C), is_culture (C,) and num_views positive, got "
            f"{targets.shape}, {is_culture.shape} and {num_views}"
        )
    if targets.dtype != bool or is_culture.dtype != bool:
        raise ValueError(f"labels must be bool, got {targets.dtype} and {is_culture.dtype}")
    if crop_targets not in ("all", "culture"):
        raise ValueError(f"crop_targets must be 'all' or 'culture', got {crop_targets!r}")
    if crop_targets == "all":
        return np.broadcast_to(targets[:, None], (len(targets), num_views, targets.shape[1]))
    spread = np.repeat(targets[:, None], num_views, axis=1)  # (N, V, C)
    cropped = (targets & is_culture).any(axis=1)
    spread[cropped, 1:] &= is_culture
    return spread


def channel_stats(
    images: ViewDataset | Iterable[Tensor], num_workers: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """Return mean (3,) and standard deviation (3,) over all pixels, RGB in [0, 1], float64.

    Args:
        images: a data set, of which the whole images before augmentation are taken; or uint8
            tensors (..., 3, H, W), taken as they are. Memory does not grow with their number.
        num_workers: processes that read the images of a data set.
    """
    if isinstance(images, ViewDataset):
        images = DataLoader(images.whole_images(), batch_size=None, num_workers=num_workers)
    count, sums, squares = 0, np.zeros(3), np.zeros(3)
    for batch in images:
        if batch.dtype != torch.uint8 or batch.ndim < 3 or batch.shape[-3] != 3:
            raise ValueError(
                f"images must be uint8 (..., 3, H, W), got {batch.dtype} {batch.shape}"
            )
        levels = batch.transpose(-3, 0).reshape(3, -1).numpy().astype(np.float64)
        count += levels.shape[1]
        sums += levels.sum(axis=1)
        squares += (levels**2).sum(axis=1)
    if not count:
        raise ValueError("there are no images to take statistics of")
    mean = sums / count
    # Sums of whole numbers are exact up to 2^53, beyond 10^11 pixels: no digits cancel here.
    return mean / 255, np.sqrt(squares / count - mean**2) / 255
