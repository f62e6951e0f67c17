"""What is computed of all views: by threads of a CPU or on a device, or as an array of pixels."""

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset
from torchvision.transforms.v2 import functional

from imet_utils.processes import load_items
from imet_utils.tables import read_image
from imet_utils.views.dataset import View, ViewDataset

Compute = Callable[[Tensor], Mapping[str, Tensor]]
Item = TypeVar("Item")


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
        turned = torch.bmm(matrices, views.flatten(2).float())  # (B V, 3, H W)
        views = turned.add_(0.5).clamp_(0, 255).to(torch.uint8).view_as(views)
    return views.unflatten(0, (len(images), -1))


def _scale(image: Tensor, size: int) -> Tensor:
    if image.shape[1:] == (size, size):
        return image
    return functional.resize(image, [size, size], antialias=True)


def compute_views(
    dataset: ViewDataset,
    parts: Sequence[Sequence[int]],
    compute: Compute,
    num_workers: int = 0,
    device: torch.device | str = "cpu",
) -> Iterator[Mapping[str, Tensor]]:
    """Compute something of all views of each part of the images, without gradients, in order.

    Args:
        dataset: of the views.
        parts: numbers of images (B,) that are computed at a time.
        compute: of uint8 views (B V, 3, H, W) on `device`, from several threads at once on a CPU.
        num_workers: processes that read images for a device that is no CPU; 0 reads them in this
            process.
        device: where `compute` runs.
    """
    if torch.device(device).type == "cpu":
        return compute_in_threads(dataset, parts, compute)
    return compute_on_device(dataset, parts, compute, num_workers, device)


def compute_in_threads(
    dataset: ViewDataset, parts: Sequence[Sequence[int]], compute: Compute
) -> Iterator[Mapping[str, Tensor]]:
    """Let each of torch's threads read, view and compute a part of its own.

    Threads that share each layer instead wait for one another at its end, and for whoever reads
    the images, which costs a third of the time.
    """

    @torch.inference_mode()
    def work(part: Sequence[int]) -> Mapping[str, Tensor]:
        return compute(torch.cat([dataset[index] for index in part]))

    num_threads = torch.get_num_threads()
    waiting: deque[Future[Mapping[str, Tensor]]] = deque()
    with ThreadPoolExecutor(num_threads, initializer=torch.set_num_threads, initargs=(1,)) as pool:
        try:
            for part in parts:
                waiting.append(pool.submit(work, part))
                if len(waiting) > num_threads:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()
            torch.set_num_threads(num_threads)  # for the threads that are still to come


def compute_on_device(
    dataset: ViewDataset,
    parts: Sequence[Sequence[int]],
    compute: Compute,
    num_workers: int,
    device: torch.device | str,
) -> Iterator[Mapping[str, Tensor]]:
    """Let a device make and compute the views of images that processes decode meanwhile.

    Each image is sent once, not each view.
    """
    decoded = load_items(_Mapped(partial(_decode, dataset), parts), num_workers)
    for pixels, plans in decoded:
        with torch.inference_mode():
            on_device = [torch.from_numpy(array).to(device).permute(2, 0, 1) for array in pixels]
            found = compute(make_device_views(on_device, plans, dataset.size).flatten(0, 1))
        yield found


def _decode(dataset: ViewDataset, part: Sequence[int]) -> tuple[list[np.ndarray], list[list[View]]]:
    """Read images, each (H, W, 3) uint8, and plan their views."""
    images = [read_image(dataset.paths[index]) for index in part]
    plans = [dataset.plan(index, image.size) for index, image in zip(part, images, strict=True)]
    return [np.array(image) for image in images], plans


class _Mapped(Dataset[Item]):
    """A function's values at each of some arguments."""

    def __init__(self, function: Callable[[Any], Item], arguments: Sequence[Any]) -> None:
        self.function = function
        self.arguments = arguments

    def __len__(self) -> int:
        return len(self.arguments)

    def __getitem__(self, index: int) -> Item:
        return self.function(self.arguments[index])


class ViewArray:
    """The views (N, V, 3, H, W) uint8 of a data set, read from the image files when asked for.

    It stands beside the arrays of a feature store where those would not fit the disk, or where
    the encoder is trained.

    Attributes:
        shape: (N, V, 3, H, W).
        num_workers: processes that read images ahead of their use; 0 reads them in this one.
    """

    def __init__(self, dataset: ViewDataset, num_workers: int = 0) -> None:
        self.dataset = dataset
        self.shape = (len(dataset), dataset.num_views, 3, dataset.size, dataset.size)
        self.num_workers = num_workers

    def __getitem__(self, index: tuple[np.ndarray, ...]) -> np.ndarray:
        """Read views by the numbers of images (B,) and views (B,), or all views of images (B,).

        An image that is asked for several times is decoded once.
        """
        images, *views = index
        if not views:
            return np.stack([self.dataset[image].numpy() for image in images])  # (B, V, 3, H, W)
        found = np.empty((len(images), *self.shape[2:]), dtype=np.uint8)
        for image in np.unique(images):
            rows = np.flatnonzero(images == image)
            found[rows] = self.dataset.some_views(image, views[0][rows]).numpy()
        return found  # (B, 3, H, W)


def load_rows(views: ViewArray, batches: Sequence[np.ndarray]) -> Iterator[np.ndarray]:
    """Read the rows of one batch after the other: numbers (B, 2) of image and view, or (B, 1)."""
    indices = [tuple(batch.T) for batch in batches]
    return iter(load_items(_Mapped(views.__getitem__, indices), views.num_workers))


def channel_stats(dataset: ViewDataset, num_workers: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Return mean (3,) and standard deviation (3,) over all pixels, RGB in [0, 1], float64.

    The whole images before augmentation are taken, read in `num_workers` processes; memory does
    not grow with their number.
    """
    size = {"size": dataset.size, "num_views": 1}
    whole = ViewDataset(dataset.paths, dataset.ids, dataset.has_culture, train=False, **size)
    numbers = np.arange(len(dataset)).reshape(-1, 1, 1)  # a batch an image
    count, sums, squares = 0, np.zeros(3), np.zeros(3)
    for images in load_rows(ViewArray(whole, num_workers), numbers):
        levels = np.moveaxis(images, -3, 0).reshape(3, -1).astype(np.float64)
        count += levels.shape[1]
        sums += levels.sum(axis=1)
        squares += (levels**2).sum(axis=1)
    mean = sums / count
    # Sums of whole numbers are exact up to 2^53, beyond 10^11 pixels: no digits cancel here.
    return mean / 255, np.sqrt(squares / count - mean**2) / 255
