"""Load views with worker processes that need no shared memory and never outlive their parent."""

import multiprocessing
import os
import threading
from collections.abc import Iterator, Sequence
from typing import Protocol

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Subset

from imet_utils.device_views import make_device_views
from imet_utils.view_making import View


class _Viewed(Protocol):
    """What `ViewDataset` has; it imports this module's neighbours."""

    size: int

    def __len__(self) -> int: ...
    def __getitem__(self, index: int) -> Tensor: ...
    def read(self, index: int) -> Image.Image: ...
    def plan(self, index: int, image_size: tuple[int, int]) -> list[View]: ...


class ViewLoader:
    """Batches (B, V, 3, H, W) uint8 on a device, in the order of a data set.

    For a CPU the processes that read the images make the views, too. Other devices make them by
    themselves, so that the processes only decode and send each image once, not each view.
    """

    def __init__(
        self,
        dataset: _Viewed,
        indices: Sequence[int],
        num_images: int,
        num_workers: int,
        device: torch.device | str = "cpu",
        on_device: bool | None = None,
    ) -> None:
        """Prepare the processes.

        Args:
            dataset: a `ViewDataset`.
            indices: of its images to load.
            num_images: B.
            num_workers: processes that read images, at most one a core and one an image; 0 reads
                them in this process. Each computes with one thread.
            device: of the batches.
            on_device: whether the views are made there; None for wherever it is no CPU.
        """
        self.device = torch.device(device)
        self.size = dataset.size
        self.on_device = self.device.type != "cpu" if on_device is None else on_device
        self.loader = DataLoader(
            Subset(_Decoded(dataset) if self.on_device else dataset, indices),
            num_images,
            num_workers=min(num_workers, len(indices), num_cores()),
            collate_fn=list if self.on_device else _stack,
            worker_init_fn=end_with_parent,
        )

    def __len__(self) -> int:
        """Count the batches."""
        return len(self.loader)

    def __iter__(self) -> Iterator[Tensor]:
        """Yield the batches."""
        for batch in self.loader:
            yield self._make(batch) if self.on_device else self._move(batch)

    def _make(self, batch: list[tuple[np.ndarray, list[View]]]) -> Tensor:
        pixels, plans = zip(*batch, strict=True)
        images = [torch.from_numpy(array).to(self.device).permute(2, 0, 1) for array in pixels]
        return make_device_views(images, plans, self.size)

    def _move(self, batch: np.ndarray) -> Tensor:
        return torch.from_numpy(batch).to(self.device).permute(0, 1, 4, 2, 3)


class _Decoded(Dataset[tuple[np.ndarray, list[View]]]):
    """The images of a data set, (H, W, 3) uint8, with the plans of their views."""

    def __init__(self, dataset: _Viewed) -> None:
        self.dataset = dataset

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, index: int) -> tuple[np.ndarray, list[View]]:
        image = self.dataset.read(index)
        return np.array(image), self.dataset.plan(index, image.size)


def num_cores() -> int:
    """Count the cores that this process may use, which torch's loader warns about exceeding."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _stack(items: list[Tensor]) -> np.ndarray:
    """Stack items as numpy, (B, V, H, W, 3) as they lie in memory.

    Workers send it through a pipe: /dev/shm is small in containers.
    """
    return np.stack([item.permute(0, 2, 3, 1).numpy() for item in items])


def end_with_parent(_: int) -> None:
    """Let a worker end when its parent is killed, even while it waits to send a batch."""

    def watch() -> None:
        multiprocessing.parent_process().join()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
