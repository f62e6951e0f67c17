import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from reference_decoder import ReferenceDecoder, count_kept, make_decoder, make_inputs

from imet_utils.decoding import (
    Paths,
    beam_search,
    best_path_scale,
    class_thresholds,
    stop_paths,
    union_of_views,
)


def make_problem(num_classes=5, seed=0, by_labels=False):
    """A decoder in float64, with weights that make the steps differ clearly, and its inputs."""
    torch.manual_seed(seed)
    decoder = make_decoder(num_classes, attend_by_labels=by_labels).double().train()
    maps, probs = make_inputs(2, num_classes=num_classes)
    return decoder, maps.double(), probs.double()


def search_flat(logits, dtype, beam_size, steps):
    """Search by a decoder that gives the labels the same logits at every step."""
    decoder, maps, probs = make_problem(len(logits))
    with torch.no_grad():
        decoder.fc2.weight.zero_()
        decoder.fc2.bias.copy_(torch.tensor(logits))
    return beam_search(decoder.to(dtype), maps.to(dtype), probs.to(dtype), beam_size, steps)


def make_paths(labels, probs):
    """Paths (1, 1, T) with given step probabilities."""
    probs = torch.tensor(probs)
    lengths = torch.arange(1, len(labels) + 1)
    means = (probs.log().cumsum(0) / lengths).exp()
    attention = torch.zeros(1, 1, len(labels), 4)
    return Paths(torch.tensor([[labels]]), probs[None, None], means[None, None], attention)


@given(
    num_classes=st.integers(1, 8),
    beam_size=st.integers(1, 7) | st.just(10_000),  # finds all paths
    steps=st.integers(1, 9),
    seed=st.integers(0, 1000),
    by_labels=st.booleans(),
)
def test_beam_search_equals_a_plain_one(num_classes, beam_size, steps, seed, by_labels):
    if beam_size > 7:
        num_classes, steps = min(num_classes, 5), min(steps, 4)
    decoder, maps, probs = make_problem(num_classes, seed, by_labels)
    paths = beam_search(decoder, maps, probs, beam_size, steps)
    assert decoder.training  # it stays as it was, and its dropout is not used
    assert not paths.step_probs.requires_grad
    for b in range(2):
        wanted = ReferenceDecoder(decoder).beam_search(maps[b], probs[b], beam_size, steps)
        labels, step_probs, attention = zip(*wanted, strict=True)
        assert paths.labels[b].tolist() == [*labels]
        np.testing.assert_allclose(paths.step_probs[b], step_probs, rtol=1e-9)
        np.testing.assert_allclose(paths.attention[b], attention, rtol=1e-9)
    lengths = torch.arange(1, paths.labels.shape[2] + 1)
    means = (paths.step_probs.log().cumsum(-1) / lengths).exp()
    torch.testing.assert_close(paths.path_probs, means)


@given(st.lists(st.sampled_from([-50.0, -2.5, -1e-40, -0.0, 0.0, 1e-40, 0.5]), min_size=1))
def test_labels_are_ranked_as_by_a_stable_sort(logits):
    paths = search_flat(logits, torch.float32, beam_size=len(logits), steps=1)
    values, order = torch.tensor(logits).sort(descending=True, stable=True)
    assert paths.labels[0, :, 0].tolist() == order.tolist()
    torch.testing.assert_close(paths.step_probs[0, :, 0], values.sigmoid())


@pytest.mark.parametrize("bias", [-1e30, -200.0, 200.0, 1e30])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_probabilities_of_zero_and_one_are_safe(bias, dtype):
    paths = search_flat([0.0, bias, bias, bias, bias], dtype, beam_size=4, steps=5)
    for values in (paths.step_probs, paths.path_probs, paths.attention):
        assert values.isfinite().all()
    assert (paths.labels.sort().values == torch.arange(5)).all()


@given(seed=st.integers(0, 1000), num_views=st.integers(1, 3))
def test_paths_stop_where_they_fall_below_and_the_best_of_all_views_are_united(seed, num_views):
    rng = np.random.default_rng(seed)
    labels = rng.permuted(np.tile(np.arange(6), (2 * num_views, 2, 1)), axis=2)[..., :4]
    step_probs = torch.from_numpy(rng.random(labels.shape))  # (2 V, K, T)
    means = (step_probs.log().cumsum(-1) / torch.arange(1, 5)).exp()
    paths = Paths(torch.from_numpy(labels), step_probs, means, torch.zeros(*labels.shape, 1))
    thresholds = torch.from_numpy(1.2 * rng.random(6))
    keep, united = stop_paths(paths, thresholds), np.zeros((2, 6), dtype=bool)
    for row, beam in np.ndindex(labels.shape[:2]):
        path = labels[row, beam]
        kept = count_kept(path, means[row, beam].numpy(), thresholds.numpy())
        assert keep[row, beam].tolist() == [step < kept for step in range(4)]
        if beam == 0:
            united[row // num_views, path[:kept]] = True
    np.testing.assert_array_equal(union_of_views(paths, thresholds, num_views), united)
    equal = make_paths([0, 1], [0.25] * 2)
    assert stop_paths(equal, torch.full((2,), 0.25)).all()


def test_sizes_below_one_and_negative_scales_are_refused():
    for beam_size, max_steps in ((0, 3), (3, 0)):
        with pytest.raises(ValueError, match=f"got {beam_size}, {max_steps}"):
            beam_search(*make_problem(), beam_size, max_steps)
    for scale in (-1.0, math.nan):
        with pytest.raises(ValueError, match=f"0 or more, got {scale}"):
            class_thresholds(torch.rand(2), scale)


def test_best_path_scale_finds_the_stop_that_fits_the_targets():
    views = [make_paths([0, 1, 2], [0.9, 0.6, 0.05])] * 2
    paths, frequencies = Paths(*map(torch.cat, zip(*views, strict=True))), torch.full((4,), 0.1)
    for count, scale in ((3, 0.1), (2, 5.0), (1, 8.5)):  # labels that are kept
        targets = torch.arange(4)[None] < count
        assert best_path_scale(paths, frequencies, targets, 2, (0.1, 5.0, 8.5)) == scale
    assert best_path_scale(paths, frequencies, torch.arange(4)[None] < 3, 2) == 0.0  # none stops
