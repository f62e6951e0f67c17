"""The recipes of the poster against its description, written out directly."""

from dataclasses import replace
from functools import partial

import direct_decoder as direct
import numpy as np
import pytest
import torch
import yaml
from torch.nn import functional

from imet_utils.decoding import beam_search, class_thresholds, predict, union_of_views
from imet_utils.features import FeatureBatches
from imet_utils.metrics import score_splits
from imet_utils.models import positive_weights, weighted_bce
from imet_utils.runs import PROJECT_DIR
from imet_utils.training import POSTER, POSTER_RNN, RECIPES, TrainConfig, Training

DIMS, NUM_CLASSES, NUM_IMAGES, NUM_VIEWS = {"maps": 6, "pooled": 6, "hog": 9}, 12, 10, 6
BASELINES, RNNS = ("baseline", "baseline_hog"), ("poster_rnn", "poster_rnn_hog")
pytestmark = pytest.mark.usefixtures("float32")


@pytest.fixture
def data():
    """Features of views, and targets of which no class is missing."""
    maps = torch.randn(NUM_IMAGES, NUM_VIEWS, 9, DIMS["maps"])
    hog = torch.rand(NUM_IMAGES, NUM_VIEWS, DIMS["hog"])
    targets = torch.rand(NUM_IMAGES, NUM_CLASSES) < 0.25
    targets |= torch.eye(NUM_CLASSES, dtype=torch.bool)[:NUM_IMAGES]
    return {"maps": maps, "pooled": maps.mean(dim=2), "hog": hog}, targets


def arrays_of(head, features):
    return {name: features[name].numpy() for name in RECIPES[head].inputs}


def make_rnn(head):
    """A recipe's model of ten steps that differ clearly, and the direct decoder of its weights."""
    model = RECIPES[head].build(DIMS, NUM_CLASSES, NUM_IMAGES).double().eval()
    with torch.no_grad():
        for weights in model.decoder.parameters():
            weights.mul_(3)
    return model, direct.DirectDecoder.from_decoder(model.decoder)


def first_probs(head, model, features):
    """The frozen linear classifier's probabilities (R, C), by hand."""
    fc = model.classifier.fc
    vectors = [features[name].flatten(0, 1).double() for name in RECIPES[head].inputs[1:]]
    return (torch.cat(vectors, dim=1) @ fc.weight.T + fc.bias).sigmoid()


def test_full_profile_has_the_posters_schedule():
    profile = yaml.safe_load((PROJECT_DIR / "notebooks/profiles/imet.yaml").read_text())
    assert profile["ENCODER"] == "resnet50"
    for config in (POSTER, POSTER_RNN):
        assert profile["TRAIN_VIEWS"] == config.train_views == "all"
    for notebook in ("04_train_baseline", "05_fuse_hog"):
        own = profile[notebook]
        assert (own["EPOCHS"], own["LEARNING_RATE"]) == (POSTER.epochs, POSTER.learning_rate)
    assert profile["06_train_attncnn_rnn"]["POSTER_EPOCHS"] == POSTER_RNN.epochs


@pytest.mark.parametrize("head", RNNS)
def test_rnn_has_the_sizes_of_the_poster_and_trains_all_but_its_classifier(head):
    model = RECIPES[head].build(DIMS, NUM_CLASSES, NUM_IMAGES)
    decoder = model.decoder
    assert (decoder.lstm.hidden_size, decoder.attention.energy.in_features) == (512, 512)
    assert decoder.lstm.input_size == 2 * NUM_CLASSES + DIMS["maps"]
    assert (decoder.fc1.out_features, decoder.dropout) == (512, 0.5)
    frozen = {name for name, weights in model.named_parameters() if not weights.requires_grad}
    assert frozen == {"classifier.fc.weight", "classifier.fc.bias"}


@pytest.mark.parametrize("head", RNNS)
def test_rnn_has_the_logits_the_loss_and_the_gradients_of_the_description(head, data):
    features, targets = data
    model, other = make_rnn(head)
    inputs = {k: features[k].flatten(0, 1).double() for k in RECIPES[head].inputs}
    seen = targets.repeat_interleave(NUM_VIEWS, dim=0).double()
    counts = targets.double().sum(dim=0)
    weights = ((NUM_IMAGES - counts) / counts).clamp(max=10)
    logits = model(**inputs)
    wanted = other(inputs["maps"], first_probs(head, model, features), 10)[0]
    torch.testing.assert_close(logits, torch.stack(wanted, dim=1), atol=1e-5, rtol=1e-5)
    loss = RECIPES[head].loss(logits, seen, positive_weights(targets, POSTER_RNN.max_weight))
    direct_loss = direct.direct_loss(wanted, seen, weights)
    torch.testing.assert_close(loss, direct_loss, atol=1e-6, rtol=1e-6)
    loss.backward()
    direct_loss.backward()
    gradients = {name: weights.grad for name, weights in model.decoder.named_parameters()}
    for name, values in other.named_parameters():
        torch.testing.assert_close(gradients[name], values.grad, atol=1e-5, rtol=1e-5)
    assert all(weights.grad is None for weights in model.classifier.parameters())


@pytest.mark.parametrize("head", RNNS)
def test_rnn_has_the_beams_and_the_label_sets_of_the_description(head, data):
    features, targets = data
    model, other = make_rnn(head)
    decoding = RECIPES[head].decoding
    assert (decoding.rule, decoding.beam_size, decoding.max_steps) == ("beam", 5, 10)
    maps, probs = features["maps"].flatten(0, 1).double(), first_probs(head, model, features)
    paths = beam_search(model.decoder, maps, probs, decoding.beam_size, decoding.max_steps)
    wanted = direct.direct_beam_search(other, maps, probs, 5, 10)
    assert torch.equal(paths.labels, wanted.labels)
    torch.testing.assert_close(paths.path_probs, wanted.path_probs, atol=1e-8, rtol=1e-6)
    shares = targets.double().mean(dim=0)
    limits = class_thresholds(shares, decoding.stop_scale)
    preds = union_of_views(paths, limits, NUM_VIEWS)
    by_hand = torch.zeros_like(targets)
    for row, (labels, path_probs) in enumerate(zip(wanted.labels, wanted.path_probs, strict=True)):
        for step, label in enumerate(labels[0]):
            limit = (2.5 * shares[labels[0, : step + 1]]).prod() ** (1 / (step + 1))
            if step and path_probs[0, step] < limit:
                break
            by_hand[row // NUM_VIEWS, label] = True
    assert torch.equal(preds, by_hand)
    assert 0 < preds.sum() < preds.numel()


@pytest.mark.parametrize("head", BASELINES)
def test_baseline_has_the_loss_the_decoding_and_the_threshold_of_the_description(head, data):
    features, targets = data
    recipe = RECIPES[head]
    model = recipe.build(DIMS, NUM_CLASSES, NUM_IMAGES).eval()
    vectors = torch.cat([features[name] for name in recipe.inputs], dim=2)  # (N, V, ...)
    logits = vectors @ model.fc.weight.T + model.fc.bias  # (N, V, C)
    inputs = {name: features[name].flatten(0, 1) for name in recipe.inputs}
    torch.testing.assert_close(model(**inputs), logits.flatten(0, 1))
    counts = targets.float().sum(dim=0)
    weights = ((NUM_IMAGES - counts) / counts).clamp(max=10)
    y, p = targets.float(), logits[:, 0].sigmoid()
    loss = -(weights * y * p.log() + (1 - y) * (1 - p).log()).mean()
    found = recipe.loss(logits[:, 0], targets, positive_weights(targets, POSTER.max_weight))
    torch.testing.assert_close(found, loss)

    batches = FeatureBatches(arrays_of(head, features), None, 4, "all", shuffle=False)
    probs = predict(model, batches, recipe.decoding.mean_of)
    wanted = logits.mean(dim=1).sigmoid().detach().numpy()
    np.testing.assert_allclose(probs, wanted, atol=1e-5)
    truth, scores = targets.numpy(), {}
    for k in range(51):
        hits = ((probs >= k / 100) & truth).sum(axis=1)
        scores[k / 100] = np.mean(
            5 * hits / (4 * truth.sum(axis=1) + (probs >= k / 100).sum(axis=1))
        )
    both = {"val": probs, "test": probs}, {"val": truth, "test": truth}
    threshold, rows = score_splits("", *both)
    assert threshold == max(scores, key=scores.get)
    assert rows[0]["f2"] == pytest.approx(max(scores.values()))


def test_a_step_is_of_32_images_by_adam_with_its_decay_in_the_gradient(data):
    features, targets = data
    assert POSTER.batch_rows(NUM_VIEWS) == 32 * NUM_VIEWS
    assert TrainConfig(batch_size=32).batch_rows(NUM_VIEWS) == 32
    # A large decay, so that the two kinds of decay differ.
    config = replace(POSTER, epochs=1, batch_size=5, learning_rate=0.1, weight_decay=0.5)
    views = np.repeat(targets.numpy()[:, None], NUM_VIEWS, axis=1)
    arrays = arrays_of("baseline", features)
    batches = FeatureBatches(arrays, views, config.batch_rows(NUM_VIEWS), "all", seed=3)
    weights = positive_weights(targets, config.max_weight)
    trained = RECIPES["baseline"].build(DIMS, NUM_CLASSES, NUM_IMAGES)
    plain = RECIPES["baseline"].build(DIMS, NUM_CLASSES, NUM_IMAGES)
    Training(trained, batches, partial(weighted_bce, pos_weight=weights), config).run_epoch(0)
    adam = torch.optim.Adam(plain.parameters(), 0.1, weight_decay=0.5)
    batches.set_epoch(0)
    for number, batch in enumerate(batches):
        adam.param_groups[0]["lr"] = 0.05 * (1 + np.cos(np.pi * number / len(batches)))
        loss = functional.binary_cross_entropy_with_logits(
            plain(batch["pooled"]), batch["targets"], pos_weight=weights
        )
        adam.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(plain.parameters(), 5.0)
        adam.step()
    for ours, wanted in zip(trained.parameters(), plain.parameters(), strict=True):
        torch.testing.assert_close(ours, wanted, atol=1e-5, rtol=1e-5)
    assert number == 1
