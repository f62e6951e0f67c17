"""The ways from image files, or from views in memory, to features, and the parts of the work."""

import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch
from PIL import Image
from plain_extraction import plain_network, run_network, run_pil_views, run_tensor_views
from torch import Tensor
from torchvision.transforms.v2.functional import pil_to_tensor

from imet_utils.encoders import build_encoder, encode_images, normalise
from imet_utils.features import extract_features
from imet_utils.hog import hog
from imet_utils.tables import read_image
from imet_utils.views import ViewDataset, make_device_views, make_views, plan_views

ALONE, OURS = "encoder alone, views in memory", "`extract_features`, from file to store"
DECODING, TRAINING_VIEWS = "decoding", "six views for training"
DEVICE_VIEWS = "six views for training, made on the device"
Ways = dict[str, Callable[[], object]]


@dataclass(frozen=True)
class Setting:
    """What all ways share.

    Attributes:
        encoder: name of the encoder.
        device: where it runs.
        batch: views at a time.
        workers: processes that read images; 0 reads them in this one.
    """

    encoder: str
    device: torch.device
    batch: int
    workers: int

    def clock(self) -> float:
        """Tell the processor's time where one thread does all, else the time on the clock."""
        if self.device.type == "cuda":
            torch.cuda.synchronize()
        alone = self.device.type == "cpu" and not self.workers and torch.get_num_threads() == 1
        return time.process_time() if alone else time.perf_counter()


def extraction_ways(setting: Setting, paths: list[Path], folder: Path) -> Ways:
    """List the ways from image files, or from views in memory, to features."""
    encoder = build_encoder(setting.encoder, "none").to(setting.device)
    network = plain_network(setting.encoder).to(setting.device)
    dataset = make_dataset(paths)
    views = torch.cat([dataset[index] for index in range(len(dataset))]).to(setting.device)
    floats = normalise(views, encoder.mean, encoder.std).contiguous()
    encode = partial(encode_images, encoder)
    store = folder / "features/all/encoder"

    def extract() -> dict[str, tuple[int, ...]]:
        settings = (setting.batch, setting.workers, setting.device)
        arrays = extract_features(dataset, encode, store, {}, *settings)
        shutil.rmtree(store)  # one that is there already would only be opened
        return {name: array.shape for name, array in arrays.items()}

    def decode_and_run() -> None:
        images = [pil_to_tensor(read_image(path)).to(setting.device) for path in paths]
        run_tensor_views(encode, images, setting.batch)

    plain = (network, encoder, paths, setting.batch, setting.workers)
    return {
        ALONE: partial(run_encoder, encode, views, setting.batch),
        OURS: extract,
        "torchvision transforms on tensors, our encoder": decode_and_run,
        "plain float32 network alone, views in memory": partial(
            run_network, network, floats, setting.batch
        ),
        "`DataLoader` on PIL transforms, plain float32 network": partial(run_pil_views, *plain),
    }


def part_ways(setting: Setting, paths: list[Path]) -> Ways:
    """List the parts of the work, each by itself."""
    encoder = build_encoder(setting.encoder, "none").to(setting.device)
    images = [read_image(path) for path in paths]
    pngs = [path.with_suffix(".png") for path in paths]
    plans = [plan_views(image.size, "", crop=True, augment=False) for image in images]
    views = torch.cat([*map(make_views, images, plans)]).to(setting.device)
    forward = partial(encode_images, encoder, outputs=("maps", "pooled"))
    ways: Ways = {DECODING: lambda: [*map(read_image, paths)]}
    if all(path.exists() for path in pngs):
        ways["decoding the same as PNG"] = lambda: [*map(read_image, pngs)]
    ways[TRAINING_VIEWS] = partial(make_all_views, images, augment=True)
    if setting.device.type != "cpu":
        pixels = [pil_to_tensor(image).to(setting.device) for image in images]
        plans = [plan_views(image.size, "", crop=True, augment=True) for image in images]
        ways[DEVICE_VIEWS] = partial(make_device_views, pixels, plans)
    ways["six views for evaluation"] = partial(make_all_views, images, augment=False)
    ways["encoder: maps and pooled features"] = partial(run_encoder, forward, views, setting.batch)
    ways["encoder with style"] = partial(
        run_encoder, partial(encode_images, encoder), views, setting.batch
    )
    ways["HOG"] = partial(run_encoder, hog, views, setting.batch)
    return ways


def make_dataset(paths: list[Path]) -> ViewDataset:
    """Make the views of training images with a culture: those that take the longest."""
    ids = [path.stem for path in paths]
    return ViewDataset(paths, ids, [True] * len(paths), train=True)


def make_all_views(images: list[Image.Image], augment: bool) -> None:
    """Make six views of each image."""
    for number, image in enumerate(images):
        make_views(image, plan_views(image.size, str(number), crop=True, augment=augment))


@torch.inference_mode()
def run_encoder(encode: Callable[[Tensor], object], views: Tensor, batch: int) -> None:
    """Encode views (B, 3, H, W) uint8 in memory."""
    for part in views.split(batch):
        encode(part)
