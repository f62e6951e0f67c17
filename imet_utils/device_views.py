"""Make the views of many images at once on their device, as `view_making` does with Pillow."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torchvision.transforms.v2 import functional

from imet_utils.view_making import View


def make_device_views(
    images: Sequence[Tensor], plans: Sequence[Sequence[View]], size: int = 224
) -> Tensor:
    """Carry out the plans of the views of several images; equal to Pillow's by rounding.

    Each cut is one copy, and the colours of all views turn in one product of matrices.

    Args:
        images: (3, H, W) uint8, RGB, of any sizes, on one device.
        plans: V views for each image, see `plan_views`.
        size: side of a view in pixels.

    Returns:
        (B, V, 3, size, size) uint8.
    """
    flat = [view for plan in plans for view in plan]
    shape = (len(flat), 3, size, size)
    views = torch.empty(shape, dtype=torch.uint8, device=images[0].device)
    rows = iter(views)
    for image, plan in zip(images, plans, strict=True):
        whole = None
        for view in plan:
            if view.box is None:
                picture = whole = _scale(image, size) if whole is None else whole
            else:
                left, top, right, bottom = view.box
                picture = _scale(image[:, top:bottom, left:right], size)
            next(rows).copy_(picture.flip(-1) if view.flip else picture)
    if flat[0].colours:
        matrices = torch.tensor([view.colours for view in flat], device=views.device)  # (B V, 3, 3)
        views = turn_colours(views, matrices)
    return views.unflatten(0, (len(images), -1))


def _scale(image: Tensor, size: int) -> Tensor:
    if image.shape[1:] == (size, size):
        return image
    return functional.resize(image, [size, size], antialias=True)


def turn_colours(images: Tensor, matrices: Tensor) -> Tensor:
    """Multiply the colours of images (B, 3, H, W) uint8 by matrices (B, 3, 3) float32."""
    turned = torch.bmm(matrices, images.flatten(2).float())  # (B, 3, H W)
    return turned.add_(0.5).clamp_(0, 255).to(torch.uint8).view_as(images)
