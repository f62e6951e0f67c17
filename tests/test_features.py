import json
import os
import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch
from small_data import channel_means, noise, write_collection

from imet_utils import code
from imet_utils.encoders import build_encoder, encode_images
from imet_utils.features import (
    EncoderSettings,
    encode_collection,
    encoding,
    extract_features,
    open_features,
    store,
)
from imet_utils.tables import load_tables
from imet_utils.views import ViewDataset, open_datasets


def make_dataset(folder, cultures, train=True):
    """Make three views of each image by whether it has a culture; an image is drawn once."""
    folder.mkdir(exist_ok=True)
    paths = [folder / f"{name}.png" for name in cultures]
    for path in paths:
        if not path.exists():
            noise(seed=ord(path.stem)).save(path)
    return ViewDataset(paths, list(cultures), list(cultures.values()), train, size=32, num_views=3)


@pytest.fixture
def dataset(tmp_path):
    return make_dataset(tmp_path / "images", dict.fromkeys("01234", True))


def extract(dataset, folder, fingerprint=None, compute=channel_means, **settings):
    settings = {"num_workers": 0, "batch_size": 6} | settings
    return extract_features(dataset, compute, folder, fingerprint or {"a": 1}, **settings)


def not_called(images):
    raise AssertionError("computed although the store was there")


@pytest.mark.parametrize("settings", [{}, {"batch_size": 1}, {"num_workers": 2}])
def test_store_equals_features_of_the_views(dataset, tmp_path, settings):
    arrays = extract(dataset, tmp_path / "sub" / "store", **settings)
    expected = [channel_means(dataset[index]) for index in range(5)]
    assert set(arrays) == {"pooled", "maps"}
    for name, values in arrays.items():
        assert isinstance(values, np.memmap)
        assert not values.flags.writeable
        assert values.dtype == np.float16
        assert np.array_equal(values, torch.stack([e[name] for e in expected]).half().numpy())
    files = sorted(path.name for path in (tmp_path / "sub").rglob("*"))
    assert files == ["fingerprint.json", "maps.npy", "pooled.npy", "rows.txt", "store"]


def test_same_fingerprint_opens_and_another_rebuilds(dataset, tmp_path):
    folder = tmp_path / "train/store"
    with pytest.raises(FileNotFoundError):
        open_features(folder)
    first = extract(dataset, folder, {"size": (32, 32), "encoder": "x"})
    again = extract(dataset, folder, {"encoder": "x", "size": [32, 32]}, compute=not_called)
    assert np.array_equal(first["maps"], again["maps"])
    doubled = extract(
        dataset, folder, {"encoder": "y"}, lambda im: {"m": 2 * channel_means(im)["maps"]}
    )
    assert set(doubled) == {"m"}  # nothing of the old store is left
    assert np.array_equal(doubled["m"], 2 * first["maps"])
    stored = json.loads((folder / "fingerprint.json").read_text())
    digest = code.code_digest("imet_utils.features.store")
    assert stored == {"encoder": "y", "views": dataset.fingerprint(), "code": digest}
    assert set(open_features(folder, {"encoder": "y"})) == {"m"}
    with pytest.raises(ValueError, match=r"'encoder': 'y'.*'encoder': 'z'"):
        open_features(folder, {"encoder": "z"})


def test_an_edit_to_the_code_of_features_makes_them_anew(dataset, tmp_path, monkeypatch):
    compute = Counted()
    for digest, module, num_views in (
        ("before", "hog", 15),
        ("before", "hog", 15),
        ("edited", "hog", 30),
        ("edited", "encoders.encoder", 45),
    ):
        monkeypatch.setattr(store, "code_digest", lambda *names, now=digest: f"{now} {names}")
        modules = [f"imet_utils.{module}"]
        extract(dataset, tmp_path / "train/hog", compute=compute, modules=modules)
        assert compute.num_views == num_views


@pytest.mark.parametrize("shape", [(1,), (49, 80)])
def test_a_batch_of_stored_rows_is_that_of_a_plain_array(tmp_path, shape):
    values = np.random.default_rng(0).normal(size=(5, 3, *shape)).astype(np.float16)
    np.save(tmp_path / "maps.npy", values)
    (tmp_path / "fingerprint.json").write_text("{}")
    stored = open_features(tmp_path)["maps"]
    images, views = np.array([4, 0, 4, 4]), np.array([2, 0, 1, 2])
    assert np.array_equal(stored[images, views], values[images, views])
    assert type(stored[images, views]) is np.ndarray
    assert np.array_equal(stored[1:][images // 2, views], values[1:][images // 2, views])
    for index in (images, (images,), 3, slice(1, 3), (slice(None), 0), (2, 1)):
        assert np.array_equal(stored[index], values[index])


@pytest.mark.parametrize("workers", [0, 2])
def test_unreadable_image_is_named_and_the_old_store_stays(dataset, tmp_path, workers):
    old = np.array(extract(dataset, tmp_path / "train/store")["maps"])
    (tmp_path / "images" / "3.png").write_text("damaged")
    with pytest.raises(ValueError, match=r"3\.png"):
        extract(dataset, tmp_path / "train/store", {"a": 2}, num_workers=workers)
    assert np.array_equal(open_features(tmp_path / "train/store", {"a": 1})["maps"], old)
    assert not list(tmp_path.rglob(".store*"))


def test_leftovers_of_dead_runs_are_removed_and_nothing_else(dataset, tmp_path):
    dead = tmp_path / "train/.store.99999999.tmp"
    live = tmp_path / f"train/.store.{os.getppid()}.tmp"
    for folder in (dead, live):
        folder.mkdir(parents=True)
        (folder / "maps.npy").write_text("half")
    extract(dataset, tmp_path / "train/store")
    assert not dead.exists()
    with pytest.raises(ValueError, match="not a feature store"):
        extract(dataset, live)
    assert (live / "maps.npy").exists()


def test_what_the_disk_or_float16_cannot_hold_is_refused(dataset, tmp_path, monkeypatch):
    with pytest.raises(ValueError, match="'maps' are not finite"):
        extract(dataset, tmp_path / "train/store", compute=lambda im: {"maps": im.float() * 1e4})
    disk = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: disk._replace(free=10**7))
    large = torch.zeros(6, 1000, 1000)
    with pytest.raises(OSError, match=r"0\.03 GB .* 0\.01 GB"):
        extract(dataset, tmp_path / "train/store", compute=lambda im: {"maps": large[: len(im)]})
    assert not (tmp_path / "train/store").exists()
    assert not list(tmp_path.rglob(".store*"))


class Counted:
    """Stands in for an encoder that rounds by the size of a batch; counts the views it sees."""

    def __init__(self):
        self.num_views = 0

    def __call__(self, images):
        self.num_views += len(images)
        return {"pooled": channel_means(images)["pooled"] + len(images)}


def extract_splits(folder, train, val, batch_size=3):
    """Extract both splits; return the views that were computed of each, and the arrays."""
    counts, arrays = [], []
    for split, cultures in (("train", train), ("val", val)):
        dataset = make_dataset(folder.parent / "images", cultures, split == "train")
        compute = Counted()
        settings = {"compute": compute, "batch_size": batch_size}
        arrays.append(extract(dataset, folder / split / "store", **settings)["pooled"])
        counts.append(compute.num_views)
    return counts, arrays


TRAIN, VAL = dict.fromkeys("abcdefg", True), dict.fromkeys("hij", False)
CHANGES = {
    "a label without a culture": (TRAIN, VAL, 3, [0, 0]),
    "one that has no culture any more": (TRAIN | {"b": False}, VAL, 3, [1, 0]),
    "of validation, which is cropped anyway": (TRAIN, VAL | {"h": True}, 3, [0, 0]),
    "one gone, others in another order": (dict.fromkeys("fcbag", True), VAL, 3, [0, 0]),
    "one moved, augmented there": ({**TRAIN, "j": 1}, dict.fromkeys("hi", False), 3, [1, 0]),
    "one gone, one new, in twos": (dict.fromkeys("gabdfeh", True), VAL, 6, [3, 0]),
    "one gone, one new, in fours": (dict.fromkeys("gabdfeh", True), VAL, 12, [7, 0]),
    "one gone, one new, all at once": (dict.fromkeys("gabdfeh", True), VAL, 99, [7, 0]),
}


@pytest.mark.parametrize("change", CHANGES)
def test_only_rows_that_changed_are_computed_and_all_are_those_of_a_fresh_store(tmp_path, change):
    """Of images in twos or fours the last ones make a smaller batch, by which `Counted` rounds."""
    train, val, batch_size, num_images = CHANGES[change]
    extract_splits(tmp_path / "run", TRAIN, VAL, batch_size)
    counts, arrays = extract_splits(tmp_path / "run", train, val, batch_size)
    assert counts == [3 * number for number in num_images]
    fresh, expected = extract_splits(tmp_path / "fresh", train, val, batch_size)
    assert fresh == [3 * len(train), 3 * len(val)]
    for array, other in zip(arrays, expected, strict=True):
        np.testing.assert_array_equal(array, other)


def test_a_changed_file_and_a_new_one_are_computed_also_after_a_failure(tmp_path):
    extract_splits(tmp_path / "run", TRAIN, VAL)
    shutil.copy(tmp_path / "images/a.png", tmp_path / "images/c.png")
    train = {**TRAIN, "k": True}
    dataset = make_dataset(tmp_path / "images", train)
    with pytest.raises(AssertionError):
        extract(dataset, tmp_path / "run/train/store", compute=not_called, batch_size=3)
    counts, arrays = extract_splits(tmp_path / "run", train, VAL)
    assert counts == [6, 0]
    np.testing.assert_array_equal(arrays[0], extract_splits(tmp_path / "fresh", train, VAL)[1][0])


def test_rows_of_another_encoder_or_seed_are_not_taken(dataset, tmp_path):
    first, again = Counted(), Counted()
    extract(dataset, tmp_path / "train/store", {"encoder": "x"}, first)
    extract(dataset, tmp_path / "val/store", {"encoder": "y"}, again)
    dataset.seed = 1
    extract(dataset, tmp_path / "test/store", {"encoder": "x"}, again)
    assert again.num_views == 2 * first.num_views == 30


@pytest.fixture
def tables(tmp_path):
    """Two images for training, two for validation and one for the test."""
    tables = load_tables(write_collection(tmp_path, dict.fromkeys("01234", "0"), ["culture::x"]))
    split = ["train", "train", "val", "val", "test"]
    return replace(tables, images=tables.images.assign(split=split))


SETTINGS = EncoderSettings(weights="none", image_size=32, num_workers=0)


@pytest.mark.parametrize(("fraction", "has_maps"), [(1, True), (0.99, False)])
def test_maps_are_stored_only_if_all_of_them_fit(tables, tmp_path, fraction, has_maps):
    size = 5 * 6 * 1280 * 2 / 1e9  # images, views, positions and channels, bytes
    stores = encode_collection(tables, tmp_path, replace(SETTINGS, cache_gb=fraction * size))
    assert stores.keys() == {"train", "val", "test"}
    for arrays in stores.values():
        assert ("maps" in arrays) == has_maps
        assert {"pooled", "style"} < {*arrays, "maps"}


def test_a_store_is_made_anew_by_another_engine(tables, tmp_path, monkeypatch):
    wanted = np.array(encode_collection(tables, tmp_path, SETTINGS)["val"]["pooled"])
    monkeypatch.setattr(encoding, "choose_engine", lambda engine, *_: engine.removeprefix("torch"))
    monkeypatch.setattr(encoding, "compile_encoder", lambda *_: channel_means)
    for engine in ("openvino", "torch"):
        stores = encode_collection(tables, tmp_path, replace(SETTINGS, engine=engine))
        pooled = stores["val"]["pooled"]
        assert pooled.shape[2] == (3 if engine == "openvino" else 1280)
    np.testing.assert_array_equal(pooled, wanted)


@pytest.mark.slow
def test_encodes_on_one_process_or_two(tables, tmp_path):
    settings = replace(SETTINGS, statistics=([0.5, 0.4, 0.3], [0.2, 0.2, 0.2]))
    stores = encode_collection(tables, tmp_path / "one", settings)
    views = open_datasets(tables, size=32)["val"][1]
    encoder = build_encoder(settings.encoder, "none")
    for name, values in encode_images(encoder, views, *settings.statistics).items():
        # The encoder computes in bfloat16 where the device is fast at it.
        np.testing.assert_allclose(stores["val"][name][1], values.float(), atol=0.02, rtol=0.05)
    again = encode_collection(tables, tmp_path / "two", replace(settings, num_processes=2))
    for split, arrays in again.items():
        for name, array in arrays.items():
            np.testing.assert_array_equal(array, stores[split][name])
