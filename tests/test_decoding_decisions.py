import numpy as np
import pytest

from imet_utils.decoding import best_expected_sets, precision_thresholds
from imet_utils.decoding.decisions import choose_decision
from imet_utils.metrics import sample_scores, threshold_curve


@pytest.fixture
def data():
    rng = np.random.default_rng(0)
    probs = rng.random((200, 8)).astype(np.float32)
    return probs, rng.random((200, 8)) < probs  # calibrated


@pytest.mark.parametrize(("score", "beta"), [("F2", 2.0), ("F1", 1.0)])
def test_expected_scores_are_those_of_the_best_sets_or_else_of_the_best_threshold(
    data, score, beta
):
    probs, targets = data
    decide = choose_decision(f"expected {score}", probs, targets)
    np.testing.assert_array_equal(decide(probs), best_expected_sets(probs, beta))
    decide = choose_decision(f"expected {score}", probs, targets, calibrated=False)
    reached = sample_scores(decide(probs), targets)[score.lower()]
    assert reached == threshold_curve(probs, targets)[score.lower()].max()


@pytest.mark.parametrize("wanted", ["0.6", "0.75", "0.9"])
def test_a_target_precision_is_reached_with_as_many_labels_as_possible(data, wanted):
    probs, targets = data
    preds = choose_decision(wanted, probs, targets)(probs)
    assert targets[preds].mean() >= float(wanted)
    cuts = np.unique(probs)
    lower = cuts[cuts < probs[preds].min()]
    assert all(targets[probs >= cut].mean() < float(wanted) for cut in lower)
    assert wanted != "0.9" or not preds.any(axis=1).all()  # an image may have none


def test_equal_probabilities_fall_on_one_side():
    probs = np.array([[0.9, 0.5, 0.5, 0.5]])
    targets = np.array([[True, True, False, False]])
    assert precision_thresholds(probs, targets, [0.6, 0.5]) == {0.6: 0.9, 0.5: 0.5}


@pytest.mark.parametrize("decision", ["F2", "1.5", "0", ""])
def test_what_is_no_decision_is_refused(data, decision):
    with pytest.raises(ValueError, match=f"DECISION is '{decision}'"):
        choose_decision(decision, *data)
    with pytest.raises(ValueError, match=r"0\.99 .* the highest is 0\."):
        choose_decision("0.99", data[0], data[0] < 0.5)  # a precision that none has
