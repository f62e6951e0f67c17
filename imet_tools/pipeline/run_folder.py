"""The output folder of a run: chosen, locked, cleared of leftovers, with a record of what ran."""

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
from filelock import FileLock, Timeout

from imet_tools.pipeline.parameters import Plan, Values, declared_upstream
from imet_utils.files import load_json, remove_leftovers, save_json
from imet_utils.provenance import is_current, read_provenance, stale_reason
from imet_utils.runs import PROJECT_DIR, find_data_dir, find_output_dir

RECORD = "run.json"
DEPTH = 3  # of the files in the folder, such as features/train/hog


def choose_folder(plan: Plan) -> Path:
    """Make and return the folder of the results: as given, or else the notebooks' own default.

    Raises:
        ValueError: if it is within the collection.
        OSError: if it cannot be made.
    """
    folder = find_output_dir(plan.find("OUTPUT_DIR"))
    if folder.is_relative_to(find_data_dir(plan.find("DATA_DIR"))):
        raise ValueError(f"{folder} is within the collection; results need another folder.")
    (folder / "notebooks").mkdir(parents=True, exist_ok=True)
    return folder


@contextmanager
def claim_folder(output_dir: Path) -> Iterator[None]:
    """Lock a folder, note in `run.json` by whom, and remove what a killed run left unfinished.

    The lock is the system's, which releases it whenever and however the process ends.

    Raises:
        OSError: if another run holds the lock, or the folder cannot be written, now or later.
    """
    try:
        with FileLock(output_dir / ".lock").acquire(timeout=0):
            for depth in range(DEPTH):
                remove_leftovers(output_dir.glob("*/" * depth + ".*.tmp*"))
            holder = {"process": os.getpid(), "started": f"{datetime.now():%Y-%m-%d %H:%M:%S}"}
            save_json(holder | {"notebooks": read_records(output_dir)}, output_dir / RECORD)
            yield
    except Timeout:
        holder = "process {process} since {started}".format(**load_json(output_dir / RECORD))
        raise BlockingIOError(
            f"{output_dir} is in use by {holder}. Wait for its end, or choose another folder."
        ) from None
    except OSError as error:
        raise OSError(
            f"{output_dir} cannot be written: {error}. What is there is whole. Make room or choose "
            "another folder, and repeat the command."
        ) from error


def check_upstream(output_dir: Path, plan: Plan) -> None:
    """Refuse a plan whose first notebook stands on results that are missing or outdated.

    Raises:
        ValueError: with the notebooks to run first.
    """
    data_dir = plan.find("DATA_DIR")
    first, path = next(iter(plan.notebooks.items()))
    data = Path(data_dir) if data_dir else None
    if reason := stale_reason(output_dir, first, declared_upstream(path), data):
        raise ValueError(reason)


def is_up_to_date(output_dir: Path, plan: Plan, stem: str) -> bool:
    """Tell whether a notebook has run as it stands, and would leave again what it has left."""
    values = {name: found.default for name, found in plan.declared[stem].items()}
    values |= plan.values[stem]
    data_dir = find_data_dir(plan.find("DATA_DIR"), values.get("LIMIT"))
    recorded = bool(declared_upstream(plan.notebooks[stem])) and not plan.find("DATA_DIR")
    executed = output_dir / "notebooks" / f"{stem}.ipynb"
    return (
        executed.is_file()
        and is_current(output_dir, stem, values, None if recorded else data_dir)
        and _read_code(executed) == _read_code(plan.notebooks[stem])
    )


def _read_code(notebook: Path) -> list[str]:
    """Read the code cells of a notebook, without the parameters that papermill put in."""
    cells = nbformat.read(notebook, as_version=4).cells
    injected = "injected-parameters"
    return [
        cell.source
        for cell in cells
        if cell.cell_type == "code" and injected not in cell.metadata.get("tags", [])
    ]


def record_start(output_dir: Path, stem: str, profile: str | None, parameters: Values) -> None:
    """Note in `run.json` that a notebook starts now, with which parameters and versions."""
    record = {
        "started": f"{datetime.now():%Y-%m-%d %H:%M:%S}",
        "profile": profile,
        "parameters": parameters,
        "commit": find_commit(PROJECT_DIR),
        "platform": platform.platform(),
        "python": platform.python_version(),
        "packages": package_versions(PROJECT_DIR / "requirements.txt"),
    }
    run = load_json(output_dir / RECORD)
    run["notebooks"][stem] = record
    save_json(run, output_dir / RECORD)


def record_end(output_dir: Path, stem: str, seconds: float) -> None:
    """Note how long a notebook took, and the fingerprints of the data that it worked on."""
    run = load_json(output_dir / RECORD)
    run["notebooks"][stem]["seconds"] = round(seconds, 1)
    if provenance := read_provenance(output_dir, stem):
        data = {part: state["content"] for part, state in provenance["data"].items() if state}
        run["notebooks"][stem]["data"] = data
    save_json(run, output_dir / RECORD)


def read_records(output_dir: Path) -> dict[str, Any]:
    """Read what is noted of each notebook, by its stem; nothing where there is no `run.json`."""
    path = output_dir / RECORD
    try:
        return load_json(path).get("notebooks", {})
    except FileNotFoundError:
        return {}
    except (ValueError, AttributeError) as error:
        raise ValueError(f"{path} is not the record of a run. Remove it") from error


def find_commit(folder: Path) -> str | None:
    """Return the commit of a git work tree, with ` (changed)` if tracked files differ from it.

    None where the folder is no work tree of its own, or there is no git.
    """
    command = ["git", f"--git-dir={folder / '.git'}", f"--work-tree={folder}", "describe"]
    command += ["--always", "--exclude=*", "--abbrev=40", "--dirty= (changed)"]
    try:
        result = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return result.stdout.strip()


def package_versions(requirements: Path) -> dict[str, str | None]:
    """Look up the installed version of every package that a requirements file names.

    Without the file, as where this package is installed, those that it was installed with.
    """
    if requirements.is_file():
        text = requirements.read_text(encoding="utf-8")
    else:
        text = "\n".join(line for line in requires("imet-utils") or [] if "extra ==" not in line)
    names = re.findall(r"^[\w.-]+", text, re.MULTILINE)
    found = dict.fromkeys(names)
    for name in names:
        with suppress(PackageNotFoundError):
            found[name] = version(name)
    return found
