"""Heads over vectors: linear, with HOG beside, and with a hidden layer."""

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
        rows = inputs[0].flatten(0, -2).double()  # (R, dim)
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


class LinearClassifier(nn.Module):
    """The baseline's last layer: every label on its own, from the pooled features."""

    def __init__(self, dim: int, num_classes: int) -> None:
        super().__init__()
        self.fc = nn.Linear(dim, num_classes)

    def forward(self, pooled: Tensor) -> Tensor:
        """Map pooled features (B, E) to logits (B, C)."""
        return self.fc(pooled)  # (B, C)


class HogFusionClassifier(nn.Module):
    """The baseline with the HOG vector set beside the pooled features before the last layer."""

    def __init__(self, dim: int, hog_dim: int, num_classes: int) -> None:
        super().__init__()
        self.fc = nn.Linear(dim + hog_dim, num_classes)

    def forward(self, pooled: Tensor, hog: Tensor) -> Tensor:
        """Map pooled features (B, E) and HOG vectors (B, H) to logits (B, C)."""
        return self.fc(torch.cat([pooled, hog], dim=1))  # (B, C)


class MlpClassifier(nn.Module):
    """One hidden layer over vectors that describe an image, every label on its own.

    Each vector is standardised (`calibrate`), so that pooled features, style and HOG may be of any
    scale.

    Args:
        dims: length of each vector by its name, in the order of their concatenation.
        num_classes: C.
        hidden_dim: width of the hidden layer.
        dropout: before the last layer; 0.6 of it before the first.
    """

    def __init__(
        self,
        dims: Mapping[str, int],
        num_classes: int,
        hidden_dim: int = 1024,
        dropout: float = 0.5,
    ) -> None:
        super().__init__()
        self.standardise = nn.ModuleDict({name: Standardise(dim) for name, dim in dims.items()})
        self.layers = nn.Sequential(
            nn.Dropout(0.6 * dropout),
            nn.Linear(sum(dims.values()), hidden_dim),
            nn.ReLU(),
            nn.Dropout(dropout),
            nn.Linear(hidden_dim, num_classes),
        )

    def forward(self, **vectors: Tensor) -> Tensor:
        """Map vectors (B, dim) by name to logits (B, C)."""
        standard = [part(vectors[name]) for name, part in self.standardise.items()]
        return self.layers(torch.cat(standard, dim=1))
