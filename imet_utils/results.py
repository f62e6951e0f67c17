"""Rows of the results table: a model's scores on validation and test, by choices of validation."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from imet_utils.metrics import Threshold, best_threshold, mean_average_precision, sample_scores


def threshold_preds(probs: np.ndarray, threshold: float, min_labels: int = 0) -> np.ndarray:
    """Predict the labels at or above a threshold, and the most probable ones where these are few.

    Args:
        probs: probabilities (N, C).
        threshold: of every class.
        min_labels: an image gets at least so many labels, at most C.

    Returns:
        preds (N, C) bool.

    >>> threshold_preds(np.array([[0.1, 0.2], [0.6, 0.7]]), 0.5, min_labels=1)
    array([[False,  True],
           [ True,  True]])
    """
    if probs.ndim != 2 or not min_labels >= 0:
        raise ValueError(
            f"probs must be (N, C) and min_labels not negative, got {probs.shape}, {min_labels}"
        )
    ranks = (-probs).argsort(axis=1, kind="stable").argsort(axis=1)  # (N, C), 0 the most probable
    return (probs >= threshold) | (ranks < min_labels)


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
