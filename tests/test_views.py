"""The views of an image: planned, made by Pillow or on a device; what is computed of them."""

import os
import pickle
import shutil
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
import torch
from matplotlib.colors import rgb_to_hsv
from PIL import Image
from small_data import has_ended, noise, write_collection
from torchvision.transforms import functional as reference

from imet_utils.features import view_targets
from imet_utils.tables import load_collection, load_tables, read_image, read_tables, save_tables
from imet_utils.views import (
    LUMA,
    View,
    ViewDataset,
    channel_stats,
    colour_matrix,
    compute_on_device,
    compute_views,
    make_device_views,
    make_views,
    open_datasets,
    plan_views,
    split_dataset,
)

STUCK = """
import multiprocessing, sys
import numpy as np
from imet_utils.processes import load_items
items = load_items(np.ones, [(1000, 1500)] * 40, 2)
next(items)
print(*(worker.pid for worker in multiprocessing.active_children()), flush=True)
sys.stdin.read()
"""


def coordinates(width, height):
    """An image whose red is the column and whose green is the row."""
    rows, columns = np.mgrid[:height, :width]
    return Image.fromarray(np.stack([columns, rows, 0 * rows], axis=-1).astype(np.uint8))


def squeeze(image, size=32):
    return image.resize((size, size), Image.Resampling.BILINEAR)


def pixels(image):
    return torch.from_numpy(np.array(image)).permute(2, 0, 1)  # (3, H, W)


def crops_of(image, size, num_views):
    """Make views without augmentation."""
    plan = plan_views(image.size, "a", True, augment=False, size=size, views=range(num_views))
    return make_views(image, plan, size)


@pytest.fixture
def collection(tmp_path):
    """Seven small images and what `ViewDataset` takes of them."""
    paths = [tmp_path / f"{k}.bmp" for k in range(7)]
    for k, path in enumerate(paths):
        noise(40 + k, 50 - 3 * k, seed=k).save(path)
    ids = [f"id{k}" for k in range(7)]
    return {"paths": paths, "ids": ids, "cropped": np.arange(7) % 2 == 0, "size": 32}


@pytest.fixture
def dataset(collection):
    return ViewDataset(**collection, train=True, seed=5)


def test_view_0_is_the_whole_image_and_the_others_are_crops_of_it():
    image = coordinates(90, 60)
    made = crops_of(image, 32, 40)
    assert made.shape == (40, 3, 32, 32)
    assert made.dtype == torch.uint8
    assert torch.equal(made[0], pixels(squeeze(image)))
    for view in made[1:]:
        left, top = view[:2, 0, 0].tolist()
        assert torch.equal(view, pixels(image)[:, top : top + 32, left : left + 32])
    small = crops_of(coordinates(5, 4), 3, 200)[1:, :2, 0, 0]
    assert {*map(tuple, small.tolist())} == {(x, y) for x in range(3) for y in range(2)}


@pytest.mark.parametrize(("width", "height"), [(20, 60), (1, 9), (20, 20), (1, 1)])
def test_short_side_is_scaled_up(width, height):
    image = coordinates(width, height)
    squares = [
        pixels(squeeze(image.crop((0, top, width, top + width))))
        for top in range(height - width + 1)
    ]
    for view in crops_of(image, 32, 6)[1:]:
        assert any(torch.equal(view, square) for square in squares)


def test_augmentation_flips_and_multiplies_by_the_matrix():
    image = noise(50, 50)
    plan = plan_views(image.size, "a", crop=False, augment=True, seed=3, size=50, views=range(12))
    for view, planned in zip(make_views(image, plan, 50), plan, strict=True):
        assert planned.box == (0, 0, 50, 50)
        coloured = np.asarray(reference.hflip(image) if planned.flip else image) @ planned.colours.T
        error = view.permute(1, 2, 0).numpy() - coloured.clip(0, 255)
        assert np.abs(error).max() <= 0.501
    assert 0 < sum(view.flip for view in plan) < 12


def test_saturation_is_that_of_torchvision():
    image = noise(20, 20)
    expected = np.asarray(reference.adjust_saturation(image, 0.95))
    found = np.asarray(image) @ colour_matrix(0, 0.95).T
    assert np.abs(found - expected).max() < 1.5  # of two roundings
    assert np.allclose(colour_matrix(0, 0.0), [LUMA] * 3)


@pytest.mark.parametrize("hue", [-0.05, 0.02, 0.05])
def test_hue_moves_as_in_hsv_and_greys_stay(hue):
    matrix = colour_matrix(hue, 1.0)
    np.testing.assert_allclose(matrix.sum(axis=1), 1)
    colours = np.random.default_rng(0).uniform(0.2, 0.8, (500, 3))
    before, after = (rgb_to_hsv(rgb)[:, 0] for rgb in (colours, colours @ matrix.T))
    moved = (after - before + 0.5) % 1 - 0.5
    assert np.abs(moved - hue).max() < 0.007
    assert np.mean(moved) == pytest.approx(hue, abs=0.001)
    assert np.allclose(colour_matrix(1 / 3, 1.0), [[0, 0, 1], [1, 0, 0], [0, 1, 0]])


def test_drawn_numbers_fill_their_ranges():
    settings = {"crop": True, "augment": True, "size": 1, "views": range(1, 3)}
    views = [view for k in range(300) for view in plan_views((1000, 1000), f"id{k}", **settings)]
    corners = np.array([view.box[:2] for view in views])  # left and top
    assert corners.min() < 20 <= 980 < corners.max() < 1000
    flips = np.array([view.flip for view in views])
    assert 0.42 < flips.mean() < 0.58
    colours = np.array([view.colours for view in views])
    saturations = np.sqrt(np.linalg.det(colours))[:, None, None]  # a rotation has determinant 1
    turns = np.linalg.solve(saturations * np.eye(3) + (1 - saturations) * LUMA, colours)
    hues = np.arcsin((turns[:, 0, 2] - turns[:, 0, 1]) * np.sqrt(3) / 2) / (2 * np.pi)
    for values, centre in ((saturations, 1), (hues, 0)):
        assert -0.05 <= values.min() - centre < -0.049
        assert 0.049 < values.max() - centre <= 0.05
    columns = np.stack([*corners.T, flips, hues, saturations.ravel()])
    assert np.abs(np.corrcoef(columns) - np.eye(5)).max() < 0.15


@pytest.mark.parametrize("augment", [False, True])
@pytest.mark.parametrize("crop", [False, True])
def test_views_of_a_device_are_those_of_pillow(crop, augment):
    sizes = [(90, 60), (64, 64), (40, 30), (20, 70)]  # the last two are smaller than a view
    images, plans, expected = [], [], []
    for seed, image_size in enumerate(sizes):
        image = noise(*image_size, seed)
        plan = plan_views(image.size, "a", crop, augment, seed=4, size=48)
        images.append(torch.from_numpy(np.array(image)))
        plans.append(plan)
        expected.append(make_views(image, plan, 48))
    made = make_device_views(images, plans, 48)
    errors = (made.int() - torch.stack(expected).int()).abs()
    assert errors.shape == (4, 6, 3, 48, 48)
    assert errors.max() <= 1 + augment  # rounded once and again
    assert errors.float().mean() < 0.1


def test_crops_on_a_device_are_exact_and_colours_rounded_and_clipped():
    image = noise(70, 50)
    view = View((11, 7, 43, 39), flip=True, colours=None)
    made = make_device_views([torch.from_numpy(np.array(image))], [[view]], 32)
    assert torch.equal(made[0, 0], pixels(image)[:, 7:39, 11:43].flip(-1))
    pixel = torch.tensor([[[10, 100, 200]]], dtype=torch.uint8)
    view = View((0, 0, 1, 1), flip=False, colours=np.diag([0.25, 3, -1]))
    assert make_device_views([pixel], [[view]], 1).flatten().tolist() == [3, 255, 0]


def test_training_images_are_augmented_and_cropped_only_with_a_culture(collection):
    train, val = (ViewDataset(**collection, train=train) for train in (True, False))
    for index, cropped in enumerate(collection["cropped"]):
        (image, plan), (_, plain) = train.read(index), val.read(index)
        whole = (0, 0, *image.size)
        assert [view.box == whole for view in plain] == [True] + 5 * [False]
        assert all(view.colours is None and not view.flip for view in plain)
        boxes = [view.box for view in plain] if cropped else [whole] * 6
        assert [view.box for view in plan] == boxes  # the same crops, by the same seed
        assert all(view.colours is not None for view in plan)
    assert (train[0] != val[0]).flatten(1).any(1).all()


def test_randomness_depends_on_seed_id_and_view_only(collection, dataset):
    items = [dataset[index] for index in range(7)]
    assert all(torch.equal(dataset[index], items[index]) for index in reversed(range(7)))
    tail = {k: v if k == "size" else v[3:] for k, v in collection.items()}
    assert torch.equal(ViewDataset(**tail, train=True, seed=5)[0], items[3])
    fewer = ViewDataset(**collection, train=True, seed=5, num_views=2)
    assert torch.equal(fewer[0], items[0][:2])
    assert torch.equal(make_views(*dataset.read(0, [4, 1]), 32), items[0][[4, 1]])
    renamed = collection | {"ids": [f"other{k}" for k in range(7)]}
    for given, seed in ((collection, 6), (renamed, 5)):
        assert not torch.equal(ViewDataset(**given, train=True, seed=seed)[0], items[0])
    again = pickle.loads(pickle.dumps(dataset))  # noqa: S301  (as by spawn)
    assert torch.equal(again[2], items[2])
    images = [read_image(path) for path in collection["paths"]]
    assert torch.equal(replace(dataset, paths=images)[1], items[1])


def test_view_targets_by_hand():
    is_culture = np.array([True, True, False, False])
    targets = np.array([[1, 0, 1, 1], [0, 0, 1, 0], [0, 1, 0, 0], [0, 0, 0, 0]], dtype=bool)
    train = view_targets(targets, is_culture, "culture", num_views=3)
    assert train.dtype == bool
    assert train[0].astype(int).tolist() == [[1, 0, 1, 1], [1, 0, 0, 0], [1, 0, 0, 0]]
    assert train[1].astype(int).tolist() == [[0, 0, 1, 0]] * 3  # tags only: never cropped
    assert train[2].astype(int).tolist() == [[0, 1, 0, 0]] * 3
    assert not train[3].any()
    assert (view_targets(targets, is_culture, num_views=3) == targets[:, None]).all()
    with pytest.raises(ValueError, match="'tags'"):
        view_targets(targets, is_culture, "tags")


@pytest.mark.parametrize("num_workers", [0, 2])
def test_channel_stats_equal_numpy_in_rgb(dataset, num_workers):
    whole = np.stack([np.asarray(squeeze(read_image(path))) for path in dataset.paths]) / 255
    mean, std = channel_stats(dataset, num_workers)
    assert mean.dtype == std.dtype == np.float64
    np.testing.assert_allclose(mean, whole.mean((0, 1, 2)), rtol=1e-12)
    np.testing.assert_allclose(std, whole.std((0, 1, 2)), rtol=1e-12)


def test_the_fingerprint_changes_with_whatever_makes_other_views(collection):
    def make(train=True, **changes):
        return ViewDataset(**(collection | changes), train=train).fingerprint()

    known = [make()]
    assert make() == known[0]
    others = [
        {"seed": 1},
        {"size": 31},
        {"num_views": 5},
        {"train": False},
        {"ids": [f"{name}x" for name in collection["ids"]]},
        {"cropped": ~collection["cropped"]},
        {"paths": collection["paths"][::-1]},
    ]
    for changes in others:
        known.append(make(**changes))
        assert known[-1] not in known[:-1]
    assert make(train=False, cropped=[True] * 7) == make(train=False)  # it crops all anyway
    path = collection["paths"][3]
    before = path.stat()
    noise(43, 41, seed=8).save(path)  # to a file of the same size
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert path.stat().st_size == before.st_size
    assert make() not in known


@pytest.fixture
def tables(tmp_path):
    """Four images: with culture and tag, with a tag alone, one of validation, one of test."""
    rows = {"a": "0 1", "b": "1", "c": "0", "d": "0"}
    tables = load_tables(write_collection(tmp_path, rows, ["culture::french", "tag::men"]))
    split = ["train", "train", "val", "test"]
    return replace(tables, images=tables.images.assign(split=split))


def test_data_sets_crop_and_augment_by_split(tables):
    datasets = open_datasets(tables, seed=4)
    found = {k: (data.ids, data.train, data.seed) for k, data in datasets.items()}
    assert found == {
        "train": (["a", "b"], True, 4), "val": (["c"], False, 4), "test": (["d"], False, 4),
    }  # fmt: skip
    assert datasets["train"].cropped.tolist() == [True, False]
    assert datasets["val"].paths == [str(tables.data_dir / "train" / "c.png")]
    tags = replace(tables, labels=tables.labels.assign(kind=["medium", "tag"]))
    assert split_dataset(tags, "train").cropped.tolist() == [True, True]  # no label is a culture


def test_checked_files_are_neither_looked_for_nor_hashed_again(tables, tmp_path):
    checked = load_collection(tmp_path, tmp_path / "out").tables
    images = checked.images.assign(split=tables.images["split"])
    save_tables(replace(checked, images=images), tmp_path / "saved")
    saved = read_tables(tmp_path / "saved", tmp_path)
    expected = split_dataset(tables, "train")
    before = expected.fingerprint(), expected.paths
    shutil.rmtree(tmp_path / "train")
    found = split_dataset(saved, "train")
    assert (found.fingerprint(), found.paths) == before


def itself(views):
    return {"views": views}


@pytest.fixture(params=[1, 3])
def num_threads(request):
    """Let torch use so many threads; afterwards as many as before."""
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield request.param
    torch.set_num_threads(before)


@pytest.mark.usefixtures("num_threads")
def test_threads_compute_the_items_in_order(dataset):
    parts = [range(1, 3), range(3, 7), [0]]
    found = [result["views"] for result in compute_views(dataset, parts, itself)]
    assert [views.shape for views in found] == [(6 * n, 3, 32, 32) for n in (2, 4, 1)]
    assert all(views.is_inference() for views in found)
    assert torch.equal(torch.cat(found), torch.cat([dataset[k] for k in (1, 2, 3, 4, 5, 6, 0)]))


def test_threads_are_as_many_afterwards_also_after_a_failure(dataset, num_threads):
    def fail(views):
        raise ValueError("too bad")

    with pytest.raises(ValueError, match="too bad"):
        list(compute_views(dataset, [[0], [1]], fail))
    assert torch.get_num_threads() == num_threads
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(torch.get_num_threads).result() == num_threads


@pytest.mark.parametrize("num_workers", [0, 64])
def test_views_made_on_the_device_are_those_of_the_items(dataset, num_workers):
    """What a GPU does, here on the CPU."""
    results = compute_on_device(dataset, [range(2), range(2, 7)], itself, num_workers, "cpu")
    made = torch.cat([result["views"] for result in results])
    expected = torch.cat([dataset[index] for index in range(7)])
    assert made.dtype == torch.uint8
    assert (made.int() - expected.int()).abs().max() <= 2  # rounded once and again


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="other systems start workers otherwise")
def test_workers_end_when_their_parent_is_killed():
    """They are about to send arrays of 12 MB, which no pipe takes when nobody reads."""
    command = [sys.executable, "-c", STUCK]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as parent:
        workers = [int(pid) for pid in parent.stdout.readline().split()]
        assert workers
        parent.kill()
    left = [worker for worker in workers if not has_ended(worker, within=20)]
    for worker in left:
        os.kill(worker, signal.SIGKILL)
    assert left == []
