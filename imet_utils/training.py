"""One training loop for every head: cosine schedule, clipping, early stop, exact resume."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from imet_utils.features import FeatureBatches
from imet_utils.metrics import best_threshold, mean_average_precision, sample_scores
from imet_utils.prediction import head_inputs, predict, short_floats
from imet_utils.progress import progress
from imet_utils.runs import fingerprint_of, load_checkpoint, save_checkpoint

Loss = Callable[[Tensor, Tensor], Tensor]


@dataclass(frozen=True)
class TrainConfig:
    """Settings of `fit`.

    Attributes:
        epochs: passes over the training batches.
        learning_rate: Adam's peak step; it falls to zero along a cosine.
        weight_decay: Adam's decoupled weight decay.
        clip_norm: gradients are scaled down to this total norm.
        patience: epochs without a better validation F2 before the run ends; 0 never ends early.
        average_decay: in [0, 1); above 0, the weights that are kept and used are a running average
            of those of the steps, each step's share falling by this factor (Polyak and Juditsky,
            1992).
        seed: of dropout. Every epoch draws from (seed, epoch) alone, so that a resumed run
            repeats an undisturbed one.
    """

    epochs: int = 15
    learning_rate: float = 1e-4
    weight_decay: float = 1e-5
    clip_norm: float = 5.0
    patience: int = 0
    average_decay: float = 0.0
    seed: int = 0

    def __post_init__(self) -> None:
        """Check the ranges."""
        if self.epochs < 1 or self.learning_rate <= 0 or self.clip_norm <= 0 or self.patience < 0:
            raise ValueError(f"epochs, rates and norms must be positive: {self}")
        if not 0 <= self.average_decay < 1:
            raise ValueError(f"average_decay must lie in [0, 1), got {self.average_decay}")


def evaluate(model: nn.Module, batches: FeatureBatches) -> dict[str, float]:
    """Score a head on a split: the probabilities of `predict`, cut at the best single threshold.

    Returns:
        f2, f1, precision, recall, map (over the classes that have both kinds) and threshold.
    """
    probs = predict(model, batches).probs
    targets = batches.image_targets
    threshold = best_threshold(probs, targets).value
    scores = sample_scores(probs >= threshold, targets)
    return {**scores, "map": mean_average_precision(probs, targets)[0], "threshold": threshold}


def train_one_epoch(
    model: nn.Module,
    batches: FeatureBatches,
    loss: Loss,
    optimizer: torch.optim.Optimizer,
    schedule: torch.optim.lr_scheduler.LRScheduler,
    config: TrainConfig,
    epoch: int,
    averaged: AveragedModel | None = None,
) -> float:
    """Take one optimizer step a batch and return the mean training loss.

    Whatever is random depends on (seed, epoch) alone; the global random state is left as it was.
    """
    model.train()
    batches.set_epoch(epoch)
    with _own_random_state(batches.device):
        torch.manual_seed(int(np.random.SeedSequence([config.seed, epoch]).generate_state(1)[0]))
        steps = (optimizer, schedule, config.clip_norm, averaged)
        return _take_steps(model, batches, loss, *steps)


def _take_steps(
    model: nn.Module,
    batches: FeatureBatches,
    loss: Loss,
    optimizer: torch.optim.Optimizer,
    schedule: torch.optim.lr_scheduler.LRScheduler,
    clip_norm: float,
    averaged: AveragedModel | None,
) -> float:
    total, count = 0.0, 0
    for batch in batches:
        with short_floats(batches.device):
            logits = model(**head_inputs(batch))
        batch_loss = loss(logits.float(), batch["targets"])
        optimizer.zero_grad(set_to_none=True)
        batch_loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), clip_norm, error_if_nonfinite=True)
        optimizer.step()
        schedule.step()
        if averaged is not None:
            averaged.update_parameters(model)
        total += batch_loss.item() * len(batch["targets"])
        count += len(batch["targets"])
    return total / count


def fit(
    model: nn.Module,
    batches: FeatureBatches,
    val_batches: FeatureBatches,
    loss: Loss,
    config: TrainConfig,
    folder: Path | str,
    settings: dict | None = None,
    description: str = "training",
) -> pd.DataFrame:
    """Train a head and leave it with the weights of its best epoch by validation F2.

    After each epoch `folder/last.pt` holds all that the next one needs, and `folder/best.pt` the
    best weights. A run that finds a `last.pt` of the same settings goes on from there; one of
    other settings is not used.

    Args:
        model: takes the arrays of `batches` by name and returns logits.
        batches: training batches; `set_epoch` is called before each pass.
        val_batches: validation batches for `evaluate`.
        loss: of (logits, targets), averaged over the batch.
        config: see `TrainConfig`.
        folder: where the checkpoints go.
        settings: what else the result depends on (data, loss, sizes); part of the fingerprint.
        description: shown with the progress.

    Returns:
        The history: one row an epoch with train_loss, learning_rate and the scores on validation.
    """
    folder = Path(folder)
    optimizer, schedule = _make_optimizer(model, config, config.epochs * len(batches))
    fingerprint = fingerprint_of([asdict(config), settings])
    averaged = _make_average(model, config)
    used = model if averaged is None else averaged.module
    parts = {"model": model, "optimizer": optimizer, "schedule": schedule}
    parts |= {} if averaged is None else {"averaged": averaged}
    history = _resume(folder / "last.pt", fingerprint, parts)

    for epoch in progress(range(len(history), config.epochs), description, unit="epoch"):
        if _has_stopped(history, config.patience):
            break
        learning_rate = schedule.get_last_lr()[0]
        steps = (optimizer, schedule, config, epoch, averaged)
        train_loss = train_one_epoch(model, batches, loss, *steps)
        row = {"epoch": epoch + 1, "train_loss": train_loss, "learning_rate": learning_rate}
        row |= {f"val_{name}": float(score) for name, score in evaluate(used, val_batches).items()}
        history.append(row)
        if _best_epoch(history) == epoch:
            save_checkpoint(
                {"fingerprint": fingerprint, "model": used.state_dict()}, folder / "best.pt"
            )
        states = {name: part.state_dict() for name, part in parts.items()}
        states |= {"fingerprint": fingerprint, "history": history}
        save_checkpoint(states, folder / "last.pt")
    model.load_state_dict(load_checkpoint(folder / "best.pt")["model"])
    return pd.DataFrame(history)


def cross_fit(
    build: Callable[[], nn.Module],
    batches: FeatureBatches,
    loss: Loss,
    config: TrainConfig,
    fold_of: np.ndarray,
    held_out: FeatureBatches | None = None,
    description: str = "cross-fitting",
) -> np.ndarray:
    """Predict every image with a head that was trained on the other folds.

    Args:
        build: makes an untrained head.
        batches: training batches, as for `fit`.
        loss: of (logits, targets), averaged over the batch.
        config: see `TrainConfig`; every fold trains for all its epochs, so that nothing is chosen
            on the images that are predicted.
        fold_of: (N,) fold of each image, at least two folds.
        held_out: other views of the same images, to be predicted instead of the training views.
        description: shown with the progress.

    Returns:
        Probabilities (N, C) float32, those of `predict`.
    """
    folds = np.unique(fold_of)
    if np.shape(fold_of) != batches.shape[:1] or len(folds) < 2:
        raise ValueError(
            f"fold_of must be ({batches.shape[0]},) with at least two folds, got "
            f"{np.shape(fold_of)} with {len(folds)}"
        )
    source = batches if held_out is None else held_out
    if source.shape[0] != batches.shape[0]:
        raise ValueError(f"held_out has {source.shape[0]} images, batches {batches.shape[0]}")
    probs = None
    for fold in progress(folds, description, unit="fold"):
        with _own_random_state(batches.device):
            torch.manual_seed(config.seed)
            model = build().to(batches.device)
        part = batches.of_images(np.flatnonzero(fold_of != fold))
        optimizer, schedule = _make_optimizer(model, config, config.epochs * len(part))
        averaged = _make_average(model, config)
        for epoch in range(config.epochs):
            train_one_epoch(model, part, loss, optimizer, schedule, config, epoch, averaged)
        used = model if averaged is None else averaged.module
        unseen = np.flatnonzero(fold_of == fold)
        found = predict(used, source.of_images(unseen, views="all", shuffle=False)).probs
        if probs is None:
            probs = np.empty((batches.shape[0], found.shape[1]), dtype=np.float32)
        probs[unseen] = found
    return probs


def _own_random_state(device: torch.device) -> AbstractContextManager:
    """Restore the random state of the CPU and of the device used when the block ends."""
    used = [torch.cuda.current_device()] if device.type == "cuda" else []
    return torch.random.fork_rng(devices=used)


def _make_optimizer(
    model: nn.Module, config: TrainConfig, num_steps: int
) -> tuple[torch.optim.Optimizer, torch.optim.lr_scheduler.LRScheduler]:
    optimizer = torch.optim.AdamW(
        model.parameters(), config.learning_rate, weight_decay=config.weight_decay, fused=True
    )
    return optimizer, torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, num_steps)


def _make_average(model: nn.Module, config: TrainConfig) -> AveragedModel | None:
    """Make the running average of the weights, if it is wanted; buffers are copied."""
    if config.average_decay == 0:
        return None
    return AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(config.average_decay))


def _resume(path: Path, fingerprint: str, parts: Mapping[str, Any]) -> list[dict]:
    """Load a checkpoint of the same run and return its history; of another run, nothing."""
    state = load_checkpoint(path) if path.exists() else {}
    if state.get("fingerprint") != fingerprint:
        return []
    for name, part in parts.items():
        part.load_state_dict(state[name])
    return state["history"]


def _best_epoch(history: list[dict]) -> int:
    return int(np.argmax([row["val_f2"] for row in history]))


def _has_stopped(history: list[dict], patience: int) -> bool:
    return bool(history and patience) and len(history) - 1 - _best_epoch(history) >= patience
