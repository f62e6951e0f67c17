"""Known labels change the probabilities of the others, by neighbours that agree."""

import numpy as np
import pytest

from imet_utils.decoding import (
    CANDIDATES,
    REVISION,
    TEMPERATURE,
    NeighbourIndex,
    Neighbours,
    fit_strength,
    revise_probs,
)

VOTERS, NEARER, FARTHER, PRIOR = REVISION.values()


def draw(num_labelled=300, num_classes=9, num_images=4):
    """Probabilities of images, and the nearest labelled images of each."""
    rng = np.random.default_rng(0)
    embeddings = rng.normal(size=(num_labelled, 6))
    embeddings /= np.linalg.norm(embeddings, axis=1, keepdims=True)
    targets = rng.random((num_labelled, num_classes)) < 0.25
    index = NeighbourIndex(np.zeros(6), np.eye(6), embeddings, targets)
    nearest = index.nearest(rng.normal(size=(num_images, 6)), CANDIDATES)
    return rng.random((num_images, num_classes)), nearest


def know(shape, present=(), absent=()):
    """Known labels, pairs of image and label."""
    known = np.zeros(shape, dtype=np.int8)
    for pairs, sign in ((present, 1), (absent, -1)):
        for pair in pairs:
            known[pair] = sign
    return known


def reference(prob, rows, cosines, known, strength):
    """Revise one image's probabilities, candidate by candidate."""

    def vote(known):
        scored = []
        for row, cosine in zip(rows, cosines, strict=True):
            shift = NEARER * (row & (known > 0)).sum() - FARTHER * (row & (known < 0)).sum()
            scored.append((cosine + shift, row))
        best = sorted(scored, key=lambda pair: -pair[0])[:VOTERS]
        weights = np.exp((np.array([score for score, _ in best]) - best[0][0]) / TEMPERATURE)
        return weights @ np.array([row for _, row in best]) / weights.sum()

    before, after = vote(0 * known), vote(known)
    ratio = (after + PRIOR) / (1 - after + PRIOR) * (1 - before + PRIOR) / (before + PRIOR)
    odds = prob / (1 - prob) * ratio**strength
    return np.select([known > 0, known < 0], [1, 0], odds / (1 + odds))


@pytest.mark.parametrize("strength", [0.0, 0.5, 1.0])
def test_probabilities_equal_those_of_a_loop(strength):
    probs, nearest = draw()
    known = know(probs.shape, present=[(0, 2), (1, 2), (1, 5)], absent=[(1, 3), (3, 0), (3, 1)])
    found = revise_probs(probs, nearest, known, strength)
    assert found.dtype == np.float32
    for image in range(len(probs)):
        rows = nearest.index.targets[nearest.indices[image]]
        wanted = reference(probs[image], rows, nearest.cosines[image], known[image], strength)
        np.testing.assert_allclose(found[image], wanted, atol=1e-5)
    np.testing.assert_allclose(found[2], probs[2], atol=1e-6)  # nothing is known of it
    changed = np.abs(found - probs)[known == 0].max()
    assert changed > 0.05 if strength else changed < 1e-6


@pytest.mark.parametrize("prob", [0.0, 1.0])
def test_what_is_certain_stays_so_and_few_labelled_images_are_enough(prob):
    probs, nearest = draw(num_labelled=3)
    assert nearest.indices.shape[1] == 3
    probs[:, 1] = prob
    found = revise_probs(probs, nearest, know(probs.shape, present=[(0, 2)]))
    assert (found[:, 1] == np.float32(prob)).all()
    assert found.min() >= 0
    assert found.max() <= 1


@pytest.mark.parametrize("kind", ["together", "independent", "single"])
def test_the_strength_is_positive_where_labels_go_together(kind):
    rng = np.random.default_rng(0)
    if kind == "together":
        drawn = np.repeat(np.eye(5, dtype=bool)[rng.integers(5, size=400)], 3, axis=1)
    elif kind == "independent":
        drawn = rng.random((400, 15)) < np.linspace(0.05, 0.5, 15)
    else:
        drawn = np.eye(4, dtype=bool)[rng.integers(4, size=400)]
    labelled, targets = np.split(drawn, 2)
    index = NeighbourIndex(np.zeros(2), np.eye(2), np.zeros((len(labelled), 2)), labelled)
    indices = np.stack([rng.permutation(len(labelled)) for _ in targets])
    cosines = np.sort(rng.uniform(0.4, 0.8, indices.shape))[:, ::-1]
    probs = np.tile(labelled.mean(axis=0), (len(targets), 1))
    strength = fit_strength(probs, Neighbours(index, indices, cosines), targets)
    assert (strength > 0) == (kind == "together")
