"""What a GPU does is what a CPU does: extraction, batches, training, beam search."""

from functools import partial

import numpy as np
import pandas as pd
import pytest
import torch
from accelerate.state import AcceleratorState
from small_data import write_noise
from test_training_processes import make_data, make_rnn

from imet_utils.decoding import predict, search_views
from imet_utils.encoders import build_encoder, encode_images
from imet_utils.features import FeatureBatches, batches, extract_features
from imet_utils.models import order_free_loss
from imet_utils.training import TrainConfig, fit
from imet_utils.views import ViewDataset

pytestmark = pytest.mark.gpu
DEVICES = ["cpu", "cuda"]


def train(device, folder, num_images=37):
    """Train an RNN without dropout; return its history, predictions and paths."""
    AcceleratorState._reset_state(reset_partial_state=True)
    data, targets = make_data(num_images)
    torch.manual_seed(0)
    model = make_rnn()
    some = FeatureBatches(data, targets, 8, device=device)
    unseen = FeatureBatches(data, None, 8, "all", shuffle=False, device=device)
    config = TrainConfig(epochs=3, learning_rate=0.01)
    history = fit(model, some, None, order_free_loss, config, folder / device)
    paths = search_views(model, unseen, beam_size=2, max_steps=3)
    return history, predict(model, unseen), paths, unseen.placed


@pytest.mark.parametrize("reads_ahead", [False, True])
def test_training_and_search_equal_those_on_a_cpu(tmp_path, float32, monkeypatch, reads_ahead):
    if reads_ahead:  # and holds nothing on the device
        monkeypatch.setattr(batches, "device_budget", lambda device: 0)
    results = [train(name, tmp_path) for name in DEVICES]
    (history, probs, paths, _), (other, found, beams, placed) = results
    assert ("maps" in placed) != reads_ahead
    pd.testing.assert_frame_equal(history, other, rtol=1e-3)
    assert history["train_loss"].iloc[-1] < history["train_loss"].iloc[0]
    np.testing.assert_allclose(found, probs, rtol=0, atol=1e-3)
    assert torch.equal(beams.labels[:, 0], paths.labels[:, 0])
    torch.testing.assert_close(beams.path_probs, paths.path_probs, rtol=0, atol=1e-3)


def test_extraction_from_files_equals_that_on_a_cpu(tmp_path, float32):
    """A GPU scales the images by itself (error 0.003), and convolves in TF32."""
    paths = write_noise(tmp_path, range(5), (90, 70))
    dataset = ViewDataset(paths, "abcde", [True] * 5, True, 0, 64, 3)
    encoder = build_encoder("efficientnet_lite0", image_size=64)
    one, two = (
        extract_features(
            dataset,
            partial(encode_images, encoder.to(device)),
            tmp_path / device / "all/lite0",
            {},
            device=device,
        )
        for device in DEVICES
    )
    assert one.keys() == two.keys() == {"maps", "pooled", "style"}
    for name, values in one.items():
        error = np.abs(two[name].astype(float) - values).mean()
        assert error < 0.04 * values.astype(float).std(axis=(0, 1)).mean(), name
