"""Write features to the files of a store while the next ones are computed."""

import math
import os
import shutil
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

import numpy as np
import torch
from torch import Tensor

MIN_FREE = 64 * 2**20  # bytes that a store leaves on the disk


class StoreWriter:
    """Writes batches of features to one `.npy` file a name, (N, V, ...) float16.

    A thread copies a batch from its device, checks and writes it; a device need not wait for the
    disk. One batch is in its hands at a time, so that memory stays as it is. To be used in a
    `with` block, at whose end everything is written.
    """

    def __init__(self, folder: Path, num_images: int, first: int) -> None:
        """Prepare to write.

        Args:
            folder: of the store; other processes may write their rows to the same files.
            num_images: N, of all processes.
            first: number of the image that the first batch begins with.
        """
        self.folder = folder
        self.num_images = num_images
        self.first = first
        self.files: dict[str, BinaryIO] = {}
        self.thread = ThreadPoolExecutor(1)
        self.at_work: Future[None] | None = None

    def add(self, features: Mapping[str, Tensor], shape: tuple[int, int]) -> None:
        """Hand over the features (B V, ...) of a batch whose `shape` is B, V.

        Raises:
            ValueError: if those of this batch or the one before are not finite in float16.
            OSError: if they cannot be written.
        """
        self._wait()
        self.at_work = self.thread.submit(self._write, features, shape)

    def _wait(self) -> None:
        if self.at_work:
            self.at_work.result()

    def __enter__(self) -> Self:
        """Begin."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Write what is left and close the files; raise what writing it raised."""
        try:
            if kind is None:
                self._wait()
        finally:
            self.thread.shutdown()
            for file in self.files.values():
                file.close()

    @torch.inference_mode()
    def _write(self, features: Mapping[str, Tensor], shape: tuple[int, int]) -> None:
        blocks = {name: to_block(name, values, shape) for name, values in features.items()}
        if not self.files:
            check_space(blocks, self.folder, self.num_images)
            for name, block in blocks.items():
                whole = (self.num_images, *block.shape[1:])
                self.files[name] = open_array(self.folder / f"{name}.npy", whole, self.first)
        for name, block in blocks.items():
            self.files[name].write(block.data)


def to_block(name: str, values: Tensor, shape: tuple[int, int]) -> np.ndarray:
    """Turn features (B V, ...) on any device into (B, V, ...) float16 in memory."""
    short = values.to(torch.float16)
    if not torch.stack(torch.aminmax(short)).isfinite().all():  # either is NaN if any value is
        raise ValueError(f"features {name!r} are not finite in float16")
    return np.ascontiguousarray(short.unflatten(0, shape).cpu().numpy())


def check_space(blocks: Mapping[str, np.ndarray], folder: Path, num_images: int) -> None:
    """Refuse what the disk cannot hold, reckoned from a first batch.

    Raises:
        OSError: with what is needed and what is free.
    """
    needed = sum(block.nbytes // len(block) for block in blocks.values()) * num_images
    free = shutil.disk_usage(folder).free
    if needed + MIN_FREE > free:
        raise OSError(
            f"the features need {needed / 1e9:.2f} GB and the disk of {folder.parent} has "
            f"{free / 1e9:.2f} GB free. Free some space, choose another folder, take fewer images "
            "or views, or leave out an array."
        )


def open_array(path: Path, shape: tuple[int, ...], first: int) -> BinaryIO:
    """Open a `.npy` file, which other processes may have begun, write its header, go to a row.

    Rows are then written one after the other rather than to a memory map: on a full disk a write
    raises OSError where a map would kill the process.
    """
    file = os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT, 0o666), "r+b")
    header = {"descr": "<f2", "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(file, header)
    file.seek(first * 2 * math.prod(shape[1:]), os.SEEK_CUR)
    return file
