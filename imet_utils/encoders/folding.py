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

    A batch norm is folded into the convolution registered right before it, if that alone feeds it.
    The rectifier that timm keeps inside a batch norm stays.

    Args:
        net: in evaluation mode.
        images: (B, 3, H, W), which are run to see what feeds each batch norm.
    """
    inputs = _trace_inputs(net, images)
    for parent in list(net.modules()):
        for (name, conv), (next_name, norm) in pairwise([*parent.named_children(), ("", None)]):
            if not isinstance(conv, nn.Conv2d):
                continue
            if isinstance(norm, nn.BatchNorm2d) and inputs.get(norm) is conv:
                conv = fuse_conv_bn_eval(conv, norm)
                setattr(parent, next_name, getattr(norm, "act", nn.Identity()))
            if isinstance(conv, Conv2dSame) and conv.dilation == (1, 1):
                conv = SamePaddedConv(conv)
            setattr(parent, name, conv)


@torch.no_grad()
def _trace_inputs(net: nn.Module, images: Tensor) -> dict[nn.Module, nn.Module | None]:
    """Find for each batch norm the convolution whose unchanged output is its input."""
    outputs: dict[int, tuple[nn.Module, Tensor, int]] = {}
    inputs: dict[nn.Module, nn.Module | None] = {}

    def remember(conv: nn.Module, _: tuple[Tensor], output: Tensor) -> None:
        outputs[id(output)] = conv, output, output._version

    def look_up(norm: nn.Module, given: tuple[Tensor]) -> None:
        conv, _, version = outputs.get(id(given[0]), (None, None, None))
        if version == given[0]._version:  # else an activation has changed it in place
            inputs[norm] = conv

    hooks = []
    for module in net.modules():
        if isinstance(module, nn.Conv2d):
            hooks.append(module.register_forward_hook(remember))
        elif isinstance(module, nn.BatchNorm2d):
            hooks.append(module.register_forward_pre_hook(look_up))
    net(images)
    for hook in hooks:
        hook.remove()
    return inputs


class SamePaddedConv(nn.Module):
    """A convolution with stride that pads as TensorFlow does, one more on the far sides.

    On a CPU the kernel gets a row and a column of zeros before its own, and both sides of the input
    the same padding: a padded copy of the input takes longer than the few products with zero. A
    GPU has fast kernels for odd sizes alone.
    """

    def __init__(self, conv: Conv2dSame) -> None:
        super().__init__()
        self.conv = conv

    def forward(self, maps: Tensor) -> Tensor:
        """Convolve maps (B, C, H, W)."""
        conv = self.conv
        if maps.device.type != "cpu":
            return conv(maps)
        size = [int(side) for side in maps.shape[2:]]  # a constant to a tracer
        padding = pad_same_arg(size, list(conv.kernel_size), list(conv.stride))
        left, right, top, bottom = map(int, padding)
        kernel = functional.pad(conv.weight, (right - left, 0, bottom - top, 0))
        padded = bottom, right
        return functional.conv2d(maps, kernel, conv.bias, conv.stride, padded, groups=conv.groups)
