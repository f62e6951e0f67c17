import math

import pytest

from imet_utils.models import Mlp, Rnn, weighted_bce
from imet_utils.training import (
    AVERAGED,
    RECIPES,
    SIZES,
    Recipe,
    choose_size,
    mean_weights,
    register,
)

DIMS = {"maps": 6, "pooled": 5, "style": 4, "hog": 80}


def test_every_number_of_images_has_one_size_that_was_measured_near_it():
    limits = [size.most for size in SIZES]
    assert limits == sorted(set(limits))
    assert limits[-1] == math.inf
    for below, size in zip((0, *limits), SIZES, strict=False):
        assert all(below < number <= size.most for number in size.measured)
        assert choose_size(below + 1) is size
        if size.most < math.inf:
            assert choose_size(size.most) is size
        for number in size.measured:
            assert choose_size(number) is size


@pytest.mark.parametrize("size", SIZES, ids=lambda size: size.name)
@pytest.mark.parametrize("head", RECIPES)
def test_heads_are_built_by_the_size(head, size):
    built = RECIPES[head].build(DIMS, 7, size.measured[0])
    if head in ("mlp", "attncnn_rnn"):
        mlp = built if head == "mlp" else built.classifier
        assert mlp.layers[1].out_features == size.hidden_dim
    else:  # the poster's
        sizes = {repr(RECIPES[head].build(DIMS, 7, one.measured[0])) for one in SIZES}
        assert len(sizes) == 1


@pytest.mark.parametrize("setting", [{"attention": "soft"}, {"width": 0}, {"dropout": 1.0}])
def test_layers_that_cannot_be_are_refused(setting):
    [value] = setting.values()
    with pytest.raises(ValueError, match=str(value)):
        Rnn(**setting)


def test_neighbours_get_their_share_and_the_heads_the_rest():
    assert mean_weights(0.3) == {"mlp": 0.35, "attncnn_rnn": 0.35, "neighbours": 0.3}
    assert mean_weights(0.4, ["own"]) == {"own": 0.6, "neighbours": 0.4}


@pytest.mark.parametrize(("head", "own"), [("mlp", "pooled"), ("my head", "pooled"), ("a", "oil")])
def test_a_head_that_cannot_be_registered_is_refused(head, own):
    recipe = Recipe("mine", (own,), Mlp(), weighted_bce, AVERAGED)
    with pytest.raises(ValueError, match=head if own == "pooled" else own):
        register(head, recipe)
    assert RECIPES.get(head) is not recipe


def test_a_readers_own_width_is_kept():
    recipe = Recipe("mine", ("pooled",), Mlp(hidden_dim=33), weighted_bce, AVERAGED)
    assert recipe.build(DIMS, 7, 100_000).layers[1].out_features == 33
