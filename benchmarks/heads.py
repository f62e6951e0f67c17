"""Heads that the benchmarks of scores compare: how they are built, trained and evaluated."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import torch
from stores import SQUEEZED, Arrays
from torch import nn

from imet_utils.decoding import (
    ImageVectors,
    build_neighbour_index,
    class_thresholds,
    predict,
    search_views,
    union_of_views,
)
from imet_utils.encoders import build_encoder
from imet_utils.features import FeatureBatches, view_targets
from imet_utils.models import EndToEnd, MlpClassifier, positive_weights, weighted_bce
from imet_utils.training import AVERAGED, RECIPES, Decoding, TrainConfig, train_to_the_end
from imet_utils.training.cross_fitting import predict_folds

Dims = Mapping[str, int]
MLP, RNN, NEIGHBOURS = "MLP", "AttnCNN-RNN", "nearest neighbours"
NEIGHBOURS_SHARE = 0.3  # in a mean with them
MORE_SEEDS = (1, 2)  # beside 0
BASELINE = TrainConfig(epochs=30, learning_rate=1e-3, batch_size=64)
STRONG = replace(AVERAGED, epochs=25)


@dataclass(frozen=True)
class Row:
    """A head, how it is trained, and how its probabilities become labels.

    Attributes:
        inputs: the arrays of the store that the head takes, by name.
        build: makes an untrained head from the last dimension of each input and C; None for a vote
            of the neighbours instead.
        loss: of (logits, targets).
        config: settings of the training; each batch has `batch_size` views.
        store: kind of the store, see `stores`.
        rule: of `decision_rules`. Losses that weigh positives and negatives apart give scores, not
            probabilities, and need "one threshold".
    """

    inputs: tuple[str, ...]
    build: Callable[[Dims, int], nn.Module] | None
    loss: Callable = weighted_bce
    config: TrainConfig = STRONG
    store: str = SQUEEZED
    rule: str = "expected F2"


def as_notebooks(head: str, num_images: int = 1_000) -> Row:
    """Take a head as the notebooks make it for so many images, by its name in `RECIPES`."""
    recipe = RECIPES[head]
    return Row(recipe.inputs, recipe.layers_for(num_images).build, recipe.loss)


def build_end_to_end(unfrozen_stages: int, _: Dims, num_classes: int, **mlp: float) -> EndToEnd:
    """Make the MLP on top of an encoder of which the last stages are trained with it."""
    encoder = build_encoder("efficientnet_lite0")
    dims = {"pooled": encoder.dim, "style": encoder.style_dim}
    return EndToEnd(encoder, MlpClassifier(dims, num_classes, **mlp), [*dims], unfrozen_stages)


def train_row(row: Row, arrays: Arrays, targets: np.ndarray, images: np.ndarray) -> nn.Module:
    """Train a head on the images of these numbers, to its last epoch."""
    loss, config = row.loss, row.config
    if config.max_weight:
        weights = positive_weights(torch.from_numpy(targets[images]), config.max_weight)
        loss = partial(loss, pos_weight=weights)
    seen = {name: arrays[name] for name in row.inputs}
    dims = {name: array.shape[-1] for name, array in seen.items()}
    batches = FeatureBatches(
        seen,
        spread(targets),
        config.batch_size,
        config.train_views,
        seed=config.seed,
    ).of_images(images)
    return train_to_the_end(partial(row.build, dims, targets.shape[1]), batches, loss, config)


def spread(labels: np.ndarray) -> np.ndarray:
    """Give every view the labels (N, C) of its image: (N, V, C)."""
    return view_targets(labels, np.zeros(labels.shape[1], dtype=bool))


def all_views(
    row: Row, arrays: Arrays, images: np.ndarray | None = None, batch_size: int = 64
) -> FeatureBatches:
    """Show a head all views of images, of these numbers or of all."""
    unseen = {name: arrays[name] for name in row.inputs}
    views = FeatureBatches(unseen, None, batch_size, "all", shuffle=False)
    return views if images is None else views.of_images(images)


def search_sets(
    model: nn.Module, views: FeatureBatches, decoding: Decoding, targets: np.ndarray
) -> np.ndarray:
    """Predict labels by beam search, bool (N, C); paths stop by the shares of the labels (M, C)."""
    paths = search_views(model, views, decoding.beam_size, decoding.max_steps)
    shares = torch.from_numpy(targets.mean(axis=0)).float()  # (C,)
    limits = class_thresholds(shares, decoding.stop_scale)
    return union_of_views(paths, limits, views.shape[1]).numpy()


def cross_predict(
    row: Row,
    train: Arrays,
    held_out: Arrays,
    targets: np.ndarray,
    fold_of: np.ndarray,
    batch_size: int = 32,
) -> np.ndarray:
    """Predict each image with a head, or by neighbours, that have not seen it, (N, C)."""

    def predict_fold(known: np.ndarray, unseen: np.ndarray) -> np.ndarray:
        if row.build is None:
            index = build_neighbour_index(ImageVectors(train)[known], targets[known])
            return index.nearest(ImageVectors(held_out)[unseen]).vote()
        model = train_row(row, train, targets, known)
        return predict(model, all_views(row, held_out, unseen, batch_size))

    return predict_folds(predict_fold, fold_of, "+".join(row.inputs))
