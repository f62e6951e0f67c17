"""The output folder of a run: chosen, locked, and what its records tell of each notebook."""

import errno
import os
import platform
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from typing import Any

import nbformat
import pandas as pd

from imet_tools.command import FolderInUse, lock_folder
from imet_tools.pipeline.parameters import (
    Parameter,
    Plan,
    Values,
    declared_parameters,
    declared_upstream,
    find_notebooks,
    read_code,
)
from imet_utils.files import load_json, remove_leftovers, save_json
from imet_utils.provenance import (
    current_data,
    is_current,
    list_upstream,
    read_provenance,
    stale_reason,
)
from imet_utils.runs import PROJECT_DIR, find_data_dir, find_output_dir

RECORD = "run.json"
FULL = (errno.ENOSPC, errno.EDQUOT)
DISK_FAULTS = (*FULL, errno.EROFS, errno.EIO)
DEPTH = 3  # of the files in the folder, such as features/train/hog
TIME = "%Y-%m-%d %H:%M:%S"


@contextmanager
def claim_folder(output_dir: Path) -> Iterator[None]:
    """Make and lock a folder, record the holder in `run.json`, remove leftovers of a killed run.

    A FolderInUse if another run holds the lock; an OSError if it cannot be written, now or later.
    """
    try:
        (output_dir / "notebooks").mkdir(parents=True, exist_ok=True)
        with lock_folder(output_dir):
            for depth in range(DEPTH):
                remove_leftovers(output_dir.glob("*/" * depth + ".*.tmp*"))
            holder = {"process": os.getpid(), "started": f"{datetime.now():{TIME}}"}
            save_json(holder | {"notebooks": read_records(output_dir)}, output_dir / RECORD)
            yield
    except FolderInUse as error:
        held = "process {process} since {started}".format(**load_json(output_dir / RECORD))
        raise FolderInUse(
            f"{output_dir} is in use by {held}. Wait for its end, or choose another folder."
        ) from error
    except OSError as error:
        here = error.filename and Path(os.fsdecode(error.filename)).is_relative_to(output_dir)
        if error.errno not in DISK_FAULTS and not (here and isinstance(error, PermissionError)):
            raise
        remedy = "Make room or choose" if error.errno in FULL else "Choose"
        raise OSError(
            f"{output_dir} cannot be written: {error}. Existing files are intact. {remedy} another "
            "folder, and repeat the command."
        ) from error


def is_up_to_date(output_dir: Path, plan: Plan, stem: str) -> bool:
    """Tell whether a notebook has run as it is now, and would give the same results again."""
    executed, notebook = output_dir / "notebooks" / f"{stem}.ipynb", plan.notebooks[stem]
    if not executed.is_file() or read_code(executed) != read_code(notebook):
        return False
    values = plan.defaults(stem) | plan.values[stem]
    given = plan.find("DATA_DIR")
    recorded = declared_upstream(notebook) and not given
    data_dir = None if recorded else find_data_dir(given, values.get("LIMIT"))
    return is_current(output_dir, stem, values, data_dir)


def list_notebooks(folder: Path | str, output_dir: str = "") -> pd.DataFrame:
    """List the notebooks of a folder with what they are about and where a run stands.

    Returns:
        Columns notebook, about (its first sentence), seconds (of the last run; "" where there was
        none) and state: `done`, `outdated`, `can be run`, or what to run first.
    """
    results = find_output_dir(output_dir)
    records = read_records(results)
    rows = []
    for stem, path in find_notebooks(Path(folder)).items():
        first = [cell.source for cell in nbformat.read(path, as_version=4).cells[:1]]
        about = "".join(first).partition("\n\n")[2].partition("\n\n")[0]
        upstream = list_upstream(results, declared_upstream(path))
        if reason := stale_reason(results, stem, upstream, current_data(results, upstream)):
            state = reason.removesuffix(f" (results in {results})")
        elif read_provenance(results, stem) is None:
            state = "can be run"
        else:
            state = "done" if is_current(results, stem, {}) else "outdated"
        seconds = records.get(stem, {}).get("seconds")
        shown = "" if seconds is None else f"{seconds:.0f}"
        rows.append([stem, about.replace("\n", " "), shown, state])
    return pd.DataFrame(rows, columns=["notebook", "about", "seconds", "state"])


def list_parameters(folder: Path | str) -> pd.DataFrame:
    """List the parameters with what must run again after a change of their values.

    Returns:
        Columns parameter, default, meaning, and run again: the numbers of the notebooks.
    """
    parameters: dict[str, Parameter] = {}
    names: dict[str, set[str]] = {}  # of parameters that a notebook or one upstream of it has
    for stem, path in find_notebooks(Path(folder)).items():
        declared = declared_parameters(path)
        names[stem] = set(declared).union(*(names.get(s, ()) for s in declared_upstream(path)))
        parameters |= {name: p for name, p in declared.items() if name not in parameters}
    rows = [
        [name, repr(p.default), p.comment, " ".join(s[:2] for s in names if name in names[s])]
        for name, p in parameters.items()
    ]
    return pd.DataFrame(rows, columns=["parameter", "default", "meaning", "run again"])


def describe_run(profile: str | None, parameters: Values) -> dict[str, Any]:
    """Record with which parameters and versions a notebook runs, starting now."""
    return {
        "started": f"{datetime.now():{TIME}}",
        "profile": profile,
        "parameters": parameters,
        "commit": find_commit(PROJECT_DIR),
        "platform": platform.platform(),
        "python": platform.python_version(),
        "packages": package_versions(PROJECT_DIR / "requirements.txt"),
    }


def save_record(output_dir: Path, stem: str, record: dict[str, Any]) -> None:
    """Write the record of one notebook into `run.json`."""
    run = load_json(output_dir / RECORD)
    run["notebooks"][stem] = record
    save_json(run, output_dir / RECORD)


def read_records(output_dir: Path) -> dict[str, Any]:
    """Read the records of all notebooks, by stem; empty where there is no `run.json`."""
    path = output_dir / RECORD
    try:
        return load_json(path).get("notebooks", {})
    except FileNotFoundError:
        return {}
    except (ValueError, AttributeError) as error:
        raise ValueError(f"{path} is not the record of a run. Remove it") from error


def find_commit(folder: Path) -> str | None:
    """Return the commit of a git work tree, with ` (changed)` if it was; None if it is none."""
    command = ["git", f"--git-dir={folder / '.git'}", f"--work-tree={folder}", "describe"]
    command += ["--always", "--exclude=*", "--abbrev=40", "--dirty= (changed)"]
    try:
        result = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return result.stdout.strip()


def package_versions(requirements: Path) -> dict[str, str | None]:
    """Look up the installed versions of the packages in a file, or else of those required here."""
    if requirements.is_file():
        lines = requirements.read_text(encoding="utf-8").splitlines()
    else:
        lines = [line for line in requires("imet-utils") or [] if "extra ==" not in line]
    names = re.findall(r"^[\w.-]+", "\n".join(lines), re.MULTILINE)
    found: dict[str, str | None] = dict.fromkeys(names)
    for name in names:
        with suppress(PackageNotFoundError):
            found[name] = version(name)
    return found
