"""Histograms of oriented gradients (HOG) of a batch of images, equal to scikit-image's.

Dalal and Triggs, "Histograms of oriented gradients for human detection", CVPR 2005, with the
conventions of `skimage.feature.hog`: centred differences, zero at the image's border; a colour
pixel uses the channel of its largest gradient, the first of equals; hard bins between 0 and 180
degrees; pixels beyond the last whole cell left out; overlapping blocks, row by row; L2-Hys.

The gradient of bytes is one of 511^2 pairs of integers, whose bin and magnitude are looked up in a
table that NumPy computes as scikit-image does. So a gradient on the border of two bins, or of the
same magnitude in two channels, is counted as scikit-image counts it, on any device.
"""

import math
from functools import lru_cache

import numpy as np
import torch
import torch.nn.functional as F
from skimage.draw import line
from torch import Tensor

_EPSILON, _CLIP = 1e-5, 0.2  # of L2-Hys, as in scikit-image
_CPU_CHUNK, _OTHER_CHUNK = 3 << 16, 1 << 22  # pixels at a time, for the caches or the memory
_LARGEST = 255  # difference of two bytes
_SPAN = 2 * _LARGEST + 1
# A vote is one integer: 15 bits for the rank of its magnitude, 2 for the channel, 14 for the bin.
_RANK_SHIFT, _CHANNEL_SHIFT = 16, 14
_LARGEST_SETTING = 1 << _CHANNEL_SHIFT


def hog(
    images: Tensor, orientations: int = 8, pixels_per_cell: int = 16, cells_per_block: int = 3
) -> Tensor:
    """Compute the HOG descriptors of images, equal to `skimage.feature.hog` to 1e-5.

    Args:
        images: uint8 (B, 1 | 3, H, W).
        orientations: bins between 0 and 180 degrees, 1 to 16384.
        pixels_per_cell: side of a cell in pixels.
        cells_per_block: side of a block in cells.

    Returns:
        float32 (B, H) with H = blocks * cells of a block * orientations, whatever the rest of the
        batch.

    Raises:
        ValueError: for another rank, dtype or number of channels, settings out of range, or images
            smaller than one block.

    >>> hog(torch.zeros(2, 3, 224, 224, dtype=torch.uint8)).shape
    torch.Size([2, 10368])
    """
    if images.ndim != 4 or images.shape[1] not in (1, 3) or images.dtype != torch.uint8:
        raise ValueError(
            f"images are {images.dtype} {tuple(images.shape)}; wanted uint8 (B, 1 | 3, H, W)"
        )
    height, width = images.shape[2:]
    shape = _descriptor_shape((height, width), orientations, pixels_per_cell, cells_per_block)
    features = torch.empty(len(images), math.prod(shape), device=images.device)
    on_cpu = images.device.type == "cpu"
    chunk = _CPU_CHUNK * torch.get_num_threads() if on_cpu else _OTHER_CHUNK
    step = max(1, chunk // (height * width))
    for start in range(0, len(images), step):
        cells = _histograms(images[start : start + step], orientations, pixels_per_cell)
        features[start : start + step] = _normalise_blocks(cells, cells_per_block).flatten(1)
    return features  # (B, H)


def hog_picture(
    features: Tensor,
    image_size: tuple[int, int],
    orientations: int = 8,
    pixels_per_cell: int = 16,
    cells_per_block: int = 3,
) -> Tensor:
    """Draw a descriptor with the strokes of `skimage.feature.hog(visualize=True)`.

    scikit-image weights the strokes by the histograms of the cells before normalisation, which a
    descriptor no longer holds. Here a cell's histogram is the mean over the blocks that contain it,
    which evens out contrast over the picture.

    Args:
        features: (H,) or (B, H), from `hog` with the settings that follow.
        image_size: (rows, columns) of the image.
        orientations: this and the next two as for `hog`.
        pixels_per_cell: side of a cell in pixels.
        cells_per_block: side of a block in cells.

    Returns:
        float32 (rows, columns) or (B, rows, columns), at least 0; black beyond the last whole cell.

    Raises:
        ValueError: if the settings do not fit the length of `features`.
    """
    cell, block = pixels_per_cell, cells_per_block
    shape = _descriptor_shape(image_size, orientations, cell, block)
    if features.ndim not in (1, 2) or features.shape[-1] != math.prod(shape):
        raise ValueError(
            f"features are {tuple(features.shape)}; wanted ({math.prod(shape)},) or "
            f"(B, {math.prod(shape)}) for images of {image_size} and these settings"
        )
    blocks = features.float().reshape(-1, *shape)  # (B, r, c, block, block, O)
    rows, columns = shape[:2]
    cells = blocks.new_zeros(len(blocks), rows + block - 1, columns + block - 1, orientations)
    counts = torch.zeros_like(cells[:1])
    for i, j in np.ndindex(block, block):
        cells[:, i : i + rows, j : j + columns] += blocks[:, :, :, i, j]
        counts[:, i : i + rows, j : j + columns] += 1
    strokes = _draw_strokes(orientations, cell).to(cells.device)  # (O, cell, cell)
    drawn = torch.einsum("brco,ohw->brhcw", cells / counts, strokes).flatten(3).flatten(1, 2)
    margins = (0, image_size[1] - drawn.shape[2], 0, image_size[0] - drawn.shape[1])
    picture = F.pad(drawn, margins)  # (B, rows, columns)
    return picture if features.ndim == 2 else picture[0]


def _draw_strokes(orientations: int, cell: int) -> Tensor:
    """Draw the stroke of each bin (orientations, cell, cell), at right angles to its gradient."""
    strokes = torch.zeros(orientations, cell, cell)
    radius, middle = max(0, cell // 2 - 1), cell // 2
    for number, stroke in enumerate(strokes):
        angle = math.pi * (number + 0.5) / orientations
        down, right = radius * math.cos(angle), radius * math.sin(angle)
        ends = (middle - down, middle + right, middle + down, middle - right)
        stroke[line(*map(int, ends))] = 1
    return strokes


def _descriptor_shape(
    image_size: tuple[int, int], orientations: int, cell: int, block: int
) -> tuple[int, ...]:
    """Return rows and columns of blocks, cells of a block and orientations; check the settings."""
    settings = {"orientations": orientations, "pixels_per_cell": cell, "cells_per_block": block}
    for name, value in settings.items():
        if not isinstance(value, int) or not 1 <= value <= _LARGEST_SETTING:
            raise ValueError(f"{name} is {value!r}; wanted an integer, 1 to {_LARGEST_SETTING}")
    rows, columns = (side // cell - block + 1 for side in image_size)
    if rows < 1 or columns < 1:
        raise ValueError(
            f"images are {image_size[0]} x {image_size[1]}; blocks of {block} x {block} cells of "
            f"{cell} x {cell} pixels want at least {block * cell} pixels a side"
        )
    return rows, columns, block, block, orientations


def _histograms(images: Tensor, orientations: int, cell: int) -> Tensor:
    """Sum the votes of each cell, divided by its number of pixels: float32 (B, R, C, O)."""
    bins, magnitudes = (_split_cells(part, cell) for part in _vote(images, orientations))
    # A histogram is a bag of unit vectors, weighted and summed.
    units = torch.eye(orientations, device=images.device)
    sums = F.embedding_bag(
        bins.flatten(0, 2), units, mode="sum", per_sample_weights=magnitudes.flatten(0, 2)
    )
    return (sums / cell**2).view(*bins.shape[:3], orientations)


def _split_cells(pixels: Tensor, cell: int) -> Tensor:
    """Gather the pixels (B, H, W) of each whole cell: (B, R, C, pixels of a cell)."""
    rows, columns = pixels.shape[1] // cell, pixels.shape[2] // cell
    whole = pixels[:, : rows * cell, : columns * cell]
    split = whole.unflatten(2, (columns, cell)).unflatten(1, (rows, cell))
    return split.transpose(2, 3).flatten(3)


def _vote(images: Tensor, orientations: int) -> tuple[Tensor, Tensor]:
    """Look up the bin int32 (B, H, W) and the magnitude float32 (B, H, W) of each gradient."""
    votes_of_pairs, magnitudes_of_ranks = _vote_table(orientations, images.device)
    values = images.to(torch.int32, memory_format=torch.contiguous_format)
    pairs = torch.full_like(values, _LARGEST * _SPAN + _LARGEST)  # the pair (0, 0)
    pairs[:, :, 1:-1].add_(values[:, :, 2:] - values[:, :, :-2], alpha=_SPAN)
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
    differences = np.arange(-_LARGEST, _LARGEST + 1, dtype=np.float64)
    rise, run = np.meshgrid(differences, differences, indexing="ij")
    magnitudes, ranks = np.unique(np.hypot(rise, run), return_inverse=True)
    borders = 180.0 / orientations * np.arange(1, orientations)
    borders = borders.astype(np.float32).astype(np.float64)  # scikit-image holds them in float32
    angles = np.rad2deg(np.arctan2(rise, run)) % 180
    bins = np.searchsorted(borders, angles, side="right")
    votes = (ranks.ravel() << _RANK_SHIFT) + bins.ravel()
    return torch.from_numpy(votes).int().to(device), torch.from_numpy(magnitudes).float().to(device)


def _normalise_blocks(cells: Tensor, block: int) -> Tensor:
    """Line up the overlapping blocks of cells (B, R, C, O), each normalised: (B, r, c, ...).

    L2-Hys: each block is scaled to length 1, clipped, and scaled to length 1 again.
    """
    windows = cells.unfold(1, block, 1).unfold(2, block, 1)  # (B, r, c, O, block, block)
    blocks = windows.permute(0, 1, 2, 4, 5, 3).flatten(3)  # (B, r, c, block * block * O)
    clipped = (blocks / _length(blocks)).clamp_(max=_CLIP)
    return clipped / _length(clipped)


def _length(blocks: Tensor) -> Tensor:
    return (blocks.square().sum(-1, keepdim=True) + _EPSILON**2).sqrt_()
