"""Measure how much memory each step takes as a collection grows.

    python benchmarks/bench_memory.py [--sizes 1000 10000 100000] [--page]

Each step runs in a process of its own, on a generated collection of small images. What counts is
anonymous memory: pages of a memory-mapped store are left out, since the system takes them back
whenever it wants. Features are those of a stand-in for the encoder, whose own memory does not
depend on the collection.
"""

import os
import tempfile
from collections.abc import Iterable
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from measured_run import own_memory, watching
from page import format_table, make_parser, publish
from PIL import Image

from imet_utils.decoding import ImageVectors, build_neighbour_index, predict_splits
from imet_utils.features import FeatureBatches, extract_features, open_features, view_targets
from imet_utils.files import save_csv
from imet_utils.models import LinearClassifier, weighted_bce
from imet_utils.tables import find_images, load_collection, read_tables, save_tables, split_tables
from imet_utils.training import TrainConfig, fit
from imet_utils.views import ViewDataset

NUM_LABELS, NUM_FILES, NUM_NUMBERS = 100, 16, 1024
STORE = "features/all/stand-in"


def write_collection(folder: Path, num_images: int) -> None:
    """Write a few images of noise, linked under many ids, with three random labels each."""
    (folder / "train").mkdir(parents=True)
    rng = np.random.default_rng(0)
    for number in range(NUM_FILES):
        pixels = rng.integers(0, 256, (32, 32, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{number}.png")
    labels = rng.permuted(np.tile(np.arange(NUM_LABELS), (num_images, 1)), axis=1)[:, :3]
    rows = {f"{number:06}": " ".join(map(str, row)) for number, row in enumerate(labels)}
    save_csv(pd.DataFrame(rows.items(), columns=["id", "attribute_ids"]), folder / "train.csv")
    names = [(number, f"tag::label {number}") for number in range(NUM_LABELS)]
    save_csv(pd.DataFrame(names, columns=["attribute_id", "attribute_name"]), folder / "labels.csv")
    for number, name in enumerate(rows):
        os.link(folder / f"{number % NUM_FILES}.png", folder / f"train/{name}.png")


def check_tables(folder: Path) -> None:
    """Read and check the tables and every image, and split, as notebooks 1 and 2 do."""
    collection = load_collection(folder / "data", folder)
    save_tables(split_tables(collection.tables), folder / "tables")


def store_features(folder: Path) -> None:
    """Make six views of every image and store 2,048 numbers of each, as notebooks 3 and 4 do."""
    images = read_tables(folder / "tables", folder / "data").images
    paths = find_images(folder / "data/train", images["id"])
    dataset = ViewDataset(paths, images["id"], np.ones(len(paths)), train=True, size=32)

    def compute(views: torch.Tensor) -> dict[str, torch.Tensor]:
        numbers = views.flatten(1)[:, : 2 * NUM_NUMBERS].float() / 255
        return dict(zip(("pooled", "style"), numbers.chunk(2, dim=1), strict=True))

    extract_features(dataset, compute, folder / STORE, {"stand-in": 1}, num_workers=0)


def train_head(folder: Path) -> None:
    """Train a linear head for an epoch and predict, as notebooks 4 to 6 do."""
    targets = read_tables(folder / "tables", folder / "data").targets
    arrays = {"pooled": open_features(folder / STORE)["pooled"]}
    spread = view_targets(targets, np.zeros(NUM_LABELS, dtype=bool))
    batches = FeatureBatches(arrays, spread, 64)
    tenth = np.arange(0, len(targets), 10)
    val_batches = batches.of_images(tenth, "all", shuffle=False)
    model = LinearClassifier(NUM_NUMBERS, NUM_LABELS)
    fit(model, batches, val_batches, weighted_bce, TrainConfig(1), folder / "head")
    predict_splits(model, {"test": {"pooled": arrays["pooled"][: len(tenth)]}}, folder / "head")


def ask_neighbours(folder: Path) -> None:
    """Let the nearest images vote on a tenth of the images, as notebooks 6 and 8 do."""
    targets = read_tables(folder / "tables", folder / "data").targets
    store = open_features(folder / STORE)
    known = ImageVectors(store)
    asked = ImageVectors({name: array[: len(targets) // 10] for name, array in store.items()})
    build_neighbour_index(known, targets).nearest(asked).vote()


STEPS = {
    "check and split": check_tables,
    "store features": store_features,
    "train and predict": train_head,
    "find neighbours": ask_neighbours,
}


def measure_step(step: str, folder: Path) -> float:
    """Run a step and return its largest memory beyond that at its start, in 10^6 bytes."""
    torch.set_num_threads(1)
    start = own_memory("self")
    with watching(partial(own_memory, "self"), seconds=0.005) as peaks:
        STEPS[step](folder)
    return (peaks[0] - start) / 1e6


def measure_collection(
    num_images: int, folder: Path, steps: Iterable[str] = STEPS
) -> dict[str, float]:
    """Run steps on a collection of a size, each in a process of its own: peaks in 10^6 bytes."""
    write_collection(folder / "data", num_images)
    peaks = {}
    for step in steps:
        with get_context("spawn").Pool(1) as pool:
            peaks[step] = pool.apply(measure_step, (step, folder))
    return peaks


def main() -> None:
    """Print the table."""
    parser = make_parser(__doc__, "memory")
    parser.add_argument("--sizes", type=int, nargs="+", default=[1_000, 10_000, 100_000])
    arguments = parser.parse_args()
    found = {}
    for size in arguments.sizes:
        with tempfile.TemporaryDirectory() as place:
            found[size] = measure_collection(size, Path(place))
    (first, fewest), *_, (last, most) = found.items()
    rows = []
    for step in STEPS:
        more = (most[step] - fewest[step]) / (last - first) * 1e3
        peaks = [f"{of_size[step]:,.0f} MB" for of_size in found.values()]
        rows.append([step, *peaks, f"{more:.1f} kB"])
    publish(
        arguments.page,
        "Memory as a collection grows",
        "Largest private memory of each step beyond that of its start, when all packages are "
        f"imported. An image has {NUM_LABELS} labels to choose from and six views of "
        f"{2 * NUM_NUMBERS:,} features, {12 * 2 * NUM_NUMBERS / 1e3:.1f} kB in the store, on disk; "
        f"its row of targets takes {NUM_LABELS / 1e3:.1f} kB, one of probabilities "
        f"{4 * NUM_LABELS / 1e3:.1f} kB.",
        format_table(["step", *(f"{size:,} images" for size in found), "more an image"], rows),
    )


if __name__ == "__main__":
    main()
