"""The heads that the notebooks train: what each is, what it is given, and how it is trained."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import nn

from imet_utils.distributed import join_processes, num_processes, process_index, run_in_processes
from imet_utils.encoders import OUTPUTS, build_encoder
from imet_utils.features import FeatureBatches, open_features, read_fingerprint, view_targets
from imet_utils.files import load_checkpoint, load_json, save_json
from imet_utils.models import (
    HOG_COMPONENTS,
    EndToEnd,
    HogFusionClassifier,
    LinearClassifier,
    MlpClassifier,
    build_attncnn_rnn,
    order_free_loss,
    positive_weights,
    weighted_bce,
)
from imet_utils.processes import num_cores
from imet_utils.provenance import TABLES, read_provenance
from imet_utils.tables import Tables, read_tables, take_split
from imet_utils.training.loop import Loss, TrainConfig, fit
from imet_utils.training.sizes import Size, choose_size
from imet_utils.views import ViewArray, open_datasets

Arrays = dict[str, np.ndarray | ViewArray]
Build = Callable[[Mapping[str, int], int, Size], nn.Module]

AVERAGED = {"weight_decay": 0.3, "average_decay": 0.98}


@dataclass(frozen=True)
class Recipe:
    """How one head is made and trained.

    Attributes:
        folder: where it is kept, in the output folder.
        inputs: names of the features that it takes.
        build: from the last dimension of each input, the number of classes and what suits the
            number of training images, to the layers.
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
    settings: Mapping[str, float] = field(default_factory=lambda: AVERAGED)


def _build_rnn(dims: Mapping[str, int], num_classes: int, size: Size) -> nn.Module:
    hidden_dim, dropout = size.mlp["hidden_dim"], size.mlp["dropout"]
    return build_attncnn_rnn(dims, num_classes, hidden_dim=hidden_dim, classifier_dropout=dropout)


POSTER = {"weighs_positives": True, "batch_size": 32, "settings": {}}

RECIPES = {
    "baseline": Recipe(
        "04_train_baseline",
        ("pooled",),
        lambda dims, num_classes, _: LinearClassifier(dims["pooled"], num_classes),
        **POSTER,
    ),
    "mlp": Recipe(
        "04_train_baseline/mlp",
        ("pooled", "style"),
        lambda dims, num_classes, size: MlpClassifier(dims, num_classes, **size.mlp),
    ),
    "baseline_hog": Recipe(
        "05_fuse_hog",
        ("pooled", "hog"),
        lambda dims, num_classes, _: HogFusionClassifier(dims["pooled"], dims["hog"], num_classes),
        **POSTER,
    ),
    "baseline_components": Recipe(
        "05_fuse_hog/components",
        ("pooled", "hog"),
        lambda dims, num_classes, _: HogFusionClassifier(
            dims["pooled"], dims["hog"], num_classes, min(HOG_COMPONENTS, dims["hog"])
        ),
        **POSTER,
    ),
    "attncnn_rnn": Recipe(
        "06_train_attncnn_rnn/attncnn_rnn",
        ("maps", "pooled", "style"),
        _build_rnn,
        order_free_loss,
    ),
    "attncnn_rnn_hog": Recipe(
        "06_train_attncnn_rnn/attncnn_rnn_hog",
        ("maps", "pooled", "style", "hog"),
        _build_rnn,
        order_free_loss,
    ),
}


@dataclass(frozen=True)
class HeadInputs:
    """The inputs of a head.

    Attributes:
        arrays: (N, V, ...) by name, for each split that there is.
        dims: the last dimension of each input.
        computed: those that the encoder has to compute from `images`, which is then an array.
        made_by: the fingerprint of the encoder's store and, if it is used, of HOG's.
    """

    arrays: dict[str, Arrays]
    dims: dict[str, int]
    computed: list[str]
    made_by: list[dict[str, Any]]


def open_inputs(
    tables: Tables,
    output_dir: Path | str,
    encoder: str,
    names: Sequence[str],
    unfrozen_stages: int = 0,
) -> HeadInputs:
    """Open the stores of all splits, with the images beside them where something is to be computed.

    Args:
        tables: of the collection.
        output_dir: of the run.
        encoder: whose store is opened.
        names: of the inputs: `maps`, `pooled`, `style`, `hog`.
        unfrozen_stages: of the encoder; if it is trained, all its outputs are computed.

    Raises:
        FileNotFoundError: if a store is missing.
        ValueError: if a store was made from other images or another split.
    """
    features = Path(output_dir) / "features"
    sources = [encoder, "hog"] if "hog" in names else [encoder]
    made_by = [read_fingerprint(features / "train" / source) for source in sources]
    views = made_by[0]["views"]
    datasets = open_datasets(tables, views["seed"], views["size"])
    stored = {}
    for split, dataset in datasets.items():
        seen = {"views": dataset.fingerprint()}
        stores = [open_features(features / split / source, seen) for source in sources]
        stored[split] = {name: array for store in stores for name, array in store.items()}
    dims = {name: array.shape[-1] for name, array in stored["train"].items()}
    dims["maps"] = made_by[0]["dim"]  # which may be all that is known of them
    computed = [
        name
        for name in names
        if name in OUTPUTS and (unfrozen_stages or name not in stored["train"])
    ]
    arrays = {}
    for split, dataset in datasets.items():
        arrays[split] = {name: stored[split][name] for name in names if name not in computed}
        if computed:
            arrays[split]["images"] = ViewArray(dataset, num_cores() // num_processes())
    return HeadInputs(arrays, {name: dims[name] for name in names}, computed, made_by)


@dataclass(frozen=True)
class HeadJob:
    """Which head to train, on what, and how.

    Attributes:
        head: a name of `RECIPES`.
        data_dir: the collection.
        output_dir: what the notebooks before wrote; the head goes to its recipe's folder there.
        encoder: whose features are stored.
        epochs: passes over the training images.
        learning_rate: of Adam, falling to zero along a cosine.
        views: of a training image an epoch, as for `FeatureBatches`.
        unfrozen_stages: of the encoder, see `EndToEnd`.
        seed: of the weights, the order, the dropout.
    """

    head: str
    data_dir: Path | str
    output_dir: Path | str
    encoder: str = "efficientnet_lite0"
    epochs: int = 30
    learning_rate: float = 1e-3
    views: str = "random"
    unfrozen_stages: int = 0
    seed: int = 0

    @property
    def folder(self) -> Path:
        """Where the head is kept."""
        return Path(self.output_dir) / RECIPES[self.head].folder

    def save(self) -> None:
        """Note beside the head what was trained, for `load_head`."""
        save_json(asdict(self), self.folder / "job.json")


@dataclass(frozen=True)
class TrainedHead:
    """A head with its best weights, the inputs (N, V, ...) of each split, and its history."""

    model: nn.Module
    inputs: dict[str, Arrays]
    history: pd.DataFrame

    @property
    def unseen(self) -> dict[str, Arrays]:
        """The inputs of all splits but `train`."""
        return {split: arrays for split, arrays in self.inputs.items() if split != "train"}


def train_head(job: HeadJob, num_processes: int = 1) -> TrainedHead:
    """Train a head, or go on where an earlier run of the same job ended.

    Writes what `fit` does, and `job.json`, for `load_head`, to its folder.

    Args:
        job: what to train.
        num_processes: of this machine, that share every batch; at most one a GPU.
    """
    if num_processes > 1:
        run_in_processes(num_processes, train_head, job)
        return load_head(job.head, job.data_dir, job.output_dir)
    device = join_processes()
    recipe = RECIPES[job.head]
    model, inputs, tables = _build_head(job)
    train, val = (take_split(tables, split).targets for split in ("train", "val"))  # (N, C)
    loss = recipe.loss
    if recipe.weighs_positives:
        loss = partial(loss, pos_weight=positive_weights(torch.from_numpy(train)).to(device))
    crop_targets = read_provenance(Path(job.output_dir), TABLES)["parameters"]["CROP_TARGETS"]
    targets = view_targets(train, tables.is_culture, crop_targets)  # (N, V, C)
    options = {"batch_size": recipe.batch_size, "seed": job.seed, "device": device}
    batches = FeatureBatches(inputs.arrays["train"], targets, views=job.views, **options)
    targets = view_targets(val, tables.is_culture)
    val_batches = FeatureBatches(inputs.arrays["val"], targets, 64, "all", False, device=device)
    config = TrainConfig(job.epochs, job.learning_rate, seed=job.seed, **recipe.settings)
    settings = {"features": inputs.made_by, "unfrozen_stages": job.unfrozen_stages}
    history = fit(model, batches, val_batches, loss, config, job.folder, settings, job.head)
    if process_index() == 0:
        job.save()
    return TrainedHead(model, inputs.arrays, history)


def load_head(head: str, data_dir: Path | str, output_dir: Path | str) -> TrainedHead:
    """Load a head that `train_head` has trained, wherever its folders lie now."""
    folder = HeadJob(head, data_dir, output_dir).folder
    saved = load_json(folder / "job.json")
    job = HeadJob(**saved | {"data_dir": data_dir, "output_dir": output_dir})
    model, inputs, _ = _build_head(job)
    model.load_state_dict(load_checkpoint(folder / "best.pt")["model"])
    history = pd.read_csv(folder / "history.csv")
    return TrainedHead(model.to(join_processes()), inputs.arrays, history)


def build_head(
    head: str, dims: Mapping[str, int], num_classes: int, num_images: int, seed: int = 0
) -> nn.Module:
    """Make an untrained head of `RECIPES`.

    Args:
        head: its name.
        dims: the last dimension of each of its inputs, maybe of others too.
        num_classes: C.
        num_images: to train on, which decide its size.
        seed: of its weights.
    """
    recipe = RECIPES[head]
    dims = {name: dims[name] for name in recipe.inputs}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return recipe.build(dims, num_classes, choose_size(num_images))


def _build_head(job: HeadJob) -> tuple[nn.Module, HeadInputs, Tables]:
    """Make an untrained head, on top of its encoder where that has to run, and open its inputs."""
    tables = read_tables(Path(job.output_dir) / TABLES, job.data_dir)
    names = RECIPES[job.head].inputs
    inputs = open_inputs(tables, job.output_dir, job.encoder, names, job.unfrozen_stages)
    num_images = len(take_split(tables, "train").images)
    model = build_head(job.head, inputs.dims, tables.num_classes, num_images, job.seed)
    if inputs.computed:
        made_by = inputs.made_by[0]
        size = made_by["views"]["size"]
        encoder = build_encoder(made_by["encoder"], made_by["weights"], size)
        statistics = made_by["mean"], made_by["std"]
        model = EndToEnd(encoder, model, inputs.computed, job.unfrozen_stages, *statistics)
    return model, inputs, tables
