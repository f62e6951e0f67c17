import threading
import tracemalloc

import numpy as np
import pytest
import torch
from small_data import write_noise

from imet_utils.features import FeatureBatches, JoinedArray
from imet_utils.features import batches as module
from imet_utils.views import ViewArray, ViewDataset


@pytest.fixture
def store():
    """Seven images of three views; every value tells its image and view."""
    code = np.arange(7)[:, None] * 10 + np.arange(3)  # (N, V)
    arrays = {
        "pooled": np.repeat(code[..., None], 4, axis=2).astype(np.float16),
        "maps": np.tile(code[..., None, None], (1, 1, 2, 4)).astype(np.float16),
    }
    return arrays, code[..., None] % 3 == 0  # targets (N, V, 1)


def codes(batches):
    """Check that a pass keeps rows of all arrays together and return their codes in order."""
    found = []
    for batch in batches:
        pooled = batch["pooled"]
        assert pooled.dtype == batch["targets"].dtype == torch.float32
        assert (batch["maps"] == pooled[..., None, :]).all()
        assert torch.equal(batch["targets"], (pooled[..., :1] % 3 == 0).float())
        found += pooled[..., 0].int().tolist()
    return found


@pytest.mark.parametrize("views", ["all", "whole"])
@pytest.mark.parametrize("images", [range(7), [4, 1, 6]])
def test_batches_have_all_views_or_the_whole_of_the_images_taken_in_order_or_shuffled(
    store, views, images
):
    whole = FeatureBatches(*store, batch_size=4, shuffle=False)
    batches = whole.of_images(np.array(images), views)
    wanted = [10 * k + view for k in images for view in range(3 if views == "all" else 1)]
    assert codes(batches) == wanted
    assert len(batches) == len(list(batches)) == -(-len(wanted) // 4)
    assert batches.shape == (len(images), 3)
    assert np.array_equal(batches.image_targets, store[1][images, 0])
    shuffled = codes(batches.of_images(np.arange(len(images)), shuffle=True))
    assert shuffled != wanted
    assert sorted(shuffled) == sorted(wanted)
    assert codes(batches.of_images(np.array([1]), views="whole")) == [10 * images[1]]


def test_random_view_of_each_image_changes_by_epoch(store):
    batches = FeatureBatches(*store, batch_size=2, views="random", shuffle=True, seed=1)
    epochs = []
    for epoch in range(40):
        batches.set_epoch(epoch)
        epochs.append(codes(batches))
        assert sorted(code // 10 for code in epochs[-1]) == list(range(7))
    assert len(batches) == 4
    seen = {code for found in epochs for code in found}
    assert seen == {10 * k + view for k in range(7) for view in range(3)}
    batches.set_epoch(3)
    assert codes(batches) == codes(batches) == epochs[3]  # by (seed, epoch) alone
    other = FeatureBatches(*store, batch_size=2, views="random", shuffle=True, seed=2)
    other.set_epoch(3)
    assert codes(other) != epochs[3]


def test_batches_without_targets_and_wrong_ones(store):
    arrays, targets = store
    assert set(next(iter(FeatureBatches(arrays, None, shuffle=False)))) == {"pooled", "maps"}
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


def test_fingerprint_tells_what_the_batches_are_drawn_from(store):
    arrays, targets = store
    prints = [
        FeatureBatches(arrays, targets).fingerprint(),
        FeatureBatches(arrays, ~targets).fingerprint(),
        FeatureBatches(arrays, None).fingerprint(),
        FeatureBatches(arrays, targets, seed=1).fingerprint(),
        FeatureBatches(arrays, targets, views="all").fingerprint(),
        FeatureBatches(arrays, targets).of_images(np.arange(6)).fingerprint(),
    ]
    assert all(one not in prints[:k] for k, one in enumerate(prints))
    assert FeatureBatches(arrays, targets.copy()).fingerprint() == prints[0]


@pytest.mark.parametrize("views", ["all", "random"])
def test_processes_share_every_batch(store, views):
    whole = FeatureBatches(*store, batch_size=5, views=views, seed=3)
    alone = [batch["pooled"] for batch in whole]
    first, second = (list(whole.shares(process, 2)) for process in (0, 1))
    for batch, (one, share), (two, other) in zip(alone, first, second, strict=True):
        assert torch.equal(batch[0::2], one["pooled"])
        assert share == len(batch[0::2]) / len(batch)
        assert share + other == 1
        assert torch.equal(batch[1::2] if other else batch[:1], two["pooled"])


def test_arrays_one_behind_the_other_are_read_as_one(store):
    maps = store[0]["maps"]
    joined = JoinedArray(np.split(maps, [3, 5]))
    for index in (slice(2, 6), np.array([6, 0]), (np.array([4, 0, 4]), np.array([2, 0, 1]))):
        np.testing.assert_array_equal(joined[index], maps[index])


@pytest.mark.parametrize("num_workers", [0, 2])
@pytest.mark.parametrize("views", ["random", "all"])
@pytest.mark.parametrize("ends", [[5], [2, 5]])
def test_batches_read_images_as_they_would_an_array(tmp_path, num_workers, views, ends):
    paths = write_noise(tmp_path, range(5))
    parts = [slice(*pair) for pair in zip([0, *ends], ends, strict=False)]
    datasets = [ViewDataset(paths[k], "abcde"[k], [True] * 5, True, 0, 32, 3) for k in parts]
    pixels = np.stack([part[k].numpy() for part in datasets for k in range(len(part))])
    stored = {"number": np.arange(15, dtype=np.float16).reshape(5, 3)}
    options = {"targets": None, "batch_size": 4, "views": views, "seed": 1}
    images = [ViewArray(part, num_workers) for part in datasets]
    streamed = {"images": images[0] if len(ends) == 1 else JoinedArray(images), **stored}
    found = list(FeatureBatches(streamed, **options))
    wanted = list(FeatureBatches({"images": pixels, **stored}, **options))
    for batch, other in zip(found, wanted, strict=True):
        assert batch["images"].dtype == torch.uint8
        assert torch.equal(batch["images"], other["images"])
        assert torch.equal(batch["number"], other["number"])


@pytest.mark.parametrize("budget", [0, 200, 525])  # bytes
@pytest.mark.parametrize("views", ["random", "all"])
def test_arrays_on_the_device_or_read_ahead_give_the_same_batches(
    store, tmp_path, monkeypatch, views, budget
):
    """As on a GPU: targets take 21 bytes, pooled features 168, maps 336."""
    arrays, targets = store
    images = ViewDataset(write_noise(tmp_path, range(7)), "abcdefg", [True] * 7, True, 0, 32, 3)
    options = {"batch_size": 2, "views": views, "seed": 1}
    wanted = list(FeatureBatches({"images": ViewArray(images), **arrays}, targets, **options))
    monkeypatch.setattr(module, "device_budget", lambda device: budget)
    monkeypatch.setattr(module, "MOVED", 2)
    arrays["maps"] = JoinedArray(np.split(arrays["maps"], [3, 5]))
    batches = FeatureBatches({"images": ViewArray(images), **arrays}, targets, **options)
    batches.reads_ahead = True
    list(batches.sample(2))
    assert not batches.placed  # a sample is not worth it
    for _ in range(2):
        for batch, other in zip(batches, wanted, strict=True):
            assert [*batch] == [*other]
            for values, expected in zip(batch.values(), other.values(), strict=True):
                torch.testing.assert_close(values, expected, rtol=0, atol=0)
        on_device = {0: set(), 200: {"targets", "pooled"}, 525: {"targets", *arrays}}[budget]
        assert {*batches.placed} == on_device
        batches = batches.of_images(np.arange(7))
        batches.arrays |= dict.fromkeys(on_device)  # to be read no more


class TornArray(np.ndarray):
    """An array whose image 5 cannot be read."""

    def __getitem__(self, index):
        if 5 in index[0]:
            raise OSError("image 5 cannot be read")
        return np.asarray(self)[index]


def test_the_reading_thread_passes_its_fault_on_and_ends_with_its_reader(store):
    arrays = {"pooled": store[0]["pooled"].view(TornArray)}
    batches = FeatureBatches(arrays, None, 2, "whole", shuffle=False)
    batches.reads_ahead = True
    others, reader = threading.enumerate(), iter(batches)
    next(reader)
    assert len(threading.enumerate()) == len(others) + 1
    del reader
    assert threading.enumerate() == others
    found = []
    with pytest.raises(OSError, match="image 5"):
        found.extend(batch["pooled"][:, 0].tolist() for batch in batches)
    assert found == [[0, 10], [20, 30]]
    assert threading.enumerate() == others
