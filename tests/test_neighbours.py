import numpy as np
import pytest
from sklearn.neighbors import NearestNeighbors

from imet_utils.neighbours import neighbour_probs


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


def test_by_default_twenty_vote_or_all_where_there_are_fewer():
    for count, votes in ((40, 20), (12, 12)):
        data = draw(num_references=count)
        np.testing.assert_array_equal(neighbour_probs(*data), neighbour_probs(*data, votes))
    _, references, targets = draw(num_references=12)
    found = neighbour_probs(references, references, targets, exclude=np.arange(12))
    wanted = neighbour_probs(references, references, targets, 11, exclude=np.arange(12))
    np.testing.assert_array_equal(found, wanted)


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
        ((queries, references, targets, 0), r"num_neighbours must be in 1\.\.40, got 0"),
        ((queries, references, targets, 41), r"num_neighbours must be in 1\.\.40, got 41"),
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
    with pytest.raises(ValueError, match=r"num_neighbours must be in 1\.\.39, got 40"):
        neighbour_probs(queries, references, targets, 40, exclude=np.zeros(9, dtype=int))
