"""One training loop for every head, on one process or many, that resumes exactly."""

import hashlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from accelerate import Accelerator
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from imet_utils.code import code_digest, describe_code, plain_attributes
from imet_utils.decoding import head_inputs, predict
from imet_utils.distributed import gather_items, process_index, wait_for_all
from imet_utils.encoders import autocast_dtype, mixed_precision
from imet_utils.features import FeatureBatches
from imet_utils.files import fingerprint_of, load_checkpoint, save_checkpoint, save_csv
from imet_utils.metrics import best_threshold, mean_average_precision, sample_scores
from imet_utils.models import EndToEnd, fit_statistics
from imet_utils.progress import find_tracker, progress, say
from imet_utils.provenance import TRACKED

Loss = Callable[..., Tensor]  # of logits and targets
SHOWN = {"train_loss": "loss", "val_f2": "F2"}  # of each epoch, beside the bar


@dataclass(frozen=True)
class TrainConfig:
    """How a head is trained: the one object from a recipe and a notebook's parameters to `fit`.

    With an `average_decay` above 0 the weights that are kept and used are a running average of
    those of the steps, each step's weight falling by this factor (Polyak and Juditsky, 1992).
    Every epoch draws from (seed, epoch, process) alone, so that a resumed run repeats an
    undisturbed one.
    """

    epochs: int = 15  # passes over the training batches
    learning_rate: float = 1e-4  # Adam's peak step, in (0, 1]; it falls to zero along a cosine
    weight_decay: float = 1e-5  # Adam's
    # Decoupled (Loshchilov and Hutter, ICLR 2019), or a part of the gradient as on the poster.
    decoupled_decay: bool = True
    clip_norm: float = 5.0  # gradients are scaled down to this total norm
    average_decay: float = 0.0  # in [0, 1)
    batch_size: int = 32  # images a step, each with all its views where `train_views` is `all`
    train_views: str = "random"  # of an image in an epoch, as for `FeatureBatches`
    unfrozen_stages: int = 0  # of the encoder, see `EndToEnd`
    max_weight: float = 0.0  # of a label's positives, see `positive_weights`; 0: all labels alike
    seed: int = 0  # of the initial weights, the order of the batches and the dropout

    def __post_init__(self) -> None:
        """Check the ranges."""
        rules = {
            "epochs must be positive": self.epochs > 0,
            "learning_rate must be above 0 and at most 1": 0 < self.learning_rate <= 1,
            "weight_decay must be at least 0": self.weight_decay >= 0,
            "clip_norm must be positive": self.clip_norm > 0,
            "average_decay must be at least 0 and below 1": 0 <= self.average_decay < 1,
            "batch_size must be positive": self.batch_size > 0,
            "max_weight must be at least 0": self.max_weight >= 0,
        }
        if broken := [rule for rule, holds in rules.items() if not holds]:
            raise ValueError(f"{', '.join(broken)}; got {self}")

    def batch_rows(self, num_views: int) -> int:
        """Count the views in a batch."""
        return self.batch_size * (num_views if self.train_views == "all" else 1)


class Training:
    """A model in training: its batches, its loss, and what steps it.

    With a `folder` a tracker, if one is asked for (`find_tracker`), logs to its `TRACKED`.
    """

    def __init__(
        self,
        model: nn.Module,
        batches: FeatureBatches,
        loss: Loss,
        config: TrainConfig,
        folder: Path | None = None,
    ) -> None:
        device = batches.device
        self.model, self.batches, self.loss, self.config = model.to(device), batches, loss, config
        scaled = autocast_dtype(device) == torch.float16
        self.accelerator = Accelerator(  # knows the processes, scales the losses of float16
            device_placement=False,
            mixed_precision="fp16" if scaled else "no",  # `mixed_precision` does for bfloat16
            cpu=device.type == "cpu",
            log_with=find_tracker() if folder else None,
            project_dir=folder and folder / TRACKED,
        )
        self.averaged = None
        if config.average_decay > 0:  # buffers are copied
            average = _running_average(config.average_decay)
            self.averaged = AveragedModel(model, multi_avg_fn=average)
        lr, decay = config.learning_rate, config.weight_decay
        rates = model.rate_factors() if isinstance(model, EndToEnd) else [(1.0, model.parameters())]
        groups = [  # both less where weights are pretrained
            {"params": list(weights), "lr": factor * lr, "weight_decay": factor * decay}
            for factor, weights in rates
        ]
        adam = torch.optim.AdamW if config.decoupled_decay else torch.optim.Adam
        optimizer = adam(groups, fused=True)
        num_steps = config.epochs * len(batches)
        self.schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, num_steps)
        self.shared, self.optimizer = self.accelerator.prepare(model, optimizer)  # by all processes

    @property
    def used(self) -> nn.Module:
        """The model whose weights are evaluated and kept."""
        return self.model if self.averaged is None else self.averaged.module

    @property
    def parts(self) -> Mapping[str, Any]:
        """Everything that a checkpoint has to hold, by name."""
        parts = {"model": self.model, "optimizer": self.optimizer, "schedule": self.schedule}
        parts |= {"averaged": self.averaged, "scaler": self.accelerator.scaler}
        return {name: part for name, part in parts.items() if part is not None}

    def run_epoch(self, epoch: int) -> float:
        """Take one optimizer step a batch, on all processes together; return the mean loss.

        Whatever is random depends on (seed, epoch) alone; the global random state stays as it was.

        Raises:
            RuntimeError: if the loss or its gradient is not finite.
        """
        accelerator, batches = self.accelerator, self.batches
        sums = np.zeros(2)  # of losses, of rows
        self.model.train()
        batches.set_epoch(epoch)
        entropy = [self.config.seed, epoch, process_index()]  # a last 0 changes nothing
        seed = int(np.random.SeedSequence(entropy).generate_state(1)[0])
        with seeded(seed, batches.device):
            for batch, share in batches.shares(process_index(), accelerator.num_processes):
                self.optimizer.zero_grad(set_to_none=True)
                with mixed_precision(batches.device):
                    logits = self.shared(**head_inputs(batch))
                mean = self.loss(logits.float(), batch["targets"])
                # The processes' gradients are averaged, as if their shares were equal.
                accelerator.backward(mean * (share * accelerator.num_processes))
                norm = accelerator.clip_grad_norm_(self.model.parameters(), self.config.clip_norm)
                if accelerator.scaler is None and not norm.isfinite():
                    raise RuntimeError("the gradient is non-finite; a lower learning rate may help")
                self.optimizer.step()  # scaled losses may skip a step that overflows
                self.schedule.step()
                if self.averaged is not None:
                    self.averaged.update_parameters(self.model)
                rows = len(batch["targets"]) if share else 0
                sums += (mean.item() * rows, rows)
        total, count = np.sum(gather_items([sums]), axis=0).tolist()
        if not np.isfinite(total):
            raise RuntimeError(f"the training loss of epoch {epoch + 1} is non-finite")
        return total / count


def _running_average(decay: float) -> Callable[[Any, Any, Any], None]:
    """Average weights with shares that fall by `decay` a step, and faster in the first steps.

    So a short training is not drawn to the weights that it began with: after n steps the average
    spans a tenth of them (as TensorFlow's `ExponentialMovingAverage` with `num_updates`).
    """

    @torch.no_grad()
    def update(averaged: list[Tensor], current: list[Tensor], num_averaged: Tensor) -> None:
        steps = int(num_averaged)
        torch._foreach_lerp_(averaged, current, 1 - min(decay, (1 + steps) / (10 + steps)))

    return update


@contextmanager
def seeded(seed: int, device: torch.device | None = None) -> Iterator[None]:
    """Draw from a seed; the random state of CPU and device is restored when the block ends."""
    used = [torch.cuda.current_device()] if device and device.type == "cuda" else []
    with torch.random.fork_rng(devices=used):
        torch.manual_seed(seed)
        yield


def evaluate(model: nn.Module, batches: FeatureBatches, mean_of: str = "probs") -> dict[str, float]:
    """Score a head on a split: the probabilities of `predict`, cut at the best single threshold.

    Returns:
        f2, f1, precision, recall, map (over the classes that have both kinds) and threshold.
    """
    probs = predict(model, batches, mean_of)
    targets = batches.image_targets
    threshold = best_threshold(probs, targets)
    scores = sample_scores(probs >= threshold, targets)
    return {**scores, "map": mean_average_precision(probs, targets)[0], "threshold": threshold}


def fit(
    model: nn.Module,
    batches: FeatureBatches,
    val_batches: FeatureBatches | None,
    loss: Loss,
    config: TrainConfig,
    folder: Path | str,
    inputs: object = None,
    mean_of: str = "probs",
) -> pd.DataFrame:
    """Train a head and leave it with the weights of its best epoch by validation F2, or its last.

    After each epoch `folder/last.pt` holds all that the next one needs, and `folder/best.pt` the
    best weights; at the end `history.csv` has the history. A run that finds those of the same
    training goes on from there, or is at its end at once; those of another are not used. It is the
    same if all of these are: config, initial weights, layers with their settings and code, the
    loss with its arguments and code, targets and order of the batches, features of some images,
    and `inputs`.

    Several processes (`run_in_processes`, `torchrun`) share every batch and the
    validation; each calls this with the same arguments, all see the disk of `folder`, and process
    0 writes.

    Args:
        model: takes the arrays of `batches` by name and returns logits.
        batches: training batches; `set_epoch` is called before each pass.
        val_batches: validation batches for `evaluate`; None to keep the last epoch's weights.
        loss: of (logits, targets), averaged over the batch.
        config: see `TrainConfig`.
        folder: where the checkpoints go; its name is shown with the progress.
        inputs: what made the features, as JSON can hold it.
        mean_of: the outputs that are averaged over views on validation, see `predict`.

    Returns:
        The history: one row an epoch with train_loss, learning_rate and any scores on validation.

    Raises:
        TypeError: for other batches, such as a `DataLoader`'s.
    """
    if wrong := [b for b in (batches, val_batches) if not isinstance(b, FeatureBatches | None)]:
        raise TypeError(
            f"fit takes batches of FeatureBatches, not of {type(wrong[0]).__name__}: make them "
            "by FeatureBatches({name: array (N, V, ...)}, targets (N, V, C))"
        )
    folder, description = Path(folder), Path(folder).name
    validation = val_batches and val_batches.fingerprint()
    settings = [asdict(config), inputs, validation, mean_of]
    fingerprint = training_fingerprint(model, loss, batches, settings)
    training = Training(model, batches, loss, config, folder)
    history = _resume(folder, fingerprint, training.parts)
    done, accelerator = len(history), training.accelerator
    if not done:  # else the checkpoint has the statistics
        fit_statistics(model, map(head_inputs, batches.sample()))
    if done < config.epochs:
        accelerator.init_trackers("imet", asdict(config) | {"head": description})
    elif process_index() == 0:
        say(f"{description}: already trained, {done} epochs")
    bar = progress(range(done, config.epochs), description, config.epochs, "epoch", initial=done)
    for epoch in bar:
        learning_rate = training.schedule.get_last_lr()[0]
        train_loss = training.run_epoch(epoch)
        row = {"epoch": epoch + 1, "train_loss": train_loss, "learning_rate": learning_rate}
        scores = evaluate(training.used, val_batches, mean_of) if val_batches else {}
        row |= {f"val_{name}": float(score) for name, score in scores.items()}
        history.append(row)
        accelerator.log(row, step=epoch + 1)
        shown = [f"{name} {row[key]:.4f}" for key, name in SHOWN.items() if key in row]
        bar.set_postfix_str(", ".join(shown), refresh=False)
        if process_index() == 0:
            _save(training, fingerprint, history, folder)
    wait_for_all()
    for tracker in accelerator.trackers:
        tracker.finish()
    accelerator.unwrap_model(model, keep_fp32_wrapper=False)
    model.load_state_dict(load_checkpoint(folder / "best.pt")["model"])
    table = pd.DataFrame(history)
    if process_index() == 0:
        save_csv(table, folder / "history.csv")
        first, last = history[0]["train_loss"], history[-1]["train_loss"]
        if last > first:
            rose = f"the training loss rose from {first:.4g} to {last:.4g}"
            say(f"{description}: {rose}; a lower learning rate may help")
    return table


def train_to_the_end(
    build: Callable[[], nn.Module], batches: FeatureBatches, loss: Loss, config: TrainConfig
) -> nn.Module:
    """Train a new head for all epochs of `config`; return what it is to be used with."""
    with seeded(config.seed, batches.device):
        model = build()
    training = Training(model, batches, loss, config)
    fit_statistics(model, map(head_inputs, batches.sample()))
    for epoch in range(config.epochs):
        training.run_epoch(epoch)
    return training.used


def training_fingerprint(
    model: nn.Module, loss: Loss, batches: FeatureBatches, settings: object
) -> str:
    """Hash everything that distinguishes one training from another, see `fit`.

    Of several processes that of the first counts, whose rounding may differ from the others'.
    """
    layers = [
        [name, describe_code(type(part)), plain_attributes(part) | {"training": None}]
        for name, part in model.named_modules()
    ]
    weights = hashlib.sha256()
    for name, values in model.named_parameters():
        if values.requires_grad or not name.startswith("encoder."):  # of an `EndToEnd`
            weights.update(f"{name} {tuple(values.shape)}".encode())
            weights.update(values.detach().cpu().numpy().tobytes())
    [batch] = batches.sample(batches.batch_size)  # of another encoder every number differs
    features = [
        hashlib.sha256(values.cpu().numpy().tobytes()).hexdigest() for values in batch.values()
    ]
    own = [code_digest(__name__), describe_code(loss), batches.fingerprint(), settings]
    digest = fingerprint_of([layers, weights.hexdigest(), features, own])
    return gather_items([digest])[0]


def _save(training: Training, fingerprint: str, history: list[dict], folder: Path) -> None:
    """Write the weights if this epoch is the best, and all that the next epoch needs."""
    scores = [row.get("val_f2", row["epoch"]) for row in history]  # without any the last is best
    if np.argmax(scores) == len(history) - 1:
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
        if name in states[1]:  # no scaler where the device before had none
            part.load_state_dict(states[1][name])
    return states[1]["history"]
