"""A vote of the nearest training images: label probabilities from frozen features alone."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from scipy.sparse import csr_array
from sklearn.decomposition import PCA
from sklearn.neighbors import NearestNeighbors
from sklearn.preprocessing import StandardScaler, normalize

from imet_utils.features import spread_rows

VOTERS = 30  # neighbours that vote
TEMPERATURE = 0.1  # of their weights, for a small collection
NO_VARIANCE = 1e-10  # of the first component's: a component below is rounding alone
FITTED_ROWS = 10_000  # vectors that the embedding is fitted to, at the most
EMBEDDED_ROWS = 1_000  # vectors embedded at once


class ImageVectors:
    """Pooled features and style of images, the mean over their views, computed when indexed."""

    def __init__(self, store: Mapping[str, Any]) -> None:
        """Take `pooled` (N, V, E) and `style` (N, V, S) of a store."""
        self.arrays = [store["pooled"], store["style"]]

    def __len__(self) -> int:
        return len(self.arrays[0])

    def __getitem__(self, images: np.ndarray | slice) -> np.ndarray:
        """Return the vectors of some images, (N, E + S) float32."""
        means = [array[images].mean(axis=1, dtype=np.float32) for array in self.arrays]
        return np.concatenate(means, axis=1)


Vectors = np.ndarray | ImageVectors


@dataclass(frozen=True, eq=False)
class Neighbours:
    """The labelled images of the greatest cosine to each of N images, nearest first."""

    index: "NeighbourIndex"
    indices: np.ndarray  # of its images, (N, K)
    cosines: np.ndarray  # (N, K)

    def __getitem__(self, images: np.ndarray | slice) -> "Neighbours":
        """Return the neighbours of some of the images."""
        return replace(self, indices=self.indices[images], cosines=self.cosines[images])

    def vote(self, count: int = VOTERS) -> np.ndarray:
        """Weigh the nearest labels by exp(cosine / temperature), of sum 1: (N, C) float32."""
        indices, cosines = self.indices[:, :count], self.cosines[:, :count]
        weights = np.exp((cosines - cosines[:, :1]) / self.index.temperature)
        weights /= weights.sum(axis=1, keepdims=True)
        starts = np.arange(0, indices.size + 1, indices.shape[1])
        shape = (len(indices), len(self.index.embeddings))
        votes = csr_array((weights.ravel().astype(np.float32), indices.ravel(), starts), shape)
        return (votes @ self.index.labels).toarray().clip(0, 1)

    def shift(self, shifts: np.ndarray) -> "Neighbours":
        """Add to each cosine the shifts (N, C) float32 of the neighbour's labels, and sort anew."""
        shifted = (self.index.labels @ shifts.T).T  # (N, M)
        cosines = self.cosines + np.take_along_axis(shifted, self.indices, axis=1)
        order = np.argsort(-cosines, axis=1, kind="stable")
        indices = np.take_along_axis(self.indices, order, axis=1)
        return replace(self, indices=indices, cosines=np.take_along_axis(cosines, order, axis=1))


@dataclass(frozen=True, eq=False)
class NeighbourIndex:
    """Labelled images, embedded so that near ones have labels in common.

    An embedding is (features - centre) @ axes, scaled to length 1. The higher the temperature, the
    more equal are the weights of the votes. The more images there are, the nearer are the nearest,
    and the lower it should be.
    """

    centre: np.ndarray  # (F,) float32
    axes: np.ndarray  # (F, D) float32
    embeddings: np.ndarray  # (M, D) float32, of the labelled images
    targets: np.ndarray  # (M, C) bool
    temperature: float = TEMPERATURE  # above 0

    def nearest(self, vectors: Vectors | None, count: int = VOTERS) -> Neighbours:
        """Find at most `count` labelled images, those nearest to features (N, F) of others.

        Without features, they are sought for each labelled image among the others.

        >>> square = np.array([[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0], [0.0, -1.0]])
        >>> index = NeighbourIndex(np.zeros(2), np.eye(2), square, np.eye(4))
        >>> index.nearest(np.array([[2.0, 0.1]])).vote(1)
        array([[1., 0., 0., 0.]], dtype=float32)
        """
        queries = None if vectors is None else _embed(vectors, self.centre, self.axes)
        count = min(count, len(self.embeddings) - (queries is None))
        distances, indices = self._search.kneighbors(queries, n_neighbors=count)
        return Neighbours(self, indices, 1 - distances**2 / 2)

    @cached_property
    def labels(self) -> csr_array:
        """The targets, sparse float32 (M, C)."""
        return csr_array(np.asarray(self.targets, dtype=bool), dtype=np.float32)

    @cached_property
    def _search(self) -> NearestNeighbors:
        # Between unit vectors: twice as fast as scikit-learn's metric "cosine", of the same order.
        return NearestNeighbors(algorithm="brute").fit(self.embeddings)


def build_neighbour_index(
    references: Vectors, targets: np.ndarray, temperature: float = TEMPERATURE, num_dims: int = 256
) -> NeighbourIndex:
    """Fit an embedding to labelled images, features (M, F) and labels bool (M, C), and index them.

    Features are standardised, and of their principal components the first `num_dims` are kept,
    each divided by the fourth root of its variance: halfway to whitening, so that neither the few
    strongest nor the many weak components dominate.
    """
    sample = references[spread_rows(len(references), FITTED_ROWS)]
    scaler = StandardScaler().fit(sample)
    pca = PCA(min(num_dims, *sample.shape), svd_solver="randomized", random_state=0)
    pca.fit(scaler.transform(sample))
    variances = pca.explained_variance_  # (D,), nan of a single image
    real = variances > NO_VARIANCE * variances.max()  # of M images M - 1 components at most are
    lengths = np.zeros_like(variances)
    lengths[real] = variances[real] ** -0.25
    axes = ((pca.components_ / scaler.scale_).T * lengths).astype(np.float32)  # (F, D)
    centre = (scaler.mean_ + scaler.scale_ * pca.mean_).astype(np.float32)
    embeddings = _embed(references, centre, axes)
    return NeighbourIndex(centre, axes, embeddings, targets, temperature)


def _embed(vectors: Vectors, centre: np.ndarray, axes: np.ndarray) -> np.ndarray:
    """Embed vectors (N, F), some at once: (N, D)."""
    starts = range(0, len(vectors), EMBEDDED_ROWS)
    parts = [(vectors[start : start + EMBEDDED_ROWS] - centre) @ axes for start in starts]
    return normalize(np.concatenate(parts))
