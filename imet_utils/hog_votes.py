"""The vote of a pixel in a histogram of oriented gradients: its bin and its strength.

The bins are hard, between 0 and 180 degrees, and a pixel of a colour image speaks through its
channel of strongest gradient, the first one of equals. Gradients often lie exactly on the border
of two bins (45 degrees with 8 orientations) or are equally strong in two channels, and then the
last bit of hypot and arctan2 decides, so these are taken as `skimage.feature.hog` takes them.
"""

from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

MAX_ORIENTATIONS = 1 << 14

_LARGEST = 255  # of a difference of two uint8
_SPAN = 2 * _LARGEST + 1
_PRIORITY = MAX_ORIENTATIONS  # a vote is an integer: 15 bits of strength, 2 of priority, 14 of bin
_STRENGTH_SHIFT = 16


def uint8_votes(images: Tensor, orientations: int) -> tuple[Tensor, Tensor]:
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


def float_votes(images: Tensor, orientations: int) -> tuple[Tensor, Tensor]:
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
