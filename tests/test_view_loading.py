import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch
from PIL import Image

from imet_utils.view_loading import compute_on_device, compute_views
from imet_utils.views import ViewDataset

# Python 3.12 warns whenever a process with threads forks; torch's loader does so on Linux.
FORK = "ignore:This process .* is multi-threaded:DeprecationWarning"

STUCK = """
import multiprocessing
import sys
from imet_utils.view_loading import compute_on_device
from imet_utils.views import ViewDataset
data = ViewDataset([sys.argv[1]] * 40, list(map(str, range(40))), [True] * 40, train=False)
parts = [range(k, k + 4) for k in range(0, 40, 4)]
results = compute_on_device(data, parts, lambda views: {"views": views}, 2, "cpu")
next(results)
print(*(worker.pid for worker in multiprocessing.active_children()), flush=True)
sys.stdin.read()
"""


def itself(views):
    return {"views": views}


@pytest.fixture
def dataset(tmp_path):
    Image.new("RGB", (30, 40), (10, 20, 30)).save(tmp_path / "a.png")
    return ViewDataset([tmp_path / "a.png"] * 5, list("abcde"), [True] * 5, train=True, size=16)


@pytest.mark.parametrize("num_threads", [1, 3])
def test_threads_compute_the_items_in_order(dataset, num_threads, monkeypatch):
    monkeypatch.setattr(torch, "get_num_threads", lambda: num_threads)
    parts = [range(1, 3), range(3, 5), [0]]
    found = [result["views"] for result in compute_views(dataset, parts, itself)]
    assert [views.shape for views in found] == [(12, 3, 16, 16)] * 2 + [(6, 3, 16, 16)]
    assert all(views.is_inference() for views in found)
    assert torch.equal(torch.cat(found), torch.cat([dataset[k] for k in (1, 2, 3, 4, 0)]))


def test_threads_are_as_many_afterwards_also_after_a_failure(dataset):
    before = torch.get_num_threads()

    def fail(views):
        raise ValueError("too bad")

    with pytest.raises(ValueError, match="too bad"):
        list(compute_views(dataset, [[0], [1]], fail))
    assert torch.get_num_threads() == before
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(torch.get_num_threads).result() == before


@pytest.mark.filterwarnings(FORK)
@pytest.mark.parametrize("num_workers", [0, 1, 64])
def test_views_made_on_the_device_are_those_of_the_items(dataset, num_workers):
    """What a GPU does, here on the CPU."""
    results = compute_on_device(dataset, [range(2), range(2, 5)], itself, num_workers, "cpu")
    made = torch.cat([result["views"] for result in results])
    expected = torch.cat([dataset[index] for index in range(5)])
    assert made.dtype == torch.uint8
    assert (made.int() - expected.int()).abs().max() <= 1


def is_running(pid):
    """Tell whether a process is there and not merely waiting to be taken notice of."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state not in "ZX"


@pytest.mark.skipif(sys.platform != "linux", reason="looks at /proc")
def test_workers_end_when_their_parent_is_killed(dataset):
    """They are about to send images of 12 MB, which no pipe takes when nobody reads."""
    large = Path(dataset.paths[0]).with_name("large.png")
    Image.new("RGB", (1000, 1000)).save(large)
    command = [sys.executable, "-c", STUCK, str(large)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as parent:
        workers = [int(pid) for pid in parent.stdout.readline().split()]
        running = [is_running(pid) for pid in workers]
        parent.send_signal(signal.SIGKILL)
    assert workers
    assert all(running)
    deadline = time.monotonic() + 20
    while any(map(is_running, workers)) and time.monotonic() < deadline:
        time.sleep(0.05)
    left = [pid for pid in workers if is_running(pid)]
    for pid in left:
        os.kill(pid, signal.SIGKILL)
    assert not left
