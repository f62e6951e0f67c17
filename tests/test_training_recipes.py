import pytest

from imet_utils import training
from imet_utils.models import Mlp, Rnn, weighted_bce

DIMS = {"maps": 6, "pooled": 5, "style": 4, "hog": 80}


def test_ours_are_built_by_the_size_unless_a_width_is_given_and_the_posters_are_not():
    numbers = (1, 4_000, 6_500, 6_501, 11_050, 1_000_000)
    for head, recipe in training.RECIPES.items():
        built = [recipe.build(DIMS, 7, number) for number in numbers]
        if head in ("mlp", "attncnn_rnn"):
            mlps = built if head == "mlp" else [rnn.classifier for rnn in built]
            widths = [mlp.layers[1].out_features for mlp in mlps]
            assert widths == [1024, 1024, 1024, 2048, 2048, 2048]
        else:
            assert len(set(map(repr, built))) == 1
    own = training.Recipe("mine", ("pooled",), Mlp(hidden_dim=33), weighted_bce, training.AVERAGED)
    assert own.build(DIMS, 7, 100_000).layers[1].out_features == 33


@pytest.mark.parametrize("setting", [{"attention": "soft"}, {"width": 0}, {"dropout": 1.0}])
def test_layers_that_cannot_be_are_refused(setting):
    [value] = setting.values()
    with pytest.raises(ValueError, match=str(value)):
        Rnn(**setting)


def test_neighbours_get_their_share_and_the_heads_the_rest():
    assert training.mean_weights(0.3) == {"mlp": 0.35, "attncnn_rnn": 0.35, "neighbours": 0.3}
    assert training.mean_weights(0.4, ["own"]) == {"own": 0.6, "neighbours": 0.4}


@pytest.mark.parametrize(("head", "own"), [("mlp", "pooled"), ("my head", "pooled"), ("a", "oil")])
def test_a_head_that_cannot_be_registered_is_refused(head, own):
    recipe = training.Recipe("mine", (own,), Mlp(), weighted_bce, training.AVERAGED)
    with pytest.raises(ValueError, match=head if own == "pooled" else own):
        training.register(head, recipe)
    assert training.RECIPES.get(head) is not recipe
