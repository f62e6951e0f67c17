"""Measure all that a GPU speeds up, in at most nine minutes on one GPU: results/gpu.md.

    python benchmarks/gpu.py

The tests marked `gpu` first; then HOG, the order-free RNN's training step and beam search, and the
extraction of features from image files to a store, each on the GPU and on one thread of the CPU,
timed against a reference and compared with float32. The page is written anew after each step, and
no step begins after seven minutes: what is left out is named. Without a GPU nothing is written.
"""

import argparse
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path

import bench_decoder
import bench_hog
import torch
from bench_extraction import find_paths
from extraction_ways import ALONE, OURS, PLAIN, Setting, extract_anew, extraction_ways, make_dataset
from page import clock_of, describe_machine, format_table, time_in_turns, write_page
from torch import Tensor

from imet_utils.encoders import Encoder, autocast_dtype, build_encoder, encode_images, normalise
from imet_utils.features import views_at_once
from imet_utils.processes import keep_freed_memory, num_cores

LATEST = 420  # seconds after which no step begins
PATIENCE = 180  # seconds for the tests
COPIES = 100  # of each image, for a GPU
IN_MEMORY = 256  # images at most, for the encoder alone
ENCODERS = ("efficientnet_lite0", "resnet50")
TESTS = Path(__file__).parents[1] / "tests"
HEADINGS = ("Step", "Device", "Floats", "Reference", "Its time (ms)", "`imet_utils` (ms)")
HEADINGS += ("Times faster", "Largest difference from float32")
DESCRIPTION = (
    "`python benchmarks/gpu.py`: time of an image with six views, of one HOG, or of a batch of 32 "
    "maps; on the GPU by the clock, with {cores} processes that read images, on the CPU processor "
    "time of one thread; medians of {rounds} rounds in turns. The references are described in "
    "[decoder](decoder.md), [HOG](hog.md) and [extraction](extraction_efficientnet_lite0.md); that "
    "of the extraction from file to store is the encoder alone. Weights are random. Differences of "
    "features are relative to the largest value, from the network in float32 on the CPU."
)
Row = tuple[str, ...]


def hog_rows(device: str, rounds: int) -> list[Row]:
    """Time HOG against the first way of `bench_hog`: scikit-image, on a GPU the one-hot port."""
    found = bench_hog.time_hog(bench_hog.load_images(None).to(device), rounds)
    (name, slow, _), (_, fast, error) = found[0], found[-1]
    times = [spent / bench_hog.BATCH for spent in (slow, fast)]
    return [format_row("HOG", device, torch.float32, name, *times, f"{error:.0e}")]


def decoder_rows(device: str, rounds: int) -> list[Row]:
    """Time the order-free RNN against its direct version."""
    rows = bench_decoder.time_cases(device, rounds)
    return [(*row[:3], "direct version", *row[3:]) for row in rows]


def extraction_rows(
    name: str, device: str, paths: list[Path], folder: Path, rounds: int
) -> list[Row]:
    """Time an encoder against the plain network, and the extraction against the encoder."""
    folder = folder / device / name
    on_gpu = device != "cpu"
    files = copy_files(paths, folder / "images") if on_gpu else paths
    in_memory = files[:IN_MEMORY]
    workers = num_cores() if on_gpu else 0
    setting = Setting(name, torch.device(device), views_at_once(device), workers)
    every = extraction_ways(setting, in_memory, folder)
    encoder = build_encoder(name, "none").to(device)
    store = folder / "features/all/encoder"
    extract = partial(extract_anew, setting, partial(encode_images, encoder))
    ways = {PLAIN: every[PLAIN], ALONE: every[ALONE]}
    ways[OURS] = partial(extract, make_dataset(files), store)
    times = time_in_turns(ways, clock_of(setting.device), rounds)
    plain, alone = (times[way] / len(in_memory) for way in (PLAIN, ALONE))
    dtype = autocast_dtype(device) or torch.float32
    some = make_dataset(paths[:4])
    stored = torch.tensor(extract(some, store)["pooled"]).flatten(0, 1)
    found, wanted = encode_twice(encoder, torch.cat([some[k] for k in range(len(some))]), device)
    each = [("alone", "plain network", plain, alone, relative_error(found, wanted))]
    spent = times[OURS] / len(files)
    each += [("to store", "encoder alone", alone, spent, relative_error(stored, wanted))]
    return [format_row(f"{name}, {task}", device, dtype, *rest) for task, *rest in each]


@torch.inference_mode()
def encode_twice(encoder: Encoder, views: Tensor, device: str) -> tuple[Tensor, Tensor]:
    """Compute pooled features of views (B, 3, H, W) on a device, and in float32 on the CPU."""
    found = encode_images(encoder, views.to(device), outputs=["pooled"])["pooled"].cpu()
    floats = normalise(views, encoder.mean, encoder.std)
    return found, encoder.cpu()(floats, ["pooled"])["pooled"]


def copy_files(paths: Sequence[Path], folder: Path) -> list[Path]:
    """Copy each file `COPIES` times."""
    folder.mkdir(parents=True)
    pairs = [(path, folder / f"{k}_{path.name}") for k in range(COPIES) for path in paths]
    return [shutil.copy(path, copy) for path, copy in pairs]


def relative_error(found: Tensor, wanted: Tensor) -> str:
    """Write the largest difference, relative to the largest value."""
    return f"{(found.float() - wanted).abs().max() / wanted.abs().max():.0e}"


def format_row(
    step: str,
    device: str,
    dtype: torch.dtype,
    reference: str,
    slow: float,
    fast: float,
    difference: str,
) -> Row:
    """Make a row of the table of times in seconds."""
    floats = str(dtype).removeprefix("torch.")
    times = (f"{1000 * slow:,.3f}", f"{1000 * fast:,.3f}", f"{slow / fast:.1f}")
    return step, device.upper(), floats, reference, *times, difference


def run_tests() -> str:
    """Run the tests marked `gpu`, and return pytest's last line.

    Raises:
        SystemExit: with what pytest wrote, if one of them fails.
    """
    files = [path for path in sorted(TESTS.glob("test_*.py")) if "mark.gpu" in path.read_text()]
    command = [sys.executable, "-m", "pytest", "-q", "-m", "gpu", *map(str, files)]
    options = {"cwd": TESTS.parent, "capture_output": True, "text": True, "timeout": PATIENCE}
    result = subprocess.run(command, **options)
    if result.returncode:
        raise SystemExit(result.stdout + result.stderr)
    return re.sub(r" in .*", "", result.stdout.splitlines()[-1])


def plan_steps(
    devices: Iterable[str], paths: list[Path], folder: Path, rounds: int
) -> dict[str, Callable[[], list[Row]]]:
    """List all measurements by name, those on the GPU first."""
    steps: dict[str, Callable[[], list[Row]]] = {}
    for device in devices:
        steps[f"HOG on {device}"] = partial(hog_rows, device, rounds)
        steps[f"the RNN on {device}"] = partial(decoder_rows, device, rounds)
        for name in ENCODERS:
            arguments = (name, device, paths, folder, rounds)
            steps[f"{name} on {device}"] = partial(extraction_rows, *arguments)
    return steps


def main() -> None:
    """Run the tests, measure, and write the page."""
    start = time.monotonic()
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=3, help="rounds of which the median is taken")
    parser.add_argument("--images", type=int, default=24, help="how many images are painted")
    arguments = parser.parse_args()
    keep_freed_memory()
    torch.set_num_threads(1)
    devices = ["cuda", "cpu"] if torch.cuda.is_available() else ["cpu"]
    parts = ["# On a GPU", DESCRIPTION.format(cores=num_cores(), rounds=arguments.rounds)]
    parts += [f"Tests marked `gpu`: {run_tests()}."]
    rows: list[Row] = []
    left_out: list[str] = []
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        paths = find_paths(None, arguments.images, folder)
        for name, step in plan_steps(devices, paths, folder, arguments.rounds).items():
            if time.monotonic() - start > LATEST:
                left_out.append(name)
            else:
                rows = sorted([*rows, *step()], key=lambda row: row[0])
            text = [*parts, format_table(HEADINGS, rows)]
            text += [f"Left out, as time was up: {', '.join(left_out)}."] if left_out else []
            if "cuda" in devices:
                write_page("gpu", "\n\n".join([*text, describe_machine()]))
    sys.stdout.write("\n\n".join([*text, describe_machine()]) + "\n")


if __name__ == "__main__":
    main()
