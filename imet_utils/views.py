"""The six views of each image: planned by its id, made by Pillow on a CPU or by torch on a device.

Both ways carry out the same plans. torch's own resize differs from Pillow's by a level in 1 % of
the bytes, and augmented views take it a quarter longer on a CPU; a GPU gets images once, not views.
"""

import hashlib
import math
import struct
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor
from torch.utils.data import Dataset

from imet_utils.files import fingerprint_of, hash_file
from imet_utils.processes import load_in_threads, load_items
from imet_utils.tables import SPLITS, Tables, find_images, read_image, take_split

HUE = 0.05  # the largest shift, in turns of the colour circle
SATURATION = 0.05  # the largest relative change
LUMA = np.array([0.299, 0.587, 0.114])  # of R, G, B: ITU-R BT.601, as in Pillow and torchvision

Compute = Callable[[Tensor], Mapping[str, Tensor]]


@dataclass(frozen=True)
class View:
    """How to make one view of an image."""

    box: tuple[int, int, int, int]  # left, top, right, bottom, pixels
    flip: bool  # left to right
    colours: np.ndarray | None  # (3, 3) matrix, times R, G and B


def plan_views(
    image_size: tuple[int, int],
    image_id: str,
    crop: bool,
    augment: bool,
    seed: int = 0,
    size: int = 224,
    views: Iterable[int] = range(6),
) -> list[View]:
    """Plan views of an image: view 0 is the whole image, the others are random crops.

    `seed`, `image_id` and the number of a view determine all that is random in it. Of an image with
    a short side under `size` a crop has the whole short side. Without `crop` every view is the
    whole image; with `augment` each is flipped at random, and its colours are jittered.
    """
    width, height = image_size
    side = min(size, width, height)
    plan = []
    for view in views:
        digest = hashlib.blake2b(f"{seed}:{view}:{image_id}".encode(), digest_size=40).digest()
        draws = [(word >> 11) * 2**-53 for word in struct.unpack("<5Q", digest)]  # in [0, 1)
        down, across, flip, hue, saturation = draws
        box, colours = (0, 0, width, height), None
        if crop and view:
            left, top = int(across * (width - side + 1)), int(down * (height - side + 1))
            box = (left, top, left + side, top + side)
        if augment:
            colours = colour_matrix(HUE * (2 * hue - 1), 1 + SATURATION * (2 * saturation - 1))
        plan.append(View(box, augment and flip < 0.5, colours))
    return plan


def colour_matrix(hue: float, saturation: float) -> np.ndarray:
    """Return the 3 x 3 matrix that rotates RGB about its grey axis, then blends it with its grey.

    A colour's hue in HSV moves by `hue`, in turns of the colour circle, to within 0.007; greys
    stay. A `saturation` of 1 leaves it, 0 gives greys of the same luma. Unlike the way through HSV
    a linear map costs little on a CPU or GPU.
    """
    cosine, sine = math.cos(2 * math.pi * hue), math.sin(2 * math.pi * hue) / math.sqrt(3)
    same, after, before = (1 + 2 * cosine) / 3, (1 - cosine) / 3 - sine, (1 - cosine) / 3 + sine
    turn = np.array([[same, after, before], [before, same, after], [after, before, same]])
    return saturation * turn + (1 - saturation) * (LUMA @ turn)  # Rodrigues' rotation


def make_views(image: Image.Image, plan: Sequence[View], size: int = 224) -> Tensor:
    """Make the planned views (V, 3, size, size) uint8 of an RGB image; in memory channels last."""
    scaled = {}
    for box in {view.box for view in plan}:
        part = image if box == (0, 0, *image.size) else image.crop(box)  # crop copies all pixels
        if part.size != (size, size):
            part = part.resize((size, size), Image.Resampling.BILINEAR)  # antialiased by Pillow
        scaled[box] = part
    views = np.empty((len(plan), size, size, 3), dtype=np.uint8)
    for number, view in enumerate(plan):
        picture = scaled[view.box]
        if view.flip:
            picture = ImageOps.mirror(picture)
        if view.colours is not None:
            matrix = [x for row in view.colours.tolist() for x in (*row, 0.0)]
            picture = picture.convert("RGB", matrix)
        views[number] = np.asarray(picture)
    return torch.from_numpy(views).permute(0, 3, 1, 2)  # (V, 3, size, size)


def make_device_views(
    images: Sequence[Tensor], plans: Sequence[Sequence[View]], size: int = 224
) -> Tensor:
    """Make the planned views (B, V, 3, size, size) of RGB images (H, W, 3) uint8, on their device.

    Colours are changed in one batch, since a GPU starts each operation anew.
    """
    from torchvision.transforms.v2 import functional  # here, as it takes seconds to import

    pictures = []
    for image, plan in zip(images, plans, strict=True):
        scaled: dict[tuple[int, ...], Tensor] = {}
        for view in plan:
            left, top, right, bottom = view.box
            if view.box not in scaled:
                part = image[top:bottom, left:right].permute(2, 0, 1)  # (3, H, W)
                scaled[view.box] = functional.resize(part, [size, size], antialias=True)
            pictures.append(scaled[view.box].flip(-1) if view.flip else scaled[view.box])
    views = torch.stack(pictures)  # (B V, 3, size, size)
    colours = [view.colours for plan in plans for view in plan if view.colours is not None]
    if colours:
        matrices = torch.tensor(np.stack(colours), dtype=torch.float32, device=views.device)
        jittered = torch.bmm(matrices, views.flatten(2).float())  # (B V, 3, H W)
        views = jittered.add_(0.5).clamp_(0, 255).to(torch.uint8).view_as(views)
    return views.unflatten(0, (len(images), -1))


@dataclass(eq=False)
class ViewDataset(Dataset[Tensor]):
    """The views of a set of N images; an item is (V, 3, size, size) uint8, RGB."""

    paths: Sequence[Path | str | Image.Image]  # files of the images, or the images themselves
    ids: Sequence[str]
    cropped: np.ndarray  # (N,) bool, whether views 1 to V - 1 of a training image are crops
    train: bool  # augment; else all images are cropped
    seed: int = 0  # of crops and augmentation
    size: int = 224  # side of a view in pixels
    num_views: int = 6  # V
    hashes: Sequence[str] | None = None  # of the files (`hash_file`), where they are known

    def __post_init__(self) -> None:
        self.paths = [p if isinstance(p, Image.Image) else str(p) for p in self.paths]
        self.ids = [str(image_id) for image_id in self.ids]
        self.cropped = np.asarray(self.cropped, dtype=bool)

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> Tensor:
        """Read an image once and make all its views."""
        return make_views(*self.read(index), self.size)

    def read(
        self, index: int, views: Iterable[int] | None = None
    ) -> tuple[Image.Image, list[View]]:
        """Read an image and plan those of its views, or all."""
        image = read_image(self.paths[index])
        crop = not self.train or bool(self.cropped[index])
        views = range(self.num_views) if views is None else views
        settings = (self.train, self.seed, self.size, views)
        return image, plan_views(image.size, self.ids[index], crop, *settings)

    def image_keys(self) -> list[str]:
        """Hash all that the views of each image depend on: settings, and its file."""
        if self.hashes is None:
            self.hashes = [hash_file(path) for path in self.paths if isinstance(path, str)]
        settings = [self.train, self.seed, self.size, self.num_views, HUE, SATURATION]
        crops = np.logical_or(self.cropped, not self.train).tolist()
        images = zip(self.ids, crops, self.hashes, strict=True)
        return [fingerprint_of([settings, *image]) for image in images]

    def fingerprint(self) -> dict[str, Any]:
        """Return what the views depend on: settings of all images, and a hash of `image_keys`."""
        settings = {"seed": self.seed, "size": self.size, "num_views": self.num_views}
        return settings | {"images": fingerprint_of(self.image_keys())}


def split_dataset(tables: Tables, split: str, seed: int = 0, size: int = 224) -> ViewDataset:
    """Make the data set of the images of `train`, `val` or `test`, in views of `size` pixels."""
    part = take_split(tables, split)
    folder, images, hashes = part.data_dir / "train", part.images, None
    if "file" in images:
        paths, hashes = [folder / name for name in images["file"]], images["hash"].tolist()
    else:
        paths = find_images(folder, images["id"])
    is_train = split == "train"
    return ViewDataset(paths, images["id"], part.is_cropped, is_train, seed, size, hashes=hashes)


def open_datasets(tables: Tables, seed: int = 0, size: int = 224) -> dict[str, ViewDataset]:
    """Make the data sets of all splits, in views of `size` pixels."""
    return {split: split_dataset(tables, split, seed, size) for split in SPLITS}


def compute_views(
    dataset: ViewDataset,
    parts: Sequence[Sequence[int]],
    compute: Compute,
    num_workers: int = 0,
    device: torch.device | str = "cpu",
) -> Generator[Mapping[str, Tensor], None, None]:
    """Compute something of all views of each part of the images, without gradients, in order.

    A part has the numbers of images (B,) that are computed at a time. `compute` takes views (B V,
    3, H, W) on `device`; on a CPU several threads call it at once, for a GPU `num_workers`
    processes read the images, or this one with 0.
    """
    if torch.device(device).type == "cpu":
        return _compute_in_threads(dataset, parts, compute)
    return compute_on_device(dataset, parts, compute, num_workers, device)


def _compute_in_threads(
    dataset: ViewDataset, parts: Sequence[Sequence[int]], compute: Compute
) -> Generator[Mapping[str, Tensor], None, None]:
    """Let each thread compute a part of its own: sharing each layer costs a third of the time."""

    @torch.inference_mode()
    def work(part: Sequence[int]) -> Mapping[str, Tensor]:
        torch.set_num_threads(1)
        views = {index: dataset[index] for index in part}  # which may name an image twice
        return compute(torch.cat([views[index] for index in part]))

    num_threads = torch.get_num_threads()
    try:
        yield from load_in_threads(work, parts, num_threads)
    finally:
        torch.set_num_threads(num_threads)  # for the threads that are still to come


def compute_on_device(
    dataset: ViewDataset,
    parts: Sequence[Sequence[int]],
    compute: Compute,
    num_workers: int,
    device: torch.device | str,
) -> Generator[Mapping[str, Tensor], None, None]:
    """Let a device make and compute the views of images that processes decode meanwhile.

    An image that a part names twice is decoded once.
    """
    wanted = [list(dict.fromkeys(part)) for part in parts]
    decoded = load_items(partial(_decode, dataset), [*chain(*wanted)], num_workers)
    for part, own in zip(parts, wanted, strict=True):
        with torch.inference_mode():
            read = {index: next(decoded) for index in own}
            images = {index: torch.from_numpy(read[index][0]).to(device) for index in own}
            plans = [read[index][1] for index in part]
            views = make_device_views([images[index] for index in part], plans, dataset.size)
            found = compute(views.flatten(0, 1))
        yield found


def _decode(dataset: ViewDataset, index: int) -> tuple[np.ndarray, list[View]]:
    """Read an image (H, W, 3) uint8, and plan its views."""
    image, plan = dataset.read(index)
    return np.array(image), plan


class ViewArray:
    """The views (N, V, 3, H, W) uint8 of a data set as an array, read from files when indexed.

    `num_workers` processes read images ahead of their use; with 0 this process reads them.
    """

    def __init__(self, dataset: ViewDataset, num_workers: int = 0) -> None:
        self.dataset = dataset
        self.shape = (len(dataset), dataset.num_views, 3, dataset.size, dataset.size)
        self.num_workers = num_workers

    def __getitem__(self, index: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
        """Read views by the numbers of images (B,) and views (B,)."""
        images, views = index
        found = np.empty((len(images), *self.shape[2:]), dtype=np.uint8)
        for image in np.unique(images):
            rows = np.flatnonzero(images == image)
            found[rows] = make_views(*self.dataset.read(image, views[rows]), self.dataset.size)
        return found  # (B, 3, H, W)


def channel_stats(dataset: ViewDataset, num_workers: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Return mean and deviation, float64 (3,), of the pixels of the whole images, RGB in [0, 1]."""
    # Sums of whole numbers are exact up to 2^53, beyond 10^11 pixels: no digits cancel here.
    sums = [*load_items(partial(_channel_sums, dataset), range(len(dataset)), num_workers)]
    mean, mean_square = np.sum(sums, axis=0) / (len(dataset) * dataset.size**2)
    return mean / 255, np.sqrt(mean_square - mean**2) / 255


def _channel_sums(dataset: ViewDataset, index: int) -> np.ndarray:
    """Sum the levels of an image scaled to a view, and their squares, by channel: (2, 3)."""
    image = read_image(dataset.paths[index])
    whole = View((0, 0, *image.size), flip=False, colours=None)
    levels = make_views(image, [whole], dataset.size).double()  # (1, 3, H, W)
    return torch.stack([levels.sum((0, 2, 3)), levels.square().sum((0, 2, 3))]).numpy()
