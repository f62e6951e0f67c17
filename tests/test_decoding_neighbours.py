import tracemalloc

import numpy as np
import pytest

from imet_utils.decoding import (
    TEMPERATURE,
    ImageVectors,
    NeighbourIndex,
    build_neighbour_index,
    neighbour_votes,
    neighbours,
)


def draw(num_queries=9, num_references=40, seed=0):
    """Features like pooled ones, none below 0, and targets."""
    rng = np.random.default_rng(seed)
    queries, references = (rng.gamma(1.0, size=(n, 8)) for n in (num_queries, num_references))
    return queries, references, rng.random((num_references, 5)) < 0.4


def known(references, targets, temperature=TEMPERATURE):
    """Take the features for coordinates, as they are but for their mean."""
    mean, axes = references.mean(axis=0), np.eye(references.shape[1])
    embeddings = references - mean
    embeddings /= np.linalg.norm(embeddings, axis=1, keepdims=True)
    return NeighbourIndex(mean, axes, embeddings, targets, temperature)


def reference_probs(queries, references, targets, num_neighbours, temperature):
    """Vote query by query."""
    mean, probs = references.mean(axis=0), []
    for query in queries - mean:
        centred = references - mean
        lengths = np.linalg.norm(centred, axis=1) * np.linalg.norm(query)
        similarity = centred @ query / lengths
        nearest = np.argsort(-similarity)[:num_neighbours]
        weights = np.exp((similarity[nearest] - similarity[nearest[0]]) / temperature)
        probs.append(weights @ targets[nearest] / weights.sum())
    return np.array(probs)


@pytest.mark.parametrize(("num_neighbours", "temperature"), [(1, 0.05), (7, 0.05), (40, 1.0)])
def test_votes_equal_those_of_a_loop(num_neighbours, temperature):
    queries, *labelled = draw()
    found = known(*labelled, temperature).nearest(queries, 40).vote(num_neighbours)
    assert found.dtype == np.float32
    wanted = reference_probs(queries, *labelled, num_neighbours, temperature)
    np.testing.assert_allclose(found, wanted, atol=1e-5)


def test_an_image_at_the_mean_is_alike_to_all():
    references = np.array([[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0], [0.0, -1.0]])
    probs = known(references, np.eye(4)).nearest(np.zeros((1, 2)), 4).vote()
    np.testing.assert_allclose(probs, 0.25)


def test_features_are_read_only_and_may_be_short_floats():
    queries, references, targets = (values.astype(np.float16) for values in draw())
    copies = [queries.copy(), references.copy()]
    queries.flags.writeable = references.flags.writeable = False
    found = build_neighbour_index(references, targets).nearest(queries, 5).vote()
    np.testing.assert_array_equal(queries, copies[0])
    np.testing.assert_array_equal(references, copies[1])
    long = build_neighbour_index(references.astype(float), targets)
    long = long.nearest(queries.astype(float), 5).vote()
    np.testing.assert_allclose(found, long, atol=0.01)


def test_training_images_vote_on_every_other_split():
    rng = np.random.default_rng(0)
    centres = rng.normal(size=(2, 6)) * 5
    truth = {"train": np.arange(40) % 2, "val": np.arange(6) % 2, "test": np.arange(8) % 2}
    stores = {}
    for split, kinds in truth.items():
        features = centres[kinds][:, None] + rng.normal(size=(len(kinds), 3, 6))  # (N, V, 6)
        stores[split] = {"pooled": features[..., :4], "style": features[..., 4:]}
    votes = neighbour_votes(stores, np.eye(2, dtype=bool)[truth["train"]], 0.1)
    assert list(votes) == ["val", "test"]
    for split, probs in votes.items():
        np.testing.assert_array_equal(probs.argmax(axis=1), truth[split])


def test_where_there_are_fewer_references_all_vote():
    queries, references, targets = draw(num_references=12)
    few = known(references, targets).nearest(queries, 30)
    assert few.indices.shape == (len(queries), 12)
    np.testing.assert_array_equal(few.vote(30), few.vote(12))


def test_the_nearest_come_first_with_their_cosines():
    queries, references, targets = draw()
    found = known(references, targets).nearest(queries, 3)
    centred = queries - references.mean(axis=0), references - references.mean(axis=0)
    units = [side / np.linalg.norm(side, axis=1, keepdims=True) for side in centred]
    wanted = units[0] @ units[1].T  # (N, M)
    np.testing.assert_array_equal(found.indices, np.argsort(-wanted)[:, :3])
    np.testing.assert_allclose(found.cosines, -np.sort(-wanted)[:, :3], atol=1e-5)


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


def test_coordinates_are_half_whitened_principal_components():
    rng = np.random.default_rng(0)
    references = rng.normal(size=(60, 6)) @ rng.normal(size=(6, 6)) * [1, 9, 1, 1, 50, 1] + 3
    scaled = (references - references.mean(axis=0)) / references.std(axis=0)
    _, lengths, axes = np.linalg.svd(scaled, full_matrices=False)
    variances = lengths[:4] ** 2 / 59
    wanted = scaled @ axes[:4].T / variances**0.25
    space = build_neighbour_index(references, np.eye(60), num_dims=4)
    found = (references - space.centre) @ space.axes
    np.testing.assert_allclose(np.abs(found), np.abs(wanted), rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(np.linalg.norm(space.embeddings, axis=1), 1, rtol=1e-5)
    np.testing.assert_allclose(found.var(axis=0, ddof=1), variances**0.5, rtol=1e-4)


def test_coordinates_take_little_memory_beside_themselves(tmp_path, monkeypatch):
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


def test_a_space_of_few_images_has_few_dimensions_and_no_nan():
    references = np.array([[1.0, 2.0, 5.0], [3.0, 1.0, 5.0]])
    space = build_neighbour_index(references, np.eye(2))
    assert space.embeddings.shape == (2, 2)
    assert np.isfinite(space.nearest(np.array([[2.0, 2.0, 6.0]])).vote()).all()
