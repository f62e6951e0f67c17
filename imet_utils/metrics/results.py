"""Rows of the results table, and bootstrap intervals.

Images are drawn anew, with replacement (the percentile bootstrap of Efron and Tibshirani, 1993);
the intervals do not cover another training run.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from scipy.stats import bootstrap

from imet_utils.metrics.scores import (
    Threshold,
    best_threshold,
    f2_per_image,
    mean_average_precision,
    sample_scores,
)

BASELINE = "Baseline (poster)"  # that no head should be worse than
FEW_TRAINING, FEW_TEST = 100, 20  # images, below which scores mean little
MARGIN = 0.02  # of F2, within which two models are alike
NUM_DRAWS = 10_000  # of the images, in a bootstrap
CHUNK_CELLS = 1 << 20  # images drawn at once: 8 MiB of indices


class Interval(NamedTuple):
    """A mean and its 95 % confidence interval."""

    mean: float
    low: float
    high: float


def bootstrap_mean(values: np.ndarray) -> Interval:
    """Bound the mean of one finite value per image, (N,), such as `f2_per_image`.

    For a difference of two models, take that of their values image by image.

    >>> bootstrap_mean(np.array([0.5, 0.5, 0.5]))
    Interval(mean=0.5, low=0.5, high=0.5)
    """
    values = np.asarray(values, dtype=float)
    mean = float(values.mean())
    if len(values) == 1:  # which `bootstrap` refuses
        return Interval(mean, mean, mean)
    batch = max(1, CHUNK_CELLS // len(values))
    found = bootstrap(
        (values,), np.mean, n_resamples=NUM_DRAWS, batch=batch, method="percentile", rng=0
    )
    low, high = found.confidence_interval
    return Interval(mean, float(low), float(high))


def score_row(
    model: str, split: str, preds: np.ndarray, targets: np.ndarray, probs: np.ndarray | None = None
) -> dict[str, Any]:
    """Make the row of a model on a split: f2, f1, precision, recall, and map where it has `probs`.

    `map` is None without probabilities and where no class has images with and without it.
    """
    mean = math.nan if probs is None else mean_average_precision(probs, targets)[0]
    scores = sample_scores(preds, targets)
    return {"model": model, "split": split, **scores, "map": None if math.isnan(mean) else mean}


def score_table(rows: Sequence[Mapping[str, Any]] | pd.DataFrame) -> pd.DataFrame:
    """Format rows of `score_row` with three digits, and a missing score as empty.

    >>> score_table([{"model": "guess", "f2": 0.12345, "map": None}]).values.tolist()
    [['guess', '0.123', '']]
    """
    table = pd.DataFrame(rows)
    scores = table.columns.difference(["model", "split"], sort=False)
    table[scores] = table[scores].map(lambda score: "" if pd.isna(score) else f"{score:.3f}")
    return table


def score_rule(
    model: str,
    decide: Callable[[np.ndarray], np.ndarray],
    probs: Mapping[str, np.ndarray],
    targets: Mapping[str, np.ndarray],
) -> list[dict[str, Any]]:
    """Make the rows of a model on validation and test.

    Args:
        model: name in the table.
        decide: from probabilities (N, C) to label sets, bool (N, C).
        probs: probabilities (N, C) of `val` and `test`.
        targets: true labels, bool (N, C), of both.
    """
    return [
        score_row(model, split, decide(probs[split]), targets[split], probs[split])
        for split in ("val", "test")
    ]


def score_splits(
    model: str, probs: Mapping[str, np.ndarray], targets: Mapping[str, np.ndarray]
) -> tuple[Threshold, list[dict[str, Any]]]:
    """Choose the threshold of the best validation F2, and make the rows of `score_rule` with it."""
    threshold = best_threshold(probs["val"], targets["val"])
    return threshold, score_rule(model, lambda found: found >= threshold.value, probs, targets)


def compare_decodings(
    decided: Mapping[str, np.ndarray], targets: np.ndarray, reference: str
) -> pd.DataFrame:
    """Compare label sets of the same images, with 95 % bootstrap intervals over the images.

    Args:
        decided: preds (N, C) of each decoding by its name.
        targets: true labels, bool (N, C).
        reference: the decoding that the others are compared to, image by image.

    Returns:
        Columns decoding, labels (predicted an image), f2, low, high, and difference,
        difference_low, difference_high to the reference.
    """
    scores = {name: f2_per_image(preds, targets) for name, preds in decided.items()}
    rows = []
    for name, values in scores.items():
        size = float(decided[name].sum(axis=1).mean())
        differences = bootstrap_mean(values - scores[reference])
        rows.append([name, size, *bootstrap_mean(values), *differences])
    columns = ["decoding", "labels", "f2", "low", "high"]
    columns += ["difference", "difference_low", "difference_high"]
    return pd.DataFrame(rows, columns=columns)


def prediction_warnings(
    results: pd.DataFrame, model: str, preds: np.ndarray, num_training: int
) -> list[str]:
    """Warn of predictions that should not be used as they are.

    Args:
        results: rows of the results table, with `constant guess` and `BASELINE`.
        model: whose predictions are used.
        preds: its label sets of the test images, bool (N, C).
        num_training: training images.
    """
    f2 = results[results["split"] == "test"].set_index("model")["f2"]
    warnings = []
    if f2[model] <= f2["constant guess"] + MARGIN:
        warnings.append(
            f"{model}: hardly better than guessing, test F2 {f2[model]:.3f}, and "
            f"{f2['constant guess']:.3f} for the same labels on every image."
        )
    if f2[model] < f2[BASELINE] - MARGIN:
        warnings.append(
            f"{model}: worse than the baseline, test F2 {f2[model]:.3f} and "
            f"{f2[BASELINE]:.3f}. Was it trained for long enough?"
        )
    if len(preds) > 1 and (preds == preds[0]).all():
        warnings.append(f"{model}: the same {preds[0].sum()} labels for every test image.")
    if num_training < FEW_TRAINING or len(preds) < FEW_TEST:
        warnings.append(
            f"{num_training} training and {len(preds)} test images are too few: scores may be "
            "off by 0.1 and more."
        )
    return warnings
