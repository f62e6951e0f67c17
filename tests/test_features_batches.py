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
    options = {"batch_size": 2, "views": "random", "shuffle": True}
    batches = FeatureBatches(*store, **options, seed=1)
    epochs = []
    for epoch in range(40):
        batches.set_epoch(epoch)
        epochs.append(codes(batches))
        assert sorted(code // 10 for code in epochs[-1]) == list(range(7))
    seen = {code for found in epochs for code in found}
    assert seen == {10 * k + view for k in range(7) for view in range(3)}
    batches.set_epoch(3)
    assert codes(batches) == codes(batches) == epochs[3]  # by (seed, epoch) alone
    assert codes(FeatureBatches(*store, **options, seed=2)) != epochs[0]


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
    changes = [{}, {"targets": ~targets}, {"targets": None}, {"seed": 1}, {"views": "all"}]
    of = [FeatureBatches(arrays, **{"targets": targets} | change) for change in changes]
    prints = [batches.fingerprint() for batches in (*of, of[0].of_images(np.arange(6)))]
    assert all(one not in prints[:k] for k, one in enumerate(prints))
    assert FeatureBatches(arrays, targets.copy()).fingerprint() == prints[0]


@pytest.mark.parametrize("views", ["random", "all"])
@pytest.mark.parametrize(
    ("ends", "num_workers", "budget"),
    [([], 0, None), ([2, 5], 64, None), ([2, 5], 2, 0), ([], 0, 200), ([], 0, 525)],
)
def test_images_joined_arrays_and_those_on_a_device_give_the_batches_of_plain_arrays(
    store, tmp_path, monkeypatch, views, ends, num_workers, budget
):
    """A GPU's budget is in bytes: targets take 21, pooled features 168, maps 336."""
    arrays, targets = store
    parts = [
        ViewDataset([*paths], [path.stem for path in paths], [True] * len(paths), True, 0, 32, 3)
        for paths in np.split(write_noise(tmp_path, range(7)), ends)
    ]
    pixels = np.stack([part[k].numpy() for part in parts for k in range(len(part))])
    options = {"batch_size": 2, "views": views, "seed": 1}
    wanted = list(FeatureBatches({"images": pixels, **arrays}, targets, **options))
    streams = [ViewArray(part, num_workers) for part in parts]
    images = JoinedArray(streams) if ends else streams[0]
    arrays["maps"] = JoinedArray(np.split(arrays["maps"], [3, 5]))
    monkeypatch.setattr(module, "device_budget", lambda device: budget or 0)
    monkeypatch.setattr(module, "MOVED", 2)
    batches = FeatureBatches({"images": images, **arrays}, targets, **options)
    batches.reads_ahead = budget is not None
    list(batches.sample(2))
    assert not batches.placed  # a sample is not worth it
    on_device = {200: {"targets", "pooled"}, 525: {"targets", *arrays}}.get(budget, set())
    for _ in range(2):
        for batch, other in zip(batches, wanted, strict=True):
            assert [*batch] == [*other]
            assert batch["images"].dtype == torch.uint8
            assert all(map(torch.equal, batch.values(), other.values()))
        assert {*batches.placed} == on_device
        batches = batches.of_images(np.arange(7))
        batches.arrays |= dict.fromkeys(on_device)  # to be read no more
