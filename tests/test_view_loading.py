import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from PIL import Image

from imet_utils.view_loading import ViewLoader
from imet_utils.views import ViewDataset

# Python 3.12 warns whenever a process with threads forks; torch's loader does so on Linux.
FORK = "ignore:This process .* is multi-threaded:DeprecationWarning"

STUCK = """
import sys
from imet_utils.view_loading import ViewLoader
from imet_utils.views import ViewDataset
paths = [sys.argv[1]] * 40
data = ViewDataset(paths, paths, [True] * 40, train=False)
batches = iter(ViewLoader(data, range(40), 4, 2).loader)
next(batches)
print(*(worker.pid for worker in batches._workers), flush=True)
sys.stdin.read()
"""


@pytest.fixture
def dataset(tmp_path):
    Image.new("RGB", (30, 40), (10, 20, 30)).save(tmp_path / "a.png")
    return ViewDataset([tmp_path / "a.png"] * 5, list("abcde"), [True] * 5, train=True, size=16)


@pytest.mark.filterwarnings(FORK)
@pytest.mark.parametrize("num_workers", [0, 1, 64])
def test_batches_hold_the_items_in_order(dataset, num_workers):
    loader = ViewLoader(dataset, range(1, 5), 3, num_workers)
    batches = list(loader)
    assert [batch.shape for batch in batches] == [(3, 6, 3, 16, 16), (1, 6, 3, 16, 16)]
    assert len(loader) == 2
    assert torch.equal(torch.cat(batches), torch.stack([dataset[index] for index in range(1, 5)]))


@pytest.mark.filterwarnings(FORK)
@pytest.mark.parametrize("num_workers", [0, 2])
def test_views_made_on_the_device_are_those_of_the_processes(dataset, num_workers):
    """What a GPU does, here on the CPU."""
    made = torch.cat(list(ViewLoader(dataset, range(5), 2, num_workers, on_device=True)))
    expected = torch.stack([dataset[index] for index in range(5)])
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
    """They are about to send images of 3.6 MB, which no pipe takes when nobody reads."""
    command = [sys.executable, "-c", STUCK, dataset.paths[0]]
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
