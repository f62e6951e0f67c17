"""Train a head by its name: from a notebook, on several processes, from a command line.

On one machine or several, whose `--output` is the same folder:
`accelerate launch -m imet_utils.training HEAD --data DIR --output DIR`.
"""

import argparse
from collections.abc import Sequence
from dataclasses import MISSING, asdict, dataclass, fields
from functools import partial
from pathlib import Path

import pandas as pd
import torch
from torch import nn

from imet_utils import runs
from imet_utils.distributed import join_processes, process_index, run_in_processes
from imet_utils.encoders import build_encoder
from imet_utils.end_to_end import EndToEnd
from imet_utils.feature_batches import FeatureBatches
from imet_utils.head_inputs import Arrays, HeadInputs, open_inputs
from imet_utils.head_recipes import RECIPES
from imet_utils.losses import positive_weights
from imet_utils.tables import Tables, read_tables, take_split
from imet_utils.training import TrainConfig, fit
from imet_utils.views import view_targets


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
        thawed_stages: of the encoder, see `EndToEnd`.
        seed: of the weights, the order, the dropout.
    """

    head: str
    data_dir: str
    output_dir: str
    encoder: str = "efficientnet_lite0"
    epochs: int = 30
    learning_rate: float = 1e-3
    views: str = "random"
    thawed_stages: int = 0
    seed: int = 0

    def __post_init__(self) -> None:
        """Check the name and make folders of paths text, as JSON has them."""
        if self.head not in RECIPES:
            raise ValueError(f"head must be one of {', '.join(RECIPES)}, got {self.head!r}")
        for name in ("data_dir", "output_dir"):
            object.__setattr__(self, name, str(getattr(self, name)))

    @property
    def folder(self) -> Path:
        """Where the head is kept."""
        return Path(self.output_dir) / RECIPES[self.head].folder


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

    Writes its checkpoints, `history.csv` and `job.json`, for `load_head`, to its folder.

    Args:
        job: what to train.
        num_processes: of this machine, that share every batch; at most one a GPU.
    """
    if num_processes > 1:
        run_in_processes(num_processes, train_head, job)  # what follows finds it trained
    device = join_processes()
    recipe, tables = RECIPES[job.head], _read_tables(job)
    model, inputs = build_head(job, tables)
    crop_targets = runs.load_json(_preprocessed(job) / "metrics.json")["crop_targets"]
    train, val = (take_split(tables, split).targets for split in ("train", "val"))  # (N, C)
    loss = recipe.loss
    if recipe.weighs_positives:
        loss = partial(loss, pos_weight=positive_weights(torch.from_numpy(train)).to(device))
    options = {"batch_size": recipe.batch_size, "seed": job.seed, "device": device}
    targets = view_targets(train, tables.is_culture, crop_targets)  # (N, V, C)
    batches = FeatureBatches(inputs.arrays["train"], targets, views=job.views, **options)
    targets = view_targets(val, tables.is_culture)
    val_batches = FeatureBatches(inputs.arrays["val"], targets, 64, "all", False, device=device)
    config = TrainConfig(job.epochs, job.learning_rate, seed=job.seed, **recipe.settings)
    settings = {"features": inputs.made_by, "views": job.views, "crop_targets": crop_targets}
    settings |= {"head": job.head, "thawed_stages": job.thawed_stages}
    history = fit(model, batches, val_batches, loss, config, job.folder, settings, job.head)
    if process_index() == 0:
        runs.save_csv(history, job.folder / "history.csv")
        runs.save_json(asdict(job), job.folder / "job.json")
    return TrainedHead(model, inputs.arrays, history)


def load_head(head: str, data_dir: Path | str, output_dir: Path | str) -> TrainedHead:
    """Load a head that `train_head` has trained, wherever its folders lie now."""
    folders = {"data_dir": str(data_dir), "output_dir": str(output_dir)}
    folder = HeadJob(head, **folders).folder
    job = HeadJob(**runs.load_json(folder / "job.json") | folders)
    model, inputs = build_head(job, _read_tables(job))
    model.load_state_dict(runs.load_checkpoint(folder / "best.pt")["model"])
    history = pd.read_csv(folder / "history.csv")
    return TrainedHead(model.to(join_processes()), inputs.arrays, history)


def build_head(job: HeadJob, tables: Tables) -> tuple[nn.Module, HeadInputs]:
    """Make an untrained head, on top of its encoder where that has to run, and open its inputs."""
    recipe = RECIPES[job.head]
    inputs = open_inputs(tables, job.output_dir, job.encoder, recipe.inputs, job.thawed_stages)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(job.seed)
        head = recipe.build(inputs.dims, tables.num_classes)
    if not inputs.computed:
        return head, inputs
    made_by = inputs.made_by[0]
    encoder = build_encoder(made_by["encoder"], made_by["weights"])
    statistics = {"mean": made_by["mean"], "std": made_by["std"]}
    return EndToEnd(encoder, head, inputs.computed, job.thawed_stages, **statistics), inputs


def _preprocessed(job: HeadJob) -> Path:
    return Path(job.output_dir) / "02_preprocess_images"


def _read_tables(job: HeadJob) -> Tables:
    return read_tables(_preprocessed(job), job.data_dir)


def main(arguments: Sequence[str] | None = None) -> None:
    """Train a head as the command line says, on the processes that `accelerate launch` started."""
    parser = argparse.ArgumentParser(
        prog="accelerate launch -m imet_utils.training",
        description="Train a head on what the notebooks before it have stored.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("head", choices=RECIPES, help="what to train")
    parser.add_argument("--data", default="", help="the collection; as DATA_DIR")
    parser.add_argument("--output", default="", help="folder of the notebooks' results; OUTPUT_DIR")
    options = [option for option in fields(HeadJob) if option.default is not MISSING]
    for option in options:
        name = f"--{option.name.replace('_', '-')}"
        parser.add_argument(name, default=option.default, type=option.type, help="as in notebooks")
    given = vars(parser.parse_args(arguments))
    folders = (runs.find_data_dir(given.pop("data")), runs.find_output_dir(given.pop("output")))
    train_head(HeadJob(given.pop("head"), *map(str, folders), **given))
