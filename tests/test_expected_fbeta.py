import math
import time
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imet_utils.expected_fbeta import best_expected_sets, best_sampled_sets, expected_fbeta

fast = settings(max_examples=60, deadline=None, derandomize=True, database=None)
some_probs = st.lists(
    st.sampled_from([0.0, 0.25, 0.5, 1.0]) | st.floats(0, 1), min_size=1, max_size=7
)


def all_sets(num_classes):
    """Every label set, bool (2^C, C)."""
    return np.array(list(product([False, True], repeat=num_classes)))


def fbeta_table(preds, targets, beta):
    """F-beta of every one of `preds` against every one of `targets`."""
    hits = preds.astype(int) @ targets.T.astype(int)
    lower = preds.sum(axis=1)[:, None] + beta**2 * targets.sum(axis=1)
    return (1 + beta**2) * hits / np.maximum(lower, 1e-9)


def expectations_of_all_sets(probs, beta):
    """Sum the F-beta of every label set over every truth: (2^C,)."""
    sets = all_sets(len(probs))
    return fbeta_table(sets, sets, beta) @ np.where(sets, probs, 1 - probs).prod(axis=1)


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


def expectations_by_exact_quadrature(probs, max_size, beta):
    """Integrate with as many nodes as the whole polynomial needs."""
    ranked, squared = -np.sort(-probs), round(beta**2)
    number = math.ceil((max_size + squared * len(probs)) / 2)
    nodes, weights = np.polynomial.legendre.leggauss(number)
    u, t = (1 + nodes[:, None]) / 2, ((1 + nodes[:, None]) / 2) ** squared  # (nodes, 1)
    factors = 1 - ranked + ranked * t
    hits = (ranked * t / factors)[:, :max_size].cumsum(axis=1)
    terms = u ** np.arange(max_size) * factors.prod(axis=1, keepdims=True) * hits
    return (1 + squared) * (weights / 2) @ terms


def sparse_probs(num_images, num_classes, mean, seed=0):
    """Probabilities of a few likely labels and many hardly possible ones."""
    shares = np.random.default_rng(seed).gamma(0.02, size=(num_images, num_classes))
    return np.clip(shares / shares.mean(axis=1, keepdims=True) * mean / num_classes, 0, 1)


# --- independent labels ---


@fast
@given(some_probs, st.sampled_from([1.0, math.sqrt(2), 2.0]))
def test_best_sets_are_the_best_of_all_sets(probs, beta):
    expectations = expectations_of_all_sets(np.array(probs), beta)
    best = best_expected_sets(np.array([probs]), beta)
    assert best.any()
    found = expectations[(all_sets(len(probs)) == best).all(axis=1)]
    np.testing.assert_allclose(found, expectations.max(), rtol=1e-11, atol=1e-300)


@fast
@given(some_probs, st.sampled_from([1.0, math.sqrt(2), 2.0, 3.0]))
def test_expectations_are_those_over_all_truths(probs, beta):
    expectations = expectations_of_all_sets(np.array(probs), beta)
    order = np.argsort(-np.array(probs), kind="stable")
    values = expected_fbeta(np.array([probs]), len(probs), beta)[0]
    for k, value in enumerate(values, start=1):
        top = np.isin(np.arange(len(probs)), order[:k])
        wanted = expectations[(all_sets(len(probs)) == top).all(axis=1)]
        assert value == pytest.approx(wanted.item(), abs=1e-12)


def test_expectations_by_hand():
    # One label of 1/2: F = 1 or 0. Of two sure labels one gives 5 / (1 + 8), both give 1.
    np.testing.assert_allclose(expected_fbeta(np.array([[0.5]]), 1), [[0.5]])
    np.testing.assert_allclose(expected_fbeta(np.array([[1.0, 1.0]]), 2), [[5 / 9, 1.0]])
    np.testing.assert_allclose(expected_fbeta(np.array([[1.0, 1.0]]), 2, beta=1), [[2 / 3, 1.0]])


@pytest.mark.parametrize("beta", [1.0, 2.0])
@pytest.mark.parametrize("mean", [0.01, 3.0, 20.0])
def test_few_nodes_do_for_many_labels(mean, beta):
    probs = sparse_probs(4, 60, mean)
    values = expected_fbeta(probs, 60, beta)
    for row, wanted in zip(values, probs, strict=True):
        exact = expectations_by_exact_quadrature(wanted, 60, beta)
        np.testing.assert_allclose(row, exact, atol=1e-12, rtol=0)
        by_counts = expectations_by_counts(wanted, 60, beta)
        np.testing.assert_allclose(row, by_counts, atol=1e-12, rtol=0)


def test_few_nodes_do_for_a_whole_vocabulary():
    probs = sparse_probs(3, 1103, mean=6)
    for row, wanted in zip(expected_fbeta(probs, 20), probs, strict=True):
        by_counts = expectations_by_counts(wanted, 20, beta=2)
        np.testing.assert_allclose(row, by_counts, atol=1e-12, rtol=0)


def test_expectations_agree_with_drawn_truths():
    probs = sparse_probs(1, 50, mean=5)[0]
    rng = np.random.default_rng(0)
    truths = rng.random((40_000, 50)) < probs
    top = np.argsort(-probs).argsort() < np.arange(1, 9)[:, None]  # (K, C)
    scores = fbeta_table(top, truths, beta=2)
    error = scores.std(axis=1) / math.sqrt(len(truths))
    assert (np.abs(expected_fbeta(probs[None], 8)[0] - scores.mean(axis=1)) < 4 * error).all()


@fast
@given(st.integers(1, 40), st.floats(0.001, 1), st.integers(0, 1000))
def test_no_larger_set_is_better(num_classes, power, seed):
    probs = np.random.default_rng(seed).random((3, num_classes)) ** (1 / power)
    values = expected_fbeta(probs, num_classes)
    sizes = best_expected_sets(probs).sum(axis=1)
    np.testing.assert_allclose(values[range(3), sizes - 1], values.max(axis=1), rtol=1e-11)


def test_best_sets_hold_the_most_probable_labels():
    probs = sparse_probs(200, 80, mean=4)
    preds = best_expected_sets(probs)
    lowest, highest = np.where(preds, probs, 2).min(axis=1), np.where(preds, -1, probs).max(axis=1)
    assert (lowest >= highest).all()


def test_sure_labels_are_all_of_the_set():
    targets = np.random.default_rng(0).random((20, 30)) < 0.2
    targets[:, 7] = True
    np.testing.assert_array_equal(best_expected_sets(targets.astype(np.float32)), targets)
    np.testing.assert_array_equal(best_expected_sets(targets.astype(float), beta=10), targets)


def test_labels_that_are_hardly_possible_stay_out():
    assert best_expected_sets(np.zeros((2, 3))).tolist() == [[True, False, False]] * 2
    probs = np.array([[0.01, 1.0, 0.0, 0.01, 1.0, 0.01]])
    assert best_expected_sets(probs).tolist() == [[False, True, False, False, True, False]]


def test_an_image_s_set_does_not_depend_on_the_others(monkeypatch):
    probs = np.concatenate([sparse_probs(20, 90, mean) for mean in (0.1, 2, 30)])
    together = best_expected_sets(probs)
    alone = np.concatenate([best_expected_sets(row[None]) for row in probs])
    np.testing.assert_array_equal(together, alone)
    monkeypatch.setattr("imet_utils.expected_fbeta.CHUNK_CELLS", 7 * 90)
    np.testing.assert_array_equal(together, best_expected_sets(probs))
    values = np.concatenate([expected_fbeta(row[None], 9) for row in probs])
    np.testing.assert_allclose(expected_fbeta(probs, 9), values, atol=1e-12)


# --- sampled label sets ---


@st.composite
def samples(draw):
    """Paths, keep and weights of one image, over `num_classes` labels."""
    num_classes = draw(st.integers(1, 6))
    num_sets, length = draw(st.integers(1, 5)), draw(st.integers(1, num_classes))
    rng = np.random.default_rng(draw(st.integers(0, 10_000)))
    paths = np.array([rng.permutation(num_classes)[:length] for _ in range(num_sets)])
    keep = rng.random(paths.shape) < 0.7
    keep[0, 0] = True
    weights = rng.choice([0.0, 0.5, 1.0, 2.5], num_sets)
    weights[0] = 1.5
    return paths[None], keep[None], weights[None], num_classes


@fast
@given(samples(), st.sampled_from([0.5, 1.0, 2.0]))
def test_best_sampled_sets_are_the_best_of_all_sets(given_samples, beta):
    paths, keep, weights, num_classes = given_samples
    truths = np.zeros((len(paths[0]), num_classes), dtype=bool)
    for truth, path, kept in zip(truths, paths[0], keep[0], strict=True):
        truth[path[kept]] = True
    sets = all_sets(num_classes)
    means = fbeta_table(sets, truths, beta) @ weights[0]
    best = best_sampled_sets(paths, keep, weights, num_classes, beta)
    found = means[(sets == best).all(axis=1)]
    np.testing.assert_allclose(found, means.max(), rtol=1e-11)


def draw_samples(num_images=30, num_sets=6, length=5, num_classes=40, seed=0):
    rng = np.random.default_rng(seed)
    keys = rng.random((num_images, num_sets, num_classes)) - 0.9 * (np.arange(num_classes) < 7)
    paths = keys.argsort(axis=2)[..., :length]
    lengths = rng.integers(1, length + 1, (num_images, num_sets, 1))
    return paths, np.arange(length) < lengths, rng.random((num_images, num_sets)), num_classes


def test_the_best_set_for_one_sample_is_that_sample():
    paths, keep, weights, num_classes = draw_samples(num_sets=1)
    wanted = np.zeros((len(paths), num_classes), dtype=bool)
    np.put_along_axis(wanted, paths[:, 0], keep[:, 0], axis=1)
    found = best_sampled_sets(paths, keep, weights, num_classes)
    np.testing.assert_array_equal(found, wanted)


def test_an_image_s_sampled_set_does_not_depend_on_the_others(monkeypatch):
    paths, keep, weights, num_classes = draw_samples()
    together = best_sampled_sets(paths, keep, weights, num_classes)
    monkeypatch.setattr("imet_utils.expected_fbeta.CHUNK_CELLS", 1)
    alone = best_sampled_sets(paths, keep, 1000 * weights, num_classes)
    np.testing.assert_array_equal(together, alone)


def test_many_samples_lead_to_the_set_of_the_probabilities():
    probs = np.array([0.9, 0.6, 0.35, 0.05, 0.02])
    drawn = np.random.default_rng(0).random((4000, 5)) < probs
    paths = np.tile(np.arange(5), (1, 4000, 1))
    found = best_sampled_sets(paths, drawn[None], np.ones((1, 4000)), 5)
    np.testing.assert_array_equal(found, best_expected_sets(probs[None]))


def test_the_smallest_of_equally_good_sets_is_taken():
    # F1 of {0} is 2/3 against each of three pairs; {0, 1} has 1, 1/2 and 1/2, and so on: all 2/3.
    paths, keep = np.array([[[0, 3], [0, 1], [2, 0]]]), np.ones((1, 3, 2), dtype=bool)
    found = best_sampled_sets(paths, keep, np.ones((1, 3)), 4, beta=1)
    assert found.tolist() == [[True, False, False, False]]


def test_arrays_may_be_views_that_are_read_only():
    probs = sparse_probs(20, 30, mean=3)
    paths, keep, weights, num_classes = draw_samples()
    for values in (probs, paths, keep, weights):
        values.flags.writeable = False
    np.testing.assert_array_equal(best_expected_sets(probs[::-1])[::-1], best_expected_sets(probs))
    whole = best_sampled_sets(paths, keep, weights, num_classes)
    turned = best_sampled_sets(paths[::-1], keep[::-1], weights[::-1], num_classes)
    np.testing.assert_array_equal(turned[::-1], whole)


# --- what they refuse, and their cost ---


@pytest.mark.parametrize("call", [best_expected_sets, lambda probs: expected_fbeta(probs, 1)])
def test_probabilities_are_checked(call):
    for bad, message in (
        (np.full(3, 0.5), r"floating-point numbers \(N, C\), not empty, got float64 \(3,\)"),
        (np.zeros((0, 3)), r"got float64 \(0, 3\)"),
        (np.ones((2, 3), dtype=bool), r"got bool \(2, 3\)"),
        (np.full((2, 3), 1.5), r"in 0\.\.1, got 1\.5\.\.1\.5"),
        (np.full((2, 3), np.nan), r"in 0\.\.1, got nan"),
    ):
        with pytest.raises(ValueError, match=message):
            call(bad)


@pytest.mark.parametrize("beta", [0.0, -1.0, 0.5, 1.5, math.inf, math.nan])
def test_beta_squared_must_be_whole(beta):
    with pytest.raises(ValueError, match=f"a whole number, at least 1, got beta {beta}"):
        best_expected_sets(np.full((1, 2), 0.5), beta)


def test_sizes_are_checked():
    for size in (0, 3):
        with pytest.raises(ValueError, match=rf"max_size must be in 1\.\.2, got {size}"):
            expected_fbeta(np.full((1, 2), 0.5), size)


def test_samples_are_checked():
    paths, keep, weights, num_classes = draw_samples(num_images=2)
    for bad, message in (
        ((paths[0], keep, weights, num_classes), r"paths must be integers \(N, M, T\), got int64"),
        ((paths / 2, keep, weights, num_classes), r"paths must be integers .* got float64"),
        ((paths, keep[:1], weights, num_classes), r"keep must be bool \(2, 6, 5\), got bool"),
        ((paths, keep, weights, 3), r"labels in 0\.\.2, got 0\.\."),
        ((paths, keep, -weights, num_classes), r"weights must be \(2, 6\), finite and >= 0"),
        ((paths, keep, weights[:1], num_classes), r"weights must be \(2, 6\), .* got \(1, 6\)"),
        ((paths, keep, 0 * weights, num_classes), "a set of positive weight with a label in it"),
    ):
        with pytest.raises(ValueError, match=message):
            best_sampled_sets(*bad)
    with pytest.raises(ValueError, match="beta must be above 0, got 0"):
        best_sampled_sets(paths, keep, weights, num_classes, beta=0)


def test_the_whole_collection_takes_seconds():
    probs = sparse_probs(10_920, 1103, mean=5).astype(np.float32)
    start = time.process_time()
    preds = best_expected_sets(probs)
    assert time.process_time() - start < 15  # 1 s on a machine that does nothing else
    assert 5 < preds.sum(axis=1).mean() < 20
