"""One weight used at every step of a recurrent net, with its gradient computed once."""

import torch
from torch import Tensor
from torch.autograd.function import FunctionCtx, once_differentiable
from torch.nn import functional


class SharedProjection:
    """`inputs @ weight.T` at up to T steps, with one product for the weight's gradient, not T.

    Where the weight is large and a step has few rows, as in `AttnDecoder`, autograd's T separate
    gradients, each of the weight's size, take most of the time of a training step. The result is
    the same up to rounding. First derivatives only.

    Args:
        weight: (O, I).
        num_steps: T, the most calls that will be made.
        shape: of the inputs without their last dimension.

    >>> weight = torch.ones(1, 2, requires_grad=True)
    >>> project = SharedProjection(weight, num_steps=2, shape=(1,))
    >>> (project(torch.tensor([[1.0, 2.0]])) + project(torch.tensor([[10.0, 20.0]]))).backward()
    >>> weight.grad
    tensor([[11., 22.]])
    """

    def __init__(self, weight: Tensor, num_steps: int, shape: tuple[int, ...]) -> None:
        self.weight = weight.detach()
        if torch.is_autocast_enabled(weight.device.type):  # which would convert it at every step
            self.weight = self.weight.to(torch.get_autocast_dtype(weight.device.type))
        self.inputs: list[Tensor] = []
        taps = _GradientTaps.apply(weight, self.inputs, (num_steps, *shape, len(weight)))
        self.taps = taps.unbind(0)  # T of (..., O)

    def __call__(self, inputs: Tensor) -> Tensor:
        """Project the inputs (..., I) of the next step to (..., O)."""
        tap = self.taps[len(self.inputs)]  # (..., O)
        self.inputs.append(inputs.detach())
        return functional.linear(inputs, self.weight) + tap


class _GradientTaps(torch.autograd.Function):
    """Zeros to add to each step's product: what comes back through them is its gradient."""

    @staticmethod
    def forward(
        ctx: FunctionCtx, weight: Tensor, inputs: list[Tensor], shape: tuple[int, ...]
    ) -> Tensor:
        ctx.inputs = inputs  # filled by the steps, complete by the time of backward
        return weight.new_zeros(shape)

    @staticmethod
    @once_differentiable
    def backward(ctx: FunctionCtx, grad: Tensor) -> tuple[Tensor, None, None]:
        inputs = torch.stack(ctx.inputs).to(grad.dtype)  # (T, ..., I)
        grad = grad[: len(inputs)].flatten(0, -2)  # (T * rows, O)
        return grad.t() @ inputs.flatten(0, -2), None, None
