"""Features of every view, computed once and kept in a store of memory-mapped arrays."""

import glob
import json
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import torch
from torch import Tensor

from imet_utils.feature_batches import FeatureBatches
from imet_utils.progress import progress
from imet_utils.view_loading import load_views
from imet_utils.views import ViewDataset

__all__ = ["FeatureBatches", "extract_features", "open_features"]

Compute = Callable[[Tensor], Mapping[str, Tensor]]
FINGERPRINT = "fingerprint.json"
MIN_FREE = 64 * 2**20  # bytes that a store leaves on the disk


def extract_features(
    dataset: ViewDataset,
    compute: Compute,
    folder: Path | str,
    fingerprint: Mapping[str, Any],
    batch_size: int = 32,
    num_workers: int = 2,
    device: torch.device | str = "cpu",
    description: str = "",
) -> dict[str, np.memmap]:
    """Run `compute` once over every view of a data set, or open what an earlier run left.

    A store with the same fingerprint is opened; one with another is rebuilt. It is written under
    a temporary name and renamed when whole. Memory does not grow with the number of images.

    Args:
        dataset: items (V, 3, H, W) uint8.
        compute: from uint8 images (B, 3, H, W) on `device` to tensors (B, ...) by name, called
            without gradients, as `functools.partial(encode_images, encoder)` or HOG. Values must
            fit float16.
        folder: of the store.
        fingerprint: what `compute` depends on, as JSON can hold it; the views' own is added.
        batch_size: the most views that `compute` gets at a time, whole images at least. A CPU
            is fastest at about 32, a GPU wants hundreds.
        num_workers: processes that read images; 0 reads them in this one. Each uses one thread.
        device: where `compute` runs.
        description: shown with the progress.

    Returns:
        Read-only arrays (N, V, ...) float16 by name.

    Raises:
        ValueError: if an image cannot be read, the features are not finite in float16, or
            `folder` holds something else than a store.
        OSError: if the disk cannot hold the store.
    """
    if batch_size < 1 or num_workers < 0 or len(dataset) < 1:
        raise ValueError(
            f"batch_size and the number of images must be positive and num_workers not negative, "
            f"got {batch_size}, {len(dataset)} and {num_workers}"
        )
    folder = Path(folder)
    fingerprint = json.loads(json.dumps({**fingerprint, "views": dataset.fingerprint()}))
    if _stored_fingerprint(folder) == fingerprint:
        return open_features(folder)
    if folder.exists() and any(folder.iterdir()) and not (folder / FINGERPRINT).exists():
        raise ValueError(f"{folder} is not a feature store; give an empty or a new folder")
    folder.parent.mkdir(parents=True, exist_ok=True)
    _remove_leftovers(folder)
    partial = folder.with_name(f".{folder.name}.{os.getpid()}.partial")
    partial.mkdir()
    try:
        loader = load_views(dataset, max(1, batch_size // dataset.num_views), num_workers)
        batches = progress(loader, description or "features", total=len(loader), unit="batch")
        _write_arrays(batches, compute, partial, len(dataset), torch.device(device))
        (partial / FINGERPRINT).write_text(json.dumps(fingerprint, indent=2) + "\n")
        if folder.exists():
            shutil.rmtree(folder)
        os.replace(partial, folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return open_features(folder)


def _stored_fingerprint(folder: Path) -> Any:  # noqa: ANN401
    try:
        return json.loads((folder / FINGERPRINT).read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError, json.JSONDecodeError):
        return None


def _remove_leftovers(folder: Path) -> None:
    """Remove what earlier runs began and, being dead, cannot finish."""
    for leftover in folder.parent.glob(f".{glob.escape(folder.name)}.[0-9]*.partial"):
        pid = int(leftover.name.split(".")[-2])
        if pid == os.getpid() or not _is_running(pid):
            shutil.rmtree(leftover)


def _is_running(pid: int) -> bool:
    if os.name != "posix":  # elsewhere signal 0 ends a process
        return False
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:  # somebody else's
        return True
    return True


def _write_arrays(
    batches: Iterator[np.ndarray],
    compute: Compute,
    folder: Path,
    num_images: int,
    device: torch.device,
) -> None:
    """Append each batch's features to one `.npy` file a name."""
    files: dict[str, BinaryIO] = {}
    try:
        for batch in batches:
            blocks = _compute_batch(compute, batch, device)
            if not files:
                _check_space(blocks, len(batch), num_images, folder)
                files = {
                    name: _start_array(folder / f"{name}.npy", (num_images, *block.shape[1:]))
                    for name, block in blocks.items()
                }
            for name, block in blocks.items():
                files[name].write(block.data)
    finally:
        for file in files.values():
            file.close()


@torch.inference_mode()
def _compute_batch(
    compute: Compute, batch: np.ndarray, device: torch.device
) -> dict[str, np.ndarray]:
    num_images, num_views = batch.shape[:2]
    images = torch.from_numpy(batch).to(device).flatten(0, 1)  # (B * V, 3, H, W)
    blocks = {}
    for name, values in compute(images).items():
        values = values.to(torch.float16)
        if not torch.isfinite(values).all():
            raise ValueError(f"features {name!r} are not finite in float16")
        block = values.unflatten(0, (num_images, num_views))  # (B, V, ...)
        blocks[name] = np.ascontiguousarray(block.cpu().numpy())
    return blocks


def _check_space(
    blocks: dict[str, np.ndarray], batch_size: int, num_images: int, folder: Path
) -> None:
    needed = sum(block.nbytes for block in blocks.values()) // batch_size * num_images
    free = shutil.disk_usage(folder).free
    if needed + MIN_FREE > free:
        raise OSError(
            f"the features need {needed / 1e9:.2f} GB and the disk of {folder.parent} has "
            f"{free / 1e9:.2f} GB free. Free some space, choose another folder, take fewer images "
            "or views, or leave out an array."
        )


def _start_array(path: Path, shape: tuple[int, ...]) -> BinaryIO:
    """Open a `.npy` file and write its header.

    Rows are then appended rather than written to a memory map: on a full disk a write raises
    OSError where a map would kill the process.
    """
    file = path.open("wb")
    header = {"descr": "<f2", "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(file, header)
    return file


def open_features(
    folder: Path | str, fingerprint: Mapping[str, Any] | None = None
) -> dict[str, np.memmap]:
    """Open a store's arrays (N, V, ...) float16 by name, read-only.

    Raises:
        FileNotFoundError: if there is no store.
        ValueError: if the store was made from something else than `fingerprint` says.
    """
    folder = Path(folder)
    if not (folder / FINGERPRINT).exists():
        raise FileNotFoundError(f"there is no feature store at {folder}")
    stored = _stored_fingerprint(folder)
    wanted = json.loads(json.dumps({**(fingerprint or {})}))
    if not isinstance(stored, dict) or stored != stored | wanted:
        raise ValueError(f"the store {folder} was made from {stored}, not from {fingerprint}")
    return {path.stem: np.load(path, mmap_mode="r") for path in sorted(folder.glob("*.npy"))}
