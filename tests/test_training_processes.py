"""What several processes do together is what one does alone. They import the jobs from here."""

from unittest.mock import patch

import numpy as np
import pandas as pd
import pytest
import torch

from imet_utils.decoding import predict, search_views
from imet_utils.distributed import gather_items, process_index, run_in_processes
from imet_utils.features import FeatureBatches
from imet_utils.files import load_checkpoint
from imet_utils.models import AttnCnnRnn, AttnDecoder, MlpClassifier, order_free_loss
from imet_utils.training import TrainConfig, fit

NUM_CLASSES, DIM = 4, 8


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
    decoder = AttnDecoder(NUM_CLASSES, DIM, 4, 8, 0.0, residual=True, attend_by_labels=True)
    classifier = MlpClassifier({"pooled": DIM}, NUM_CLASSES, 8, dropout=0.0)
    return AttnCnnRnn(classifier, decoder)


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


@pytest.mark.slow
def test_two_processes_search_train_and_predict_as_one(tmp_path):
    folders = [tmp_path / "one", tmp_path / "two"]
    names = {"__name__": "__main__", "loss": order_free_loss}
    doubled = eval("lambda logits, targets: 2 * loss(logits, targets)", names)  # as of a notebook
    train(folders[0], doubled)
    run_in_processes(2, train, folders[1], doubled)
    histories = [pd.read_csv(folder / "history.csv") for folder in folders]
    pd.testing.assert_frame_equal(*histories, rtol=0, atol=1e-5)
    weights = [load_checkpoint(folder / "last.pt")["model"] for folder in folders]
    torch.testing.assert_close(*weights, rtol=0, atol=1e-5)
    one, two = (np.load(folder / "found.npz") for folder in folders)
    np.testing.assert_allclose(two["probs"], one["probs"], rtol=0, atol=1e-5)
    np.testing.assert_array_equal(two["labels"], one["labels"])


@pytest.mark.slow
def test_the_failure_of_one_process_is_told_and_ends_the_others(tmp_path):
    with pytest.raises(torch.multiprocessing.ProcessRaisedException, match="second process fails"):
        run_in_processes(2, fail_on_the_second, tmp_path)


def test_a_number_of_processes_that_cannot_be_is_refused(tmp_path):
    with pytest.raises(ValueError, match="NUM_PROCESSES is 0"):
        run_in_processes(0, fail_on_the_second, tmp_path)
