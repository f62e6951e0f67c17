"""Batches of the features and targets of a store, read from disk as they are asked for."""

from collections.abc import Iterator, Mapping

import numpy as np
import torch
from torch import Tensor


class FeatureBatches:
    """Batches of a store's features and targets, read from disk as they are asked for.

    Attributes:
        shape: (N, V) of the images taken.
    """

    def __init__(
        self,
        arrays: Mapping[str, np.ndarray],
        targets: np.ndarray | None,
        batch_size: int = 32,
        views: str = "random",
        shuffle: bool = True,
        seed: int = 0,
        device: torch.device | str = "cpu",
        images: np.ndarray | None = None,
    ) -> None:
        """Check that the arrays belong together.

        Args:
            arrays: (N, V, ...) by name.
            targets: (N, V, C), or None where there are none.
            batch_size: rows a batch.
            views: `random` for one random view of every image an epoch; `all` for every view of
                every image, those of an image one after another unless shuffled; `each` for whole
                images, whose tensors keep an axis V after B.
            shuffle: a new order every epoch.
            seed: with the epoch it decides the order and the views.
            device: of the tensors.
            images: numbers of the images to take, in their order; None for all N.
        """
        given = dict(arrays) | ({} if targets is None else {"targets": targets})
        shapes = {name: values.shape for name, values in given.items()}
        if not arrays or len({shape[:2] for shape in shapes.values()}) != 1:
            raise ValueError(f"arrays and targets must share their first axes (N, V), got {shapes}")
        if views not in ("random", "all", "each") or batch_size < 1:
            raise ValueError(
                f"views must be 'random', 'all' or 'each' and batch_size positive, got {views!r} "
                f"and {batch_size}"
            )
        self.arrays = given
        num_images, num_views = next(iter(shapes.values()))[:2]
        self.images = np.arange(num_images) if images is None else np.asarray(images)
        self.shape = (len(self.images), num_views)
        self.batch_size = batch_size
        self.views = views
        self.shuffle = shuffle
        self.seed = seed
        self.device = torch.device(device)
        self.epoch = 0

    @property
    def image_targets(self) -> np.ndarray:
        """Targets (N, C) of the whole images, which view 0 shows."""
        if "targets" not in self.arrays:
            raise ValueError("these batches have no targets")
        return np.asarray(self.arrays["targets"][self.images, 0])

    def of_images(
        self, images: np.ndarray, views: str | None = None, shuffle: bool | None = None
    ) -> "FeatureBatches":
        """Take only the images of these numbers, perhaps in other views or another order."""
        arrays = {name: values for name, values in self.arrays.items() if name != "targets"}
        return FeatureBatches(
            arrays,
            self.arrays.get("targets"),
            self.batch_size,
            self.views if views is None else views,
            self.shuffle if shuffle is None else shuffle,
            self.seed,
            self.device,
            self.images[images],
        )

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch that the next pass draws its order and views for."""
        self.epoch = epoch

    def __len__(self) -> int:
        rows = self.shape[0] * (self.shape[1] if self.views == "all" else 1)
        return -(-rows // self.batch_size)

    def __iter__(self) -> Iterator[dict[str, Tensor]]:
        """Yield tensors float32 (B, ...), or (B, V, ...) with `each`, by name."""
        num_images, num_views = self.shape
        rng = np.random.default_rng([self.seed, self.epoch])
        rows = np.arange(num_images * (num_views if self.views == "all" else 1))
        if self.shuffle:
            rng.shuffle(rows)
        chosen = rng.integers(num_views, size=num_images)  # a view for each image
        for start in range(0, len(rows), self.batch_size):
            batch = rows[start : start + self.batch_size]
            if self.views == "all":
                image, view = np.divmod(batch, num_views)
                index = (self.images[image], view)
            elif self.views == "random":
                index = (self.images[batch], chosen[batch])
            else:
                index = (self.images[batch],)
            yield {
                name: torch.from_numpy(values[index]).to(self.device).float()
                for name, values in self.arrays.items()
            }
