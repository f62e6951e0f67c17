import json
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import fbeta_score

from imet_utils.decisions import (
    CUTS,
    ExpectedF2,
    ShareOfHighest,
    Thresholds,
    fit_class_thresholds,
    fit_group_thresholds,
    fit_one_threshold,
    fit_rules,
    fit_share_of_highest,
    threshold_preds,
)
from imet_utils.expected_fbeta import best_expected_sets
from imet_utils.metrics import sample_scores

fast = settings(max_examples=40, deadline=None, derandomize=True, database=None)
NAMES = [
    "one threshold",
    "culture and tag thresholds",
    "share of the highest",
    "class thresholds",
    "class thresholds, shrunk",
    "expected F2",
]
FITS = [
    fit_one_threshold,
    fit_share_of_highest,
    fit_class_thresholds,
    lambda probs, targets: fit_group_thresholds(probs, targets, np.arange(probs.shape[1]) < 1),
    lambda probs, targets: fit_rules(probs, targets, np.arange(probs.shape[1]) < 1),
]


def draw(num_images=40, num_classes=6, seed=0, levels=100, dtype=np.float32):
    """Probabilities that lie on the cuts, where rounding would show, and targets."""
    rng = np.random.default_rng(seed)
    probs = (rng.integers(0, levels + 1, (num_images, num_classes)) / levels) ** 2
    probs = np.round(probs * levels) / levels
    return probs.astype(dtype), rng.random(probs.shape) < probs


def f2_of(preds, targets):
    return sample_scores(preds, targets)["f2"]


def first_best(candidates, score):
    """Take the first candidate of the highest score, equal but for rounding."""
    scores = np.array([score(candidate) for candidate in candidates])
    return candidates[int(np.argmax(scores >= scores.max() - 1e-12))]


# --- thresholds ---


def test_threshold_preds_gives_every_image_at_least_so_many_labels():
    probs, _ = draw()
    assert np.array_equal(threshold_preds(probs, 0.4), probs >= 0.4)
    preds = threshold_preds(probs, 2.0, min_labels=2)
    assert (preds.sum(axis=1) == 2).all()
    assert (np.where(preds, probs, 2).min(axis=1) >= np.where(preds, -1, probs).max(axis=1)).all()
    assert threshold_preds(probs, 2.0, min_labels=9).all()


def test_threshold_preds_fills_up_only_what_is_short_of_labels():
    probs = np.array([[0.5, 0.4, 0.3], [0.2, 0.2, 0.1]])
    preds = threshold_preds(probs, np.array([0.9, 0.4, 0.3]), min_labels=1)
    assert preds.tolist() == [[False, True, True], [True, False, False]]
    two = threshold_preds(probs, np.array([0.9, 0.9, 0.3]), min_labels=2)
    assert two.tolist() == [[True, True, True], [True, True, False]]


def test_threshold_preds_refuses():
    with pytest.raises(ValueError, match="min_labels"):
        threshold_preds(np.zeros((2, 2)), 0.5, min_labels=-1)
    for threshold in (np.zeros(3), np.zeros(1), np.zeros((2, 2))):
        with pytest.raises(ValueError, match=r"threshold must be a number or \(2,\), got shape"):
            threshold_preds(np.zeros((2, 2)), threshold)


# --- fits against every candidate ---


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("seed", range(3))
def test_one_threshold_is_the_best_of_all(seed, dtype):
    probs, targets = draw(seed=seed, dtype=dtype)
    rule = fit_one_threshold(probs, targets)
    best = first_best(CUTS, lambda cut: f2_of(threshold_preds(probs, cut, 1), targets))
    assert rule.parameters == {"threshold": best}
    np.testing.assert_array_equal(rule(probs), threshold_preds(probs, best, 1))


@pytest.mark.parametrize("seed", range(3))
def test_culture_and_tag_thresholds_are_the_best_of_all_pairs(seed, monkeypatch):
    monkeypatch.setattr("imet_utils.decisions.CUTS", CUTS[4::12])
    (probs, targets), is_culture = draw(seed=seed), np.array([0, 1, 1, 0, 0, 1], dtype=bool)
    rule = fit_group_thresholds(probs, targets, is_culture)

    def decide(pair):
        return threshold_preds(probs, np.where(is_culture, *np.float32(pair)), 1)

    pairs = [(culture, tag) for culture in CUTS[4::12] for tag in CUTS[4::12]]
    best = first_best(pairs, lambda pair: f2_of(decide(pair), targets))
    assert rule.parameters == {"culture": best[0], "tag": best[1]}
    np.testing.assert_array_equal(rule(probs), decide(best))


@pytest.mark.parametrize("everything", [True, False])
def test_a_group_of_all_classes_gets_the_one_threshold(everything):
    probs, targets = draw()
    rule = fit_group_thresholds(probs, targets, np.full(6, everything))
    one = fit_one_threshold(probs, targets)
    assert rule.parameters["culture" if everything else "tag"] == one.parameters["threshold"]
    np.testing.assert_array_equal(rule(probs), one(probs))


@pytest.mark.parametrize("seed", range(3))
def test_the_share_of_the_highest_is_the_best_of_all(seed):
    probs, targets = draw(seed=seed)
    probs[0] = 0
    rule = fit_share_of_highest(probs, targets)
    assert rule == first_best(
        [ShareOfHighest(cut) for cut in CUTS], lambda other: f2_of(other(probs), targets)
    )


def test_shares_of_the_highest_by_hand():
    probs = np.array([[0.9, 0.5, 0.4], [0.02, 0.01, 0.0], [0.0, 0.0, 0.0]])
    assert ShareOfHighest(0.5)(probs).tolist() == [
        [True, True, False],
        [True, True, False],
        [True, False, False],
    ]


@fast
@given(st.integers(1, 30), st.sampled_from([2, 5, 100]), st.integers(0, 10_000))
def test_class_thresholds_have_the_best_f2_of_each_class(num_images, levels, seed):
    probs, targets = draw(num_images, num_classes=3, seed=seed, levels=levels)
    values = fit_class_thresholds(probs, targets).values
    for prob, target, value in zip(probs.T, targets.T, values, strict=True):
        if target.any():
            score = fbeta_score(target, prob >= value, beta=2)
            others = [fbeta_score(target, prob >= cut, beta=2) for cut in prob]
            assert score == pytest.approx(max(others))
            assert value not in prob or value == 0


def test_class_thresholds_by_hand():
    # Class 0: 0.8 and 0.4 are positives, cut halfway to 0.2. Class 1: its one positive is last,
    # halfway to 0. Class 2 has none and takes the threshold that suits all.
    probs = np.array([[0.8, 0.6, 0.5], [0.4, 0.3, 0.2], [0.2, 0.1, 0.3]])
    targets = np.array([[1, 0, 0], [1, 0, 0], [0, 1, 0]], dtype=bool)
    rule = fit_class_thresholds(probs, targets)
    shared = fit_one_threshold(probs, targets).parameters["threshold"]
    np.testing.assert_allclose(rule.values, [0.3, 0.05, shared])
    median = np.median(rule.values)
    assert rule.parameters == {"shared": shared, "shrinkage": 0.0, "median": median}


def test_shrunk_class_thresholds_lie_between_their_own_and_the_shared_one():
    probs, targets = draw(num_images=60)
    targets[:, 2] = False
    own = fit_class_thresholds(probs, targets).values
    rule = fit_class_thresholds(probs, targets, shrinkage=50.0)
    positives = targets.sum(axis=0)
    shared = rule.parameters["shared"]
    wanted = (positives * own + 50 * shared) / (positives + 50)
    np.testing.assert_allclose(rule.values, wanted)
    assert rule.values[2] == shared
    assert rule.parameters["shrinkage"] == 50


def test_expected_f2_is_that_of_the_best_expected_sets():
    probs, _ = draw()
    np.testing.assert_array_equal(ExpectedF2()(probs), best_expected_sets(probs, beta=2))


# --- all rules ---


def test_rules_are_fitted_in_order_and_can_be_written_down():
    (probs, targets), is_culture = draw(), np.arange(6) < 2
    rules = fit_rules(probs, targets, is_culture)
    assert list(rules) == NAMES
    written = {name: rule.parameters for name, rule in rules.items()}
    assert json.loads(json.dumps(written)) == written
    assert all(isinstance(value, float) for row in written.values() for value in row.values())
    scores = {name: f2_of(rule(probs), targets) for name, rule in rules.items()}
    assert scores["culture and tag thresholds"] >= scores["one threshold"]


@fast
@given(st.integers(1, 20), st.integers(1, 5), st.integers(0, 10_000))
def test_every_rule_gives_an_image_a_label_whatever_the_images_beside_it(images, classes, seed):
    probs, targets = draw(images, classes, seed, levels=20)
    probs[0] = 0
    for rule in fit_rules(probs, targets, np.arange(classes) < 2).values():
        preds = rule(probs)
        assert preds.dtype == bool
        assert preds.shape == probs.shape
        assert preds.any(axis=1).all()
        alone = np.concatenate([rule(row[None]) for row in probs])
        np.testing.assert_array_equal(preds, alone)


@pytest.mark.parametrize("fit", FITS)
def test_fits_check_what_they_are_given(fit):
    probs, targets = draw()
    with pytest.raises(ValueError, match="must be equal in shape"):
        fit(probs[:, :5], targets)
    with pytest.raises(ValueError, match=r"in 0\.\.1"):
        fit(probs + 1, targets)


def test_groups_and_shrinkage_are_checked():
    probs, targets = draw()
    for is_culture in (np.ones(5, dtype=bool), np.ones(6)):
        with pytest.raises(ValueError, match=r"is_culture must be bool \(6,\), got"):
            fit_group_thresholds(probs, targets, is_culture)
    for shrinkage in (-1.0, np.inf, np.nan):
        with pytest.raises(ValueError, match="shrinkage must be finite and >= 0, got"):
            fit_class_thresholds(probs, targets, shrinkage)


def test_rules_refuse_probabilities_of_other_classes():
    with pytest.raises(ValueError, match=r"threshold must be a number or \(4,\)"):
        Thresholds(np.full(3, 0.5), {})(np.zeros((2, 4)))


def test_the_whole_collection_takes_seconds():
    rng = np.random.default_rng(0)
    targets = rng.random((10_920, 1103)) < 0.003
    probs = rng.random(targets.shape, dtype=np.float32) ** 8
    start = time.process_time()
    fit_rules(probs, targets, np.arange(1103) < 398)
    assert time.process_time() - start < 20  # 3 s on a machine that does nothing else
