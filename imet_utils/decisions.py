"""Rules that turn probabilities into label sets, each fitted to the best sample-averaged F2.

Every rule gives an image at least one label, the most probable one. `fit_rules` fits all of them
on validation images; which is best must be measured there too, or on images of neither.
"""

from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from imet_utils.expected_fbeta import best_expected_sets
from imet_utils.metric_inputs import as_scored

CUTS = tuple(k / 100 for k in range(1, 101))  # of probabilities, and of shares of the highest one
SHRINKAGE = 50.0  # positives for which a class's own threshold counts as much as the shared one


class Rule(Protocol):
    """Turns probabilities (N, C) into preds (N, C) bool, by a few numbers worth reporting."""

    @property
    def parameters(self) -> dict[str, float]:
        """The numbers that were fitted, by name."""

    def __call__(self, probs: np.ndarray) -> np.ndarray:
        """Decide on the labels of each image, at least one."""


@dataclass(frozen=True, eq=False)
class Thresholds:
    """The labels at or above their thresholds: one for all, or one for each class (C,)."""

    values: float | np.ndarray
    parameters: dict[str, float]

    def __call__(self, probs: np.ndarray) -> np.ndarray:
        """Decide by thresholds."""
        return threshold_preds(probs, self.values, min_labels=1)


@dataclass(frozen=True)
class ShareOfHighest:
    """The labels whose probability is at least a share of the image's highest one."""

    share: float

    @property
    def parameters(self) -> dict[str, float]:
        """The share, in 0..1."""
        return {"share": self.share}

    def __call__(self, probs: np.ndarray) -> np.ndarray:
        """Decide by shares."""
        return threshold_preds(_relative(probs), self.share, min_labels=1)


@dataclass(frozen=True)
class ExpectedF2:
    """The label set of the highest expected F2, were the labels independent; nothing to fit."""

    parameters: dict[str, float] = field(default_factory=dict)

    def __call__(self, probs: np.ndarray) -> np.ndarray:
        """Decide by expected F2."""
        return best_expected_sets(probs)


def threshold_preds(
    probs: np.ndarray, threshold: float | np.ndarray, min_labels: int = 0
) -> np.ndarray:
    """Predict the labels at or above a threshold, and the most probable ones where these are few.

    Args:
        probs: probabilities (N, C).
        threshold: of every class, or (C,) of each.
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
    if np.shape(threshold) not in ((), probs.shape[1:]):
        raise ValueError(
            f"threshold must be a number or ({probs.shape[1]},), got shape {np.shape(threshold)}"
        )
    preds = probs >= threshold
    few = np.count_nonzero(preds, axis=1) < min_labels  # (N,)
    order = (-probs[few]).argsort(axis=1, kind="stable")  # (few, C), the most probable first
    preds[few] |= order.argsort(axis=1) < min_labels
    return preds


def fit_rules(probs: np.ndarray, targets: np.ndarray, is_culture: np.ndarray) -> dict[str, Rule]:
    """Fit every rule, the simplest first.

    Args:
        probs: probabilities (N, C) of validation images.
        targets: true labels, bool (N, C).
        is_culture: which classes are cultures, bool (C,); the others are tags.

    Returns:
        The rules by a name to print.
    """
    return {
        "one threshold": fit_one_threshold(probs, targets),
        "culture and tag thresholds": fit_group_thresholds(probs, targets, is_culture),
        "share of the highest": fit_share_of_highest(probs, targets),
        "class thresholds": fit_class_thresholds(probs, targets),
        "class thresholds, shrunk": fit_class_thresholds(probs, targets, SHRINKAGE),
        "expected F2": ExpectedF2(),
    }


def fit_one_threshold(probs: np.ndarray, targets: np.ndarray) -> Thresholds:
    """Fit one threshold of all classes. Arguments as in `fit_rules`.

    Here as in the other grids, the lowest of equally good thresholds is taken.
    """
    probs, targets = as_scored(probs, targets)
    value = _best_cut(probs, targets)
    return Thresholds(value, {"threshold": value})


def fit_share_of_highest(probs: np.ndarray, targets: np.ndarray) -> ShareOfHighest:
    """Fit the share of an image's highest probability. Arguments as in `fit_rules`."""
    probs, targets = as_scored(probs, targets)
    return ShareOfHighest(_best_cut(_relative(probs), targets))


def fit_group_thresholds(
    probs: np.ndarray, targets: np.ndarray, is_culture: np.ndarray
) -> Thresholds:
    """Fit a threshold of cultures and one of tags, over all pairs. Arguments as in `fit_rules`."""
    probs, targets = as_scored(probs, targets)
    is_culture = np.asarray(is_culture)
    if is_culture.shape != probs.shape[1:] or is_culture.dtype != bool:
        raise ValueError(
            f"is_culture must be bool ({probs.shape[1]},), got {is_culture.dtype} "
            f"{is_culture.shape}"
        )
    cultures = _count_above(probs[:, is_culture], targets[:, is_culture])  # (2, N, G)
    tags = _count_above(probs[:, ~is_culture], targets[:, ~is_culture])  # (2, N, G)
    truth = _count_truth(probs, targets)
    f2 = np.array([_mean_f2(cultures[..., [k]] + tags, truth) for k in range(len(CUTS))])  # (G, G)
    culture, tag = (CUTS[k] for k in np.unravel_index(f2.argmax(), f2.shape))
    values = np.where(is_culture, culture, tag).astype(probs.dtype)
    return Thresholds(values, {"culture": culture, "tag": tag})


def fit_class_thresholds(
    probs: np.ndarray, targets: np.ndarray, shrinkage: float = 0.0
) -> Thresholds:
    """Fit each class's threshold to the best F2 of its own images, over all cuts between them.

    Rare classes overfit (Lin and Lin, CIKM 2023), so a class of n positives may be drawn to the
    best threshold of all: its own one weighs n / (n + shrinkage), and nothing without positives.

    Args:
        probs: probabilities (N, C) of validation images.
        targets: true labels, bool (N, C).
        shrinkage: positives for which both thresholds weigh the same, 0 for the own one alone.

    Returns:
        The thresholds; `parameters` names the shared one, the shrinkage and their median.
    """
    probs, targets = as_scored(probs, targets)
    if not 0 <= shrinkage < np.inf:
        raise ValueError(f"shrinkage must be finite and >= 0, got {shrinkage}")
    shared = _best_cut(probs, targets)
    positives = np.count_nonzero(targets, axis=0)  # (C,)
    own = np.full(len(positives), shared)
    for k in np.flatnonzero(positives):
        own[k] = _best_class_cut(probs[:, k], targets[:, k])
    weights = positives / np.maximum(positives + shrinkage, 1)
    values = weights * own + (1 - weights) * shared
    parameters = {
        "shared": shared,
        "shrinkage": float(shrinkage),
        "median": float(np.median(values)),
    }
    return Thresholds(values, parameters)


def _best_class_cut(probs: np.ndarray, targets: np.ndarray) -> float:
    """Find the threshold of the best F2 over a class's images (N,), halfway between two of them.

    The best cut is just below a positive; among equals the highest one is taken.
    """
    ranked, positive = np.sort(probs), np.sort(probs[targets])[::-1]
    num_preds = len(ranked) - np.searchsorted(ranked, positive)
    hits = np.searchsorted(-positive, -positive, side="right")  # ties fall on one side of a cut
    best = positive[np.argmax(5 * hits / (4 * len(positive) + num_preds))]
    below = ranked[ranked < best]
    return (float(best) + (float(below[-1]) if len(below) else 0.0)) / 2


def _best_cut(scores: np.ndarray, targets: np.ndarray) -> float:
    """Find which of CUTS, through the scores (N, C) of all labels, has the best mean F2."""
    f2 = _mean_f2(_count_above(scores, targets), _count_truth(scores, targets))
    return CUTS[int(f2.argmax())]


def _count_above(scores: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """Count an image's labels at or above each of CUTS, and the true ones of them: (2, N, G)."""
    cuts = np.array(CUTS, dtype=scores.dtype)
    images, labels = np.nonzero(scores >= cuts[0])
    highest = np.searchsorted(cuts, scores[images, labels], side="right") - 1  # cut reached
    cells, size = images * len(cuts) + highest, len(scores) * len(cuts)
    true = cells[targets[images, labels]]
    counts = np.stack([np.bincount(some, minlength=size) for some in (cells, true)])
    counts = counts.reshape(2, len(scores), len(cuts))
    return counts[..., ::-1].cumsum(axis=-1)[..., ::-1]


def _count_truth(scores: np.ndarray, targets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Count an image's true labels, and whether its highest label is one: (N, 1) both."""
    top = scores.argmax(axis=1, keepdims=True)
    return targets.sum(axis=1, keepdims=True), np.take_along_axis(targets, top, axis=1)


def _mean_f2(counts: np.ndarray, truth: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
    """Average F2 over the images at each cut, (G,), with one label for images that have none."""
    (num_preds, hits), (num_true, top_hit) = counts, truth
    hits = np.where(num_preds == 0, top_hit, hits)
    return (5 * hits / (4 * num_true + np.maximum(num_preds, 1))).mean(axis=0)


def _relative(probs: np.ndarray) -> np.ndarray:
    """Divide each image's probabilities (N, C) by the highest one, unless it is 0."""
    highest = probs.max(axis=1, keepdims=True)
    return probs / np.where(highest > 0, highest, 1)
