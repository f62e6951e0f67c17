"""Several finished runs as one labeller: other encoders, seeds or settings, on the same split."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from imet_utils.decoding import choose_decision
from imet_utils.files import save_csv
from imet_utils.labeller import Labeller, fit_thresholds
from imet_utils.metrics import score_row, score_rule
from imet_utils.runs import EVALUATED, Run, read_run
from imet_utils.tables import SPLITS, load_unlabelled, take_split

MEAN = "mean of the runs"  # a row of the results
MADE = ("results.csv", "submission.csv")  # beside the labeller


def join_runs(runs: Sequence[Run]) -> tuple[Labeller, pd.DataFrame]:
    """Average the predictions of runs; decision and thresholds are chosen anew on validation.

    Args:
        runs: two at least, of one collection and one split.

    Returns:
        The labeller, which averages the final ones of the runs, and the scores of each run and of
        their mean before they learned from validation and test, as in `results.csv`.

    Raises:
        ValueError: for runs with other labels, other images or another split.
    """
    for run in runs[1:]:
        _check_same(runs[0], run)
    targets = runs[0].targets
    mean = {
        split: np.mean([_read(run, "probs", split) for run in runs], axis=0) for split in EVALUATED
    }
    decide = choose_decision(runs[0].setting("DECISION"), mean["val"], targets["val"])
    rows = []
    for run in runs:  # by its own decision
        for split in EVALUATED:
            preds, probs = _read(run, "preds", split), _read(run, "probs", split)
            rows.append(score_row(str(run.output_dir), split, preds, targets[split], probs))
    rows += score_rule(MEAN, decide, mean, targets)
    first, *others = (Labeller.load(run.output_dir) for run in runs)
    settings = replace(first.settings, thresholds=fit_thresholds(mean["val"], targets["val"]))
    labeller = replace(first, settings=settings, decision=decide, others=tuple(others))
    return labeller, pd.DataFrame(rows)


def write_ensemble(output_dirs: Sequence[Path], folder: Path) -> pd.DataFrame:
    """Write the labeller of `join_runs` to a folder, its scores, and the submission.

    Returns:
        The scores.

    Raises:
        ValueError: for a single run, or as `join_runs`.
    """
    if len(set(output_dirs)) < 2:
        raise ValueError(f"name at least two runs, got {', '.join(map(str, output_dirs))}")
    run, *others = map(read_run, output_dirs)
    labeller, results = join_runs([run, *others])
    unlabelled = load_unlabelled(run.data_dir, run.output_dir, run.setting("ON_BAD_IMAGE"))
    submission = labeller.submit(unlabelled["id"], unlabelled["path"])
    labeller.save(folder)
    for table, name in zip((results, submission), MADE, strict=True):
        if len(table):
            save_csv(table, folder / name)
    return results


def _read(run: Run, name: str, split: str) -> np.ndarray:
    """Read `probs` or `preds` of the evaluation of a run, (N, C)."""
    return np.load(run.find("preds_test.npy").with_name(f"{name}_{split}.npy"))


def _check_same(first: Run, other: Run) -> None:
    """Refuse a run whose labels, images or split differ from those of the first."""
    own = _list_parts(other)
    for name, listed in _list_parts(first).items():
        if listed != own[name]:
            raise ValueError(
                f"{other.output_dir} has other {name} than {first.output_dir}. Run both on one "
                "collection, with the same LIMIT, MIN_COUNT and SPLIT_SEED"
            )


def _list_parts(run: Run) -> dict[str, list[str]]:
    """List the labels of a run and the images of each split."""
    parts = {f"images of {s}": take_split(run.tables, s).images["id"].tolist() for s in SPLITS}
    return {"labels": run.label_names.tolist(), **parts}
