"""What several processes do together is what one does alone. They import the jobs from here."""

from unittest.mock import patch

import numpy as np
import pandas as pd
import pytest
import torch
from small_data import channel_means, write_noise

from imet_utils.decoding import predict, search_views
from imet_utils.distributed import gather_items, own_range, process_index, run_in_processes
from imet_utils.features import FeatureBatches, extract_features
from imet_utils.files import load_checkpoint, load_json, save_json
from imet_utils.models import AttnCnnRnn, AttnDecoder, MlpClassifier, order_free_loss
from imet_utils.training import TrainConfig, fit
from imet_utils.views import ViewDataset

NUM_CLASSES, DIM = 4, 8


def write_gathered(folder):
    """Write which numbers each process had, gathered by each."""
    numbers = gather_items([process_index(), *own_range(5)])
    save_json(numbers, folder / f"{process_index()}.json")


def fail_on_the_second(folder):
    """Raise on process 1, while process 0 waits for it."""
    if process_index() == 1:
        raise ValueError("the second process fails")
    gather_items([0])


def make_data(num_images):
    """Maps and pooled features, of which the labels can be guessed, and targets (N, V, C)."""
    rng = np.random.default_rng(0)
    maps = rng.normal(size=(num_images, 3, 5, DIM)).astype(np.float16)
    pooled = maps.mean(axis=2)
    return {"maps": maps, "pooled": pooled}, pooled[..., :NUM_CLASSES] > 0


def make_rnn():
    """Make a small AttnCNN-RNN without dropout."""
    settings = {"dropout": 0.0, "residual": True, "attend_by_labels": True}
    decoder = AttnDecoder(NUM_CLASSES, DIM, 4, 8, **settings)
    classifier = MlpClassifier({"pooled": DIM}, NUM_CLASSES, 8, dropout=0.0)
    return AttnCnnRnn(classifier, decoder)


def write_loss():
    """Write a loss in a cell of a notebook, which no other process knows."""
    names = {"__name__": "__main__", "loss": order_free_loss}
    exec("def doubled(logits, targets):\n    return 2 * loss(logits, targets)", names)
    return names["doubled"]


def train(folder, loss):
    """Search by an RNN without dropout, train it in float32, and predict.

    Processes share batches of seven images unequally; of the last batch, of one, one has nothing.
    """
    data, targets = make_data(36)
    torch.manual_seed(0)
    model = make_rnn()
    batches = FeatureBatches(data, targets, 7)
    val_batches = FeatureBatches(data, targets, 7, "all", shuffle=False)
    config = TrainConfig(epochs=3, learning_rate=0.01, average_decay=0.5)
    labels = search_views(model, val_batches, beam_size=2, max_steps=3).labels
    with patch("imet_utils.encoders.encoder.autocast_dtype", return_value=None):
        fit(model, batches, val_batches, loss, config, folder)
        probs = predict(model, val_batches)
    if process_index() == 0:
        np.savez(folder / "found.npz", labels=labels.numpy(), probs=probs)


def extract(folder, num_images):
    """Store numbers that can be worked out of the views of some images of the folder above."""
    ids = [str(number) for number in range(num_images)]
    paths = [folder.parent / f"{name}.png" for name in ids]
    dataset = ViewDataset(paths, ids, [True] * num_images, train=True, size=32, num_views=3)
    store = folder / f"stores/{num_images}/means"
    extract_features(dataset, channel_means, store, {}, batch_size=3, num_workers=0)


def run_all(folder, loss):
    """Run all of the jobs above."""
    write_gathered(folder)
    train(folder / "rnn", loss)
    extract(folder, 1)
    extract(folder, 5)


@pytest.fixture(scope="module")
def folders(module_path):
    """What the same jobs leave when one process runs them, and when two do."""
    write_noise(module_path, range(5))
    one, two = module_path / "one", module_path / "two"
    run_all(one, write_loss())
    run_in_processes(2, run_all, two, write_loss())
    return one, two


@pytest.mark.slow
def test_processes_share_a_range_and_gather_in_order(folders):
    one, two = folders
    assert load_json(one / "0.json") == [0, 0, 1, 2, 3, 4]
    assert [load_json(two / f"{k}.json") for k in (0, 1)] == [[0, 0, 1, 1, 2, 3, 4]] * 2


@pytest.mark.slow
def test_two_processes_search_train_and_predict_as_one(folders):
    histories = [pd.read_csv(folder / "rnn/history.csv") for folder in folders]
    pd.testing.assert_frame_equal(*histories, rtol=0, atol=1e-5)
    weights = [load_checkpoint(folder / "rnn/last.pt")["model"] for folder in folders]
    torch.testing.assert_close(*weights, rtol=0, atol=1e-5)
    one, two = (np.load(folder / "rnn/found.npz") for folder in folders)
    np.testing.assert_allclose(two["probs"], one["probs"], rtol=0, atol=1e-5)
    np.testing.assert_array_equal(two["labels"], one["labels"])


@pytest.mark.slow
def test_two_processes_extract_as_one(folders):
    one, two = (
        {path.relative_to(folder): path for path in (folder / "stores").rglob("*.*")}
        for folder in folders
    )
    assert one.keys() == two.keys()
    assert {path.stem for path in one} >= {"maps", "pooled"}
    for name, path in one.items():
        assert path.read_bytes() == two[name].read_bytes()


@pytest.mark.slow
def test_the_failure_of_one_process_is_told_and_ends_the_others(tmp_path):
    with pytest.raises(torch.multiprocessing.ProcessRaisedException, match="second process fails"):
        run_in_processes(2, fail_on_the_second, tmp_path)


def test_a_number_of_processes_that_cannot_be_is_refused(tmp_path):
    with pytest.raises(ValueError, match="NUM_PROCESSES is 0"):
        run_in_processes(0, write_gathered, tmp_path)
