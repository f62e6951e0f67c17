"""Files that are always whole: JSON, CSV, arrays and checkpoints.

Every file is written under a temporary name beside its own and then renamed, so that a file under
its final name is always whole, whenever the process dies.
"""

import hashlib
import json
import os
import re
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import psutil

TEMPORARY = re.compile(r"\..+\.(?P<pid>\d+)\.tmp(\..+)?")
SAMPLED_BYTES = 1024  # of a file, at each of three places
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")  # of a cell, to a spreadsheet


def temporary_path(path: Path) -> Path:
    """Name the place beside `path` where this process writes it, with the same suffix."""
    return path.with_name(f".{path.stem}.{os.getpid()}.tmp{path.suffix}")


def remove_leftovers(paths: Iterable[Path]) -> None:
    """Remove those of the paths that a process which is dead by now, or this one, was writing."""
    for path in list(paths):
        match = TEMPORARY.fullmatch(path.name)
        if not match or _is_another(int(match["pid"])):
            continue
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


def _is_another(pid: int) -> bool:
    """Tell whether another process is running that has this number; a zombie is not."""
    try:
        return pid != os.getpid() and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@contextmanager
def atomic_path(path: Path | str) -> Iterator[Path]:
    """Yield a temporary path beside `path`; rename it to `path` if the block ends without error.

    The folder is made where it is missing. The suffix is kept, since writers choose formats by it.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = temporary_path(path)
    temporary.unlink(missing_ok=True)  # of a process that had the same number
    try:
        yield temporary
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def atomic_folder(folder: Path) -> Iterator[Path]:
    """Yield a new folder beside `folder`; put it in its place if the block ends without error."""
    whole = temporary_path(folder)
    former = temporary_path(folder.with_name(f"{folder.stem}.former"))
    shutil.rmtree(whole, ignore_errors=True)  # of a process that had the same number
    whole.mkdir(parents=True)
    try:
        yield whole
        if folder.exists():
            os.replace(folder, former)
        os.replace(whole, folder)
    finally:
        if former.exists() and not folder.exists():  # interrupted between the two
            os.replace(former, folder)
        shutil.rmtree(whole, ignore_errors=True)
    shutil.rmtree(former, ignore_errors=True)


def _plain(value: Any) -> Any:  # noqa: ANN401
    """Turn numpy scalars and arrays, tensors and paths into what JSON has."""
    return value.tolist() if hasattr(value, "tolist") else os.fspath(value)


def save_json(value: Any, path: Path | str) -> None:  # noqa: ANN401
    """Write `value` as indented JSON; raise ValueError for a number that is not finite."""
    text = json.dumps(value, indent=2, ensure_ascii=False, default=_plain, allow_nan=False)
    with atomic_path(path) as temporary:
        temporary.write_text(text + "\n", encoding="utf-8")


def load_json(path: Path | str) -> Any:  # noqa: ANN401
    """Read a JSON file."""
    return json.loads(Path(path).read_text(encoding="utf-8"))


def try_json(path: Path | str) -> Any:  # noqa: ANN401
    """Read a JSON file; None if it is missing or damaged."""
    try:
        return load_json(path)
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return None


def save_csv(frame: pd.DataFrame, path: Path | str, spreadsheet_safe: bool = False) -> None:
    """Write a table without its index.

    `spreadsheet_safe` is for tables of names that people open, not for those that a program reads:
    a text or column name that a spreadsheet would run as a formula gets a quote in front (OWASP,
    CSV injection).
    """
    with atomic_path(path) as temporary:
        append_csv(frame, temporary, spreadsheet_safe)


def append_csv(frame: pd.DataFrame, path: Path, spreadsheet_safe: bool = False) -> None:
    """Write rows at the end of a table, with the names of the columns if it is a new one."""
    if spreadsheet_safe:
        frame = frame.rename(columns=defuse).map(defuse)
    frame.to_csv(path, mode="a", header=not path.exists(), index=False, lineterminator="\n")


def defuse(cell: Any) -> Any:  # noqa: ANN401
    """Put a quote in front of a text that a spreadsheet would run as a formula."""
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(FORMULA_STARTS) else cell


def save_array(array: np.ndarray, path: Path | str) -> None:
    """Write an array as `.npy`."""
    with atomic_path(path) as temporary:
        np.save(temporary, array, allow_pickle=False)


def save_checkpoint(state: Mapping[str, Any], path: Path | str) -> None:
    """Write tensors and plain values (state dicts, numbers, strings) for `load_checkpoint`."""
    import torch  # here, as it takes seconds, and tables and the pipeline do without

    with atomic_path(path) as temporary, temporary.open("wb") as file:
        torch.save(dict(state), file)  # given a path, it writes the temporary name into the file


def load_checkpoint(path: Path | str) -> dict[str, Any]:
    """Read a checkpoint onto the CPU as tensors and plain values only; no pickled code runs.

    A ValueError if it holds anything else, or is damaged.
    """
    import torch  # here, as above

    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except OSError:
        raise
    except Exception:  # torch raises several types, and advises to run what a file may carry
        wanted = "checkpoint of tensors and plain values"
        raise ValueError(f"{path} is no {wanted}. Remove it and train again") from None


def hash_file(path: Path | str) -> str:
    """Hash all bytes of a file."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sample_file(path: Path | str) -> str:
    """Hash a file's size and some bytes at its start, middle and end, whatever its time."""
    with open(path, "rb", buffering=0) as file:
        size = file.seek(0, os.SEEK_END)
        digest = hashlib.sha256(str(size).encode())
        for place in (0, size // 2, max(0, size - SAMPLED_BYTES)):
            file.seek(place)
            digest.update(file.read(SAMPLED_BYTES))
    return digest.hexdigest()


def fingerprint_of(settings: Any) -> str:  # noqa: ANN401
    """Hash settings that JSON can hold into 16 hexadecimal digits, whatever their order of keys."""
    text = json.dumps(settings, sort_keys=True, default=_plain)
    return hashlib.sha256(text.encode()).hexdigest()[:16]
