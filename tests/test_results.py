import numpy as np
import pytest
from sklearn.metrics import average_precision_score, fbeta_score

from imet_utils.results import score_row, score_splits


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
