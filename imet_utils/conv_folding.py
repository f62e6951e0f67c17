"""Fold what surrounds the convolutions of a frozen CNN into them: the same values, sooner."""

from itertools import pairwise

from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.fusion import fuse_conv_bn_eval


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

    Attributes:
        conv: with the padding of the far sides.
    """

    def __init__(self, conv: nn.Conv2d) -> None:
        super().__init__()
        self.conv = conv

    def forward(self, maps: Tensor) -> Tensor:
        """Convolve maps (B, C, H, W)."""
        below, right = self.conv.padding
        if maps.device.type != "cpu":
            return self.convolve(functional.pad(maps, (right - 1, right, below - 1, below)))
        conv, kernel = self.conv, functional.pad(self.conv.weight, (1, 0, 1, 0))
        return functional.conv2d(
            maps, kernel, conv.bias, conv.stride, conv.padding, conv.dilation, conv.groups
        )

    def convolve(self, padded: Tensor) -> Tensor:
        """Convolve maps that have their padding."""
        conv = self.conv
        return functional.conv2d(
            padded, conv.weight, conv.bias, conv.stride, 0, conv.dilation, conv.groups
        )
