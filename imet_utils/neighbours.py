"""A vote of the nearest training images: label probabilities from frozen features alone."""

from collections.abc import Callable, Mapping

import numpy as np
import torch
from sklearn.decomposition import PCA
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import Tensor

from imet_utils.metric_inputs import as_labels

FITTED_ROWS = 10_000  # vectors that coordinates are found from, at the most
PLACED_ROWS = 1_000  # vectors that are given coordinates at once
CHUNK_CELLS = 1 << 24  # similarities at once: queries times references, 64 MiB


class ImageVectors:
    """The mean over an image's views of pooled features and style, worked out when asked for.

    Attributes:
        shape: (N, E + S) of all vectors.
    """

    def __init__(self, store: Mapping[str, np.ndarray]) -> None:
        """Take `pooled` (N, V, E) and `style` (N, V, S) of a store."""
        self.arrays = [store["pooled"], store["style"]]
        self.shape = (len(self.arrays[0]), sum(array.shape[2] for array in self.arrays))

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, images: np.ndarray | slice) -> np.ndarray:
        """Return the vectors of some images, float32."""
        means = [array[images].mean(axis=1, dtype=np.float32) for array in self.arrays]
        return np.concatenate(means, axis=1)


def similarity_space(
    references: np.ndarray | ImageVectors, num_dims: int = 256
) -> Callable[[np.ndarray | ImageVectors], np.ndarray]:
    """Find coordinates in which neighbours have labels in common.

    Features are standardised, and of their principal components the first are kept, each divided
    by the fourth root of its variance: halfway to whitening, so that the few strongest traits
    neither rule alone nor sink among the many weak ones.

    Args:
        references: features (M, E) of the labelled images; of many, 10,000 from all over suffice.
        num_dims: components kept at the most.

    Returns:
        A function from features (N, E) to coordinates (N, D) float32, D = min(num_dims, M, E).
    """
    count = min(FITTED_ROWS, len(references))
    sample = references[np.linspace(0, len(references) - 1, count).round().astype(int)]
    pca = PCA(min(num_dims, *sample.shape), svd_solver="randomized", random_state=0)
    project = make_pipeline(StandardScaler(), pca).fit(sample)
    smallest = np.finfo(np.float32).tiny  # a component without variance is 0 and stays 0
    scale = np.maximum(pca.explained_variance_, smallest) ** -0.25

    def place(features: np.ndarray | ImageVectors) -> np.ndarray:
        starts = range(0, len(features), PLACED_ROWS)
        parts = (project.transform(features[start : start + PLACED_ROWS]) for start in starts)
        return np.concatenate([(part * scale).astype(np.float32) for part in parts])

    return place


def neighbour_probs(
    queries: np.ndarray,
    references: np.ndarray,
    targets: np.ndarray,
    num_neighbours: int = 30,
    temperature: float = 0.1,
    exclude: np.ndarray | None = None,
    device: str | torch.device = "cpu",
) -> np.ndarray:
    """Average the labels of the references that are most similar to each query.

    Similarity is the cosine of two images' features, less the references' mean. The nearest ones
    weigh in proportion to exp(similarity / temperature).

    Args:
        queries: features (N, E), such as coordinates of `similarity_space`.
        references: features (M, E) of labelled images.
        targets: their labels, bool (M, C).
        num_neighbours: how many vote; all that may, where there are fewer.
        temperature: above 0; the higher, the more alike the votes.
        exclude: the reference (N,) that may not vote on each query: the query itself, where it is
            among them.
        device: holds the references in float32.

    Returns:
        Probabilities (N, C) float32.

    >>> features = np.array([[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0], [0.0, -1.0]])
    >>> neighbour_probs(np.array([[2.0, 0.1]]), features, np.eye(4), num_neighbours=1)
    array([[1., 0., 0., 0.]], dtype=float32)
    """
    targets = as_labels(targets, "targets")
    _check_features(queries, references, len(targets))
    num_neighbours = min(num_neighbours, len(references) - (exclude is not None))
    _check_vote(num_neighbours, temperature)
    if exclude is not None:
        exclude = _as_references(exclude, len(queries), len(references))
    mean = references.mean(axis=0, dtype=np.float64).astype(np.float32)  # (E,)
    directions = _directions(references, mean).to(device)  # (M, E)
    labels = torch.from_numpy(np.array(targets)).to(device)  # (M, C)
    rows, parts = max(1, CHUNK_CELLS // len(references)), []
    for start in range(0, len(queries), rows):
        part = slice(start, start + rows)
        similarity = _directions(queries[part], mean).to(device) @ directions.T  # (B, M)
        if exclude is not None:
            similarity.scatter_(1, torch.from_numpy(exclude[part, None]).to(device), -torch.inf)
        parts.append(_vote(similarity, labels, num_neighbours, temperature).cpu())
    return torch.cat(parts).numpy()


def _vote(similarity: Tensor, labels: Tensor, num_neighbours: int, temperature: float) -> Tensor:
    """Average the labels (M, C) of the highest similarities (B, M): (B, C) in 0..1."""
    nearest, neighbours = similarity.topk(num_neighbours, dim=1)  # (B, K)
    weights = (nearest / temperature).softmax(dim=1).unsqueeze(1)  # (B, 1, K)
    probs = (weights @ labels[neighbours].float()).squeeze(1)  # (B, C)
    return probs.clamp(max=1)  # the weights add up to 1 but for rounding


def _directions(features: np.ndarray, mean: np.ndarray) -> Tensor:
    """Copy features (B, E), take off the mean and scale them to length 1; the mean itself is 0."""
    directions = torch.from_numpy(np.array(features, dtype=np.float32)).sub_(torch.tensor(mean))
    lengths = directions.norm(dim=1, keepdim=True)  # (B, 1)
    return directions.div_(lengths.clamp_min_(torch.finfo(torch.float32).tiny))


def _check_features(queries: np.ndarray, references: np.ndarray, num_targets: int) -> None:
    if queries.ndim != 2 or references.ndim != 2 or queries.shape[1] != references.shape[1]:
        raise ValueError(
            f"queries (N, E) and references (M, E) must have the same features, got "
            f"{queries.shape} and {references.shape}"
        )
    if len(queries) == 0:
        raise ValueError("queries must not be empty")
    if len(references) != num_targets:
        raise ValueError(
            f"each reference must have its targets, got {len(references)} and {num_targets}"
        )


def _check_vote(num_neighbours: int, temperature: float) -> None:
    if num_neighbours < 1:
        raise ValueError(f"at least one reference must vote on each query, got {num_neighbours}")
    if not temperature > 0:
        raise ValueError(f"temperature must be above 0, got {temperature}")


def _as_references(exclude: np.ndarray, num_queries: int, num_references: int) -> np.ndarray:
    """Check a reference per query, and return them as int64 (N,)."""
    exclude = np.asarray(exclude)
    if exclude.shape != (num_queries,) or exclude.dtype.kind not in "iu":
        raise ValueError(
            f"exclude must be integers ({num_queries},), got {exclude.dtype} {exclude.shape}"
        )
    if not 0 <= exclude.min() <= exclude.max() < num_references:
        raise ValueError(
            f"exclude must be references in 0..{num_references - 1}, got "
            f"{exclude.min()}..{exclude.max()}"
        )
    return exclude.astype(np.int64)
