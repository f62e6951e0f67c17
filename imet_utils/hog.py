"""Histograms of oriented gradients (HOG) of a batch of images, equal to scikit-image's.

Dalal and Triggs, "Histograms of oriented gradients for human detection", CVPR 2005, with the
conventions of `skimage.feature.hog`: centred differences, zero at the image's border; votes in hard
bins; pixels beyond the last whole cell are left out; overlapping blocks, row by row.
"""

import math
from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from imet_utils.hog_strokes import draw_strokes
from imet_utils.hog_votes import MAX_ORIENTATIONS, float_votes, uint8_votes

BLOCK_NORMS = ("L1", "L1-sqrt", "L2", "L2-Hys")

_EPSILON = 1e-5  # scikit-image's, as is the next
_LARGEST_SHARE = 0.2
_CPU_CHUNK, _OTHER_CHUNK = 3 << 16, 1 << 22  # pixels: what caches hold; what memory holds


def hog(
    images: Tensor,
    orientations: int = 8,
    pixels_per_cell: int | tuple[int, int] = 16,
    cells_per_block: int | tuple[int, int] = 3,
    block_norm: str = "L2-Hys",
) -> Tensor:
    """Describe each image by the orientations of its edges, cell by cell.

    The same numbers to 1e-5 as `skimage.feature.hog(image, ..., channel_axis=-1)` for each image.
    Every pixel votes in the very bin that scikit-image chooses, ties and borders of bins included,
    except in float64 images on an accelerator, where a tie may turn on the last bit. float16 and
    bfloat16 are computed as float32. An image's numbers do not depend on the rest of its batch.

    Args:
        images: uint8 or floating (B, 1 | 3, H, W), finite, of any scale.
        orientations: bins between 0 and 180 degrees, 1 to 16384.
        pixels_per_cell: (rows, columns) or one number for both.
        cells_per_block: (rows, columns) or one number for both.
        block_norm: how a block is normalised: "L1", "L1-sqrt", "L2" or "L2-Hys".

    Returns:
        float32 (B, H) with H = blocks * cells of a block * orientations, without gradient.

    Raises:
        ValueError: for another rank, dtype or number of channels, sizes that are no positive
            integers, an unknown norm, or images smaller than one block.

    >>> hog(torch.zeros(2, 3, 224, 224, dtype=torch.uint8)).shape
    torch.Size([2, 10368])
    """
    _check_images(images)
    if block_norm not in BLOCK_NORMS:
        raise ValueError(f"block_norm is {block_norm!r}; wanted one of {', '.join(BLOCK_NORMS)}")
    cell = _as_pair("pixels_per_cell", pixels_per_cell)
    block = _as_pair("cells_per_block", cells_per_block)
    grid = _block_grid(images.shape[2:], orientations, cell, block)
    features = torch.empty(
        len(images), math.prod((*grid, *block, orientations)), device=images.device
    )
    on_cpu = images.device.type == "cpu"
    chunk = _CPU_CHUNK * torch.get_num_threads() if on_cpu else _OTHER_CHUNK
    step = max(1, chunk // math.prod(images.shape[2:]))
    for start in range(0, len(images), step):
        cells = _histograms(images[start : start + step].detach(), orientations, cell)
        blocks = _blocks(cells, block)  # (b, r, c, br * bc * O)
        features[start : start + step] = _normalise(blocks, block_norm).flatten(1)
    return features  # (B, H)


def hog_picture(
    features: Tensor,
    image_size: tuple[int, int],
    orientations: int = 8,
    pixels_per_cell: int | tuple[int, int] = 16,
    cells_per_block: int | tuple[int, int] = 3,
) -> Tensor:
    """Draw a descriptor as strokes along the edges, as bright as their bins are full.

    The strokes are those of `skimage.feature.hog(visualize=True)`. scikit-image weights them by the
    cells' histograms before normalisation, which a descriptor no longer holds. Here a cell's
    histogram is the mean of what the blocks that contain it say, so that contrast is evened out
    over the picture; with blocks of one cell it is scikit-image's but for one factor a cell.

    Args:
        features: what `hog` returned for these settings, (H,) or (B, H).
        image_size: (rows, columns) of the image that was described.
        orientations: as given to `hog`.
        pixels_per_cell: as given to `hog`.
        cells_per_block: as given to `hog`.

    Returns:
        float32 (rows, columns) or (B, rows, columns), at least 0; black beyond the last whole cell.

    Raises:
        ValueError: where the settings do not fit each other or the length of `features`.
    """
    cell = _as_pair("pixels_per_cell", pixels_per_cell)
    block = _as_pair("cells_per_block", cells_per_block)
    size = _as_pair("image_size", image_size)
    rows, columns = _block_grid(size, orientations, cell, block)
    shape = (rows, columns, *block, orientations)
    if features.ndim not in (1, 2) or features.shape[-1] != math.prod(shape):
        raise ValueError(
            f"features are {tuple(features.shape)}; wanted ({math.prod(shape)},) or "
            f"(B, {math.prod(shape)}) for images of {size} and these settings"
        )
    blocks = features.detach().float().reshape(-1, *shape)  # (B, r, c, br, bc, O)
    cells = blocks.new_zeros(len(blocks), rows + block[0] - 1, columns + block[1] - 1, orientations)
    covers = torch.zeros_like(cells[:1])
    for i, j in np.ndindex(*block):
        cells[:, i : i + rows, j : j + columns] += blocks[:, :, :, i, j]
        covers[:, i : i + rows, j : j + columns] += 1
    strokes = draw_strokes(orientations, cell).to(cells.device)  # (O, ch, cw)
    drawn = torch.einsum("brco,ohw->brhcw", cells / covers, strokes).flatten(3).flatten(1, 2)
    picture = F.pad(drawn, (0, size[1] - drawn.shape[2], 0, size[0] - drawn.shape[1]))  # (B, H, W)
    return picture if features.ndim == 2 else picture[0]


def _histograms(images: Tensor, orientations: int, cell: tuple[int, int]) -> Tensor:
    """Sum the votes of each cell, divided by its number of pixels: float32 (B, R, C, O)."""
    votes_of = uint8_votes if images.dtype == torch.uint8 else float_votes
    votes = (_cells_first(part, cell) for part in votes_of(images, orientations))
    bins, strengths = votes  # (B, R, C, pixels of a cell)
    # A histogram is a bag of unit vectors, weighted and summed; the row after the last is no vote.
    units = torch.eye(orientations + 1, orientations, device=images.device)
    sums = F.embedding_bag(
        bins.flatten(0, 2), units, mode="sum", per_sample_weights=strengths.flatten(0, 2)
    )
    return (sums / math.prod(cell)).view(*bins.shape[:3], orientations)


def _cells_first(pixels: Tensor, cell: tuple[int, int]) -> Tensor:
    """Gather the pixels (B, H, W) of each whole cell: (B, R, C, pixels of a cell)."""
    rows, columns = pixels.shape[1] // cell[0], pixels.shape[2] // cell[1]
    whole = pixels[:, : rows * cell[0], : columns * cell[1]]
    split = whole.unflatten(2, (columns, cell[1])).unflatten(1, (rows, cell[0]))
    return split.transpose(2, 3).flatten(3)


def _blocks(cells: Tensor, block: tuple[int, int]) -> Tensor:
    """Line up the overlapping blocks of cells (B, R, C, O): (B, r, c, br * bc * O)."""
    windows = cells.unfold(1, block[0], 1).unfold(2, block[1], 1)  # (B, r, c, O, br, bc)
    return windows.permute(0, 1, 2, 4, 5, 3).flatten(3)


def _normalise(blocks: Tensor, block_norm: str) -> Tensor:
    """Normalise each block over its last dimension."""
    if block_norm.startswith("L1"):
        shares = blocks / (blocks.sum(-1, keepdim=True) + _EPSILON)
        return shares.sqrt_() if block_norm == "L1-sqrt" else shares
    shares = blocks / _length(blocks)
    if block_norm == "L2":
        return shares
    shares = shares.clamp_(max=_LARGEST_SHARE)
    return shares / _length(shares)


def _length(blocks: Tensor) -> Tensor:
    return (blocks.square().sum(-1, keepdim=True) + _EPSILON**2).sqrt_()


def _block_grid(
    size: tuple[int, int], orientations: int, cell: tuple[int, int], block: tuple[int, int]
) -> tuple[int, int]:
    """Count the rows and columns of blocks, and check that there is one."""
    if not isinstance(orientations, int) or not 1 <= orientations <= MAX_ORIENTATIONS:
        raise ValueError(f"orientations is {orientations!r}; wanted 1 to {MAX_ORIENTATIONS}")
    rows, columns = (size[i] // cell[i] - block[i] + 1 for i in (0, 1))
    if rows < 1 or columns < 1:
        raise ValueError(
            f"images are {size[0]} x {size[1]}; blocks of {block[0]} x {block[1]} cells of "
            f"{cell[0]} x {cell[1]} pixels want at least {block[0] * cell[0]} x "
            f"{block[1] * cell[1]}"
        )
    return rows, columns


def _as_pair(name: str, value: int | tuple[int, int]) -> tuple[int, int]:
    pair = tuple(value) if isinstance(value, Sequence) else (value, value)
    if len(pair) != 2 or not all(isinstance(part, int) and part >= 1 for part in pair):
        raise ValueError(f"{name} is {value!r}; wanted a positive integer or two of them")
    return pair


def _check_images(images: Tensor) -> None:
    dtype_is_known = images.dtype == torch.uint8 or images.is_floating_point()
    if images.ndim != 4 or images.shape[1] not in (1, 3) or not dtype_is_known:
        raise ValueError(
            f"images are {images.dtype} {tuple(images.shape)}; wanted uint8 or floating "
            "(B, 1 | 3, H, W)"
        )
