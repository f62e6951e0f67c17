"""The recipes: everything that makes a head, in one record, and what suits a number of images.

A hidden layer of twice the width loses on 4,000 images and pays on 11,050. The nearest of many
images are nearer, so fewer of them should count: a temperature of 0.06 gains the mean of heads and
neighbours 0.006 on 11,050 and loses 0.005 on 1,000 (`benchmarks/learning_curves.py`, which has
what else was tried).
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from torch import nn

from imet_utils.models import (
    HOG_COMPONENTS,
    HogFusionClassifier,
    LinearClassifier,
    MlpClassifier,
    build_attncnn_rnn,
    order_free_loss,
    weighted_bce,
)
from imet_utils.training.loop import Loss, TrainConfig


@dataclass(frozen=True)
class Size:
    """Settings for collections up to a number of training images.

    Attributes:
        name: of the size.
        most: training images up to which it holds.
        measured: numbers of training images that it was chosen on.
        mlp: arguments of `MlpClassifier`, alone and as the AttnCNN-RNN's classifier.
        temperature: of the neighbours' votes, see `NeighbourIndex`.
    """

    name: str
    most: float
    measured: tuple[int, ...]
    mlp: Mapping[str, Any]
    temperature: float


SIZES = (
    Size("small", 6_500, (1_000, 4_000), {"hidden_dim": 1_024, "dropout": 0.7}, 0.1),
    Size("large", math.inf, (11_050,), {"hidden_dim": 2_048, "dropout": 0.7}, 0.06),
)


def choose_size(num_images: int) -> Size:
    """Choose the settings for a number of training images."""
    return next(size for size in SIZES if num_images <= size.most)


def describe_size(num_images: int) -> str:
    """Say which size a number of training images is, and how far from what was measured.

    >>> describe_size(1_436)
    '1,436 training images: small (chosen on 1,000 and 4,000)'
    """
    size = choose_size(num_images)
    measured = " and ".join(f"{number:,}" for number in size.measured)
    beyond = num_images / max(size.measured)
    far = f", {beyond:.0f} times fewer" if beyond >= 1.5 else ""
    return f"{num_images:,} training images: {size.name} (chosen on {measured}{far})"


Build = Callable[[Mapping[str, int], int, Size], nn.Module]


@dataclass(frozen=True)
class Recipe:
    """How one head is made and trained.

    Attributes:
        title: in tables and figures.
        inputs: names of the features that it takes.
        build: from the last dimension of each input, the number of classes and what suits the
            number of training images, to the layers.
        loss: of logits and targets.
        weighs_positives: whether the loss weighs rare labels up, as on the poster. The outputs
            are then scores, not probabilities.
        config: of the training, before a notebook's parameters.
    """

    title: str
    inputs: tuple[str, ...]
    build: Build
    loss: Loss
    weighs_positives: bool
    config: TrainConfig


def build_linear(dims: Mapping[str, int], num_classes: int, _: Size) -> nn.Module:
    """Build the poster's baseline."""
    return LinearClassifier(dims["pooled"], num_classes)


def build_hog_fusion(dims: Mapping[str, int], num_classes: int, _: Size) -> nn.Module:
    """Build the poster's fusion: HOG as it is, concatenated."""
    return HogFusionClassifier(dims["pooled"], dims["hog"], num_classes)


def build_components_fusion(dims: Mapping[str, int], num_classes: int, _: Size) -> nn.Module:
    """Build the fusion with principal components of HOG."""
    components = min(HOG_COMPONENTS, dims["hog"])
    return HogFusionClassifier(dims["pooled"], dims["hog"], num_classes, components)


def build_mlp(dims: Mapping[str, int], num_classes: int, size: Size) -> nn.Module:
    """Build the MLP of a size."""
    return MlpClassifier(dims, num_classes, **size.mlp)


def build_rnn(dims: Mapping[str, int], num_classes: int, size: Size) -> nn.Module:
    """Build the AttnCNN-RNN, its classifier of a size."""
    return build_attncnn_rnn(
        dims,
        num_classes,
        hidden_dim=size.mlp["hidden_dim"],
        classifier_dropout=size.mlp["dropout"],
    )


POSTER = TrainConfig(epochs=30, learning_rate=1e-3)
AVERAGED = TrainConfig(
    epochs=30, learning_rate=1e-3, weight_decay=0.3, average_decay=0.98, batch_size=64
)

RECIPES = {
    "baseline": Recipe("baseline", ("pooled",), build_linear, weighted_bce, True, POSTER),
    "mlp": Recipe("MLP", ("pooled", "style"), build_mlp, weighted_bce, False, AVERAGED),
    "baseline_hog": Recipe(
        "baseline + HOG", ("pooled", "hog"), build_hog_fusion, weighted_bce, True, POSTER
    ),
    "baseline_components": Recipe(
        "baseline + HOG (components)",
        ("pooled", "hog"),
        build_components_fusion,
        weighted_bce,
        True,
        POSTER,
    ),
    "attncnn_rnn": Recipe(
        "AttnCNN-RNN", ("maps", "pooled", "style"), build_rnn, order_free_loss, False, AVERAGED
    ),
    "attncnn_rnn_hog": Recipe(
        "AttnCNN-RNN + HOG",
        ("maps", "pooled", "style", "hog"),
        build_rnn,
        order_free_loss,
        False,
        AVERAGED,
    ),
}

NEIGHBOURS = "neighbours"  # who vote beside the heads
USUAL = "heads and neighbours"  # the candidate that is taken unless another is clearly better


def candidate_weights(neighbour_weight: float) -> dict[str, dict[str, float]]:
    """List what the predictions may be made by: each head, the neighbours, and means of them.

    Args:
        neighbour_weight: of the neighbours beside the two best heads.

    Returns:
        The weights of the heads and of `neighbours`, of sum 1, by the title of the candidate.
    """
    single = {recipe.title: {head: 1.0} for head, recipe in RECIPES.items()}
    each = (1 - neighbour_weight) / 2
    return single | {
        NEIGHBOURS: {NEIGHBOURS: 1.0},
        "both heads": {"mlp": 0.5, "attncnn_rnn": 0.5},
        USUAL: {"mlp": each, "attncnn_rnn": each, NEIGHBOURS: neighbour_weight},
    }


def calibrated_candidates(weights: Mapping[str, Mapping[str, float]]) -> list[str]:
    """Name the candidates whose outputs are probabilities: no head in them weighs positives."""
    scores = {head for head, recipe in RECIPES.items() if recipe.weighs_positives}
    return [name for name, heads in weights.items() if scores.isdisjoint(heads)]
