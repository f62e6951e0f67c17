"""What is said of some labels moves the others, as neighbours that agree have it."""

import numpy as np
import pytest

from imet_utils.decoding import (
    CANDIDATES,
    FARTHER,
    NEARER,
    PRIOR,
    TEMPERATURE,
    VOTERS,
    NeighbourIndex,
    Neighbours,
    fit_strength,
    revise_probs,
)


def draw(num_labelled=300, num_classes=9, num_images=4, seed=0):
    """Labelled images, the candidates among them of each image, and probabilities."""
    rng = np.random.default_rng(seed)
    embeddings = rng.normal(size=(num_labelled, 6))
    embeddings /= np.linalg.norm(embeddings, axis=1, keepdims=True)
    targets = rng.random((num_labelled, num_classes)) < 0.25
    neighbours = NeighbourIndex(np.zeros(6), np.eye(6), embeddings, targets)
    nearest = neighbours.nearest(rng.normal(size=(num_images, 6)), CANDIDATES)
    return rng.random((num_images, num_classes)), nearest


def say(shape, **labels):
    """State that an image has labels, or has not: `yes` and `no` are lists of (image, label)."""
    stated = np.zeros(shape, dtype=np.int8)
    for image, label in labels.get("yes", ()):
        stated[image, label] = 1
    for image, label in labels.get("no", ()):
        stated[image, label] = -1
    return stated


def reference(prob, rows, cosines, stated, strength):
    """Revise one image's probabilities, candidate by candidate."""

    def vote(said):
        scored = []
        for row, cosine in zip(rows, cosines, strict=True):
            shift = NEARER * (row & (said > 0)).sum() - FARTHER * (row & (said < 0)).sum()
            scored.append((cosine + shift, row))
        best = sorted(scored, key=lambda pair: -pair[0])[:VOTERS]
        weights = np.exp((np.array([score for score, _ in best]) - best[0][0]) / TEMPERATURE)
        return weights @ np.array([row for _, row in best]) / weights.sum()

    before, after = vote(0 * stated), vote(stated)
    ratio = (after + PRIOR) / (1 - after + PRIOR) * (1 - before + PRIOR) / (before + PRIOR)
    odds = prob / (1 - prob) * ratio**strength
    revised = odds / (1 + odds)
    revised[stated > 0], revised[stated < 0] = 1, 0
    return revised


@pytest.mark.parametrize("strength", [0.5, 1.0])
def test_probabilities_equal_those_of_a_loop(strength):
    probs, nearest = draw()
    stated = say(probs.shape, yes=[(0, 2), (1, 2), (1, 5), (2, 8)], no=[(1, 3), (3, 0), (3, 1)])
    found = revise_probs(probs, nearest, stated, strength)
    assert found.dtype == np.float32
    for image in range(len(probs)):
        rows = nearest.index.targets[nearest.indices[image]]
        wanted = reference(probs[image], rows, nearest.cosines[image], stated[image], strength)
        np.testing.assert_allclose(found[image], wanted, atol=1e-5)
    assert np.abs(found - probs).max() > 0.05


def test_where_nothing_is_said_nothing_moves():
    probs, nearest = draw()
    stated = say(probs.shape, yes=[(1, 4)])
    found = revise_probs(probs, nearest, stated)
    np.testing.assert_allclose(np.delete(found, 1, axis=0), np.delete(probs, 1, axis=0), atol=1e-6)
    assert np.abs(found[1] - probs[1]).max() > 0.01


def test_labels_that_go_together_rise_and_fall_together():
    rng = np.random.default_rng(1)
    targets = np.zeros((200, 4), dtype=bool)
    targets[:, 0] = targets[:, 1] = rng.random(200) < 0.3  # always together
    targets[:, 2] = ~targets[:, 0] & (rng.random(200) < 0.5)  # never with them
    targets[:, 3] = rng.random(200) < 0.3  # no matter
    neighbours = NeighbourIndex(np.zeros(2), np.eye(2), np.zeros((200, 2)), targets)
    nearest = Neighbours(neighbours, np.arange(200)[None], np.linspace(0.8, 0.4, 200)[None])
    probs = np.full((1, 4), 0.3)
    yes = revise_probs(probs, nearest, say((1, 4), yes=[(0, 0)]))[0]
    no = revise_probs(probs, nearest, say((1, 4), no=[(0, 0)]))[0]
    assert (yes[0], no[0]) == (1, 0)
    assert yes[1] > 0.7
    assert yes[2] < 0.1
    assert no[1] < 0.2
    assert no[2] > 0.3
    assert max(abs(yes[3] - 0.3), abs(no[3] - 0.3)) < 0.15


@pytest.mark.parametrize("prob", [0.0, 1.0])
def test_what_is_certain_stays_so(prob):
    probs, nearest = draw()
    probs[:, 1] = prob
    found = revise_probs(probs, nearest, say(probs.shape, yes=[(0, 2)]))
    assert (found[:, 1] == np.float32(prob)).all()


def test_few_labelled_images_are_enough():
    probs, nearest = draw(num_labelled=3)
    assert nearest.indices.shape[1] == 3
    found = revise_probs(probs, nearest, say(probs.shape, yes=[(0, 2)]))
    assert np.isfinite(found).all()
    assert found.min() >= 0
    assert found.max() <= 1


def test_at_strength_0_nothing_moves_but_what_is_stated():
    probs, nearest = draw()
    stated = say(probs.shape, yes=[(0, 2)], no=[(1, 3)])
    found = revise_probs(probs, nearest, stated, 0.0)
    np.testing.assert_allclose(found[stated == 0], probs[stated == 0], atol=1e-6)
    assert (found[0, 2], found[1, 3]) == (1, 0)


def collect(draw_rows, num_images=400, seed=0):
    """Images of no particular look, whose labels are drawn by a rule: half of them to judge by."""
    rng = np.random.default_rng(seed)
    targets = draw_rows(rng, num_images)
    known, judged = np.split(targets, 2)
    neighbours = NeighbourIndex(np.zeros(2), np.eye(2), np.zeros((len(known), 2)), known)
    numbers = np.stack([rng.permutation(len(known)) for _ in judged])
    cosines = np.sort(rng.uniform(0.4, 0.8, numbers.shape))[:, ::-1]
    probs = np.tile(known.mean(axis=0), (len(judged), 1))
    return probs, Neighbours(neighbours, numbers, cosines), judged


def test_the_strength_is_full_where_labels_go_together_and_none_where_they_do_not():
    def together(rng, num_images):
        groups = rng.integers(5, size=num_images)
        return np.repeat(np.eye(5, dtype=bool)[groups], 3, axis=1)  # three labels at a time

    def apart(rng, num_images):
        return rng.random((num_images, 15)) < np.linspace(0.05, 0.5, 15)

    assert fit_strength(*collect(together)) > 0
    assert fit_strength(*collect(apart)) == 0


def test_of_single_labels_no_strength_can_be_learned():
    def single(rng, num_images):
        return np.eye(4, dtype=bool)[rng.integers(4, size=num_images)]

    assert fit_strength(*collect(single)) == 0
