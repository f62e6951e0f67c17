"""Features of every view, computed once and kept in a store of memory-mapped arrays."""

import glob
import json
import mmap
import shutil
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import closing, nullcontext
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from imet_utils.code import code_digest
from imet_utils.distributed import gather_items, own_range, process_index, wait_for_all
from imet_utils.files import (
    atomic_folder,
    fingerprint_of,
    load_json,
    remove_leftovers,
    save_json,
)
from imet_utils.processes import load_in_threads
from imet_utils.progress import progress
from imet_utils.views import Compute, ViewDataset, compute_views

FINGERPRINT = "fingerprint.json"  # of a store: what it was made from
ROWS = "rows.txt"  # the keys of its rows, see `row_keys`
MIN_FREE = 64 * 2**20  # bytes that a store leaves on the disk

Arrays = dict[str, np.memmap]
Batch = tuple[Sequence[int], Mapping[str, Tensor]]  # numbers of B images, their features (B V, ...)


def extract_features(
    dataset: ViewDataset,
    compute: Compute,
    folder: Path | str,
    fingerprint: Mapping[str, Any],
    modules: Sequence[str] = (),
    batch_size: int | None = None,
    num_workers: int = 2,
    device: torch.device | str = "cpu",
) -> Arrays:
    """Run `compute` over every view of a data set, or open the store that an earlier run left.

    A store with other fingerprint is replaced when the new one is whole. Rows that it has, or the
    store of the same name of another split, are copied, so that little is computed when labels or
    the split change. Several processes each compute a part.

    An encoder's rounding depends on the size of a batch, not on what else is in it. So images are
    computed in full batches, and rows of a last smaller one are never copied: a store with copied
    rows is equal to one that was computed as a whole.

    The items of the data set are (V, 3, H, W) uint8; `compute`, `num_workers` and `device` are as
    for `compute_views`. `folder` is `<split>/<name>`. The `fingerprint` has the settings of
    `compute`, as JSON can hold them; those of the views are added, and the code of the `modules`
    that `compute` is made of, such as `imet_utils.hog`. `batch_size` is the most views at a time,
    whole images at least; by default it is that of `views_at_once`.

    Returns:
        Read-only arrays (N, V, ...) float16 by name.

    Raises:
        ValueError: if an image cannot be read, features are not finite in float16, or `folder`
            holds something else than a store.
        OSError: if the disk cannot hold the store.
    """
    folder = Path(folder)
    made_by = {"views": dataset.fingerprint(), "code": code_digest(__name__, *modules)}
    fingerprint = json.loads(json.dumps({**fingerprint, **made_by}))
    if (folder / FINGERPRINT).exists():
        if read_fingerprint(folder) == fingerprint:
            return open_features(folder)
    elif folder.exists() and any(folder.iterdir()):
        raise ValueError(f"{folder} is not a feature store; give an empty or a new folder")
    step = max(1, (batch_size or views_at_once(device)) // dataset.num_views)
    keys = row_keys(dataset, fingerprint)[: len(dataset) // step * step]  # of full batches
    if process_index() == 0:
        remove_leftovers(folder.parent.glob(f".{glob.escape(folder.stem)}.*"))
    with atomic_folder(folder) if process_index() == 0 else nullcontext(folder) as own_folder:
        unfinished = gather_items([own_folder])[0]  # which the first process has made
        kept = find_rows(folder, keys)
        parts = plan_parts(kept, len(dataset), step)
        own_parts = [parts[k] for k in own_range(len(parts))]
        computed = compute_views(dataset, own_parts, compute, num_workers, device)
        description = f"{folder.name} of {folder.parent.name}"
        if kept:
            description += f" ({len(kept):,} of {len(dataset):,} images kept)"
        shown = progress(computed, description, total=len(own_parts), unit="batch")
        batches = chain(read_rows(kept, step), zip(own_parts, shown, strict=True))
        with closing(computed):
            write = partial(write_rows, unfinished, len(dataset))
            for _ in load_in_threads(write, batches):  # while the device computes the next
                pass
        wait_for_all()
        if process_index() == 0:
            (unfinished / ROWS).write_text("\n".join(keys) + "\n", encoding="utf-8")
            save_json(fingerprint, unfinished / FINGERPRINT)
    wait_for_all()
    return open_features(folder)


def views_at_once(device: torch.device | str) -> int:
    """Return how many views a device computes fast: a CPU some tens, a GPU hundreds."""
    return 32 if torch.device(device).type == "cpu" else 384


def row_keys(dataset: ViewDataset, fingerprint: Mapping[str, Any]) -> list[str]:
    """Hash all that the row of each image depends on: what all rows share, and its own views."""
    views = {**fingerprint["views"], "images": None}
    shared = fingerprint_of({**fingerprint, "views": views})
    return [fingerprint_of([shared, key]) for key in dataset.image_keys()]


def find_rows(folder: Path, keys: Sequence[str]) -> dict[int, tuple[Path, int]]:
    """Find the store and row of each key, by its number, in the stores `*/<name>` of all splits."""
    rows: dict[str, tuple[Path, int]] = {}
    for path in folder.parent.parent.glob(f"*/{glob.escape(folder.name)}/{ROWS}"):
        stored = path.read_text(encoding="utf-8").split()
        rows |= {key: (path.parent, row) for row, key in enumerate(stored)}
    return {number: rows[key] for number, key in enumerate(keys) if key in rows}


def plan_parts(kept: Collection[int], num_images: int, step: int) -> list[list[int]]:
    """List the images of each batch: those not kept, filled up with others, then the last ones.

    >>> plan_parts({0, 1, 3, 4}, num_images=8, step=3)
    [[2, 5, 0], [6, 7]]
    """
    num_full = num_images // step * step
    missing = [number for number in range(num_full) if number not in kept]
    missing += list(kept)[: -len(missing) % step]
    missing += range(num_full, num_images)
    return [missing[k : k + step] for k in range(0, len(missing), step)]


def read_rows(kept: Mapping[int, tuple[Path, int]], step: int) -> Iterator[Batch]:
    """Read the rows that are kept, up to `step` of a store at a time, each process a part."""
    numbers = list(kept)
    own = [numbers[k] for k in own_range(len(numbers))]
    for store in sorted({store for store, _ in kept.values()}):
        arrays, mine = open_features(store), [number for number in own if kept[number][0] == store]
        for k in range(0, len(mine), step):
            rows = [kept[number][1] for number in mine[k : k + step]]
            found = {name: torch.tensor(array[rows]) for name, array in arrays.items()}
            yield mine[k : k + step], {name: views.flatten(0, 1) for name, views in found.items()}


@torch.inference_mode()
def write_rows(folder: Path, num_images: int, batch: Batch) -> None:
    """Check features and write them to the rows of `<name>.npy`, (N, V, ...) float16.

    Other processes may write other rows to the same files. A full disk raises OSError, where a
    memory map would kill the process.
    """
    (rows, features), blocks = batch, {}
    for name, values in features.items():
        short = values.to(torch.float16)
        if not torch.stack(torch.aminmax(short)).isfinite().all():  # NaN if any value is
            raise ValueError(f"features {name!r} are not finite in float16")
        blocks[name] = short.unflatten(0, (len(rows), -1)).contiguous().cpu().numpy()
    if not list(folder.glob("*.npy")):
        check_space(blocks, folder, num_images)
    for name, block in blocks.items():
        header = {"descr": "<f2", "fortran_order": False, "shape": (num_images, *block.shape[1:])}
        path = folder / f"{name}.npy"
        path.touch()
        with path.open("r+b") as file:
            np.lib.format.write_array_header_1_0(file, header)
            start = file.tell()
            for row, values in zip(rows, block, strict=True):
                file.seek(start + row * values.nbytes)
                file.write(values.data)


def check_space(blocks: Mapping[str, np.ndarray], folder: Path, num_images: int) -> None:
    """Raise OSError if the features, estimated from a first batch, exceed the free disk space."""
    needed = sum(block.nbytes // len(block) for block in blocks.values()) * num_images
    free = shutil.disk_usage(folder).free
    if needed + MIN_FREE > free:
        raise OSError(
            f"the features need {needed / 1e9:.2f} GB and the disk of {folder.parent} has "
            f"{free / 1e9:.2f} GB free. Free some space, or choose another folder"
        )


def open_features(folder: Path | str, fingerprint: Mapping[str, Any] | None = None) -> Arrays:
    """Open a store's arrays (N, V, ...) float16 by name, read-only.

    A FileNotFoundError if there is no store, a ValueError if its fingerprint is damaged or differs
    from what `fingerprint` has.
    """
    folder = Path(folder)
    stored = read_fingerprint(folder)
    if stored != {**stored, **(fingerprint or {})}:
        raise ValueError(
            f"the store {folder} was made from {stored}, not from {fingerprint}. Make it anew"
        )
    paths = sorted(folder.glob("*.npy"))
    return {path.stem: np.load(path, mmap_mode="r").view(StoredArray) for path in paths}


class StoredArray(np.memmap):
    """A memory-mapped array (N, V, ...) of which the rows of a batch are read together.

    A plain memory map reads a row when it is touched and waits for each in turn: several times as
    long where the file is not in memory (`benchmarks/bench_reading.py`), and more where it is
    larger than that.
    """

    def __getitem__(self, index: Any) -> Any:  # noqa: ANN401
        """Read what NumPy does; numbers of images and of views, (B,) each, are a batch."""
        parts = index if isinstance(index, tuple) else ()
        if len(parts) == 2 and all(isinstance(part, np.ndarray) for part in parts):
            self._ask_for(*parts)
            return np.asarray(super().__getitem__(index))
        return super().__getitem__(index)

    def _ask_for(self, images: np.ndarray, views: np.ndarray) -> None:
        """Tell the system which rows will be needed, so that it reads all of them at once."""
        file: mmap.mmap = self._mmap  # type: ignore[attr-defined]
        start = self.ctypes.data - np.frombuffer(file, np.uint8).ctypes.data
        size = self[0, 0].nbytes
        for row in np.ravel_multi_index((images, views), self.shape[:2]).tolist():
            first = start + row * size
            page = first - first % mmap.PAGESIZE
            file.madvise(mmap.MADV_WILLNEED, page, first + size - page)


def read_fingerprint(folder: Path) -> dict[str, Any]:
    """Read what a store was made from; FileNotFoundError or ValueError as in `open_features`."""
    if not (folder / FINGERPRINT).exists():
        raise FileNotFoundError(f"there is no feature store at {folder}")
    try:
        return dict(load_json(folder / FINGERPRINT))
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"{folder / FINGERPRINT} is damaged. Remove {folder} and make it anew"
        ) from error
