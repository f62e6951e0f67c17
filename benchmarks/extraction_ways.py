"""The ways from image files, or from views in memory, to features, and the parts of the work."""

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import timm
import torch
from PIL import Image
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset
from torchvision.transforms import v2
from torchvision.transforms.v2.functional import pil_to_tensor

from imet_utils.encoders import Encoder, build_encoder, encode_images, normalise
from imet_utils.features import extract_features
from imet_utils.hog import hog
from imet_utils.tables import read_image
from imet_utils.views import Compute, ViewDataset, make_device_views, make_views, plan_views

ALONE, OURS = "encoder alone, views in memory", "`extract_features`, from file to store"
PLAIN = "plain float32 network alone, views in memory"
DECODING, TRAINING_VIEWS = "decoding", "six views for training"
DEVICE_VIEWS = "six views for training, made on the device"
SIZE, NUM_VIEWS = 224, 6
JITTER = v2.ColorJitter(saturation=0.05, hue=0.05)
Ways = dict[str, Callable[[], object]]


@dataclass(frozen=True)
class Setting:
    """What all ways share."""

    encoder: str
    device: torch.device
    batch: int
    workers: int


def extraction_ways(setting: Setting, paths: list[Path], folder: Path) -> Ways:
    """List the ways from image files, or from views in memory, to features."""
    encoder = build_encoder(setting.encoder, "none").to(setting.device)
    network = plain_network(setting.encoder).to(setting.device)
    dataset = make_dataset(paths)
    views = torch.cat([dataset[index] for index in range(len(dataset))]).to(setting.device)
    floats = normalise(views, encoder.mean, encoder.std).contiguous()
    encode = partial(encode_images, encoder)
    store = folder / "features/all/encoder"

    def decode_and_run() -> None:
        images = [pil_to_tensor(read_image(path)).to(setting.device) for path in paths]
        run_tensor_views(encode, images, setting.batch)

    plain = (network, encoder, paths, setting.batch, setting.workers)
    return {
        ALONE: partial(run_encoder, encode, views, setting.batch),
        OURS: partial(extract_anew, setting, encode, dataset, store),
        "torchvision transforms on tensors, our encoder": decode_and_run,
        PLAIN: partial(run_network, network, floats, setting.batch),
        "`DataLoader` on PIL transforms, plain float32 network": partial(run_pil_views, *plain),
    }


def extract_anew(
    setting: Setting, encode: Compute, dataset: ViewDataset, store: Path
) -> dict[str, np.ndarray]:
    """Extract features to a store, and remove the files: one that is there would only be opened."""
    settings = (setting.batch, setting.workers, setting.device)
    arrays = extract_features(dataset, encode, store, {}, (), *settings)
    shutil.rmtree(store)
    return arrays


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
        pixels = [torch.from_numpy(np.array(image)).to(setting.device) for image in images]
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
def run_pil_views(
    network: nn.Module, encoder: Encoder, paths: Sequence[Path], batch: int, workers: int
) -> None:
    """Run a network over `PilViews` in a `DataLoader`."""
    device = next(network.parameters()).device
    for images in DataLoader(PilViews(paths, encoder), batch, num_workers=workers):
        network(images.to(device)).cpu()


@torch.inference_mode()
def run_network(network: nn.Module, images: Tensor, batch: int) -> None:
    """Run a network in float32 over normalised views (B, 3, H, W) in memory."""
    for part in images.split(batch):
        network(part)


@torch.inference_mode()
def run_tensor_views(
    encode: Callable[[Tensor], object], images: Sequence[Tensor], batch: int
) -> None:
    """Make the views of decoded images (3, H, W) uint8 with torchvision on tensors, and encode.

    Flips and colours are drawn once for all views of an image, so that they run as one batch.
    """
    colours = v2.Compose([v2.RandomHorizontalFlip(), JITTER])
    crop, squeeze = v2.RandomCrop(SIZE, pad_if_needed=True), v2.Resize((SIZE, SIZE))
    step = max(1, batch // NUM_VIEWS)
    for start in range(0, len(images), step):
        views = []
        for image in images[start : start + step]:
            made = [squeeze(image), *(crop(image) for _ in range(NUM_VIEWS - 1))]
            views.append(colours(torch.stack(made)))  # (V, 3, H, W)
        encode(torch.cat(views))  # (B * V, 3, H, W)
