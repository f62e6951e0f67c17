"""Time feature extraction against the bare encoder and against the ways that one writes first.

    python benchmarks/bench_extraction.py [--encoder resnet50] [--folder IMAGES] [--page]

Prints Markdown tables. The first has images a second, six views each: the encoder alone on
views in memory, `extract_features` from the files to the store, and the alternatives of
`plain_extraction.py`. The second has milliseconds an image of each part of the work. Without
`--folder` the images are painted sample images, 300 pixels on the short side, saved as JPEG.
Figures are processor time of one thread that also reads the images; with more threads, worker
processes or a CUDA device they are time on the clock. The ways take turns, so that a busy machine
slows them all; each figure is the median of the rounds. A third table reckons from them what other
collections take. With `--page` all this also replaces the section of `benchmarks/README.md`.
"""

import argparse
import statistics
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

import torch
from extraction_tables import format_limit, format_parts, format_rates
from extraction_ways import (
    ALONE,
    DECODING,
    DEVICE_VIEWS,
    OURS,
    TRAINING_VIEWS,
    Setting,
    extraction_ways,
    part_ways,
)
from page import describe_machine, write_section
from PIL import Image
from plain_extraction import SIZE
from scale_estimate import format_scale

from imet_tools.sample import write_sample_data
from imet_utils.encoders import build_encoder, encode_images
from imet_utils.features import views_at_once
from imet_utils.processes import keep_freed_memory
from imet_utils.tables import SUFFIXES


def paint_images(folder: Path, number: int) -> list[Path]:
    """Paint sample images and save them as JPEG, and as PNG beside."""
    sample = write_sample_data(folder / "sample", num_images=number, num_test=0)
    paths = []
    for path in sorted((sample / "train").iterdir()):
        paths.append(path.with_suffix(".jpg"))
        Image.open(path).save(paths[-1], quality=90)
    return paths


def time_in_turns(ways: Mapping[str, Callable], clock: Callable, rounds: int) -> dict[str, float]:
    """Take the median time of each way in seconds, the ways taking turns; the first turn warms."""
    times = {name: [] for name in ways}
    for turn in range(rounds + 1):
        for name, way in ways.items():
            start = clock()
            way()
            if turn:
                times[name].append(clock() - start)
    return {name: statistics.median(spent) for name, spent in times.items()}


def parse_arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--encoder", default="efficientnet_lite0", help="see `ENCODER`")
    parser.add_argument("--folder", type=Path, help="use the images of this folder")
    parser.add_argument("--images", type=int, default=48, help="how many images")
    parser.add_argument("--rounds", type=int, default=5, help="rounds of which the median is taken")
    parser.add_argument("--batch", type=int, help="views at a time, if not as in the notebooks")
    parser.add_argument("--threads", type=int, default=1, help="threads of the encoder")
    parser.add_argument("--workers", type=int, default=0, help="processes that read images")
    parser.add_argument("--page", action="store_true", help="also write the page")
    return parser.parse_args()


def main() -> None:
    """Print the tables."""
    arguments = parse_arguments()
    keep_freed_memory()  # as a notebook's kernel does, before there are threads
    torch.set_num_threads(arguments.threads)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    batch = arguments.batch or views_at_once(device)
    setting = Setting(arguments.encoder, device, batch, arguments.workers)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        paths = find_paths(arguments.folder, arguments.images, folder)
        text = write_text(setting, paths, folder, arguments.rounds)
    text += f"\n\n{describe_machine()}"
    sys.stdout.write(text + "\n")
    if arguments.page:
        command = " ".join(["python benchmarks/bench_extraction.py", *sys.argv[1:]])
        title = f"## Feature extraction, {setting.encoder}"
        write_section(f"extraction_{setting.encoder}", f"{title}\n\n`{command}`\n\n{text}")


def find_paths(images: Path | None, number: int, folder: Path) -> list[Path]:
    """Take the first images of a folder, or paint some in another folder."""
    if images is None:
        return paint_images(folder, number)
    paths = [path for path in sorted(images.iterdir()) if path.suffix.lower() in SUFFIXES]
    if len(paths) < number:
        raise SystemExit(f"{images} has {len(paths)} PNG or JPEG images; wanted {number}")
    return paths[:number]


def write_text(setting: Setting, paths: list[Path], folder: Path, rounds: int) -> str:
    """Time everything and write the section of the page."""
    number = len(paths)
    rates = time_in_turns(extraction_ways(setting, paths, folder), setting.clock, rounds)
    parts = time_in_turns(part_ways(setting, paths), setting.clock, rounds)
    encoder = build_encoder(setting.encoder, "none")
    view = encode_images(encoder, torch.zeros(1, 3, SIZE, SIZE, dtype=torch.uint8))
    map_size, *sizes = (view[name].numel() for name in ("maps", "pooled", "style"))
    bytes_an_image = statistics.mean(path.stat().st_size for path in paths)
    reading = (parts[DECODING] + (0 if DEVICE_VIEWS in parts else parts[TRAINING_VIEWS])) / number
    cores = max(1, torch.get_num_threads(), setting.workers)
    blocks = [
        describe_setting(setting, number, bytes_an_image),
        format_rates(rates, ALONE, number),
        format_parts(parts, number),
        format_limit(reading, 16),
        "What collections take, reckoned from this rate and these files:",
        format_scale(rates[OURS] / number * cores, bytes_an_image, map_size, sum(sizes)),
    ]
    return "\n\n".join(blocks)


def describe_setting(setting: Setting, number: int, bytes_an_image: float) -> str:
    """Say what was timed."""
    helped = setting.workers and setting.device.type != "cpu"  # whose threads read by themselves
    reader = f"{setting.workers} worker processes read" if helped else "the same reads"
    return (
        f"{setting.encoder} on {setting.device.type}, {torch.get_num_threads()} thread(s), "
        f"{reader} the {number} images of {bytes_an_image / 1000:.0f} KB each; six views an image "
        f"as for training, {setting.batch} views at a time. Medians of rounds in turns. All ways "
        "profit from the memory that `build_encoder` has the process keep; without it, the plain "
        "ways would be slower."
    )


if __name__ == "__main__":
    main()
