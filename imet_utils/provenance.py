"""What the results of an output folder were made with: `run.json`, one record a command."""

import hashlib
import os
import platform
import re
import subprocess
from collections.abc import Mapping
from datetime import datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from imet_utils.image_files import SUFFIXES
from imet_utils.runs import PROJECT_DIR, load_json, save_json

FILE = "run.json"
TABLES = ("train.csv", "labels.csv", "sample_submission.csv")
Record = dict[str, Any]


def start_record(output_dir: Path, profile: str | None) -> None:
    """Add the record of a command that starts now: time, profile, commit, versions, machine."""
    record = {
        "started": datetime.now().astimezone().isoformat(timespec="seconds"),
        "profile": profile,
        "commit": find_commit(PROJECT_DIR),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "packages": package_versions(PROJECT_DIR / "requirements.txt"),
        "data": None,
        "parameters": {},
    }
    _save([*read_records(output_dir), record], output_dir)


def record_notebook(
    output_dir: Path, stem: str, parameters: Mapping[str, Any], data_dir: Path
) -> None:
    """Add a notebook that starts now to the last record, and take it from earlier ones.

    So every notebook is in the one record that its results were made with.

    Args:
        output_dir: of the run.
        stem: of the notebook.
        parameters: the values of all its parameters, the seed among them.
        data_dir: the collection, of which the fingerprint is noted; the first notebook may yet
            have to render it.
    """
    *earlier, record = read_records(output_dir)
    for old in earlier:
        old["parameters"].pop(stem, None)
    record["parameters"][stem] = dict(parameters)
    record["data"] = data_fingerprint(data_dir)
    _save([*earlier, record], output_dir)


def read_records(output_dir: Path | str) -> list[Record]:
    """Read the records of an output folder, oldest first; none where there is no `run.json`."""
    try:
        return load_json(Path(output_dir) / FILE)["runs"]
    except FileNotFoundError:
        return []
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(
            f"{Path(output_dir) / FILE} is not the record of a run. Remove it"
        ) from error


def _save(records: list[Record], output_dir: Path) -> None:
    *earlier, last = records
    save_json({"runs": [*(old for old in earlier if old["parameters"]), last]}, output_dir / FILE)


def find_commit(folder: Path) -> str | None:
    """Return the commit of a git work tree, with ` (changed)` if files differ from it.

    None where the folder is no work tree of its own, or there is no git.
    """
    try:
        top, commit = _git(folder, "rev-parse", "--show-toplevel", "HEAD").splitlines()
        changed = " (changed)" if _git(folder, "status", "--porcelain") else ""
    except (OSError, subprocess.SubprocessError, ValueError):
        return None
    return commit + changed if Path(top).samefile(folder) else None


def _git(folder: Path, *arguments: str) -> str:
    command = ["git", "-C", str(folder), *arguments]
    result = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True)
    return result.stdout.strip()


def package_versions(requirements: Path) -> dict[str, str | None]:
    """Look up the installed version of every package that a requirements file names."""
    lines = requirements.read_text(encoding="utf-8").splitlines() if requirements.exists() else []
    names = [found[0] for line in lines if (found := re.match(r"[\w.-]+", line.strip()))]
    return {name: _version(name) for name in names}


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def data_fingerprint(data_dir: Path) -> str | None:
    """Hash the tables, and the names and sizes of the images; None where there is no collection."""
    if not (data_dir / "train.csv").is_file():
        return None
    digest = hashlib.sha256()
    for name in TABLES:
        if (data_dir / name).is_file():
            digest.update(f"{name}\n".encode() + (data_dir / name).read_bytes())
    for folder in ("train", "test"):
        if (data_dir / folder).is_dir():
            for name, size in sorted(_image_sizes(data_dir / folder)):
                digest.update(f"{folder}/{name}\t{size}\n".encode())
    return digest.hexdigest()


def _image_sizes(folder: Path) -> list[tuple[str, int]]:
    with os.scandir(folder) as entries:
        images = [entry for entry in entries if entry.name.lower().endswith(SUFFIXES)]
        return [(entry.name, entry.stat().st_size) for entry in images if entry.is_file()]
