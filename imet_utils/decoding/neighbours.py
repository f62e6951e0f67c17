"""A vote of the nearest training images: label probabilities from frozen features alone."""

from collections.abc import Callable, Mapping

import numpy as np
from scipy.sparse import csr_array
from sklearn.decomposition import PCA
from sklearn.neighbors import NearestNeighbors
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler, normalize

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


def similarity_space(references: Vectors, num_dims: int = 256) -> Callable[[Vectors], np.ndarray]:
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

    def place(features: Vectors) -> np.ndarray:
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
) -> np.ndarray:
    """Average the labels of the references that are most similar to each query.

    Similarity is the cosine of two images' features, less the references' mean, which is 1 less
    half the squared distance of unit vectors. The nearest ones weigh in proportion to
    exp(similarity / temperature).

    Args:
        queries: features (N, E), such as coordinates of `similarity_space`.
        references: features (M, E) of labelled images.
        targets: their labels, bool (M, C).
        num_neighbours: how many vote; all, where there are fewer.
        temperature: above 0; the higher, the more alike the votes.

    Returns:
        Probabilities (N, C) float32.

    >>> features = np.array([[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0], [0.0, -1.0]])
    >>> neighbour_probs(np.array([[2.0, 0.1]]), features, np.eye(4), num_neighbours=1)
    array([[1., 0., 0., 0.]], dtype=float32)
    """
    mean = references.mean(axis=0, dtype=np.float64).astype(references.dtype)  # (E,)
    num_neighbours = min(num_neighbours, len(references))
    # Between unit vectors: twice as fast as scikit-learn's metric "cosine", and of the same order.
    search = NearestNeighbors(n_neighbors=num_neighbours, algorithm="brute")
    search.fit(normalize(references - mean))
    distances, nearest = search.kneighbors(normalize(queries - mean))  # (N, K), nearest first
    weights = np.exp((distances[:, :1] ** 2 - distances**2) / (2 * temperature))
    weights /= weights.sum(axis=1, keepdims=True)
    starts = np.arange(0, nearest.size + 1, num_neighbours)
    shape = (len(queries), len(references))
    votes = csr_array((weights.ravel().astype(np.float32), nearest.ravel(), starts), shape)
    return (votes @ np.asarray(targets, dtype=np.float32)).clip(0, 1)  # (N, C)


def neighbour_votes(
    stores: Mapping[str, Mapping[str, np.ndarray]], train_targets: np.ndarray
) -> dict[str, np.ndarray]:
    """Let the nearest training images vote on every other image.

    Args:
        stores: `pooled` (N, V, E) and `style` (N, V, S) of `train` and other splits.
        train_targets: labels of the training images, bool (M, C).

    Returns:
        Probabilities (N, C) float32 of each split but `train`.
    """
    known = ImageVectors(stores["train"])
    place = similarity_space(known)
    homes = place(known)  # (M, D)
    return {
        split: neighbour_probs(place(ImageVectors(store)), homes, train_targets)
        for split, store in stores.items()
        if split != "train"
    }
