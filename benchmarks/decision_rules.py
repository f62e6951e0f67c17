"""Rules that turn probabilities into label sets, each fitted to the best sample-averaged F2.

What `cross_validate` compares with the set of highest expected F2, which is what the package uses.

Every rule turns probabilities (N, C) into preds (N, C) bool and gives an image at least one label,
the most probable one. Everywhere `targets` are true labels, bool (N, C).
"""

from collections.abc import Callable
from functools import partial

import numpy as np
from scipy.special import logit
from sklearn.linear_model import LogisticRegression

from imet_utils.decoding import best_expected_sets

Rule = Callable[[np.ndarray], np.ndarray]

CUTS = tuple(k / 100 for k in range(1, 101))  # of probabilities, and of shares of the highest one
SHRINKAGE = 50.0  # positives for which a class's own threshold counts as much as the shared one


def fit_rules(probs: np.ndarray, targets: np.ndarray, is_culture: np.ndarray) -> dict[str, Rule]:
    """Fit every rule to validation images, the simplest first."""
    groups = fit_group_thresholds(probs, targets, is_culture)
    share = best_cut(relative_to_highest(probs), targets)
    classes = [fit_class_thresholds(probs, targets, strength) for strength in (0.0, SHRINKAGE)]
    return {
        "one threshold": partial(decide_by_threshold, threshold=best_cut(probs, targets)),
        "culture and tag thresholds": partial(decide_by_threshold, threshold=groups),
        "share of the highest": partial(decide_by_share, share=share),
        "class thresholds": partial(decide_by_threshold, threshold=classes[0]),
        "class thresholds, shrunk": partial(decide_by_threshold, threshold=classes[1]),
        "expected F2, calibrated by kind": fit_calibration(probs, targets, is_culture),
        "expected F2": best_expected_sets,
    }


def fit_calibration(probs: np.ndarray, targets: np.ndarray, is_culture: np.ndarray) -> Rule:
    """Fit scale and shift of the logits of cultures and of tags, before the expected F2 (Platt)."""
    fitted = []
    for kind in (is_culture, ~is_culture):
        model = LogisticRegression(C=np.inf)
        if len(np.unique(targets[:, kind])) == 2:  # else there is nothing to fit
            fitted.append((kind, model.fit(_logits(probs[:, kind]), targets[:, kind].ravel())))

    def decide(probs: np.ndarray) -> np.ndarray:
        mended = probs.copy()
        for kind, model in fitted:
            found = model.predict_proba(_logits(probs[:, kind]))[:, 1]
            mended[:, kind] = found.reshape(len(probs), -1)
        return best_expected_sets(mended)

    return decide


def _logits(probs: np.ndarray) -> np.ndarray:
    """Return the logits of all probabilities in a column, those of 0 and 1 kept finite."""
    return logit(np.clip(probs.astype(float), 1e-6, 1 - 1e-6)).reshape(-1, 1)


def decide_by_threshold(probs: np.ndarray, threshold: float | np.ndarray) -> np.ndarray:
    """Predict the labels at or above a threshold, of all classes or (C,) of each.

    >>> decide_by_threshold(np.array([[0.1, 0.2], [0.6, 0.7]]), 0.5)
    array([[False,  True],
           [ True,  True]])
    """
    preds = probs >= threshold
    preds[range(len(probs)), probs.argmax(axis=1)] |= ~preds.any(axis=1)
    return preds


def decide_by_share(probs: np.ndarray, share: float) -> np.ndarray:
    """Predict the labels whose probability is at least a share of the image's highest one."""
    return decide_by_threshold(relative_to_highest(probs), share)


def relative_to_highest(probs: np.ndarray) -> np.ndarray:
    """Divide each image's probabilities (N, C) by the highest one, unless it is 0."""
    highest = probs.max(axis=1, keepdims=True)
    return probs / np.where(highest > 0, highest, 1)


def best_cut(scores: np.ndarray, targets: np.ndarray) -> float:
    """Find which of CUTS, through the scores (N, C) of all labels, has the best mean F2.

    Here as for two groups of classes, the lowest of equally good ones is taken.
    """
    f2 = _mean_f2(_count_above(scores, targets), _count_truth(scores, targets))
    return CUTS[int(f2.argmax())]


def fit_group_thresholds(
    probs: np.ndarray, targets: np.ndarray, is_culture: np.ndarray
) -> np.ndarray:
    """Fit a threshold of cultures and one of tags, over all pairs of CUTS: (C,)."""
    cultures = _count_above(probs[:, is_culture], targets[:, is_culture])  # (2, N, G)
    tags = _count_above(probs[:, ~is_culture], targets[:, ~is_culture])  # (2, N, G)
    truth = _count_truth(probs, targets)
    f2 = np.array([_mean_f2(cultures[..., [k]] + tags, truth) for k in range(len(CUTS))])  # (G, G)
    culture, tag = (CUTS[k] for k in np.unravel_index(f2.argmax(), f2.shape))
    return np.where(is_culture, culture, tag).astype(probs.dtype)


def fit_class_thresholds(
    probs: np.ndarray, targets: np.ndarray, shrinkage: float = 0.0
) -> np.ndarray:
    """Fit each class's threshold to the best F2 of its own images, over all cuts between them.

    Rare classes overfit (Lin and Lin, CIKM 2023), so a class of n positives may be drawn to the
    best threshold of all: its own one weighs n / (n + shrinkage), and nothing without positives.

    Args:
        probs: probabilities (N, C) of validation images.
        targets: their true labels.
        shrinkage: positives for which both thresholds weigh the same, 0 for the own one alone.

    Returns:
        Thresholds (C,).
    """
    shared = best_cut(probs, targets)
    positives = np.count_nonzero(targets, axis=0)  # (C,)
    own = np.full(len(positives), shared)
    for k in np.flatnonzero(positives):
        own[k] = _best_class_cut(probs[:, k], targets[:, k])
    weights = positives / np.maximum(positives + shrinkage, 1)
    return weights * own + (1 - weights) * shared


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
