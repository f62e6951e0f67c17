"""Scores of label sets and probabilities, thresholds, average precision, curves.

Scores are averaged over images, as in the competition; an image whose score has a zero
denominator counts 0. A label is predicted where its probability is at or above the threshold.
Average precision and curves need images with and without the label; other classes are left out.

Everywhere `preds` and `targets` are predicted and true labels, bool (N, C), and `probs`
probabilities (N, C).
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from sklearn.metrics import auc, precision_recall_curve, roc_curve

THRESHOLDS = tuple(k / 100 for k in range(51))


class Threshold(NamedTuple):
    """The best single threshold and the sample-averaged F2 that it gives."""

    value: float
    f2: float


class RocCurve(NamedTuple):
    """Rates of false and true positives, rising from 0 to 1, and the area under the curve."""

    fpr: np.ndarray
    tpr: np.ndarray
    auc: float


class PrecisionRecallCurve(NamedTuple):
    """Precision at rising recall from 0 to 1, and the average precision, the area below it."""

    recall: np.ndarray
    precision: np.ndarray
    average_precision: float


def sample_scores(preds: np.ndarray, targets: np.ndarray) -> dict[str, float]:
    """Average F2, F1, precision and recall over the images.

    >>> preds, targets = np.array([[True, True, False]]), np.array([[True, False, False]])
    >>> sample_scores(preds, targets)["precision"]
    0.5
    """
    hits, num_preds, num_true = _count(preds, targets)
    return {
        "f2": float(np.mean(_ratios(5 * hits, 4 * num_true + num_preds))),
        "f1": float(np.mean(_ratios(2 * hits, num_true + num_preds))),
        "precision": float(np.mean(_ratios(hits, num_preds))),
        "recall": float(np.mean(_ratios(hits, num_true))),
    }


def f2_per_image(preds: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """Score each image: F2 (N,), whose mean is that of `sample_scores`."""
    hits, num_preds, num_true = _count(preds, targets)
    return _ratios(5 * hits, 4 * num_true + num_preds)


def _count(preds: np.ndarray, targets: np.ndarray) -> list[np.ndarray]:
    """Count hits, predicted and true labels of each image, (N,) each."""
    return [np.count_nonzero(some, axis=1) for some in (preds & targets, preds, targets)]


def _ratios(upper: np.ndarray, lower: np.ndarray) -> np.ndarray:
    return upper / np.maximum(lower, 1)  # upper is 0 where lower is


def scores_by_group(
    preds: np.ndarray, targets: np.ndarray, groups: Mapping[str, np.ndarray]
) -> pd.DataFrame:
    """Score groups of classes, bool (C,), over the images with a true or predicted label in it.

    Returns:
        Columns group, classes, images (scored), left_out, f2, f1, precision, recall; the scores
        are NaN where no image is left.
    """
    rows = []
    for name, members in groups.items():
        some = (preds[:, members] | targets[:, members]).any(axis=1)  # (N,)
        row: dict[str, Any] = {"group": name, "classes": int(members.sum())}
        row |= {"images": int(some.sum()), "left_out": int((~some).sum())}
        if some.any():
            row |= sample_scores(preds[some][:, members], targets[some][:, members])
        rows.append(row)
    columns = ["group", "classes", "images", "left_out", "f2", "f1", "precision", "recall"]
    return pd.DataFrame(rows, columns=columns)


def frequency_bands(train_counts: np.ndarray) -> dict[str, np.ndarray]:
    """Group the classes at the quartiles of their training counts (C,), rarest first.

    Classes of equal count stay together; bands that this leaves empty are left out.

    Returns:
        Up to four groups, bool (C,), under names such as `3-21 images`.
    """
    edges = np.quantile(train_counts, [0.25, 0.5, 0.75], method="lower")
    band_of = np.searchsorted(edges, train_counts, side="left")  # (C,)
    bands = {}
    for band in np.unique(band_of):
        inside = train_counts[band_of == band]
        low, high = inside.min(), inside.max()
        bands[f"{low}-{high} images" if low < high else f"{low} images"] = band_of == band
    return bands


def threshold_curve(probs: np.ndarray, targets: np.ndarray) -> pd.DataFrame:
    """Score the label sets of thresholds 0 to 0.5: threshold, f2, f1, precision, recall."""
    rows = [{"threshold": t, **sample_scores(probs >= t, targets)} for t in THRESHOLDS]
    return pd.DataFrame(rows)


def best_threshold(probs: np.ndarray, targets: np.ndarray) -> Threshold:
    """Find the threshold of `threshold_curve` with the highest F2; among equals, the first."""
    curve = threshold_curve(probs, targets)
    best = curve.loc[curve["f2"].idxmax()]
    return Threshold(value=float(best["threshold"]), f2=float(best["f2"]))


def proportion_thresholds(
    probs: np.ndarray,
    targets: np.ndarray,
    proportions: np.ndarray,
    scales: Sequence[float],
    powers: Sequence[float],
) -> np.ndarray:
    """Find the class thresholds scale * proportion^power of the highest sample-averaged F2.

    Args:
        probs: probabilities.
        targets: true labels.
        proportions: share of the training images with each class, (C,), above 0.
        scales: factors to try.
        powers: exponents to try; among equals the first power, then the first scale, is taken.
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
    guess = np.zeros(val_targets.shape[1], dtype=bool)
    guess[order[: int(np.argmax(f2)) + 1]] = True
    return guess


def average_precision_per_class(probs: np.ndarray, targets: np.ndarray) -> pd.DataFrame:
    """Rank the images by each class's probability and average the precision at its positives.

    Equals scikit-learn's `average_precision_score`, which takes 20 to 170 times as long, after
    every epoch.

    Returns:
        Columns class_index, positives, average_precision; a row for each class not left out.
    """
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
    """Average `average_precision_per_class`, and count the classes left out.

    The mean is NaN if all are.
    """
    table = average_precision_per_class(probs, targets)
    return float(table["average_precision"].mean()), targets.shape[1] - len(table)


def roc_per_class(probs: np.ndarray, targets: np.ndarray) -> dict[int, RocCurve]:
    """Trace the ROC curve of every class not left out, by class index."""
    curves = {}
    for k in _classes_of_both_kinds(targets):
        fpr, tpr, _ = roc_curve(targets[:, k], probs[:, k])
        curves[int(k)] = RocCurve(fpr, tpr, float(auc(fpr, tpr)))
    return curves


def roc_average(probs: np.ndarray, targets: np.ndarray, average: str) -> RocCurve:
    """Trace one ROC curve for all classes, at 1,001 false positive rates, with the exact area.

    Args:
        probs: probabilities.
        targets: true labels.
        average: `micro` ranks all pairs of image and class together; `macro` averages the true
            positive rates, and the areas, of the classes not left out.

    Raises:
        ValueError: if `average` is neither, or all classes are left out.
    """
    if average not in ("micro", "macro"):
        raise ValueError(f"average must be 'micro' or 'macro', got {average!r}")
    if average == "micro":
        probs, targets = probs.reshape(-1, 1), targets.reshape(-1, 1)
    curves = roc_per_class(probs, targets).values()
    if not curves:
        raise ValueError("a ROC curve needs a class that has both true and false targets")
    fpr = np.linspace(0, 1, 1001)
    tpr = np.mean([np.interp(fpr, curve.fpr, curve.tpr) for curve in curves], axis=0)
    area = float(np.mean([curve.auc for curve in curves]))
    return RocCurve(np.append(0.0, fpr), np.append(0.0, tpr), area)


def precision_recall_curves(
    probs: np.ndarray, targets: np.ndarray, groups: Mapping[str, np.ndarray]
) -> dict[str, PrecisionRecallCurve]:
    """Trace precision against recall for all classes, and for groups of them.

    Args:
        probs: probabilities.
        targets: true labels.
        groups: the classes of each group by its name, bool (C,).

    Returns:
        `micro`, of all pairs of image and class ranked together; `macro`, the mean of the curves
        of all classes; and that mean in each group: at 1,001 recalls, with the exact area. Those
        without a class are left out.
    """
    wanted = {"micro": (probs.reshape(-1, 1), targets.reshape(-1, 1)), "macro": (probs, targets)}
    wanted |= {name: (probs[:, mine], targets[:, mine]) for name, mine in groups.items()}
    recall = np.linspace(0, 1, 1001)
    found = {}
    for name, (scores, truth) in wanted.items():
        classes = _classes_of_both_kinds(truth)
        steps = [_precision_steps(scores[:, k], truth[:, k]) for k in classes]
        if steps:
            at = [p[np.searchsorted(r, recall - 1e-9)] for r, p, _ in steps]
            area = float(np.mean([area for _, _, area in steps]))
            found[name] = PrecisionRecallCurve(recall, np.mean(at, axis=0), area)
    return found


def _precision_steps(
    probs: np.ndarray, targets: np.ndarray
) -> tuple[np.ndarray, np.ndarray, float]:
    """Return the recalls that are reached, ascending, the precision at each, and the area below.

    A recall between two of them has the precision of the next.
    """
    precision, recall, _ = precision_recall_curve(targets, probs, drop_intermediate=True)
    reached, first = np.unique(recall[:-1][::-1], return_index=True)  # without the end's (0, 1)
    precision = precision[:-1][::-1][first]  # of the fewest that are taken
    if reached[0] == 0:  # what is taken before the first true one
        reached, precision = reached[1:], precision[1:]
    return reached, precision, float(np.sum(np.diff(reached, prepend=0) * precision))


def _classes_of_both_kinds(targets: np.ndarray) -> np.ndarray:
    positives = np.count_nonzero(targets, axis=0)
    return np.flatnonzero((positives > 0) & (positives < len(targets)))
