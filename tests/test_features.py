import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch
from small_data import channel_means, noise, write_collection

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


def test_same_fingerprint_opens_and_another_rebuilds(dataset, tmp_path):
    folder = tmp_path / "train/store"
    with pytest.raises(FileNotFoundError):
        open_features(folder)
    first = extract(dataset, folder, {"size": (32, 32), "encoder": "x"})
    again = extract(dataset, folder, {"encoder": "x", "size": [32, 32]}, compute=None)
    assert np.array_equal(first["maps"], again["maps"])
    extract(dataset, folder, {"encoder": "y"}, lambda im: {"m": 2 * channel_means(im)["maps"]})
    doubled = open_features(folder, {"encoder": "y"})
    assert set(doubled) == {"m"}  # nothing of the old store is left
    assert np.array_equal(doubled["m"], 2 * first["maps"])
    with pytest.raises(ValueError, match=r"'encoder': 'y'.*'encoder': 'z'"):
        open_features(folder, {"encoder": "z"})


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
    store = tmp_path / "train/store"
    old = np.array(extract(dataset, store)["maps"])
    (store.parent / ".store.99999999.tmp").mkdir()  # of a run that was killed
    (tmp_path / "images" / "3.png").write_text("damaged")
    with pytest.raises(ValueError, match=r"3\.png"):
        extract(dataset, store, {"a": 2}, num_workers=workers)
    assert np.array_equal(open_features(store, {"a": 1})["maps"], old)
    assert [*store.parent.iterdir()] == [store]


def test_what_a_folder_float16_or_the_disk_cannot_hold_is_refused(dataset, tmp_path, monkeypatch):
    with pytest.raises(ValueError, match="not a feature store"):
        extract(dataset, tmp_path / "images")
    store, large = tmp_path / "train/store", torch.zeros(6, 1000, 1000)
    with pytest.raises(ValueError, match="'maps' are not finite"):
        extract(dataset, store, compute=lambda im: {"maps": im.float() * 1e4})
    disk = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: disk._replace(free=10**7))
    with pytest.raises(OSError, match=r"0\.03 GB .* 0\.01 GB"):
        extract(dataset, store, compute=lambda im: {"maps": large[: len(im)]})
    assert not [*store.parent.iterdir()]
    assert len([*(tmp_path / "images").iterdir()]) == 5


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
    "one that has no culture any more": (TRAIN | {"b": False}, VAL, 3, [1, 0]),
    "of validation, which is cropped anyway": (TRAIN, VAL | {"h": True}, 3, [0, 0]),
    "one gone, others in another order": (dict.fromkeys("fcbag", True), VAL, 3, [0, 0]),
    "one moved, augmented there": ({**TRAIN, "j": 1}, dict.fromkeys("hi", False), 3, [1, 0]),
    "one gone, one new, in twos": (dict.fromkeys("gabdfeh", True), VAL, 6, [3, 0]),
    "one gone, one new, all at once": (dict.fromkeys("gabdfeh", True), VAL, 99, [7, 0]),
}


@pytest.mark.parametrize("change", CHANGES)
def test_only_rows_that_changed_are_computed_and_all_are_those_of_a_fresh_store(tmp_path, change):
    """Of images in twos the last ones make a smaller batch, by which `Counted` rounds."""
    train, val, batch_size, num_images = CHANGES[change]
    extract_splits(tmp_path / "run", TRAIN, VAL, batch_size)
    counts, arrays = extract_splits(tmp_path / "run", train, val, batch_size)
    assert counts == [3 * number for number in num_images]
    fresh, expected = extract_splits(tmp_path / "fresh", train, val, batch_size)
    assert fresh == [3 * len(train), 3 * len(val)]
    assert all(map(np.array_equal, arrays, expected))


def test_a_changed_file_is_computed_anew(tmp_path):
    extract_splits(tmp_path / "run", TRAIN, VAL)
    shutil.copy(tmp_path / "images/a.png", tmp_path / "images/c.png")
    counts, arrays = extract_splits(tmp_path / "run", TRAIN, VAL)
    assert counts == [3, 0]
    assert np.array_equal(arrays[0], extract_splits(tmp_path / "fresh", TRAIN, VAL)[1][0])


@pytest.mark.parametrize(
    "change",
    [{"encoder": "y"}, {"seed": 1}, {"code": "edited"}, {"module": "encoders.encoder"}, {}],
)
def test_rows_of_another_encoder_seed_or_code_are_not_taken(dataset, tmp_path, monkeypatch, change):
    compute = Counted()
    for settings in ({}, change):
        now = {"encoder": "x", "seed": 0, "code": "before", "module": "hog"} | settings
        dataset.seed, modules = now["seed"], [f"imet_utils.{now['module']}"]
        monkeypatch.setattr(store, "code_digest", lambda *names, now=now: f"{now['code']} {names}")
        made_by = {"encoder": now["encoder"]}
        extract(dataset, tmp_path / "train/store", made_by, compute, modules=modules)
    assert compute.num_views == (30 if change else 15)


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
        assert all(np.array_equal(array, stores[split][name]) for name, array in arrays.items())
