"""Several finished runs as one labeller: other encoders, seeds or settings, on the same split."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from imet_utils.decoding import choose_decision, precision_thresholds
from imet_utils.files import save_csv
from imet_utils.labeller import PRECISIONS, Labeller
from imet_utils.metrics import score_row, score_rule
from imet_utils.runs import EVALUATED, Run, read_run
from imet_utils.tables import SPLITS, load_unlabelled, take_split

MEAN = "mean of the runs"  # a row of the results
MADE = ("results.csv", "submission.csv")  # beside the labeller


def join_runs(output_dirs: Sequence[Path]) -> tuple[Labeller, pd.DataFrame]:
    """Average the predictions of runs; decision and thresholds are chosen anew on validation.

    Args:
        output_dirs: of two runs at least, of one collection and one split.

    Returns:
        The labeller, which averages the final ones of the runs, and the scores of each run and of
        their mean before they learned from validation and test, as in `results.csv`.

    Raises:
        ValueError: for a single run, or runs with other labels, other images or another split.
    """
    if len(set(output_dirs)) < 2:
        raise ValueError(f"name at least two runs, got {', '.join(map(str, output_dirs))}")
    runs = [read_run(folder) for folder in output_dirs]
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
    thresholds = precision_thresholds(mean["val"], targets["val"], PRECISIONS)
    first, *others = (Labeller.load(run.output_dir) for run in runs)
    cuts = {str(precision): cut for precision, cut in thresholds.items()}
    settings = replace(first.settings, thresholds=cuts)
    labeller = replace(first, settings=settings, decision=decide, others=tuple(others))
    return labeller, pd.DataFrame(rows)


def write_ensemble(output_dirs: Sequence[Path], folder: Path) -> pd.DataFrame:
    """Write the labeller of `join_runs` to a folder, its scores, and the submission.

    Returns:
        The scores.
    """
    labeller, results = join_runs(output_dirs)
    run = read_run(output_dirs[0])
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
    pairs = {"labels": (first.label_names.tolist(), other.label_names.tolist())}
    for split in SPLITS:
        ids = (take_split(run.tables, split).images["id"].tolist() for run in (first, other))
        pairs[f"images of {split}"] = tuple(ids)  # type: ignore[assignment]  # of length 2
    for name, (one, two) in pairs.items():
        if one != two:
            raise ValueError(
                f"{other.output_dir} has other {name} than {first.output_dir}. Run both on one "
                "collection, with the same LIMIT, MIN_COUNT and SPLIT_SEED"
            )
