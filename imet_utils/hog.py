"""Histograms of oriented gradients (HOG) of a batch of images, equal to scikit-image's.

Dalal and Triggs, "Histograms of oriented gradients for human detection", CVPR 2005, with the
conventions of `skimage.feature.hog`: centred differences, zero at the image's border; a colour
pixel speaks through its channel of strongest gradient, the first one of equals; votes in hard bins
between 0 and 180 degrees; pixels beyond the last whole cell left out; overlapping blocks, row by
row; L2-Hys.

Gradients often lie exactly on the border of two bins (45 degrees with 8 orientations) or are
equally strong in two channels, and then the last bit of hypot and arctan2 decides, so these are
taken as scikit-image takes them.
"""

import math
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import torch
import torch.nn.functional as F
from skimage.draw import line
from torch import Tensor

MAX_ORIENTATIONS = 1 << 14

_EPSILON = 1e-5  # scikit-image's, as is the next
_LARGEST_SHARE = 0.2
_CPU_CHUNK, _OTHER_CHUNK = 3 << 16, 1 << 22  # pixels: what caches hold; what memory holds
_LARGEST = 255  # of a difference of two uint8
_SPAN = 2 * _LARGEST + 1
_PRIORITY = MAX_ORIENTATIONS  # a vote is an integer: 15 bits of strength, 2 of priority, 14 of bin
_STRENGTH_SHIFT = 16


def hog(
    images: Tensor,
    orientations: int = 8,
    pixels_per_cell: int | tuple[int, int] = 16,
    cells_per_block: int | tuple[int, int] = 3,
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

    Returns:
        float32 (B, H) with H = blocks * cells of a block * orientations, without gradient.

    Raises:
        ValueError: for another rank, dtype or number of channels, sizes that are no positive
            integers, or images smaller than one block.

    >>> hog(torch.zeros(2, 3, 224, 224, dtype=torch.uint8)).shape
    torch.Size([2, 10368])
    """
    dtype_is_known = images.dtype == torch.uint8 or images.is_floating_point()
    if images.ndim != 4 or images.shape[1] not in (1, 3) or not dtype_is_known:
        raise ValueError(
            f"images are {images.dtype} {tuple(images.shape)}; wanted uint8 or floating "
            "(B, 1 | 3, H, W)"
        )
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
        features[start : start + step] = _normalise_blocks(cells, block).flatten(1)
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
        features: what `hog` returned for the settings that follow, (H,) or (B, H).
        image_size: (rows, columns) of the image that was described.
        orientations: as given to `hog`, as are the next two.
        pixels_per_cell: (rows, columns) or one number for both.
        cells_per_block: (rows, columns) or one number for both.

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
    strokes = _draw_strokes(orientations, cell).to(cells.device)  # (O, ch, cw)
    drawn = torch.einsum("brco,ohw->brhcw", cells / covers, strokes).flatten(3).flatten(1, 2)
    picture = F.pad(drawn, (0, size[1] - drawn.shape[2], 0, size[0] - drawn.shape[1]))  # (B, H, W)
    return picture if features.ndim == 2 else picture[0]


def _draw_strokes(orientations: int, cell: tuple[int, int]) -> Tensor:
    """Draw the stroke of each bin through the middle of a cell, at right angles to its gradient.

    Returns:
        float32 (orientations, rows, columns), 1 on the stroke and 0 beside it.
    """
    strokes = torch.zeros(orientations, *cell)
    radius, row, column = max(0, min(cell) // 2 - 1), cell[0] // 2, cell[1] // 2
    for number, stroke in enumerate(strokes):
        angle = math.pi * (number + 0.5) / orientations
        across, down = radius * math.cos(angle), radius * math.sin(angle)
        ends = (row - across, column + down, row + across, column - down)
        stroke[line(*map(int, ends))] = 1
    return strokes


def _histograms(images: Tensor, orientations: int, cell: tuple[int, int]) -> Tensor:
    """Sum the votes of each cell, divided by its number of pixels: float32 (B, R, C, O)."""
    votes_of = _uint8_votes if images.dtype == torch.uint8 else _float_votes
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


def _normalise_blocks(cells: Tensor, block: tuple[int, int]) -> Tensor:
    """Line up the overlapping blocks of cells (B, R, C, O), each normalised: (B, r, c, ...).

    L2-Hys: each block is scaled to length 1, cut off, and scaled to length 1 again.
    """
    windows = cells.unfold(1, block[0], 1).unfold(2, block[1], 1)  # (B, r, c, O, br, bc)
    blocks = windows.permute(0, 1, 2, 4, 5, 3).flatten(3)  # (B, r, c, br * bc * O)
    shares = (blocks / _length(blocks)).clamp_(max=_LARGEST_SHARE)
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


def _uint8_votes(images: Tensor, orientations: int) -> tuple[Tensor, Tensor]:
    """Look up the votes of uint8 images (B, C, H, W).

    The gradient is one of 511^2 pairs of integers, so that its vote is read from a table. A vote
    is one integer, strength first: the largest of the channels is the vote of the strongest.

    Returns:
        bins int32 (B, H, W), strengths float32 (B, H, W).
    """
    votes_of_pairs, strengths_of_ranks = _vote_table(orientations, images.device)
    values = images.to(torch.int32, memory_format=torch.contiguous_format)
    pairs = torch.full_like(values, _LARGEST * _SPAN + _LARGEST)  # the pair (0, 0)
    pairs[:, :, 1:-1].add_(values[:, :, 2:] - values[:, :, :-2], alpha=_SPAN)
    pairs[..., 1:-1].add_(values[..., 2:] - values[..., :-2])
    *others, strongest = votes_of_pairs.index_select(0, pairs.view(-1)).view_as(pairs).unbind(1)
    for priority, votes in enumerate(reversed(others), start=1):
        strongest = torch.maximum(strongest, votes + priority * _PRIORITY)  # (B, H, W)
    ranks = strongest >> _STRENGTH_SHIFT
    strengths = strengths_of_ranks.index_select(0, ranks.view(-1)).view_as(ranks)
    return strongest & (_PRIORITY - 1), strengths


def _float_votes(images: Tensor, orientations: int) -> tuple[Tensor, Tensor]:
    """Compute the votes of floating images (B, C, H, W), in their own precision.

    Returns:
        bins int32 (B, H, W), strengths float32 (B, H, W). A bin may be `orientations`, for no
        vote: an angle that is negative by less than a rounding error becomes 180 degrees.
    """
    dtype = torch.float64 if images.dtype == torch.float64 else torch.float32
    values = images.to(dtype).contiguous()
    along_rows, along_columns = torch.zeros_like(values), torch.zeros_like(values)
    along_rows[:, :, 1:-1] = values[:, :, 2:] - values[:, :, :-2]
    along_columns[..., 1:-1] = values[..., 2:] - values[..., :-2]
    rise, run = along_rows[:, 0], along_columns[:, 0]
    strengths = _hypot(rise, run)
    for channel in range(1, images.shape[1]):
        others = _hypot(along_rows[:, channel], along_columns[:, channel])
        stronger = (others > strengths).to(dtype)
        rise = rise.lerp(along_rows[:, channel], stronger)  # exact for 0 and 1; `where` is slower
        run = run.lerp(along_columns[:, channel], stronger)
        strengths = torch.maximum(strengths, others)
    return _bins(_angles(rise, run), orientations), strengths.float()


@lru_cache(maxsize=16)
def _vote_table(orientations: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Tabulate the votes int32 (511 * 511,) of all gradients, and the strength of each rank."""
    differences = torch.arange(-_LARGEST, _LARGEST + 1, dtype=torch.float64)
    rise, run = (part.flatten() for part in torch.meshgrid(differences, differences, indexing="ij"))
    strengths, ranks = torch.unique(_hypot(rise, run), return_inverse=True)
    votes = (ranks << _STRENGTH_SHIFT) + _bins(_angles(rise, run), orientations)
    return votes.int().to(device), strengths.float().to(device)


def _hypot(rise: Tensor, run: Tensor) -> Tensor:
    """Take the length of each gradient, rounded as NumPy rounds it."""
    if rise.dtype == torch.float32:  # float64 holds these squares exactly, on any device
        wide = run.double()
        return rise.double().square_().addcmul_(wide, wide).sqrt_().float()
    if rise.device.type == "cpu":
        return torch.from_numpy(np.hypot(rise.numpy(), run.numpy()))
    return torch.hypot(rise, run)


def _angles(rise: Tensor, run: Tensor) -> Tensor:
    """Take the unsigned angle of each gradient in degrees, float64, 0 to 180 inclusive."""
    rise, run = rise.double(), run.double()
    if rise.device.type == "cpu":
        degrees = torch.from_numpy(np.arctan2(rise.numpy(), run.numpy())).mul_(180 / np.pi)
    else:
        degrees = torch.atan2(rise, run).mul_(180 / np.pi)
        degrees.masked_fill_(rise == run, 45.0)  # whatever its last bit; (0, 0) has no say
        degrees.masked_fill_(rise == -run, 135.0)
    return degrees.sub_((degrees / 180).floor_(), alpha=180)  # modulo 180, faster than remainder


def _bins(angles: Tensor, orientations: int) -> Tensor:
    """Find the bin of each angle, int32; `orientations` for 180 degrees, which has none."""
    borders = 180.0 / orientations * torch.arange(1, orientations + 2, dtype=torch.float64)
    borders = borders.float().double().to(angles.device)  # scikit-image holds them in float32
    borders[-1] = torch.inf
    # A guess that is right or one too low, as a border is off by less than 1e-7 of 180 degrees.
    bins = (angles * (orientations / 180) - 2e-7 * orientations).int().clamp_(0, orientations)
    upper = borders.index_select(0, bins.view(-1)).view_as(angles)
    return bins.add_((angles >= upper).int())
