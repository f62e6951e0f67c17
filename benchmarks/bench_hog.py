"""Time `imet_utils.hog` against scikit-image and a straightforward port to torch.

    python benchmarks/bench_hog.py [--rounds 7] [--page]

The ways take turns, so that a busy machine slows them all. Those of torch run on a GPU, too, where
there is one.
"""

from functools import partial

import numpy as np
import torch
import torch.nn.functional as F
from page import clock_of, find_devices, format_table, make_parser, publish, time_in_turns
from skimage.feature import hog as skimage_hog
from torch import Tensor

from imet_utils.hog import hog

BATCH, SIZE = 32, 224


def onehot_hog(images: Tensor) -> Tensor:
    """Port scikit-image's steps one to one: float images, arctan2, a one-hot of the bins."""
    values = images.float()
    along_rows, along_columns = torch.zeros_like(values), torch.zeros_like(values)
    along_rows[:, :, 1:-1] = values[:, :, 2:] - values[:, :, :-2]
    along_columns[..., 1:-1] = values[..., 2:] - values[..., :-2]
    strengths, channels = torch.hypot(along_rows, along_columns).max(1, keepdim=True)
    rise, run = along_rows.gather(1, channels), along_columns.gather(1, channels)
    angles = torch.rad2deg(torch.atan2(rise, run)).remainder(180)
    bins = (angles / (180 / 8)).long().clamp_(max=7)
    votes = F.one_hot(bins[:, 0], 8).movedim(-1, 1) * strengths  # (B, 8, H, W)
    cells = F.avg_pool2d(votes, 16)  # (B, 8, 14, 14)
    blocks = cells.unfold(2, 3, 1).unfold(3, 3, 1).permute(0, 2, 3, 4, 5, 1).flatten(3)
    shares = blocks / (blocks.square().sum(-1, keepdim=True) + 1e-10).sqrt()
    shares = shares.clamp(max=0.2)
    return (shares / (shares.square().sum(-1, keepdim=True) + 1e-10).sqrt()).flatten(1)


def reference_hog(images: Tensor) -> Tensor:
    """Run scikit-image on each image in turn."""
    arrays = images.permute(0, 2, 3, 1).numpy()
    settings = {"orientations": 8, "pixels_per_cell": (16, 16), "channel_axis": -1}
    return torch.from_numpy(np.stack([skimage_hog(array, **settings) for array in arrays]))


def draw_images() -> Tensor:
    """Draw smooth random images: uint8 (32, 3, 224, 224)."""
    coarse = torch.rand(BATCH, 3, 40, 40, generator=torch.Generator().manual_seed(0))
    smooth = F.interpolate(coarse, size=(SIZE, SIZE), mode="bicubic").clamp(0, 1)
    return (smooth * 255).round().to(torch.uint8)


def time_hog(images: Tensor, rounds: int) -> list[tuple[str, float, float]]:
    """Time each way: name, seconds, largest difference from scikit-image, which is the first."""
    reference, found = reference_hog(images), []
    for device in find_devices():
        placed = images.to(device)
        ways = {"one-hot port": partial(onehot_hog, placed), "imet_utils.hog": partial(hog, placed)}
        note = " on a GPU"
        if device.type == "cpu":
            ways, note = {"scikit-image": partial(reference_hog, images), **ways}, ""
        for name, spent in time_in_turns(ways, clock_of(device), rounds).items():
            error = (ways[name]().cpu() - reference).abs().max().item()
            found.append((name + note, spent, error))
    return found


def main() -> None:
    """Print the table."""
    parser = make_parser(__doc__, "hog")
    parser.add_argument("--rounds", type=int, default=7, help="rounds of which the median is taken")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    found = time_hog(draw_images(), arguments.rounds)
    slowest = found[0][1]
    rows = [
        [name, f"{1000 * spent / BATCH:.3f}", f"{slowest / spent:.1f}", f"{error:.0e}"]
        for name, spent, error in found
    ]
    head = ["Way", "ms an image", "Times scikit-image's speed", "Largest difference from it"]
    publish(
        arguments.page,
        "# HOG\n\n`python benchmarks/bench_hog.py --page`",
        "32 colour images of 224 x 224 pixels, 8 orientations, cells of 16 x 16 pixels, blocks of "
        "3 x 3 cells. Processor time of one thread on the CPU, else time on the clock; medians of "
        "rounds in turns.",
        format_table(head, rows),
    )


if __name__ == "__main__":
    main()
