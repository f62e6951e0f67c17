"""The heads of the recipes: their inputs, their training, and how they are kept."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import nn

from imet_utils.decoding import (
    ImageVectors,
    NeighbourIndex,
    Paths,
    build_neighbour_index,
    predict_splits,
    search_views,
)
from imet_utils.distributed import join_processes, process_index, run_in_processes
from imet_utils.encoders import OUTPUTS, build_encoder
from imet_utils.features import (
    Array,
    FeatureBatches,
    JoinedArray,
    open_features,
    read_fingerprint,
    view_targets,
)
from imet_utils.files import load_checkpoint, load_json, save_json
from imet_utils.models import EndToEnd, Rnn, positive_weights
from imet_utils.processes import num_cores
from imet_utils.runs import Run
from imet_utils.tables import SPLITS, Tables, take_split
from imet_utils.training.loop import Loss, fit
from imet_utils.training.recipes import Recipe, choose_size, find_recipe
from imet_utils.views import ViewArray, open_datasets

Arrays = dict[str, Array]
JOB = "head.json"  # beside a head: what it was trained as


@dataclass(frozen=True)
class HeadInputs:
    """The inputs of a head; of those that the encoder has to compute, the images instead."""

    arrays: dict[str, Arrays]  # (N, V, ...) by name, for each split that there is
    dims: dict[str, int]  # the last dimension of each input
    made_by: list[dict[str, Any]]  # fingerprints of the encoder's store and, if used, of HOG's


def open_inputs(
    tables: Tables,
    output_dir: Path | str,
    encoder: str,
    names: Sequence[str],
    unfrozen_stages: int = 0,
) -> HeadInputs:
    """Open the stores of all splits, with the images beside them where something is to be computed.

    The `names` are of `maps`, `pooled`, `style` and `hog`. With `unfrozen_stages` the encoder is
    trained, so that all its outputs are to be computed.

    Raises:
        FileNotFoundError: if a store is missing.
        ValueError: if a store was made from other images or another split.
    """
    features = Path(output_dir) / "features"
    sources = [encoder, "hog"] if "hog" in names else [encoder]
    made_by = [read_fingerprint(features / "train" / source) for source in sources]
    views = made_by[0]["views"]
    arrays: dict[str, Arrays] = {}
    dims = {"maps": made_by[0]["dim"]}  # which may be all that is known of them
    for split, dataset in open_datasets(tables, views["seed"], views["size"]).items():
        seen = {"views": dataset.fingerprint()}
        stored: Arrays = {}
        for source in sources:
            stored.update(open_features(features / split / source, seen))
        dims |= {name: array.shape[-1] for name, array in stored.items()}
        if unfrozen_stages:
            stored = {name: array for name, array in stored.items() if name not in OUTPUTS}
        arrays[split] = {name: stored[name] for name in names if name in stored}
        if len(arrays[split]) < len(names):
            arrays[split]["images"] = ViewArray(dataset, num_cores())
    return HeadInputs(arrays, {name: dims[name] for name in names}, made_by)


def join_splits(arrays: Mapping[str, Arrays], splits: Sequence[str] = SPLITS) -> Arrays:
    """Join the arrays (N, V, ...) of several splits, by name, one behind the other."""
    if len(splits) == 1:
        return arrays[splits[0]]
    names = arrays[splits[0]]
    return {name: JoinedArray([arrays[split][name] for split in splits]) for name in names}


def join_targets(tables: Tables, splits: Sequence[str] = SPLITS) -> np.ndarray:
    """Join the targets of several splits, one behind the other: bool (N, C)."""
    return np.concatenate([take_split(tables, split).targets for split in splits])


def index_images(
    tables: Tables, arrays: Mapping[str, Arrays], splits: Sequence[str] = SPLITS
) -> NeighbourIndex:
    """Index the images of some splits, one behind the other, by their `pooled` and `style`."""
    targets = join_targets(tables, splits)
    temperature = choose_size(len(targets)).temperature
    return build_neighbour_index(ImageVectors(join_splits(arrays, splits)), targets, temperature)


@dataclass(frozen=True)
class HeadJob:
    """Which head to train, on what, and how.

    It learns from the images of `splits`. Without `val` among them the weights of the best epoch
    on validation are kept, else those of the last.
    """

    run: Run  # which has split the collection and stored its features
    head: str  # its name in `RECIPES`
    recipe: Recipe  # with the parameters of whoever trains it
    folder: Path  # where it is kept
    encoder: str  # whose features are stored
    splits: tuple[str, ...] = ("train",)


@dataclass(frozen=True)
class TrainedHead:
    """A head with its best weights, the inputs (N, V, ...) of each split, and its history."""

    recipe: Recipe
    model: nn.Module
    inputs: dict[str, Arrays]
    history: pd.DataFrame
    folder: Path

    def predict(self) -> dict[str, np.ndarray]:
        """Predict all splits but `train`, and save the probabilities (N, C) beside the weights."""
        unseen = {split: arrays for split, arrays in self.inputs.items() if split != "train"}
        return predict_splits(self.model, unseen, self.folder, self.recipe.decoding.mean_of)

    def search(self, split: str, views: str = "all") -> Paths:
        """Search the most probable paths of a split's views, see `search_views`."""
        model: Any = self.model  # with a decoder
        device = next(model.parameters()).device
        batches = FeatureBatches(self.inputs[split], None, 64, views, shuffle=False, device=device)
        decoding = self.recipe.decoding
        return search_views(model, batches, decoding.beam_size, decoding.max_steps)


def configure_recipe(run: Run, head: str) -> Recipe:
    """Take a head's recipe, with a notebook's own parameters in place of some of its numbers.

    `TRAIN_VIEWS` may also come from a notebook upstream. A ValueError for a `HIDDEN_DIM` of a head
    whose hidden layer follows the number of images.
    """
    recipe = find_recipe(head)
    if recipe.sized and "HIDDEN_DIM" in run.parameters:
        raise ValueError(f"{head} has no HIDDEN_DIM: the number of images decides it, see `SIZES`")
    views = run.setting("TRAIN_VIEWS", default=recipe.config.train_views)
    recipe = replace(recipe, config=replace(recipe.config, train_views=views))
    return replace(recipe, **{name: run.configure(part) for name, part in recipe.parts.items()})


def train_head(run: Run, head: str, recipe: Recipe | None = None) -> TrainedHead:
    """Train a head for a notebook, or go on where an earlier run of the same job ended.

    Writes what `fit` does, and `head.json`, to a folder of the head's name in the notebook's.
    `NUM_PROCESSES` of this machine share every batch. The `head` is a name of `RECIPES`, which
    `register` adds to; its `recipe` is that of `configure_recipe` unless another is given.
    """
    run.check_parameters()
    recipe = recipe or configure_recipe(run, head)
    return _train(HeadJob(run, head, recipe, run.folder / head, run.setting("ENCODER")))


def refit_head(run: Run, head: str) -> TrainedHead:
    """Train a head of a notebook upstream anew, by the same recipe, on all labelled images.

    It takes all epochs of the recipe, as no image is left to choose one by, and lies in
    `refit_<head>` in the notebook's folder. Images of validation and test are seen in the views
    that are stored, which are cropped but not flipped or recoloured.
    """
    folder = run.folder / f"refit_{head}"
    return _train(replace(read_job(run, head), folder=folder, splits=SPLITS))


def _train(job: HeadJob) -> TrainedHead:
    num_processes = job.run.setting("NUM_PROCESSES", default=1)
    if num_processes > 1:
        run = replace(job.run, namespace={})  # a notebook's variables stay in its process
        run_in_processes(num_processes, train_job, replace(job, run=run))
        return _load(job)
    return train_job(job)


def train_job(job: HeadJob) -> TrainedHead:
    """Train a head on all processes of this job, or go on where an earlier one ended."""
    device = join_processes()
    recipe, tables = job.recipe, job.run.tables
    model, inputs = build_head(job)
    batches, loss = training_batches(job, inputs, device)
    val_batches = None
    if "val" not in job.splits:
        seen = view_targets(take_split(tables, "val").targets, tables.is_culture)  # (N, V, C)
        val_batches = FeatureBatches(inputs.arrays["val"], seen, 64, "all", False, device=device)
    history = fit(
        model,
        batches,
        val_batches,
        loss,
        recipe.config,
        job.folder,
        inputs.made_by,
        recipe.decoding.mean_of,
    )
    if process_index() == 0:
        trained_as = {"head": job.head, "encoder": job.encoder, **recipe.settings}
        save_json(trained_as, job.folder / JOB)
    return TrainedHead(recipe, model, inputs.arrays, history, job.folder)


def training_batches(
    job: HeadJob, inputs: HeadInputs, device: torch.device
) -> tuple[FeatureBatches, Loss]:
    """Make the batches that a head learns from, and its loss, weighted where it weighs labels."""
    config, loss, tables = job.recipe.config, job.recipe.loss, job.run.tables
    targets = join_targets(tables, job.splits)  # (N, C)
    if config.max_weight:
        weights = positive_weights(torch.from_numpy(targets), config.max_weight)
        loss = partial(loss, pos_weight=weights.to(device))
    crop_targets = job.run.setting("CROP_TARGETS", default="all")
    spread = view_targets(targets, tables.is_culture, crop_targets)  # (N, V, C)
    batches = FeatureBatches(
        join_splits(inputs.arrays, job.splits),
        spread,
        config.batch_rows(spread.shape[1]),
        config.train_views,
        seed=config.seed,
        device=device,
    )
    return batches, loss


def load_head(run: Run, head: str) -> TrainedHead:
    """Load a head of this notebook or of one upstream, wherever the run's folders lie now."""
    return _load(read_job(run, head))


def read_job(run: Run, head: str) -> HeadJob:
    """Read what a head of this notebook, or of one upstream, was trained as."""
    own = run.output_dir / run.notebook / head / JOB
    path = own if own.is_file() else run.find(f"{head}/{JOB}")
    saved = load_json(path)
    return HeadJob(run, head, find_recipe(head, saved), path.parent, saved["encoder"])


def _load(job: HeadJob) -> TrainedHead:
    model, inputs = build_head(job)
    model.load_state_dict(load_checkpoint(job.folder / "best.pt")["model"])
    history = pd.read_csv(job.folder / "history.csv")
    return TrainedHead(job.recipe, model.to(join_processes()), inputs.arrays, history, job.folder)


def build_head(job: HeadJob, inputs: HeadInputs | None = None) -> tuple[nn.Module, HeadInputs]:
    """Make an untrained head, on top of its encoder where that has to run.

    Its inputs are opened where they are not given, which looks at every image's fingerprint.
    """
    run, recipe, config = job.run, job.recipe, job.recipe.config
    inputs = inputs or open_inputs(
        run.tables, run.output_dir, job.encoder, recipe.inputs, config.unfrozen_stages
    )
    num_images = int(run.tables.images["split"].isin(job.splits).sum())
    model = recipe.build(inputs.dims, run.tables.num_classes, num_images, config.seed)
    if isinstance(recipe.layers, Rnn) and recipe.layers.frozen:
        path = run.find(f"{recipe.layers.frozen}/best.pt")
        model.get_submodule("classifier").load_state_dict(load_checkpoint(path)["model"])
    if "images" in inputs.arrays["train"]:
        made_by = inputs.made_by[0]
        encoder = build_encoder(made_by["encoder"], made_by["weights"], made_by["views"]["size"])
        computed = [name for name in inputs.dims if name not in inputs.arrays["train"]]
        statistics = made_by["mean"], made_by["std"]
        model = EndToEnd(encoder, model, computed, config.unfrozen_stages, *statistics)
    return model, inputs
