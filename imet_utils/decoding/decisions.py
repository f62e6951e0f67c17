"""From probabilities to label sets, by what a user asks for."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from imet_utils.decoding.expected_fbeta import best_expected_sets
from imet_utils.metrics import bootstrap_mean, f2_per_image, threshold_curve

EXPECTED = {"expected F2": 2.0, "expected F1": 1.0}  # beta


@dataclass(frozen=True)
class Decision:
    """How labels are read off probabilities.

    Attributes:
        beta: of F-beta, whose expected value is to be the highest; at least one label.
        threshold: without a beta: all labels from this probability upwards, maybe none.
    """

    beta: float | None = None
    threshold: float | None = None

    def __call__(self, probs: np.ndarray) -> np.ndarray:
        """Read labels (N, C) off probabilities (N, C)."""
        if self.beta is None:
            return probs >= self.threshold
        return best_expected_sets(probs, self.beta)


def choose_decision(
    decision: str, probs: np.ndarray, targets: np.ndarray, calibrated: bool = True
) -> Decision:
    """Choose how labels are read off probabilities.

    Args:
        decision: `expected F2` or `expected F1`: the label set of the highest expected score; or a
            wished precision such as `0.7`, for those who review by hand: the labels above the
            lowest threshold that reached it on validation.
        probs: probabilities (N, C) of validation images.
        targets: their true labels, bool (N, C).
        calibrated: whether the probabilities can be taken at their word; else, instead of an
            expected score, one threshold of the best score on validation decides.

    Raises:
        ValueError: if it is none of these, or no threshold reaches the precision.
    """
    if decision in EXPECTED:
        if calibrated:
            return Decision(beta=EXPECTED[decision])
        curve = threshold_curve(probs, targets)
        return Decision(threshold=curve.loc[curve[decision[-2:].lower()].idxmax(), "threshold"])
    try:
        wished = float(decision)
    except ValueError:
        wished = 0.0
    if not 0 < wished < 1:
        raise ValueError(
            f"DECISION is {decision!r}; it must be 'expected F2', 'expected F1' or a precision "
            "between 0 and 1 such as 0.7"
        )
    found = precision_thresholds(probs, targets, [wished])
    if not found:
        highest = precision_curve(probs, targets)[1].max()
        raise ValueError(
            f"no threshold has a precision of {wished} on validation; the highest is "
            f"{highest:.2f}. Wish for less, or train on more images"
        )
    return Decision(threshold=found[wished])


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
        targets: true labels of validation, bool (N, C).
        decision: as for `choose_decision`.
        default: one of the candidates.
        calibrated: candidates whose probabilities are calibrated.

    Returns:
        The name, the decision of each, and columns val F2, gain, standard error, a row each.
    """
    decisions, f2 = {}, {}
    for name, found in candidates.items():
        decide = choose_decision(decision, found["val"], targets, name in calibrated)
        decisions[name] = decide
        f2[name] = f2_per_image(decisions[name](found["val"]), targets)  # (N,)
    rows = {}
    for name, scores in f2.items():
        gain = bootstrap_mean(scores - f2[default])
        standard_error = (gain.high - gain.low) / (2 * 1.96)
        rows[name] = {"val F2": scores.mean(), "gain": gain.mean, "standard error": standard_error}
    table = pd.DataFrame(rows).T
    clear = table[table["gain"] > table["standard error"]]
    return default if clear.empty else clear["gain"].idxmax(), decisions, table


def precision_thresholds(
    probs: np.ndarray, targets: np.ndarray, precisions: Sequence[float]
) -> dict[float, float]:
    """Find the lowest threshold at which each of these shares of the predicted labels is right.

    All images and classes count together; what is wished on validation is met elsewhere only about.

    Args:
        probs: probabilities (N, C).
        targets: true labels, bool (N, C).
        precisions: wished, in (0, 1).

    Returns:
        The threshold of each precision that is reached.

    >>> probs, targets = np.array([[0.9, 0.8, 0.3, 0.1]]), np.array([[True, True, False, True]])
    >>> precision_thresholds(probs, targets, [0.7, 0.8])
    {0.7: 0.1, 0.8: 0.8}
    """
    cuts, reached = precision_curve(probs, targets)
    found = {wished: np.flatnonzero(reached >= wished) for wished in precisions}
    return {wished: float(cuts[rows[-1]]) for wished, rows in found.items() if rows.size}


def precision_curve(probs: np.ndarray, targets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return each probability (K,) that occurs, descending, and the precision (K,) of it and up."""
    order = np.argsort(-probs, axis=None, kind="stable")
    ranked, right = probs.ravel()[order], targets.ravel()[order]
    reached = right.cumsum() / np.arange(1, len(right) + 1)
    last_of_equals = np.append(ranked[1:] != ranked[:-1], True)
    return ranked[last_of_equals], reached[last_of_equals]
