import copy

import numpy as np
import pytest
import torch
from timm.models.resnet import BasicBlock, ResNet

from imet_utils.decoding import predict, search_views
from imet_utils.encoders import Encoder, encode_images, speed_up
from imet_utils.features import FeatureBatches
from imet_utils.models import EndToEnd, LinearClassifier, Rnn, order_free_loss, weighted_bce
from imet_utils.training import TrainConfig, Training, fit
from imet_utils.training.loop import training_fingerprint

NUM_IMAGES, NUM_VIEWS, NUM_CLASSES = 12, 2, 3
pytestmark = pytest.mark.usefixtures("float32")


@pytest.fixture
def images():
    """Noise, whose brightness decides the labels; (N, V, 3, H, W) uint8."""
    rng = np.random.default_rng(0)
    levels = rng.integers(20, 200, (NUM_IMAGES, 1, 3, 1, 1))
    return (levels + rng.integers(0, 56, (NUM_IMAGES, NUM_VIEWS, 3, 32, 32))).astype(np.uint8)


@pytest.fixture
def encoder():
    """Five small stages."""
    net = ResNet(BasicBlock, (1, 1, 1, 1), num_classes=0, stem_width=4, channels=(4, 5, 6, 7))
    encoder = Encoder("small", net, (0.5,) * 3, (0.25,) * 3, image_size=32)
    speed_up(encoder, torch.zeros(1, 3, 32, 32))
    return encoder


def _linear(encoder, unfrozen_stages=0):
    head = LinearClassifier(7, NUM_CLASSES)
    return EndToEnd(encoder, head, ["pooled"], unfrozen_stages)


def _batches(arrays, images, views="random"):
    return FeatureBatches(arrays, images.mean(axis=(3, 4)) > 128, 4, views, shuffle=views != "all")


def test_an_rnn_over_images_trains_and_predicts_as_over_a_store(encoder, images, tmp_path):
    before = [weights.clone() for weights in encoder.parameters()]
    encoded = encode_images(encoder.requires_grad_(False), torch.from_numpy(images).flatten(0, 1))
    stored = {k: v.unflatten(0, images.shape[:2]).numpy() for k, v in encoded.items()}
    hog = {"hog": np.random.default_rng(1).random((NUM_IMAGES, NUM_VIEWS, 4), np.float32)}
    dims = {"maps": 7, "pooled": 7, "style": encoder.style_dim, "hog": 4}
    head = Rnn(width=8, dropout=0.0, classifier_dropout=0.0).build(dims, NUM_CLASSES)
    model = EndToEnd(encoder, copy.deepcopy(head))
    assert not model.train().encoder.training
    found = []
    for network, arrays in ((model, {"images": images, **hog}), (head, stored | hog)):
        batches, in_order = _batches(arrays, images), _batches(arrays, images, "all")
        folder = tmp_path / str(len(found))
        history = fit(network, batches, in_order, order_free_loss, TrainConfig(3, 0.01), folder)
        paths = search_views(network, in_order, 2, 3)
        found.append([history.to_numpy(), predict(network, in_order), paths.labels.numpy()])
    for ours, wanted in zip(*found, strict=True):
        np.testing.assert_allclose(ours, wanted, atol=1e-4)
    assert all(map(torch.equal, encoder.parameters(), before))


def test_a_frozen_part_of_the_head_counts_and_the_frozen_encoder_does_not(encoder, images):
    model = _linear(encoder)
    model.head.requires_grad_(False)
    batches, found = _batches({"images": images}, images), []
    for change in (None, model.encoder, model.head):
        if change:
            next(change.parameters()).mul_(2)
        found.append(training_fingerprint(model, weighted_bce, batches, []))
    assert found[0] == found[1] != found[2]


@pytest.mark.parametrize(
    ("unfrozen", "moved"), [(0, []), (1, [4]), (2, [3, 4]), (-1, [0, 1, 2, 3, 4])]
)
def test_the_last_stages_are_trained_the_slower_the_earlier(encoder, images, unfrozen, moved):
    stages = [stage[0] for stage in encoder.stages()]
    before = [weights.clone() for weights in stages]
    model, config = _linear(encoder, unfrozen), TrainConfig(average_decay=0.5)
    training = Training(model, _batches({"images": images}, images), weighted_bce, config)
    groups = training.optimizer.param_groups
    rates = {weights: group["lr"] for group in groups for weights in group["params"]}
    trained = [*(rates[stages[k]] for k in moved), rates[model.head.fc.weight]]
    assert trained == sorted({*trained})
    assert trained[-1] == config.learning_rate
    assert len(rates) == 2 + sum(len(encoder.stages()[k]) for k in moved)
    training.run_epoch(0)
    assert [k for k in range(5) if not torch.equal(stages[k], before[k])] == moved


@pytest.mark.parametrize("unfrozen", [6, -2])
def test_stages_that_there_are_not_are_refused(encoder, unfrozen):
    with pytest.raises(ValueError, match=f"0 to 5 for small, got {unfrozen}"):
        _linear(encoder, unfrozen)
