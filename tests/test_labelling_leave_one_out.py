"""Probabilities by all other images: what fitting anew without each image gives."""

import numpy as np
import pytest
from sklearn.linear_model import Ridge

from imet_tools.labelling.leave_one_out import PENALTY, leave_one_out
from imet_utils.decoding import NeighbourIndex, Neighbours, build_neighbour_index


@pytest.fixture
def known():
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(60, 7)).astype(np.float32)
    return build_neighbour_index(vectors, rng.random((60, 4)) < 0.3)


@pytest.fixture
def in_parts(monkeypatch):
    """Compute a few images at a time."""
    monkeypatch.setitem(leave_one_out.__globals__, "CHUNK", 25)


def gather(known, share):
    return np.concatenate([probs for _, probs in leave_one_out(known, share)])


def without(known, image):
    """Leave an image out of the labelled ones."""
    others = np.arange(len(known.embeddings)) != image
    return NeighbourIndex(known.centre, known.axes, known.embeddings[others], known.targets[others])


@pytest.mark.usefixtures("in_parts")
def test_the_line_is_that_of_a_regression_fitted_without_the_image(known):
    found = gather(known, 1.0)
    for image in range(60):
        others = without(known, image)
        ridge = Ridge(PENALTY).fit(others.embeddings, others.targets.astype(float))
        wanted = ridge.predict(known.embeddings[[image]])[0].clip(0, 1)
        np.testing.assert_allclose(found[image], wanted, atol=1e-5)


@pytest.mark.usefixtures("in_parts")
def test_the_vote_is_that_of_the_other_images(known):
    nearest = known.nearest_others(5)
    assert not (nearest.indices == np.arange(60)[:, np.newaxis]).any()
    found = gather(known, 0.0)
    for image in (0, 24, 25, 59):
        others = without(known, image)
        cosines = others.embeddings @ known.embeddings[image]
        numbers = np.argsort(-cosines, kind="stable")[np.newaxis]
        wanted = Neighbours(others, numbers, cosines[numbers])
        np.testing.assert_allclose(found[image], wanted.vote()[0], atol=1e-6)
        np.testing.assert_allclose(nearest.cosines[image], wanted.cosines[0, :5], atol=1e-6)


def test_both_are_averaged_and_parts_follow_one_another(known, in_parts):
    halves = list(leave_one_out(known, 0.5))
    assert [(part.start, len(probs)) for part, probs in halves] == [(0, 25), (25, 25), (50, 10)]
    wanted = (gather(known, 0.0) + gather(known, 1.0)) / 2
    np.testing.assert_allclose(np.concatenate([probs for _, probs in halves]), wanted)


def test_own_labels_do_not_count(known):
    before = gather(known, 0.5)
    targets = known.targets.copy()
    targets[7] = ~targets[7]
    after = gather(NeighbourIndex(known.centre, known.axes, known.embeddings, targets), 0.5)
    np.testing.assert_allclose(after[7], before[7], atol=1e-5)
    assert not np.allclose(after, before, atol=1e-3)


def test_of_the_same_image_twice_the_other_one_counts(known):
    twice = known.join(
        (known.embeddings / 1e3) @ np.linalg.pinv(known.axes) + known.centre, known.targets
    )
    np.testing.assert_allclose(twice.embeddings[60:], known.embeddings, atol=1e-3)
    assert (twice.nearest_others(1).indices[:, 0] == np.roll(np.arange(120), 60)).all()


def test_two_images_judge_one_another():
    targets = np.array([[True, False], [False, True]])
    vectors = np.array([[1.0, 0.0], [0.0, 1.0]], dtype=np.float32)
    found = gather(build_neighbour_index(vectors, targets), 0.0)
    np.testing.assert_array_equal(found, targets[::-1])
