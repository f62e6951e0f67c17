"""Worker processes, and the progress of loops read back from what it writes."""

import platform
import subprocess
import sys

import numpy as np
import pytest

from imet_utils.processes import keep_freed_memory, load_items, num_cores
from imet_utils.progress import progress

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


def test_a_bar_on_standard_output_counts_on_from_where_an_earlier_run_stopped(capsys):
    bar = progress(range(3, 5), "views", total=5, unit="view", initial=3)
    for number in bar:
        bar.set_postfix_str(f"loss {number}", refresh=False)
    out, err = capsys.readouterr()
    bars = out.strip().split("\r")
    assert "views:  60%" in bars[0]
    assert "5/5" in bars[-1]
    assert bars[-1].endswith("view/s, loss 4]")
    assert err == ""


def test_of_several_processes_the_first_one_tells(capsys, monkeypatch):
    monkeypatch.setenv("RANK", "1")
    assert list(progress([3, 1], "views")) == [3, 1]
    assert capsys.readouterr().out == ""
