"""The way from the poster's model to ours: each end is a recipe, each row has the one before."""

from dataclasses import replace
from itertools import pairwise

import ablation
import numpy as np
import pytest

STEPS = ablation.list_steps(epochs=1)
FOLD_OF = np.arange(24) % 3


def test_the_way_leads_from_the_posters_recipe_to_ours_and_no_row_repeats_another():
    recipes = [*STEPS.values()]
    first, last = recipes[0], recipes[-1]
    same = {"epochs": 1, "train_views": "random"}
    assert first == replace(ablation.POSTER, config=replace(ablation.POSTER.config, **same))
    assert last.layers == ablation.OURS.layers
    assert last.inputs == ablation.OURS.inputs
    assert last.config == replace(ablation.OURS.config, **same)
    assert all(one != other for one, other in pairwise(recipes))
    rules = [recipe.decoding.rule for recipe in recipes]
    assert rules[:3] == ["beam", "one threshold", "expected F2"]


@pytest.mark.parametrize("name", ["the poster's", "one threshold", [*STEPS][-1]])
def test_a_fold_is_predicted_by_what_has_learned_from_others(name):
    rng = np.random.default_rng(0)
    targets = rng.random((24, 5)) < 0.4
    targets[:, 0] |= ~targets.any(axis=1)
    shapes = {"maps": (4, 6), "pooled": (6,), "style": (4,)}
    arrays = {
        key: rng.normal(size=(24, 6, *shape)).astype(np.float16) for key, shape in shapes.items()
    }
    recipe = STEPS[name]
    if recipe.decoding.rule == "beam":
        layers = replace(recipe.layers, width=8, attention_dim=8, num_steps=2)
        recipe = replace(recipe, layers=layers)
    known, unseen = np.flatnonzero(FOLD_OF != 0), np.flatnonzero(FOLD_OF == 0)
    found = ablation.predict_fold(recipe, arrays, arrays, targets, known, unseen)
    other = targets.copy()
    other[unseen] ^= True  # which must not be looked at
    again = ablation.predict_fold(recipe, arrays, arrays, other, known, unseen)
    assert found.shape == (8, 5)
    assert found.dtype == (bool if recipe.decoding.rule == "beam" else np.float32)
    np.testing.assert_array_equal(again, found)
