"""Time reading batches of stored maps that are not in memory, as of a store larger than that.

    python benchmarks/bench_reading.py [--images 4000] [--page]

A store of maps is written and dropped from the system's cache before each turn. A batch has one
random view of 64 images. Linux.
"""

import os
import tempfile
from functools import partial
from pathlib import Path
from time import perf_counter

import numpy as np
from page import format_table, make_parser, publish, time_in_turns

from imet_utils.features.store import StoredArray

SHAPE = (6, 49, 1280)  # of the maps of an image
BATCH, NUM_BATCHES, ROUNDS = 64, 10, 5


def read_batches(path: Path, kind: type[np.memmap], rng: np.random.Generator) -> None:
    """Read batches of a file that is not in memory."""
    with path.open("rb") as file:
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    maps = np.load(path, mmap_mode="r").view(kind)
    for _ in range(NUM_BATCHES):
        maps[rng.integers(len(maps), size=BATCH), rng.integers(SHAPE[0], size=BATCH)]


def main() -> None:
    """Print the table."""
    parser = make_parser(__doc__, "reading")
    parser.add_argument("--images", type=int, default=4000, help="in the store, 0.75 MB each")
    arguments = parser.parse_args()
    rng = np.random.default_rng(0)
    with tempfile.TemporaryDirectory(dir=".") as folder:  # /tmp may be memory itself
        path = Path(folder, "maps.npy")
        maps = np.lib.format.open_memmap(path, "w+", np.float16, (arguments.images, *SHAPE))
        maps[:] = 1
        maps.flush()
        kinds = {"memory map": np.memmap, "StoredArray": StoredArray}
        ways = {name: partial(read_batches, path, kind, rng) for name, kind in kinds.items()}
        seconds = time_in_turns(ways, perf_counter, ROUNDS)
    rows = [[name, f"{1000 * spent / NUM_BATCHES:.0f}"] for name, spent in seconds.items()]
    publish(
        arguments.page,
        "Reading",
        f"Maps of {arguments.images:,} images with six views, on a disk and not in memory:",
        format_table(["way", "ms a batch of 64 views"], rows),
    )


if __name__ == "__main__":
    main()
