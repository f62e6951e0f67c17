import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import average_precision_score, fbeta_score

from imet_utils import metrics
from imet_utils.metrics.results import BASELINE


def make_split(seed, num_images=60, num_classes=5):
    rng = np.random.default_rng(seed)
    targets = rng.random((num_images, num_classes)) < 0.4
    targets[:, 0] |= ~targets.any(axis=1)
    return np.clip(0.3 * targets + 0.5 * rng.random(targets.shape), 0, 1), targets


def reference_f2(targets, preds):
    return fbeta_score(targets, preds, beta=2, average="samples", zero_division=0)


def test_score_splits_takes_the_threshold_from_validation_alone():
    (val_probs, val), (test_probs, test) = make_split(0), make_split(1)
    probs, targets = {"val": val_probs, "test": test_probs}, {"val": val, "test": test}
    threshold, rows = metrics.score_splits("m", probs, targets)
    assert rows == metrics.score_rule("m", lambda found: found >= threshold, probs, targets)
    assert [(row["model"], row["split"]) for row in rows] == [("m", "val"), ("m", "test")]
    for row in rows:
        found, truth = probs[row["split"]], targets[row["split"]]
        assert row["f2"] == pytest.approx(reference_f2(truth, found >= threshold))
        assert row["map"] == pytest.approx(average_precision_score(truth, found, average="macro"))
        interval = metrics.bootstrap_mean(metrics.f2_per_image(found >= threshold, truth))
        assert interval == (pytest.approx(row["f2"]), row["f2_low"], row["f2_high"])
    swapped, _ = metrics.score_splits("m", probs | {"test": 1 - probs["test"]}, targets)
    assert swapped == threshold
    assert metrics.score_row("m", "val", targets["val"], targets["val"])["map"] is None
    assert metrics.score_row("m", "val", truth, np.ones_like(truth), found)["map"] is None


def test_compare_decodings_gives_each_its_interval_and_that_of_its_difference():
    probs, targets = make_split(0)
    decided = {"low": probs >= 0.3, "middle": probs >= 0.45, "all": np.ones_like(targets)}
    table = metrics.compare_decodings(decided, targets, "middle")
    scores = {name: metrics.f2_per_image(preds, targets) for name, preds in decided.items()}
    for row in table.itertuples(index=False):
        preds = decided[row.decoding]
        assert row.f2 == pytest.approx(reference_f2(targets, preds))
        assert row.labels == pytest.approx(preds.sum() / len(preds))
        assert (row.f2, row.low, row.high) == metrics.bootstrap_mean(scores[row.decoding])
        assert row[-3:] == metrics.bootstrap_mean(scores[row.decoding] - scores["middle"])
    assert tuple(table.iloc[1, -3:]) == (0.0, 0.0, 0.0)


def test_intervals_are_the_quantiles_of_means_drawn_anew():
    values = np.array([0.0, 0.0, 0.1, 0.9, 1.0])
    assert metrics.bootstrap_mean(values).mean == values.mean()
    drawn = values[np.random.default_rng(1).integers(5, size=(100_000, 5))].mean(axis=1)
    wanted = tuple(np.quantile(drawn, [0.025, 0.975]))
    assert metrics.bootstrap_mean(values)[1:] == pytest.approx(wanted, abs=0.025)
    assert set(metrics.bootstrap_mean(values[3:4])) == {0.9}


@pytest.mark.parametrize(
    ("f2", "preds", "num_training", "numbers"),
    [
        (0.49, np.eye(30), 1000, None),  # sound
        (0.25, np.eye(30), 1000, ("0.250", "0.300")),  # as good as guessing
        (0.4, np.eye(30), 1000, ("0.400", "0.500")),  # worse than the baseline
        (0.6, np.ones((30, 4)), 1000, ("4",)),  # the same labels everywhere
        (0.6, np.eye(7), 60, ("60", "7")),  # few images
    ],
)
def test_predictions_that_no_one_should_use_are_warned_of(f2, preds, num_training, numbers):
    values = {"constant guess": 0.3, BASELINE: 0.5, "mine": f2}
    rows = [{"model": name, "split": "test", "f2": value} for name, value in values.items()]
    found = metrics.prediction_warnings(
        pd.DataFrame(rows), "mine", preds.astype(bool), num_training
    )
    assert not found if numbers is None else all(number in found[0] for number in numbers)
