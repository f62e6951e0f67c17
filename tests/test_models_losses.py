import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from imet_utils.models import order_free_loss, positive_weights, weighted_bce


def draw(seed=0, shape=(4, 5)):
    random = np.random.default_rng(seed)
    logits = torch.from_numpy(random.normal(scale=3, size=shape))
    targets = torch.from_numpy(random.random(shape) < 0.4)
    return logits, targets


def test_positive_weights_by_hand():
    targets = torch.tensor(
        [[1, 0, 1, 1], [0, 0, 1, 1], [0, 0, 0, 1], [0, 0, 0, 1], [0, 0, 0, 1]], dtype=torch.bool
    )
    torch.testing.assert_close(
        positive_weights(targets, max_weight=3), torch.tensor([3.0, 3.0, 1.5, 0.0])
    )
    views = targets.unsqueeze(1).expand(-1, 2, -1)  # each is a row
    torch.testing.assert_close(positive_weights(views), torch.tensor([4.0, 10.0, 1.5, 0.0]))


@given(seed=st.integers(0, 1000), steps=st.integers(1, 3))
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


def test_extreme_logits_give_finite_losses_and_gradients():
    logits = torch.tensor([[-1000.0, -90.0, 0.0, 90.0, 1000.0]] * 2, requires_grad=True)
    value = weighted_bce(logits, torch.tensor([[0.0] * 5, [1.0] * 5]))
    value.backward()
    assert value.isfinite()
    assert logits.grad.isfinite().all()


@pytest.mark.parametrize(
    "call",
    [
        lambda x, y: weighted_bce(x, y[:, :1]),
        lambda x, y: order_free_loss(x, y),
        lambda x, y: order_free_loss(x.unsqueeze(1), y[:1]),
    ],
)
def test_logits_and_targets_that_do_not_fit_are_refused(call):
    with pytest.raises(ValueError, match="logits"):
        call(*draw())
