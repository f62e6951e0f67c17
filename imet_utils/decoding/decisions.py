"""From probabilities to label sets, by what a user asks for."""

from collections.abc import Callable
from functools import partial

import numpy as np

from imet_utils.decoding.expected_fbeta import best_expected_sets
from imet_utils.metrics import threshold_curve

Decide = Callable[[np.ndarray], np.ndarray]  # probabilities (N, C) to preds (N, C) bool
EXPECTED = {"expected F2": 2.0, "expected F1": 1.0}  # beta


def choose_decision(
    decision: str, probs: np.ndarray, targets: np.ndarray, calibrated: bool = True
) -> Decide:
    """Choose how labels are read off probabilities.

    Args:
        decision: `expected F2` or `expected F1`: the label set of the highest expected score, at
            least one label; or a wished precision such as `0.7`, for those who review by hand: the
            labels above the lowest threshold that reached it on validation, maybe none.
        probs: probabilities (N, C) of validation images.
        targets: their true labels, bool (N, C).
        calibrated: whether the probabilities can be taken at their word; else, instead of an
            expected score, one threshold of the best score on validation decides.

    Raises:
        ValueError: if it is none of these, or no threshold reaches the precision.
    """
    if decision in EXPECTED:
        if calibrated:
            return partial(best_expected_sets, beta=EXPECTED[decision])
        curve = threshold_curve(probs, targets)
        best = curve.loc[curve[decision[-2:].lower()].idxmax(), "threshold"]
        return lambda found: found >= best
    try:
        wished = float(decision)
    except ValueError:
        wished = 0.0
    if not 0 < wished < 1:
        raise ValueError(
            f"DECISION is {decision!r}; it must be 'expected F2', 'expected F1' or a precision "
            "between 0 and 1 such as 0.7"
        )
    threshold = precision_threshold(probs, targets, wished)
    return lambda found: found >= threshold


def precision_threshold(probs: np.ndarray, targets: np.ndarray, precision: float) -> float:
    """Find the lowest threshold at which this share of the predicted labels is right.

    All images and classes count together; what is wished on validation is met elsewhere only about.

    Args:
        probs: probabilities (N, C).
        targets: true labels, bool (N, C).
        precision: wished, in (0, 1).

    Raises:
        ValueError: if no threshold reaches it, with the highest precision there is.

    >>> probs, targets = np.array([[0.9, 0.8, 0.3, 0.1]]), np.array([[True, True, False, True]])
    >>> precision_threshold(probs, targets, 0.7)
    0.1
    """
    order = np.argsort(-probs, axis=None, kind="stable")
    ranked, right = probs.ravel()[order], targets.ravel()[order]
    reached = right.cumsum() / np.arange(1, len(right) + 1)
    last_of_equals = np.append(ranked[1:] != ranked[:-1], True)
    enough = np.flatnonzero((reached >= precision) & last_of_equals)
    if not enough.size:
        highest = reached[last_of_equals].max()
        raise ValueError(
            f"no threshold has a precision of {precision} on validation; the highest is "
            f"{highest:.2f}. Wish for less, or train on more images"
        )
    return float(ranked[enough[-1]])
