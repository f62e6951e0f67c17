from itertools import permutations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional

from imet_utils.alignment import align_labels, aligned_loss, right_predictions

MODES = ["pla", "mla"]


def draw(seed=0, batch=3, steps=4, num_classes=6):
    random = np.random.default_rng(seed)
    logits = torch.from_numpy(random.normal(scale=2, size=(batch, steps, num_classes)))
    targets = torch.from_numpy(random.random((batch, num_classes)) < 0.5)
    chosen = np.stack([random.permutation(num_classes)[:steps] for _ in range(batch)])
    return logits, targets, torch.from_numpy(chosen)


def least_cost(costs, kept):
    """The least total cost over every order of the labels that leaves the kept ones in place."""
    used = min(costs.shape)
    fixed = [(step, label) for step, label in enumerate(kept[:used]) if label >= 0]
    return min(
        sum(costs[step, label] for step, label in enumerate(order))
        for order in permutations(range(costs.shape[1]), used)
        if all(order[step] == label for step, label in fixed)
    )


def reference_loss(logits, targets, chosen, mode):
    totals, count = 0.0, 0
    for image, row, predicted in zip(logits, targets, chosen.tolist(), strict=True):
        labels = row.nonzero().flatten().tolist()
        costs = -image.log_softmax(dim=-1)[:, labels].numpy()
        kept = [labels.index(p) if mode == "pla" and p in labels else -1 for p in predicted]
        totals += least_cost(costs, kept)
        count += min(costs.shape)
    return totals / max(count, 1)


@given(seed=st.integers(0, 10_000), steps=st.integers(1, 5), num_labels=st.integers(0, 5))
@settings(max_examples=80, deadline=None, derandomize=True)
def test_alignment_costs_least_of_all_permutations(seed, steps, num_labels):
    random = np.random.default_rng(seed)
    costs = random.random((steps, num_labels))
    kept = np.full(steps, -1)
    num_kept = random.integers(0, min(steps, num_labels) + 1)
    kept[random.permutation(steps)[:num_kept]] = random.permutation(num_labels)[:num_kept]
    for fixed in [None, kept]:
        order = align_labels(costs, fixed)
        assert len(order) == len(set(order)) == min(steps, num_labels)
        wanted = least_cost(costs, [-1] * steps if fixed is None else fixed)
        assert costs[np.arange(len(order)), order].sum() == pytest.approx(wanted)


def test_alignment_by_hand():
    costs = np.array([[0.0, 1.0, 5.0], [0.0, 3.0, 5.0], [9.0, 9.0, 9.0]])
    assert align_labels(costs).tolist() == [1, 0, 2]
    assert align_labels(costs[:1]).tolist() == [0]  # the best label, the others have no step
    assert align_labels(costs[:, 1:2]).tolist() == [0]  # the first step, although others are free
    assert align_labels(costs, np.array([-1, 2, -1])).tolist() == [0, 2, 1]


def test_a_label_kept_beyond_the_last_used_step_goes_to_a_used_one():
    costs = np.array([[1.0, 2.0], [2.0, 9.0], [0.0, 0.0]])
    assert align_labels(costs, np.array([-1, -1, 0])).tolist() == [1, 0]


def test_right_predictions_by_hand():
    found = right_predictions(np.array([4, 0, 4, 9, 1]), np.array([1, 4, 6]))
    assert found.tolist() == [1, -1, -1, -1, 0]
    assert right_predictions(np.array([4, 0]), np.array([], dtype=int)).tolist() == [-1, -1]


@given(
    seed=st.integers(0, 10_000),
    batch=st.integers(1, 3),
    steps=st.integers(1, 4),
    mode=st.sampled_from(MODES),
)
@settings(max_examples=40, deadline=None, derandomize=True)
def test_loss_equals_the_least_over_all_orders(seed, batch, steps, mode):
    logits, targets, chosen = draw(seed, batch, steps)
    loss = aligned_loss(logits, targets, chosen, mode)
    assert loss.item() == pytest.approx(reference_loss(logits, targets, chosen, mode), rel=1e-9)


def test_predicted_labels_that_are_right_stay_where_they_are():
    logits, _, _ = draw(batch=1, steps=4)
    targets = torch.tensor([[True, True, True, False, False, False]])
    chosen = torch.tensor([[5, 2, 0, 1]])  # 2 and 0 stay; 1 came too late and goes to step 0
    wanted = functional.cross_entropy(logits[0, :3], torch.tensor([1, 2, 0]))
    torch.testing.assert_close(aligned_loss(logits, targets, chosen), wanted)


def test_loss_of_free_alignment_is_never_above_the_other():
    for seed in range(20):
        pla, mla = (aligned_loss(*draw(seed), mode) for mode in MODES)
        assert mla <= pla + 1e-12


@pytest.mark.parametrize("mode", MODES)
def test_the_numbering_of_the_labels_changes_nothing(mode):
    logits, targets, chosen = draw()
    order = torch.from_numpy(np.random.default_rng(1).permutation(6))
    renamed = aligned_loss(logits[..., order], targets[:, order], order.argsort()[chosen], mode)
    torch.testing.assert_close(renamed, aligned_loss(logits, targets, chosen, mode))


def test_minimal_loss_takes_no_notice_of_the_order_of_the_steps():
    logits, _, chosen = draw(steps=3)
    targets = torch.tensor([[True, True, True, False, False, False]] * 3)
    loss = aligned_loss(logits, targets, chosen, "mla")
    torch.testing.assert_close(aligned_loss(logits.flip(1), targets, chosen, "mla"), loss)


@pytest.mark.parametrize("mode", MODES)
def test_gradient_is_that_of_cross_entropy_at_used_steps_only(mode):
    logits, _, chosen = draw(batch=2)
    targets = torch.tensor([[False, True, False, False, True, False], [False] * 6])
    logits.requires_grad_()
    aligned_loss(logits, targets, chosen, mode).backward()
    assert not logits.grad[1].any()
    assert not logits.grad[0, 2:].any()
    probs = logits[0, :2].detach().softmax(dim=-1)
    negative = (logits.grad[0, :2] < 0).double()  # one label a step is pushed up
    assert negative.sum(dim=1).tolist() == [1, 1]
    assert torch.equal(negative.sum(dim=0) > 0, targets[0])
    torch.testing.assert_close(logits.grad[0, :2], (probs - negative) / 2)


@pytest.mark.parametrize("mode", MODES)
def test_a_batch_without_labels_costs_nothing(mode):
    logits, targets, chosen = draw()
    logits.requires_grad_()
    loss = aligned_loss(logits, torch.zeros_like(targets), chosen, mode)
    loss.backward()
    assert loss.item() == 0
    assert not logits.grad.any()


def test_float32_and_number_targets_are_taken():
    logits, targets, chosen = draw()
    loss = aligned_loss(logits.float(), targets.float(), chosen)
    torch.testing.assert_close(loss, aligned_loss(logits, targets, chosen).float())


def test_other_inputs_are_refused():
    logits, targets, chosen = draw()
    with pytest.raises(ValueError, match='mode must be "pla" or "mla", got \'best\''):
        aligned_loss(logits, targets, chosen, "best")
    with pytest.raises(ValueError, match=r"logits must be \(B, T, C\) and targets \(B, C\), got"):
        aligned_loss(logits, targets[:, :5], chosen)
    with pytest.raises(ValueError, match=r"chosen_labels must be integers \(3, 4\), got"):
        aligned_loss(logits, targets, chosen[:, :3])
    with pytest.raises(ValueError, match="chosen_labels must be integers"):
        aligned_loss(logits, targets, chosen.float())


@pytest.mark.parametrize("kept", [[0], [0, 0], [2, -1], [-2, -1]])
def test_impossible_kept_labels_are_refused(kept):
    with pytest.raises(ValueError, match=r"kept must be \(2,\) different labels below 2, or -1"):
        align_labels(np.zeros((2, 2)), np.array(kept))


def test_costs_of_another_rank_are_refused():
    with pytest.raises(ValueError, match=r"costs must be \(T, n\), got \(3,\)"):
        align_labels(np.zeros(3))
