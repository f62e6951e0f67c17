"""Decisions: label sets of highest expected F-beta, and thresholds of a target precision."""

import math
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from imet_utils.decoding import best_expected_sets
from imet_utils.decoding.decisions import choose_decision
from imet_utils.metrics import sample_scores, threshold_curve


@pytest.fixture
def data():
    rng = np.random.default_rng(0)
    probs = rng.random((200, 8)).astype(np.float32)
    return probs, rng.random((200, 8)) < probs  # calibrated


@pytest.mark.parametrize(("score", "beta"), [("F2", 2.0), ("F1", 1.0)])
def test_expected_scores_are_of_the_best_sets_or_else_of_the_best_threshold(data, score, beta):
    probs, targets = data
    decide = choose_decision(f"expected {score}", probs, targets)
    np.testing.assert_array_equal(decide(probs), best_expected_sets(probs, beta))
    decide = choose_decision(f"expected {score}", probs, targets, calibrated=False)
    reached = sample_scores(decide(probs), targets)[score.lower()]
    assert reached == threshold_curve(probs, targets)[score.lower()].max()


@pytest.mark.parametrize("wanted", ["0.6", "0.75", "0.9"])
def test_a_target_precision_is_reached_with_as_many_labels_as_possible(data, wanted):
    probs, targets = data[0].round(2), data[1]  # many are equal
    preds = choose_decision(wanted, probs, targets)(probs)
    assert targets[preds].mean() >= float(wanted)
    cuts = np.unique(probs)
    lower = cuts[cuts < probs[preds].min()]
    assert all(targets[probs >= cut].mean() < float(wanted) for cut in lower)
    assert wanted != "0.9" or not preds.any(axis=1).all()  # an image may have none


@pytest.mark.parametrize("decision", ["F2", "1.5", "0", ""])
def test_what_is_no_decision_is_refused(data, decision):
    with pytest.raises(ValueError, match=f"DECISION is '{decision}'"):
        choose_decision(decision, *data)
    with pytest.raises(ValueError, match=r"0\.99 .* the highest is 0\."):
        choose_decision("0.99", data[0], data[0] < 0.5)  # a precision that none has


some_probs = st.lists(
    st.sampled_from([0.0, 0.25, 0.5, 1.0]) | st.floats(0, 1), min_size=1, max_size=7
)


def expectations_of_all_sets(probs, beta):
    """Sum the F-beta of every label set over every truth: the sets (2^C, C) and (2^C,)."""
    sets = np.array(list(product([False, True], repeat=len(probs))))
    hits, sizes = sets.astype(int) @ sets.T.astype(int), sets.sum(axis=1)
    scores = (1 + beta**2) * hits / np.maximum(sizes[:, None] + beta**2 * sizes, 1e-9)
    return sets, scores @ np.where(sets, probs, 1 - probs).prod(axis=1)


def expectations_by_counts(probs, max_size, beta):
    """Expected F-beta of the top k from the distribution of the number of other true labels."""
    ranked, others = -np.sort(-probs), []
    for i in range(max_size):
        counts = np.ones(1)
        for prob in np.delete(ranked, i):
            counts = np.convolve(counts, [1 - prob, prob])
        others.append(counts)
    values = []
    for k in range(1, max_size + 1):
        shares = (1 + beta**2) / (k + beta**2 * np.arange(1, len(probs) + 1))
        values.append(sum(ranked[i] * others[i] @ shares for i in range(k)))
    return np.array(values)


def sparse_probs(num_images, num_classes, mean, seed=0):
    """Probabilities of a few likely labels and many hardly possible ones."""
    shares = np.random.default_rng(seed).gamma(0.02, size=(num_images, num_classes))
    return np.clip(shares / shares.mean(axis=1, keepdims=True) * mean / num_classes, 0, 1)


@given(some_probs, st.sampled_from([1.0, math.sqrt(2), 2.0, 10.0]))
def test_best_sets_are_the_best_of_all_sets(probs, beta):
    sets, expectations = expectations_of_all_sets(np.array(probs), beta)
    best = best_expected_sets(np.array([probs]), beta)
    assert best.any()
    found = expectations[(sets == best).all(axis=1)]
    np.testing.assert_allclose(found, expectations.max(), rtol=1e-11, atol=1e-300)


@pytest.mark.parametrize("beta", [1.0, 2.0])
@pytest.mark.parametrize(("num_classes", "mean"), [(60, 0.01), (60, 3), (60, 20), (1103, 6)])
def test_sizes_are_the_best_by_the_distribution_of_true_counts(num_classes, mean, beta):
    probs = sparse_probs(3, num_classes, mean)
    for row, preds in zip(probs, best_expected_sets(probs, beta), strict=True):
        size = preds.sum()
        values = expectations_by_counts(row, min(num_classes, 2 * size + 20), beta)
        assert values[size - 1] == pytest.approx(values.max(), rel=1e-11)


def test_an_image_s_set_does_not_depend_on_the_others():
    probs = np.concatenate([sparse_probs(100, 1103, mean) for mean in (0.1, 2, 30)])  # two chunks
    together = best_expected_sets(probs)
    alone = np.concatenate([best_expected_sets(row[None]) for row in probs])
    np.testing.assert_array_equal(together, alone)
    probs.flags.writeable = False
    np.testing.assert_array_equal(best_expected_sets(probs[::-1])[::-1], together)


@pytest.mark.parametrize(
    ("prob", "beta"), [(1.5, 2), (-0.1, 2), (np.nan, 2), (0.5, 0.0), (0.5, -1.0), (0.5, 1.5)]
)
def test_what_is_no_probability_and_a_beta_whose_square_is_not_whole_are_refused(prob, beta):
    with pytest.raises(ValueError, match=f"got (beta )?{prob if beta == 2 else beta}"):
        best_expected_sets(np.full((2, 3), prob), beta)
