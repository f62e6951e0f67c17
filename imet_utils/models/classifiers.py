"""Heads over vectors: linear, with HOG beside, and with a hidden layer."""

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any

import torch
from torch import Tensor, nn

HOG_COMPONENTS = 64  # that a head takes beside what the encoder says
SMALLEST_VARIANCE = 1e-5  # a channel that never changes is not blown up
NOTHING: Mapping[str, Any] = MappingProxyType({})


class Standardise(nn.Module):
    """Standardise each feature by the mean and deviation that `fit_statistics` found.

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


class Components(nn.Module):
    """The first principal components of a vector, whitened, found by `fit_statistics`.

    HOG has thousands of numbers, of which a head that is given them all learns small collections
    by heart; their components leave it the large forms.
    """

    def __init__(self, dim: int, num: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(dim))
        self.register_buffer("axes", torch.zeros(dim, num))

    def forward(self, values: Tensor) -> Tensor:
        """Map values (..., dim) to components (..., num), in float32."""
        return (values.float() - self.mean) @ self.axes

    def fit(self, rows: Tensor) -> None:
        """Find the components of rows (R, dim); beyond the rank of the rows they are 0."""
        rows = rows.double()
        centred = rows - rows.mean(dim=0)
        squares, left = torch.linalg.eigh(centred @ centred.T)  # ascending
        squares, left = squares.flip(0)[: self.axes.shape[1]], left.flip(1)[:, : len(self.axes.T)]
        scale = (len(rows) - 1) ** 0.5 / squares.clamp_min(SMALLEST_VARIANCE)
        scale = scale.where(squares > SMALLEST_VARIANCE, 0.0)
        self.mean.copy_(rows.mean(dim=0))
        self.axes.zero_()
        self.axes[:, : len(scale)] = (centred.T @ (left * scale)).to(self.axes)


@torch.no_grad()
def fit_statistics(model: nn.Module, batches: Iterable[Mapping[str, Tensor]]) -> None:
    """Give each `Standardise` and `Components` in a model what it takes from some batches.

    Args:
        model: takes a batch's tensors by name.
        batches: of inputs alone, at least one, on the model's device.
    """
    parts = [part for part in model.modules() if isinstance(part, Standardise)]
    reduced = {part: [] for part in model.modules() if isinstance(part, Components)}
    if not parts and not reduced:
        return
    moments = {part: torch.zeros(3, len(part.mean), dtype=torch.float64) for part in parts}

    def note(part: Standardise, inputs: tuple[Tensor]) -> None:
        rows = inputs[0].flatten(0, -2).double()  # (R, dim)
        count = torch.full_like(rows[0], len(rows))
        moments[part] += torch.stack([count, rows.sum(dim=0), rows.square().sum(dim=0)]).cpu()

    def keep(part: Components, inputs: tuple[Tensor]) -> None:
        reduced[part].append(inputs[0].cpu())

    hooks = [part.register_forward_pre_hook(note) for part in parts]
    hooks += [part.register_forward_pre_hook(keep) for part in reduced]
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
    for part, rows in reduced.items():
        part.fit(torch.cat(rows))


class LinearClassifier(nn.Module):
    """The baseline's last layer: every label on its own, from the pooled features."""

    def __init__(self, dim: int, num_classes: int) -> None:
        super().__init__()
        self.fc = nn.Linear(dim, num_classes)

    def forward(self, pooled: Tensor) -> Tensor:
        """Map pooled features (B, E) to logits (B, C)."""
        return self.fc(pooled)  # (B, C)


class HogFusionClassifier(nn.Module):
    """The baseline with the HOG vector set beside the pooled features before the last layer.

    Args:
        dim: E.
        hog_dim: H.
        num_classes: C.
        components: take only so many principal components of HOG; 0 for all of it, as on the
            poster.
    """

    def __init__(self, dim: int, hog_dim: int, num_classes: int, components: int = 0) -> None:
        super().__init__()
        self.reduce = Components(hog_dim, components) if components else nn.Identity()
        self.fc = nn.Linear(dim + (components or hog_dim), num_classes)

    def forward(self, pooled: Tensor, hog: Tensor) -> Tensor:
        """Map pooled features (B, E) and HOG vectors (B, H) to logits (B, C)."""
        return self.fc(torch.cat([pooled, self.reduce(hog)], dim=1))  # (B, C)


class MlpClassifier(nn.Module):
    """One hidden layer over vectors that describe an image, every label on its own.

    Each vector is standardised or reduced (`fit_statistics`), so that pooled features, style and
    HOG may be of any scale.

    Args:
        dims: length of each vector by its name, in the order of their concatenation.
        num_classes: C.
        components: of which vectors only so many principal components are taken, by their names.
        hidden_dim: width of the hidden layer.
        dropout: before the last layer; 0.6 of it before the first.
    """

    def __init__(
        self,
        dims: Mapping[str, int],
        num_classes: int,
        hidden_dim: int = 1024,
        dropout: float = 0.7,
        components: Mapping[str, int] = NOTHING,
    ) -> None:
        super().__init__()
        parts = {name: Standardise(dim) for name, dim in dims.items()}
        parts |= {name: Components(dims[name], num) for name, num in components.items()}
        self.standardise = nn.ModuleDict(parts)
        self.layers = nn.Sequential(
            nn.Dropout(0.6 * dropout),
            nn.Linear(sum({**dims, **components}.values()), hidden_dim),
            nn.ReLU(),
            nn.Dropout(dropout),
            nn.Linear(hidden_dim, num_classes),
        )

    def forward(self, **vectors: Tensor) -> Tensor:
        """Map vectors (B, dim) by name to logits (B, C)."""
        standard = [part(vectors[name]) for name, part in self.standardise.items()]
        return self.layers(torch.cat(standard, dim=1))
