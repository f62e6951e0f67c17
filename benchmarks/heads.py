"""Heads that the benchmarks of scores compare: how they are built, trained and evaluated."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Optional

import numpy as np
import torch
from stores import SQUEEZED, Arrays
from torch import nn

from imet_utils.decoding import (
    TEMPERATURE,
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
SEEDED = {name: [name, *(f"{name}, seed {k}" for k in MORE_SEEDS)] for name in (MLP, RNN)}
BASELINE = TrainConfig(epochs=30, learning_rate=1e-3, batch_size=64)
STRONG = replace(AVERAGED, epochs=25)
BATCH = 32  # images that are predicted at a time


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
        rule: of `decision_rules`, or "beam" for label sets by beam search. Losses that weigh
            positives and negatives apart give scores, not probabilities, and need "one threshold".
        first: a head that is trained before, and becomes the classifier of this one.
        temperature: of the neighbours' votes.
    """

    inputs: tuple[str, ...]
    build: Callable[[Dims, int], nn.Module] | None
    loss: Callable = weighted_bce
    config: TrainConfig = STRONG
    store: str = SQUEEZED
    rule: str = "expected F2"
    first: Optional["Row"] = None
    temperature: float = TEMPERATURE


VOTE = Row(("pooled", "style"), None)


def as_notebooks(head: str, num_images: int = 1_000) -> Row:
    """Take a head as the notebooks make it for so many images, by its name in `RECIPES`."""
    recipe = RECIPES[head]
    return Row(recipe.inputs, recipe.layers_for(num_images).build, recipe.loss)


def with_seeds(name: str, row: Row) -> dict[str, Row]:
    """Train a row with further seeds, too."""
    seeds = {f"{name}, seed {k}": replace(row.config, seed=k) for k in MORE_SEEDS}
    return {name: row, **{k: replace(row, config=config) for k, config in seeds.items()}}


def with_votes(rows: Sequence[str], votes: str = NEIGHBOURS) -> dict[str, float]:
    """Weigh rows equally beside votes of the neighbours, for a mean."""
    return {**dict.fromkeys(rows, (1 - NEIGHBOURS_SHARE) / len(rows)), votes: NEIGHBOURS_SHARE}


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
    spread = view_targets(targets, np.zeros(targets.shape[1], dtype=bool))
    settings = (config.batch_size, config.train_views)
    batches = FeatureBatches(seen, spread, *settings, seed=config.seed).of_images(images)

    def build() -> nn.Module:
        model = row.build({k: array.shape[-1] for k, array in seen.items()}, targets.shape[1])
        if row.first:
            classifier = train_row(row.first, arrays, targets, images)
            model.classifier.load_state_dict(classifier.state_dict())
        return model

    return train_to_the_end(build, batches, loss, config)


def predict_row(
    row: Row,
    train: Arrays,
    held_out: Arrays,
    targets: np.ndarray,
    known: np.ndarray,
    unseen: np.ndarray,
) -> np.ndarray:
    """Learn from the known images and predict others, all by their numbers: probabilities (M, C).

    The rule "beam" gives label sets instead, bool (M, C).
    """
    if row.build is None:
        vectors = ImageVectors(train)[known]
        index = build_neighbour_index(vectors, targets[known], row.temperature)
        return index.nearest(ImageVectors(held_out)[unseen]).vote()
    model = train_row(row, train, targets, known)
    arrays = {name: held_out[name] for name in row.inputs}
    views = FeatureBatches(arrays, None, BATCH, "all", shuffle=False).of_images(unseen)
    if row.rule == "beam":
        return search_sets(model, views, targets[known])
    return predict(model, views)


def search_sets(model: nn.Module, views: FeatureBatches, targets: np.ndarray) -> np.ndarray:
    """Predict labels as the poster does, bool (N, C); paths stop by shares of the labels (M, C)."""
    poster = Decoding("beam")
    paths = search_views(model, views, poster.beam_size, poster.max_steps)
    shares = torch.from_numpy(targets.mean(axis=0)).float()  # (C,)
    limits = class_thresholds(shares, poster.stop_scale)
    return union_of_views(paths, limits, views.shape[1]).numpy()


def cross_predict(
    row: Row, train: Arrays, held_out: Arrays, targets: np.ndarray, fold_of: np.ndarray
) -> np.ndarray:
    """Predict each image with a head, or by neighbours, that have not seen it, (N, C)."""
    predict_fold = partial(predict_row, row, train, held_out, targets)
    return predict_folds(predict_fold, fold_of, "+".join(row.inputs))
