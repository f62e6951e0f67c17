"""Jobs that tests run in several processes; a new process imports them from here."""

from unittest.mock import patch

import numpy as np
import torch

from imet_utils.attncnn_rnn import AttnCnnRnn, MlpClassifier
from imet_utils.distributed import gather_items, own_range, process_index
from imet_utils.features import FeatureBatches, extract_features
from imet_utils.losses import order_free_loss, weighted_bce
from imet_utils.models import AttnDecoder, LinearClassifier
from imet_utils.prediction import predict, search_views
from imet_utils.runs import save_array, save_json
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
    return AttnCnnRnn(classifier, decoder, map_dropout=0.0)


def train(folder, name, num_images, **settings):
    """Train a model without dropout in float32, and write its history and predictions."""
    data, targets = make_data(num_images)
    torch.manual_seed(0)
    model, loss = make_rnn(), order_free_loss
    if name == "linear":
        model, loss = LinearClassifier(DIM, NUM_CLASSES), weighted_bce
        data.pop("maps")
    batches = FeatureBatches(data, targets, 8)
    val_batches = FeatureBatches(data, targets, 8, "all", shuffle=False)
    config = TrainConfig(**{"epochs": 3, "learning_rate": 0.01, "average_decay": 0.5} | settings)
    with patch("imet_utils.prediction.autocast_dtype", return_value=None):
        history = fit(model, batches, val_batches, loss, config, folder)
        probs = predict(model, val_batches).view_probs
    if process_index() == 0:
        history.to_csv(folder / "history.csv")
        save_array(probs, folder / "probs.npy")


def search(folder):
    """Write the paths of three images, of which a process of two has one or two."""
    data, _ = make_data(3)
    batches = FeatureBatches(data, None, 4, "all", shuffle=False)
    torch.manual_seed(0)
    paths = search_views(make_rnn(), batches, beam_size=2, max_steps=3)
    if process_index() == 0:
        save_array(paths.labels.numpy(), folder / "labels.npy")


def extract(folder, num_images):
    """Store numbers that can be worked out of the views of some images of the folder above."""
    ids = [str(number) for number in range(num_images)]
    paths = [folder.parent / f"{name}.png" for name in ids]
    dataset = ViewDataset(paths, ids, [True] * num_images, train=True, size=32, num_views=3)
    extract_features(dataset, channel_means, folder / ids[-1], {}, batch_size=3, num_workers=0)


def channel_means(images):
    """Stand in for an encoder."""
    floats = images.float() / 256
    return {"pooled": floats.mean((2, 3)), "maps": floats[:, :, ::16, ::16].flatten(2)}


def run_all(folder):
    """Run all of the jobs above; of 33 and 37 images the last batch of 8 has one and five."""
    write_gathered(folder)
    train(folder / "linear", "linear", 37)
    train(folder / "rnn", "rnn", 33)
    search(folder)
    extract(folder, 1)
    extract(folder, 5)
