"""Processes that work for this one: how many there may be, and that they never outlive it."""

import multiprocessing
import os
import threading
from typing import TypeVar

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


def as_it_is(batch: Item) -> Item:
    """Leave a batch of a loader's process alone: numpy arrays go through a pipe.

    Tensors would go through shared memory, and /dev/shm is small in containers.
    """
    return batch
