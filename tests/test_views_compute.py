"""What is computed of all views: by threads, on a device, as an array read when asked for."""

import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import psutil
import pytest
import torch
from PIL import Image

from imet_utils.views import (
    View,
    ViewArray,
    ViewDataset,
    compute_on_device,
    compute_views,
    load_rows,
    make_device_views,
    make_views,
    plan_views,
)

# Python 3.12 warns whenever a process with threads forks; torch's loader does so on Linux.
FORK = "ignore:This process .* is multi-threaded:DeprecationWarning"

STUCK = """
import multiprocessing, sys
import numpy as np
from imet_utils.processes import load_items
items = load_items(np.ones, [(1000, 1500)] * 40, 2)
next(items)
print(*(worker.pid for worker in multiprocessing.active_children()), flush=True)
sys.stdin.read()
"""


def itself(views):
    return {"views": views}


def paint(width, height, seed):
    """A smooth image with noise over it."""
    rng = np.random.default_rng(seed)
    waves = np.sin(np.arange(width) / 9)[:, None] * np.cos(np.arange(height) / 7)[:, None, None]
    levels = 128 + 90 * waves * rng.uniform(-1, 1, 3) + rng.normal(0, 9, (height, width, 3))
    return Image.fromarray(levels.clip(0, 255).astype(np.uint8))


def pixels(image):
    return torch.from_numpy(np.array(image)).permute(2, 0, 1)


@pytest.fixture
def dataset(tmp_path):
    """Five images, three views each."""
    paths = [tmp_path / f"{k}.png" for k in range(5)]
    for k, path in enumerate(paths):
        paint(40 + k, 50 - k, seed=k).save(path)
    ids = [path.stem for path in paths]
    return ViewDataset(paths, ids, [True] * 5, train=True, size=32, num_views=3)


@pytest.mark.parametrize("augment", [False, True])
@pytest.mark.parametrize("crop", [False, True])
def test_views_of_a_device_are_those_of_pillow(crop, augment):
    sizes = [(90, 60), (64, 64), (40, 30), (20, 70)]  # the last two are smaller than a view
    images = [paint(width, height, seed) for seed, (width, height) in enumerate(sizes)]
    settings = {"crop": crop, "augment": augment, "seed": 4, "size": 48}
    plans = [plan_views(image.size, "a", **settings) for image in images]
    made = [make_views(image, plan, 48) for image, plan in zip(images, plans, strict=True)]
    expected = torch.stack(made)
    made = make_device_views([pixels(image) for image in images], plans, 48)
    assert made.shape == (4, 6, 3, 48, 48)
    assert (made.int() - expected.int()).abs().max() <= 1 + augment  # rounded once and again
    assert (made.float() - expected.float()).abs().mean() < 0.1


def test_crops_are_exact_and_colours_rounded_and_clipped():
    image = paint(70, 50, 0)
    view = View((11, 7, 43, 39), flip=True, colours=None)
    made = make_device_views([pixels(image)], [[view]], 32)
    assert torch.equal(made[0, 0], pixels(image)[:, 7:39, 11:43].flip(-1))
    pixel = torch.tensor([10, 100, 200], dtype=torch.uint8).view(3, 1, 1)
    view = View(None, flip=False, colours=((0.25, 0, 0), (0, 3, 0), (0, 0, -1)))
    assert make_device_views([pixel], [[view]], 1).flatten().tolist() == [3, 255, 0]


@pytest.fixture(params=[1, 3])
def num_threads(request):
    """Let torch use so many threads; afterwards as many as before."""
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield request.param
    torch.set_num_threads(before)


@pytest.mark.usefixtures("num_threads")
def test_threads_compute_the_items_in_order(dataset):
    parts = [range(1, 3), range(3, 5), [0]]
    found = [result["views"] for result in compute_views(dataset, parts, itself)]
    assert [views.shape for views in found] == [(6, 3, 32, 32)] * 2 + [(3, 3, 32, 32)]
    assert all(views.is_inference() for views in found)
    assert torch.equal(torch.cat(found), torch.cat([dataset[k] for k in (1, 2, 3, 4, 0)]))


def test_threads_are_as_many_afterwards_also_after_a_failure(dataset, num_threads):
    def fail(views):
        raise ValueError("too bad")

    with pytest.raises(ValueError, match="too bad"):
        list(compute_views(dataset, [[0], [1]], fail))
    assert torch.get_num_threads() == num_threads
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(torch.get_num_threads).result() == num_threads


@pytest.mark.filterwarnings(FORK)
@pytest.mark.parametrize("num_workers", [0, 1, 64])
def test_views_made_on_the_device_are_those_of_the_items(dataset, num_workers):
    """What a GPU does, here on the CPU."""
    results = compute_on_device(dataset, [range(2), range(2, 5)], itself, num_workers, "cpu")
    made = torch.cat([result["views"] for result in results])
    expected = torch.cat([dataset[index] for index in range(5)])
    assert made.dtype == torch.uint8
    assert (made.int() - expected.int()).abs().max() <= 2  # rounded once and again


def is_running(process):
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="other systems start workers otherwise")
def test_workers_end_when_their_parent_is_killed():
    """They are about to send arrays of 12 MB, which no pipe takes when nobody reads."""
    command = [sys.executable, "-c", STUCK]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as parent:
        workers = [psutil.Process(int(pid)) for pid in parent.stdout.readline().split()]
        assert len(workers) == sum(map(is_running, workers)) > 0
        parent.kill()
    deadline = time.monotonic() + 20
    while any(map(is_running, workers)) and time.monotonic() < deadline:
        time.sleep(0.05)
    left = [worker for worker in workers if is_running(worker)]
    for worker in left:
        worker.kill()
    assert not left


@pytest.mark.filterwarnings(FORK)
@pytest.mark.parametrize("num_workers", [0, 2])
def test_rows_of_an_array_are_the_views_of_the_data_set(dataset, num_workers):
    views = np.stack([dataset[index].numpy() for index in range(5)])  # (N, V, 3, H, W)
    array = ViewArray(dataset, num_workers)
    assert array.shape == views.shape
    rows = np.array([[4, 2], [0, 1], [4, 0], [2, 2]])  # of image and view
    np.testing.assert_array_equal(array[rows[:, 0], rows[:, 1]], views[rows[:, 0], rows[:, 1]])
    for found, batch in zip(load_rows(array, [rows, rows[:1]]), (rows, rows[:1]), strict=True):
        np.testing.assert_array_equal(found, views[batch[:, 0], batch[:, 1]])
