"""What one writes without `imet_utils` to get features of views: the ways it is compared with."""

from collections.abc import Callable, Sequence
from pathlib import Path

import timm
import torch
from PIL import Image
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset
from torchvision.transforms import v2

from imet_utils.encoders import Encoder

SIZE, NUM_VIEWS = 224, 6
JITTER = v2.ColorJitter(saturation=0.05, hue=0.05)


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
