"""Several finished runs as one labeller: other encoders, seeds or settings, or folds."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from imet_utils.decoding import Decision, choose_decision, precision_thresholds
from imet_utils.files import save_csv
from imet_utils.labeller import Labeller
from imet_utils.metrics import score_row, score_rule
from imet_utils.provenance import find_product
from imet_utils.runs import EVALUATED, Run, read_run
from imet_utils.tables import SPLITS, load_unlabelled, take_split

MEAN, OUT_OF_FOLD = "mean of the runs", "out of fold"  # rows of the results
LABELLER = "labeller/labeller.json"  # which the notebook of the predictions makes, too
FITTED = "fitted"  # weights that are not given
NUM_STEPS = 200  # of their fit


def write_ensemble(
    output_dirs: Sequence[Path], folder: Path, weights: Sequence[float] | str = ()
) -> tuple[Labeller, pd.DataFrame]:
    """Average runs: write their labeller to a folder, with its scores and the submission.

    Decision and thresholds are chosen anew: on validation, or, where the runs are of several folds,
    on the test images of all folds, each predicted by the runs of its own fold alone, which have
    not learned from it.

    Args:
        output_dirs: of two runs at least, of one collection, of one split or of several of its
            folds.
        folder: replaced by the new one.
        weights: of the runs, above 0; `FITTED`, see `fit_weights`; empty for equal ones.

    Returns:
        The labeller, which averages the final ones of the runs, and the scores of each run and of
        their mean before they learned from validation and test, as in `results.csv`.

    Raises:
        ValueError: for a single run, for runs with other labels, other images or another split, or
            wrong weights.
    """
    if len(set(output_dirs)) < 2:
        raise ValueError(f"name at least two runs, got {', '.join(map(str, output_dirs))}")
    runs = [read_run(output_dir) for output_dir in output_dirs]
    folds = _group(runs)
    shares = _weigh(runs, folds, weights)
    means = [_average(fold, shares) for fold in folds]
    rows = [_score(run, split) for run in runs for split in EVALUATED]
    if len(folds) == 1:
        [(decide, probs)] = means
        rows += score_rule(MEAN, decide, probs, runs[0].targets)
        known, true = probs["val"], runs[0].targets["val"]
    else:
        known = np.concatenate([probs["test"] for _, probs in means])
        true = np.concatenate([fold[0].targets["test"] for fold in folds])
        preds = np.concatenate([decide(probs["test"]) for decide, probs in means])
        rows.append(score_row(f"{OUT_OF_FOLD}, {len(true):,} images", "test", preds, true, known))
        decide = choose_decision(runs[0].setting("DECISION"), known, true)
    first, *others = (Labeller.load(run.output_dir) for run in runs)
    labeller = replace(
        first,
        settings=replace(first.settings, thresholds=precision_thresholds(known, true)),
        decision=decide,
        others=tuple(others),
        shares=tuple(shares[run] for run in runs) if shares else (),
    )
    run, results = runs[0], pd.DataFrame(rows)
    unlabelled = load_unlabelled(run.data_dir, run.output_dir, run.setting("ON_BAD_IMAGE"))
    submission = labeller.submit(unlabelled["id"], unlabelled["path"])
    labeller.save(folder)
    save_csv(results, folder / "results.csv")
    if len(submission):
        save_csv(submission, folder / "submission.csv")
    return labeller, results


def fit_weights(probs: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """Find the weights of the mean under which the targets are most likely, of sum 1.

    The steps of expectation maximisation for the weights of a mixture (Dempster, Laird and Rubin,
    1977).

    Args:
        probs: of several runs, (R, N, C).
        targets: bool (N, C).

    >>> probs, targets = np.array([[[0.9, 0.2]], [[0.5, 0.5]]]), np.array([[True, False]])
    >>> fit_weights(probs, targets).round(3)
    array([1., 0.])
    """
    likely = np.where(targets, probs, 1 - probs).reshape(len(probs), -1).clip(1e-6)
    weights = np.full(len(probs), 1 / len(probs))
    for _ in range(NUM_STEPS):
        weights = weights * (likely / (weights @ likely)).mean(axis=1)
    return weights


def _weigh(
    runs: Sequence[Run], folds: Sequence[Sequence[Run]], weights: Sequence[float] | str
) -> dict[Run, float]:
    """Give each run its weight, of sum 1; nothing where all are equal."""
    if isinstance(weights, str):
        fitted: dict[Run, float] = {}
        for fold in folds:
            val = np.stack([_read(run, "probs", "val") for run in fold])
            own = fit_weights(val, fold[0].targets["val"]) / len(folds)
            fitted |= zip(fold, own.tolist(), strict=True)
        return fitted
    if weights and (len(weights) != len(runs) or not all(0 < w < math.inf for w in weights)):
        raise ValueError(f"wanted a weight above 0 for each of {len(runs)} runs, got {weights}")
    return {run: weight / sum(weights) for run, weight in zip(runs, weights, strict=False)}


def _average(
    fold: Sequence[Run], shares: Mapping[Run, float]
) -> tuple[Decision, dict[str, np.ndarray]]:
    """Average the probabilities of runs of one split, and decide by its validation.

    Returns:
        The decision, and the mean (N, C) for validation and test.
    """
    own = [shares[run] for run in fold] if shares else None
    mean = {
        split: np.average([_read(run, "probs", split) for run in fold], axis=0, weights=own)
        for split in EVALUATED
    }
    rule, targets = fold[0].setting("DECISION"), fold[0].targets["val"]
    return choose_decision(rule, mean["val"], targets), mean


def _score(run: Run, split: str) -> dict[str, Any]:
    """Score a run by its own decision."""
    preds, probs = _read(run, "preds", split), _read(run, "probs", split)
    return score_row(str(run.output_dir), split, preds, run.targets[split], probs)


def _read(run: Run, name: str, split: str) -> np.ndarray:
    """Read `probs` or `preds` of the notebook that has made the labeller of a run, (N, C)."""
    maker = {k: record for k, record in run.upstream.items() if LABELLER in record["products"]}
    path, _ = find_product(run.output_dir, "preds_test.npy", maker)
    return np.load(path.with_name(f"{name}_{split}.npy"))


def _group(runs: Sequence[Run]) -> list[list[Run]]:
    """Group runs by their fold; those without one are one group.

    Raises:
        ValueError: if labels or images differ, or the split within a fold, or if folds overlap.
    """
    folds: dict[str, list[Run]] = {}
    for run in runs:
        fold = folds.setdefault(str(run.setting("FOLD", default="None")), [])
        fold.append(run)
        _check_same(runs[0], run, ["labels", "images"])
        _check_same(fold[0], run, [f"images of {split}" for split in SPLITS])
    tested = [image for fold in folds.values() for image in _list_parts(fold[0])["images of test"]]
    if len(set(tested)) < len(tested):
        raise ValueError(
            "images are in test of several of these folds. Run each with another FOLD, and all of "
            "them with the same SPLIT_SEED"
        )
    return list(folds.values())


def _check_same(first: Run, other: Run, parts: Sequence[str]) -> None:
    wanted, found = _list_parts(first), _list_parts(other)
    for name in parts:
        if wanted[name] != found[name]:
            raise ValueError(
                f"{other.output_dir} has other {name} than {first.output_dir}. Run both on one "
                "collection, with the same LIMIT, MIN_COUNT and SPLIT_SEED"
            )


def _list_parts(run: Run) -> dict[str, list[str]]:
    """List the labels of a run, its images, and those of each split in their order."""
    parts = {f"images of {s}": take_split(run.tables, s).images["id"].tolist() for s in SPLITS}
    return {"labels": run.label_names.tolist(), "images": sorted(run.tables.images["id"]), **parts}
