"""Long images padded, or cropped where they are too long, instead of squeezed.

`cross_validate` compares both with what the package does.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor

from imet_utils.tables import read_image
from imet_utils.views import ViewDataset, make_views, plan_views

GREY = (127, 127, 127)  # next to 0 once the encoder's images are normalised
LONGEST = 1.5  # ratio of the sides from which on an image is cropped


def pad_to_square(image: Image.Image) -> Image.Image:
    """Set an image in the middle of a grey square."""
    return ImageOps.pad(image, (max(image.size),) * 2, color=GREY)


def crop_if_long(image: Image.Image) -> Image.Image:
    """Cut both ends off an image whose longer side is beyond `LONGEST` times the shorter one."""
    longest = round(LONGEST * min(image.size))
    width, height = (min(side, longest) for side in image.size)
    left, top = (image.width - width) // 2, (image.height - height) // 2
    return image.crop((left, top, left + width, top + height))


class ReshapedDataset(ViewDataset):
    """Views whose whole image has another shape before it is squeezed; crops are as they were."""

    def __init__(
        self,
        reshape: Callable[[Image.Image], Image.Image],
        paths: Sequence[Path],
        ids: Sequence[str],
        cropped: np.ndarray,
        train: bool,
    ) -> None:
        """Keep `reshape`, a function of this module, and what makes the other views."""
        super().__init__(paths, ids, cropped, train)
        self.reshape = reshape

    def __getitem__(self, index: int) -> Tensor:
        """Make all views, then those of the whole image anew."""
        views = super().__getitem__(index)  # (V, 3, size, size)
        is_cropped = not self.train or self.cropped[index]
        image = self.reshape(read_image(self.paths[index]))
        plan = plan_views(
            image.size,
            self.ids[index],
            crop=False,
            augment=self.train,
            seed=self.seed,
            size=self.size,
            views=range(1 if is_cropped else self.num_views),
        )
        wholes = make_views(image, plan, self.size)
        return torch.cat([wholes, views[len(wholes) :]])

    def fingerprint(self) -> dict:
        """Add the name of the reshaping."""
        return super().fingerprint() | {"reshape": self.reshape.__name__}
