"""A frozen network as `images -> maps, pooled`, and the style statistics of its stages."""

import inspect
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

OUTPUTS = ("maps", "pooled", "style")  # of `encode_images`
SMALLEST_VARIANCE = 1e-12  # of a channel; at 0 the square root has no gradient


class Encoder(nn.Module):
    """A network of timm without its classifier.

    Attributes:
        num_positions: P of the maps, of images of the size that it was built for.
        dim: E, the channels of the maps.
        pooled_dim: D, the length of `pooled`.
        style_stages: numbers of the stages whose statistics describe style.
        style_dim: S, twice the channels of these stages.
        mean: of the images that it was trained with, RGB in [0, 1], with `std`.
        source: address of its weights; empty for a local file.
    """

    net: Any  # a network of timm has methods that nn.Module does not declare

    def __init__(
        self,
        name: str,
        net: nn.Module,
        mean: Sequence[float],
        std: Sequence[float],
        image_size: int = 224,
        source: str = "",
    ) -> None:
        """Infer the output shapes from one black image; ValueError if it cannot be encoded."""
        from timm.models.resnet import ResNet  # here, as timm takes seconds to import

        super().__init__()
        self.name, self.source = name, source
        self.net = net
        self.eval()
        self.mean, self.std = tuple(mean), tuple(std)
        if isinstance(net, ResNet):  # the first stage ends after the pooling, a quarter of the size
            self.net.act1 = nn.Sequential(net.act1, net.maxpool)
            self.net.maxpool = nn.Identity()
        known = inspect.signature(self.net.forward_intermediates).parameters
        self._settings = {"extra_blocks": True} if "extra_blocks" in known else {}
        try:
            self._infer_shapes(torch.zeros(1, 3, image_size, image_size))
        except (AssertionError, AttributeError, RuntimeError) as error:
            message = f"{name} cannot encode images of {image_size} pixels: {error}"
            raise ValueError(message) from error

    @torch.no_grad()
    def _infer_shapes(self, images: Tensor) -> None:
        final, stages = self.features(images, None)
        shapes = [(stage.shape[1], stage.shape[2], stage.shape[3]) for stage in stages]
        if final.ndim == 3:  # tokens of classes and registers come before those of patches
            self.num_prefix_tokens = final.shape[1] - shapes[-1][1] * shapes[-1][2]
            assert self.num_prefix_tokens >= 0, "there are no tokens of all patches"
        self.num_positions, self.dim = self.maps(final).shape[1:]
        self.pooled_dim = self.pool(final).shape[1]
        self.style_stages = choose_stages(shapes, self.dim, images.shape[2])
        self.style_dim = 2 * sum(shapes[k][0] for k in self.style_stages)
        self._settings["norm"] = len(set(shapes)) == 1  # the blocks of a ViT share its last norm
        self(images)

    def features(self, images: Tensor, stages: list[int] | None) -> tuple[Tensor, list[Tensor]]:
        """Return the final features of normalised images (B, 3, H, W), and the maps of stages.

        Those are (B, E_i, H_i, W_i) for each number of `stages`, or all for None.
        """
        if stages == []:
            return self.net.forward_features(images), []
        return self.net.forward_intermediates(
            images, indices=stages, output_fmt="NCHW", **self._settings
        )

    def forward(self, images: Tensor, outputs: Sequence[str] = OUTPUTS) -> dict[str, Tensor]:
        """Encode normalised images (B, 3, H, W), see `encode_images`."""
        final, stages = self.features(images, self.style_stages if "style" in outputs else [])
        found = {"maps": self.maps(final), "pooled": self.pool(final)}
        if stages:
            found["style"] = style_statistics(stages)
        return {name: found[name] for name in outputs}

    def maps(self, final: Tensor) -> Tensor:
        """Lay final features out as maps (B, P, E); of tokens, those of patches alone."""
        if final.ndim == 3:
            return final[:, self.num_prefix_tokens :]
        if getattr(self.net, "output_fmt", "NCHW") == "NHWC":
            return final.flatten(1, 2)
        return final.flatten(2).transpose(1, 2)

    def pool(self, final: Tensor) -> Tensor:
        """Pool final features as the network does for its classifier, float32 (B, D).

        Class token and mean of the patches are concatenated, whichever of them the network pools;
        but not where it normalises the mean alone and so does not use its class token.
        """
        pooled = self.net.forward_head(final.float(), pre_logits=True).float()
        if getattr(self.net, "global_pool", "") == "token":
            return torch.cat([pooled, self.maps(final).mean(dim=1, dtype=torch.float32)], dim=1)
        norm = getattr(self.net, "fc_norm", None) or nn.Identity()
        if getattr(self.net, "cls_token", None) is not None and isinstance(norm, nn.Identity):
            return torch.cat([final[:, 0].float(), pooled], dim=1)
        return pooled

    def stages(self) -> list[list[nn.Parameter]]:
        """Group the weights by timm's stages, the first stage first; one group if it has none."""
        from timm.models import group_parameters  # here, as above

        try:
            matcher = self.net.group_matcher(coarse=True)
        except (AssertionError, AttributeError):
            return [list(self.net.parameters())]
        if isinstance(matcher, dict):
            matcher["rest"] = ((".", (99999,)),)  # timm's mark of what belongs to the stage before
        groups = group_parameters(self.net, matcher)
        return [[self.net.get_parameter(name) for name in names] for names in groups.values()]


def choose_stages(shapes: Sequence[tuple[int, int, int]], dim: int, image_size: int) -> list[int]:
    """Choose the stages whose statistics describe style, by their shapes (E_i, H_i, W_i).

    These are all from a quarter of the resolution on, since earlier ones would take as long as all
    others, except a last one whose maps are the final ones, of `dim` channels. A network whose
    stages have one shape, as the blocks of a ViT do, counts as four.

    >>> choose_stages([(64, 56, 56), (256, 28, 28), (512, 14, 14)], dim=512, image_size=224)
    [0, 1]
    """
    if len(set(shapes)) == 1:
        return sorted({len(shapes) * k // 4 - 1 for k in (1, 2, 3)} - {-1})
    chosen = [k for k, (_, height, _) in enumerate(shapes) if height <= -(-image_size // 4)]
    return [k for k in chosen if k < len(shapes) - 1 or shapes[k][0] != dim]


def style_statistics(stages: Sequence[Tensor]) -> Tensor:
    """Compute mean and standard deviation of each channel of stages (B, E_i, H_i, W_i).

    These statistics of early stages describe style and texture (Huang and Belongie, ICCV 2017).
    A CPU takes one image at a time, whose floats stay in its cache: ten times as fast. A graph
    traced for another engine has no such loop.

    Returns:
        (B, S) float32 with S = 2 * sum of E_i: all means, then all deviations.
    """
    if stages[0].device.type == "cpu" and len(stages[0]) > 1 and not torch.jit.is_tracing():
        images = zip(*(stage.split(1) for stage in stages), strict=True)
        return torch.cat([style_statistics(image) for image in images])
    means, deviations = [], []
    for stage in stages:
        floats = stage.permute(0, 2, 3, 1).flatten(1, 2).float()  # (B, H_i W_i, E_i), as in memory
        means.append(floats.mean(dim=1))
        variance = (floats - means[-1].unsqueeze(1)).square().mean(dim=1)
        deviations.append(variance.clamp_min(SMALLEST_VARIANCE).sqrt())
    return torch.cat([*means, *deviations], dim=1)


def autocast_dtype(device: torch.device | str) -> torch.dtype | None:
    """Choose the short float type that a device computes fast in; None where it has none."""
    device = torch.device(device)
    if device.type == "cuda":
        native = torch.cuda.is_bf16_supported(including_emulation=False)
        return torch.bfloat16 if native else torch.float16
    if device.type == "cpu":
        has: dict[str, bool] = getattr(torch.cpu, "get_capabilities", dict)()
        return torch.bfloat16 if has.get("avx512_bf16") or has.get("amx_bf16") else None
    return None


def mixed_precision(device: torch.device) -> torch.autocast:
    """Compute in the short float type that the device is fast at, if there is one."""
    dtype = autocast_dtype(device)
    return torch.autocast(device.type, dtype=dtype or torch.bfloat16, enabled=dtype is not None)


def normalise(images: Tensor, mean: Sequence[float], std: Sequence[float]) -> Tensor:
    """Turn uint8 images (B, 3, H, W) into floats of the statistics given, channels last."""
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
    """Normalise uint8 RGB images (B, 3, H, W) and encode them, in a short float where it is fast.

    `mean` and `std` are RGB in [0, 1], or the encoder's own.

    Returns:
        Those of `maps` (B, P, E), `pooled` (B, D) and `style` (B, S) that are in `outputs`, with
        gradients where the encoder has them.
    """
    floats = normalise(images, mean or encoder.mean, std or encoder.std)
    with mixed_precision(images.device):
        return encoder(floats, outputs)
