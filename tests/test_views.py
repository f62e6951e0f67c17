"""The views of an image: planned, made by Pillow; data sets of them."""

import colorsys
import os
import pickle
import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image
from torch.utils.data import DataLoader
from torchvision.transforms import functional as reference

from imet_utils.features import view_targets
from imet_utils.tables import load_collection, read_image, read_tables, save_tables
from imet_utils.views import (
    LUMA,
    ViewDataset,
    channel_stats,
    colour_matrix,
    make_views,
    open_datasets,
    plan_views,
    split_dataset,
)

# Python 3.12 warns whenever a process with threads forks; torch's loader does so on Linux.
FORK = "ignore:This process .* is multi-threaded:DeprecationWarning"


def noise(width, height, seed=0):
    levels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(levels)


def coordinates(width, height):
    """An image whose red is the column and whose green is the row."""
    rows, columns = np.mgrid[:height, :width]
    return Image.fromarray(np.stack([columns, rows, 0 * rows], axis=-1).astype(np.uint8))


def pixels(image):
    return torch.from_numpy(np.array(image)).permute(2, 0, 1)  # (3, H, W)


def crops_of(image, size, num_views):
    """Make views without augmentation."""
    plan = plan_views(image.size, "a", True, augment=False, size=size, views=range(num_views))
    return make_views(image, plan, size)


@pytest.fixture
def collection(tmp_path):
    """Seven small images and what `ViewDataset` takes of them."""
    paths = [tmp_path / f"{k}.png" for k in range(7)]
    for k, path in enumerate(paths):
        noise(40 + k, 50 - 3 * k, seed=k).save(path)
    return {
        "paths": paths,
        "ids": [f"id{k}" for k in range(7)],
        "has_culture": np.arange(7) % 2 == 0,
        "size": 32,
    }


# --- views ---


def test_view_0_is_the_whole_image_and_the_others_are_crops_of_it():
    image = coordinates(90, 60)
    made = crops_of(image, 32, 40)
    assert made.shape == (40, 3, 32, 32)
    assert made.dtype == torch.uint8
    assert torch.equal(made[0], pixels(image.resize((32, 32), Image.Resampling.BILINEAR)))
    corners = made[1:, :2, 0, 0].int()  # (39, 2) left and top
    for view, (left, top) in zip(made[1:], corners.tolist(), strict=True):
        assert torch.equal(view, pixels(image)[:, top : top + 32, left : left + 32])
    small = crops_of(coordinates(5, 4), 3, 200)[1:, :2, 0, 0]
    assert {*map(tuple, small.tolist())} == {(x, y) for x in range(3) for y in range(2)}


@pytest.mark.parametrize(("width", "height"), [(20, 60), (60, 20), (1, 9), (20, 20)])
def test_short_side_is_scaled_up(width, height):
    image, side = coordinates(width, height), min(width, height)
    squares = [
        image.crop((left, top, left + side, top + side)).resize((32, 32), Image.Resampling.BILINEAR)
        for left in range(width - side + 1)
        for top in range(height - side + 1)
    ]
    for view in crops_of(image, 32, 6)[1:]:
        assert any(torch.equal(view, pixels(square)) for square in squares)


def test_augmentation_flips_and_multiplies_by_the_matrix():
    image = noise(50, 50)
    plan = plan_views(image.size, "a", crop=False, augment=True, seed=3, size=50, views=range(12))
    for view, planned in zip(make_views(image, plan, 50), plan, strict=True):
        assert planned.box is None
        expected = reference.hflip(image) if planned.flip else image
        coloured = np.asarray(expected) @ np.array(planned.colours).T
        error = view.permute(1, 2, 0).numpy() - coloured.clip(0, 255)
        assert np.abs(error).max() <= 0.501
    assert 0 < sum(view.flip for view in plan) < 12


def test_saturation_is_that_of_torchvision():
    image = noise(20, 20)
    made = np.asarray(image) @ np.array(colour_matrix(0, 0.95)).T
    expected = np.asarray(reference.adjust_saturation(image, 0.95))
    assert np.abs(made - expected).max() < 1.5  # Pillow rounds twice
    assert np.allclose(colour_matrix(0, 0.0), [LUMA] * 3)


@pytest.mark.parametrize("hue", [-0.05, 0.02, 0.05])
def test_hue_moves_as_in_hsv_and_greys_stay(hue):
    matrix = np.array(colour_matrix(hue, 1.0))
    np.testing.assert_allclose(matrix.sum(axis=1), 1)
    moved = []
    for colour in np.random.default_rng(0).uniform(0.2, 0.8, (500, 3)):
        before, after = (colorsys.rgb_to_hsv(*rgb)[0] for rgb in (colour, matrix @ colour))
        moved.append((after - before + 0.5) % 1 - 0.5)
    assert np.abs(np.array(moved) - hue).max() < 0.007
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
    assert 0.95 <= saturations.min() < 0.951
    assert 1.049 < saturations.max() <= 1.05
    assert -0.05 <= hues.min() < -0.049
    assert 0.049 < hues.max() <= 0.05
    columns = np.stack([*corners.T, flips, hues, saturations.ravel()])
    assert np.abs(np.corrcoef(columns) - np.eye(5)).max() < 0.15


# --- data sets ---


def test_training_images_are_augmented_and_cropped_only_with_a_culture(collection):
    train, val = (ViewDataset(**collection, train=train) for train in (True, False))
    for index, has_culture in enumerate(collection["has_culture"]):
        plan, plain = (data.plan(index, (40, 50)) for data in (train, val))
        assert [view.box is None for view in plain] == [True] + 5 * [False]
        assert all(view.colours is None and not view.flip for view in plain)
        boxes = [view.box for view in plain] if has_culture else [None] * 6
        assert [view.box for view in plan] == boxes  # the same crops, by the same seed
        assert all(view.colours for view in plan)
    assert (train[0] != val[0]).flatten(1).any(1).all()


@pytest.mark.filterwarnings(FORK)
def test_randomness_depends_on_seed_id_and_view_only(collection):
    data = ViewDataset(**collection, train=True, seed=5)
    items = [data[index] for index in range(7)]
    assert all(torch.equal(data[index], items[index]) for index in reversed(range(7)))
    loaded = DataLoader(data, batch_size=2, num_workers=2)
    assert torch.equal(torch.cat(list(loaded)), torch.stack(items))
    tail = {k: v if k == "size" else v[3:] for k, v in collection.items()}
    assert torch.equal(ViewDataset(**tail, train=True, seed=5)[0], items[3])
    fewer = ViewDataset(**collection, train=True, seed=5, num_views=2)
    assert torch.equal(fewer[0], items[0][:2])
    assert torch.equal(data.some_views(0, [4, 1]), items[0][[4, 1]])
    renamed = collection | {"ids": [f"other{k}" for k in range(7)]}
    for other in (
        ViewDataset(**collection, train=True, seed=6),
        ViewDataset(**renamed, train=True, seed=5),
    ):
        assert not torch.equal(other[0], items[0])
    assert torch.equal(pickle.loads(pickle.dumps(data))[2], items[2])  # noqa: S301  (as by spawn)


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


@pytest.mark.filterwarnings(FORK)
def test_channel_stats_equal_numpy_in_rgb(collection, tmp_path):
    data = ViewDataset(**collection, train=True)
    whole = np.stack([np.asarray(read_image(path).resize((32, 32), 2)) for path in data.paths])
    for workers in (0, 2):
        mean, std = channel_stats(data, num_workers=workers)
        assert mean.dtype == std.dtype == np.float64
        np.testing.assert_allclose(mean, (whole / 255).mean((0, 1, 2)), rtol=1e-12)
        np.testing.assert_allclose(std, (whole / 255).std((0, 1, 2)), rtol=1e-12)
    Image.new("RGB", (9, 9), "red").save(tmp_path / "red.png")
    mean, std = channel_stats(ViewDataset([tmp_path / "red.png"], ["a"], [True], train=True))
    assert (mean.tolist(), std.tolist()) == ([1, 0, 0], [0, 0, 0])


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
        {"has_culture": ~np.asarray(collection["has_culture"])},
        {"paths": collection["paths"][::-1]},
    ]
    for changes in others:
        known.append(make(**changes))
        assert known[-1] not in known[:-1]
    assert make(train=False, has_culture=[True] * 7) == make(train=False)  # it crops all anyway


def test_the_fingerprint_depends_on_the_contents_of_files(tmp_path):
    """Bitmaps of one size have files of one size."""
    path = tmp_path / "a.bmp"

    def make():
        return ViewDataset([path], ["a"], [True], train=True).fingerprint()

    noise(40, 50, seed=0).save(path)
    first, status = make(), path.stat()
    noise(40, 50, seed=1).save(path)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert path.stat().st_size == status.st_size
    assert make() != first
    noise(40, 50, seed=0).save(path)
    assert make() == first


@pytest.fixture
def tables(tmp_path):
    """Four images: with culture and tag, with a tag alone, one of validation, one of test."""
    (tmp_path / "train").mkdir()
    for name in "abcd":
        noise(240, 300, seed=ord(name)).save(tmp_path / "train" / f"{name}.png")
    (tmp_path / "labels.csv").write_text(
        "attribute_id,attribute_name\n7,culture::french\n9,tag::men\n"
    )
    rows = "id,attribute_ids,split\na,7 9,train\nb,9,train\nc,7,val\nd,7,test\n"
    (tmp_path / "images.csv").write_text(rows)
    (tmp_path / "train.csv").write_text(rows)
    return read_tables(tmp_path, tmp_path)


def test_data_sets_crop_and_augment_by_split(tables):
    datasets = open_datasets(tables, seed=4)
    assert {k: data.ids for k, data in datasets.items()} == {
        "train": ["a", "b"],
        "val": ["c"],
        "test": ["d"],
    }
    assert {k: data.train for k, data in datasets.items()} == {
        "train": True,
        "val": False,
        "test": False,
    }
    assert {data.seed for data in datasets.values()} == {4}
    assert datasets["train"].has_culture.tolist() == [True, False]
    assert datasets["val"].paths == [str(tables.data_dir / "train" / "c.png")]


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


def test_images_themselves_have_the_views_of_their_files(tables):
    files = split_dataset(tables, "train").paths
    images = [read_image(path) for path in files]
    pair = [ViewDataset(of, ["a", "b"], [1, 1], train=False) for of in (files, images)]
    assert torch.equal(pair[0][1], pair[1][1])
