"""Processes that work for this one: how many there may be, and that they never outlive it."""

import multiprocessing
import os
import threading
from typing import TypeVar

from torch.utils.data import DataLoader, Dataset

Item = TypeVar("Item")


def num_cores() -> int:
    """Count the cores that this process may use, which torch's loader warns about exceeding."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def end_with_parent(_: int) -> None:
    """Let a worker end when its parent is killed, even while it waits to send a batch."""

    def watch() -> None:
        multiprocessing.parent_process().join()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def load_items(dataset: Dataset[Item], num_workers: int) -> DataLoader[Item]:
    """Return a loader of the items of a data set, one by one, read ahead by processes.

    Args:
        dataset: whose items are arrays: they go through a pipe. Tensors would go through shared
            memory, and /dev/shm is small in containers.
        num_workers: processes, at most one a core and one an item; 0 reads in this process.
    """
    return DataLoader(
        dataset,
        batch_size=None,
        num_workers=min(num_workers, len(dataset), num_cores()),
        collate_fn=_as_it_is,
        worker_init_fn=end_with_parent,
    )


def _as_it_is(item: Item) -> Item:
    return item
