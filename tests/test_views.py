"""The views of an image: planned, made by Pillow or on a device; what is computed of them."""

import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from unittest.mock import Mock

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


def squeeze(image, size=32):
    return image.resize((size, size), Image.Resampling.BILINEAR)


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


@pytest.mark.parametrize(
    ("size", "width", "height"), [(32, 90, 60), (3, 5, 4), (32, 20, 60), (32, 1, 9), (32, 20, 20)]
)
def test_view_0_is_the_whole_image_and_the_others_are_its_crops_scaled_up(size, width, height):
    image, side = noise(width, height), min(size, width, height)
    corners = [(x, y) for x in range(width - side + 1) for y in range(height - side + 1)]
    crops = [image.crop((x, y, x + side, y + side)) for x, y in corners]
    allowed = {squeeze(crop, size).tobytes() for crop in crops}
    plan = plan_views(image.size, "a", crop=True, augment=False, size=size, views=range(100))
    made = make_views(image, plan, size)
    whole, *views = [view.permute(1, 2, 0).numpy().tobytes() for view in made]
    assert whole == squeeze(image, size).tobytes()
    assert {*views} == allowed if len(crops) < 10 else {*views} <= allowed


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


def test_drawn_numbers_fill_their_ranges(monkeypatch):
    monkeypatch.setattr("imet_utils.views.colour_matrix", lambda *drawn: drawn)
    settings = {"crop": True, "augment": True, "size": 1, "views": range(1, 3)}
    views = [view for k in range(300) for view in plan_views((1000, 1000), f"id{k}", **settings)]
    drawn = np.array([[*view.box[:2], view.flip, *view.colours] for view in views]).T  # (5, 600)
    ends = np.array([[0, 999], [0, 999], [0, 1], [-0.05, 0.05], [0.95, 1.05]])
    shares = (drawn - ends[:, :1]) / np.diff(ends)
    assert 0 <= shares.min() <= shares.min(axis=1).max() < 0.02
    assert 0.98 < shares.max(axis=1).min() <= shares.max() <= 1
    assert np.abs(shares.mean(axis=1) - 0.5).max() < 0.08
    assert np.abs(np.corrcoef(shares) - np.eye(5)).max() < 0.15


@pytest.mark.parametrize("augment", [False, True])
@pytest.mark.parametrize("crop", [False, True])
def test_views_of_a_device_are_those_of_pillow(crop, augment):
    images = [noise(*size) for size in [(90, 60), (64, 64), (40, 30), (20, 70)]]
    plans = [plan_views(image.size, "a", crop, augment, seed=4, size=48) for image in images]
    expected = torch.stack([make_views(*pair, 48) for pair in zip(images, plans, strict=True)])
    made = make_device_views([torch.from_numpy(np.array(image)) for image in images], plans, 48)
    assert made.dtype == torch.uint8
    errors = (made.int() - expected.int()).abs()
    assert errors.shape == (4, 6, 3, 48, 48)
    assert errors.max() <= 1 + augment  # rounded once and again
    assert errors.float().mean() < 0.1
    if crop and not augment:
        assert not errors[:2, 1:].any()  # of crops that are not scaled up


def test_training_images_are_augmented_and_cropped_only_with_a_culture(collection):
    train, val = (ViewDataset(**collection, train=train) for train in (True, False))
    for index, cropped in enumerate(collection["cropped"]):
        (image, plan), (_, plain) = train.read(index), val.read(index)
        whole, boxes = (0, 0, *image.size), [view.box for view in plain]
        assert [box == whole for box in boxes] == [True] + 5 * [False]
        assert [view.box for view in plan] == (boxes if cropped else [whole] * 6)  # the same crops
        assert all(view.colours is None and not view.flip for view in plain)
        assert all(view.colours is not None for view in plan)


def test_randomness_depends_on_seed_id_and_view_only(collection, dataset):
    items = [dataset[index] for index in range(7)]
    assert all(torch.equal(dataset[index], items[index]) for index in reversed(range(7)))
    tail = {k: v if k == "size" else v[3:] for k, v in collection.items()}
    assert torch.equal(ViewDataset(**tail, train=True, seed=5)[0], items[3])
    assert torch.equal(replace(dataset, num_views=2)[0], items[0][:2])
    assert torch.equal(make_views(*dataset.read(0, [4, 1]), 32), items[0][[4, 1]])
    for changes in ({"seed": 6}, {"ids": [f"other{k}" for k in range(7)]}):
        assert not torch.equal(replace(dataset, **changes)[0], items[0])
    images = [read_image(path) for path in collection["paths"]]
    assert torch.equal(replace(dataset, paths=images)[1], items[1])


def test_view_targets_by_hand():
    is_culture = np.array([True, True, False, False])
    targets = np.array([[1, 0, 1, 1], [0, 0, 1, 0], [0, 1, 0, 0], [0, 0, 0, 0]], dtype=bool)
    train = view_targets(targets, is_culture, "culture", num_views=3)
    assert train[0].tolist() == [[1, 0, 1, 1], [1, 0, 0, 0], [1, 0, 0, 0]]
    assert (train[1:] == targets[1:, None]).all()  # tags only: never cropped
    assert (view_targets(targets, is_culture, num_views=3) == targets[:, None]).all()
    with pytest.raises(ValueError, match="'tags'"):
        view_targets(targets, is_culture, "tags")


def test_channel_stats_equal_numpy_in_rgb(dataset):
    whole = np.stack([np.asarray(squeeze(read_image(path))) for path in dataset.paths]) / 255
    mean, std = channel_stats(dataset)
    np.testing.assert_allclose(mean, whole.mean((0, 1, 2)), rtol=1e-12)
    np.testing.assert_allclose(std, whole.std((0, 1, 2)), rtol=1e-12)


def test_the_fingerprint_changes_with_whatever_makes_other_views(collection):
    def make(train=True, **changes):
        return ViewDataset(**(collection | changes), train=train).fingerprint()

    assert make() == make()
    assert make(train=False, cropped=[True] * 7) == make(train=False)  # it crops all anyway
    others = {"seed": 1, "size": 31, "num_views": 5, "train": False}
    others |= {name: collection[name][::-1] for name in ("ids", "paths")}
    others["cropped"] = ~collection["cropped"]
    known = [make(), *(make(**{name: value}) for name, value in others.items())]
    path = collection["paths"][3]
    before = path.stat()
    noise(43, 41, seed=8).save(path)  # to a file of the same size
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert path.stat().st_size == before.st_size
    assert len({*map(str, known), str(make())}) == len(known) + 1


def test_data_sets_crop_and_augment_by_split_and_trust_checked_files(tmp_path):
    write_collection(tmp_path, {"a": "0 1", "b": "1", "c": "0", "d": "0"}, ["culture::a", "tag::b"])
    splits = ["train", "train", "val", "test"]
    tables, checked = (
        replace(some, images=some.images.assign(split=splits))
        for some in (load_tables(tmp_path), load_collection(tmp_path, tmp_path / "out").tables)
    )
    datasets = open_datasets(tables, seed=4)
    found = [(data.ids, data.train, data.seed) for data in datasets.values()]
    assert found == [(["a", "b"], True, 4), (["c"], False, 4), (["d"], False, 4)]
    assert datasets["train"].cropped.tolist() == [True, False]
    assert datasets["val"].paths == [str(tmp_path / "train/c.png")]
    tags = replace(tables, labels=tables.labels.assign(kind=["medium", "tag"]))
    assert split_dataset(tags, "train").cropped.tolist() == [True, True]  # no label is a culture
    save_tables(checked, tmp_path / "saved")
    before = datasets["test"].fingerprint(), datasets["test"].paths
    shutil.rmtree(tmp_path / "train")
    saved = open_datasets(read_tables(tmp_path / "saved", tmp_path), seed=4)["test"]
    assert (saved.fingerprint(), saved.paths) == before  # neither looked for nor hashed again


@pytest.mark.parametrize("num_threads", [1, 3])
def test_threads_compute_in_order_and_are_as_many_afterwards(dataset, num_threads):
    before = torch.get_num_threads()
    torch.set_num_threads(num_threads)
    try:
        parts = [range(1, 3), range(3, 7), [0]]
        found = [*compute_views(dataset, parts, torch.clone)]
        with pytest.raises(ValueError, match="too bad"):
            list(compute_views(dataset, parts, Mock(side_effect=ValueError("too bad"))))
        with ThreadPoolExecutor(1) as pool:
            assert pool.submit(torch.get_num_threads).result() == num_threads
        assert torch.get_num_threads() == num_threads
    finally:
        torch.set_num_threads(before)
    assert [views.shape for views in found] == [(6 * n, 3, 32, 32) for n in (2, 4, 1)]
    assert all(views.is_inference() for views in found)
    assert torch.equal(torch.cat(found), torch.cat([dataset[k] for k in (1, 2, 3, 4, 5, 6, 0)]))


def test_views_made_on_the_device_are_those_of_the_items(dataset):
    """What a GPU does, here on the CPU."""
    made = torch.cat([*compute_on_device(dataset, [[0, 1, 0], range(2, 7)], torch.clone, 2, "cpu")])
    expected = torch.cat([dataset[index] for index in (0, 1, 0, *range(2, 7))])
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
    assert all(has_ended(worker, within=20) for worker in workers)
