"""The same network in fewer steps: batch norm and padding become part of the convolutions."""

from itertools import pairwise

from timm.layers import Conv2dSame
from timm.layers.padding import pad_same_arg
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.fusion import fuse_conv_bn_eval


def speed_up(module: nn.Module) -> None:
    """Fold batch norm and padding into the convolutions, all the way down.

    Changes the values by rounding only. A convolution is taken to feed the batch norm that is
    registered right after it, as it does in timm's networks; the rectifier that timm keeps inside
    a batch norm stays.
    """
    children = list(module.named_children())
    for (name, conv), (next_name, norm) in pairwise(children):
        if isinstance(conv, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d):
            setattr(module, name, fuse_conv_bn_eval(conv, norm))
            setattr(module, next_name, getattr(norm, "act", nn.Identity()))
    for name, child in module.named_children():
        if isinstance(child, Conv2dSame) and child.dilation == (1, 1):
            setattr(module, name, SamePaddedConv(child))
        else:
            speed_up(child)


class SamePaddedConv(nn.Module):
    """A convolution with stride whose far sides may get one more row and column of zeros.

    So TensorFlow pads; a convolution itself pads both sides alike. On a CPU the kernel gets a row
    and a column of zeros before its own, and the input as much on the near sides as on the far
    ones: a copy of the input, which is large, takes longer than the few products with zero. A GPU
    has fast kernels for odd sizes alone.
    """

    def __init__(self, conv: Conv2dSame) -> None:
        """Keep a convolution that pads its input beforehand."""
        super().__init__()
        self.conv = conv

    def forward(self, maps: Tensor) -> Tensor:
        """Convolve maps (B, C, H, W)."""
        conv = self.conv
        if maps.device.type != "cpu":
            return conv(maps)
        left, right, top, bottom = pad_same_arg(maps.shape[2:], conv.kernel_size, conv.stride)
        kernel = functional.pad(conv.weight, (right - left, 0, bottom - top, 0))
        padding = (bottom, right)
        return functional.conv2d(maps, kernel, conv.bias, conv.stride, padding, groups=conv.groups)
