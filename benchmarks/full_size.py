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

from imet_utils.files import load_json
from imet_utils.tables import read_tables

SETTINGS = ("ENCODER", "IMAGE_SIZE", "TRAIN_VIEWS", "CACHE_GB", "ENGINE", "NUM_WORKERS")
TRAINED = ("04_train_baseline", "05_fuse_hog", "06_train_attncnn_rnn")


def describe_run(name: str, folder: Path) -> list[str]:
    """Give the columns of a run: its images, labels, disk and settings."""
    notebooks = load_json(folder / "run.json")["notebooks"]
    tables = read_tables(folder / "02_preprocess_images", ".")
    stores = [path.parent for path in (folder / "features").rglob("fingerprint.json")]
    size = sum(path.stat().st_size for store in stores for path in store.glob("*.npy"))
    given: dict[str, Any] = {}
    for notebook, ran in notebooks.items():
        given |= {key: value for key, value in ran["parameters"].items() if key in SETTINGS}
        if notebook in TRAINED:
            given |= {
                f"{notebook[:2]} {key}": value
                for key, value in ran["parameters"].items()
                if key.endswith("EPOCHS")
            }
    settings = ", ".join(f"{key} {value}" for key, value in given.items())
    return [
        name,
        f"{len(tables.images):,}",
        f"{tables.num_classes:,}",
        f"{size / 1e9:.1f}",
        settings,
    ]


def list_steps(folder: Path) -> dict[str, tuple[float, float]]:
    """Read the seconds of each finished notebook, and its peak in bytes, 0 if not measured."""
    notebooks = load_json(folder / "run.json")["notebooks"]
    peaks = load_json(folder / PEAKS) if (folder / PEAKS).exists() else {}
    done = {name: ran["seconds"] for name, ran in notebooks.items() if "seconds" in ran}
    return {name: (seconds, peaks.get(name, 0)) for name, seconds in done.items()}


def tabulate_steps(runs: Mapping[str, Mapping[str, tuple[float, float]]]) -> str:
    """Write the seconds and gigabytes of each step in each run, as Markdown."""
    head = ["step", *(f"{name}, {unit}" for name in runs for unit in ("s", "GB"))]
    rows = []
    for step in next(iter(runs.values())):
        row = [step]
        for steps in runs.values():
            seconds, peak = steps.get(step, (0, 0))
            row += [f"{seconds:,.0f}" if seconds else "", f"{peak / 1e9:.1f}" if peak else ""]
        rows.append(row)
    whole = ["all"]
    for steps in runs.values():
        done = len(steps) == len(rows)
        whole += [f"{sum(seconds for seconds, _ in steps.values()):,.0f}" if done else "", ""]
    rows.append(whole)
    return format_table(head, rows)


def main() -> None:
    """Print the tables."""
    parser = make_parser(__doc__, "full_size")
    parser.add_argument("runs", nargs="+", metavar="NAME=DIR", help="runs")
    arguments = parser.parse_args()
    named = dict(run.split("=", 1) for run in arguments.runs)
    runs = {name: Path(folder) for name, folder in named.items()}
    publish(
        arguments.page,
        "# The full size\n\n`python benchmarks/full_size.py NAME=DIR ... --page`",
        format_table(
            ["run", "labelled images", "labels", "features, GB", "settings"],
            [describe_run(name, folder) for name, folder in runs.items()],
        ),
        "Seconds on the clock, and peak memory of all processes, without what files could give "
        "back (memory-mapped features):",
        tabulate_steps({name: list_steps(folder) for name, folder in runs.items()}),
    )


if __name__ == "__main__":
    main()
