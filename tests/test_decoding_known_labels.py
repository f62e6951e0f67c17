"""Known labels change the probabilities of the others, by neighbours that agree."""

import numpy as np
import pytest

from imet_utils import decoding

VOTERS, NEARER, FARTHER, PRIOR = decoding.REVISION.values()


def draw(num_labelled=300, num_classes=9, num_images=4):
    """Probabilities of images, and the nearest labelled images of each."""
    rng = np.random.default_rng(0)
    embeddings = rng.normal(size=(num_labelled, 6))
    embeddings /= np.linalg.norm(embeddings, axis=1, keepdims=True)
    targets = rng.random((num_labelled, num_classes)) < 0.25
    index = decoding.NeighbourIndex(np.zeros(6), np.eye(6), embeddings, targets)
    nearest = index.nearest(rng.normal(size=(num_images, 6)), decoding.CANDIDATES)
    probs = rng.random((num_images, num_classes))
    probs[:, 7:] = 0, 1  # what is certain stays so
    return probs, nearest


def reference(prob, rows, cosines, known, strength):
    """Revise one image's probabilities, candidate by candidate."""

    def vote(known):
        scored = []
        for row, cosine in zip(rows, cosines, strict=True):
            shift = NEARER * (row & (known > 0)).sum() - FARTHER * (row & (known < 0)).sum()
            scored.append((cosine + shift, row))
        best = sorted(scored, key=lambda pair: -pair[0])[:VOTERS]
        weights = np.exp(
            (np.array([score for score, _ in best]) - best[0][0]) / decoding.TEMPERATURE
        )
        return weights @ np.array([row for _, row in best]) / weights.sum()

    before, after = vote(0 * known), vote(known)
    ratio = (after + PRIOR) / (1 - after + PRIOR) * (1 - before + PRIOR) / (before + PRIOR)
    for_it, against = prob * ratio**strength, 1 - prob
    return np.select([known > 0, known < 0], [1, 0], for_it / (for_it + against))


@pytest.mark.parametrize(("strength", "num_labelled"), [(0.0, 300), (0.5, 300), (1.0, 10)])
def test_probabilities_equal_those_of_a_loop(strength, num_labelled):
    probs, nearest = draw(num_labelled)
    known = np.zeros(probs.shape, dtype=np.int8)
    known[[0, 1, 1], [2, 2, 5]], known[[1, 3, 3], [3, 0, 1]] = 1, -1
    found = decoding.revise_probs(probs, nearest, known, strength)
    assert found.dtype == np.float32
    for image in range(len(probs)):
        rows = nearest.index.targets[nearest.indices[image]]
        wanted = reference(probs[image], rows, nearest.cosines[image], known[image], strength)
        np.testing.assert_allclose(found[image], wanted, atol=1e-5)
    np.testing.assert_allclose(found[2], probs[2], atol=1e-6)  # nothing is known of it
    changed = np.abs(found - probs)[known == 0].max()
    assert changed > 0.05 if strength else changed < 1e-6


@pytest.mark.parametrize("kind", ["together", "independent", "single"])
def test_the_strength_is_positive_where_labels_go_together(kind):
    rng = np.random.default_rng(0)
    drawn = np.eye(5, dtype=bool)[rng.integers(5, size=400)]
    if kind == "together":
        drawn = np.repeat(drawn, 3, axis=1)
    elif kind == "independent":
        drawn = np.random.default_rng(0).random((400, 15)) < np.linspace(0.05, 0.5, 15)
    labelled, targets = np.split(drawn, 2)
    index = decoding.NeighbourIndex(np.zeros(2), np.eye(2), np.zeros((len(labelled), 2)), labelled)
    indices = np.stack([rng.permutation(len(labelled)) for _ in targets])
    cosines = np.sort(rng.uniform(0.4, 0.8, indices.shape))[:, ::-1]
    probs = np.tile(labelled.mean(axis=0), (len(targets), 1))
    strength = decoding.fit_strength(probs, decoding.Neighbours(index, indices, cosines), targets)
    assert (strength > 0) == (kind == "together")
