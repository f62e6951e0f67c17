import math

import pytest

from imet_utils.decoding import TEMPERATURE
from imet_utils.models import build_attncnn_rnn
from imet_utils.training import (
    RECIPES,
    SIZES,
    USUAL,
    build_head,
    calibrated_candidates,
    candidate_weights,
    choose_size,
    describe_size,
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


def test_a_notebook_tells_the_size_and_how_far_it_is_extrapolated():
    assert describe_size(1_436) == "1,436 training images: small (chosen on 1,000 and 4,000)"
    far = "87,360 training images: large (chosen on 11,050, 8 times fewer)"
    assert describe_size(87_360) == far


@pytest.mark.parametrize("size", SIZES, ids=lambda size: size.name)
@pytest.mark.parametrize("head", RECIPES)
def test_heads_are_built_by_the_size(head, size):
    if head == "mlp" or "rnn" in head:
        built = build_head(head, DIMS, 7, size.measured[0])
        mlp = built if head == "mlp" else built.classifier
        assert mlp.layers[1].out_features == size.mlp["hidden_dim"]
        assert mlp.layers[3].p == size.mlp["dropout"]
    else:  # the poster's
        sizes = {repr(build_head(head, DIMS, 7, one.measured[0])) for one in SIZES}
        assert len(sizes) == 1


def test_small_is_what_the_models_are_by_themselves():
    own = build_attncnn_rnn({k: v for k, v in DIMS.items() if k != "hog"}, 7)
    built = build_head("attncnn_rnn", DIMS, 7, 1_000)
    assert repr(built) == repr(own)
    assert choose_size(1_000).temperature == TEMPERATURE
    assert (built.decoder.dropout, built.num_steps) == (own.decoder.dropout, own.num_steps)


def test_candidates_are_each_head_and_means_of_some_with_neighbours_or_without():
    weights = candidate_weights(0.3)
    assert weights["AttnCNN-RNN"] == {"attncnn_rnn": 1.0}
    assert weights[USUAL] == {"mlp": 0.35, "attncnn_rnn": 0.35, "neighbours": 0.3}
    assert all(sum(parts.values()) == pytest.approx(1) for parts in weights.values())
    scores = {name for name in weights if name.startswith("baseline")}
    assert set(calibrated_candidates(weights)) == weights.keys() - scores
