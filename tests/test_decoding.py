import math
from dataclasses import fields

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from reference_decoder import ReferenceDecoder

from imet_utils.decoding import (
    Paths,
    _best_labels,
    beam_search,
    best_path_scale,
    class_thresholds,
    distinct_sets,
    greedy_decode,
    label_sets,
    mean_step_probs,
    sets_of_views,
    stop_paths,
    union_of_views,
    vote_of_views,
)
from imet_utils.models import AttnDecoder

pytestmark = pytest.mark.usefixtures("own_random_state")


def make_problem(num_classes=5, batch=3, positions=4, seed=0):
    """A decoder in float64, with weights that make the steps differ clearly, and its inputs."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        decoder = AttnDecoder(num_classes, 6, attn_dim=5, decoder_dim=4).double()
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


def make_beams(beams):
    """Paths (1, K, T) of (labels, step probabilities) of each beam."""
    parts = [make_paths(*beam) for beam in beams]
    return Paths(*(torch.cat([getattr(p, f.name) for p in parts], dim=1) for f in fields(Paths)))


def assert_equal_paths(paths, others):
    assert torch.equal(paths.labels, others.labels)
    torch.testing.assert_close(paths.step_probs, others.step_probs)
    torch.testing.assert_close(paths.path_probs, others.path_probs)
    torch.testing.assert_close(paths.attention, others.attention)


@pytest.mark.parametrize(("num_classes", "steps"), [(4, 2), (4, 4), (5, 3), (1, 1)])
def test_a_wide_beam_finds_what_exhaustive_search_finds(num_classes, steps):
    decoder, maps, probs = make_problem(num_classes)
    paths = beam_search(decoder, maps, probs, beam_size=10_000, max_steps=steps)
    assert paths.labels.shape == (3, math.perm(num_classes, steps), steps)
    for b in range(3):
        wanted = ReferenceDecoder(decoder).all_paths(maps[b].numpy(), probs[b].numpy(), steps)
        assert paths.labels[b].tolist() == [labels for _, labels in wanted]
        means = [math.exp(score / steps) for score, _ in wanted]
        np.testing.assert_allclose(paths.path_probs[b, :, -1], means, rtol=1e-9)


@given(
    num_classes=st.integers(1, 8),
    beam_size=st.integers(1, 7),
    steps=st.integers(1, 9),
    seed=st.integers(0, 1000),
)
@settings(max_examples=40, deadline=None, derandomize=True)
def test_beam_search_equals_a_plain_one(num_classes, beam_size, steps, seed):
    decoder, maps, probs = make_problem(num_classes, batch=2, seed=seed)
    paths = beam_search(decoder, maps, probs, beam_size, steps)
    for b in range(2):
        image = maps[b].numpy(), probs[b].numpy()
        wanted = ReferenceDecoder(decoder).beam_search(*image, beam_size, steps)
        assert paths.labels[b].tolist() == [labels for _, labels in wanted]
        means = [math.exp(score / len(labels)) for score, labels in wanted]
        np.testing.assert_allclose(paths.path_probs[b, :, -1], means, rtol=1e-9)


@given(
    num_classes=st.integers(1, 12),
    beam_size=st.integers(1, 6),
    steps=st.integers(1, 13),
    seed=st.integers(0, 1000),
)
@settings(max_examples=40, deadline=None, derandomize=True)
def test_beams_are_whole_distinct_and_best_first(num_classes, beam_size, steps, seed):
    decoder, maps, probs = make_problem(num_classes, batch=2, seed=seed)
    paths = beam_search(decoder.float(), maps.float(), probs.float(), beam_size, steps)
    length = min(steps, num_classes)
    beams = min(beam_size, math.perm(num_classes, length))
    assert paths.labels.shape == (2, beams, length)
    assert paths.attention.shape == (2, beams, length, 4)
    assert (paths.path_probs[:, :-1, -1] >= paths.path_probs[:, 1:, -1]).all()
    for image in paths.labels.tolist():
        assert all(len(set(path)) == length for path in image)
        assert len({tuple(path) for path in image}) == beams
    lengths = torch.arange(1, length + 1)
    means = (paths.step_probs.double().log().cumsum(-1) / lengths).exp()
    torch.testing.assert_close(paths.path_probs.double(), means, atol=1e-6, rtol=1e-5)


def test_beam_one_is_greedy_and_greedy_is_the_free_run():
    decoder, maps, probs = make_problem(num_classes=9)
    paths = greedy_decode(decoder, maps, probs, 6)
    assert_equal_paths(paths, beam_search(decoder, maps, probs, beam_size=1, max_steps=6))
    step_probs = decoder.eval()(maps, probs, 6).sigmoid()
    for b in range(3):
        image = maps[b].numpy(), probs[b].numpy()
        _, attention, labels = ReferenceDecoder(decoder).run(*image, 6)
        assert paths.labels[b, 0].tolist() == labels
        np.testing.assert_allclose(paths.attention[b, 0], attention, atol=1e-9)
        torch.testing.assert_close(paths.step_probs[b, 0], step_probs[b, range(6), labels])


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


def test_an_image_s_paths_do_not_depend_on_its_batch_mates():
    decoder, maps, probs = make_problem(num_classes=9, batch=4)
    together = beam_search(decoder, maps, probs, 4, 5)
    for b in range(4):
        alone = beam_search(decoder, maps[b : b + 1], probs[b : b + 1], 4, 5)
        fields = (together.labels, together.step_probs, together.path_probs, together.attention)
        assert_equal_paths(alone, Paths(*(values[b : b + 1] for values in fields)))


def test_last_label_of_the_vocabulary_can_be_predicted():
    decoder, maps, probs = make_problem()
    with torch.no_grad():
        decoder.fc2.bias[-1] = 50.0
    assert (greedy_decode(decoder, maps, probs, 4).labels[:, 0, 0] == 4).all()
    assert (beam_search(decoder, maps, probs, 3, 4).labels == 4).any(dim=-1).all()


def test_ties_go_to_the_lowest_label():
    decoder, maps, probs = make_flat_problem(num_classes=40)
    paths = beam_search(decoder, maps, probs, beam_size=3, max_steps=3)
    assert paths.labels.tolist() == [[[0, 1, 2], [0, 1, 3], [0, 1, 4]]] * 2


@given(
    st.lists(st.sampled_from([-1e4, -2.5, -1e-40, -0.0, 0.0, 1e-40, 0.5, 3e38]), min_size=1),
    st.integers(1, 20),
)
@settings(max_examples=60, deadline=None, derandomize=True)
def test_best_labels_are_those_of_a_stable_sort(logits, width):
    logits = torch.tensor(logits).expand(2, 3, -1)
    width = min(width, logits.shape[-1])
    values, order = logits.sort(dim=-1, descending=True, stable=True)
    labels, log_probs = _best_labels(logits, width)
    assert torch.equal(labels, order[..., :width])
    torch.testing.assert_close(log_probs, torch.nn.functional.logsigmoid(values[..., :width]))


@pytest.mark.parametrize("bias", [-1e30, -200.0, 200.0, 1e30])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_probabilities_of_nought_and_one_are_safe(bias, dtype):
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


def test_mixed_precision_decodes():
    decoder, maps, probs = make_problem(num_classes=9)
    decoder, maps, probs = decoder.float(), maps.float(), probs.float()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        paths = beam_search(decoder, maps, probs, 3, 4)
    assert paths.labels.shape == (3, 3, 4)
    assert paths.path_probs.dtype == torch.float32
    assert all(len(set(path)) == 4 for path in paths.labels.flatten(0, 1).tolist())


def test_decoding_copies_nothing_to_the_host(monkeypatch):
    decoder, maps, probs = make_problem()

    def refuse(*_):
        raise AssertionError("a tensor was read by Python")

    for name in ["item", "tolist", "cpu", "numpy", "__bool__", "__int__", "__float__", "nonzero"]:
        monkeypatch.setattr(torch.Tensor, name, refuse)
    paths = beam_search(decoder, maps, probs, 3, 4)
    assert paths.labels.shape == (3, 3, 4)


def test_class_thresholds_scale_the_frequencies():
    thresholds = class_thresholds(torch.tensor([0.0, 0.1, 0.5]), scale=3)
    torch.testing.assert_close(thresholds, torch.tensor([0.0, 0.3, 1.5]))


def test_stop_is_cumulative_by_hand():
    # Path probabilities 0.9, 0.3 (= sqrt 0.9 * 0.1), 0.448 (= cbrt 0.9 * 0.1 * 1): with 0.4 for
    # every label the second step fails, and the third would pass.
    paths = make_paths([3, 0, 1], [0.9, 0.1, 1.0])
    keep = stop_paths(paths, torch.full((4,), 0.4))
    assert keep.tolist() == [[[True, False, False]]]
    assert stop_paths(paths, torch.full((4,), 0.2)).all()


def test_stop_uses_the_geometric_mean_of_the_thresholds_on_the_path():
    paths = make_paths([2, 0], [0.5, 0.5])
    # sqrt(0.9 * 0.25) = 0.474 lets 0.5 pass although 0.5 < 0.9; sqrt(0.9 * 0.3) = 0.52 does not.
    assert stop_paths(paths, torch.tensor([0.25, 1.0, 0.9])).tolist() == [[[True, True]]]
    assert stop_paths(paths, torch.tensor([0.3, 0.0, 0.9])).tolist() == [[[True, False]]]


def test_first_label_always_stays_and_equality_passes():
    paths = make_paths([0, 1, 2], [0.4, 0.4, 0.4])
    assert stop_paths(paths, torch.full((3,), 1.5)).tolist() == [[[True, False, False]]]
    paths = make_paths([0, 1], [0.25, 0.25])
    assert stop_paths(paths, torch.full((2,), 0.25)).all()


def test_a_threshold_of_nought_stops_nothing():
    paths = make_paths([0, 1, 2], [0.5, 0.0, 0.0])
    assert stop_paths(paths, torch.zeros(3)).all()


@given(seed=st.integers(0, 1000))
@settings(max_examples=20, deadline=None, derandomize=True)
def test_stop_equals_a_loop(seed):
    decoder, maps, probs = make_problem(num_classes=7, seed=seed)
    paths = beam_search(decoder, maps, probs, 3, 6)
    thresholds = torch.rand(7, generator=torch.Generator().manual_seed(seed))
    keep = stop_paths(paths, thresholds)
    for b in range(3):
        for k in range(3):
            going = True
            for t in range(6):
                path = thresholds[paths.labels[b, k, : t + 1]].double().prod().item()
                reached = paths.step_probs[b, k, : t + 1].prod().item()
                going = going and (t == 0 or reached >= path)
                assert keep[b, k, t].item() == going


def test_label_sets_collect_the_kept_labels_of_one_beam():
    labels = torch.tensor([[[3, 0, 1], [0, 3, 2]], [[1, 2, 0], [1, 0, 4]]])
    paths = Paths(labels, torch.rand(2, 2, 3), torch.rand(2, 2, 3), torch.rand(2, 2, 3, 4))
    keep = torch.tensor([[[1, 1, 0], [1, 1, 1]], [[1, 0, 0], [1, 1, 1]]]).bool()
    best = label_sets(paths, keep, num_classes=5)
    assert best.int().tolist() == [[1, 0, 0, 1, 0], [0, 1, 0, 0, 0]]
    second = label_sets(paths, keep, num_classes=5, beam=1)
    assert second.int().tolist() == [[1, 0, 1, 1, 0], [1, 1, 0, 0, 1]]


def test_mean_step_probs_averages_probabilities():
    logits = torch.tensor([[[0.0, 100.0], [-100.0, 0.0]]])
    torch.testing.assert_close(mean_step_probs(logits), torch.tensor([[0.25, 0.75]]))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda d, m, p: beam_search(d, m, p, beam_size=0), "beam_size"),
        (lambda d, m, p: beam_search(d, m, p, max_steps=0), "max_steps"),
        (lambda d, m, p: beam_search(d, m[0], p), "maps"),
        (lambda d, m, p: greedy_decode(d, m, p[:, :4]), "probs"),
        (lambda d, m, p: class_thresholds(torch.tensor([1.5])), "frequencies"),
        (lambda d, m, p: class_thresholds(torch.rand(2), scale=0), "scale"),
        (lambda d, m, p: stop_paths(greedy_decode(d, m, p), -torch.ones(5)), "thresholds"),
        (lambda d, m, p: label_sets(greedy_decode(d, m, p), torch.ones(3, 1, 5), 5), "keep"),
        (lambda d, m, p: label_sets(greedy_decode(d, m, p), torch.ones(3, 1, 5) > 0, 5, 1), "beam"),
        (lambda d, m, p: mean_step_probs(p), "logits"),
    ],
)
def test_wrong_arguments_are_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call(*make_problem())


def test_concatenate_and_best_keep_what_belongs_together():
    decoder, maps, probs = make_problem()
    whole = beam_search(decoder, maps, probs, 3, 4)
    parts = [beam_search(decoder, maps[k : k + 1], probs[k : k + 1], 3, 4) for k in range(3)]
    assert_equal_paths(Paths.concatenate(parts), whole)
    assert_equal_paths(whole.best().cpu(), Paths.concatenate([part.best() for part in parts]))
    assert whole.best().labels.shape == (3, 1, 4)


def test_union_of_views_by_hand():
    views = [make_paths([0, 1], [0.9, 0.9]), make_paths([2, 0], [0.9, 0.1])]  # of one image
    other = [make_paths([3, 1], [0.9, 0.1]), make_paths([3, 2], [0.9, 0.1])]
    paths = Paths.concatenate([*views, *other])
    preds = union_of_views(paths, torch.full((4,), 0.5), num_views=2)
    assert preds.tolist() == [[True, True, True, False], [False, False, False, True]]
    for rule in (union_of_views, vote_of_views, sets_of_views):
        with pytest.raises(ValueError, match="4 views are not a multiple of 3"):
            rule(paths, torch.full((4,), 0.5), num_views=3)


def test_sets_and_votes_of_views_by_hand():
    views = [([0, 1], [0.9, 0.9]), ([0, 2], [0.9, 0.9]), ([1, 0], [0.9, 0.1])]  # of one image
    other = [([3, 1], [0.9, 0.1]), ([2, 3], [0.9, 0.9]), ([3, 2], [0.9, 0.9])]
    paths = Paths.concatenate([make_paths(*view) for view in views + other])
    thresholds = torch.full((4,), 0.5)
    sets = sets_of_views(paths, thresholds, num_views=3)
    assert sets.int().tolist() == [
        [[1, 1, 0, 0], [1, 0, 1, 0], [0, 1, 0, 0]],
        [[0, 0, 0, 1], [0, 0, 1, 1], [0, 0, 1, 1]],
    ]
    assert torch.equal(union_of_views(paths, thresholds, 3), sets.any(dim=1))
    assert vote_of_views(paths, thresholds, 3).int().tolist() == [[1, 1, 0, 0], [0, 0, 1, 1]]
    pairs = vote_of_views(paths, thresholds, num_views=2)  # one of two views is enough
    assert pairs.int().tolist() == [[1, 1, 1, 0], [0, 1, 0, 1], [0, 0, 1, 1]]


def test_views_name_the_labels_of_their_best_beam_alone():
    paths = make_beams([([0, 1], [0.9, 0.9]), ([2, 3], [0.8, 0.8])])
    assert sets_of_views(paths, torch.zeros(4), 1).int().tolist() == [[[1, 1, 0, 0]]]


def test_distinct_sets_merges_the_orders_of_a_set_by_hand():
    beams = [([0, 1], [0.9, 0.5]), ([2, 1], [0.5, 0.6]), ([1, 0], [0.5, 0.5])]
    paths = make_beams(beams)  # path probabilities 0.45, 0.3, 0.25: the first and third are one set
    sets, shares = distinct_sets(paths, torch.ones(1, 3, 2, dtype=torch.bool), 3)
    assert sets.int().tolist() == [[[1, 1, 0], [0, 1, 1], [1, 1, 0]]]
    torch.testing.assert_close(shares, torch.tensor([[0.7, 0.3, 0.0]]))


def test_distinct_sets_counts_beams_that_differ_after_their_stop_once():
    beams = [([0, 1], [0.6, 0.2]), ([0, 2], [0.6, 0.1]), ([1, 0], [0.4, 0.1])]
    keep = torch.tensor([[[True, False]] * 3])
    sets, shares = distinct_sets(make_beams(beams), keep, 3)
    assert sets.int().tolist() == [[[1, 0, 0], [1, 0, 0], [0, 1, 0]]]
    torch.testing.assert_close(shares, torch.tensor([[0.6, 0.0, 0.4]]))


def test_distinct_sets_bears_probabilities_of_nought():
    beams = [([0, 1], [0.0, 0.0]), ([1, 2], [0.0, 0.0])]
    _, shares = distinct_sets(make_beams(beams), torch.ones(1, 2, 2, dtype=torch.bool), 3)
    torch.testing.assert_close(shares, torch.tensor([[0.5, 0.5]]))


@given(
    num_classes=st.integers(1, 6),
    beam_size=st.integers(1, 8),
    scale=st.floats(0.0, 1.0),
    seed=st.integers(0, 1000),
)
@settings(max_examples=40, deadline=None, derandomize=True)
def test_distinct_sets_equals_a_dictionary(num_classes, beam_size, scale, seed):
    decoder, maps, probs = make_problem(num_classes, batch=2, seed=seed)
    paths = beam_search(decoder, maps, probs, beam_size, 3)
    thresholds = torch.rand(num_classes, generator=torch.Generator().manual_seed(seed))
    keep = stop_paths(paths, scale * thresholds)
    sets, shares = distinct_sets(paths, keep, num_classes)
    torch.testing.assert_close(shares.sum(dim=1), torch.ones(2).double())
    for b in range(2):
        orders = {}  # of each set: {order: probability}, sets by their first beam
        for k in range(paths.labels.shape[1]):
            order = tuple(paths.labels[b, k, keep[b, k]].tolist())
            assert sets[b, k].nonzero().flatten().tolist() == sorted(order)
            reached = paths.step_probs[b, k, keep[b, k]].prod().item()
            orders.setdefault(frozenset(order), (k, {}))[1][order] = reached
        total = sum(sum(found.values()) for _, found in orders.values())
        wanted = torch.zeros_like(shares[b])
        for k, found in orders.values():
            wanted[k] = sum(found.values()) / total
        torch.testing.assert_close(shares[b], wanted)


def test_best_path_scale_finds_the_stop_that_fits_the_targets():
    paths = Paths.concatenate([make_paths([0, 1, 2], [0.9, 0.6, 0.05])] * 2)  # two views
    frequencies = torch.full((4,), 0.1)
    two = torch.tensor([[True, True, False, False]])
    scales = (0.1, 5.0, 8.5)  # keep three labels, two, one
    kept = [union_of_views(paths, class_thresholds(frequencies, s), 2).sum().item() for s in scales]
    assert kept == [3, 2, 1]
    assert best_path_scale(paths, frequencies, two, 2, scales) == 5.0
    assert (
        best_path_scale(paths, frequencies, torch.tensor([[True, True, True, False]]), 2, scales)
        == 0.1
    )
