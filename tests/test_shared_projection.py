import pytest
import torch

from imet_utils.shared_projection import SharedProjection


@pytest.fixture
def weight():
    generator = torch.Generator().manual_seed(0)
    return torch.randn(3, 3, dtype=torch.float64, generator=generator, requires_grad=True)


def recur(project, start, num_steps):
    values = start
    for _ in range(num_steps):
        values = torch.tanh(project(values))
    return values


def test_values_and_gradients_equal_plain_products(weight):
    start = torch.rand(4, 1, 3, dtype=torch.float64, requires_grad=True)
    shared = recur(SharedProjection(weight, 5, (4, 1)), start, 5)
    plain = recur(lambda values: values @ weight.T, start, 5)
    torch.testing.assert_close(shared, plain)
    ours = torch.autograd.grad(shared.square().sum(), [weight, start])
    theirs = torch.autograd.grad(plain.square().sum(), [weight, start])
    torch.testing.assert_close(ours, theirs)


def test_gradients_equal_finite_differences(weight):
    start = torch.rand(2, 3, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(
        lambda w, s: recur(SharedProjection(w, 3, (2,)), s, 3), (weight, start)
    )


def test_fewer_steps_than_announced_are_fine(weight):
    start = torch.rand(2, 3, dtype=torch.float64)
    ours = torch.autograd.grad(recur(SharedProjection(weight, 9, (2,)), start, 2).sum(), weight)
    theirs = torch.autograd.grad(recur(lambda values: values @ weight.T, start, 2).sum(), weight)
    torch.testing.assert_close(ours, theirs)


def test_backward_twice_gives_the_same(weight):
    loss = recur(SharedProjection(weight, 3, (2,)), torch.ones(2, 3).double(), 3).sum()
    (first,) = torch.autograd.grad(loss, weight, retain_graph=True)
    (second,) = torch.autograd.grad(loss, weight)
    assert torch.equal(first, second)


def test_a_frozen_weight_gets_no_gradient(weight):
    start = torch.rand(2, 3, dtype=torch.float64, requires_grad=True)
    frozen = weight.detach()
    recur(SharedProjection(frozen, 2, (2,)), start, 2).sum().backward()
    assert frozen.grad is None
    assert start.grad.abs().min() > 0
