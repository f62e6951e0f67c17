"""The rows of `cross_validate`: heads, and ways to train them; and the means of several rows."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import torch
from label_queries import LabelQueryClassifier
from lost_losses import asymmetric_loss, focal_loss, hill_loss, self_paced_loss
from stores import (
    CROPPED,
    LITE0_288,
    LITE1_240,
    LITE2_260,
    OWN_STATISTICS,
    PADDED,
    PIXELS,
    SQUEEZED,
    TEXTURE,
    installed_others,
)
from torch import nn

from imet_utils.encoders import build_encoder
from imet_utils.models import EndToEnd, MlpClassifier, Rnn, positive_weights, weighted_bce
from imet_utils.training import AVERAGED, RECIPES, TrainConfig

Dims = Mapping[str, int]
MLP, RNN, NEIGHBOURS = "MLP", "AttnCNN-RNN", "nearest neighbours"
TEXTURED = f"{NEIGHBOURS}, {TEXTURE}"
SHORT_MLP = f"{MLP}, 10 epochs"
NEIGHBOURS_SHARE = 0.3  # in a mean with them
MORE_SEEDS = (1, 2)  # beside 0
SIDE_BY_SIDE = (  # encoders of a mean; "" is the default, Lite0 at 224 pixels
    ("", LITE0_288),
    ("", LITE1_240),
    ("", LITE2_260),
    (LITE1_240, LITE2_260),
    ("", LITE0_288, LITE1_240, LITE2_260),
)

BASELINE = TrainConfig(epochs=30, learning_rate=1e-3)
STRONG = replace(AVERAGED, epochs=25)
GENTLE = replace(STRONG, epochs=15, learning_rate=5e-4)
ALL_VIEWS = replace(STRONG, epochs=4)  # of six views: as many steps as 24 epochs of one
SHORT = replace(STRONG, epochs=10)  # for what trains the encoder, too
TWICE_THE_STEPS = replace(STRONG, epochs=8)


@dataclass(frozen=True)
class Row:
    """A head, how it is trained, and how its probabilities become labels.

    Attributes:
        inputs: the arrays of the store that the head takes, by name.
        build: makes an untrained head from the last dimension of each input and C; None for a vote
            of the neighbours instead.
        loss: of (logits, targets).
        config: settings of the training; its seed also draws the batches.
        store: kind of the store, see `stores`.
        views: of an image in an epoch, see `FeatureBatches`.
        rule: of `fit_rules`. Losses that weigh positives and negatives apart give scores, not
            probabilities, and need "one threshold".
    """

    inputs: tuple[str, ...]
    build: Callable[[Dims, int], nn.Module] | None
    loss: Callable = weighted_bce
    config: TrainConfig = STRONG
    store: str = SQUEEZED
    views: str = "random"
    rule: str = "expected F2"


def as_notebooks(head: str, num_images: int = 1_000) -> Row:
    """Take a head as the notebooks make it for so many images, by its name in `RECIPES`."""
    recipe = RECIPES[head]
    return Row(recipe.inputs, recipe.layers_for(num_images).build, recipe.loss)


def build_label_queries(dims: Dims, num_classes: int) -> LabelQueryClassifier:
    """Make the transformer's head."""
    return LabelQueryClassifier(num_classes, dims["maps"])


def build_end_to_end(unfrozen_stages: int, _: Dims, num_classes: int, **mlp: float) -> EndToEnd:
    """Make the MLP on top of an encoder of which the last stages are trained with it."""
    encoder = build_encoder("efficientnet_lite0")
    dims = {"pooled": encoder.dim, "style": encoder.style_dim}
    return EndToEnd(encoder, MlpClassifier(dims, num_classes, **mlp), [*dims], unfrozen_stages)


def list_rows(targets: np.ndarray) -> dict[str, dict[str, Row]]:
    """List the rows of each table, by the table's title and the row's name.

    The first row of a table is what the others are compared with. A row of the same name is the
    same in all tables.
    """
    poster = partial(weighted_bce, pos_weight=positive_weights(torch.from_numpy(targets)))
    mlp, rnn = as_notebooks("mlp"), as_notebooks("attncnn_rnn")
    queries = Row(("maps",), build_label_queries, weighted_bce)
    linear = replace(as_notebooks("baseline"), loss=poster, config=BASELINE, rule="one threshold")
    plain, reduced = (
        replace(linear, inputs=("pooled", "hog"), build=as_notebooks(head).build)
        for head in ("baseline_hog", "baseline_components")
    )
    by_threshold = replace(mlp, rule="one threshold")
    heads = {
        MLP: mlp,
        "MLP on pooled features": replace(mlp, inputs=("pooled",)),
        f"MLP, {TEXTURE}": replace(mlp, store=TEXTURE),
        TEXTURED: Row(("pooled", "style"), None, store=TEXTURE),
        "linear": linear,
        "linear + HOG": plain,
        "linear + HOG components": reduced,
        RNN: rnn,
        "AttnCNN-RNN + HOG": replace(rnn, inputs=(*rnn.inputs, "hog")),
        "label queries": queries,
        "label queries, 15 epochs at 5e-4": replace(queries, config=GENTLE),
    }
    mlps = {
        MLP: mlp,
        **{f"{MLP}, seed {k}": replace(mlp, config=replace(STRONG, seed=k)) for k in MORE_SEEDS},
        "MLP, dropout 0.5": replace(mlp, build=partial(MlpClassifier, dropout=0.5)),
        "MLP, weighted positives": replace(by_threshold, loss=poster),
        "MLP, focal loss": replace(by_threshold, loss=focal_loss),
        "MLP, asymmetric loss": replace(by_threshold, loss=asymmetric_loss),
        "MLP, Hill loss": replace(by_threshold, loss=hill_loss),
        "MLP, self-paced loss correction": replace(by_threshold, loss=self_paced_loss),
        "MLP, six views an epoch": replace(mlp, config=ALL_VIEWS, views="all"),
        "MLP, six views, twice the steps": replace(mlp, config=TWICE_THE_STEPS, views="all"),
        "MLP, weights not averaged": replace(mlp, config=replace(STRONG, average_decay=0.0)),
        "MLP, the collection's statistics": replace(mlp, store=OWN_STATISTICS),
        "MLP, images padded": replace(mlp, store=PADDED),
        "MLP, long images cropped": replace(mlp, store=CROPPED),
    }
    short = replace(mlp, config=SHORT)
    build = partial(build_end_to_end, 2)
    unfrozen = replace(short, inputs=("images",), build=build, store=PIXELS)
    rnns = {
        RNN: rnn,
        **{f"{RNN}, seed {k}": replace(rnn, config=replace(STRONG, seed=k)) for k in MORE_SEEDS},
        "AttnCNN-RNN, classifier's dropout 0.5": replace(
            rnn, build=Rnn(classifier_dropout=0.5).build
        ),
        "AttnCNN-RNN, the poster's attention": replace(rnn, build=Rnn(attention="additive").build),
        "AttnCNN-RNN, six views an epoch": replace(rnn, config=ALL_VIEWS, views="all"),
    }
    return {
        "Heads": heads,
        "Training of the MLP": mlps,
        "Training of the AttnCNN-RNN": rnns,
        "Training of the encoder, with the MLP": {
            SHORT_MLP: short,
            f"{SHORT_MLP}, two stages of the encoder unfrozen": unfrozen,
        },
        "Other encoders": {
            MLP: mlp,
            **{f"{MLP}, {kind}": replace(mlp, store=kind) for kind in installed_others()},
            **{
                f"{NEIGHBOURS}, {kind}": Row(("pooled", "style"), None, store=kind)
                for kind in installed_others()
            },
        },
    }


def list_means() -> dict[str, dict[str, dict[str, float]]]:
    """List the means of rows by table: the weight of each row, and of the neighbours, by name."""
    members = {
        "three MLPs": [MLP, *(f"{MLP}, seed {seed}" for seed in MORE_SEEDS)],
        "three AttnCNN-RNNs": [RNN, *(f"{RNN}, seed {seed}" for seed in MORE_SEEDS)],
        f"{MLP} and {RNN}": [MLP, RNN],
    }
    singles = {MLP: [MLP], RNN: [RNN]}
    means = {name: dict.fromkeys(rows, 1 / len(rows)) for name, rows in members.items()}
    with_neighbours = {
        f"{name}, with neighbours": {
            **dict.fromkeys(rows, (1 - NEIGHBOURS_SHARE) / len(rows)),
            NEIGHBOURS: NEIGHBOURS_SHARE,
        }
        for name, rows in (members | singles).items()
    }
    with_texture = {
        f"{name}, {TEXTURE}": {TEXTURED if k == NEIGHBOURS else k: v for k, v in shares.items()}
        for name, shares in with_neighbours.items()
    }
    single = f"{MLP}, with neighbours"
    encoders = {
        f"{MLP} with neighbours, {', '.join(kind or 'Lite0' for kind in kinds)}": {
            f"{row}, {kind}" if kind else row: share / len(kinds)
            for kind in kinds
            for row, share in ((MLP, 1 - NEIGHBOURS_SHARE), (NEIGHBOURS, NEIGHBOURS_SHARE))
        }
        for kinds in SIDE_BY_SIDE
        if {"", *installed_others()}.issuperset(kinds)
    }
    return {
        "Means of heads": means,
        "Means with neighbours": with_neighbours | with_texture,
        "Means of encoders": {single: with_neighbours[single], **encoders},
    }
