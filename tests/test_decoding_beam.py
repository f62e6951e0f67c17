import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from reference_decoder import ReferenceDecoder

from imet_utils.decoding import (
    Paths,
    beam_search,
    best_path_scale,
    class_thresholds,
    stop_paths,
    union_of_views,
)
from imet_utils.models import AttnDecoder


def make_problem(num_classes=5, batch=3, positions=4, seed=0, by_labels=False):
    """A decoder in float64, with weights that make the steps differ clearly, and its inputs."""
    torch.manual_seed(seed)
    sizes = {"attn_dim": 5, "decoder_dim": 4}
    decoder = AttnDecoder(num_classes, 6, **sizes, attend_by_labels=by_labels).double()
    with torch.no_grad():
        for weights in decoder.parameters():
            weights.mul_(3)
    maps, probs = torch.rand(batch, positions, 6), torch.rand(batch, num_classes)
    return decoder, maps.double(), probs.double()


def make_flat_problem(num_classes=5, batch=2):
    """A decoder that gives every label the same logit at every step."""
    decoder, maps, probs = make_problem(num_classes, batch)
    with torch.no_grad():
        decoder.fc2.weight.zero_()
        decoder.fc2.bias.fill_(-1.0)
    return decoder, maps, probs


def make_paths(labels, probs):
    """Paths (1, 1, T) with given step probabilities."""
    probs = torch.tensor(probs)
    lengths = torch.arange(1, len(labels) + 1)
    means = (probs.log().cumsum(0) / lengths).exp()
    attention = torch.zeros(1, 1, len(labels), 4)
    return Paths(torch.tensor([[labels]]), probs[None, None], means[None, None], attention)


def assert_equal_paths(paths, others):
    assert torch.equal(paths.labels, others.labels)
    torch.testing.assert_close(tuple(paths), tuple(others))


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
    decoder, maps, probs = make_problem(num_classes, batch=2, seed=seed, by_labels=by_labels)
    paths = beam_search(decoder, maps, probs, beam_size, steps)
    for b in range(2):
        image = maps[b].numpy(), probs[b].numpy()
        wanted = ReferenceDecoder(decoder).beam_search(*image, beam_size, steps)
        assert paths.labels[b].tolist() == [labels for _, labels in wanted]
        means = [math.exp(score / len(labels)) for score, labels in wanted]
        np.testing.assert_allclose(paths.path_probs[b, :, -1], means, rtol=1e-9)
    lengths = torch.arange(1, paths.labels.shape[2] + 1)
    means = (paths.step_probs.log().cumsum(-1) / lengths).exp()
    torch.testing.assert_close(paths.path_probs, means)


def test_attention_and_probabilities_belong_to_the_path_returned():
    decoder, maps, probs = make_problem(num_classes=8)
    paths = beam_search(decoder, maps, probs, beam_size=5, max_steps=6)
    state = decoder.start(maps).select(torch.zeros(3, 5, dtype=torch.long))
    previous = probs.unsqueeze(1).expand(-1, 5, -1)
    chosen = torch.zeros(3, 5, 8, dtype=torch.bool)
    for t in range(6):
        logits, attention, state = decoder.step(state, previous, chosen)
        label = paths.labels[:, :, t : t + 1]
        previous, chosen = logits.sigmoid(), chosen.scatter(-1, label, True)
        torch.testing.assert_close(paths.attention[:, :, t], attention)
        torch.testing.assert_close(paths.step_probs[:, :, t : t + 1], previous.gather(-1, label))
    # The beams come from several parents, so that a mix-up would show.
    assert (paths.attention[:, :1, -1] - paths.attention[:, 1:, -1]).abs().max() > 1e-3


@given(st.lists(st.sampled_from([-50.0, -2.5, -1e-40, -0.0, 0.0, 1e-40, 0.5]), min_size=1))
def test_labels_are_ranked_as_by_a_stable_sort(logits):
    decoder, maps, probs = make_flat_problem(num_classes=len(logits))
    with torch.no_grad():
        decoder.fc2.bias.copy_(torch.tensor(logits))
    decoder, maps, probs = decoder.float(), maps.float(), probs.float()
    paths = beam_search(decoder, maps, probs, beam_size=len(logits), max_steps=1)
    values, order = torch.tensor(logits).sort(descending=True, stable=True)
    assert paths.labels[0, :, 0].tolist() == order.tolist()
    torch.testing.assert_close(paths.step_probs[0, :, 0], values.sigmoid())


@pytest.mark.parametrize("bias", [-1e30, -200.0, 200.0, 1e30])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_probabilities_of_zero_and_one_are_safe(bias, dtype):
    decoder, maps, probs = make_flat_problem()
    with torch.no_grad():
        decoder.fc2.bias.copy_(torch.tensor([0.0, bias, bias, bias, bias]))
    paths = beam_search(decoder.to(dtype), maps.to(dtype), probs.to(dtype), 4, 5)
    for values in (paths.step_probs, paths.path_probs, paths.attention):
        assert values.isfinite().all()
    assert (paths.labels.sort().values == torch.arange(5)).all()


def test_decoding_needs_no_eval_keeps_the_mode_and_builds_no_graph():
    decoder, maps, probs = make_problem(num_classes=9)
    decoder.train()
    paths = beam_search(decoder, maps, probs, 3, 5)
    assert decoder.training
    assert not paths.step_probs.requires_grad
    decoder.eval()
    assert_equal_paths(paths, beam_search(decoder, maps, probs, 3, 5))


@pytest.mark.parametrize(
    ("labels", "probs", "thresholds", "kept"),
    [
        # Path probabilities 0.9, 0.3 (= sqrt 0.9 * 0.1), 0.448 (= cbrt 0.9 * 0.1 * 1): with 0.4
        # for every label the second step fails, and the third would pass.
        ([3, 0, 1], [0.9, 0.1, 1.0], [0.4] * 4, 1),
        ([3, 0, 1], [0.9, 0.1, 1.0], [0.2] * 4, 3),
        # sqrt(0.9 * 0.25) = 0.474 lets 0.5 pass although 0.5 < 0.9; sqrt(0.9 * 0.3) does not.
        ([2, 0], [0.5, 0.5], [0.25, 1.0, 0.9], 2),
        ([2, 0], [0.5, 0.5], [0.3, 0.0, 0.9], 1),
        ([0, 1, 2], [0.4] * 3, [1.5] * 3, 1),  # the first always stays
        ([0, 1], [0.25] * 2, [0.25] * 2, 2),  # equality passes
    ],
)
def test_stop_by_hand(labels, probs, thresholds, kept):
    keep = stop_paths(make_paths(labels, probs), torch.tensor(thresholds))
    assert keep.tolist() == [[[t < kept for t in range(len(labels))]]]


def test_sizes_below_one_and_negative_scales_are_refused():
    for beam_size, max_steps in ((0, 3), (3, 0)):
        with pytest.raises(ValueError, match=f"got {beam_size}, {max_steps}"):
            beam_search(*make_problem(), beam_size, max_steps)
    for scale in (-1.0, math.nan):
        with pytest.raises(ValueError, match=f"0 or more, got {scale}"):
            class_thresholds(torch.rand(2), scale)


def test_concatenate_and_best_keep_what_belongs_together():
    decoder, maps, probs = make_problem()
    whole = beam_search(decoder, maps, probs, 3, 4)
    parts = [beam_search(decoder, maps[k : k + 1], probs[k : k + 1], 3, 4) for k in range(3)]
    assert_equal_paths(Paths.concatenate(parts), whole)
    assert_equal_paths(whole.best().cpu(), Paths.concatenate([part.best() for part in parts]))
    assert whole.best().labels.shape == (3, 1, 4)


def test_union_of_views_by_hand():
    best, second = make_paths([0, 1], [0.9, 0.9]), make_paths([3, 1], [0.8, 0.8])
    both = Paths(*(torch.cat(pair, dim=1) for pair in zip(best, second, strict=True)))  # K = 2
    other = make_paths([2, 0], [0.9, 0.1])
    views = [both.best(), other, make_paths([3, 1], [0.9, 0.1]), make_paths([3, 2], [0.9, 0.1])]
    preds = union_of_views(Paths.concatenate(views), torch.full((4,), 0.5), num_views=2)
    assert preds.tolist() == [[True, True, True, False], [False, False, False, True]]
    assert union_of_views(both, torch.zeros(4), 1).tolist() == [[True, True, False, False]]


def test_best_path_scale_finds_the_stop_that_fits_the_targets():
    paths = Paths.concatenate([make_paths([0, 1, 2], [0.9, 0.6, 0.05])] * 2)  # two views
    frequencies = torch.full((4,), 0.1)
    two = torch.tensor([[True, True, False, False]])
    scales = (0.1, 5.0, 8.5)  # keep three labels, two, one
    kept = [union_of_views(paths, class_thresholds(frequencies, s), 2).sum().item() for s in scales]
    assert kept == [3, 2, 1]
    assert best_path_scale(paths, frequencies, two, 2, scales) == 5.0
    three, one = torch.arange(4)[None] < 3, torch.arange(4)[None] < 1
    assert best_path_scale(paths, frequencies, three, 2, scales) == 0.1
    assert best_path_scale(paths, frequencies, three, 2) == 0.0  # no path stops
    assert best_path_scale(paths, frequencies / 100, one, 2) == 1000.0
