"""Run every step on collections of iMet's own label table; report how time and memory grow.

    python benchmarks/full_size.py --tables DIR --work DIR [--shares 0.002 0.02] [--page]

For each share of the table a collection is rendered (`render_collection.py`) and the pipeline run
on it with the profile `imet`, changed by parameters alone: random weights, since speed is the same
with them, every label that occurs, and one epoch for each head. Reading and splitting the table,
which needs no image, is measured at 1 %, 10 % and 100 %. What was not run is extrapolated from the
two largest shares and marked so.
"""

import shlex
import shutil
import sys
from collections.abc import Mapping
from math import log
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter

import numpy as np
from measured_run import run_pipeline
from page import format_table, make_parser, publish
from render_collection import render_collection, take_rows

from imet_utils.decoding import best_expected_sets
from imet_utils.tables import drop_rare_labels, load_tables, read_tables, save_tables, split_tables

TABLE_SHARES = (0.01, 0.1, 1.0)
CHANGED = {"WEIGHTS": "none", "MIN_COUNT": "1", "EPOCHS": "1", "NUM_WORKERS": "2"}


def run_share(
    tables: Path, work: Path, share: float, changed: Mapping[str, str]
) -> tuple[str, dict[str, tuple[float, float]]]:
    """Render a share and run the pipeline on it."""
    data, output = work / f"data{share:g}", work / f"output{share:g}"
    for folder in (data, output):
        shutil.rmtree(folder, ignore_errors=True)
    start = perf_counter()
    render_collection(tables, data, share)
    rendering = perf_counter() - start
    changes = [text for pair in changed.items() for text in ("-p", *pair)]
    options = ["--profile", "imet", "--data", str(data), "--output", str(output), *changes]
    steps = {"rendering": (rendering, 0.0)} | run_pipeline(options)
    return describe_share(share, data, output), steps


def describe_share(share: float, data: Path, output: Path) -> str:
    """Say how many images and labels a run had, and how large its features are."""
    kept = read_tables(output / "02_preprocess_images", data)
    store = sum(path.stat().st_size for path in (output / "features").rglob("*.npy"))
    images = len(kept.images) + sum(1 for _ in (data / "test").iterdir())
    return (
        f"- {share:.2%} of the rows: {len(kept.images):,} labelled images, {kept.num_classes:,} "
        f"labels, {store / images / 1e6:.2f} MB of features an image"
    )


def time_tables(tables: Path, share: float) -> tuple[int, dict[str, float]]:
    """Measure the steps that need labels alone; return the number of rows and seconds by step."""
    steps = {}

    def lap(name: str) -> None:
        nonlocal start
        steps[name] = perf_counter() - start
        start = perf_counter()

    with TemporaryDirectory() as temporary:
        folder = Path(temporary)
        rows = take_rows(tables, share, seed=0)[["id", "attribute_ids"]]
        rows.to_csv(folder / "train.csv", index=False)
        shutil.copy(tables / "labels.csv", folder)
        start = perf_counter()
        whole = load_tables(folder)
        lap("read and check the tables")
        split = split_tables(drop_rare_labels(whole))
        lap("drop rare labels, split 8:1:1")
        save_tables(split, folder / "saved")
        read_tables(folder / "saved", folder)
        lap("save the split and read it")
    probs = np.random.default_rng(0).random((len(rows) // 10, whole.num_classes)) ** 8
    start = perf_counter()
    best_expected_sets(probs)
    lap("labels of highest expected F2 for a tenth")
    return len(rows), steps


def exponent(first: tuple[float, float], second: tuple[float, float]) -> float:
    """Return k of cost = c * size^k through two points (size, cost).

    >>> exponent((10, 3.0), (100, 300.0))
    2.0
    """
    return log(second[1] / first[1]) / log(second[0] / first[0])


def extrapolate(first: tuple[float, float], second: tuple[float, float], size: float) -> float:
    """Extend a cost to a larger size: by a line or by a power law, whichever gives more.

    A line stands for a fixed part and a part for each image, a power law for what grows faster.
    What fell from the first size to the second, which is noise, stays as it is.

    Args:
        first: size and cost.
        second: likewise, of a larger size.
        size: larger still.

    >>> extrapolate((10, 5.0), (20, 6.0), 100)  # 4 and 0.1 each
    14.0
    """
    slope = (second[1] - first[1]) / (second[0] - first[0])
    line = second[1] + slope * (size - second[0])
    power = second[1] * (size / second[0]) ** exponent(first, second)
    return max(line, power, second[1])


def format_growth(costs: Mapping[int, Mapping[str, float]], whole: int) -> str:
    """Write a table: a row a step, a column a size, the exponent, and the cost at `whole`."""
    sizes = sorted(costs)
    marked = [] if whole in costs else [f"{whole:,} (extrapolated)"]
    rows = []
    for step in costs[sizes[0]]:
        values = [costs[size][step] for size in sizes]
        first, second = zip(sizes[-2:], values[-2:], strict=True)
        values += [extrapolate(first, second, whole) for _ in marked]
        rows.append([step, *map(format_cost, values), f"{exponent(first, second):.2f}"])
    return format_table(
        ["Step", *(f"{size:,} images" for size in sizes), *marked, "Exponent"], rows
    )


def format_cost(value: float) -> str:
    """Write a cost with as many digits as it can bear."""
    return f"{value:,.2f}" if value < 10 else f"{value:,.0f}"


def write_text(tables: Path, work: Path, shares: list[float], more: Mapping[str, str]) -> str:
    """Measure everything and write the section of the page."""
    changed = CHANGED | more
    abouts, seconds, megabytes = [], {}, {}
    whole = len(take_rows(tables, 1.0, seed=0))
    for share in sorted(shares):
        about, steps = run_share(tables, work, share, changed)
        number = round(share * whole)
        abouts.append(about)
        sys.stderr.write(f"{about}: {steps}\n")  # kept in the log if a larger share fails
        seconds[number] = {name: spent for name, (spent, _) in steps.items()}
        megabytes[number] = {name: held / 1e6 for name, (_, held) in steps.items() if held}
    on_labels = dict(time_tables(tables, share) for share in TABLE_SHARES)
    settings = ", ".join(f"`{name}` {value}" for name, value in changed.items())
    return "\n\n".join(
        [
            f"Profile `imet` with {settings}:",
            "\n".join(abouts),
            "Seconds:",
            format_growth(seconds, whole),
            "Peak memory in MB, of all processes, without what files could give back. It is "
            "extrapolated as if all of it grew on; the 10,000 images at the most that the space of "
            "the neighbours is found from do not, and *Memory as a collection grows* has steps "
            "measured at 100,000 images:",
            format_growth(megabytes, whole),
            "Seconds of the steps that need labels alone:",
            format_growth(on_labels, whole),
        ]
    )


def main() -> None:
    """Print the tables."""
    parser = make_parser(__doc__, "full_size")
    parser.add_argument("--tables", type=Path, required=True, help="folder of the label tables")
    parser.add_argument("--work", type=Path, required=True, help="folder for data and results")
    parser.add_argument(
        "--shares", type=float, nargs="+", default=[0.002, 0.02], help="of the rows"
    )
    parser.add_argument(
        "-p", dest="set", nargs=2, action="append", default=[], metavar=("NAME", "VALUE")
    )
    asked = parser.parse_args()
    if len(set(asked.shares)) < 2:
        raise SystemExit("growth needs two shares or more")
    work = asked.work.resolve()
    work.mkdir(parents=True, exist_ok=True)
    text = write_text(asked.tables.resolve(), work, asked.shares, dict(asked.set))
    folders = {str(asked.tables), str(asked.work)}
    options = ["DIR" if word in folders else word for word in sys.argv[1:]]
    command = shlex.join(["python", "benchmarks/full_size.py", *options])
    publish(asked.page, f"# The full size\n\n`{command}`", text)


if __name__ == "__main__":
    main()
