"""How well probabilities rank the images of a class: average precision and ROC curves.

Both need images with and without the label; other classes are left out, and counted.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from sklearn.metrics import auc, roc_curve

from imet_utils.metric_inputs import as_scored


@dataclass(frozen=True, eq=False)
class RocCurve:
    """Rates of false and true positives, rising from 0 to 1, and the area under the curve."""

    fpr: np.ndarray
    tpr: np.ndarray
    auc: float


def average_precision_per_class(probs: np.ndarray, targets: np.ndarray) -> pd.DataFrame:
    """Rank the images by each class's probability and average the precision at its positives.

    Equal probabilities share a rank, as in scikit-learn's `average_precision_score`.

    Args:
        probs: probabilities (N, C).
        targets: true labels, bool (N, C).

    Returns:
        Columns class_index, positives, average_precision, a row for each class
        that has both kinds of image.
    """
    probs, targets = as_scored(probs, targets)
    classes = _classes_of_both_kinds(targets)
    values = []
    for k in classes:
        ranked = np.sort(probs[:, k])
        positive = np.sort(probs[targets[:, k], k])
        at_or_above = len(ranked) - np.searchsorted(ranked, positive)
        true_at_or_above = len(positive) - np.searchsorted(positive, positive)
        values.append(float(np.mean(true_at_or_above / at_or_above)))
    return pd.DataFrame(
        {
            "class_index": classes,
            "positives": np.count_nonzero(targets, axis=0)[classes],
            "average_precision": np.array(values, dtype=float),
        }
    )


def mean_average_precision(probs: np.ndarray, targets: np.ndarray) -> tuple[float, int]:
    """Average `average_precision_per_class` over the classes that have both kinds of image.

    Returns:
        The mean, NaN if there is no such class, and the number of classes left out.
    """
    table = average_precision_per_class(probs, targets)
    return float(table["average_precision"].mean()), np.shape(targets)[1] - len(table)


def roc_per_class(probs: np.ndarray, targets: np.ndarray) -> dict[int, RocCurve]:
    """Trace the ROC curve of every class that has both kinds of image, by class index."""
    probs, targets = as_scored(probs, targets)
    return {int(k): _roc(probs[:, k], targets[:, k]) for k in _classes_of_both_kinds(targets)}


def roc_average(probs: np.ndarray, targets: np.ndarray, average: str) -> RocCurve:
    """Trace one ROC curve for all classes.

    Args:
        probs: probabilities (N, C).
        targets: true labels, bool (N, C).
        average: `micro` ranks all pairs of image and class together; `macro` averages the true
            positive rates, and the areas, of the classes that have both kinds of image.

    Returns:
        The curve at 1,001 false positive rates, and the exact area.

    Raises:
        ValueError: if `average` is neither, or no class has both kinds.
    """
    if average not in ("micro", "macro"):
        raise ValueError(f"average must be 'micro' or 'macro', got {average!r}")
    if average == "micro":
        probs, targets = as_scored(probs, targets)
        curves = [_roc(probs.ravel(), targets.ravel())] if 0 < targets.mean() < 1 else []
    else:
        curves = list(roc_per_class(probs, targets).values())
    if not curves:
        raise ValueError("a ROC curve needs a class that has both true and false targets")
    fpr = np.linspace(0, 1, 1001)
    tpr = np.mean([np.interp(fpr, curve.fpr, curve.tpr) for curve in curves], axis=0)
    area = float(np.mean([curve.auc for curve in curves]))
    return RocCurve(np.append(0.0, fpr), np.append(0.0, tpr), area)


def _roc(probs: np.ndarray, targets: np.ndarray) -> RocCurve:
    fpr, tpr, _ = roc_curve(targets, probs)
    return RocCurve(fpr, tpr, float(auc(fpr, tpr)))


def _classes_of_both_kinds(targets: np.ndarray) -> np.ndarray:
    positives = np.count_nonzero(targets, axis=0)
    return np.flatnonzero((positives > 0) & (positives < len(targets)))
