"""The recipes of the poster against its description, written out directly."""

from dataclasses import replace
from functools import partial

import direct_decoder as direct
import numpy as np
import pytest
import torch
import yaml
from reference_decoder import count_kept
from sklearn.metrics import fbeta_score

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
    """Features of views, targets of which no class is missing, and the weights of the classes."""
    maps = torch.randn(NUM_IMAGES, NUM_VIEWS, 9, DIMS["maps"])
    hog = torch.rand(NUM_IMAGES, NUM_VIEWS, DIMS["hog"])
    targets = torch.rand(NUM_IMAGES, NUM_CLASSES) < 0.25
    targets |= torch.eye(NUM_CLASSES, dtype=torch.bool)[:NUM_IMAGES]
    counts = targets.float().sum(dim=0)
    weights = ((NUM_IMAGES - counts) / counts).clamp(max=10)
    torch.testing.assert_close(positive_weights(targets, POSTER.max_weight), weights)
    return {"maps": maps, "pooled": maps.mean(dim=2), "hog": hog}, targets, weights


def build(head):
    return RECIPES[head].build(DIMS, NUM_CLASSES, NUM_IMAGES)


def make_rnn(head, features):
    """A model of steps that differ clearly, the direct decoder, and the inputs of both by hand."""
    model = build(head).double().eval()
    with torch.no_grad():
        for weights in model.decoder.parameters():
            weights.mul_(3)
    inputs = {name: features[name].flatten(0, 1).double() for name in RECIPES[head].inputs}
    fc, (maps, *vectors) = model.classifier.fc, inputs.values()
    probs = (torch.cat(vectors, dim=1) @ fc.weight.T + fc.bias).sigmoid()
    return model, direct.DirectDecoder.from_decoder(model.decoder), inputs, (maps, probs)


def test_full_profile_has_the_posters_schedule():
    profile = yaml.safe_load((PROJECT_DIR / "notebooks/profiles/imet.yaml").read_text())
    assert profile["ENCODER"] == "resnet50"
    assert profile["TRAIN_VIEWS"] == POSTER.train_views == POSTER_RNN.train_views == "all"
    for notebook in ("04_train_baseline", "05_fuse_hog"):
        own = profile[notebook]
        assert (own["EPOCHS"], own["LEARNING_RATE"]) == (POSTER.epochs, POSTER.learning_rate)
    assert profile["06_train_attncnn_rnn"]["POSTER_EPOCHS"] == POSTER_RNN.epochs
    assert (POSTER.weight_decay, POSTER_RNN.learning_rate) == (1e-5, 5e-4)


@pytest.mark.parametrize("head", RNNS)
def test_rnn_has_sizes_logits_loss_gradients_beams_and_sets_of_the_description(head, data):
    features, targets, weights = data
    model, other, inputs, given = make_rnn(head, features)
    decoder, layers = model.decoder, RECIPES[head].layers
    assert (layers.frozen, layers.standardise) == (BASELINES[RNNS.index(head)], False)
    sizes = decoder.lstm.hidden_size, decoder.attention.energy.in_features, decoder.fc1.out_features
    assert (*sizes, decoder.dropout) == (512, 512, 512, 0.5)
    wanted = other(*given, 10)[0]
    logits = model(**inputs)
    torch.testing.assert_close(logits, torch.stack(wanted, dim=1), atol=1e-5, rtol=1e-5)
    seen = targets.repeat_interleave(NUM_VIEWS, dim=0).double()
    loss = RECIPES[head].loss(logits, seen, weights)
    direct_loss = direct.direct_loss(wanted, seen, weights)
    torch.testing.assert_close(loss, direct_loss, atol=1e-6, rtol=1e-6)
    loss.backward()
    direct_loss.backward()
    for ours, theirs in zip(decoder.parameters(), other.parameters(), strict=True):
        torch.testing.assert_close(ours.grad, theirs.grad, atol=1e-5, rtol=1e-5)
    assert not any(weights.requires_grad for weights in model.classifier.parameters())

    decoding, shares = RECIPES[head].decoding, targets.double().mean(dim=0)
    assert decoding.rule == "beam"
    paths = beam_search(model.decoder, *given, decoding.beam_size, decoding.max_steps)
    wanted = direct.direct_beam_search(other, *given, 5, 10)
    assert torch.equal(paths.labels, wanted.labels)
    torch.testing.assert_close(paths.path_probs, wanted.path_probs, atol=1e-8, rtol=1e-6)
    preds = union_of_views(paths, class_thresholds(shares, decoding.stop_scale), NUM_VIEWS)
    by_hand = torch.zeros_like(targets)
    for row, (labels, path_probs) in enumerate(zip(wanted.labels, wanted.path_probs, strict=True)):
        kept = count_kept(labels[0], path_probs[0], 2.5 * shares)
        by_hand[row // NUM_VIEWS, labels[0, :kept]] = True
    assert torch.equal(preds, by_hand)
    assert 0 < preds.sum() < preds.numel()


@pytest.mark.parametrize("head", BASELINES)
def test_baseline_has_the_loss_the_decoding_and_the_threshold_of_the_description(head, data):
    features, targets, weights = data
    recipe, model = RECIPES[head], build(head).eval()
    arrays = {name: features[name] for name in recipe.inputs}
    logits = torch.cat([*arrays.values()], dim=2) @ model.fc.weight.T + model.fc.bias  # (N, V, C)
    found = recipe.loss(logits[:, 0], targets, weights)
    torch.testing.assert_close(found, direct.direct_loss([logits[:, 0]], targets.float(), weights))

    arrays = {name: values.numpy() for name, values in arrays.items()}
    batches = FeatureBatches(arrays, None, 4, "all", shuffle=False)
    probs, truth = predict(model, batches, recipe.decoding.mean_of), targets.numpy()
    np.testing.assert_allclose(probs, logits.mean(dim=1).sigmoid().detach(), atol=1e-5)
    sets = {k / 100: probs >= k / 100 for k in range(51)}
    scores = {k: fbeta_score(truth, preds, beta=2, average="samples") for k, preds in sets.items()}
    threshold, rows = score_splits("", {"val": probs, "test": probs}, {"val": truth, "test": truth})
    assert recipe.decoding.rule == "threshold"
    assert threshold == max(scores, key=scores.get)
    assert rows[0]["f2"] == pytest.approx(max(scores.values()))


def test_a_step_is_of_32_images_by_adam_with_its_decay_in_the_gradient(data):
    features, targets, weights = data
    assert POSTER.batch_rows(NUM_VIEWS) == 32 * NUM_VIEWS
    assert TrainConfig(batch_size=32).batch_rows(NUM_VIEWS) == 32
    # A large decay, so that the two kinds of decay differ, and a norm that all gradients exceed.
    changed = {"learning_rate": 0.1, "weight_decay": 0.5, "clip_norm": POSTER.clip_norm / 100}
    config = replace(POSTER, epochs=1, batch_size=5, **changed)
    views = np.repeat(targets.numpy()[:, None], NUM_VIEWS, axis=1)
    arrays = {"pooled": features["pooled"].numpy()}
    batches = FeatureBatches(arrays, views, config.batch_rows(NUM_VIEWS), "all", seed=3)
    loss = partial(weighted_bce, pos_weight=weights)
    trained, plain = build("baseline"), build("baseline")
    Training(trained, batches, loss, config).run_epoch(0)
    adam = torch.optim.Adam(plain.parameters(), 0.1, weight_decay=0.5)
    assert len(batches) == 2
    for number, batch in enumerate(batches):
        adam.param_groups[0]["lr"] = 0.05 * (1 + np.cos(np.pi * number / 2))
        adam.zero_grad()
        loss(plain(batch["pooled"]), batch["targets"]).backward()
        torch.nn.utils.clip_grad_norm_(plain.parameters(), 0.05)
        adam.step()
    torch.testing.assert_close([*trained.parameters()], [*plain.parameters()], atol=1e-5, rtol=1e-5)
