"""One training loop for every head, on one process or many: early stop, exact resume."""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from torch import nn

from imet_utils.distributed import gather_items, process_index, wait_for_all
from imet_utils.feature_batches import FeatureBatches
from imet_utils.metrics import best_threshold, mean_average_precision, sample_scores
from imet_utils.optimization import (
    Loss,
    TrainConfig,
    Training,
    start_training,
    train_one_epoch,
)
from imet_utils.prediction import head_inputs, predict
from imet_utils.progress import progress
from imet_utils.runs import fingerprint_of, load_checkpoint, save_checkpoint
from imet_utils.standardise import calibrate

__all__ = ["TrainConfig", "evaluate", "fit"]


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
    other settings is not used. Several processes (`run_in_processes`, `accelerate launch`) share
    every batch and the validation; each calls this with the same arguments, `folder` is on a disk
    that all of them see, and process 0 writes.

    Args:
        model: takes the arrays of `batches` by name and returns logits.
        batches: training batches; `set_epoch` is called before each pass.
        val_batches: validation batches for `evaluate`.
        loss: of (logits, targets), averaged over the batch.
        config: see `TrainConfig`.
        folder: where the checkpoints go.
        settings: what else the result depends on (features, loss); part of the fingerprint, as are
            the targets, how batches are drawn, and the shapes of the weights.
        description: shown with the progress.

    Returns:
        The history: one row an epoch with train_loss, learning_rate and the scores on validation.
    """
    folder = Path(folder)
    training = start_training(model, config, batches)
    weights = {name: list(values.shape) for name, values in model.state_dict().items()}
    data = [batches.fingerprint(), val_batches.fingerprint()]
    fingerprint = fingerprint_of([asdict(config), settings, weights, data])
    history = _resume(folder, fingerprint, training.parts)
    if not history:  # else the checkpoint has the statistics
        calibrate(model, map(head_inputs, batches.sample()))
    for epoch in progress(range(len(history), config.epochs), description, unit="epoch"):
        if _has_stopped(history, config.patience):
            break
        learning_rate = training.schedule.get_last_lr()[0]
        train_loss = train_one_epoch(training, batches, loss, config, epoch)
        row = {"epoch": epoch + 1, "train_loss": train_loss, "learning_rate": learning_rate}
        scores = evaluate(training.used, val_batches)
        row |= {f"val_{name}": float(score) for name, score in scores.items()}
        history += gather_items([row])[:1]  # so that all processes stop together
        if process_index() == 0:
            _save(training, fingerprint, history, folder)
    wait_for_all()
    training.accelerator.unwrap_model(model, keep_fp32_wrapper=False)
    model.load_state_dict(load_checkpoint(folder / "best.pt")["model"])
    return pd.DataFrame(history)


def _save(training: Training, fingerprint: str, history: list[dict], folder: Path) -> None:
    """Write the weights if this epoch is the best, and all that the next epoch needs."""
    if _best_epoch(history) == len(history) - 1:
        best = {"fingerprint": fingerprint, "model": training.used.state_dict()}
        save_checkpoint(best, folder / "best.pt")
    states = {name: part.state_dict() for name, part in training.parts.items()}
    states |= {"fingerprint": fingerprint, "history": history}
    save_checkpoint(states, folder / "last.pt")


def _resume(folder: Path, fingerprint: str, parts: Mapping[str, Any]) -> list[dict]:
    """Load the checkpoints of the same run and return its history; of another run, nothing.

    Both are looked at: a run of other settings that was killed may have replaced only one.
    """
    paths = (folder / "best.pt", folder / "last.pt")
    states = [load_checkpoint(path) if path.exists() else {} for path in paths]
    if any(state.get("fingerprint") != fingerprint for state in states):
        return []
    for name, part in parts.items():
        part.load_state_dict(states[1][name])
    return states[1]["history"]


def _best_epoch(history: list[dict]) -> int:
    return int(np.argmax([row["val_f2"] for row in history]))


def _has_stopped(history: list[dict], patience: int) -> bool:
    return bool(history and patience) and len(history) - 1 - _best_epoch(history) >= patience


if __name__ == "__main__":
    from imet_utils.head_training import main  # it stands on this module

    main()
