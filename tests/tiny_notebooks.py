"""Tiny notebooks and collections that tests of the pipeline run on."""

from pathlib import Path

import nbformat
from nbformat import v4


def write_notebook(path: Path, *cells: str) -> Path:
    """Write a notebook; a cell that starts with `#` is prose, one with `NAME:` the parameters."""
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    notebook = v4.new_notebook(metadata={"kernelspec": kernel})
    for cell in cells:
        if cell.startswith("#"):
            notebook.cells.append(v4.new_markdown_cell(cell))
        elif cell.split(":")[0].isupper():
            tags = {"tags": ["parameters"]}
            notebook.cells.append(v4.new_code_cell(cell, metadata=tags))
        else:
            notebook.cells.append(v4.new_code_cell(cell))
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(notebook, path)
    return path


def write_chain(folder: Path) -> Path:
    """Write two notebooks, of which the second reads what the first wrote, and two profiles."""
    write_notebook(
        folder / "01_make_number.ipynb",
        "# 1. Make a number\n\nFor [the next](02_use_number.ipynb).",
        'DATA_DIR: str = ""  # the collection\n'
        'OUTPUT_DIR: str = ""  # the results\n'
        "STEPS: int = 3  # how many\n"
        "RATE: float = 0.5  # how fast",
        "from pathlib import Path\n"
        "from imet_utils.progress import progress\n"
        "total = sum(RATE for _ in progress(range(STEPS), 'counting'))\n"
        "Path(OUTPUT_DIR, 'number.txt').write_text(f'{total} {DATA_DIR}')",
    )
    write_notebook(
        folder / "02_use_number.ipynb",
        "# 2. Use the number",
        'OUTPUT_DIR: str = ""  # the results\nSTEPS: int = 3\nLIMIT: int = None\nNAME: str = "urn"',
        "import os, sys\nfrom pathlib import Path\n"
        "print(sys.executable, os.getcwd(), os.environ['IMET_HEADLESS'])\n"
        "assert STEPS < 100, 'too many steps'\n"
        "number = Path(OUTPUT_DIR, 'number.txt').read_text().split()[0]\n"
        "Path(OUTPUT_DIR, 'results.csv').write_text(f'model,f2\\n<{NAME}>,{number}\\n')",
    )
    profiles = folder / "profiles"
    profiles.mkdir()
    (profiles / "fast.yaml").write_text("STEPS: 1\n01_make_number:\n  RATE: 1e-1\n")
    (profiles / "slow.yaml").write_text("STEPS: 90\n")
    return folder


def write_collection(folder: Path) -> Path:
    """Write the tables of a small collection in iMet's layout, and its folder without images."""
    (folder / "train").mkdir(parents=True)
    (folder / "train.csv").write_text("id,attribute_ids\na,0\nb,1\n")
    (folder / "labels.csv").write_text(
        "attribute_id,attribute_name\n0,culture::french\n1,tag::men\n"
    )
    return folder
