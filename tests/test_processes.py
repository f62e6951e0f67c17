import platform
import subprocess
import sys

import numpy as np
import pytest

from imet_utils.processes import keep_freed_memory, load_items, num_cores

COUNT_FAULTS = """
import resource
import torch
from imet_utils.processes import keep_freed_memory

def count():
    spent = []
    for _ in range(20):  # the heap takes a few to settle
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
        torch.ones(2**24)
        spent.append(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
    return min(spent)

print(count(), keep_freed_memory(), count())
"""


@pytest.mark.slow
@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other libraries are left alone")
def test_large_blocks_are_taken_from_the_system_once():
    """64 MB are 16,384 pages of 4 kB, or 32 of 2 MB."""
    command = [sys.executable, "-c", COUNT_FAULTS]
    before, kept, after = subprocess.check_output(command, text=True).split()
    assert (int(before) >= 32, kept, int(after) < 8) == (True, "True", True)


def test_other_libraries_are_left_alone(monkeypatch):
    monkeypatch.setattr(platform, "libc_ver", lambda: ("", ""))
    keep_freed_memory.cache_clear()
    assert keep_freed_memory() is False
    keep_freed_memory.cache_clear()


@pytest.mark.parametrize("num_workers", [0, 1, 64])
def test_items_are_loaded_as_they_are_and_in_order(num_workers):
    """More workers than cores or items would be warned of."""
    loaded = load_items(np.arange, range(4), num_workers)
    assert [item.tolist() for item in loaded] == [list(range(k)) for k in range(4)]
    assert num_cores() >= 1
