import itertools

import numpy as np
import pytest
import torch

from imet_utils.decoding import Paths, class_thresholds, union_of_views
from imet_utils.path_decisions import decide_by_paths, least_risk_sets

NUM_CLASSES, NUM_VIEWS = 4, 2


@pytest.fixture
def paths():
    """Three beams of two steps for two views of each of three images."""
    generator = torch.Generator().manual_seed(3)
    order = torch.rand(6, 3, NUM_CLASSES, generator=generator).argsort(dim=-1)
    labels = order[..., :2]
    probs = torch.rand(6, 3, 2, generator=generator).sort(dim=1, descending=True).values
    means = (probs.log().cumsum(-1) / torch.tensor([1, 2])).exp()
    return Paths(labels, probs, means, torch.zeros(6, 3, 2, 5))


def f2(predicted, true):
    return 5 * len(predicted & true) / (4 * len(true) + len(predicted))


def test_least_risk_is_the_best_of_all_sets_against_the_weighted_beams(paths):
    found = least_risk_sets(paths, torch.zeros(NUM_CLASSES), NUM_VIEWS)  # nothing stops
    sizes = range(1, NUM_CLASSES + 1)
    candidates = [set(c) for n in sizes for c in itertools.combinations(range(NUM_CLASSES), n)]
    for image in range(3):
        truths = []
        for view in range(2 * image, 2 * image + 2):
            weights = paths.step_probs[view].prod(dim=-1)
            beams = map(set, paths.labels[view].tolist())
            truths += zip(beams, (weights / weights.sum()).tolist(), strict=True)
        scores = [sum(w * f2(c, true) for true, w in truths) for c in candidates]
        chosen = set(np.flatnonzero(found[image]).tolist())
        mine = sum(w * f2(chosen, true) for true, w in truths)
        assert mine == pytest.approx(max(scores))


def test_every_way_gives_each_image_labels_and_the_union_holds_the_vote(paths):
    frequencies = torch.tensor([0.05, 0.1, 0.2, 0.3])
    decided = decide_by_paths(paths, frequencies, 1.5, NUM_VIEWS)
    assert all(preds.shape == (3, NUM_CLASSES) for preds in decided.values())
    assert all(preds.any(axis=1).all() for preds in decided.values())
    union, vote = decided["beam, fitted stop"], decided["beam, vote of views"]
    assert not (vote & ~union).any()
    wanted = union_of_views(paths, class_thresholds(frequencies, 2.5), NUM_VIEWS)
    np.testing.assert_array_equal(decided["beam, poster"], wanted.numpy())
