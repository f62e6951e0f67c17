"""Rows of the results table, and bootstrap intervals."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from scipy.stats import bootstrap

from imet_utils.metrics.scores import (
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

    Images are drawn with replacement (the percentile bootstrap of Efron and Tibshirani, 1993); the
    interval does not cover another training run. For a difference of two models, take that of their
    values image by image.
    """
    values = np.asarray(values, dtype=float)
    mean = float(values.mean())
    if len(values) == 1:  # which `bootstrap` refuses
        return Interval(mean, mean, mean)
    options: dict[str, Any] = {"n_resamples": NUM_DRAWS, "method": "percentile", "rng": 0}
    found = bootstrap((values,), np.mean, batch=max(1, CHUNK_CELLS // len(values)), **options)
    return Interval(mean, *map(float, found.confidence_interval))


def score_row(
    model: str, split: str, preds: np.ndarray, targets: np.ndarray, probs: np.ndarray | None = None
) -> dict[str, Any]:
    """Make the row of a model on a split: f2, f1, precision, recall, map, f2_low and f2_high.

    `map` is None without probabilities and where no class has images with and without it; the last
    two are the 95 % interval of F2.
    """
    mean = math.nan if probs is None else mean_average_precision(probs, targets)[0]
    scores = sample_scores(preds, targets) | {"map": None if math.isnan(mean) else mean}
    return {"model": model, "split": split, **scores, **_f2_interval(preds, targets)}


def _f2_interval(preds: np.ndarray, targets: np.ndarray) -> dict[str, float]:
    interval = bootstrap_mean(f2_per_image(preds, targets))
    return {"f2_low": interval.low, "f2_high": interval.high}


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
    """Make the rows of a model on `val` and `test`; `decide` turns probabilities into preds."""
    return [
        score_row(model, split, decide(probs[split]), targets[split], probs[split])
        for split in ("val", "test")
    ]


def score_splits(
    model: str, probs: Mapping[str, np.ndarray], targets: Mapping[str, np.ndarray]
) -> tuple[float, list[dict[str, Any]]]:
    """Choose the threshold of the best validation F2, and make the rows of `score_rule` with it."""
    threshold = best_threshold(probs["val"], targets["val"])
    return threshold, score_rule(model, lambda found: found >= threshold, probs, targets)


def compare_decodings(
    decided: Mapping[str, np.ndarray], targets: np.ndarray, reference: str
) -> pd.DataFrame:
    """Compare label sets, preds (N, C) by the name of their decoding, of the same images.

    Returns:
        Columns decoding, labels (predicted an image), f2, low, high, and difference,
        difference_low, difference_high to the `reference`, image by image, with the 95 % intervals
        of `bootstrap_mean`.
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


def scores_by_group(
    preds: np.ndarray, targets: np.ndarray, groups: Mapping[str, np.ndarray]
) -> pd.DataFrame:
    """Score groups of classes, bool (C,), over the images with a true or predicted label in it.

    Returns:
        Columns group, classes, images (scored), left_out, f2, f1, precision, recall, f2_low and
        f2_high (the 95 % interval of F2); the scores are NaN where no image is left.
    """
    rows = []
    for name, members in groups.items():
        some = (preds[:, members] | targets[:, members]).any(axis=1)  # (N,)
        row: dict[str, Any] = {"group": name, "classes": int(members.sum())}
        row |= {"images": int(some.sum()), "left_out": int((~some).sum())}
        if some.any():
            own = preds[some][:, members], targets[some][:, members]
            row |= sample_scores(*own) | _f2_interval(*own)
        rows.append(row)
    columns = ["group", "classes", "images", "left_out", "f2", "f1", "precision", "recall"]
    return pd.DataFrame(rows, columns=[*columns, "f2_low", "f2_high"])


def prediction_warnings(
    results: pd.DataFrame, model: str, preds: np.ndarray, num_training: int
) -> list[str]:
    """Warn of a model's label sets of the test images, bool (N, C), that should not be used as is.

    `results` has rows of it, of the `constant guess` and of `BASELINE`.
    """
    f2 = results[results["split"] == "test"].set_index("model")["f2"]
    own, guess, baseline = f2[model], f2["constant guess"], f2[BASELINE]
    same = f"the same {preds[:1].sum()} labels for every test image."
    worse = f"worse than the baseline, test F2 {own:.3f} and {baseline:.3f}."
    hardly = f"hardly better than guessing, test F2 {own:.3f}, and {guess:.3f} for the same labels"
    few = f"{num_training} training and {len(preds)} test images are too few: scores may be off"
    checks = [
        (own <= guess + MARGIN, f"{model}: {hardly} on every image."),
        (own < baseline - MARGIN, f"{model}: {worse} Was it trained for long enough?"),
        (len(preds) > 1 and (preds == preds[:1]).all(), f"{model}: {same}"),
        (num_training < FEW_TRAINING or len(preds) < FEW_TEST, f"{few} by 0.1 and more."),
    ]
    return [text for holds, text in checks if holds]
