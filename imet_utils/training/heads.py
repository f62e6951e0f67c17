"""The heads of the recipes: their inputs, their training, and how they are kept."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
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
from imet_utils.models import EndToEnd, positive_weights
from imet_utils.processes import num_cores
from imet_utils.provenance import find_product
from imet_utils.runs import TABLES, Run
from imet_utils.tables import Tables, read_tables, take_split
from imet_utils.training.loop import TrainConfig, fit
from imet_utils.training.recipes import RECIPES, choose_size
from imet_utils.views import ViewArray, open_datasets

Arrays = dict[str, np.ndarray | ViewArray]
JOB = "head.json"  # beside a head: what it was trained as


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
    arrays: dict[str, Arrays] = {}
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
        folder: where it is kept.
        output_dir: of a run whose notebooks have split the collection and stored its features.
        data_dir: the collection.
        encoder: whose features are stored.
        config: of the training.
    """

    head: str
    folder: Path
    output_dir: Path
    data_dir: Path
    encoder: str
    config: TrainConfig

    def save(self) -> None:
        """Write beside the head what it was trained as, for `load_head`."""
        settings = {"head": self.head, "encoder": self.encoder, "config": asdict(self.config)}
        save_json(settings, self.folder / JOB)


@dataclass(frozen=True)
class TrainedHead:
    """A head with its best weights, the inputs (N, V, ...) of each split, and its history."""

    model: nn.Module
    inputs: dict[str, Arrays]
    history: pd.DataFrame
    folder: Path

    @property
    def unseen(self) -> dict[str, Arrays]:
        """The inputs of all splits but `train`."""
        return {split: arrays for split, arrays in self.inputs.items() if split != "train"}


def head_job(run: Run, head: str) -> HeadJob:
    """Say how a notebook trains a head: by its recipe, and its own parameters in place of some."""
    config = run.configure(RECIPES[head].config)
    encoder = run.parameters.get("ENCODER") or run.setting("ENCODER")
    return HeadJob(head, run.folder / head, run.output_dir, run.data_dir, encoder, config)


def train_head(run: Run, head: str) -> TrainedHead:
    """Train a head for a notebook, or go on where an earlier run of the same job ended.

    Writes what `fit` does, and `head.json`, to a folder of the head's name in the notebook's.
    `NUM_PROCESSES` of this machine share every batch, if the notebook has that parameter.
    """
    job, num_processes = head_job(run, head), run.parameters.get("NUM_PROCESSES", 1)
    if num_processes > 1:
        run_in_processes(num_processes, train_job, job)
        return _load(job, run.tables)
    return train_job(job, run.tables)


def train_job(job: HeadJob, tables: Tables | None = None) -> TrainedHead:
    """Train a head on all processes of this job, or go on where an earlier one ended.

    Args:
        job: what to train.
        tables: of the run, where they have been read.
    """
    device = join_processes()
    recipe, config = RECIPES[job.head], job.config
    path, made_tables = find_product(job.output_dir, TABLES)
    tables = tables or read_tables(path.parent, job.data_dir)
    model, inputs = _build(job, tables)
    train, val = (take_split(tables, split).targets for split in ("train", "val"))  # (N, C)
    loss = recipe.loss
    if recipe.weighs_positives:
        loss = partial(loss, pos_weight=positive_weights(torch.from_numpy(train)).to(device))
    crop_targets = made_tables["parameters"].get("CROP_TARGETS", "all")
    batches = FeatureBatches(
        inputs.arrays["train"],
        view_targets(train, tables.is_culture, crop_targets),  # (N, V, C)
        config.batch_size,
        config.train_views,
        seed=config.seed,
        device=device,
    )
    seen = view_targets(val, tables.is_culture)
    val_batches = FeatureBatches(inputs.arrays["val"], seen, 64, "all", False, device=device)
    history = fit(model, batches, val_batches, loss, config, job.folder, inputs.made_by, job.head)
    if process_index() == 0:
        job.save()
    return TrainedHead(model, inputs.arrays, history, job.folder)


def load_head(run: Run, head: str) -> TrainedHead:
    """Load a head that a notebook upstream has trained, wherever the run's folders lie now."""
    folder = run.find(f"{head}/{JOB}").parent
    saved = load_json(folder / JOB)
    config = TrainConfig(**saved["config"])
    job = HeadJob(head, folder, run.output_dir, run.data_dir, saved["encoder"], config)
    return _load(job, run.tables)


def _load(job: HeadJob, tables: Tables) -> TrainedHead:
    model, inputs = _build(job, tables)
    model.load_state_dict(load_checkpoint(job.folder / "best.pt")["model"])
    history = pd.read_csv(job.folder / "history.csv")
    return TrainedHead(model.to(join_processes()), inputs.arrays, history, job.folder)


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


def _build(job: HeadJob, tables: Tables) -> tuple[nn.Module, HeadInputs]:
    """Make an untrained head, on top of its encoder where that has to run, and open its inputs."""
    names, unfrozen_stages = RECIPES[job.head].inputs, job.config.unfrozen_stages
    inputs = open_inputs(tables, job.output_dir, job.encoder, names, unfrozen_stages)
    num_images = len(take_split(tables, "train").images)
    model = build_head(job.head, inputs.dims, tables.num_classes, num_images, job.config.seed)
    if inputs.computed:
        made_by = inputs.made_by[0]
        size = made_by["views"]["size"]
        encoder = build_encoder(made_by["encoder"], made_by["weights"], size)
        statistics = made_by["mean"], made_by["std"]
        model = EndToEnd(encoder, model, inputs.computed, unfrozen_stages, *statistics)
    return model, inputs
