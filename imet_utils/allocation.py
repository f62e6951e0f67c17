"""How the C library keeps memory that has been freed."""

import ctypes
import platform
from functools import cache

TRIM_THRESHOLD, MMAP_THRESHOLD, ARENA_MAX = -1, -3, -8  # parameters of glibc's mallopt
KEPT = 2**30  # bytes


@cache
def keep_freed_memory() -> bool:
    """Let glibc keep up to 1 GB of what is freed for the next use; return whether it does.

    By itself it takes every block over 32 MB from the system and gives it back at once. The system
    clears it page by page, which costs the large activations of a CNN on a CPU a third of the
    time. All threads share one heap, since those that glibc makes for further threads hold less
    than such a block; to be called before there are threads, for those that are there keep theirs.
    Other C libraries are left as they are.
    """
    if platform.libc_ver()[0] != "glibc":
        return False
    library = ctypes.CDLL(None)
    options = {MMAP_THRESHOLD: KEPT, TRIM_THRESHOLD: KEPT, ARENA_MAX: 1}
    return all(library.mallopt(option, value) for option, value in options.items())
