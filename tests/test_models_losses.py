import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from imet_utils.models import order_free_loss, positive_weights, weighted_bce


def test_positive_weights_by_hand():
    targets = torch.tensor([[1, 0, 1, 1], [0, 0, 1, 1]] + [[0, 0, 0, 1]] * 3, dtype=torch.bool)
    found = positive_weights(targets, max_weight=3)
    torch.testing.assert_close(found, torch.tensor([3.0, 3.0, 1.5, 0.0]))
    views = targets.unsqueeze(1).expand(-1, 2, -1)  # each is a row
    torch.testing.assert_close(positive_weights(views), torch.tensor([4.0, 10.0, 1.5, 0.0]))


@given(seed=st.integers(0, 1000), steps=st.integers(1, 3), scale=st.sampled_from([3.0, 1000.0]))
def test_losses_equal_the_formula_at_each_step_and_have_gradients(seed, steps, scale):
    random = np.random.default_rng(seed)
    logits = torch.from_numpy(random.normal(scale=scale, size=(3, steps, 4))).requires_grad_()
    targets = torch.from_numpy(random.random((3, 4)) < 0.4)
    weights = torch.tensor([0.5, 1.0, 3.0, 10.0], dtype=torch.float64)
    x, y, w = logits.detach().numpy(), targets.unsqueeze(1).numpy(), weights.numpy()
    log_p, log_not_p = -np.logaddexp(0, -x), -np.logaddexp(0, x)
    wanted = -(w * y * log_p + (1 - y) * log_not_p).mean(axis=(0, 2))
    loss = weighted_bce(logits[:, 0], targets, weights)
    assert loss.item() == pytest.approx(wanted[0], rel=1e-9)
    loss = order_free_loss(logits, targets, weights)
    assert loss.item() == pytest.approx(wanted.mean(), rel=1e-9)
    assert torch.autograd.grad(loss, logits)[0].isfinite().all()


@pytest.mark.parametrize(("loss", "shape"), [(weighted_bce, (4, 5)), (order_free_loss, (4, 1, 5))])
def test_logits_and_targets_that_do_not_fit_are_refused(loss, shape):
    with pytest.raises(ValueError, match="logits"):
        loss(torch.zeros(shape), torch.zeros(4, 1))
