"""The way from the poster's model to ours: each end is a recipe, each row has the one before."""

from dataclasses import replace
from itertools import pairwise

import ablation
import numpy as np
import pytest
from decision_rules import best_cut

STEPS = ablation.list_steps(epochs=1)
FOLD_OF = np.arange(24) % 3


@pytest.fixture
def targets():
    found = np.random.default_rng(0).random((24, 5)) < 0.4
    found[:, 0] |= ~found.any(axis=1)
    return found


def test_the_way_leads_from_the_posters_recipe_to_ours_and_no_row_repeats_another():
    recipes = [step.recipe for step in STEPS.values()]
    first, last = recipes[0], recipes[-1]
    same = {"epochs": 1, "train_views": "random"}
    assert first == replace(ablation.POSTER, config=replace(ablation.POSTER.config, **same))
    assert last.layers == ablation.OURS.layers
    assert last.inputs == ablation.OURS.inputs
    assert last.config == replace(ablation.OURS.config, **same)
    assert all(one != other for one, other in pairwise(recipes[1:]))
    assert [step.rule for step in STEPS.values()][:3] == ["beam", "threshold", "expected F2"]


@pytest.mark.parametrize("name", ["the poster's", "one threshold", [*STEPS][-1]])
def test_a_fold_is_predicted_by_what_has_learned_from_others(targets, name):
    rng = np.random.default_rng(0)
    shapes = {"maps": (4, 6), "pooled": (6,), "style": (4,)}
    arrays = {
        key: rng.normal(size=(24, 6, *shape)).astype(np.float16) for key, shape in shapes.items()
    }
    step = STEPS[name]
    if step.rule == "beam":
        layers = replace(step.recipe.layers, width=8, attention_dim=8, num_steps=2)
        step = replace(step, recipe=replace(step.recipe, layers=layers))
    rows = np.flatnonzero(FOLD_OF != 0)
    unseen = {key: array[FOLD_OF == 0] for key, array in arrays.items()}
    found = ablation.predict_fold(step, arrays, unseen, targets, rows, epochs=1)
    other = targets.copy()
    other[FOLD_OF == 0] ^= True  # which must not be looked at
    again = ablation.predict_fold(step, arrays, unseen, other, rows, epochs=1)
    assert found.shape == (8, 5)
    assert found.dtype == (bool if step.rule == "beam" else np.float32)
    np.testing.assert_array_equal(again, found)


def test_a_threshold_is_fitted_to_the_other_folds(targets):
    probs = np.random.default_rng(1).random(targets.shape).astype(np.float32)
    preds = ablation.decide(probs, "threshold", targets, FOLD_OF)
    for fold in range(3):
        mine = fold == FOLD_OF
        cut = best_cut(probs[~mine], targets[~mine])
        np.testing.assert_array_equal(preds[mine], ablation.decide_by_threshold(probs[mine], cut))
    np.testing.assert_array_equal(ablation.decide(targets, "beam", targets, FOLD_OF), targets)
    with pytest.raises(ValueError, match="two folds"):
        ablation.decide(probs, "threshold", targets, np.zeros(24, dtype=int))
