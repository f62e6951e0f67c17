"""The recipes of the poster against its description; `test_models_decoder.py` has its equations."""

from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch
import yaml
from reference_decoder import count_kept
from torch.nn import functional

from imet_utils.decoding import beam_search, class_thresholds, predict, union_of_views
from imet_utils.features import FeatureBatches
from imet_utils.models import positive_weights, weighted_bce
from imet_utils.runs import PROJECT_DIR
from imet_utils.training import (
    POSTER,
    POSTER_RNN,
    RECIPES,
    TrainConfig,
    start_training,
    train_one_epoch,
)

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


def weighted_loss(logits, targets):
    """The cross-entropy of logits (N, ..., C), a label's positives weighted by their rarity."""
    counts = targets.double().sum(dim=0)
    weights = ((NUM_IMAGES - counts) / counts).clamp(max=10)
    p, y = logits.sigmoid(), targets.reshape(NUM_IMAGES, *(logits.ndim - 2) * [1], NUM_CLASSES)
    return -torch.where(y, weights * p.log(), (1 - p).log()).mean()


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
def test_rnn_has_the_steps_the_loss_and_the_label_sets_of_the_description(head, data):
    features, targets = data
    recipe = RECIPES[head]
    model = recipe.build(DIMS, NUM_CLASSES, NUM_IMAGES).double().eval()
    with torch.no_grad():
        for weights in model.decoder.parameters():
            weights.mul_(3)  # so that the steps differ clearly
    inputs = {name: features[name].flatten(0, 1).double() for name in recipe.inputs}
    maps, *vectors = inputs.values()
    fc = model.classifier.fc
    probs = (torch.cat(vectors, dim=1) @ fc.weight.T + fc.bias).sigmoid()
    logits = model(**inputs)
    torch.testing.assert_close(logits, model.decoder(maps, probs, 10))
    seen = targets.repeat_interleave(NUM_VIEWS, dim=0)
    loss = recipe.loss(logits, seen, positive_weights(targets, recipe.config.max_weight))
    wanted = weighted_loss(logits.unflatten(0, (NUM_IMAGES, NUM_VIEWS)), targets)
    torch.testing.assert_close(loss, wanted)

    decoding = recipe.decoding
    assert (decoding.rule, decoding.beam_size, decoding.max_steps) == ("beam", 5, 10)
    paths = beam_search(model.decoder, maps, probs, decoding.beam_size, decoding.max_steps)
    shares = targets.double().mean(dim=0)
    preds = union_of_views(paths, class_thresholds(shares, decoding.stop_scale), NUM_VIEWS)
    by_hand = torch.zeros_like(targets)
    best = zip(paths.labels[:, 0].numpy(), paths.path_probs[:, 0].numpy(), strict=True)
    for row, (labels, path_probs) in enumerate(best):
        kept = count_kept(labels, path_probs, 2.5 * shares.numpy())
        by_hand[row // NUM_VIEWS, labels[:kept]] = True
    assert torch.equal(preds, by_hand)
    assert 0 < preds.sum() < preds.numel()


@pytest.mark.parametrize("head", BASELINES)
def test_baseline_has_the_loss_and_the_decoding_of_the_description(head, data):
    features, targets = data
    recipe = RECIPES[head]
    model = recipe.build(DIMS, NUM_CLASSES, NUM_IMAGES).eval()
    vectors = torch.cat([features[name] for name in recipe.inputs], dim=2)  # (N, V, ...)
    logits = vectors @ model.fc.weight.T + model.fc.bias  # (N, V, C)
    whole = logits[:, 0]
    found = recipe.loss(whole, targets, positive_weights(targets, recipe.config.max_weight))
    torch.testing.assert_close(found.double(), weighted_loss(whole.double(), targets))
    batches = FeatureBatches(arrays_of(head, features), None, 4, "all", shuffle=False)
    probs = predict(model, batches, recipe.decoding.mean_of)
    wanted = logits.mean(dim=1).sigmoid().detach().numpy()
    np.testing.assert_allclose(probs, wanted, atol=1e-5)
    assert recipe.decoding.rule == "threshold"


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
    training = start_training(trained, config, batches)
    train_one_epoch(training, batches, partial(weighted_bce, pos_weight=weights), config, 0)
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
