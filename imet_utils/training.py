"""One training loop for every head: cosine schedule, clipping, early stop, exact resume."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from imet_utils.decoding import Paths, beam_search
from imet_utils.encoders import autocast_dtype
from imet_utils.features import FeatureBatches
from imet_utils.metrics import best_threshold, mean_average_precision, sample_scores
from imet_utils.progress import progress
from imet_utils.runs import fingerprint_of, load_checkpoint, save_array, save_checkpoint

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
        seed: of dropout. Every epoch draws from (seed, epoch) alone, so that a resumed run
            repeats an undisturbed one.
    """

    epochs: int = 15
    learning_rate: float = 1e-4
    weight_decay: float = 1e-5
    clip_norm: float = 5.0
    patience: int = 0
    seed: int = 0

    def __post_init__(self) -> None:
        """Check the ranges."""
        if self.epochs < 1 or self.learning_rate <= 0 or self.clip_norm <= 0 or self.patience < 0:
            raise ValueError(f"epochs, rates and norms must be positive: {self}")


def _inputs(batch: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name: values for name, values in batch.items() if name != "targets"}


def _short_floats(device: torch.device) -> torch.autocast:
    """Compute in bfloat16 where the device is fast at it; float16 would need scaled gradients."""
    fast = autocast_dtype(device) == torch.bfloat16
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=fast)


def _mean_over_steps(logits: Tensor) -> Tensor:
    return logits.mean(dim=1) if logits.ndim == 3 else logits  # (B, C)


@torch.no_grad()
def predict(model: nn.Module, batches: FeatureBatches, description: str = "") -> np.ndarray:
    """Run a head over every view of every image, without dropout.

    Args:
        model: takes the arrays of `batches` by name, returns logits (B, C) or (B, T, C).
        batches: in the order of the store, with `views="all"` and no shuffling.
        description: shown with the progress; empty for none.

    Returns:
        Logits (N, V, C) float32, averaged over the steps where the head has steps.
    """
    was_training = model.training
    model.eval()
    steps = progress(batches, description, unit="batch") if description else batches
    with _short_floats(batches.device):
        logits = [_mean_over_steps(model(**_inputs(batch)).float()).cpu() for batch in steps]
    model.train(was_training)
    return torch.cat(logits).numpy().reshape(*batches.shape, -1)  # (N, V, C)


def view_probs(logits: np.ndarray) -> np.ndarray:
    """Average logits (N, V, C) over the views and squash them to probabilities (N, C)."""
    return torch.from_numpy(logits).mean(dim=1).sigmoid().numpy()


def predict_splits(
    model: nn.Module,
    inputs: Mapping[str, Mapping[str, np.ndarray]],
    folder: Path | str,
    device: str = "cpu",
) -> dict[str, np.ndarray]:
    """Predict every split and store the probabilities in `folder`.

    Writes `view_probs_<split>.npy` (N, V, C) float16, one for each view, which a decoder starts
    from, and `probs_<split>.npy` (N, C) float32, those of the image.

    Args:
        model: takes the arrays of a split by name.
        inputs: the arrays (N, V, ...) of each split.
        folder: where the probabilities go.
        device: where the model is.

    Returns:
        The probabilities (N, C) of each split.
    """
    probs = {}
    for split, arrays in inputs.items():
        batches = FeatureBatches(arrays, None, 64, "all", shuffle=False, device=device)
        logits = predict(model, batches, f"predicting {split}")
        probs[split] = view_probs(logits)
        one_view = torch.from_numpy(logits).sigmoid().half().numpy()
        save_array(one_view, Path(folder) / f"view_probs_{split}.npy")
        save_array(probs[split], Path(folder) / f"probs_{split}.npy")
    return probs


@torch.no_grad()
def search_views(
    decoder: nn.Module, batches: FeatureBatches, beam_size: int = 5, max_steps: int = 10
) -> Paths:
    """Find the best path of every view of every image by beam search, without dropout.

    Args:
        decoder: an `AttnDecoder`.
        batches: of maps and probs, with `views="all"` and no shuffling.
        beam_size: paths kept at each step.
        max_steps: labels on a path at most.

    Returns:
        The best path of each view on the CPU: `labels` (N * V, 1, T) and so on; row n * V + v is
        view v of image n.
    """
    was_training = decoder.training
    decoder.eval()
    found = [
        beam_search(decoder, batch["maps"], batch["probs"], beam_size, max_steps).best().cpu()
        for batch in progress(batches, "beam search", unit="batch")
    ]
    decoder.train(was_training)
    return Paths.concatenate(found)


def evaluate(model: nn.Module, batches: FeatureBatches) -> dict[str, float]:
    """Score a head on a split: the mean logit of the views, cut at the best single threshold.

    Returns:
        f2, f1, precision, recall, map (over the classes that have both kinds) and threshold.
    """
    probs = view_probs(predict(model, batches))
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
    clip_norm: float,
) -> float:
    """Take one optimizer step a batch and return the mean training loss."""
    model.train()
    total, count = 0.0, 0
    for batch in batches:
        with _short_floats(batches.device):
            logits = model(**_inputs(batch))
        batch_loss = loss(logits.float(), batch["targets"])
        optimizer.zero_grad(set_to_none=True)
        batch_loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), clip_norm, error_if_nonfinite=True)
        optimizer.step()
        schedule.step()
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
    optimizer = torch.optim.AdamW(
        model.parameters(), config.learning_rate, weight_decay=config.weight_decay, fused=True
    )
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, config.epochs * len(batches))
    fingerprint = fingerprint_of([asdict(config), settings])
    history = _resume(folder / "last.pt", fingerprint, model, optimizer, schedule)

    for epoch in progress(range(len(history), config.epochs), description, unit="epoch"):
        if _has_stopped(history, config.patience):
            break
        batches.set_epoch(epoch)
        learning_rate = schedule.get_last_lr()[0]
        with torch.random.fork_rng():
            torch.manual_seed(
                int(np.random.SeedSequence([config.seed, epoch]).generate_state(1)[0])
            )
            train_loss = train_one_epoch(
                model, batches, loss, optimizer, schedule, config.clip_norm
            )
        row = {"epoch": epoch + 1, "train_loss": train_loss, "learning_rate": learning_rate}
        row |= {f"val_{name}": float(score) for name, score in evaluate(model, val_batches).items()}
        history.append(row)
        if _best_epoch(history) == epoch:
            save_checkpoint(
                {"fingerprint": fingerprint, "model": model.state_dict()}, folder / "best.pt"
            )
        save_checkpoint(
            {
                "fingerprint": fingerprint,
                "model": model.state_dict(),
                "optimizer": optimizer.state_dict(),
                "schedule": schedule.state_dict(),
                "history": history,
            },
            folder / "last.pt",
        )
    model.load_state_dict(load_checkpoint(folder / "best.pt")["model"])
    return pd.DataFrame(history)


def _resume(
    path: Path,
    fingerprint: str,
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    schedule: torch.optim.lr_scheduler.LRScheduler,
) -> list[dict]:
    """Load a checkpoint of the same run and return its history; of another run, nothing."""
    state = load_checkpoint(path) if path.exists() else {}
    if state.get("fingerprint") != fingerprint:
        return []
    model.load_state_dict(state["model"])
    optimizer.load_state_dict(state["optimizer"])
    schedule.load_state_dict(state["schedule"])
    return state["history"]


def _best_epoch(history: list[dict]) -> int:
    return int(np.argmax([row["val_f2"] for row in history]))


def _has_stopped(history: list[dict], patience: int) -> bool:
    return bool(history and patience) and len(history) - 1 - _best_epoch(history) >= patience
