"""The recipes: everything that makes a head, in one record, and what suits a number of images.

Two families stand side by side. The poster's are its layers, loss, schedule and decoding, number by
number, as meant where poster and code differ; ours are what scored best in their place.

A hidden layer of twice the width loses on 4,000 images and pays on 11,050. The nearest of many
images are nearer, so fewer of them should count: a temperature of 0.06 gains the mean of heads and
neighbours 0.006 on 11,050 and loses 0.005 on 1,000 (`benchmarks/results/learning_curves.md`, which
has what else was tried).
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, is_dataclass, replace
from typing import Any

from torch import nn

from imet_utils.code import describe_code, is_ours
from imet_utils.encoders import OUTPUTS
from imet_utils.files import fingerprint_of
from imet_utils.models import HOG_COMPONENTS, Linear, Mlp, Rnn, order_free_loss, weighted_bce
from imet_utils.training.loop import Loss, TrainConfig, seeded


@dataclass(frozen=True)
class Size:
    """Settings for collections up to a number of training images."""

    name: str
    most: float  # training images up to which it holds
    measured: tuple[int, ...]  # numbers of training images that it was chosen on
    hidden_dim: int  # of the MLP, alone and as the classifier of our AttnCNN-RNN
    temperature: float  # of the neighbours' votes, see `NeighbourIndex`


SIZES = (
    Size("small", 6_500, (1_000, 4_000), 1_024, 0.1),
    Size("large", math.inf, (11_050,), 2_048, 0.06),
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


@dataclass(frozen=True)
class Decoding:
    """How the outputs of a head become label sets.

    The rule is `threshold`, the one of the highest F2 on validation; `expected F2`, see
    `best_expected_sets`; or `beam`, see `union_of_views`.
    """

    rule: str = "expected F2"
    mean_of: str = "probs"  # or logits: what is averaged over the views of an image
    beam_size: int = 5  # K of the beam search
    max_steps: int = 10  # labels on a path at most
    stop_scale: float = 2.5  # of `class_thresholds`, c on the poster


@dataclass(frozen=True)
class Recipe:
    """How one head is made, trained and decoded.

    The `layers` of a reader's own head are its class, or whatever else makes the network from the
    last dimension of each input, by its name, and the number of classes.
    """

    title: str  # in tables and figures
    inputs: tuple[str, ...]  # names of the features that it takes: maps, pooled, style, hog
    layers: Linear | Mlp | Rnn | Callable[[Mapping[str, int], int], nn.Module]
    loss: Loss
    config: TrainConfig  # before a notebook's parameters
    decoding: Decoding = Decoding()
    sized: bool = False  # whether `hidden_dim` of the layers follows the number of training images

    @property
    def calibrated(self) -> bool:
        """Whether its outputs are probabilities: a loss that weighs positives makes them scores."""
        return not self.config.max_weight

    @property
    def parts(self) -> dict[str, Any]:
        """What parameters may change: `layers`, unless they are a reader's own, and the others."""
        parts = {name: getattr(self, name) for name in ("layers", "config", "decoding")}
        return {name: part for name, part in parts.items() if is_dataclass(part)}

    @property
    def settings(self) -> dict[str, Any]:
        """What a head was trained as, for `find_recipe`: numbers, and a hash of a reader's code."""
        codes = [type(part) if is_dataclass(part) else part for part in (self.layers, self.loss)]
        own = [describe_code(code) for code in codes if not is_ours(str(code.__module__))]
        numbers = {name: asdict(part) for name, part in self.parts.items()}
        return numbers | {"own_code": fingerprint_of(own) if own else ""}

    def layers_for(self, num_images: int) -> Any:  # noqa: ANN401
        """Return the layers, where they are sized with a hidden layer for so many images."""
        layers: Any = self.layers
        if not self.sized:
            return layers
        return replace(layers, hidden_dim=choose_size(num_images).hidden_dim)

    def build(
        self, dims: Mapping[str, int], num_classes: int, num_images: int, seed: int = 0
    ) -> nn.Module:
        """Make the untrained head from the last dimension of each of its inputs, and C.

        The number of images to train on decides the size of a hidden layer.
        """
        layers = self.layers_for(num_images)
        make = getattr(layers, "build", layers)
        with seeded(seed):
            return make({name: dims[name] for name in self.inputs}, num_classes)


POSTER = TrainConfig(
    epochs=15,
    learning_rate=1e-4,
    weight_decay=1e-5,
    decoupled_decay=False,
    clip_norm=5.0,
    batch_size=32,
    train_views="all",
    max_weight=10.0,
)
POSTER_RNN = replace(POSTER, epochs=25, learning_rate=5e-4)
POSTER_LAYERS = Rnn(
    attention="additive",
    attention_dim=512,
    width=512,
    dropout=0.5,
    num_steps=10,
    residual=False,
    standardise=False,
    frozen="baseline",
)
MEAN_LOGITS = Decoding("threshold", mean_of="logits")
BEAM = Decoding("beam", beam_size=5, max_steps=10, stop_scale=2.5)

WEIGHTED = TrainConfig(epochs=30, learning_rate=1e-3, max_weight=10.0)
AVERAGED = TrainConfig(
    epochs=30, learning_rate=1e-3, weight_decay=0.3, average_decay=0.98, batch_size=64
)

RECIPES = {
    "baseline": Recipe(
        "Baseline (poster)", ("pooled",), Linear(), weighted_bce, POSTER, MEAN_LOGITS
    ),
    "baseline_hog": Recipe(
        "Baseline + HOG (poster)", ("pooled", "hog"), Linear(), weighted_bce, POSTER, MEAN_LOGITS
    ),
    "poster_rnn": Recipe(
        "AttnCNN-RNN (poster)", ("maps", "pooled"), POSTER_LAYERS, order_free_loss, POSTER_RNN, BEAM
    ),
    "poster_rnn_hog": Recipe(
        "AttnCNN-RNN + HOG (poster)",
        ("maps", "pooled", "hog"),
        replace(POSTER_LAYERS, frozen="baseline_hog"),
        order_free_loss,
        POSTER_RNN,
        BEAM,
    ),
    "mlp": Recipe("MLP (ours)", ("pooled", "style"), Mlp(), weighted_bce, AVERAGED, sized=True),
    "baseline_components": Recipe(
        "Baseline + HOG components (ours)",
        ("pooled", "hog"),
        Linear(HOG_COMPONENTS),
        weighted_bce,
        WEIGHTED,
        Decoding("threshold"),
    ),
    "attncnn_rnn": Recipe(
        "AttnCNN-RNN (ours)",
        ("maps", "pooled", "style"),
        Rnn(),
        order_free_loss,
        AVERAGED,
        sized=True,
    ),
}
OURS = frozenset(RECIPES)


def register(head: str, recipe: Recipe) -> None:
    """Add a reader's own head to `RECIPES`, under the name that it is trained and loaded by.

    Its network and loss are no part of a run or of a labeller: whatever loads the head registers
    it first.

    Raises:
        ValueError: for a name that is one of ours or no Python name, or for unknown inputs.
    """
    if head in OURS or not head.isidentifier():
        raise ValueError(f"a head of your own has a name of its own, like a variable; got {head!r}")
    if unknown := set(recipe.inputs) - {*OUTPUTS, "hog"}:
        raise ValueError(f"{head}: there are no inputs {', '.join(sorted(unknown))}")
    RECIPES[head] = recipe


def find_recipe(head: str, saved: Mapping[str, Any] | None = None) -> Recipe:
    """Return the recipe of a head, with those of its `settings` that were saved in training.

    Raises:
        ValueError: where it is not registered, or by other code than it was trained by.
    """
    if head not in RECIPES:
        raise ValueError(
            f"no head {head!r} is registered, only {', '.join(RECIPES)}: run the cell with "
            f"register({head!r}, ...) of the notebook that trained it, or give its file by --heads"
        )
    recipe, saved = RECIPES[head], dict(saved or {})
    if saved.pop("own_code", now := recipe.settings["own_code"]) != now:
        raise ValueError(
            f"the head {head!r} was trained by other code than what is registered now (or by "
            "another version of Python): train it again"
        )
    parts = recipe.parts.items()
    return replace(recipe, **{k: replace(part, **saved[k]) for k, part in parts if k in saved})


NEIGHBOURS = "neighbours"  # who vote beside the heads
ENSEMBLE = "heads and neighbours"  # the mean that predicts, as a row of the tables


def mean_weights(share: float, heads: Sequence[str] = ("mlp", "attncnn_rnn")) -> dict[str, float]:
    """Weigh heads and the neighbours, who get `share`, for the mean that predicts."""
    return {**dict.fromkeys(heads, (1 - share) / len(heads)), NEIGHBOURS: share}
