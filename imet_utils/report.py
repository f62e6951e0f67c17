"""The report of a run: the figures, tables and prose of all executed notebooks on one page."""

import csv
from collections.abc import Sequence
from html import escape
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from imet_utils.cell_html import FOLD_END, FOLD_START, Heading, ProseRenderer, cell_html
from imet_utils.parameters import find_notebooks
from imet_utils.progress import format_seconds
from imet_utils.provenance import Record, read_records
from imet_utils.report_page import page_html
from imet_utils.runs import atomic_path
from imet_utils.skipped_images import read_skipped

TITLE = "Labels of museum objects: report of a run"
PAPERMILL_MARKER = "papermill-error-cell-tag"  # of cells that papermill adds to a failed notebook
Rows = list[list[str]]


def build_report(output_dir: Path | str) -> Path:
    """Write `report.html` of the executed notebooks in `output_dir/notebooks`.

    The page needs no other file and no network. Of a run that failed it shows what ran.

    Args:
        output_dir: the folder of a run.

    Returns:
        The path of the report.
    """
    output_dir = Path(output_dir)
    copies = find_notebooks(output_dir / "notebooks")
    notebooks = {stem: nbformat.read(path, as_version=4) for stem, path in copies.items()}
    failed = [stem for stem, notebook in notebooks.items() if _facts(notebook).get("exception")]
    sections, headings = [], []
    for stem, notebook in notebooks.items():
        prose = ProseRenderer(stem)
        cells = [cell_html(cell, prose) for cell in notebook.cells if not _is_marker(cell)]
        sections.append("".join(cells).replace(FOLD_END + FOLD_START, "\n\n"))
        headings += prose.headings
    opening = [
        *(
            f'<p class="notice"><a href="#{stem}">{stem}</a> failed; the error is at its end.</p>'
            for stem in failed
        ),
        _skipped_html(output_dir),
        _results_html([] if failed else read_results(output_dir)),  # never those of an earlier run
        _run_html(notebooks, output_dir),
    ]
    page = page_html(TITLE, contents_html(headings), "\n".join(opening + sections))
    with atomic_path(output_dir / "report.html") as temporary:
        temporary.write_text(page, encoding="utf-8")
    return output_dir / "report.html"


def read_results(output_dir: Path | str) -> Rows:
    """Read `results.csv`, its header first, with three decimals; no rows where there is none."""
    path = Path(output_dir) / "results.csv"
    if not path.is_file():
        return []
    with path.open(encoding="utf-8", newline="") as file:
        return [[_three_decimals(cell) for cell in row] for row in csv.reader(file)]


def format_results(rows: Rows) -> str:
    """Lay out a table in columns for the console, text to the left and numbers to the right.

    >>> print(format_results([["model", "f2"], ["baseline", "0.512"], ["+ HOG", "0.520"]]))
    model        f2
    baseline  0.512
    + HOG     0.520
    """
    columns = []
    for header, *cells in zip(*rows, strict=True):
        width = max(len(text) for text in (header, *cells))
        number = any(_is_number(text) for text in cells)
        columns.append([f"{text:{'>' if number else '<'}{width}}" for text in (header, *cells)])
    return "\n".join("  ".join(row).rstrip() for row in zip(*columns, strict=True))


def contents_html(headings: Sequence[Heading]) -> str:
    """Render the table of contents: each notebook's title with its sections under it."""
    items: list[list[str]] = []
    for heading in headings:
        link = f'<a href="#{heading.anchor}">{heading.html}</a>'
        if heading.level == 1:
            items.append([link])
        elif heading.level == 2 and items:
            items[-1].append(link)
    parts = []
    for title, *sections in items:
        inner = "".join(f"<li>{section}</li>" for section in sections)
        parts.append(f"<li>{title}<ol>{inner}</ol></li>")
    return "<ol>" + "\n".join(parts) + "</ol>"


def _results_html(rows: Rows) -> str:
    """Render the results with their own heading; nothing where there are none."""
    return f"<h3>Results</h3>\n{table_html(rows)}" if rows else ""


def _skipped_html(output_dir: Path) -> str:
    """Count the images that the run left out; nothing where it took all."""
    counts = read_skipped(output_dir)["folder"].value_counts()
    if counts.empty:
        return ""
    places = " and ".join(f"{count:,} of {folder}/" for folder, count in counts.items())
    text = f"Images left out because they cannot be used: {places}; skipped_images.csv lists them."
    return f'<p class="notice">{text}</p>'


def _run_html(notebooks: dict[str, NotebookNode], output_dir: Path) -> str:
    """Tell when each notebook ran, for how long, with which parameters set, and with what."""
    rows = [["notebook", "started", "time", "parameters set"]]
    for stem, notebook in notebooks.items():
        facts = _facts(notebook)
        values = ", ".join(f"{name} = {value}" for name, value in facts["parameters"].items())
        started = (facts.get("start_time") or "")[:16].replace("T", " ")
        rows.append([stem, started, format_seconds(facts.get("duration") or 0), values])
    told = table_html(rows) + "".join(map(_record_html, read_records(output_dir)))
    return f"<details><summary>How it was run</summary>{told}</details>"


def _record_html(record: Record) -> str:
    """Tell in a few lines what a command ran with; `run.json` has the rest."""
    seeds = {values["SEED"] for values in record["parameters"].values() if "SEED" in values}
    packages = ", ".join(f"{name} {found}" for name, found in record["packages"].items() if found)
    lines = {
        "Started": f"{record['started']}: {', '.join(record['parameters'])}",
        "Profile": record["profile"] or "none",
        "Seed": ", ".join(map(str, sorted(seeds))),
        "Commit": record["commit"] or "not in git",
        "Data": record["data"] or "not there yet",
        "Machine": f"{record['platform']}, Python {record['python']}",
        "Packages": packages,
    }
    return "<p>" + "<br>".join(f"{name}: {escape(text)}" for name, text in lines.items()) + "</p>"


def table_html(rows: Rows) -> str:
    """Render a table whose first row is the header and whose cells are plain text."""
    header, *body = [[escape(cell) for cell in row] for row in rows]
    head = "".join(f"<th>{cell}</th>" for cell in header)
    lines = ["<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in body]
    table = f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(lines)}</tbody></table>"
    return f'<div class="table text-first">{table}</div>'


def _facts(notebook: NotebookNode) -> dict:
    """Return papermill's record of the run."""
    return {"parameters": {}, **notebook.metadata.get("papermill", {})}


def _is_marker(cell: NotebookNode) -> bool:
    return PAPERMILL_MARKER in cell.metadata.get("tags", [])


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _three_decimals(text: str) -> str:
    return f"{float(text):.3f}" if _is_number(text) and "." in text else text
