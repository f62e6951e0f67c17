"""The same network in fewer steps: batch norm and padding become part of the convolutions."""

from itertools import pairwise

import torch
from timm.layers import Conv2dSame
from timm.layers.padding import pad_same_arg
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.fusion import fuse_conv_bn_eval


def speed_up(net: nn.Module, images: Tensor) -> None:
    """Fold batch norm and padding into the convolutions, which changes values by rounding only.

    A batch norm is folded that is registered right after a convolution and is fed by it, by nobody
    else. The rectifier that timm keeps inside a batch norm stays.

    Args:
        net: in evaluation mode.
        images: (B, 3, H, W), which are run to see what feeds each batch norm.
    """
    fed_by = _trace(net, images)
    for parent in list(net.modules()):
        for (name, conv), (next_name, norm) in pairwise([*parent.named_children(), ("", None)]):
            if not isinstance(conv, nn.Conv2d):
                continue
            if norm in fed_by and fed_by[norm] is conv:
                conv = fuse_conv_bn_eval(conv, norm)
                setattr(parent, next_name, getattr(norm, "act", nn.Identity()))
            if isinstance(conv, Conv2dSame) and conv.dilation == (1, 1):
                conv = SamePaddedConv(conv)
            setattr(parent, name, conv)


@torch.no_grad()
def _trace(net: nn.Module, images: Tensor) -> dict[nn.Module, nn.Module]:
    """Find for each batch norm the convolution whose output is its input, unchanged."""
    made, fed_by, hooks = {}, {}, []

    def remember(conv: nn.Module, _: tuple[Tensor], output: Tensor) -> None:
        made[id(output)] = conv, output, output._version

    def look_up(norm: nn.Module, inputs: tuple[Tensor]) -> None:
        conv, _, version = made.get(id(inputs[0]), (None, None, None))
        if version == inputs[0]._version:  # else a rectifier has worked on it in place
            fed_by[norm] = conv

    for module in net.modules():
        if isinstance(module, nn.Conv2d):
            hooks.append(module.register_forward_hook(remember))
        elif isinstance(module, nn.BatchNorm2d):
            hooks.append(module.register_forward_pre_hook(look_up))
    net(images)
    for hook in hooks:
        hook.remove()
    return fed_by


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
        size = [int(side) for side in maps.shape[2:]]  # a constant to a tracer
        left, right, top, bottom = map(int, pad_same_arg(size, conv.kernel_size, conv.stride))
        kernel = functional.pad(conv.weight, (right - left, 0, bottom - top, 0))
        padding = (bottom, right)
        return functional.conv2d(maps, kernel, conv.bias, conv.stride, padding, groups=conv.groups)
