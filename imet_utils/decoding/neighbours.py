"""A vote of the nearest training images: label probabilities from frozen features alone."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property, partial

import numpy as np
from scipy.sparse import csr_array
from sklearn.decomposition import PCA
from sklearn.neighbors import NearestNeighbors
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler, normalize

from imet_utils.features import spread_rows

VOTERS = 30  # neighbours that vote
TEMPERATURE = 0.1  # of their weights, where there are few
FITTED_ROWS = 10_000  # vectors that coordinates are found from, at the most
PLACED_ROWS = 1_000  # vectors that are given coordinates at once


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


Vectors = np.ndarray | ImageVectors


@dataclass(frozen=True, eq=False)
class Neighbours:
    """Of some images the labelled ones of the greatest cosine, nearest first.

    Attributes:
        known: the labelled images.
        numbers: of these, (N, K).
        cosines: (N, K).
    """

    index: "NeighbourIndex"
    indices: np.ndarray
    cosines: np.ndarray

    def __getitem__(self, images: np.ndarray | slice) -> "Neighbours":
        """Return those of some of the images."""
        return replace(self, indices=self.indices[images], cosines=self.cosines[images])

    def vote(self, count: int = VOTERS) -> np.ndarray:
        """Average the labels of the nearest, weighed in proportion to exp(cosine / temperature).

        Args:
            count: how many vote.

        Returns:
            Probabilities (N, C) float32.
        """
        indices, cosines = self.indices[:, :count], self.cosines[:, :count]
        weights = np.exp((cosines - cosines[:, :1]) / self.index.temperature)
        weights /= weights.sum(axis=1, keepdims=True)
        starts = np.arange(0, indices.size + 1, indices.shape[1])
        shape = (len(indices), len(self.index.embeddings))
        votes = csr_array((weights.ravel().astype(np.float32), indices.ravel(), starts), shape)
        return (votes @ self.index.labels).toarray().clip(0, 1)

    def shift(self, shifts: np.ndarray) -> "Neighbours":
        """Bring each labelled image nearer by what its labels add up to, and sort anew.

        Args:
            shifts: of each label for each image, in cosine, (N, C) float32.
        """
        moved = (self.index.labels @ shifts.T).T  # (N, M)
        cosines = self.cosines + np.take_along_axis(moved, self.indices, axis=1)
        order = np.argsort(-cosines, axis=1, kind="stable")
        sort = partial(np.take_along_axis, indices=order, axis=1)
        return replace(self, indices=sort(self.indices), cosines=sort(cosines))


@dataclass(frozen=True, eq=False)
class NeighbourIndex:
    """Labelled images in a space where those that are alike have labels in common.

    Attributes:
        centre: (F,) float32, where the space has its provenance.
        axes: (F, D) float32; a vector's coordinates are (vector - centre) @ axes.
        embeddings: (M, D) float32, unit vectors to the labelled images.
        targets: their labels, bool (M, C).
        temperature: of their votes, above 0; the higher, the more alike they weigh. The more images
            there are, the nearer are the nearest, and the lower it should be.
    """

    centre: np.ndarray
    axes: np.ndarray
    embeddings: np.ndarray
    targets: np.ndarray
    temperature: float = TEMPERATURE

    def nearest(self, vectors: Vectors, count: int = VOTERS) -> Neighbours:
        """Find the labelled images nearest to others.

        Args:
            vectors: features (N, F).
            count: K; all M, where there are fewer.

        >>> square = np.array([[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0], [0.0, -1.0]])
        >>> known = NeighbourIndex(np.zeros(2), np.eye(2), square, np.eye(4))
        >>> known.nearest(np.array([[2.0, 0.1]])).vote(1)
        array([[1., 0., 0., 0.]], dtype=float32)
        """
        places = normalize(_place(vectors, self.centre, self.axes))
        return self._look_up(min(count, len(self.embeddings)), places)

    def nearest_others(self, count: int = VOTERS) -> Neighbours:
        """Find for each labelled image the nearest of the others."""
        return self._look_up(min(count, len(self.embeddings) - 1))

    def join(self, vectors: Vectors, targets: np.ndarray) -> "NeighbourIndex":
        """Return the same space with more labelled images: features (N, F), labels bool (N, C)."""
        embeddings = normalize(_place(vectors, self.centre, self.axes))
        both = {"embeddings": (self.embeddings, embeddings), "targets": (self.targets, targets)}
        return replace(self, **{name: np.concatenate(parts) for name, parts in both.items()})

    @cached_property
    def labels(self) -> csr_array:
        """The targets, sparse float32 (M, C)."""
        return csr_array(np.asarray(self.targets, dtype=bool), dtype=np.float32)

    def _look_up(self, count: int, places: np.ndarray | None = None) -> Neighbours:
        distances, numbers = self._search.kneighbors(places, n_neighbors=count)
        return Neighbours(self, numbers, 1 - distances**2 / 2)

    @cached_property
    def _search(self) -> NearestNeighbors:
        # Between unit vectors: twice as fast as scikit-learn's metric "cosine", of the same order.
        return NearestNeighbors(algorithm="brute").fit(self.embeddings)


def build_neighbour_index(
    references: Vectors,
    targets: np.ndarray,
    temperature: float = TEMPERATURE,
    num_dims: int = 256,
) -> NeighbourIndex:
    """Find a space for labelled images.

    Features are standardised, and of their principal components the first are kept, each divided
    by the fourth root of its variance: halfway to whitening, so that the few strongest traits
    neither rule alone nor sink among the many weak ones.

    Args:
        references: features (M, F) of the labelled images; of many, 10,000 from all over suffice.
        targets: their labels, bool (M, C).
        temperature: of their votes.
        num_dims: components kept at the most.
    """
    sample = references[spread_rows(len(references), FITTED_ROWS)]
    pca = PCA(min(num_dims, *sample.shape), svd_solver="randomized", random_state=0)
    scaler = make_pipeline(StandardScaler(), pca).fit(sample)[0]
    smallest = np.finfo(np.float32).tiny  # a component without variance is 0 and stays 0
    lengths = np.maximum(pca.explained_variance_, smallest) ** -0.25  # (D,)
    axes = (pca.components_ / scaler.scale_).T * lengths  # (F, D)
    centre = scaler.mean_ + scaler.scale_ * pca.mean_
    centre, axes = centre.astype(np.float32), axes.astype(np.float32)
    embeddings = normalize(_place(references, centre, axes))
    return NeighbourIndex(centre, axes, embeddings, targets, temperature)


def _place(vectors: Vectors, centre: np.ndarray, axes: np.ndarray) -> np.ndarray:
    """Return coordinates (N, D), a part of the vectors after the other."""
    starts = range(0, len(vectors), PLACED_ROWS)
    parts = [(vectors[start : start + PLACED_ROWS] - centre) @ axes for start in starts]
    return np.concatenate(parts)


def neighbour_votes(
    stores: Mapping[str, Mapping[str, np.ndarray]], train_targets: np.ndarray, temperature: float
) -> dict[str, np.ndarray]:
    """Let the nearest training images vote on every other image.

    Args:
        stores: `pooled` (N, V, E) and `style` (N, V, S) of `train` and other splits.
        train_targets: labels of the training images, bool (M, C).
        temperature: of their votes.

    Returns:
        Probabilities (N, C) float32 of each split but `train`.
    """
    known = build_neighbour_index(ImageVectors(stores["train"]), train_targets, temperature)
    return {
        split: known.nearest(ImageVectors(store)).vote()
        for split, store in stores.items()
        if split != "train"
    }
