"""The same network in fewer steps: batch norm and padding become part of the convolutions."""

from itertools import pairwise
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.fusion import fuse_conv_bn_eval

if TYPE_CHECKING:
    from timm.layers import Conv2dSame


def speed_up(net: nn.Module, images: Tensor) -> None:
    """Fold batch norm and padding into the convolutions, which changes values by rounding only.

    A batch norm is folded into the convolution registered right before it, if that feeds it; images
    (B, 3, H, W) are run through the net, in evaluation mode, to see that. torch.fx's `fuse` cannot
    serve: not all networks can be traced, and it does not know timm's own layers.
    """
    from timm.layers import Conv2dSame  # here, as it takes seconds to import

    fed_by = _trace_inputs(net, images)
    for parent in list(net.modules()):
        for (name, conv), (next_name, norm) in pairwise([*parent.named_children(), ("", None)]):
            if not isinstance(conv, nn.Conv2d):
                continue
            if isinstance(norm, nn.BatchNorm2d) and fed_by.get(norm) is conv:
                conv = fuse_conv_bn_eval(conv, norm)
                setattr(parent, next_name, getattr(norm, "act", nn.Identity()))
            if isinstance(conv, Conv2dSame) and conv.dilation == (1, 1):
                conv = SamePaddedConv(conv)
            setattr(parent, name, conv)


@torch.no_grad()
def _trace_inputs(net: nn.Module, images: Tensor) -> dict[nn.Module, nn.Module]:
    """Find for each batch norm the convolution whose unchanged output is its input."""
    fed_by: dict[nn.Module, nn.Module] = {}

    def remember(conv: nn.Module, _: tuple[Tensor], output: Any) -> None:  # noqa: ANN401
        output.made_by = conv, output._version

    def look_up(norm: nn.Module, given: tuple[Any]) -> None:
        conv, version = getattr(given[0], "made_by", (norm, None))
        if version == given[0]._version:  # else an activation has changed it in place
            fed_by[norm] = conv

    convs = [module for module in net.modules() if isinstance(module, nn.Conv2d)]
    norms = [module for module in net.modules() if isinstance(module, nn.BatchNorm2d)]
    hooks = [conv.register_forward_hook(remember) for conv in convs]
    hooks += [norm.register_forward_pre_hook(look_up) for norm in norms]
    net(images)
    for hook in hooks:
        hook.remove()
    return fed_by


class SamePaddedConv(nn.Module):
    """A convolution with stride that pads as TensorFlow does, one more on the far sides.

    On a CPU the kernel gets a row and a column of zeros before its own, and both sides of the input
    the same padding: a padded copy of the input takes longer. A GPU has fast kernels for odd sizes.
    """

    def __init__(self, conv: "Conv2dSame") -> None:
        super().__init__()
        self.conv = conv

    def forward(self, maps: Tensor) -> Tensor:
        """Convolve maps (B, C, H, W)."""
        from timm.layers.padding import pad_same_arg  # here, as above

        conv = self.conv
        if maps.device.type != "cpu":
            return conv(maps)
        size = [int(side) for side in maps.shape[2:]]  # a constant to a tracer
        padding = pad_same_arg(size, list(conv.kernel_size), list(conv.stride))
        left, right, top, bottom = map(int, padding)
        kernel = functional.pad(conv.weight, (right - left, 0, bottom - top, 0))
        padded = bottom, right
        return functional.conv2d(maps, kernel, conv.bias, conv.stride, padded, groups=conv.groups)
