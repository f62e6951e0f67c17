"""The steps of a training: settings, optimizer, averaged weights, one epoch on all processes."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from imet_utils.distributed import gather_items, process_index
from imet_utils.encoders import autocast_dtype
from imet_utils.end_to_end import EndToEnd
from imet_utils.feature_batches import FeatureBatches
from imet_utils.prediction import head_inputs, short_floats

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
        micro_batches: parts that a batch is computed in, one after the other, their gradients
            accumulated: the same step with less memory.
        seed: of dropout. Every epoch draws from (seed, epoch, process) alone, so that a resumed
            run repeats an undisturbed one.
    """

    epochs: int = 15
    learning_rate: float = 1e-4
    weight_decay: float = 1e-5
    clip_norm: float = 5.0
    patience: int = 0
    average_decay: float = 0.0
    micro_batches: int = 1
    seed: int = 0

    def __post_init__(self) -> None:
        """Check the ranges."""
        positive = (self.epochs, self.learning_rate, self.clip_norm, self.micro_batches)
        if min(positive) <= 0 or self.patience < 0:
            raise ValueError(f"epochs, rates, norms and parts must be positive: {self}")
        if not 0 <= self.average_decay < 1:
            raise ValueError(f"average_decay must lie in [0, 1), got {self.average_decay}")


@dataclass(frozen=True)
class Training:
    """A model and what steps it.

    Attributes:
        model: to be trained.
        shared: the same, as all processes call it in training.
        optimizer: on the model's trainable parameters.
        schedule: of the learning rates.
        averaged: the running average of the weights, or None.
        accelerator: knows the processes and scales the losses of float16.
    """

    model: nn.Module
    shared: nn.Module
    optimizer: torch.optim.Optimizer
    schedule: torch.optim.lr_scheduler.LRScheduler
    averaged: AveragedModel | None
    accelerator: Accelerator

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


def start_training(model: nn.Module, config: TrainConfig, batches: FeatureBatches) -> Training:
    """Move a model to the batches' device, and make what trains it there once it is calibrated."""
    device = batches.device
    model.to(device)
    scaled = autocast_dtype(device) == torch.float16
    accelerator = Accelerator(
        device_placement=False,
        mixed_precision="fp16" if scaled else "no",  # bfloat16 needs no scaling: `short_floats`
        cpu=device.type == "cpu",
    )
    averaged = None
    if config.average_decay > 0:  # buffers are copied
        averaged = AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(config.average_decay))
    optimizer = torch.optim.AdamW(
        _parameter_groups(model, config),
        fused=True,
    )
    num_steps = config.epochs * len(batches)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, num_steps)
    shared, prepared = accelerator.prepare(model, optimizer)
    return Training(model, shared, prepared, schedule, averaged, accelerator)


def _parameter_groups(model: nn.Module, config: TrainConfig) -> list[dict[str, Any]]:
    """Give each part of a model its learning rate; pretrained weights decay the less, too."""
    rates = model.rate_factors() if isinstance(model, EndToEnd) else [(1.0, model.parameters())]
    return [
        {
            "params": list(weights),
            "lr": factor * config.learning_rate,
            "weight_decay": factor * config.weight_decay,
        }
        for factor, weights in rates
    ]


def train_one_epoch(
    training: Training, batches: FeatureBatches, loss: Loss, config: TrainConfig, epoch: int
) -> float:
    """Take one optimizer step a batch, on all processes together; return the mean training loss.

    Whatever is random depends on (seed, epoch) alone; the global random state is left as it was.

    Raises:
        RuntimeError: if the loss or its gradient is not finite.
    """
    process, num_processes = process_index(), training.accelerator.num_processes
    sums = np.zeros(2)  # of losses, of rows
    training.model.train()
    batches.set_epoch(epoch)
    with own_random_state(batches.device):
        entropy = [config.seed, epoch, process]  # a last 0 changes nothing
        torch.manual_seed(int(np.random.SeedSequence(entropy).generate_state(1)[0]))
        for batch, share in batches.shares(process, num_processes):
            mean = _compute_gradient(training, batch, share, loss, config.micro_batches)
            _step(training, config.clip_norm)
            rows = len(batch["targets"]) if share else 0
            sums += (mean * rows, rows)
    total, count = sum(gather_items([sums])).tolist()
    if not np.isfinite(total):
        raise RuntimeError(f"the training loss of epoch {epoch + 1} is non-finite")
    return total / count


def _compute_gradient(
    training: Training, batch: Mapping[str, Tensor], share: float, loss: Loss, num_parts: int
) -> float:
    """Compute the gradient of the mean loss of a batch, of which this process has a share.

    Returns:
        The mean loss of this process' rows.
    """
    accelerator = training.accelerator
    training.optimizer.zero_grad(set_to_none=True)
    chunks = zip(*(values.chunk(num_parts) for values in batch.values()), strict=True)
    parts = [dict(zip(batch, values, strict=True)) for values in chunks]
    mean = 0.0
    for number, part in enumerate(parts, start=1):
        last = number == len(parts)
        weight = len(part["targets"]) / len(batch["targets"])
        with nullcontext() if last else accelerator.no_sync(training.shared):
            with short_floats(part["targets"].device):
                logits = training.shared(**head_inputs(part))
            part_loss = loss(logits.float(), part["targets"])
            # The processes' gradients are averaged, as if their shares were equal.
            accelerator.backward(part_loss * (weight * share * accelerator.num_processes))
        mean += part_loss.item() * weight
    return mean


def _step(training: Training, clip_norm: float) -> None:
    """Clip the gradient and step everything; scaled losses may skip a step that overflows."""
    accelerator = training.accelerator
    norm = accelerator.clip_grad_norm_(training.model.parameters(), clip_norm)
    if accelerator.scaler is None and not torch.isfinite(norm):
        raise RuntimeError("the gradient is non-finite; a lower learning rate may help")
    training.optimizer.step()
    training.schedule.step()
    if training.averaged is not None:
        training.averaged.update_parameters(training.model)


def own_random_state(device: torch.device) -> AbstractContextManager:
    """Restore the random state of the CPU and of the device used when the block ends."""
    used = [torch.cuda.current_device()] if device.type == "cuda" else []
    return torch.random.fork_rng(devices=used)
