"""The output folder of a run: chosen, locked against other runs, cleared of leftovers."""

import fcntl
import os
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

from imet_utils.plan import Plan
from imet_utils.provenance import start_record
from imet_utils.runs import find_output_dir
from imet_utils.unfinished import remove_leftovers

LOCK = ".lock"
DEPTH = 3  # of the files in the folder, such as features/train/hog
UNWRITABLE = (
    "{} cannot be written: {}. What is there is whole. Make room or choose another folder, and "
    "repeat the command."
)


def choose_folder(plan: Plan) -> Path:
    """Make and return the folder of the results: as set, or the notebooks' own default.

    Raises:
        ValueError: if it is the folder of the raw data.
        OSError: if it cannot be made.
    """
    chosen = {str(values.get("OUTPUT_DIR", "")) for values in plan.values.values()} - {""}
    output_dir = find_output_dir(min(chosen, default=""))
    if any(str(output_dir) == values.get("DATA_DIR") for values in plan.values.values()):
        raise ValueError(f"{output_dir} holds the raw data; results need another folder.")
    (output_dir / "notebooks").mkdir(parents=True, exist_ok=True)
    return output_dir


def claim_folder(folder: Path, profile: str | None) -> BinaryIO:
    """Lock a folder for this run, remove what a killed run left unfinished, and begin its record.

    Returns:
        The lock: it holds until this file is closed, or the process dies.

    Raises:
        BlockingIOError: if another run holds the lock.
        OSError: if the folder cannot be written.
    """
    try:
        with ExitStack() as opened:
            lock = opened.enter_context(lock_folder(folder))
            for depth in range(DEPTH):
                remove_leftovers(folder.glob("*/" * depth + ".*.tmp*"))
            start_record(folder, profile)
            opened.pop_all()
    except BlockingIOError:
        raise
    except OSError as error:
        raise OSError(UNWRITABLE.format(folder, error)) from error
    return lock


def lock_folder(folder: Path) -> BinaryIO:
    """Lock a folder by a file in it, which stays there and says who holds the lock.

    The lock is the system's, which releases it whenever and however the process ends.
    """
    with ExitStack() as opened:
        file = opened.enter_context((folder / LOCK).open("ab+", buffering=0))
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            holder = file.read().decode() or "another process"
            raise BlockingIOError(
                f"{folder} is in use by {holder}. Wait for its end, or choose another folder."
            ) from None
        file.truncate(0)
        file.write(f"process {os.getpid()} since {datetime.now():%Y-%m-%d %H:%M:%S}".encode())
        opened.pop_all()
    return file
