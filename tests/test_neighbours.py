import tracemalloc

import numpy as np
import pytest
from sklearn.neighbors import NearestNeighbors

from imet_utils import neighbours
from imet_utils.neighbours import ImageVectors, neighbour_probs, similarity_space


def draw(num_queries=9, num_references=40, seed=0):
    """Features like pooled ones, none below 0, and targets."""
    rng = np.random.default_rng(seed)
    queries, references = (rng.gamma(1.0, size=(n, 8)) for n in (num_queries, num_references))
    return queries, references, rng.random((num_references, 5)) < 0.4


def reference_probs(queries, references, targets, num_neighbours, temperature, exclude=None):
    """Vote query by query."""
    mean, probs = references.mean(axis=0), []
    for k, query in enumerate(queries - mean):
        centred = references - mean
        lengths = np.linalg.norm(centred, axis=1) * np.linalg.norm(query)
        similarity = centred @ query / lengths
        if exclude is not None:
            similarity[exclude[k]] = -np.inf
        nearest = np.argsort(-similarity)[:num_neighbours]
        weights = np.exp((similarity[nearest] - similarity[nearest[0]]) / temperature)
        probs.append(weights @ targets[nearest] / weights.sum())
    return np.array(probs)


@pytest.mark.parametrize(("num_neighbours", "temperature"), [(1, 0.05), (7, 0.05), (40, 1.0)])
def test_votes_equal_those_of_a_loop(num_neighbours, temperature):
    data = draw()
    found = neighbour_probs(*data, num_neighbours, temperature)
    assert found.dtype == np.float32
    wanted = reference_probs(*data, num_neighbours, temperature)
    np.testing.assert_allclose(found, wanted, atol=1e-5)


def test_an_image_may_be_kept_from_voting_on_itself():
    _, references, targets = draw()
    every = np.arange(len(references))
    with_itself = neighbour_probs(references, references, targets, 1)
    np.testing.assert_array_equal(with_itself, targets)
    found = neighbour_probs(references, references, targets, 39, 0.1, exclude=every)
    wanted = reference_probs(references, references, targets, 39, 0.1, exclude=every)
    np.testing.assert_allclose(found, wanted, atol=1e-5)
    some = every[::-3]
    part = neighbour_probs(references[some], references, targets, 39, 0.1, exclude=some)
    np.testing.assert_allclose(part, found[some], atol=1e-6)


def test_many_alike_votes_are_those_of_scikit_learn():
    queries, references, targets = draw()
    mean = references.mean(axis=0)
    search = NearestNeighbors(n_neighbors=6, metric="cosine").fit(references - mean)
    nearest = search.kneighbors(queries - mean, return_distance=False)
    found = neighbour_probs(queries, references, targets, 6, temperature=1e6)
    np.testing.assert_allclose(found, targets[nearest].mean(axis=1), atol=1e-5)


def test_chunks_and_short_floats_change_nothing(monkeypatch):
    queries, references, targets = draw()
    queries, references = queries.astype(np.float16), references.astype(np.float16)
    whole = neighbour_probs(queries, references, targets, 5)
    long = neighbour_probs(queries.astype(float), references.astype(float), targets, 5)
    np.testing.assert_allclose(whole, long, atol=1e-5)
    monkeypatch.setattr("imet_utils.neighbours.CHUNK_CELLS", 2 * len(references))
    chunked = neighbour_probs(queries, references, targets, 5)
    np.testing.assert_allclose(chunked, whole, atol=1e-6)


def test_features_are_read_only():
    data = draw()
    copies = [values.copy() for values in data]
    for values in data:
        values.flags.writeable = False
    neighbour_probs(*data, exclude=np.zeros(9, dtype=int))
    for values, copy in zip(data, copies, strict=True):
        np.testing.assert_array_equal(values, copy)


def test_what_all_neighbours_have_is_sure_and_never_more():
    queries, references, targets = draw(num_queries=200)
    targets[:, 0], targets[:, 1] = True, False
    probs = neighbour_probs(queries, references, targets, 33)
    np.testing.assert_allclose(probs[:, 0], 1, rtol=1e-6)
    assert probs.max() <= 1
    assert (probs[:, 1] == 0).all()


def test_an_image_at_the_mean_is_alike_to_all():
    references = np.array([[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0], [0.0, -1.0]])
    probs = neighbour_probs(np.zeros((1, 2)), references, np.eye(4), 4)
    np.testing.assert_allclose(probs, 0.25)


def test_arguments_are_checked():
    queries, references, targets = draw()
    for bad, message in (
        ((queries[:, :3], references, targets), r"same features, got \(9, 3\) and \(40, 8\)"),
        ((queries[0], references, targets), r"got \(8,\) and \(40, 8\)"),
        ((queries[:0], references, targets), "queries must not be empty"),
        ((queries, references[:9], targets), "must have its targets, got 9 and 40"),
        ((queries, references, targets * 0.5), "targets must be bool"),
        ((queries, references, targets, 0), "at least one reference must vote.*got 0"),
        ((queries, references, targets, 5, 0.0), r"temperature must be above 0, got 0\.0"),
    ):
        with pytest.raises(ValueError, match=message):
            neighbour_probs(*bad)
    for exclude, message in (
        (np.zeros(8, dtype=int), r"exclude must be integers \(9,\), got int64 \(8,\)"),
        (np.zeros(9), "got float64"),
        (np.full(9, 40), r"exclude must be references in 0\.\.39, got 40\.\.40"),
        (np.full(9, -1), r"got -1\.\.-1"),
    ):
        with pytest.raises(ValueError, match=message):
            neighbour_probs(queries, references, targets, exclude=exclude)
    with pytest.raises(ValueError, match="at least one reference must vote"):
        neighbour_probs(queries, references[:1], targets[:1], exclude=np.zeros(9, dtype=int))


def test_where_there_are_fewer_references_all_vote():
    queries, references, targets = draw(num_references=12)
    found = neighbour_probs(queries, references, targets, 30)
    np.testing.assert_array_equal(found, neighbour_probs(queries, references, targets, 12))


def test_image_vectors_are_means_over_the_views():
    rng = np.random.default_rng(0)
    store = {name: rng.random((4, 3, dim)).astype(np.float16) for name, dim in
             (("maps", 9), ("pooled", 5), ("style", 2))}  # fmt: skip
    vectors = ImageVectors(store)
    assert vectors.shape == (len(vectors), 7) == (4, 7)
    assert vectors[:].dtype == np.float32
    wanted = np.concatenate([store["pooled"], store["style"]], axis=2).astype(float).mean(axis=1)
    np.testing.assert_allclose(vectors[:], wanted, atol=1e-3)
    np.testing.assert_array_equal(vectors[np.array([3, 0])], vectors[:][[3, 0]])


def test_similarity_space_is_half_whitened_principal_components():
    rng = np.random.default_rng(0)
    references = rng.normal(size=(60, 6)) @ rng.normal(size=(6, 6)) * [1, 9, 1, 1, 50, 1] + 3
    scaled = (references - references.mean(axis=0)) / references.std(axis=0)
    _, lengths, axes = np.linalg.svd(scaled, full_matrices=False)
    variances = lengths[:4] ** 2 / 59
    wanted = scaled @ axes[:4].T / variances**0.25
    found = similarity_space(references, 4)(references)
    np.testing.assert_allclose(np.abs(found), np.abs(wanted), rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(found.var(axis=0, ddof=1), variances**0.5, rtol=1e-4)


def test_similarity_space_of_many_images_is_found_from_some_of_them(monkeypatch):
    monkeypatch.setattr(neighbours, "FITTED_ROWS", 30)
    monkeypatch.setattr(neighbours, "PLACED_ROWS", 7)
    references = np.random.default_rng(0).normal(size=(59, 6))
    found = similarity_space(references, 4)(references)
    np.testing.assert_allclose(found, similarity_space(references[::2], 4)(references))


def test_coordinates_take_little_memory_beside_themselves(tmp_path, monkeypatch):
    monkeypatch.setattr(neighbours, "FITTED_ROWS", 100)
    monkeypatch.setattr(neighbours, "PLACED_ROWS", 100)
    vectors = np.random.default_rng(0).random((16000, 2, 128)).astype(np.float16)
    np.save(tmp_path / "a.npy", vectors)
    array = np.load(tmp_path / "a.npy", mmap_mode="r")
    known = ImageVectors({"pooled": array, "style": array[:, :, :8]})  # 8 MB as float32
    tracemalloc.start()
    found = similarity_space(known, 16)(known)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert found.nbytes == 16000 * 16 * 4
    assert peak < 4e6


def test_similarity_space_of_few_images_has_few_dimensions_and_no_nan():
    references = np.array([[1.0, 2.0, 5.0], [3.0, 1.0, 5.0]])
    found = similarity_space(references)(np.array([[2.0, 2.0, 6.0]]))
    assert found.shape == (1, 2)
    assert np.isfinite(found).all()
