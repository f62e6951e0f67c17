"""Time `imet_utils.hog` against scikit-image.

    python benchmarks/bench_hog.py [--rounds 7] [--page]

The ways take turns, so that a busy machine slows both. Ours runs on a GPU, too, where there is one.
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
        ours = partial(hog, images.to(device))
        ways = {"imet_utils.hog on a GPU": ours}
        if device.type == "cpu":
            ways = {"scikit-image": partial(reference_hog, images), "imet_utils.hog": ours}
        for name, spent in time_in_turns(ways, clock_of(device), rounds).items():
            error = (ways[name]().cpu() - reference).abs().max().item()
            found.append((name, spent, error))
    return found


def main() -> None:
    """Print the table."""
    parser = make_parser(__doc__, "hog")
    parser.add_argument("--rounds", type=int, default=7, help="rounds of which the median is taken")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    found = time_hog(draw_images(), arguments.rounds)
    rows = [
        [name, f"{1000 * spent / BATCH:.3f}", f"{found[0][1] / spent:.1f}", f"{error:.0e}"]
        for name, spent, error in found
    ]
    head = ["Way", "ms an image", "Times scikit-image's speed", "Largest difference from it"]
    publish(
        arguments.page,
        "HOG",
        "32 colour images of 224 x 224 pixels, 8 orientations, cells of 16 x 16 pixels, blocks of "
        "3 x 3 cells. Processor time of one thread on the CPU, else time on the clock; medians of "
        "rounds in turns.",
        format_table(head, rows),
    )


if __name__ == "__main__":
    main()
