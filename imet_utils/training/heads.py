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
from imet_utils.provenance import find_product
from imet_utils.runs import TABLES, Run
from imet_utils.tables import SPLITS, Tables, read_tables, take_split
from imet_utils.training.loop import Loss, evaluate, fit
from imet_utils.training.recipes import Recipe, choose_size, find_recipe
from imet_utils.views import ViewArray, open_datasets

Arrays = dict[str, Array]
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
            arrays[split]["images"] = ViewArray(dataset, num_cores())
    return HeadInputs(arrays, {name: dims[name] for name in names}, computed, made_by)


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

    Attributes:
        head: its name, which is that of its folder.
        recipe: with the parameters of whoever trains it.
        folder: where it is kept.
        output_dir: of a run whose notebooks have split the collection and stored its features.
        data_dir: the collection.
        encoder: whose features are stored.
        splits: whose images it learns from. Without `val` among them the weights of the best epoch
            on validation are kept, else those of the last.
    """

    head: str
    recipe: Recipe
    folder: Path
    output_dir: Path
    data_dir: Path
    encoder: str
    splits: tuple[str, ...] = ("train",)

    def save(self) -> None:
        """Write beside the head what it was trained as, for `load_head`."""
        saved = {"head": self.head, "encoder": self.encoder, **self.recipe.settings}
        save_json(saved, self.folder / JOB)


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

    `TRAIN_VIEWS` may also come from a notebook upstream.
    """
    recipe = find_recipe(head)
    views = run.setting("TRAIN_VIEWS", default=recipe.config.train_views)
    recipe = replace(recipe, config=replace(recipe.config, train_views=views))
    return replace(recipe, **{name: run.configure(part) for name, part in recipe.parts.items()})


def train_head(run: Run, head: str, recipe: Recipe | None = None) -> TrainedHead:
    """Train a head for a notebook, or go on where an earlier run of the same job ended.

    Writes what `fit` does, and `head.json`, to a folder of the head's name in the notebook's.
    `NUM_PROCESSES` of this machine share every batch.

    Args:
        run: of the notebook.
        head: a name of `RECIPES`, which `register` adds to.
        recipe: to train it by, in place of `configure_recipe`.
    """
    run.check_parameters()
    recipe = recipe or configure_recipe(run, head)
    folder, encoder = run.folder / head, run.setting("ENCODER")
    return _train(run, HeadJob(head, recipe, folder, run.output_dir, run.data_dir, encoder))


def refit_head(run: Run, head: str) -> TrainedHead:
    """Train a head of a notebook upstream anew, by the same recipe, on all labelled images.

    It takes all epochs of the recipe, as no image is left to choose one by, and lies in
    `refit_<head>` in the notebook's folder. Images of validation and test are seen in the views
    that are stored, which are cropped but not flipped or recoloured.
    """
    folder = run.folder / f"refit_{head}"
    return _train(run, replace(read_job(run, head), folder=folder, splits=SPLITS))


def _train(run: Run, job: HeadJob) -> TrainedHead:
    num_processes = run.setting("NUM_PROCESSES", default=1)
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
    recipe = job.recipe
    tables = tables or read_tables(find_product(job.output_dir, TABLES)[0].parent, job.data_dir)
    model, inputs = build_head(job, tables)
    batches, loss = training_batches(job, tables, inputs, device)
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
        job.folder.name,
        partial(evaluate, mean_of=recipe.decoding.mean_of),
    )
    if process_index() == 0:
        job.save()
    return TrainedHead(recipe, model, inputs.arrays, history, job.folder)


def training_batches(
    job: HeadJob, tables: Tables, inputs: HeadInputs, device: torch.device
) -> tuple[FeatureBatches, Loss]:
    """Make the batches that a head learns from, and its loss, weighted where it weighs labels."""
    config, loss = job.recipe.config, job.recipe.loss
    targets = join_targets(tables, job.splits)  # (N, C)
    if config.max_weight:
        weights = positive_weights(torch.from_numpy(targets), config.max_weight)
        loss = partial(loss, pos_weight=weights.to(device))
    made_tables = find_product(job.output_dir, TABLES)[1]
    crop_targets = made_tables["parameters"].get("CROP_TARGETS", "all")
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
    return _load(read_job(run, head), run.tables)


def read_job(run: Run, head: str) -> HeadJob:
    """Read what a head of this notebook, or of one upstream, was trained as."""
    own = run.output_dir / run.notebook / head / JOB
    folder = (own if own.is_file() else run.find(f"{head}/{JOB}")).parent
    saved = load_json(folder / JOB)
    recipe = find_recipe(head, saved)
    return HeadJob(head, recipe, folder, run.output_dir, run.data_dir, saved["encoder"])


def _load(job: HeadJob, tables: Tables) -> TrainedHead:
    model, inputs = build_head(job, tables)
    model.load_state_dict(load_checkpoint(job.folder / "best.pt")["model"])
    history = pd.read_csv(job.folder / "history.csv")
    return TrainedHead(job.recipe, model.to(join_processes()), inputs.arrays, history, job.folder)


def build_head(
    job: HeadJob, tables: Tables, inputs: HeadInputs | None = None
) -> tuple[nn.Module, HeadInputs]:
    """Make an untrained head, on top of its encoder where that has to run.

    Its inputs are opened where they are not given, which looks at every image's fingerprint.
    """
    recipe, config = job.recipe, job.recipe.config
    inputs = inputs or open_inputs(
        tables, job.output_dir, job.encoder, recipe.inputs, config.unfrozen_stages
    )
    num_images = sum(len(take_split(tables, split).images) for split in job.splits)
    model = recipe.build(inputs.dims, tables.num_classes, num_images, config.seed)
    if isinstance(recipe.layers, Rnn) and recipe.layers.frozen:
        path, _ = find_product(job.output_dir, f"{recipe.layers.frozen}/best.pt")
        model.get_submodule("classifier").load_state_dict(load_checkpoint(path)["model"])
    if inputs.computed:
        made_by = inputs.made_by[0]
        size = made_by["views"]["size"]
        encoder = build_encoder(made_by["encoder"], made_by["weights"], size)
        statistics = made_by["mean"], made_by["std"]
        model = EndToEnd(encoder, model, inputs.computed, config.unfrozen_stages, *statistics)
    return model, inputs
