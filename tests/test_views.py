import colorsys
import os
import pickle
import shutil
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from torch.utils.data import DataLoader
from torchvision.transforms import functional as reference

from imet_utils.features import view_targets
from imet_utils.tables import read_image, read_tables
from imet_utils.views import (
    ViewDataset,
    channel_stats,
    make_views,
    open_datasets,
    plan_views,
    split_dataset,
)
from imet_utils.views.dataset import LUMA, colour_matrix

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


def test_view_0_is_the_whole_image_and_the_others_are_crops_of_it():
    image = coordinates(90, 60)
    made = make_views(image, "a", crop=True, augment=False, size=32, num_views=40)
    assert made.shape == (40, 3, 32, 32)
    assert made.dtype == torch.uint8
    assert torch.equal(made[0], pixels(image.resize((32, 32), Image.Resampling.BILINEAR)))
    corners = made[1:, :2, 0, 0].int()  # (39, 2) left and top
    for view, (left, top) in zip(made[1:], corners.tolist(), strict=True):
        assert torch.equal(view, pixels(image)[:, top : top + 32, left : left + 32])
    assert corners.amin(0).tolist() < [10, 5]
    assert (corners.amax(0) > torch.tensor([48, 23])).all()  # of at most 58 and 28


def test_crop_reaches_all_places_and_no_others():
    made = make_views(coordinates(5, 4), "a", crop=True, augment=False, size=3, num_views=200)
    corners = {tuple(corner) for corner in made[1:, :2, 0, 0].tolist()}
    assert corners == {(left, top) for left in range(3) for top in range(2)}


@pytest.mark.parametrize(("width", "height"), [(20, 60), (60, 20), (1, 9), (20, 20)])
def test_short_side_is_scaled_up(width, height):
    image, side = coordinates(width, height), min(width, height)
    made = make_views(image, "a", crop=True, augment=False, size=32, num_views=6)
    squares = [
        image.crop((left, top, left + side, top + side)).resize((32, 32), Image.Resampling.BILINEAR)
        for left in range(width - side + 1)
        for top in range(height - side + 1)
    ]
    for view in made[1:]:
        assert any(torch.equal(view, pixels(square)) for square in squares)


def test_augmentation_flips_and_multiplies_by_the_matrix():
    image = noise(50, 50)
    made = make_views(image, "a", crop=False, augment=True, seed=3, size=50, num_views=12)
    plan = plan_views(image.size, "a", crop=False, augment=True, seed=3, size=50, views=range(12))
    for view, planned in zip(made, plan, strict=True):
        assert planned.box is None
        expected = reference.hflip(image) if planned.flip else image
        turned = np.asarray(expected) @ np.array(planned.colours).T
        error = view.permute(1, 2, 0).numpy() - turned.clip(0, 255)
        assert np.abs(error).max() <= 0.501
    assert 0 < sum(view.flip for view in plan) < 12


def test_saturation_is_that_of_torchvision():
    image = noise(20, 20)
    turned = np.asarray(image) @ np.array(colour_matrix(0, 0.95)).T
    expected = np.asarray(reference.adjust_saturation(image, 0.95))
    assert np.abs(turned - expected).max() < 1.5  # Pillow rounds twice


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


def test_a_third_of_a_turn_exchanges_the_channels():
    assert np.allclose(colour_matrix(1 / 3, 1.0), [[0, 0, 1], [1, 0, 0], [0, 1, 0]])
    assert np.allclose(colour_matrix(0, 0.0), [[0.299, 0.587, 0.114]] * 3)


def test_drawn_numbers_fill_their_ranges():
    size = {"crop": True, "augment": True, "size": 1, "views": range(1, 3)}
    views = [view for k in range(300) for view in plan_views((1000, 1000), f"id{k}", **size)]
    corners = np.array([view.box[:2] for view in views])  # left and top
    assert corners.min() < 20 <= 980 < corners.max() < 1000
    flips = np.array([view.flip for view in views])
    assert 0.42 < flips.mean() < 0.58
    colours = np.array([view.colours for view in views])
    saturations = np.sqrt(np.linalg.det(colours))[:, None, None]  # turning has determinant 1
    turns = np.linalg.solve(saturations * np.eye(3) + (1 - saturations) * LUMA, colours)
    hues = np.arcsin((turns[:, 0, 2] - turns[:, 0, 1]) * np.sqrt(3) / 2) / (2 * np.pi)
    assert 0.95 <= saturations.min() < 0.951
    assert 1.049 < saturations.max() <= 1.05
    assert -0.05 <= hues.min() < -0.049
    assert 0.049 < hues.max() <= 0.05
    columns = np.stack([*corners.T, flips, hues, saturations.ravel()])
    assert np.abs(np.corrcoef(columns) - np.eye(5)).max() < 0.15


def test_training_images_are_augmented_and_cropped_only_with_a_culture(collection):
    train, val = (ViewDataset(**collection, train=train) for train in (True, False))
    for index, has_culture in enumerate(collection["has_culture"]):
        plan, plain = (data.plan(index, (40, 50)) for data in (train, val))
        assert [view.box for view in plain][:1] == [None]
        assert None not in [view.box for view in plain][1:]
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
    for workers in (1, 2):
        loaded = DataLoader(data, batch_size=2, num_workers=workers)
        assert torch.equal(torch.cat(list(loaded)), torch.stack(items))
    tail = {k: v if k == "size" else v[3:] for k, v in collection.items()}
    assert torch.equal(ViewDataset(**tail, train=True, seed=5)[0], items[3])
    fewer = ViewDataset(**collection, train=True, seed=5, num_views=2)
    assert torch.equal(fewer[0], items[0][:2])
    assert not torch.equal(ViewDataset(**collection, train=True, seed=6)[0], items[0])
    renamed = collection | {"ids": [f"other{k}" for k in range(7)]}
    assert not torch.equal(ViewDataset(**renamed, train=True, seed=5)[0], items[0])
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
def test_channel_stats_equal_numpy(collection):
    data = ViewDataset(**collection, train=True)
    whole = np.stack([np.asarray(read_image(path).resize((32, 32), 2)) for path in data.paths])
    for workers in (0, 2):
        mean, std = channel_stats(data, num_workers=workers)
        assert mean.dtype == std.dtype == np.float64
        np.testing.assert_allclose(mean, (whole / 255).mean((0, 1, 2)), rtol=1e-12)
        np.testing.assert_allclose(std, (whole / 255).std((0, 1, 2)), rtol=1e-12)


def test_channel_stats_are_rgb(tmp_path):
    Image.new("RGB", (9, 9), "red").save(tmp_path / "red.png")
    mean, std = channel_stats(ViewDataset([tmp_path / "red.png"], ["a"], [True], train=True))
    assert mean.tolist() == [1, 0, 0]
    assert std.tolist() == [0, 0, 0]


def test_fingerprint_tells_apart_what_makes_other_views(collection):
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


def test_fingerprint_tells_files_apart_by_their_contents(tmp_path):
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
    """Three images: with culture and tag, with a tag alone, and one of validation."""
    for folder in ("train", "test"):
        (tmp_path / folder).mkdir()
        for name in "abc":
            noise(240, 300, seed=ord(name)).save(tmp_path / folder / f"{name}.png")
    (tmp_path / "labels.csv").write_text(
        "attribute_id,attribute_name\n7,culture::french\n9,tag::men\n"
    )
    (tmp_path / "images.csv").write_text(
        "id,attribute_ids,split\na,7 9,train\nb,9,train\nc,7,val\n"
    )
    return read_tables(tmp_path, tmp_path)


def test_split_dataset_crops_and_augments_by_split(tables):
    train, val = split_dataset(tables, "train", seed=3), split_dataset(tables, "val")
    assert train.ids == ["a", "b"]
    assert train.has_culture.tolist() == [True, False]
    assert (train.train, train.seed, val.train) == (True, 3, False)
    assert val.paths == [str(tables.data_dir / "train" / "c.png")]


def test_images_themselves_have_the_views_of_their_files(tables):
    files = split_dataset(tables, "train").paths
    pair = [ViewDataset(of, ["a", "b"], [1, 1], train=False) for of in (files, map(read, files))]
    assert torch.equal(pair[0][1], pair[1][1])


def read(path):
    """Open an image and read all of it."""
    with Image.open(path) as image:
        image.load()
        return image


def test_the_data_sets_of_all_splits(tables):
    images = pd.concat([tables.images, tables.images[-1:].assign(id="d", split="test")])
    shutil.copy(tables.data_dir / "train/c.png", tables.data_dir / "train/d.png")
    tables = replace(tables, images=images.reset_index(drop=True))
    datasets = open_datasets(tables, seed=4)
    assert {split: data.ids for split, data in datasets.items()} == {
        "train": ["a", "b"],
        "val": ["c"],
        "test": ["d"],
    }
    assert {data.seed for data in datasets.values()} == {4}
