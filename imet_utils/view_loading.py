"""Load views with worker processes that need no shared memory."""

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Subset

from imet_utils.device_views import make_device_views
from imet_utils.view_making import View
from imet_utils.views import ViewDataset
from imet_utils.worker_processes import end_with_parent, num_cores


class ViewLoader:
    """Batches (B, V, 3, H, W) uint8 on a device, in the order of a data set.

    For a CPU the processes that read the images make the views, too. Other devices make them by
    themselves, so that the processes only decode and send each image once, not each view.
    """

    def __init__(
        self,
        dataset: ViewDataset,
        indices: Sequence[int],
        num_images: int,
        num_workers: int,
        device: torch.device | str = "cpu",
        on_device: bool | None = None,
    ) -> None:
        """Prepare the processes.

        Args:
            dataset: of the views.
            indices: of the images to load.
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

    def __init__(self, dataset: ViewDataset) -> None:
        self.dataset = dataset

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, index: int) -> tuple[np.ndarray, list[View]]:
        image = self.dataset.read(index)
        return np.array(image), self.dataset.plan(index, image.size)


def _stack(items: list[Tensor]) -> np.ndarray:
    """Stack items as numpy, (B, V, H, W, 3) as they lie in memory.

    Workers send it through a pipe: /dev/shm is small in containers.
    """
    return np.stack([item.permute(0, 2, 3, 1).numpy() for item in items])
