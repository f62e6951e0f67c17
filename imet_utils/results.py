"""Rows of the results table: a model's scores on validation and test, by choices of validation."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from imet_utils.decisions import threshold_preds as threshold_preds
from imet_utils.metrics import Threshold, best_threshold, mean_average_precision, sample_scores


def score_row(
    model: str, split: str, preds: np.ndarray, targets: np.ndarray, probs: np.ndarray | None = None
) -> dict[str, Any]:
    """Make the row of a model on a split: f2, f1, precision, recall, and map where it has `probs`.

    `map` is None without probabilities and where no class has images with and without it.
    """
    mean = math.nan if probs is None else mean_average_precision(probs, targets)[0]
    scores = sample_scores(preds, targets)
    return {"model": model, "split": split, **scores, "map": None if math.isnan(mean) else mean}


def score_splits(
    model: str, probs: Mapping[str, np.ndarray], targets: Mapping[str, np.ndarray]
) -> tuple[Threshold, list[dict[str, Any]]]:
    """Choose the threshold of the best validation F2 and score validation and test with it.

    Args:
        model: name in the table.
        probs: probabilities (N, C) of `val` and `test`.
        targets: true labels (N, C) of both.

    Returns:
        The threshold and a row for each of the two.
    """
    threshold = best_threshold(probs["val"], targets["val"])
    rows = [
        score_row(model, split, probs[split] >= threshold.value, targets[split], probs[split])
        for split in ("val", "test")
    ]
    return threshold, rows
