"""Tiny notebooks and results that tests of the pipeline run on."""

from pathlib import Path

import nbformat
from nbformat import v4

from imet_utils.files import save_json
from imet_utils.provenance import RECORD, make_provenance


def write_notebook(path: Path, *cells: str) -> Path:
    """Write a notebook; a cell that starts with `#` is prose, one with `NAME:` the parameters."""
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    notebook = v4.new_notebook(metadata={"kernelspec": kernel})
    for cell in cells:
        make = v4.new_markdown_cell if cell.startswith("#") else v4.new_code_cell
        tags = ["parameters"] if cell.split(":")[0].isupper() else []
        notebook.cells.append(make(cell, metadata={"tags": tags}))
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(notebook, path)
    return path


def write_chain(folder: Path) -> Path:
    """Write two notebooks, of which the second reads what the first wrote, and a profile."""
    write_notebook(
        folder / "01_make_number.ipynb",
        "# 1. Make a number\n\nFor [the next](02_use_number.ipynb).",
        'DATA_DIR: str = ""\nOUTPUT_DIR: str = ""\nSTEPS: int = 3\nRATE: float = 0.5  # how fast',
        "from imet_utils.progress import progress\n"
        "from imet_utils.runs import open_run\n"
        "run = open_run('01_make_number')\n"
        "total = sum(RATE for _ in progress(range(STEPS), 'counting'))\n"
        "print('\\rb: 1/2 [00:10]' * 2)\n"
        "run.finish({'total': total})",
    )
    write_notebook(
        folder / "02_use_number.ipynb",
        "# 2. Use the number\n\nFor nothing.",
        'OUTPUT_DIR: str = ""\nSTEPS: int = 3\nLIMIT: int = None\nNAME: str = "urn"',
        "import os, sys\n"
        "from imet_utils.runs import open_run\n"
        "print(sys.executable, os.getcwd(), os.environ.get('RANK'))\n"
        "run = open_run('02_use_number', upstream=['01_make_number'])\n"
        "total = run.metrics('01_make_number')['total']\n"
        "rows = f'model,split,f2\\n<{NAME}>,test,{total}\\n'\n"
        "(run.output_dir / 'results.csv').write_text(rows)\n"
        "run.finish({'warnings': ['beware']}, also=['results.csv'])",
    )
    (folder / "profiles").mkdir()
    (folder / "profiles/fast.yaml").write_text("STEPS: 1\n01_make_number:\n  RATE: 1e-1\n")
    return folder


def write_record(output_dir: Path, stem: str, *products: str) -> None:
    """Write the record of a notebook that has run to its end, and made these files."""
    record = make_provenance(output_dir, {}, [], output_dir.with_name("data"), {}, {}, products)
    save_json(record, output_dir / stem / RECORD)


def write_results(output_dir: Path, text: str) -> None:
    """Write `results.csv` and the record of the notebook that made it."""
    (output_dir / "results.csv").write_text(text, encoding="utf-8")
    write_record(output_dir, "08_evaluate_test", "results.csv")
