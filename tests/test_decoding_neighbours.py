import tracemalloc

import numpy as np
import pytest

from imet_utils.decoding import ImageVectors, NeighbourIndex, build_neighbour_index, neighbours


@pytest.mark.parametrize(("count", "temperature"), [(1, 0.05), (7, 0.05), (40, 1.0)])
def test_votes_equal_those_of_a_loop(count, temperature):
    rng = np.random.default_rng(0)
    queries, references = (rng.gamma(1.0, size=(number, 8)) for number in (9, 40))
    targets, mean = rng.random((40, 5)) < 0.4, references.mean(axis=0)
    units = [
        side / np.linalg.norm(side, axis=1, keepdims=True)
        for side in (queries - mean, references - mean)
    ]
    index = NeighbourIndex(mean, np.eye(8), units[1], targets, temperature)
    nearest, wanted = index.nearest(queries, 60), units[0] @ units[1].T  # (N, M)
    np.testing.assert_array_equal(nearest.indices, np.argsort(-wanted))
    np.testing.assert_allclose(nearest.cosines, -np.sort(-wanted), atol=1e-5)
    found = nearest.vote(count)
    assert found.dtype == np.float32
    for row, cosines in zip(found, wanted, strict=True):
        nearest = np.argsort(-cosines)[:count]
        weights = np.exp((cosines[nearest] - cosines.max()) / temperature)
        np.testing.assert_allclose(row, weights @ targets[nearest] / weights.sum(), atol=1e-5)


def test_image_vectors_are_means_over_the_views():
    rng = np.random.default_rng(0)
    dims = {"maps": 9, "pooled": 5, "style": 2}
    store = {name: rng.random((4, 3, dim)).astype(np.float16) for name, dim in dims.items()}
    vectors = ImageVectors(store)
    assert len(vectors) == 4
    assert vectors[:].dtype == np.float32
    wanted = np.concatenate([store["pooled"], store["style"]], axis=2).astype(float).mean(axis=1)
    np.testing.assert_allclose(vectors[:], wanted, atol=1e-3)
    np.testing.assert_array_equal(vectors[np.array([3, 0])], vectors[:][[3, 0]])


def test_embeddings_are_half_whitened_principal_components():
    rng = np.random.default_rng(0)
    references = rng.normal(size=(60, 6)) @ rng.normal(size=(6, 6)) * [1, 9, 1, 1, 50, 1] + 3
    scaled = (references - references.mean(axis=0)) / references.std(axis=0)
    _, lengths, axes = np.linalg.svd(scaled, full_matrices=False)
    wanted = scaled @ axes[:4].T / (lengths[:4] ** 2 / 59) ** 0.25
    index = build_neighbour_index(references, np.eye(60), num_dims=4)
    found = (references - index.centre) @ index.axes
    np.testing.assert_allclose(np.abs(found), np.abs(wanted), rtol=1e-3, atol=1e-4)
    found /= np.linalg.norm(found, axis=1, keepdims=True)
    np.testing.assert_allclose(index.embeddings, found, atol=1e-5)


def test_embedding_takes_little_memory(tmp_path, monkeypatch):
    monkeypatch.setattr(neighbours, "FITTED_ROWS", 100)
    monkeypatch.setattr(neighbours, "EMBEDDED_ROWS", 100)
    vectors = np.random.default_rng(0).random((16000, 2, 128)).astype(np.float16)
    np.save(tmp_path / "a.npy", vectors)
    array = np.load(tmp_path / "a.npy", mmap_mode="r")
    labelled = ImageVectors({"pooled": array, "style": array[:, :, :8]})  # 8 MB as float32
    tracemalloc.start()
    found = build_neighbour_index(labelled, np.zeros((16000, 1)), num_dims=16).embeddings
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert found.nbytes == 16000 * 16 * 4
    assert peak < 4e6


def test_few_images_have_few_dimensions_and_no_nan():
    references = np.array([[1.0, 2.0, 5.0], [3.0, 1.0, 5.0]])
    index = build_neighbour_index(references, np.eye(2))
    assert index.embeddings.shape == (2, 2)
    probs = index.nearest(np.array([[2.0, 1.5, 5.0], [2.0, 2.0, 6.0]])).vote()
    np.testing.assert_allclose(probs[0], 0.5)  # at the mean it is alike to all
    assert np.isfinite(probs).all()


def test_components_that_are_rounding_alone_count_for_nothing():
    rng = np.random.default_rng(0)
    references = rng.normal(size=(20, 50))  # 19 components at the most
    index = build_neighbour_index(references, np.eye(20))
    shifted = references + 1e-3 * rng.normal(size=references.shape)
    np.testing.assert_array_equal(index.nearest(shifted).indices[:, 0], np.arange(20))
    assert index.nearest(shifted).cosines[:, 0].min() > 0.999
    unseen = index.nearest(rng.normal(size=(200, 50))).cosines[:, 0]
    assert unseen.mean() > 0.3
