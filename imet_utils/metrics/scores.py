"""Scores of label sets and probabilities, thresholds, average precision, curves.

Scores are averaged over images, as in the competition; an image whose score has a zero
denominator counts 0. A label is predicted where its probability is at or above the threshold.
Average precision and curves need images with and without the label; other classes are left out.

Everywhere `preds` and `targets` are predicted and true labels, bool (N, C), and `probs`
probabilities (N, C).
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from sklearn.metrics import auc, precision_recall_curve, roc_curve

THRESHOLDS = tuple(k / 100 for k in range(51))
GRID = np.linspace(0, 1, 1001)  # where curves are averaged


class Curve(NamedTuple):
    """A curve in the unit square, across from 0 to 1, and the exact area below it."""

    across: np.ndarray
    up: np.ndarray
    area: float


def scores_per_image(preds: np.ndarray, targets: np.ndarray) -> dict[str, np.ndarray]:
    """Score each image: f2, f1, precision and recall, (N,) each; scikit-learn takes 50 times."""
    hits, num_preds, num_true = (n.sum(axis=1) for n in (preds & targets, preds, targets))
    return {
        "f2": _ratios(5 * hits, 4 * num_true + num_preds),
        "f1": _ratios(2 * hits, num_true + num_preds),
        "precision": _ratios(hits, num_preds),
        "recall": _ratios(hits, num_true),
    }


def sample_scores(preds: np.ndarray, targets: np.ndarray) -> dict[str, float]:
    """Average F2, F1, precision and recall over the images."""
    return {name: float(all_.mean()) for name, all_ in scores_per_image(preds, targets).items()}


def f2_per_image(preds: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """Score each image: F2 (N,), whose mean is that of `sample_scores`."""
    return scores_per_image(preds, targets)["f2"]


def _ratios(upper: np.ndarray, lower: np.ndarray) -> np.ndarray:
    return upper / np.maximum(lower, 1)  # upper is 0 where lower is


def frequency_bands(train_counts: np.ndarray) -> dict[str, np.ndarray]:
    """Group the classes at the quartiles of their training counts (C,), rarest first.

    Classes of equal count stay together; bands that this leaves empty are left out. There are up to
    four, bool (C,), under names such as `3-21 images`.
    """
    edges = np.quantile(train_counts, [0.25, 0.5, 0.75], method="lower")
    band_of = np.searchsorted(edges, train_counts, side="left")  # (C,)
    bands = {}
    for band in np.unique(band_of):
        inside = train_counts[band_of == band]
        low, high = inside.min(), inside.max()
        name = f"{low}-{high}" if low < high else f"{low}"
        bands[f"{name} image{'s' * (name != '1')}"] = band_of == band
    return bands


def threshold_curve(probs: np.ndarray, targets: np.ndarray) -> pd.DataFrame:
    """Score the label sets of thresholds 0 to 0.5: threshold, f2, f1, precision, recall."""
    rows = [{"threshold": t, **sample_scores(probs >= t, targets)} for t in THRESHOLDS]
    return pd.DataFrame(rows)


def best_threshold(probs: np.ndarray, targets: np.ndarray) -> float:
    """Find the threshold of `threshold_curve` with the highest F2; among equals, the first."""
    curve = threshold_curve(probs, targets).set_index("threshold")
    return float(curve["f2"].idxmax())


def proportion_thresholds(
    probs: np.ndarray,
    targets: np.ndarray,
    proportions: np.ndarray,
    scales: Sequence[float],
    powers: Sequence[float],
) -> np.ndarray:
    """Find the class thresholds scale * proportion^power of the highest sample-averaged F2.

    `proportions` are shares of the training images with each class, (C,), above 0. Among equals
    the first power, then the first scale, is taken.
    """
    candidates = [
        (scale * proportions**power).astype(probs.dtype) for power in powers for scale in scales
    ]
    return max(candidates, key=lambda values: sample_scores(probs >= values, targets)["f2"])


def constant_guess(train_targets: np.ndarray, val_targets: np.ndarray) -> np.ndarray:
    """Choose the k most frequent training labels, bool (C,), of the best F2 on validation.

    This one label set for all images is the floor that a model must beat.
    """
    order = np.argsort(-np.count_nonzero(train_targets, axis=0), kind="stable")
    num_true, hits = np.count_nonzero(val_targets, axis=1), np.zeros(len(val_targets), dtype=int)
    f2 = []
    for size, label in enumerate(order, start=1):
        hits += val_targets[:, label]
        f2.append(np.mean(_ratios(5 * hits, 4 * num_true + size)))
    return np.isin(np.arange(len(order)), order[: np.argmax(f2) + 1])


def average_precision_per_class(probs: np.ndarray, targets: np.ndarray) -> pd.DataFrame:
    """Rank the images by each class's probability and average the precision at its positives.

    Equals scikit-learn's `average_precision_score`, which takes 20 to 170 times as long, after
    every epoch.

    Returns:
        Columns class_index, positives, average_precision; a row for each class not left out.
    """
    rows = []
    for k in _classes_of_both_kinds(targets):
        ranked = np.sort(probs[:, k])
        positive = np.sort(probs[targets[:, k], k])
        at_or_above = len(ranked) - np.searchsorted(ranked, positive)
        true_at_or_above = len(positive) - np.searchsorted(positive, positive)
        rows.append([k, len(positive), np.mean(true_at_or_above / at_or_above)])
    table = pd.DataFrame(rows, columns=["class_index", "positives", "average_precision"])
    return table.astype({"class_index": int, "positives": int, "average_precision": float})


def mean_average_precision(probs: np.ndarray, targets: np.ndarray) -> tuple[float, int]:
    """Average `average_precision_per_class`, NaN of no class, and count the classes left out."""
    table = average_precision_per_class(probs, targets)
    return float(table["average_precision"].mean()), targets.shape[1] - len(table)


def roc_per_class(probs: np.ndarray, targets: np.ndarray) -> dict[int, Curve]:
    """Trace true by false positive rate of every class not left out, by class index."""
    curves = {}
    for k in _classes_of_both_kinds(targets):
        fpr, tpr, _ = roc_curve(targets[:, k], probs[:, k])
        curves[int(k)] = Curve(fpr, tpr, float(auc(fpr, tpr)))
    return curves


def roc_averages(probs: np.ndarray, targets: np.ndarray) -> dict[str, Curve]:
    """Trace a ROC curve `micro` and `macro`, as `precision_recall_curves` does."""
    found = {}
    for name, classes in (("micro", 1), ("macro", targets.shape[1])):
        curves = roc_per_class(probs.reshape(-1, classes), targets.reshape(-1, classes)).values()
        if curves:
            rates = np.mean([np.interp(GRID, curve.across, curve.up) for curve in curves], axis=0)
            area = float(np.mean([curve.area for curve in curves]))
            found[name] = Curve(np.append(0.0, GRID), np.append(0.0, rates), area)
    return found


def precision_recall_curves(
    probs: np.ndarray, targets: np.ndarray, groups: Mapping[str, np.ndarray]
) -> dict[str, Curve]:
    """Trace precision by recall for all classes, and for groups of them, bool (C,).

    Returns:
        `micro`, of all pairs of image and class ranked together; `macro`, the mean of the curves
        of all classes; and that mean in each group: at 1,001 recalls, with the mean average
        precision. Those without a class are left out.
    """
    wanted = {"micro": (probs.reshape(-1, 1), targets.reshape(-1, 1)), "macro": (probs, targets)}
    wanted |= {name: (probs[:, mine], targets[:, mine]) for name, mine in groups.items()}
    found = {}
    for name, (scores, truth) in wanted.items():
        rates, areas = [], []
        for k in _classes_of_both_kinds(truth):
            precision, recall, _ = precision_recall_curve(truth[:, k], scores[:, k])
            areas.append(-np.sum(np.diff(recall) * precision[:-1]))
            # Between two recalls that are reached, the precision is that of the next.
            reached = np.searchsorted(recall[::-1], np.maximum(GRID - 1e-9, 1e-12))
            rates.append(precision[::-1][reached])
        if areas:
            found[name] = Curve(GRID, np.mean(rates, axis=0), float(np.mean(areas)))
    return found


def _classes_of_both_kinds(targets: np.ndarray) -> np.ndarray:
    positives = np.count_nonzero(targets, axis=0)
    return np.flatnonzero((positives > 0) & (positives < len(targets)))
