"""Lay out what each step of whole runs took, as collections grow to the size of iMet 2019.

    python benchmarks/full_size.py NAME=DIR [NAME=DIR ...] [--page]

Each folder holds a run, the smallest collection first; its name says what it is of. Images for a
table without them come from `render_collection.py`; with `measured_run.py` in place of
`./run_all.sh` a run has peaks of memory, too.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

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
    given: dict[str, Any] = {}
    for notebook, ran in notebooks.items():
        for key, value in ran["parameters"].items():
            if key in SETTINGS:
                given[key] = value
            elif key.endswith("EPOCHS"):
                given[f"{notebook[:2]} {key}"] = value
    settings = ", ".join(f"{key} {value}" for key, value in given.items())
    images = f"{len(tables.images):,}"
    return [name, images, f"{tables.num_classes:,}", f"{size / 1e9:.1f}", settings]


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
    parser = make_parser(__doc__, "full_size")
    parser.add_argument("runs", nargs="+", type=named_folder, metavar="NAME=DIR", help="runs")
    parser.add_argument("--note", default="", help="a sentence on how they were made")
    arguments = parser.parse_args()
    columns, steps = [], {}
    for name, folder in arguments.runs:
        notebooks = load_json(folder / "run.json")["notebooks"]
        columns.append(describe_run(name, folder, notebooks))
        steps[name] = list_steps(folder, notebooks)
    publish(
        arguments.page,
        "# The full size\n\n`python benchmarks/full_size.py NAME=DIR ... --page`",
        format_table(["run", "labelled images", "labels", "features, GB", "settings"], columns),
        "Seconds on the clock, and peak memory of all processes, without what files could give "
        "back (memory-mapped features):",
        tabulate_steps(steps),
        *filter(None, [arguments.note]),
    )


if __name__ == "__main__":
    main()
