"""Files and folders that are being written: their temporary names, and what dead processes left."""

import os
import re
import shutil
from collections.abc import Iterable
from pathlib import Path

NAME = re.compile(r"\..+\.(?P<pid>\d+)\.tmp(\..+)?")


def temporary_path(path: Path) -> Path:
    """Name the place beside `path` where this process writes it, with the same suffix.

    >>> temporary_path(Path("a/best.pt")).match(f"a/.best.{os.getpid()}.tmp.pt")
    True
    """
    return path.with_name(f".{path.stem}.{os.getpid()}.tmp{path.suffix}")


def remove_leftovers(paths: Iterable[Path]) -> None:
    """Remove those of the paths that a process which is dead by now, or this one, was writing."""
    for path in list(paths):
        match = NAME.fullmatch(path.name)
        pid = int(match["pid"]) if match else 0
        if not match or (pid != os.getpid() and _is_running(pid)):
            continue
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


def _is_running(pid: int) -> bool:
    if os.name != "posix":  # elsewhere signal 0 ends a process
        return False
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:  # somebody else's
        return True
    return not _is_zombie(pid)


def _is_zombie(pid: int) -> bool:
    """Tell whether a process has ended and only waits for its parent to notice (Linux)."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state in ("Z", "X")
