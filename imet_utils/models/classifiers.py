"""Heads over vectors: linear, with HOG beside, and with a hidden layer."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

HOG_COMPONENTS = 64  # principal components of HOG that a head takes
SMALLEST_VARIANCE = 1e-5  # so that a constant channel is not blown up


class Standardise(nn.Module):
    """Standardise each feature by the mean and deviation that `fit_statistics` found.

    Unlike batch norm it does not depend on how many processes share a batch.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(dim))
        self.register_buffer("std", torch.ones(dim))

    def forward(self, values: Tensor) -> Tensor:
        """Standardise values (..., dim), in float32."""
        return (values.float() - self.mean) / self.std


class Components(nn.Module):
    """The first principal components of a vector, whitened, found by `fit_statistics`.

    All of HOG's thousands of numbers let a head overfit small collections.
    """

    mean: Tensor
    axes: Tensor

    def __init__(self, dim: int, num: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(dim))
        self.register_buffer("axes", torch.zeros(dim, num))

    def forward(self, values: Tensor) -> Tensor:
        """Map values (..., dim) to components (..., num), float32 or of the autocast."""
        return (values.float() - self.mean) @ self.axes

    def fit(self, rows: Tensor) -> None:
        """Find the components of rows (R, dim); beyond the rank of the rows they are 0."""
        # `torch.pca_lowrank` gets the last ones wrong, and draws from the global random state.
        rows, num = rows.double(), self.axes.shape[1]
        centred = rows - rows.mean(dim=0)
        squares, left = torch.linalg.eigh(centred @ centred.T)  # ascending
        squares, left = squares.flip(0)[:num], left.flip(1)[:, :num]
        scale = (len(rows) - 1) ** 0.5 / squares.clamp_min(SMALLEST_VARIANCE)
        scale = scale.where(squares > SMALLEST_VARIANCE, 0.0)
        self.mean.copy_(rows.mean(dim=0))
        self.axes.zero_()
        self.axes[:, : len(scale)] = (centred.T @ (left * scale)).to(self.axes)


@torch.no_grad()
def fit_statistics(model: nn.Module, batches: Iterable[Mapping[str, Tensor]]) -> None:
    """Fit each `Standardise` and `Components` of a model to what reaches it from some batches.

    The batches are inputs by name, at least one, on the model's device.
    """
    moments: dict[Standardise, Tensor] = {}
    rows: dict[Components, list[Tensor]] = {}

    def record(part: Standardise | Components, inputs: tuple[Tensor]) -> None:
        if isinstance(part, Components):
            rows.setdefault(part, []).append(inputs[0].cpu())
            return
        values = inputs[0].flatten(0, -2).double()  # (R, dim)
        count = torch.full_like(values[0], len(values))
        sums = torch.stack([count, values.sum(dim=0), values.square().sum(dim=0)])  # (3, dim)
        moments[part] = moments.get(part, 0) + sums.cpu()

    parts = [part for part in model.modules() if isinstance(part, Standardise | Components)]
    if not parts:
        return
    hooks = [part.register_forward_pre_hook(record) for part in parts]
    was_training = model.training
    model.eval()
    for batch in batches:
        model(**batch)
    model.train(was_training)
    for hook in hooks:
        hook.remove()
    for part, (count, sums, squares) in moments.items():  # (dim,) each
        mean = sums / count
        part.mean.copy_(mean)
        part.std.copy_((squares / count - mean**2).clamp_min(SMALLEST_VARIANCE).sqrt())
    for reduced, seen in rows.items():
        reduced.fit(torch.cat(seen))


class LinearClassifier(nn.Module):
    """The baseline's last layer: labels taken as independent, from the pooled features.

    With a `hog_dim` HOG is concatenated to them: of `components` only so many of its principal
    components; the poster takes all of it.
    """

    def __init__(self, dim: int, num_classes: int, hog_dim: int = 0, components: int = 0) -> None:
        super().__init__()
        self.reduce = Components(hog_dim, components) if components else nn.Identity()
        self.fc = nn.Linear(dim + (components or hog_dim), num_classes)

    def forward(self, pooled: Tensor, hog: Tensor | None = None) -> Tensor:
        """Map pooled features (B, E), and HOG vectors (B, H), to logits (B, C)."""
        if hog is None:
            return self.fc(pooled)
        return self.fc(torch.cat([pooled, self.reduce(hog)], dim=1))


class MlpClassifier(nn.Module):
    """One hidden layer over vectors of any scale, each standardised or reduced.

    `dims` are the lengths of the vectors, `components` the numbers of principal components of those
    that are reduced, by name. `dropout` is before the last layer, 0.6 of it before the first.
    """

    def __init__(
        self,
        dims: Mapping[str, int],
        num_classes: int,
        hidden_dim: int = 1024,
        dropout: float = 0.7,
        components: Mapping[str, int] | None = None,
    ) -> None:
        super().__init__()
        components = components or {}
        parts: dict[str, nn.Module] = {name: Standardise(dim) for name, dim in dims.items()}
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


@dataclass(frozen=True)
class Linear:
    """One linear layer on the pooled features and, if it is an input, HOG.

    With `components`, only so many principal components of HOG.
    """

    components: int = 0

    def build(self, dims: Mapping[str, int], num_classes: int) -> nn.Module:
        """Make the untrained layer from the last dimension of each input and C."""
        hog_dim = dims.get("hog", 0)
        return LinearClassifier(dims["pooled"], num_classes, hog_dim, min(self.components, hog_dim))


@dataclass(frozen=True)
class Mlp:
    """One hidden layer, see `MlpClassifier`."""

    hidden_dim: int = 1024
    dropout: float = 0.7

    def build(self, dims: Mapping[str, int], num_classes: int) -> nn.Module:
        """Make the untrained layers from the last dimension of each input and C."""
        return MlpClassifier(dims, num_classes, self.hidden_dim, self.dropout)
