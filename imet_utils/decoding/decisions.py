"""From probabilities to label sets, by what a user asks for."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from sklearn.metrics import precision_recall_curve

from imet_utils.decoding.expected_fbeta import best_expected_sets
from imet_utils.metrics import bootstrap_mean, f2_per_image, threshold_curve

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
        curve = threshold_curve(probs, targets)
        return Decision(threshold=curve.loc[curve[decision[-2:].lower()].idxmax(), "threshold"])
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
    probs: np.ndarray, targets: np.ndarray, precisions: Sequence[float]
) -> dict[float, float]:
    """Find the lowest threshold that reaches each precision, all images and classes together.

    >>> probs, targets = np.array([[0.9, 0.8, 0.3, 0.1]]), np.array([[True, True, False, True]])
    >>> precision_thresholds(probs, targets, [0.7, 0.8, 1.1])
    {0.7: 0.1, 0.8: 0.8}
    """
    reached, _, cuts = precision_recall_curve(targets.ravel(), probs.ravel())  # cuts ascend
    found = {wanted: np.flatnonzero(reached[:-1] >= wanted) for wanted in precisions}
    return {wanted: float(cuts[rows[0]]) for wanted, rows in found.items() if rows.size}


def choose_candidate(
    candidates: Mapping[str, Mapping[str, np.ndarray]],
    targets: np.ndarray,
    decision: str,
    default: str,
    calibrated: Collection[str],
) -> tuple[str, dict[str, Decision], pd.DataFrame]:
    """Choose whose predictions are used: the default, unless another is clearly better.

    That is, if its mean F2 on validation is higher by more than the standard error of the
    difference, image by image; of several the best.

    Args:
        candidates: probabilities (N, C) of `val`, and maybe of other splits, by name.
        targets: of validation, (N, C) bool.
        decision: as for `choose_decision`.
        default: one of the candidates.
        calibrated: those whose probabilities are calibrated.

    Returns:
        The name, the decision of each, and columns val F2, gain, standard error, a row each.
    """
    decisions, f2 = {}, {}
    for name, found in candidates.items():
        decisions[name] = choose_decision(decision, found["val"], targets, name in calibrated)
        f2[name] = f2_per_image(decisions[name](found["val"]), targets)  # (N,)
    rows = {}
    for name, scores in f2.items():
        gain = bootstrap_mean(scores - f2[default])
        standard_error = (gain.high - gain.low) / (2 * 1.96)
        rows[name] = {"val F2": scores.mean(), "gain": gain.mean, "standard error": standard_error}
    table = pd.DataFrame(rows).T
    clear = table[table["gain"] > table["standard error"]]
    return default if clear.empty else str(clear["gain"].idxmax()), decisions, table
