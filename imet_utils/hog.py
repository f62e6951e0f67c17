"""Histograms of oriented gradients (HOG) of a batch of images, equal to scikit-image's.

Dalal and Triggs, "Histograms of oriented gradients for human detection", CVPR 2005, with the
conventions of `skimage.feature.hog`: centred differences, zero at the image's border; a colour
pixel uses the channel of its largest gradient, the first of equals; hard bins between 0 and 180
degrees; pixels beyond the last whole cell left out; overlapping blocks, row by row; L2-Hys.

The gradient of bytes is one of 511^2 pairs of integers, whose bin and magnitude are looked up in a
table that NumPy computes as scikit-image does: gradients on the border of two bins count alike.
"""

from functools import lru_cache

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

_EPSILON, _CLIP = 1e-5, 0.2  # of L2-Hys, as in scikit-image
_CPU_CHUNK, _OTHER_CHUNK = 3 << 16, 1 << 22  # pixels at a time, for the caches or the memory
_LEVELS = 511  # differences of two bytes
# A vote is one integer: 15 bits for the rank of its magnitude, 2 for the channel, 14 for the bin.
_RANK_SHIFT, _CHANNEL_SHIFT = 16, 14
_LARGEST_SETTING = 1 << _CHANNEL_SHIFT


def hog(
    images: Tensor, orientations: int = 8, pixels_per_cell: int = 16, cells_per_block: int = 3
) -> Tensor:
    """Compute the HOG (B, H) float32 of images (B, 1 | 3, H, W) uint8.

    H is blocks * cells of a block * orientations; cells and blocks are square, given by a side.
    Equal to `skimage.feature.hog` to 1e-5.

    Raises:
        ValueError: for other images, settings out of range, or images smaller than one block.
    """
    if images.ndim != 4 or images.shape[1] not in (1, 3) or images.dtype != torch.uint8:
        raise ValueError(
            f"images are {images.dtype} {tuple(images.shape)}; wanted uint8 (B, 1 | 3, H, W)"
        )
    height, width = images.shape[2:]
    _check_settings((height, width), orientations, pixels_per_cell, cells_per_block)
    on_cpu = images.device.type == "cpu"
    chunk = _CPU_CHUNK * torch.get_num_threads() if on_cpu else _OTHER_CHUNK
    parts = images.split(max(1, chunk // (height * width)))
    cells = (_histograms(part, orientations, pixels_per_cell) for part in parts)
    return torch.cat([_normalise_blocks(some, cells_per_block) for some in cells])  # (B, H)


def _check_settings(image_size: tuple[int, int], orientations: int, cell: int, block: int) -> None:
    """Refuse settings that are out of range, or for which the images are too small."""
    settings = {"orientations": orientations, "pixels_per_cell": cell, "cells_per_block": block}
    for name, value in settings.items():
        if not isinstance(value, int) or not 1 <= value <= _LARGEST_SETTING:
            raise ValueError(f"{name} is {value!r}; wanted an integer, 1 to {_LARGEST_SETTING}")
    if min(image_size) // cell < block:
        raise ValueError(
            f"images are {image_size[0]} x {image_size[1]}; blocks of {block} x {block} cells of "
            f"{cell} x {cell} pixels want at least {block * cell} pixels a side"
        )


def _histograms(images: Tensor, orientations: int, cell: int) -> Tensor:
    """Sum the votes of each whole cell, divided by its number of pixels: float32 (B, R, C, O)."""
    bins, magnitudes = (
        part.unfold(1, cell, cell).unfold(2, cell, cell).flatten(3)  # (B, R, C, pixels of a cell)
        for part in _vote(images, orientations)
    )
    # A histogram is a bag of unit vectors, weighted and summed.
    units = torch.eye(orientations, device=images.device)
    weights = magnitudes.flatten(0, 2)
    sums = F.embedding_bag(bins.flatten(0, 2), units, mode="sum", per_sample_weights=weights)
    return (sums / cell**2).view(*bins.shape[:3], orientations)


def _vote(images: Tensor, orientations: int) -> tuple[Tensor, Tensor]:
    """Look up the bin int32 (B, H, W) and the magnitude float32 (B, H, W) of each gradient."""
    votes_of_pairs, magnitudes_of_ranks = _vote_table(orientations, images.device)
    values = images.to(torch.int32, memory_format=torch.contiguous_format)
    pairs = torch.full_like(values, _LEVELS**2 // 2)  # the pair (0, 0)
    pairs[:, :, 1:-1].add_(values[:, :, 2:] - values[:, :, :-2], alpha=_LEVELS)
    pairs[..., 1:-1].add_(values[..., 2:] - values[..., :-2])
    *others, strongest = votes_of_pairs.index_select(0, pairs.view(-1)).view_as(pairs).unbind(1)
    for priority, votes in enumerate(reversed(others), start=1):  # the first of equals
        strongest = torch.maximum(strongest, votes + (priority << _CHANNEL_SHIFT))  # (B, H, W)
    ranks = strongest >> _RANK_SHIFT
    magnitudes = magnitudes_of_ranks.index_select(0, ranks.view(-1)).view_as(ranks)
    return strongest & (_LARGEST_SETTING - 1), magnitudes


@lru_cache(maxsize=16)
def _vote_table(orientations: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Tabulate the votes int32 (511 * 511,) of all gradients, and the magnitude of each rank."""
    differences = np.arange(_LEVELS) - _LEVELS // 2.0
    rise, run = np.meshgrid(differences, differences, indexing="ij")
    magnitudes, ranks = np.unique(np.hypot(rise, run), return_inverse=True)
    borders = 180.0 / orientations * np.arange(1, orientations)
    borders = borders.astype(np.float32).astype(np.float64)  # scikit-image holds them in float32
    bins = np.searchsorted(borders, np.rad2deg(np.arctan2(rise, run)) % 180, side="right")
    votes = (ranks.ravel() << _RANK_SHIFT) + bins.ravel()
    return torch.from_numpy(votes).int().to(device), torch.from_numpy(magnitudes).float().to(device)


def _normalise_blocks(cells: Tensor, block: int) -> Tensor:
    """Line up overlapping blocks of cells (B, R, C, O), normalised by L2-Hys: (B, H)."""
    windows = cells.unfold(1, block, 1).unfold(2, block, 1)  # (B, r, c, O, block, block)
    blocks = windows.permute(0, 1, 2, 4, 5, 3).flatten(3)  # (B, r, c, block * block * O)
    for limit in (_CLIP, 1.0):  # scaled to length 1 and clipped, twice
        lengths = (blocks.square().sum(-1, keepdim=True) + _EPSILON**2).sqrt_()
        blocks = (blocks / lengths).clamp_(max=limit)
    return blocks.flatten(1)
