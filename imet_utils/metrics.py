"""How good label sets are, over all labels or a group of them, and thresholds that make them good.

Scores are averaged over images, as in the competition; an image whose score has a zero
denominator counts 0. A label is predicted where its probability is at or above the threshold.
What needs no label sets, average precision and ROC curves, comes from `ranking`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from imet_utils.metric_inputs import as_labels, as_scored, require_same_shape
from imet_utils.ranking import RocCurve as RocCurve
from imet_utils.ranking import average_precision_per_class as average_precision_per_class
from imet_utils.ranking import mean_average_precision as mean_average_precision
from imet_utils.ranking import roc_average as roc_average
from imet_utils.ranking import roc_per_class as roc_per_class

THRESHOLDS = tuple(k / 100 for k in range(51))


@dataclass(frozen=True)
class Threshold:
    """The best single threshold and the sample-averaged F2 that it gives."""

    value: float
    f2: float


def sample_scores(preds: np.ndarray, targets: np.ndarray) -> dict[str, float]:
    """Average F2, F1, precision and recall over the images.

    Args:
        preds: predicted labels, bool (N, C).
        targets: true labels, bool (N, C).

    >>> sample_scores([[1, 1, 0]], [[1, 0, 0]])["precision"]
    0.5
    """
    preds, targets = as_labels(preds, "preds"), as_labels(targets, "targets")
    require_same_shape(preds, targets, "preds")
    return _mean_scores(
        np.count_nonzero(preds & targets, axis=1),
        np.count_nonzero(preds, axis=1),
        np.count_nonzero(targets, axis=1),
    )


def f2_per_image(preds: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """Score each image: F2 (N,), whose mean is that of `sample_scores`. Arguments as there."""
    preds, targets = as_labels(preds, "preds"), as_labels(targets, "targets")
    require_same_shape(preds, targets, "preds")
    hits, num_preds = (np.count_nonzero(some, axis=1) for some in (preds & targets, preds))
    return _ratios(5 * hits, 4 * np.count_nonzero(targets, axis=1) + num_preds)


def scores_by_group(
    preds: np.ndarray, targets: np.ndarray, groups: Mapping[str, np.ndarray]
) -> pd.DataFrame:
    """Score groups of classes, each over the images that have a true or a predicted label in it.

    Args:
        preds: predicted labels, bool (N, C).
        targets: true labels, bool (N, C).
        groups: the classes of each group by its name, bool (C,).

    Returns:
        Columns group, classes, images (scored), left_out, f2, f1, precision, recall; the scores
        are NaN where no image is left.
    """
    preds, targets = as_labels(preds, "preds"), as_labels(targets, "targets")
    require_same_shape(preds, targets, "preds")
    rows = []
    for name, members in groups.items():
        members = np.asarray(members)
        if members.shape != preds.shape[1:] or members.dtype != bool:
            raise ValueError(
                f"group {name!r} must be bool ({preds.shape[1]},), "
                f"got {members.dtype} {members.shape}"
            )
        some = (preds[:, members] | targets[:, members]).any(axis=1)  # (N,)
        row = {"group": name, "classes": int(members.sum()), "images": int(some.sum())}
        row["left_out"] = len(some) - row["images"]
        if row["images"]:
            row |= sample_scores(preds[some][:, members], targets[some][:, members])
        rows.append(row)
    columns = ["group", "classes", "images", "left_out", "f2", "f1", "precision", "recall"]
    return pd.DataFrame(rows, columns=columns)


def frequency_bands(train_counts: np.ndarray) -> dict[str, np.ndarray]:
    """Part the classes at the quartiles of their training counts, rarest first.

    Classes of equal count stay together; bands that this leaves empty are left out.

    Returns:
        Up to four groups, bool (C,), under names such as `3-21 images`.
    """
    counts = np.asarray(train_counts)
    if counts.ndim != 1 or counts.size == 0 or counts.min() < 0:
        raise ValueError(f"train_counts must be counts (C,), got shape {counts.shape}")
    edges = np.quantile(counts, [0.25, 0.5, 0.75], method="lower")
    band_of = np.searchsorted(edges, counts, side="left")  # (C,)
    bands = {}
    for band in np.unique(band_of):
        low, high = counts[band_of == band].min(), counts[band_of == band].max()
        bands[f"{low}-{high} images" if low < high else f"{low} images"] = band_of == band
    return bands


def threshold_curve(
    probs: np.ndarray, targets: np.ndarray, thresholds: Sequence[float] = THRESHOLDS
) -> pd.DataFrame:
    """Score the label sets that each threshold gives: threshold, f2, f1, precision, recall."""
    probs, targets = as_scored(probs, targets)
    if len(thresholds) == 0:
        raise ValueError("thresholds must not be empty")
    values = [float(value) for value in thresholds]
    return pd.DataFrame(
        [{"threshold": value, **sample_scores(probs >= value, targets)} for value in values]
    )


def best_threshold(
    probs: np.ndarray, targets: np.ndarray, thresholds: Sequence[float] = THRESHOLDS
) -> Threshold:
    """Find the threshold of the highest sample-averaged F2; among equals, the first."""
    curve = threshold_curve(probs, targets, thresholds)
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
        probs: probabilities (N, C).
        targets: true labels, bool (N, C).
        proportions: share of the training images that carry each class, (C,), above 0.
        scales: factors to try; power 0 makes them thresholds for all classes alike.
        powers: exponents to try; among equals the first power, then the first scale, is taken.

    Returns:
        Thresholds (C,) of the type of `probs`.
    """
    probs, targets = as_scored(probs, targets)
    proportions = np.asarray(proportions, dtype=float)
    if proportions.shape != probs.shape[1:] or not ((proportions > 0) & (proportions <= 1)).all():
        raise ValueError(
            f"proportions must be ({probs.shape[1]},) above 0 and up to 1, got shape "
            f"{proportions.shape}, smallest {proportions.min(initial=np.inf)}"
        )
    candidates = [
        (scale * proportions**power).astype(probs.dtype) for power in powers for scale in scales
    ]
    if not candidates:
        raise ValueError("scales and powers must not be empty")
    return max(candidates, key=lambda values: sample_scores(probs >= values, targets)["f2"])


def constant_guess(train_targets: np.ndarray, val_targets: np.ndarray) -> np.ndarray:
    """Choose the one label set for all images, the floor that a model must beat.

    Returns:
        The k most frequent training labels, bool (C,), with the k of the best F2 on `val_targets`.
    """
    train, val = as_labels(train_targets, "train_targets"), as_labels(val_targets, "val_targets")
    if train.shape[1] != val.shape[1]:
        raise ValueError(f"targets must have the same classes, got {train.shape} and {val.shape}")
    order = np.argsort(-np.count_nonzero(train, axis=0), kind="stable")
    num_true, hits = np.count_nonzero(val, axis=1), np.zeros(len(val), dtype=int)
    f2 = []
    for k, label in enumerate(order):
        hits += val[:, label]
        f2.append(_mean_scores(hits, np.full(len(val), k + 1), num_true)["f2"])
    guess = np.zeros(val.shape[1], dtype=bool)
    guess[order[: int(np.argmax(f2)) + 1]] = True
    return guess


def _mean_scores(hits: np.ndarray, num_preds: np.ndarray, num_true: np.ndarray) -> dict[str, float]:
    """Average the closed forms, such as F2 = 5 hits / (4 true + predicted), over images (N,)."""
    return {
        "f2": _mean_ratio(5 * hits, 4 * num_true + num_preds),
        "f1": _mean_ratio(2 * hits, num_true + num_preds),
        "precision": _mean_ratio(hits, num_preds),
        "recall": _mean_ratio(hits, num_true),
    }


def _mean_ratio(upper: np.ndarray, lower: np.ndarray) -> float:
    return float(np.mean(_ratios(upper, lower)))


def _ratios(upper: np.ndarray, lower: np.ndarray) -> np.ndarray:
    return upper / np.maximum(lower, 1)  # upper is 0 where lower is
