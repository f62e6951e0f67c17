"""Worker processes: how many there may be, and ending them with their parent."""

import ctypes
import multiprocessing
import os
import platform
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cache
from typing import TypeVar, cast

import torch
from torch.utils.data import DataLoader, Dataset

TRIM_THRESHOLD, MMAP_THRESHOLD, ARENA_MAX = -1, -3, -8  # parameters of glibc's mallopt
KEPT = 2**30  # bytes

Argument = TypeVar("Argument")
Item = TypeVar("Item")


@cache
def keep_freed_memory() -> bool:
    """Let glibc keep up to 1 GB of what is freed for the next use; return whether it does.

    By itself it returns every block over 32 MB to the system at once, which clears it page by page:
    that costs the large activations of a CNN on a CPU a third of the time. All threads share one
    heap, since further ones hold less than such a block; to be called before there are threads,
    for those that are there keep theirs. Other C libraries are left as they are.
    """
    if platform.libc_ver()[0] != "glibc":
        return False
    library = ctypes.CDLL(None)
    options = {MMAP_THRESHOLD: KEPT, TRIM_THRESHOLD: KEPT, ARENA_MAX: 1}
    return all(library.mallopt(option, value) for option, value in options.items())


def num_cores() -> int:
    """Count the cores for this process, its share where several of a job are on the machine.

    torch's loader warns about exceeding those that it may use.
    """
    every = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return max(1, (every or 1) // int(os.environ.get("LOCAL_WORLD_SIZE", "1")))


def end_with_parent(_: int) -> None:
    """Let a worker end when its parent is killed, even while it waits to send a batch."""
    parent = multiprocessing.parent_process()
    assert parent is not None, "only a worker has a parent"

    def watch() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def load_items(
    load: Callable[..., Item], arguments: Sequence[object], num_workers: int
) -> Iterator[Item]:
    """Yield `load(argument)` of each argument in order, read ahead by processes.

    `load` returns arrays, which go through a pipe: tensors would go through shared memory, and
    /dev/shm is small in containers. There is at most one process a core and an item; with 0 this
    process loads.
    """
    yield from DataLoader(
        cast(Dataset, arguments),
        batch_size=None,  # then the workers call `collate_fn` with an argument each
        num_workers=min(num_workers, len(arguments), num_cores()),
        collate_fn=load,
        worker_init_fn=end_with_parent,
        generator=torch.Generator(),  # it draws a seed, which would change what others draw
    )


def load_in_threads(
    load: Callable[[Argument], Item], arguments: Iterable[Argument], num_threads: int = 1
) -> Generator[Item, None, None]:
    """Yield `load(argument)` of each argument in order, loaded ahead by threads.

    What `load` raises is raised here. The threads end with the generator, used up or not.
    """
    waiting: deque[Future[Item]] = deque()
    pool = ThreadPoolExecutor(num_threads)
    try:
        for argument in arguments:
            waiting.append(pool.submit(load, argument))
            if len(waiting) > num_threads:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)
