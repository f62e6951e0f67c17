"""Features of every view, computed once and kept in a store of memory-mapped arrays."""

import glob
import json
import os
import shutil
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import torch

from imet_utils.distributed import gather_items, own_range, process_index, wait_for_all
from imet_utils.feature_batches import FeatureBatches
from imet_utils.progress import progress
from imet_utils.store_writing import StoreWriter
from imet_utils.unfinished import remove_leftovers, temporary_path
from imet_utils.view_loading import Compute, compute_views
from imet_utils.views import ViewDataset

__all__ = ["FeatureBatches", "extract_features", "open_features"]

FINGERPRINT = "fingerprint.json"


def extract_features(
    dataset: ViewDataset,
    compute: Compute,
    folder: Path | str,
    fingerprint: Mapping[str, Any],
    batch_size: int | None = None,
    num_workers: int = 2,
    device: torch.device | str = "cpu",
    description: str = "",
) -> dict[str, np.memmap]:
    """Run `compute` once over every view of a data set, or open what an earlier run left.

    A store with the same fingerprint is opened; one with another is rebuilt. It is written under
    a temporary name and renamed when whole. Memory does not grow with the number of images. Several
    processes (`run_in_processes`, `accelerate launch`) each compute a range of the images.

    Args:
        dataset: items (V, 3, H, W) uint8.
        compute: from uint8 images (B, 3, H, W) on `device` to tensors (B, ...) by name, called
            without gradients, as `functools.partial(encode_images, encoder)` or HOG; on a CPU by
            several threads at once. Values must fit float16.
        folder: of the store.
        fingerprint: what `compute` depends on, as JSON can hold it; the views' own is added.
        batch_size: the most views that `compute` gets at a time, whole images at least; None for
            `views_at_once`.
        num_workers: processes that read images for a device that is no CPU; 0 reads them in this
            one. A CPU's threads read their own.
        device: where `compute` runs.
        description: shown with the progress.

    Returns:
        Read-only arrays (N, V, ...) float16 by name.

    Raises:
        ValueError: if an image cannot be read, the features are not finite in float16, or
            `folder` holds something else than a store.
        OSError: if the disk cannot hold the store.
    """
    batch_size = views_at_once(device) if batch_size is None else batch_size
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
    partial = gather_items([temporary_path(folder)])[0]  # named by the first process
    if process_index() == 0:
        remove_leftovers(folder.parent.glob(f".{glob.escape(folder.stem)}.*"))
        partial.mkdir()
    wait_for_all()
    try:
        own = own_range(len(dataset))
        step = max(1, batch_size // dataset.num_views)
        parts = [own[k : k + step] for k in range(0, len(own), step)]
        computed = compute_views(dataset, parts, compute, num_workers, device)
        batches = progress(computed, description or "features", total=len(parts), unit="batch")
        with closing(computed), StoreWriter(partial, len(dataset), own.start) as writer:
            for part, found in zip(parts, batches, strict=True):
                writer.add(found, (len(part), dataset.num_views))
        wait_for_all()
        if process_index() == 0:
            (partial / FINGERPRINT).write_text(json.dumps(fingerprint, indent=2) + "\n")
            _put_in_place(partial, folder)
        wait_for_all()
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return open_features(folder)


def views_at_once(device: torch.device | str) -> int:
    """Return how many views a device computes fast: a CPU some tens, a GPU hundreds."""
    return 32 if torch.device(device).type == "cpu" else 384


def _stored_fingerprint(folder: Path) -> Any:  # noqa: ANN401
    try:
        return json.loads((folder / FINGERPRINT).read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError, json.JSONDecodeError):
        return None


def _put_in_place(whole: Path, folder: Path) -> None:
    """Rename a whole store to `folder`, and what was there before out of it, to be removed."""
    former = temporary_path(folder.with_name(f"{folder.stem}.former"))
    if folder.exists():
        os.replace(folder, former)
    os.replace(whole, folder)
    shutil.rmtree(former, ignore_errors=True)


def open_features(
    folder: Path | str, fingerprint: Mapping[str, Any] | None = None
) -> dict[str, np.memmap]:
    """Open a store's arrays (N, V, ...) float16 by name, read-only.

    Raises:
        FileNotFoundError: if there is no store.
        ValueError: if the store was made from something else than `fingerprint` says.
    """
    folder = Path(folder)
    stored = read_fingerprint(folder)
    wanted = json.loads(json.dumps({**(fingerprint or {})}))
    if stored != stored | wanted:
        raise ValueError(
            f"the store {folder} was made from {stored}, not from {fingerprint}. Make it anew"
        )
    return {path.stem: np.load(path, mmap_mode="r") for path in sorted(folder.glob("*.npy"))}


def read_fingerprint(folder: Path) -> dict[str, Any]:
    """Read what a store was made from.

    Raises:
        FileNotFoundError: if there is no store.
        ValueError: if its fingerprint is damaged.
    """
    if not (folder / FINGERPRINT).exists():
        raise FileNotFoundError(f"there is no feature store at {folder}")
    stored = _stored_fingerprint(folder)
    if not isinstance(stored, dict):
        raise ValueError(f"{folder / FINGERPRINT} is damaged. Remove {folder} and make it anew")
    return stored
