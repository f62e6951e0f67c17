"""Summarise finished runs of one collection: mean scores of each model, and each notebook's time.

    python benchmarks/sample_runs.py NAME=DIR [NAME=DIR ...] [--page]

Each name says what distinguishes a run, such as its seed (`-p SEED 1`), what else the machine had
to do, or the instructions that its CPU offers (`ATEN_CPU_CAPABILITY=avx2 ONEDNN_MAX_CPU_ISA=AVX2`).
A time means something only where one run executed all notebooks in an empty folder, the painting of
the sample among them, see `--times`.
"""

from collections.abc import Mapping
from pathlib import Path

import pandas as pd
from full_size import named_folder
from page import format_table, make_parser, publish

from imet_utils.files import load_json


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


def tabulate_seconds(runs: Mapping[str, Path]) -> str:
    """Write the seconds of each notebook in each run, as Markdown."""
    records = {name: load_json(folder / "run.json")["notebooks"] for name, folder in runs.items()}
    seconds = pd.DataFrame(
        {name: {k: ran["seconds"] for k, ran in ran_of.items()} for name, ran_of in records.items()}
    )
    seconds.loc["all"] = seconds.sum()
    rows = [[notebook, *(f"{value:.0f}" for value in row)] for notebook, row in seconds.iterrows()]
    return format_table(["notebook", *(f"{name} (s)" for name in runs)], rows)


def main() -> None:
    """Print both tables, and write the page."""
    parser = make_parser(__doc__, "sample_runs")
    parser.add_argument("runs", nargs="+", type=named_folder, metavar="NAME=DIR", help="finished")
    parser.add_argument("--times", nargs="*", default=[], metavar="NAME", help="whose times count")
    arguments = parser.parse_args()
    runs = dict(arguments.runs)
    parts = [tabulate_scores(runs)]
    if arguments.times:
        parts.append(tabulate_seconds({name: runs[name] for name in arguments.times}))
    publish(
        arguments.page,
        "# Several runs of the sample",
        "`python benchmarks/sample_runs.py NAME=DIR ... --times NAME ... --page`",
        f"{len(runs)} runs: {'; '.join(runs)}.",
        *parts,
    )


if __name__ == "__main__":
    main()
