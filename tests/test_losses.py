import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from imet_utils.losses import (
    asymmetric_loss,
    focal_loss,
    order_free_loss,
    positive_weights,
    weighted_bce,
)

LOSSES = [weighted_bce, focal_loss, asymmetric_loss]


def draw(seed=0, shape=(4, 5)):
    random = np.random.default_rng(seed)
    logits = torch.from_numpy(random.normal(scale=3, size=shape))
    targets = torch.from_numpy(random.random(shape) < 0.4)
    return logits, targets


def average(formula, logits, targets):
    """The mean of formula(p, y) over all entries, one at a time."""
    p = [1 / (1 + math.exp(-value)) for value in logits.flatten().tolist()]
    terms = [formula(*pair) for pair in zip(p, targets.flatten().tolist(), strict=True)]
    return sum(terms) / len(terms)


def test_positive_weights_by_hand():
    targets = torch.tensor(
        [[1, 0, 1, 1], [0, 0, 1, 1], [0, 0, 0, 1], [0, 0, 0, 1], [0, 0, 0, 1]], dtype=torch.bool
    )
    torch.testing.assert_close(
        positive_weights(targets, max_weight=3), torch.tensor([3.0, 3.0, 1.5, 0.0])
    )
    torch.testing.assert_close(positive_weights(targets), torch.tensor([4.0, 10.0, 1.5, 0.0]))


def test_positive_weights_count_every_view_as_a_row():
    targets = torch.rand(6, 2, 5, generator=torch.Generator().manual_seed(0)) > 0.5
    assert torch.equal(positive_weights(targets), positive_weights(targets.flatten(0, 1)))


def test_positive_weights_stay_exact_for_many_rows():
    targets = torch.zeros(1, 1).expand(2**25, 1).bool()
    targets = torch.cat([targets[: 2**24 + 1], ~targets[: 2**24 - 1]])
    wanted = (2**24 + 1) / (2**24 - 1)
    assert positive_weights(targets).item() == pytest.approx(wanted, abs=1e-7)


@given(seed=st.integers(0, 1000), steps=st.integers(1, 3))
@settings(max_examples=25, deadline=None, derandomize=True)
def test_weighted_bce_equals_the_formula(seed, steps):
    logits, targets = draw(seed, (3, steps, 4))
    weights = torch.tensor([0.5, 1.0, 3.0, 10.0], dtype=torch.float64)
    p, y, w = torch.sigmoid(logits).numpy(), targets.numpy(), weights.numpy()
    wanted = -(w * y * np.log(p) + (1 - y) * np.log(1 - p)).mean()
    assert weighted_bce(logits, targets, weights).item() == pytest.approx(wanted, rel=1e-9)


def test_order_free_loss_is_the_mean_of_the_steps():
    logits, _ = draw(shape=(3, 4, 5))
    _, targets = draw(seed=1, shape=(3, 5))
    weights = torch.arange(1.0, 6.0).double()
    steps = [weighted_bce(logits[:, t], targets, weights) for t in range(4)]
    torch.testing.assert_close(order_free_loss(logits, targets, weights), sum(steps) / 4)


@given(
    seed=st.integers(0, 1000), alpha=st.none() | st.floats(0, 1), gamma=st.sampled_from([0, 0.5, 2])
)
@settings(max_examples=40, deadline=None, derandomize=True)
def test_focal_loss_equals_the_formula(seed, alpha, gamma):
    def formula(p, y):
        p_t = p if y else 1 - p
        alpha_t = 1 if alpha is None else alpha if y else 1 - alpha
        return -alpha_t * (1 - p_t) ** gamma * math.log(p_t)

    logits, targets = draw(seed)
    wanted = average(formula, logits, targets)
    assert focal_loss(logits, targets, alpha, gamma).item() == pytest.approx(wanted, rel=1e-9)


@given(
    seed=st.integers(0, 1000),
    gamma_neg=st.sampled_from([0, 0.5, 1, 4]),
    gamma_pos=st.sampled_from([0, 0.5, 1]),
    clip=st.sampled_from([0, 0.05, 0.2]),
)
@settings(max_examples=60, deadline=None, derandomize=True)
def test_asymmetric_loss_equals_the_formula(seed, gamma_neg, gamma_pos, clip):
    def formula(p, y):
        if y:
            return -((1 - p) ** gamma_pos) * math.log(p)
        shifted = max(p - clip, 0)
        return -(shifted**gamma_neg) * math.log(1 - shifted)

    logits, targets = draw(seed)
    loss = asymmetric_loss(logits, targets, gamma_neg, gamma_pos, clip)
    assert loss.item() == pytest.approx(average(formula, logits, targets), rel=1e-9)


def test_special_cases_are_cross_entropy():
    logits, targets = draw()
    plain = weighted_bce(logits, targets)
    torch.testing.assert_close(focal_loss(logits, targets, alpha=None, gamma=0), plain)
    torch.testing.assert_close(asymmetric_loss(logits, targets, 0, 0, 0), plain)


def test_asymmetric_loss_drops_easy_negatives():
    logits = torch.tensor([[math.log(0.04 / 0.96)]], requires_grad=True)  # p = 0.04 < 0.05
    loss = asymmetric_loss(logits, torch.zeros(1, 1))
    loss.backward()
    assert loss.item() == 0
    assert logits.grad.item() == 0


@pytest.mark.parametrize(
    "loss",
    [
        *LOSSES,
        lambda logits, y: focal_loss(logits, y, gamma=0.5),
        lambda logits, y: asymmetric_loss(logits, y, 0.5, 0.5, 0.05),
        lambda logits, y: asymmetric_loss(logits, y, 0, 0, 0),
    ],
)
def test_extreme_logits_give_finite_losses_and_gradients(loss):
    logits = torch.tensor([[-1000.0, -90.0, 0.0, 90.0, 1000.0]] * 2, requires_grad=True)
    value = loss(logits, torch.tensor([[0.0] * 5, [1.0] * 5]))
    value.backward()
    assert value.isfinite()
    assert logits.grad.isfinite().all()


@pytest.mark.parametrize("loss", LOSSES)
def test_gradients_equal_finite_differences(loss):
    logits, targets = draw()
    assert torch.autograd.gradcheck(lambda values: loss(values, targets), logits.requires_grad_())


@pytest.mark.parametrize("loss", LOSSES)
def test_average_does_not_grow_with_the_batch(loss):
    logits, targets = draw()
    twice = loss(logits.repeat(2, 1), targets.repeat(2, 1))
    torch.testing.assert_close(twice, loss(logits, targets))


@pytest.mark.parametrize("loss", LOSSES)
def test_targets_may_be_bool_or_float(loss):
    logits, targets = draw()
    assert torch.equal(loss(logits, targets), loss(logits, targets.float()))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda x, y: positive_weights(y[0]), "targets"),
        (lambda x, y: positive_weights(y[:0]), "targets"),
        (lambda x, y: positive_weights(y, 0), "max_weight"),
        (lambda x, y: weighted_bce(x, y[:, :1]), "same shape"),
        (lambda x, y: weighted_bce(x, y, torch.ones(1)), "pos_weight"),
        (lambda x, y: order_free_loss(x, y), "logits"),
        (lambda x, y: order_free_loss(x.unsqueeze(1), y[:, :4]), "same shape"),
        (lambda x, y: order_free_loss(x.unsqueeze(1), y[:1]), "same shape"),
        (lambda x, y: focal_loss(x, y, gamma=-1), "gamma"),
        (lambda x, y: focal_loss(x, y, alpha=2), "alpha"),
        (lambda x, y: asymmetric_loss(x, y, clip=1), "clip"),
        (lambda x, y: asymmetric_loss(x, y, gamma_neg=-1), "gammas"),
    ],
)
def test_wrong_arguments_are_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call(*draw())
