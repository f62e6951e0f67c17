"""Time feature extraction against the bare encoder and straightforward implementations.

    python benchmarks/bench_extraction.py [--encoder resnet50] [--page]

The first table has images a second, six views each, of ways from image files, or from views in
memory, to features; the second milliseconds an image of each part of the work; the third what
collections take, computed. The images are painted sample images, 300 pixels on the short side,
saved as JPEG. Figures are processor time of one thread that also reads the images; with more
threads, worker processes or a GPU they are time on the clock.
"""

import shutil
import statistics
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import cycle, islice
from pathlib import Path

import numpy as np
import page
import timm
import torch
from PIL import Image
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset
from torchvision.transforms import v2

from imet_tools.sample import write_sample_data
from imet_utils.encoders import Encoder, build_encoder, encode_images
from imet_utils.features import extract_features, views_at_once
from imet_utils.hog import hog
from imet_utils.processes import keep_freed_memory
from imet_utils.tables import read_image
from imet_utils.views import Compute, ViewDataset, make_device_views, make_views, plan_views

ALONE, OURS = "encoder alone, views in memory", "`extract_features`, from file to store"
DECODING, TRAINING_VIEWS = "decoding", "six views for training"
DEVICE_VIEWS = "six views for training, made on the device"
SIZE, NUM_VIEWS = 224, 6
PAINTED = 120  # different images
JITTER = v2.ColorJitter(saturation=0.05, hue=0.05)
COLLECTIONS = {"109,200": 109_200, "10 million": 10**7, "1 billion": 10**9}
BYTES = 2  # of a number in a store: float16
LABELS = 3.17 * 4  # bytes an image: labels of an image of iMet 2019, each an int32
DOLLARS_AN_HOUR, DOLLARS_A_TERABYTE = 0.04, 20  # a core for an hour, object storage for a month

Ways = dict[str, Callable[[], object]]


@dataclass(frozen=True)
class Setting:
    """What all ways share."""

    encoder: str
    device: torch.device
    batch: int  # views at a time
    workers: int  # processes that read images


def extraction_ways(setting: Setting, paths: Sequence[Path], folder: Path) -> Ways:
    """List the ways from image files, or from views in memory, to features."""
    encoder = build_encoder(setting.encoder, "none").to(setting.device)
    network = plain_network(setting.encoder).to(setting.device)
    # Training images with a culture have the views that take the longest.
    names = [path.stem for path in paths]
    dataset = ViewDataset(paths, names, [True] * len(paths), train=True)
    views = torch.cat([dataset[index] for index in range(len(dataset))]).to(setting.device)
    encode = partial(encode_images, encoder)
    return {
        ALONE: partial(run_batches, encode, views, setting.batch),
        OURS: partial(extract_anew, setting, encode, dataset, folder / "features/all/encoder"),
        "`DataLoader` on PIL transforms, plain float32 network": partial(
            run_pil_views, setting, network, PilViews(paths, encoder)
        ),
    }


def part_ways(setting: Setting, paths: Sequence[Path]) -> Ways:
    """List the parts of the work, each by itself."""
    encoder = build_encoder(setting.encoder, "none").to(setting.device)
    images = [read_image(path) for path in paths]
    plans = [plan_views(image.size, "", crop=True, augment=False) for image in images]
    views = torch.cat([*map(make_views, images, plans)]).to(setting.device)
    pooled = partial(encode_images, encoder, outputs=("maps", "pooled"))
    ways: Ways = {DECODING: lambda: [*map(read_image, paths)]}
    ways[TRAINING_VIEWS] = partial(make_all_views, images, augment=True)
    if setting.device.type != "cpu":
        pixels = [torch.from_numpy(np.array(image)).to(setting.device) for image in images]
        plans = [plan_views(image.size, "", crop=True, augment=True) for image in images]
        ways[DEVICE_VIEWS] = partial(make_device_views, pixels, plans)
    ways["six views for evaluation"] = partial(make_all_views, images, augment=False)
    compute = {
        "encoder: maps and pooled features": pooled,
        "encoder with style": partial(encode_images, encoder),
        "HOG": hog,
    }
    batches = {k: partial(run_batches, way, views, setting.batch) for k, way in compute.items()}
    return ways | batches


def make_all_views(images: Sequence[Image.Image], augment: bool) -> None:
    """Make six views of each image."""
    for number, image in enumerate(images):
        make_views(image, plan_views(image.size, str(number), crop=True, augment=augment))


def extract_anew(
    setting: Setting, encode: Compute, dataset: ViewDataset, store: Path
) -> dict[str, np.ndarray]:
    """Extract features to a store, and remove the files: one that is there would only be opened."""
    settings = (setting.batch, setting.workers, setting.device)
    arrays = extract_features(dataset, encode, store, {}, (), *settings)
    shutil.rmtree(store)
    return arrays


@torch.inference_mode()
def run_batches(compute: Callable[[Tensor], object], views: Tensor, batch: int) -> None:
    """Compute something of views (B, 3, H, W) in memory."""
    for part in views.split(batch):
        compute(part)


# What one writes without `imet_utils` to get features of views.


def plain_network(name: str) -> nn.Module:
    """Build an encoder's network as timm has it: float32, batch norm and padding in place."""
    name = {"efficientnet_lite0": "tf_efficientnet_lite0"}.get(name, name)
    found = timm.models.get_pretrained_cfg(name)
    settings = {"img_size": SIZE} if found and found.fixed_input_size else {}
    return timm.create_model(name, **settings).eval().requires_grad_(False)


class PilViews(Dataset[Tensor]):
    """One view an item, normalised floats: the file is opened anew for each, as is customary."""

    def __init__(self, paths: Sequence[Path], encoder: Encoder) -> None:
        self.paths = paths
        ending = [
            v2.RandomHorizontalFlip(),
            JITTER,
            v2.ToImage(),
            v2.ToDtype(torch.float32, scale=True),
            v2.Normalize(encoder.mean, encoder.std),
        ]
        self.whole = v2.Compose([v2.Resize((SIZE, SIZE)), *ending])
        self.crop = v2.Compose([v2.RandomCrop(SIZE, pad_if_needed=True), *ending])

    def __len__(self) -> int:
        return len(self.paths) * NUM_VIEWS

    def __getitem__(self, index: int) -> Tensor:
        number, view = divmod(index, NUM_VIEWS)
        image = Image.open(self.paths[number]).convert("RGB")
        return self.crop(image) if view else self.whole(image)


@torch.inference_mode()
def run_pil_views(setting: Setting, network: nn.Module, views: PilViews) -> None:
    """Run a network over `PilViews` in a `DataLoader`."""
    for images in DataLoader(views, setting.batch, num_workers=setting.workers):
        network(images.to(setting.device)).cpu()


def paint_images(number: int, folder: Path) -> list[Path]:
    """Paint sample images and save them as JPEG; those beyond `PAINTED` are the same again."""
    sample = write_sample_data(folder / "sample", min(number, PAINTED), num_test=0)
    paths = []
    for path in sorted((sample / "train").iterdir()):
        paths.append(path.with_suffix(".jpg"))
        Image.open(path).save(paths[-1], quality=90)
    return [*islice(cycle(paths), number)]


def format_rates(times: Mapping[str, float], whole: str, number: int) -> str:
    """Write images a second of each way, and their share of those of the way `whole`."""
    rows = [
        [name, f"{number / spent:,.1f}", f"{times[whole] / spent:.0%}"]
        for name, spent in times.items()
    ]
    return page.format_table(["Way", "Images a second", "Share of the encoder alone"], rows)


def format_limit(seconds: float, cores: int) -> str:
    """Compute what cores that take `seconds` for their part of an image can feed."""
    return (
        f"One core prepares {1 / seconds:,.0f} images a second. {cores} cores would prepare "
        f"{NUM_VIEWS * cores / seconds:,.0f} views a second at the most (computed): an accelerator "
        "that encodes more than that waits for them, whatever its own speed."
    )


def format_scale(seconds: float, file_bytes: float, map_size: int, vector_size: int) -> str:
    """Write a table of cores, storage and money for each of the `COLLECTIONS`.

    `seconds` are of one core for an image, sizes are numbers of a view.
    """
    head = ["Images", "Core hours", "$ for cores", "Files (TB)", "Maps (TB)"]
    head += ["Pooled and style (TB)", "Labels (GB)", "$ a month for files and vectors"]
    sizes = (file_bytes, NUM_VIEWS * map_size * BYTES, NUM_VIEWS * vector_size * BYTES)
    rows = []
    for name, number in COLLECTIONS.items():
        hours = number * seconds / 3600
        files, maps, vectors = (number * size / 1e12 for size in sizes)
        cells = [f"{hours:,.0f}", f"{hours * DOLLARS_AN_HOUR:,.0f}"]
        cells += [f"{size:,.2f}" for size in (files, maps, vectors)]
        cells += [f"{number * LABELS / 1e9:,.3f}", f"{(files + vectors) * DOLLARS_A_TERABYTE:,.0f}"]
        rows.append([name, *cells])
    return page.format_table(head, rows)


def make_report(setting: Setting, paths: Sequence[Path], folder: Path, rounds: int) -> list[str]:
    """Time everything and write the parts of the page."""
    number, threads = len(paths), torch.get_num_threads()
    clock = page.clock_of(setting.device, alone=not setting.workers)
    rates = page.time_in_turns(extraction_ways(setting, paths, folder), clock, rounds)
    parts = page.time_in_turns(part_ways(setting, paths), clock, rounds)
    encoder = build_encoder(setting.encoder, "none")
    view = encode_images(encoder, torch.zeros(1, 3, SIZE, SIZE, dtype=torch.uint8))
    map_size, *sizes = (view[name].numel() for name in ("maps", "pooled", "style"))
    bytes_an_image = statistics.mean(path.stat().st_size for path in paths)
    reading = (parts[DECODING] + (0 if DEVICE_VIEWS in parts else parts[TRAINING_VIEWS])) / number
    cores = max(1, threads, setting.workers)
    return [
        f"{setting.encoder} on {setting.device.type}, {threads} thread(s), {setting.workers} "
        f"processes that read for a GPU; {number} images of {bytes_an_image / 1000:.0f} KB each; "
        f"six views an image as for training, {setting.batch} at a time. Medians of rounds. All "
        "ways profit from the memory that the process keeps; the plain way alone would be slower.",
        format_rates(rates, ALONE, number),
        page.format_table(
            ["Part, six views an image", "Milliseconds an image"],
            [[name, f"{1000 * spent / number:,.2f}"] for name, spent in parts.items()],
        ),
        format_limit(reading, 16),
        "What collections take, computed from this rate and these files:",
        format_scale(rates[OURS] / number * cores, bytes_an_image, map_size, sum(sizes)),
    ]


def main() -> None:
    """Print the tables."""
    parser = page.make_parser(__doc__, "extraction")
    parser.add_argument("--encoder", default="efficientnet_lite0", help="see `ENCODER`")
    parser.add_argument("--images", type=int, default=48, help="how many images")
    parser.add_argument("--rounds", type=int, default=5, help="rounds of which the median is taken")
    parser.add_argument("--threads", type=int, default=1, help="threads of the encoder")
    parser.add_argument("--workers", type=int, default=0, help="processes that read images")
    asked = parser.parse_args()
    keep_freed_memory()  # as a notebook's kernel does, before there are threads
    torch.set_num_threads(asked.threads)
    device = page.find_devices()[-1]
    setting = Setting(asked.encoder, device, views_at_once(device), asked.workers)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        paths = paint_images(asked.images, folder)
        parts = make_report(setting, paths, folder, asked.rounds)
    page.publish(
        f"extraction_{asked.encoder}" if asked.page == "extraction" else asked.page,
        f"Feature extraction, {asked.encoder}",
        *parts,
    )


if __name__ == "__main__":
    main()
