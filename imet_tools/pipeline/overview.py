"""The first page: the notebooks, where a run stands, what follows from a changed parameter."""

from itertools import chain
from pathlib import Path

import nbformat
import pandas as pd

from imet_tools.pipeline.parameters import declared_parameters, declared_upstream, find_notebooks
from imet_tools.pipeline.run_folder import read_records
from imet_utils.provenance import read_provenance, stale_reason
from imet_utils.runs import find_output_dir


def list_notebooks(folder: Path | str, output_dir: str = "") -> pd.DataFrame:
    """List the notebooks with what they are about and where a run stands.

    Args:
        folder: of the notebooks.
        output_dir: of the run; empty for the notebooks' own default.

    Returns:
        Columns notebook, about (its first sentence), seconds (of the last run; "" where there was
        none) and state, such as `done` or what to run first.
    """
    results = find_output_dir(output_dir)
    records = read_records(results)
    rows = []
    for stem, path in find_notebooks(Path(folder)).items():
        about = nbformat.read(path, as_version=4).cells[0].source.split("\n\n")[1]
        if reason := stale_reason(results, stem, declared_upstream(path)):
            state = reason.removesuffix(f" (results in {results})")
        else:
            state = "done" if read_provenance(results, stem) else "can be run"
        seconds = records.get(stem, {}).get("seconds")
        shown = "" if seconds is None else f"{seconds:.0f}"
        rows.append([stem, about.replace("\n", " "), shown, state])
    return pd.DataFrame(rows, columns=["notebook", "about", "seconds", "state"])


def list_parameters(folder: Path | str) -> pd.DataFrame:
    """List the parameters with what must run again after a change of their values.

    Returns:
        Columns parameter, default, meaning, and run again: the numbers of the notebooks.
    """
    rows: dict[str, list] = {}
    notebooks = find_notebooks(Path(folder))
    upstream: dict[str, set[str]] = {}
    for stem, path in notebooks.items():
        direct = declared_upstream(path)
        upstream[stem] = {*direct, *chain.from_iterable(upstream.get(name, ()) for name in direct)}
    for stem, path in notebooks.items():
        after = {later for later, names in upstream.items() if stem in names}
        for found in declared_parameters(path).values():
            row = rows.setdefault(found.name, [found.default, found.comment, set()])
            row[2] |= {stem, *after}
    table = [
        [name, repr(default), meaning, " ".join(stem[:2] for stem in sorted(again))]
        for name, (default, meaning, again) in rows.items()
    ]
    return pd.DataFrame(table, columns=["parameter", "default", "meaning", "run again"])
