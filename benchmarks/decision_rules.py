"""Rules that turn probabilities into label sets, each fitted to the best sample-averaged F2.

What `cross_validate` compares with the set of highest expected F2, which is what the package uses.

A rule turns probabilities (N, C) into preds (N, C) bool and gives an image at least one label, the
most probable one. It is fitted to probabilities of other images, their true labels, bool (N, C),
and whether a class is a culture, bool (C,).
"""

from collections.abc import Callable, Sequence
from functools import partial
from itertools import product
from typing import Any

import numpy as np
from scipy.special import logit
from sklearn.linear_model import LogisticRegression

from imet_utils.decoding import best_expected_sets
from imet_utils.metrics import f2_per_image

Rule = Callable[[np.ndarray], np.ndarray]
Fit = Callable[[np.ndarray, np.ndarray, np.ndarray], Rule]

CUTS = tuple(k / 100 for k in range(1, 101))  # of probabilities, and of shares of the highest one
SHRINKAGE = 50.0  # positives for which a class's own threshold counts as much as the shared one


def decide_unseen(
    rule: str, probs: np.ndarray, targets: np.ndarray, is_culture: np.ndarray, part_of: np.ndarray
) -> np.ndarray:
    """Choose labels by a rule that is fitted to the other parts of the images, bool (N, C).

    `part_of` (N,) has two parts at least, unless the rule has nothing to fit.
    """
    preds = np.empty_like(targets)
    for part in np.unique(part_of):
        mine, others = part_of == part, part_of != part
        decide = RULES[rule](probs[others], targets[others], is_culture)
        preds[mine] = decide(probs[mine])
    return preds


def score_f2(
    rule: str, probs: np.ndarray, targets: np.ndarray, is_culture: np.ndarray, part_of: np.ndarray
) -> np.ndarray:
    """Score labels chosen by `decide_unseen`, F2 of each image (N,); the rule "beam" has chosen."""
    if rule != "beam":
        probs = decide_unseen(rule, probs, targets, is_culture, part_of)
    return f2_per_image(probs > 0, targets)


def fit_threshold(probs: np.ndarray, targets: np.ndarray, _: np.ndarray) -> Rule:
    """Fit a threshold of all classes."""
    return partial(decide_by_threshold, threshold=best_threshold(probs, targets, CUTS))


def best_threshold(
    probs: np.ndarray, targets: np.ndarray, candidates: Sequence[float | np.ndarray]
) -> Any:  # noqa: ANN401 - one of the candidates
    """Find the first of the thresholds of the highest mean F2."""
    sets = (decide_by_threshold(probs, threshold) for threshold in candidates)
    return candidates[int(np.argmax([f2_per_image(preds, targets).mean() for preds in sets]))]


def decide_by_threshold(probs: np.ndarray, threshold: float | np.ndarray) -> np.ndarray:
    """Predict the labels at or above a threshold, of all classes or (C,) of each.

    >>> decide_by_threshold(np.array([[0.1, 0.2], [0.6, 0.7]]), 0.5)
    array([[False,  True],
           [ True,  True]])
    """
    preds = probs >= threshold
    preds[range(len(probs)), probs.argmax(axis=1)] |= ~preds.any(axis=1)
    return preds


def fit_share(probs: np.ndarray, targets: np.ndarray, is_culture: np.ndarray) -> Rule:
    """Fit the share of an image's highest probability that a label must have."""
    decide = fit_threshold(relative_to_highest(probs), targets, is_culture)
    return lambda probs: decide(relative_to_highest(probs))


def relative_to_highest(probs: np.ndarray) -> np.ndarray:
    """Divide each image's probabilities (N, C) by the highest one, unless it is 0."""
    highest = probs.max(axis=1, keepdims=True)
    return probs / np.where(highest > 0, highest, 1)


def fit_group_thresholds(probs: np.ndarray, targets: np.ndarray, is_culture: np.ndarray) -> Rule:
    """Fit a threshold of cultures and one of tags, over all pairs of CUTS."""
    pairs = [np.where(is_culture, *probs.dtype.type(pair)) for pair in product(CUTS, CUTS)]
    return partial(decide_by_threshold, threshold=best_threshold(probs, targets, pairs))


def fit_class_thresholds(
    probs: np.ndarray, targets: np.ndarray, _: np.ndarray, shrinkage: float = 0.0
) -> Rule:
    """Fit each class's threshold to the best F2 of its own images, over all cuts between them.

    Rare classes overfit (Lin and Lin, CIKM 2023), so a class of n positives may be drawn to the
    best threshold of all: its own one weighs n / (n + shrinkage), and nothing without positives.
    """
    shared = best_threshold(probs, targets, CUTS)
    positives = np.count_nonzero(targets, axis=0)  # (C,)
    own = np.full(len(positives), shared)
    for k in np.flatnonzero(positives):
        own[k] = _best_class_cut(probs[:, k], targets[:, k])
    weights = positives / np.maximum(positives + shrinkage, 1)
    return partial(decide_by_threshold, threshold=weights * own + (1 - weights) * shared)


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


def fit_calibration(probs: np.ndarray, targets: np.ndarray, is_culture: np.ndarray) -> Rule:
    """Fit scale and shift of the logits of cultures and of tags, before the expected F2 (Platt)."""
    fitted = []
    for kind in (is_culture, ~is_culture):
        model = LogisticRegression(C=np.inf)
        if len(np.unique(targets[:, kind])) == 2:  # else there is nothing to fit
            fitted.append((kind, model.fit(_logits(probs[:, kind]), targets[:, kind].ravel())))

    def decide(probs: np.ndarray) -> np.ndarray:
        calibrated = probs.copy()
        for kind, model in fitted:
            found = model.predict_proba(_logits(probs[:, kind]))[:, 1]
            calibrated[:, kind] = found.reshape(len(probs), -1)
        return best_expected_sets(calibrated)

    return decide


def _logits(probs: np.ndarray) -> np.ndarray:
    """Return the logits of all probabilities in a column, those of 0 and 1 kept finite."""
    return logit(np.clip(probs.astype(float), 1e-6, 1 - 1e-6)).reshape(-1, 1)


RULES: dict[str, Fit] = {  # the simplest first
    "one threshold": fit_threshold,
    "culture and tag thresholds": fit_group_thresholds,
    "share of the highest": fit_share,
    "class thresholds": fit_class_thresholds,
    "class thresholds, shrunk": partial(fit_class_thresholds, shrinkage=SHRINKAGE),
    "expected F2, calibrated by kind": fit_calibration,
    "expected F2": lambda *_: best_expected_sets,
}
