import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from imet_utils.view_loading import load_views
from imet_utils.views import ViewDataset

# Python 3.12 warns whenever a process with threads forks; torch's loader does so on Linux.
FORK = "ignore:This process .* is multi-threaded:DeprecationWarning"

STUCK = """
import sys
from imet_utils.view_loading import load_views
from imet_utils.views import ViewDataset
paths = [sys.argv[1]] * 40
batches = iter(load_views(ViewDataset(paths, paths, [True] * 40, train=False), 4, 2))
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
def test_batches_hold_all_items_in_order(dataset, num_workers):
    batches = list(load_views(dataset, 2, num_workers))
    assert [batch.shape for batch in batches] == [(2, 6, 3, 16, 16)] * 2 + [(1, 6, 3, 16, 16)]
    assert all(isinstance(batch, np.ndarray) for batch in batches)
    expected = torch.stack([dataset[index] for index in range(5)]).numpy()
    assert np.array_equal(np.concatenate(batches), expected)


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
