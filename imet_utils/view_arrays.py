"""The views of a set of images as an array that is read from the image files when asked for."""

from collections.abc import Iterator

import numpy as np
from torch.utils.data import Dataset

from imet_utils.views import ViewDataset
from imet_utils.worker_processes import load_items


class ViewArray:
    """The views (N, V, 3, H, W) uint8 of a data set, none of them in memory.

    It stands beside the arrays of a feature store where those would not fit the disk, or where
    the encoder is trained.

    Attributes:
        shape: (N, V, 3, H, W).
        num_workers: processes that read images ahead of their use; 0 reads them in this one.
    """

    def __init__(self, dataset: ViewDataset, num_workers: int = 0) -> None:
        self.dataset = dataset
        self.shape = (len(dataset), dataset.num_views, 3, dataset.size, dataset.size)
        self.num_workers = num_workers

    def __getitem__(self, index: tuple[np.ndarray, ...]) -> np.ndarray:
        """Read views by the numbers of images (B,) and views (B,), or all views of images (B,).

        An image that is asked for several times is decoded once.
        """
        images, *views = index
        if not views:
            return np.stack([self.dataset[image].numpy() for image in images])  # (B, V, 3, H, W)
        found = np.empty((len(images), *self.shape[2:]), dtype=np.uint8)
        for image in np.unique(images):
            rows = np.flatnonzero(images == image)
            found[rows] = self.dataset.some_views(image, views[0][rows]).numpy()
        return found  # (B, 3, H, W)


def load_rows(views: ViewArray, batches: list[np.ndarray]) -> Iterator[np.ndarray]:
    """Read the rows of one batch after the other: numbers (B, 2) of image and view, or (B, 1)."""
    return iter(load_items(_Batches(views, batches), views.num_workers))


class _Batches(Dataset[np.ndarray]):
    def __init__(self, views: ViewArray, batches: list[np.ndarray]) -> None:
        self.views = views
        self.batches = batches

    def __len__(self) -> int:
        return len(self.batches)

    def __getitem__(self, number: int) -> np.ndarray:
        return self.views[tuple(self.batches[number].T)]
