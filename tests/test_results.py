import numpy as np
import pytest
from sklearn.metrics import average_precision_score, fbeta_score

from imet_utils.decisions import Thresholds
from imet_utils.intervals import bootstrap_difference, bootstrap_mean
from imet_utils.metrics import f2_per_image
from imet_utils.results import compare_decodings, score_row, score_rule, score_splits


def _split(seed, num_images=60, num_classes=5):
    rng = np.random.default_rng(seed)
    targets = rng.random((num_images, num_classes)) < 0.4
    probs = np.clip(0.3 * targets + 0.5 * rng.random(targets.shape), 0, 1)
    return probs, targets


def test_score_row_has_no_map_without_probabilities_or_without_classes_of_both_kinds():
    probs, targets = _split(0)
    assert score_row("m", "val", probs >= 0.4, targets)["map"] is None
    everywhere = np.ones_like(targets)
    assert score_row("m", "val", probs >= 0.4, everywhere, probs)["map"] is None


def test_score_splits_takes_the_threshold_from_validation_alone():
    (val_probs, val), (test_probs, test) = _split(0), _split(1)
    threshold, rows = score_splits(
        "m", {"val": val_probs, "test": test_probs}, {"val": val, "test": test}
    )
    assert [row["split"] for row in rows] == ["val", "test"]
    for row, probs, targets in zip(rows, (val_probs, test_probs), (val, test), strict=True):
        preds = probs >= threshold.value
        wanted = fbeta_score(targets, preds, beta=2, average="samples", zero_division=0)
        assert row["f2"] == pytest.approx(wanted)
        assert row["map"] == pytest.approx(average_precision_score(targets, probs, average="macro"))
    assert rows[0]["f2"] == pytest.approx(threshold.f2)
    swapped, _ = score_splits(
        "m", {"val": val_probs, "test": 1 - test_probs}, {"val": val, "test": test}
    )
    assert swapped == threshold


def test_score_rule_scores_each_split_by_the_labels_of_the_rule():
    (val_probs, val), (test_probs, test) = _split(0), _split(1)
    rule = Thresholds(0.45, {"threshold": 0.45})
    rows = score_rule("m", rule, {"val": val_probs, "test": test_probs}, {"val": val, "test": test})
    assert [(row["model"], row["split"]) for row in rows] == [("m", "val"), ("m", "test")]
    for row, probs, targets in zip(rows, (val_probs, test_probs), (val, test), strict=True):
        assert row == score_row("m", row["split"], rule(probs), targets, probs)
        wanted = fbeta_score(targets, rule(probs), beta=2, average="samples", zero_division=0)
        assert row["f2"] == pytest.approx(wanted)
        assert row["map"] is not None


def test_compare_decodings_gives_each_its_interval_and_that_of_its_difference():
    probs, targets = _split(0)
    targets = targets | (np.arange(5) == 0)  # every image has a label
    decided = {"low": probs >= 0.3, "middle": probs >= 0.45, "all": np.ones_like(targets)}
    table = compare_decodings(decided, targets, "middle")
    columns = ["decoding", "labels", "f2", "low", "high"]
    assert list(table) == [*columns, "difference", "difference_low", "difference_high"]
    assert list(table["decoding"]) == list(decided)
    scores = {name: f2_per_image(preds, targets) for name, preds in decided.items()}
    for row in table.itertuples():
        preds = decided[row.decoding]
        wanted = fbeta_score(targets, preds, beta=2, average="samples", zero_division=0)
        assert row.f2 == pytest.approx(wanted)
        assert row.labels == pytest.approx(preds.sum() / len(preds))
        mean = bootstrap_mean(scores[row.decoding])
        gap = bootstrap_difference(scores[row.decoding], scores["middle"])
        assert (row.f2, row.low, row.high) == (mean.mean, mean.low, mean.high)
        assert row[-3:] == (gap.mean, gap.low, gap.high)
        assert row.low < row.f2 < row.high
        assert row.difference == pytest.approx(row.f2 - table["f2"][1])
    assert table["labels"][2] == 5
    assert tuple(table.iloc[1, -3:]) == (0.0, 0.0, 0.0)


def test_compare_decodings_refuses_a_reference_that_is_not_there():
    probs, targets = _split(0)
    with pytest.raises(ValueError, match="'union'"):
        compare_decodings({"vote": probs >= 0.4}, targets, "union")
