from functools import partial

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
    noise = rng.integers(0, 56, (NUM_IMAGES, NUM_VIEWS, 3, 32, 32))
    return (levels + noise).astype(np.uint8)


@pytest.fixture
def encoder():
    """Five small stages."""
    net = ResNet(BasicBlock, (1, 1, 1, 1), num_classes=0, stem_width=4, channels=(4, 5, 6, 7))
    encoder = Encoder("small", net, (0.5,) * 3, (0.25,) * 3, image_size=32)
    speed_up(encoder, torch.zeros(1, 3, 32, 32))
    return encoder


def _targets(images):
    return images.mean(axis=(3, 4)) > 128


def _linear(encoder, **options):
    torch.manual_seed(1)
    return EndToEnd(encoder, LinearClassifier(7, NUM_CLASSES), ["pooled"], **options)


def _train(model, arrays, targets, folder, **settings):
    batches = FeatureBatches(arrays, targets, 4)
    val_batches = FeatureBatches(arrays, targets, 4, "all", shuffle=False)
    config = TrainConfig(**{"epochs": 3, "learning_rate": 0.01, **settings})
    return fit(model, batches, val_batches, weighted_bce, config, folder)


@torch.no_grad()
def _store(encoder, images):
    encoded = encode_images(encoder, torch.from_numpy(images).flatten(0, 1))
    return {name: v.unflatten(0, images.shape[:2]).numpy() for name, v in encoded.items()}


def test_a_frozen_encoder_trains_the_head_as_a_store_does(encoder, images, tmp_path):
    before = [weights.clone() for weights in encoder.parameters()]
    streamed = _linear(encoder)
    history = _train(streamed, {"images": images}, _targets(images), tmp_path / "streamed")
    torch.manual_seed(1)
    head = LinearClassifier(7, NUM_CLASSES)
    pooled = {"pooled": _store(encoder, images)["pooled"]}
    wanted = _train(head, pooled, _targets(images), tmp_path / "stored")
    np.testing.assert_allclose(history, wanted, atol=1e-5)
    torch.testing.assert_close(streamed.head.state_dict(), head.state_dict())
    assert all(map(torch.equal, encoder.parameters(), before))


def test_a_frozen_part_of_the_head_counts_and_the_frozen_encoder_does_not(encoder, images):
    model = _linear(encoder)
    model.head.requires_grad_(False)
    batches, found = FeatureBatches({"images": images}, _targets(images), 4), []
    for change in (None, model.encoder, model.head):
        if change:
            next(change.parameters()).mul_(2)
        found.append(training_fingerprint(model, weighted_bce, batches, []))
    assert found[0] == found[1] != found[2]


@pytest.mark.parametrize(
    ("unfrozen", "moved"), [(0, []), (1, [4]), (2, [3, 4]), (-1, [0, 1, 2, 3, 4])]
)
def test_the_last_stages_are_trained(encoder, images, tmp_path, unfrozen, moved):
    before = [stage[0].clone() for stage in encoder.stages()]
    model = _linear(encoder, unfrozen_stages=unfrozen)
    _train(model, {"images": images}, _targets(images), tmp_path, epochs=1, average_decay=0.5)
    pairs = zip(encoder.stages(), before, strict=True)
    assert [k for k, (s, b) in enumerate(pairs) if not torch.equal(s[0], b)] == moved


def test_stages_learn_the_slower_the_earlier_they_are(encoder, images):
    model = _linear(encoder, unfrozen_stages=2)
    batches = FeatureBatches({"images": images}, None)
    groups = Training(model, batches, weighted_bce, TrainConfig()).optimizer.param_groups
    rates = {weights: group["lr"] for group in groups for weights in group["params"]}
    *frozen, early, late = encoder.stages()
    parts = (early[0], late[0], model.head.fc.weight)
    early, late, head = (rates[weights] for weights in parts)
    assert early < late < head == TrainConfig().learning_rate
    assert not any(weights in rates for stage in frozen for weights in stage)


@pytest.mark.parametrize("unfrozen", [6, -2])
def test_stages_that_there_are_not_are_refused(encoder, unfrozen):
    with pytest.raises(ValueError, match=f"0 to 5 for small, got {unfrozen}"):
        _linear(encoder, unfrozen_stages=unfrozen)


def test_the_rnn_over_images_predicts_and_searches_as_over_a_store(encoder, images):
    dims = {"maps": 7, "pooled": 7, "style": encoder.style_dim, "hog": 4}
    head = Rnn(width=8).build(dims, NUM_CLASSES)
    model = EndToEnd(encoder, head)
    assert not model.train().encoder.training
    hog = {"hog": np.random.default_rng(1).random((NUM_IMAGES, NUM_VIEWS, 4), np.float32)}
    batches = partial(FeatureBatches, targets=None, batch_size=5, views="all", shuffle=False)
    streamed, stored = batches({"images": images, **hog}), batches(_store(encoder, images) | hog)
    found, wanted = predict(model, streamed), predict(head, stored)
    np.testing.assert_allclose(found, wanted, atol=1e-5)
    paths, others = (search_views(*pair, 2, 3) for pair in ((model, streamed), (head, stored)))
    assert torch.equal(paths.labels, others.labels)
    loss = order_free_loss(model(**next(iter(streamed))), torch.zeros(5, NUM_CLASSES))
    assert loss.isfinite()
