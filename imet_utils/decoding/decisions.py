"""From probabilities to label sets, by what a user asks for."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from sklearn.metrics import precision_recall_curve

from imet_utils.decoding.expected_fbeta import best_expected_sets
from imet_utils.metrics import threshold_curve

PRECISIONS = tuple(percent / 100 for percent in range(5, 100))  # targets to choose from
EXPECTED = {"expected F2": 2.0, "expected F1": 1.0}  # beta


@dataclass(frozen=True)
class Decision:
    """How probabilities become labels: by the expected F-beta, or without a beta by a threshold."""

    beta: float | None = None
    threshold: float | None = None  # the lowest probability of a chosen label

    def __call__(self, probs: np.ndarray) -> np.ndarray:
        """Decide on labels, bool (N, C), by probabilities (N, C)."""
        if self.beta is None:
            return probs >= self.threshold
        return best_expected_sets(probs, self.beta)


def choose_decision(
    decision: str, probs: np.ndarray, targets: np.ndarray, calibrated: bool = True
) -> Decision:
    """Choose how probabilities become labels.

    Args:
        decision: `expected F2` or `expected F1`, the label set of the highest expected score; or
            a target precision such as `0.7`, the labels above the lowest threshold that reached it.
        probs: (N, C) of validation images.
        targets: (N, C) bool.
        calibrated: else the threshold of the best score stands for the best expected score.

    Raises:
        ValueError: if it is none of these, or no threshold reaches the precision.
    """
    if decision in EXPECTED:
        if calibrated:
            return Decision(beta=EXPECTED[decision])
        curve = threshold_curve(probs, targets).set_index("threshold")
        return Decision(threshold=float(curve[decision[-2:].lower()].idxmax()))
    try:
        precision = float(decision)
    except ValueError:
        precision = 0.0
    if not 0 < precision < 1:
        raise ValueError(
            f"DECISION is {decision!r}; it must be 'expected F2', 'expected F1' or a precision "
            "between 0 and 1 such as 0.7"
        )
    found = precision_thresholds(probs, targets, [precision])
    if not found:
        highest = precision_recall_curve(targets.ravel(), probs.ravel())[0][:-1].max()
        raise ValueError(
            f"no threshold has a precision of {precision} on validation; the highest is "
            f"{highest:.2f}. Choose a lower one, or train on more images"
        )
    return Decision(threshold=found[precision])


def precision_thresholds(
    probs: np.ndarray, targets: np.ndarray, precisions: Sequence[float] = PRECISIONS
) -> dict[float, float]:
    """Find the lowest threshold that reaches each precision, all images and classes together.

    >>> probs, targets = np.array([[0.9, 0.8, 0.3, 0.1]]), np.array([[True, True, False, True]])
    >>> precision_thresholds(probs, targets, [0.7, 0.8, 1.1])
    {0.7: 0.1, 0.8: 0.8}
    """
    reached, _, cuts = precision_recall_curve(targets.ravel(), probs.ravel())  # cuts ascend
    found = {wanted: np.flatnonzero(reached[:-1] >= wanted) for wanted in precisions}
    return {wanted: float(cuts[rows[0]]) for wanted, rows in found.items() if rows.size}
