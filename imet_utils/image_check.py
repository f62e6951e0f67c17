"""One pass over the image files of a collection: each is decoded once, before any work begins."""

from collections.abc import Sequence
from itertools import chain
from pathlib import Path

import pandas as pd
from torch.utils.data import DataLoader, Dataset

from imet_utils.image_files import match_images
from imet_utils.image_reading import measure_image
from imet_utils.progress import progress
from imet_utils.runs import save_csv
from imet_utils.worker_processes import end_with_parent, num_cores

STATE = ["file", "bytes", "mtime_ns"]  # a file that is equal in it is taken to be the same
SIZE = ["width", "height"]

State = tuple[str, int, int]
Measured = tuple[int, int, str]  # width, height, fault


def check_images(
    folder: Path | str, ids: Sequence[str], memory: Path | str, num_workers: int = 0
) -> pd.DataFrame:
    """Find and decode the image of each id.

    Images found good are remembered by name, size and time of change, and not decoded again.

    Args:
        folder: of the images.
        ids: of the images.
        memory: CSV file of the images that were found good; it is read and written.
        num_workers: processes that decode images, at most one a core; 0 decodes in this one.

    Returns:
        The columns id, file (its name, "" where it is missing or one of several), width, height
        (of the upright image, 0 where there is a fault) and fault ("" for a good image).

    Raises:
        FileNotFoundError: if the folder is missing.
    """
    found = dict(zip(ids, match_images(folder, ids), strict=True))
    faults = {image_id: _count_fault(image_id, files) for image_id, files in found.items()}
    states = {image_id: _state(found[image_id][0]) for image_id in found if not faults[image_id]}
    known = _read_memory(Path(memory))
    new = [image_id for image_id, state in states.items() if state not in known]
    measured = _measure([str(found[image_id][0]) for image_id in new], num_workers)
    for image_id, (width, height, fault) in zip(new, measured, strict=True):
        faults[image_id] = fault
        if not fault:
            known[states[image_id]] = (width, height)
    if any(not faults[image_id] for image_id in new):
        _write_memory(known, Path(memory))
    rows = []
    for image_id, fault in faults.items():
        state = states.get(image_id, ("", 0, 0))
        rows.append((image_id, state[0], *known.get(state, (0, 0)), fault))
    return pd.DataFrame(rows, columns=["id", "file", *SIZE, "fault"])


def _count_fault(image_id: str, files: Sequence[Path]) -> str:
    if not files:
        return f"no file {image_id}.png, {image_id}.jpg or {image_id}.jpeg. Add it"
    if len(files) > 1:
        return f"several files: {', '.join(path.name for path in files)}. Keep one"
    return ""


def _state(path: Path) -> State:
    try:
        status = path.stat()
    except OSError:  # a link that leads nowhere
        return path.name, 0, 0
    return path.name, status.st_size, status.st_mtime_ns


class _Measurements(Dataset[Measured]):
    """Width, height and fault of each image, as `measure_image` finds them."""

    def __init__(self, paths: Sequence[str]) -> None:
        self.paths = list(paths)

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> Measured:
        path = self.paths[index]
        try:
            return *measure_image(path), ""
        except ValueError as error:
            return 0, 0, str(error).removeprefix(f"{path}: ")


def _measure(paths: Sequence[str], num_workers: int) -> list[Measured]:
    """Decode every image, in worker processes if there are any."""
    if not paths:
        return []
    loader = DataLoader(
        _Measurements(paths),
        batch_size=32,
        num_workers=min(num_workers, len(paths), num_cores()),
        collate_fn=list,
        worker_init_fn=end_with_parent,
    )
    return list(progress(chain.from_iterable(loader), "checking images", len(paths), "image"))


def _read_memory(path: Path) -> dict[State, tuple[int, int]]:
    """Read which files were found good; none from a memory that is missing or damaged."""
    types = {"file": str} | dict.fromkeys([*STATE[1:], *SIZE], int)
    try:
        table = pd.read_csv(path, dtype=types, usecols=list(types), keep_default_na=False)
    except (FileNotFoundError, ValueError):
        return {}
    rows = table[[*STATE, *SIZE]].itertuples(index=False, name=None)
    return {row[:3]: row[3:] for row in rows}


def _write_memory(known: dict[State, tuple[int, int]], path: Path) -> None:
    rows = [(*state, *size) for state, size in known.items()]
    save_csv(pd.DataFrame(rows, columns=[*STATE, *SIZE]), path)
