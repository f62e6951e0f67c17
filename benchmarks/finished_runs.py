"""Lay out finished runs side by side: their settings, scores, and what each notebook took.

    python benchmarks/finished_runs.py NAME=DIR ... [--scores] [--times NAME ...] [--page [NAME]]

Each name says what distinguishes a run: its collection, the smallest one first, its seed
(`-p SEED 1`), what else the machine had to do, or the instructions that its CPU offers
(`ATEN_CPU_CAPABILITY=avx2 ONEDNN_MAX_CPU_ISA=AVX2`). `--scores` adds means and ranges of scores,
for runs of one collection. A time means something only where one run executed all notebooks in an
empty folder, the painting of the sample among them: `--times` names those runs, else all have
theirs. Images for a table without them come from `render_collection.py`; with `measured_run.py` in
place of `./run_all.sh` a run has peaks of memory, too.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
from measured_run import PEAKS
from page import format_table, make_parser, publish

from imet_utils.files import load_json, try_json
from imet_utils.tables import read_tables

SETTINGS = (
    *("ENCODER", "IMAGE_SIZE", "TRAIN_VIEWS", "CACHE_GB", "ENGINE", "NUM_WORKERS"),
    *("BEAM_SIZE", "NUM_FOLDS", "REFIT"),
)

Notebooks = Mapping[str, Mapping[str, Any]]  # their records in a run's `run.json`, by name


def named_folder(word: str) -> tuple[str, Path]:
    """Read NAME=DIR, of a command line."""
    name, folder = word.split("=", 1)
    return name, Path(folder)


def describe_run(name: str, folder: Path, notebooks: Notebooks) -> list[str]:
    """Give the columns of a run: its images, labels, disk and settings."""
    tables = read_tables(folder / "02_preprocess_images", ".")
    stores = [path.parent for path in (folder / "features").rglob("fingerprint.json")]
    size = sum(path.stat().st_size for store in stores for path in store.glob("*.npy"))
    given = {
        f"{notebook[:2]} {key}" if key.endswith("EPOCHS") else key: value
        for notebook, ran in notebooks.items()
        for key, value in ran["parameters"].items()
        if key.endswith("EPOCHS") or key in SETTINGS
    }
    settings = ", ".join(f"{key} {value}" for key, value in given.items())
    images = f"{len(tables.images):,}"
    return [name, images, f"{tables.num_classes:,}", f"{size / 1e9:.1f}", settings]


def tabulate_scores(runs: Mapping[str, Path]) -> str:
    """Write each model's F2 as mean and range over the runs, as Markdown."""
    tables = {name: pd.read_csv(folder / "results.csv") for name, folder in runs.items()}
    scores = pd.DataFrame(
        {k: table.set_index(["model", "split"])["f2"] for k, table in tables.items()}
    )
    if lacking := scores.columns[scores.isna().any()].tolist():
        raise ValueError(f"the runs have other models: {', '.join(lacking)} lacks some of them")
    rows = []
    for model in scores.index.unique("model"):
        cells = [model]
        for split in ("val", "test"):
            values = scores.loc[model, split]
            cells.append(f"{values.mean():.3f} ({values.min():.3f} to {values.max():.3f})")
        rows.append(cells)
    return format_table(["model", "val F2, mean (range)", "test F2, mean (range)"], rows)


def list_steps(folder: Path, notebooks: Notebooks) -> dict[str, tuple[float, float]]:
    """Give the seconds of each finished notebook, and its peak in bytes, 0 if not measured."""
    peaks = try_json(folder / PEAKS) or {}
    done = {name: ran["seconds"] for name, ran in notebooks.items() if "seconds" in ran}
    return {name: (seconds, peaks.get(name, 0)) for name, seconds in done.items()}


def tabulate_steps(runs: Mapping[str, Mapping[str, tuple[float, float]]]) -> str:
    """Write the seconds and gigabytes of each step in each run, as Markdown."""
    head = ["step", *(f"{name}, {unit}" for name in runs for unit in ("s", "GB"))]
    steps = next(iter(runs.values()))
    rows = [[step] for step in steps]
    for row in rows:
        for run in runs.values():
            seconds, peak = run.get(row[0], (0, 0))
            row += [f"{seconds:,.0f}" if seconds else "", f"{peak / 1e9:.1f}" if peak else ""]
    whole = ["all"]
    for run in runs.values():
        total = f"{sum(seconds for seconds, _ in run.values()):,.0f}"
        whole += [total if len(run) == len(steps) else "", ""]
    return format_table(head, [*rows, whole])


def main() -> None:
    """Print the tables."""
    parser = make_parser(__doc__, "finished_runs")
    parser.add_argument("runs", nargs="+", type=named_folder, metavar="NAME=DIR", help="runs")
    parser.add_argument("--scores", action="store_true", help="of runs of one collection, too")
    parser.add_argument("--times", nargs="+", metavar="NAME", help="whose times count, if not all")
    parser.add_argument("--note", default="", help="a sentence on how they were made")
    arguments = parser.parse_args()
    columns, steps = [], {}
    for name, folder in arguments.runs:
        notebooks = load_json(folder / "run.json")["notebooks"]
        columns.append(describe_run(name, folder, notebooks))
        if name in (arguments.times or [name]):
            steps[name] = list_steps(folder, notebooks)
    publish(
        arguments.page,
        "Finished runs",
        format_table(["run", "labelled images", "labels", "features, GB", "settings"], columns),
        *([tabulate_scores(dict(arguments.runs))] if arguments.scores else []),
        "Seconds on the clock, and peak memory of all processes, without what files could give "
        "back (memory-mapped features):",
        tabulate_steps(steps),
        *filter(None, [arguments.note]),
    )


if __name__ == "__main__":
    main()
