"""Rows of the results table: a model's scores on validation and test, by choices of validation."""

import math
from collections.abc import Mapping
from dataclasses import astuple
from typing import Any

import numpy as np
import pandas as pd

from imet_utils.decisions import Rule
from imet_utils.intervals import bootstrap_difference, bootstrap_mean
from imet_utils.metrics import (
    Threshold,
    best_threshold,
    f2_per_image,
    mean_average_precision,
    sample_scores,
)


def score_row(
    model: str, split: str, preds: np.ndarray, targets: np.ndarray, probs: np.ndarray | None = None
) -> dict[str, Any]:
    """Make the row of a model on a split: f2, f1, precision, recall, and map where it has `probs`.

    `map` is None without probabilities and where no class has images with and without it.
    """
    mean = math.nan if probs is None else mean_average_precision(probs, targets)[0]
    scores = sample_scores(preds, targets)
    return {"model": model, "split": split, **scores, "map": None if math.isnan(mean) else mean}


def score_splits(
    model: str, probs: Mapping[str, np.ndarray], targets: Mapping[str, np.ndarray]
) -> tuple[Threshold, list[dict[str, Any]]]:
    """Choose the threshold of the best validation F2 and score validation and test with it.

    Args:
        model: name in the table.
        probs: probabilities (N, C) of `val` and `test`.
        targets: true labels (N, C) of both.

    Returns:
        The threshold and a row for each of the two.
    """
    threshold = best_threshold(probs["val"], targets["val"])
    rows = [
        score_row(model, split, probs[split] >= threshold.value, targets[split], probs[split])
        for split in ("val", "test")
    ]
    return threshold, rows


def score_rule(
    model: str, rule: Rule, probs: Mapping[str, np.ndarray], targets: Mapping[str, np.ndarray]
) -> list[dict[str, Any]]:
    """Score validation and test by a decision rule. Arguments as for `score_splits`."""
    return [
        score_row(model, split, rule(probs[split]), targets[split], probs[split])
        for split in ("val", "test")
    ]


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
    if reference not in decided:
        raise ValueError(f"reference must be one of {list(decided)}, got {reference!r}")
    scores = {name: f2_per_image(preds, targets) for name, preds in decided.items()}
    rows = []
    for name, values in scores.items():
        mean, gap = bootstrap_mean(values), bootstrap_difference(values, scores[reference])
        size = float(decided[name].sum(axis=1).mean())
        rows.append([name, size, *astuple(mean), *astuple(gap)])
    columns = ["decoding", "labels", "f2", "low", "high"]
    columns += ["difference", "difference_low", "difference_high"]
    return pd.DataFrame(rows, columns=columns)
