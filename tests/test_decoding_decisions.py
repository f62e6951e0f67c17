"""How labels are read off: the decision that a user asks for."""

import numpy as np
import pytest

from imet_utils.decoding import best_expected_sets, choose_candidate, choose_decision
from imet_utils.decoding.decisions import precision_thresholds
from imet_utils.metrics import f2_per_image, sample_scores, threshold_curve


@pytest.fixture
def data():
    rng = np.random.default_rng(0)
    probs = rng.random((200, 8)).astype(np.float32)
    return probs, rng.random((200, 8)) < probs  # calibrated


def test_expected_scores_are_those_of_the_best_sets(data):
    probs, targets = data
    for decision, beta in (("expected F2", 2.0), ("expected F1", 1.0)):
        decide = choose_decision(decision, probs, targets)
        np.testing.assert_array_equal(decide(probs), best_expected_sets(probs, beta))


def test_scores_that_are_no_probabilities_are_cut_at_the_best_threshold(data):
    probs, targets = data
    curve = threshold_curve(probs, targets)
    for score in ("F2", "F1"):
        decide = choose_decision(f"expected {score}", probs, targets, calibrated=False)
        scores = sample_scores(decide(probs), targets)
        assert scores[score.lower()] == curve[score.lower()].max()


@pytest.mark.parametrize("wished", ["0.6", "0.75", "0.9"])
def test_a_wished_precision_is_reached_with_as_many_labels_as_possible(data, wished):
    probs, targets = data
    preds = choose_decision(wished, probs, targets)(probs)
    assert targets[preds].mean() >= float(wished)
    cuts = np.unique(probs)
    lower = cuts[cuts < probs[preds].min()]
    assert all(targets[probs >= cut].mean() < float(wished) for cut in lower)
    assert wished != "0.9" or not preds.any(axis=1).all()  # an image may have none


def test_equal_probabilities_fall_on_one_side():
    probs = np.array([[0.9, 0.5, 0.5, 0.5]])
    targets = np.array([[True, True, False, False]])
    assert precision_thresholds(probs, targets, [0.6, 0.5]) == {0.6: 0.9, 0.5: 0.5}


def test_what_cannot_be_decided_is_refused(data):
    probs, targets = data
    with pytest.raises(ValueError, match=r"no threshold has a precision of 0.99 .* highest is 0\."):
        choose_decision("0.99", probs, probs < 0.5)
    for decision in ("F2", "1.5", "0", ""):
        with pytest.raises(ValueError, match="it must be 'expected F2'"):
            choose_decision(decision, probs, targets)


def test_the_usual_candidate_is_taken_unless_another_is_clearly_better(data):
    probs, targets = data
    noisy = np.clip(probs + np.random.default_rng(1).normal(0, 0.02, probs.shape), 0, 1)
    near = {"usual": {"val": probs}, "the same": {"val": probs.copy()}, "worse": {"val": 1 - probs}}
    bad = {"usual": {"val": 1 - probs}, "noisy": {"val": noisy}, "best": {"val": probs}}
    assert choose_candidate(near, targets, "expected F2", "usual", near)[0] == "usual"
    chosen, decisions, table = choose_candidate(bad, targets, "expected F2", "usual", bad)
    assert chosen == table["val F2"].idxmax() != "usual"
    for name, row in table.iterrows():
        preds = decisions[name](bad[name]["val"])
        assert row["val F2"] == pytest.approx(f2_per_image(preds, targets).mean())
    gap = f2_per_image(best_expected_sets(probs), targets) - f2_per_image(
        best_expected_sets(1 - probs), targets
    )
    assert table.loc["usual", ["gain", "standard error"]].tolist() == [0, 0]
    assert table.loc["best", "gain"] == pytest.approx(gap.mean())
    wanted = gap.std() / np.sqrt(len(gap))
    assert table.loc["best", "standard error"] == pytest.approx(wanted, rel=0.05)


def test_scores_of_a_baseline_are_cut_at_a_threshold(data):
    probs, targets = data
    candidates = {"baseline + HOG": {"val": np.sqrt(probs)}, "MLP": {"val": probs}}
    _, decisions, _ = choose_candidate(candidates, targets, "expected F2", "MLP", ["MLP"])
    assert decisions["baseline + HOG"].threshold is not None
    assert decisions["MLP"].beta == 2.0
