"""What the notebooks train: each head's inputs, layers, loss and settings by its name."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from torch import nn

from imet_utils.attncnn_rnn import MlpClassifier, build_attncnn_rnn
from imet_utils.label_queries import LabelQueryClassifier
from imet_utils.losses import order_free_loss, weighted_bce
from imet_utils.models import HogFusionClassifier, LinearClassifier
from imet_utils.optimization import Loss

Build = Callable[[Mapping[str, int], int], nn.Module]
AVERAGED = {"weight_decay": 0.3, "average_decay": 0.98}


@dataclass(frozen=True)
class Recipe:
    """How one head is made and trained.

    Attributes:
        folder: where it is kept, in the output folder.
        inputs: names of the features that it takes.
        build: from the last dimension of each input and the number of classes to the layers.
        loss: of logits and targets.
        weighs_positives: whether the loss weighs rare labels up, as on the poster.
        batch_size: images a step.
        settings: of `TrainConfig`, beside those of a `HeadJob`.
    """

    folder: str
    inputs: tuple[str, ...]
    build: Build
    loss: Loss = weighted_bce
    weighs_positives: bool = False
    batch_size: int = 64
    settings: Mapping[str, Any] = field(default_factory=lambda: AVERAGED)


def _linear(dims: Mapping[str, int], num_classes: int) -> nn.Module:
    return LinearClassifier(dims["pooled"], num_classes)


def _fusion(dims: Mapping[str, int], num_classes: int) -> nn.Module:
    return HogFusionClassifier(dims["pooled"], dims["hog"], num_classes)


def _label_queries(dims: Mapping[str, int], num_classes: int) -> nn.Module:
    return LabelQueryClassifier(num_classes, dims["maps"])


_POSTER = {"weighs_positives": True, "batch_size": 32, "settings": {}}
_MLP, _RNN = ("pooled", "style"), ("maps", "pooled", "style")
_PEERS = "06_train_attncnn_rnn"

RECIPES = {
    "baseline": Recipe("04_train_baseline", ("pooled",), _linear, **_POSTER),
    "mlp": Recipe("04_train_baseline/mlp", _MLP, MlpClassifier),
    "baseline_hog": Recipe("05_fuse_hog", ("pooled", "hog"), _fusion, **_POSTER),
    "attncnn_rnn": Recipe(f"{_PEERS}/attncnn_rnn", _RNN, build_attncnn_rnn, order_free_loss),
    "attncnn_rnn_hog": Recipe(
        f"{_PEERS}/attncnn_rnn_hog", (*_RNN, "hog"), build_attncnn_rnn, order_free_loss
    ),
    "label_queries": Recipe(f"{_PEERS}/label_queries", ("maps",), _label_queries),
}
