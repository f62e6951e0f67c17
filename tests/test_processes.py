"""Worker processes, and the progress of loops read back from what it writes."""

import platform
import subprocess
import sys
import threading

import pytest

from imet_utils.processes import load_in_threads
from imet_utils.progress import progress

COUNT_FAULTS = """
import resource
import torch
from imet_utils.processes import keep_freed_memory

print(keep_freed_memory())
for _ in range(20):  # the heap takes a few to settle
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    torch.ones(2**24)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.slow
@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other libraries are left alone")
def test_large_blocks_are_taken_from_the_system_once():
    """64 MB are 16,384 pages of 4 kB, or 32 of 2 MB."""
    found = subprocess.check_output([sys.executable, "-c", COUNT_FAULTS], text=True)
    kept, faults = found.split()
    assert (kept, int(faults) < 8) == ("True", True)


def test_a_thread_passes_its_fault_on_and_ends_with_its_reader():
    others = threading.enumerate()
    reader = load_in_threads(lambda number: 6 // number, [3, 2, 1, 0])
    assert next(reader) == 2
    assert len(threading.enumerate()) == len(others) + 1
    reader.close()
    assert threading.enumerate() == others
    reader = load_in_threads(lambda number: 6 // number, [3, 2, 1, 0])
    assert [next(reader) for _ in range(3)] == [2, 3, 6]
    with pytest.raises(ZeroDivisionError):
        next(reader)
    assert threading.enumerate() == others


def test_a_bar_on_standard_output_counts_on_from_where_an_earlier_run_stopped(capsys, monkeypatch):
    bar = progress(range(3, 5), "views", total=5, unit="view", initial=3)
    for number in bar:
        bar.set_postfix_str(f"loss {number}", refresh=False)
    out, err = capsys.readouterr()
    bars = out.strip().split("\r")
    assert "views:  60%" in bars[0]
    assert "5/5" in bars[-1]
    assert bars[-1].endswith("view/s, loss 4]")
    assert err == ""
    # Of several processes the first one tells.
    monkeypatch.setenv("RANK", "1")
    assert list(progress([3, 1], "views")) == [3, 1]
    assert capsys.readouterr().out == ""
