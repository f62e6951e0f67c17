"""Computations over the views of a data set: by the threads of a CPU, or batches on a device."""

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from imet_utils.device_views import make_device_views
from imet_utils.view_making import View
from imet_utils.views import ViewDataset
from imet_utils.worker_processes import load_items

Compute = Callable[[Tensor], Mapping[str, Tensor]]


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
    images = load_items(_DecodedParts(dataset, parts), num_workers)
    for pixels, plans in images:
        with torch.inference_mode():
            on_device = [torch.from_numpy(array).to(device).permute(2, 0, 1) for array in pixels]
            found = compute(make_device_views(on_device, plans, dataset.size).flatten(0, 1))
        yield found


class _DecodedParts(Dataset[tuple[list[np.ndarray], list[list[View]]]]):
    """The images of each part, (H, W, 3) uint8, and the plans of their views."""

    def __init__(self, dataset: ViewDataset, parts: Sequence[Sequence[int]]) -> None:
        self.dataset = dataset
        self.parts = parts

    def __len__(self) -> int:
        return len(self.parts)

    def __getitem__(self, number: int) -> tuple[list[np.ndarray], list[list[View]]]:
        part = self.parts[number]
        images = [self.dataset.read(index) for index in part]
        plans = [
            self.dataset.plan(index, image.size) for index, image in zip(part, images, strict=True)
        ]
        return [np.array(image) for image in images], plans
