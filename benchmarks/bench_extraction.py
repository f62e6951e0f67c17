"""Time feature extraction against the bare encoder and against the ways that one writes first.

    python benchmarks/bench_extraction.py [--encoder resnet50] [--folder IMAGES] [--page]

The first table has images a second, six views each, of the ways of `extraction_ways.py`, the second
milliseconds an image of each part of the work, the third what collections take, computed. Without
`--folder` the images are painted sample images, 300 pixels on the short side, saved as JPEG.
Figures are processor time of one thread that also reads the images; with more threads, worker
processes or a CUDA device they are time on the clock.
"""

import argparse
import statistics
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

import torch
from extraction_ways import (
    ALONE,
    DECODING,
    DEVICE_VIEWS,
    OURS,
    SIZE,
    TRAINING_VIEWS,
    Setting,
    extraction_ways,
    part_ways,
)
from page import clock_of, format_table, make_parser, publish, time_in_turns
from PIL import Image

from imet_tools.sample import write_sample_data
from imet_utils.encoders import build_encoder, encode_images
from imet_utils.features import views_at_once
from imet_utils.processes import keep_freed_memory
from imet_utils.tables import SUFFIXES

COLLECTIONS = {"109,200": 109_200, "10 million": 10**7, "1 billion": 10**9}
VIEWS, BYTES = 6, 2  # six views, float16
LABELS = 3.17 * 4  # bytes an image: labels of an image of iMet 2019, each an int32
DOLLARS_AN_HOUR, DOLLARS_A_TERABYTE = 0.04, 20  # a core for an hour, object storage for a month


def find_paths(images: Path | None, number: int, folder: Path) -> list[Path]:
    """Take the first images of a folder, or paint some in another, as JPEG and PNG."""
    if images is None:
        sample = write_sample_data(folder / "sample", num_images=number, num_test=0)
        pngs = sorted((sample / "train").iterdir())
        for path in pngs:
            Image.open(path).save(path.with_suffix(".jpg"), quality=90)
        return [path.with_suffix(".jpg") for path in pngs]
    paths = [path for path in sorted(images.iterdir()) if path.suffix.lower() in SUFFIXES]
    if len(paths) < number:
        raise SystemExit(f"{images} has {len(paths)} PNG or JPEG images; wanted {number}")
    return paths[:number]


def format_rates(times: Mapping[str, float], whole: str, number: int) -> str:
    """Write images a second of each way, and their share of those of the way `whole`."""
    rows = [
        [name, f"{number / spent:,.1f}", f"{times[whole] / spent:.0%}"]
        for name, spent in times.items()
    ]
    return format_table(["Way", "Images a second", "Share of the encoder alone"], rows)


def format_parts(times: Mapping[str, float], number: int) -> str:
    """Write milliseconds an image of each part."""
    rows = [[name, f"{1000 * spent / number:,.2f}"] for name, spent in times.items()]
    return format_table(["Part, six views an image", "Milliseconds an image"], rows)


def format_limit(seconds: float, cores: int) -> str:
    """Compute what cores that take `seconds` for their part of an image can feed."""
    return (
        f"One core prepares {1 / seconds:,.0f} images a second. {cores} cores would prepare "
        f"{6 * cores / seconds:,.0f} views a second at the most (computed): an accelerator that "
        "encodes more than that waits for them, whatever its own speed."
    )


def format_scale(seconds: float, file_bytes: float, map_size: int, vector_size: int) -> str:
    """Write a table of cores, storage and money for each of the `COLLECTIONS`.

    `seconds` are of one core for an image, sizes are numbers of a view.
    """
    head = ["Images", "Core hours", "$ for cores", "Files (TB)", "Maps (TB)"]
    head += ["Pooled and style (TB)", "Labels (GB)", "$ a month for files and vectors"]
    sizes = (file_bytes, VIEWS * map_size * BYTES, VIEWS * vector_size * BYTES)
    rows = []
    for name, number in COLLECTIONS.items():
        hours = number * seconds / 3600
        files, maps, vectors = (number * size / 1e12 for size in sizes)
        cells = [f"{hours:,.0f}", f"{hours * DOLLARS_AN_HOUR:,.0f}"]
        cells += [f"{size:,.2f}" for size in (files, maps, vectors)]
        cells += [f"{number * LABELS / 1e9:,.3f}", f"{(files + vectors) * DOLLARS_A_TERABYTE:,.0f}"]
        rows.append([name, *cells])
    return format_table(head, rows)


def make_report(setting: Setting, paths: list[Path], folder: Path, rounds: int) -> list[str]:
    """Time everything and write the parts of the section."""
    number, clock = len(paths), clock_of(setting.device, alone=not setting.workers)
    rates = time_in_turns(extraction_ways(setting, paths, folder), clock, rounds)
    parts = time_in_turns(part_ways(setting, paths), clock, rounds)
    encoder = build_encoder(setting.encoder, "none")
    view = encode_images(encoder, torch.zeros(1, 3, SIZE, SIZE, dtype=torch.uint8))
    map_size, *sizes = (view[name].numel() for name in ("maps", "pooled", "style"))
    bytes_an_image = statistics.mean(path.stat().st_size for path in paths)
    reading = (parts[DECODING] + (0 if DEVICE_VIEWS in parts else parts[TRAINING_VIEWS])) / number
    cores = max(1, torch.get_num_threads(), setting.workers)
    helped = setting.workers and setting.device.type != "cpu"  # whose threads read by themselves
    reader = f"{setting.workers} worker processes read" if helped else "the same reads"
    return [
        f"{setting.encoder} on {setting.device.type}, {torch.get_num_threads()} thread(s), "
        f"{reader} the {number} images of {bytes_an_image / 1000:.0f} KB each; six views an image "
        f"as for training, {setting.batch} views at a time. Medians of rounds in turns. All ways "
        "profit from the memory that `build_encoder` has the process keep; without it, the plain "
        "ways would be slower.",
        format_rates(rates, ALONE, number),
        format_parts(parts, number),
        format_limit(reading, 16),
        "What collections take, computed from this rate and these files:",
        format_scale(rates[OURS] / number * cores, bytes_an_image, map_size, sum(sizes)),
    ]


def parse_arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = make_parser(__doc__, "extraction")
    parser.add_argument("--encoder", default="efficientnet_lite0", help="see `ENCODER`")
    parser.add_argument("--folder", type=Path, help="use the images of this folder")
    parser.add_argument("--images", type=int, default=48, help="how many images")
    parser.add_argument("--rounds", type=int, default=5, help="rounds of which the median is taken")
    parser.add_argument("--batch", type=int, help="views at a time, if not as in the notebooks")
    parser.add_argument("--threads", type=int, default=1, help="threads of the encoder")
    parser.add_argument("--workers", type=int, default=0, help="processes that read images")
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
        parts = make_report(setting, paths, folder, arguments.rounds)
    command = " ".join(["python benchmarks/bench_extraction.py", *sys.argv[1:]])
    title = f"# Feature extraction, {setting.encoder}\n\n`{command}`"
    section = f"extraction_{setting.encoder}" if arguments.page == "extraction" else arguments.page
    publish(section, title, *parts)


if __name__ == "__main__":
    main()
