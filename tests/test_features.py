import functools
import json
import os
import shutil
import tracemalloc

import numpy as np
import pytest
import torch
from PIL import Image

from imet_utils.encoders import build_encoder, encode_images
from imet_utils.features import FeatureBatches, extract_features, open_features
from imet_utils.views import ViewDataset

# Python 3.12 warns whenever a process with threads forks; torch's loader does so on Linux.
FORK = "ignore:This process .* is multi-threaded:DeprecationWarning"


@pytest.fixture
def dataset(tmp_path):
    """Five images of 40 pixels, three views each."""
    paths = [tmp_path / "images" / f"{k}.png" for k in range(5)]
    paths[0].parent.mkdir()
    rng = np.random.default_rng(0)
    for path in paths:
        Image.fromarray(rng.integers(0, 256, (40, 40, 3), dtype=np.uint8)).save(path)
    ids = [path.stem for path in paths]
    return ViewDataset(paths, ids, [True] * 5, train=True, size=32, num_views=3)


def channel_means(images):
    """Stand in for an encoder: exact numbers, easy to work out again."""
    floats = images.float() / 256
    return {"pooled": floats.mean((2, 3)), "maps": floats[:, :, ::16, ::16].flatten(2)}


def extract(dataset, folder, fingerprint=None, compute=channel_means, **settings):
    settings = {"num_workers": 0, "batch_size": 6} | settings
    return extract_features(dataset, compute, folder, fingerprint or {"a": 1}, **settings)


def not_called(images):
    raise AssertionError("computed although the store was there")


@pytest.mark.filterwarnings(FORK)
@pytest.mark.parametrize(
    "settings", [{}, {"batch_size": 1}, {"num_workers": 2}, {"batch_size": 99}]
)
def test_store_equals_features_of_the_views(dataset, tmp_path, settings):
    arrays = extract(dataset, tmp_path / "sub" / "store", **settings)
    expected = [channel_means(dataset[index]) for index in range(5)]
    assert set(arrays) == {"pooled", "maps"}
    for name, values in arrays.items():
        assert values.dtype == np.float16
        assert np.array_equal(values, torch.stack([e[name] for e in expected]).half().numpy())
    assert arrays["maps"].shape == (5, 3, 3, 4)
    assert isinstance(arrays["maps"], np.memmap)
    with pytest.raises(ValueError, match="read-only"):
        arrays["maps"][0] = 0
    files = sorted(path.name for path in (tmp_path / "sub").rglob("*"))
    assert files == ["fingerprint.json", "maps.npy", "pooled.npy", "store"]


@pytest.mark.filterwarnings(FORK)
def test_more_workers_than_images(dataset, tmp_path):
    one = ViewDataset(dataset.paths[:1], ["0"], [True], train=True, size=32, num_views=3)
    arrays = extract(one, tmp_path / "store", num_workers=2)
    assert np.array_equal(arrays["pooled"][0], channel_means(one[0])["pooled"].half().numpy())


def test_an_encoder_runs_over_the_views(dataset, tmp_path):
    encoder = build_encoder("efficientnet_lite0", weights="none")
    arrays = extract(dataset, tmp_path / "store", compute=functools.partial(encode_images, encoder))
    assert arrays["maps"].shape == (5, 3, 1, 1280)
    encoded = encode_images(encoder, dataset[3])
    assert np.abs(arrays["pooled"][3] - encoded["pooled"].numpy()).max() < 0.01


def test_same_fingerprint_opens_and_another_rebuilds(dataset, tmp_path):
    folder = tmp_path / "store"
    first = extract(dataset, folder, {"size": (32, 32), "encoder": "x"})
    again = extract(dataset, folder, {"encoder": "x", "size": [32, 32]}, compute=not_called)
    assert np.array_equal(first["maps"], again["maps"])
    doubled = extract(
        dataset, folder, {"encoder": "y"}, lambda im: {"m": 2 * channel_means(im)["maps"]}
    )
    assert set(doubled) == {"m"}  # nothing of the old store is left
    assert np.array_equal(doubled["m"], 2 * first["maps"])
    stored = json.loads((folder / "fingerprint.json").read_text())
    assert stored == {"encoder": "y", "views": dataset.fingerprint()}


def test_open_features_checks_what_the_store_is(dataset, tmp_path):
    with pytest.raises(FileNotFoundError, match="store"):
        open_features(tmp_path / "store")
    extract(dataset, tmp_path / "store", {"a": 1})
    assert set(open_features(tmp_path / "store", {"a": 1})) == {"maps", "pooled"}
    with pytest.raises(ValueError, match=r"made from \{'a': 1, .*\}, not from \{'a': 2\}"):
        open_features(tmp_path / "store", {"a": 2})


@pytest.mark.filterwarnings(FORK)
@pytest.mark.parametrize("workers", [0, 2])
def test_unreadable_image_is_named_and_the_old_store_stays(dataset, tmp_path, workers):
    old = np.array(extract(dataset, tmp_path / "store")["maps"])
    (tmp_path / "images" / "3.png").write_text("damaged")
    with pytest.raises(ValueError, match=r"3\.png"):
        extract(dataset, tmp_path / "store", {"a": 2}, num_workers=workers)
    assert np.array_equal(open_features(tmp_path / "store", {"a": 1})["maps"], old)
    assert not list(tmp_path.glob(".store*"))


def test_leftovers_of_dead_runs_are_removed_and_of_live_ones_not(dataset, tmp_path):
    dead = tmp_path / ".store.99999999.tmp"
    live = tmp_path / f".store.{os.getppid()}.tmp"
    for folder in (dead, live):
        folder.mkdir()
        (folder / "maps.npy").write_text("half")
    extract(dataset, tmp_path / "store")
    assert not dead.exists()
    assert (live / "maps.npy").exists()


def test_a_folder_of_something_else_is_not_touched(dataset, tmp_path):
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "mine.txt").write_text("dear")
    with pytest.raises(ValueError, match="not a feature store"):
        extract(dataset, tmp_path / "photos")
    assert (tmp_path / "photos" / "mine.txt").read_text() == "dear"


def test_a_full_disk_is_refused_with_figures(dataset, tmp_path, monkeypatch):
    disk = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: disk._replace(free=10**7))

    def large(images):
        return {"maps": torch.zeros(len(images), 1000, 1000)}

    with pytest.raises(OSError, match=r"need 0\.03 GB .* 0\.01 GB free"):
        extract(dataset, tmp_path / "store", compute=large)
    assert not (tmp_path / "store").exists()
    assert not list(tmp_path.glob(".store*"))


def test_what_float16_cannot_hold_is_refused(dataset, tmp_path):
    with pytest.raises(ValueError, match="'maps' are not finite"):
        extract(dataset, tmp_path / "store", compute=lambda im: {"maps": im.float() * 1e4})


def test_wrong_settings_are_refused(dataset, tmp_path):
    with pytest.raises(ValueError, match="got 0, 5 and 2"):
        extract(dataset, tmp_path, batch_size=0, num_workers=2)
    empty = ViewDataset([], [], [], train=False)
    with pytest.raises(ValueError, match="got 6, 0 and 0"):
        extract(empty, tmp_path)


@pytest.fixture
def store():
    """Seven images of three views; every value tells its image and view."""
    code = np.arange(7)[:, None] * 10 + np.arange(3)  # (N, V)
    arrays = {
        "pooled": np.repeat(code[..., None], 4, axis=2).astype(np.float16),
        "maps": np.tile(code[..., None, None], (1, 1, 2, 4)).astype(np.float16),
    }
    return arrays, code[..., None] % 2 == 0  # targets (N, V, 1)


def codes(batches):
    """Check that a pass keeps rows of all arrays together and return their codes in order."""
    found = []
    for batch in batches:
        pooled = batch["pooled"]
        assert pooled.dtype == batch["targets"].dtype == torch.float32
        assert (batch["maps"] == pooled[..., None, :]).all()
        assert torch.equal(batch["targets"], (pooled[..., :1] % 2 == 0).float())
        found += pooled[..., 0].int().tolist()
    return found


def test_all_views_in_order_of_the_store(store):
    batches = FeatureBatches(*store, batch_size=4, views="all", shuffle=False)
    assert codes(batches) == [10 * k + view for k in range(7) for view in range(3)]
    assert len(batches) == len(list(batches)) == 6
    assert batches.shape == (7, 3)
    assert np.array_equal(batches.image_targets, store[1][:, 0])


def test_all_views_shuffled_are_each_seen_once(store):
    batches = FeatureBatches(*store, batch_size=4, views="all", shuffle=True)
    found = codes(batches)
    assert found != sorted(found) == [10 * k + view for k in range(7) for view in range(3)]


def test_random_view_of_each_image_changes_by_epoch(store):
    batches = FeatureBatches(*store, batch_size=2, views="random", shuffle=True, seed=1)
    epochs = []
    for epoch in range(40):
        batches.set_epoch(epoch)
        epochs.append(codes(batches))
        assert sorted(code // 10 for code in epochs[-1]) == list(range(7))
    assert len(batches) == 4
    assert {code for found in epochs for code in found} == {
        10 * k + v for k in range(7) for v in range(3)
    }
    batches.set_epoch(3)
    assert codes(batches) == codes(batches) == epochs[3]  # by (seed, epoch) alone
    other = FeatureBatches(*store, batch_size=2, views="random", shuffle=True, seed=2)
    other.set_epoch(3)
    assert codes(other) != epochs[3]


def test_whole_images(store):
    batches = FeatureBatches(*store, batch_size=3, views="each", shuffle=False)
    assert codes(batches) == [[10 * k, 10 * k + 1, 10 * k + 2] for k in range(7)]
    assert next(iter(batches))["maps"].shape == (3, 3, 2, 4)


def test_the_whole_view_of_each_image(store):
    batches = FeatureBatches(*store, batch_size=3, views="whole", shuffle=False)
    assert codes(batches) == [10 * k for k in range(7)]


def test_batches_without_targets_and_wrong_ones(store):
    arrays, targets = store
    assert set(next(iter(FeatureBatches(arrays, None, shuffle=False)))) == {"pooled", "maps"}
    with pytest.raises(ValueError, match="no targets"):
        _ = FeatureBatches(arrays, None, shuffle=False).image_targets
    with pytest.raises(ValueError, match=r"\(N, V\).*\(7, 2, 1\)"):
        FeatureBatches(arrays, targets[:, :2], shuffle=False)
    with pytest.raises(ValueError, match="'some'"):
        FeatureBatches(arrays, targets, views="some", shuffle=False)


def test_memory_of_a_pass_is_bounded_by_the_batch(tmp_path):
    path = tmp_path / "maps.npy"
    np.save(path, np.zeros((400, 6, 4096), dtype=np.float16))  # 20 MB, 8 kB a view
    batches = FeatureBatches({"maps": np.load(path, mmap_mode="r")}, None, batch_size=8)
    tracemalloc.start()
    for _ in batches:
        pass
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1e6


def test_batches_of_some_images_are_those_of_all_restricted_to_them():
    numbers = np.arange(12, dtype=np.float16).reshape(6, 2)
    whole = FeatureBatches({"number": numbers}, numbers[..., None] > 5, 4, "all", shuffle=False)
    some = whole.of_images(np.array([4, 1]))
    assert some.shape == (2, 2)
    batches = list(some)
    assert torch.cat([batch["number"] for batch in batches]).tolist() == [8, 9, 2, 3]
    assert some.image_targets.tolist() == [[True], [False]]
    each = some.of_images(np.array([1]), views="each")
    assert next(iter(each))["number"].tolist() == [[2, 3]]
    shuffled = whole.of_images(np.array([4, 1]), views="random", shuffle=True)
    assert {int(n) // 2 for batch in shuffled for n in batch["number"]} == {4, 1}


@pytest.mark.parametrize("views", ["all", "random", "each"])
def test_processes_share_every_batch(store, views):
    whole = FeatureBatches(*store, batch_size=5, views=views, seed=3)
    alone = [batch["pooled"] for batch in whole]
    first, second = (list(whole.shares(process, 2)) for process in (0, 1))
    for batch, (one, share), (two, other) in zip(alone, first, second, strict=True):
        assert torch.equal(batch[0::2], one["pooled"])
        assert share == len(batch[0::2]) / len(batch)
        assert share + other == 1
        assert torch.equal(batch[1::2] if other else batch[:1], two["pooled"])


def test_a_process_without_a_row_gets_one_that_does_not_count(store):
    arrays = {name: values[:3] for name, values in store[0].items()}
    batches = FeatureBatches(arrays, store[1][:3], batch_size=2, shuffle=False)
    (_, half), (last, none) = batches.shares(1, 2)
    assert (half, none) == (0.5, 0.0)
    assert last["pooled"][0, 0] // 10 == 2
