"""Fold what surrounds the convolutions of a frozen CNN into them: the same values, sooner."""

from itertools import pairwise

from torch import nn
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
    for child in module.children():
        if isinstance(child, nn.ReLU | nn.ReLU6):
            child.inplace = True
        if isinstance(child, nn.Conv2d):
            _fold_padding(child)
        speed_up(child)


def _fold_padding(conv: nn.Conv2d) -> None:
    """Let a convolution pad by itself where its package pads beforehand and alike on both sides."""
    pad = getattr(conv, "static_padding", None)
    if isinstance(pad, nn.ZeroPad2d):
        left, right, top, bottom = pad.padding
        if left == right and top == bottom:
            conv.padding = (top, left)
            conv.static_padding = nn.Identity()
