"""Load views with worker processes that need no shared memory and never outlive their parent."""

import multiprocessing
import os
import threading

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset


def load_views(dataset: Dataset[Tensor], num_images: int, num_workers: int) -> DataLoader:
    """Return a loader of uint8 arrays (B, V, 3, H, W) in the order of the data set.

    Args:
        dataset: whose items are stacked.
        num_images: B.
        num_workers: processes that read images, at most one a core and one an image; 0 reads
            them in this process. Each computes with one thread.
    """
    return DataLoader(
        dataset,
        num_images,
        num_workers=min(num_workers, len(dataset), num_cores()),
        collate_fn=_stack,
        worker_init_fn=end_with_parent,
    )


def num_cores() -> int:
    """Count the cores that this process may use, which torch's loader warns about exceeding."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _stack(items: list[Tensor]) -> np.ndarray:
    """Stack items as numpy, which workers send through a pipe: /dev/shm is small in containers."""
    return torch.stack(items).numpy()  # (B, V, 3, H, W)


def end_with_parent(_: int) -> None:
    """Let a worker end when its parent is killed, even while it waits to send a batch."""

    def watch() -> None:
        multiprocessing.parent_process().join()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
