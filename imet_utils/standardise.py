"""Inputs of a head brought to mean 0 and deviation 1, by statistics taken once before training."""

from collections.abc import Iterable, Mapping

import torch
from torch import Tensor, nn

SMALLEST_VARIANCE = 1e-5  # a channel that never changes is not blown up


class Standardise(nn.Module):
    """Take each feature's mean off and divide by its deviation, both as `calibrate` found them.

    Batch norm would draw them from each batch: what a process computes would depend on how many
    share the batch.
    """

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(dim))
        self.register_buffer("std", torch.ones(dim))

    def forward(self, values: Tensor) -> Tensor:
        """Standardise values (..., dim), in float32."""
        return (values.float() - self.mean) / self.std


@torch.no_grad()
def calibrate(model: nn.Module, batches: Iterable[Mapping[str, Tensor]]) -> None:
    """Give every `Standardise` in a model the statistics of what reaches it from some batches.

    Args:
        model: takes a batch's tensors by name.
        batches: of inputs alone, at least one, on the model's device.
    """
    parts = [part for part in model.modules() if isinstance(part, Standardise)]
    if not parts:
        return
    moments = {part: torch.zeros(3, len(part.mean), dtype=torch.float64) for part in parts}

    def note(part: Standardise, inputs: tuple[Tensor]) -> None:
        rows = inputs[0].detach().flatten(0, -2).double()  # (R, dim)
        count = torch.full_like(rows[0], len(rows))
        moments[part] += torch.stack([count, rows.sum(dim=0), rows.square().sum(dim=0)]).cpu()

    hooks = [part.register_forward_pre_hook(note) for part in parts]
    was_training = model.training
    model.eval()
    for batch in batches:
        model(**batch)
    model.train(was_training)
    for hook in hooks:
        hook.remove()
    for part in parts:
        count, sums, squares = moments[part]  # (dim,) each
        mean = sums / count
        part.mean.copy_(mean)
        part.std.copy_((squares / count - mean**2).clamp_min(SMALLEST_VARIANCE).sqrt())
