"""Batches of features, images and targets, read from disk as they are asked for.

A GPU holds the arrays that fit and gets the others from a thread that reads ahead. On a CPU each
batch is read in turn.
"""

import copy
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from typing import Any

import numpy as np
import torch
from torch import Tensor

from imet_utils.processes import load_in_threads, load_items
from imet_utils.views import ViewArray

VIEWS = ("random", "all", "whole")
MOVED = 64  # images moved to a device at a time


def spread_rows(num_rows: int, most: int) -> np.ndarray:
    """Choose up to `most` row numbers at even distances: of 10 rows and 4, 0, 3, 6 and 9."""
    return np.linspace(0, num_rows - 1, min(num_rows, most)).round().astype(int)


def view_targets(
    targets: np.ndarray, is_culture: np.ndarray, crop_targets: str = "all", num_views: int = 6
) -> np.ndarray:
    """Spread targets (N, C) bool over V views.

    The views after the first keep `all` labels or, as on the poster for training images, the
    cultures alone, those of `is_culture` (C,), as a crop may cut off what a tag names. Images
    without a culture are not cropped in training and keep their tags.

    Returns:
        (N, V, C) bool; read-only and without memory of its own where the views are alike.
    """
    if crop_targets not in ("all", "culture"):
        raise ValueError(f"crop_targets must be 'all' or 'culture', got {crop_targets!r}")
    if crop_targets == "all":
        return np.broadcast_to(targets[:, None], (len(targets), num_views, targets.shape[1]))
    spread = np.repeat(targets[:, None], num_views, axis=1)  # (N, V, C)
    cropped = (targets & is_culture).any(axis=1)
    spread[cropped, 1:] &= is_culture
    return spread


class JoinedArray:
    """Arrays (N_k, V, ...) one behind the other, as one array (N, V, ...) that is not copied.

    `num_workers` are the processes that read images ahead, where the arrays are `ViewArray`s.
    """

    def __init__(self, arrays: "Sequence[Array]") -> None:
        self.arrays = arrays
        self.ends = np.cumsum([array.shape[0] for array in arrays])
        self.shape: tuple[int, ...] = (int(self.ends[-1]), *arrays[0].shape[1:])
        if isinstance(arrays[0], ViewArray):
            self.num_workers = arrays[0].num_workers

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, index: slice | np.ndarray | tuple[np.ndarray, np.ndarray]) -> np.ndarray:
        """Read images by a slice or their numbers, or views by numbers of images and views."""
        images, *views = index if isinstance(index, tuple) else (index,)
        images = np.arange(len(self))[images]
        found, order = [], []
        for array, end in zip(self.arrays, self.ends, strict=True):
            own = images - (end - array.shape[0])
            rows = np.flatnonzero((own >= 0) & (own < array.shape[0]))
            found.append(array[(own[rows], *(view[rows] for view in views))])  # type: ignore[index]
            order.append(rows)
        return np.concatenate(found)[np.argsort(np.concatenate(order))]


Array = np.ndarray | ViewArray | JoinedArray
Rows = tuple[np.ndarray, np.ndarray]  # numbers of images and views, (B,) each


def device_budget(device: torch.device) -> int:
    """Return how many bytes of arrays a device may hold: half of a GPU's free memory, else 0."""
    return torch.cuda.mem_get_info(device)[0] // 2 if device.type == "cuda" else 0


def place_arrays(
    arrays: Mapping[str, np.ndarray | JoinedArray], budget: int, device: torch.device
) -> dict[str, Tensor]:
    """Copy arrays to a device in their own types, the smallest first, up to `budget` bytes."""
    placed: dict[str, Tensor] = {}
    firsts = {name: torch.from_numpy(np.array(array[:1])) for name, array in arrays.items()}
    for name, first in sorted(firsts.items(), key=lambda item: item[1].nbytes):
        array = arrays[name]
        budget -= first.nbytes * len(array)
        if budget < 0:
            break
        placed[name] = first.new_empty(array.shape, device=device)
        for k in range(0, len(array), MOVED):
            placed[name][k : k + MOVED] = torch.from_numpy(np.array(array[k : k + MOVED]))
    return placed


class FeatureBatches:
    """Batches of a store's features and targets, read from disk as they are asked for."""

    def __init__(
        self,
        arrays: Mapping[str, Array],
        targets: np.ndarray | None,
        batch_size: int = 32,
        views: str = "random",
        shuffle: bool = True,
        seed: int = 0,
        device: torch.device | str = "cpu",
    ) -> None:
        """Check that the arrays belong together.

        Args:
            arrays: (N, V, ...) by name; `images` may be a `ViewArray`, read from image files.
            targets: (N, V, C), if there are any.
            batch_size: rows a batch.
            views: of every image, `random` for one an epoch, `all`, or `whole` for view 0.
            shuffle: a new order every epoch.
            seed: with the epoch it decides the order and the views.
            device: of the tensors.
        """
        self.arrays: dict[str, Any] = dict(arrays)
        if targets is not None:
            self.arrays["targets"] = targets
        shapes = {name: values.shape for name, values in self.arrays.items()}
        if len({shape[:2] for shape in shapes.values()}) != 1:
            raise ValueError(f"arrays and targets must share their first axes (N, V), got {shapes}")
        if views not in VIEWS:
            raise ValueError(f"views must be one of {', '.join(VIEWS)}, got {views!r}")
        self.num_images, self.num_views = next(iter(shapes.values()))[:2]
        self.images = np.arange(self.num_images)  # those taken
        self.batch_size = batch_size
        self.views = views
        self.shuffle = shuffle
        self.seed = seed
        self.device = torch.device(device)
        self.reads_ahead = self.device.type != "cpu"  # where it measured no gain
        self.placed: dict[str, Tensor] = {}  # arrays that the device holds, shared by copies
        self.epoch = 0

    @property
    def shape(self) -> tuple[int, int]:
        """N and V of the images taken."""
        return len(self.images), self.num_views

    @property
    def image_targets(self) -> np.ndarray:
        """Targets (N, C) of the whole images, which view 0 shows."""
        return np.asarray(self.arrays["targets"][self.images, 0])

    def fingerprint(self) -> dict[str, Any]:
        """Describe shapes, settings and targets; the other values are left to their store's."""
        digest = hashlib.sha256(self.images.tobytes())
        if "targets" in self.arrays:
            for view in range(self.num_views):
                digest.update(self.arrays["targets"][:, view].tobytes())
        settings = {k: getattr(self, k) for k in ("batch_size", "views", "shuffle", "seed")}
        shapes = {name: list(values.shape) for name, values in self.arrays.items()}
        return {"shapes": shapes, **settings, "rows": digest.hexdigest()}

    def of_images(
        self, images: np.ndarray, views: str | None = None, shuffle: bool | None = None
    ) -> "FeatureBatches":
        """Take only the images of these numbers, perhaps in other views or another order."""
        some = copy.copy(self)
        some.images = self.images[images]
        some.views = self.views if views is None else views
        some.shuffle = self.shuffle if shuffle is None else shuffle
        some.epoch = 0
        return some

    def sample(self, num_images: int = 1000) -> "FeatureBatches":
        """Take up to so many images at even distances, a random view of each."""
        return self.of_images(spread_rows(len(self.images), num_images), "random", shuffle=False)

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch that the next pass draws its order and views for."""
        self.epoch = epoch

    def __len__(self) -> int:
        rows = len(self.images) * (self.num_views if self.views == "all" else 1)
        return -(-rows // self.batch_size)

    def __iter__(self) -> Iterator[dict[str, Tensor]]:
        """Yield tensors (B, ...) by name: uint8 for images, else float32."""
        return (batch for batch, _ in self.shares(0, 1))

    def shares(self, process: int, num_processes: int) -> Iterator[tuple[dict[str, Tensor], float]]:
        """Yield one process' rows of every batch, and what fraction of the batch they are.

        All processes together see the batches that one alone would. A process for which a batch
        has no row gets a row of another's, with fraction 0, so that it keeps step.
        """
        batches = self._draw_batches()
        own = [batch[process::num_processes] for batch in batches]
        taken = [rows if len(rows) else batch[:1] for rows, batch in zip(own, batches, strict=True)]
        for rows, batch, tensors in zip(own, batches, self._read(taken), strict=True):
            yield tensors, len(rows) / len(batch)

    def _draw_batches(self) -> list[np.ndarray]:
        """Draw the rows of every batch: numbers (B, 2) of image and view."""
        num_images, num_views = self.shape
        each = num_views if self.views == "all" else 1
        rng = np.random.default_rng([self.seed, self.epoch])
        rows = np.arange(num_images * each)
        if self.shuffle:
            rng.shuffle(rows)
        image, view = np.divmod(rows, each)
        if self.views == "random":
            view = rng.integers(num_views, size=num_images)[image]
        index = np.stack([self.images[image], view], axis=1)
        return [index[k : k + self.batch_size] for k in range(0, len(index), self.batch_size)]

    def _read(self, batches: list[np.ndarray]) -> Iterator[dict[str, Tensor]]:
        """Read the rows of each batch, other than on a CPU ahead of their use."""
        files = {k: a for k, a in self.arrays.items() if hasattr(a, "num_workers")}
        stored = {k: a for k, a in self.arrays.items() if k not in files}
        self._place(stored)
        unplaced = {k: a for k, a in stored.items() if k not in self.placed}
        index: list[Rows] = [(batch[:, 0], batch[:, 1]) for batch in batches]
        images = {k: load_items(a.__getitem__, index, a.num_workers) for k, a in files.items()}

        def load(rows: Rows) -> dict[str, Tensor]:
            found = {k: torch.from_numpy(a[rows]) for k, a in unplaced.items()}
            on_gpu = self.device.type == "cuda"
            return {k: values.pin_memory() for k, values in found.items()} if on_gpu else found

        loaded = load_in_threads(load, index) if self.reads_ahead else (load(k) for k in index)
        with closing(loaded):
            for rows in index:
                given = {k: torch.from_numpy(next(array)) for k, array in images.items()}
                given |= next(loaded)
                found = {k: v.to(self.device, non_blocking=True) for k, v in given.items()}
                if self.placed:
                    image, view = torch.from_numpy(np.stack(rows)).to(self.device)
                    found |= {k: values[image, view] for k, values in self.placed.items()}
                found = {k: found[k] for k in self.arrays}  # in their order
                yield {k: v if v.dtype == torch.uint8 else v.float() for k, v in found.items()}

    def _place(self, stored: Mapping[str, np.ndarray | JoinedArray]) -> None:
        """Let the first pass over many images move the arrays that the device can hold there.

        A sample alone, such as that of a head that is trained already, is not worth the move.
        """
        budget = device_budget(self.device)
        if budget and not self.placed and self.num_images <= 2 * len(self) * self.batch_size:
            self.placed.update(place_arrays(stored, budget, self.device))
