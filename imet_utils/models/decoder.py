"""The order-free RNN with visual attention: its attention, its projection, its steps."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import torch
from torch import Tensor, nn
from torch.autograd.function import FunctionCtx, once_differentiable
from torch.nn import functional

SMALLEST_PROB = 1e-6  # clamp of probabilities before their logit, which is infinite at 0
FOCUS = 2.0  # power of the odds: else the many unlikely labels outweigh the expected one
PRIOR_LOGIT = -4.0  # most labels are rare: initial bias of the evidence (Lin et al., ICCV 2017)


class AdditiveAttention(nn.Module):
    """Energies of a small network over maps and hidden state (Xu et al., ICML 2015)."""

    def __init__(self, encoder_dim: int, attn_dim: int, decoder_dim: int) -> None:
        super().__init__()
        self.keys = nn.Linear(encoder_dim, attn_dim)  # (B, P, E) to (B, P, A)
        # The keys' bias makes the query's redundant; the softmax cancels one of the energies.
        self.query = nn.Linear(decoder_dim, attn_dim, bias=False)
        self.energy = nn.Linear(attn_dim, 1, bias=False)

    def forward(self, keys: Tensor, hidden: Tensor) -> Tensor:
        """Attend by the hidden state (B, K, D): (B, K, P)."""
        query = self.query(hidden).unsqueeze(2)  # (B, K, 1, A)
        energies = self.energy((keys.unsqueeze(1) + query).relu_())  # (B, K, P, 1)
        return energies.squeeze(-1).softmax(dim=-1)  # (B, K, P)


class LabelAttention(nn.Module):
    """Energies that are the evidence for the labels most probable next.

    A linear classifier of single positions gives the evidence for each label there. A step attends
    to the evidence for the labels that it expects, without those predicted already, so that the
    attention moves on when a label is predicted. The classifier learns from `label_logits`, the
    class-specific residual attention of Zhu and Wu, ICCV 2021.
    """

    def __init__(self, encoder_dim: int, num_classes: int) -> None:
        super().__init__()
        self.keys = nn.Linear(encoder_dim, num_classes)  # evidence, (B, P, E) to (B, P, C)
        nn.init.constant_(self.keys.bias, PRIOR_LOGIT)
        self.sharpness = nn.Parameter(torch.ones(()))

    def forward(self, keys: Tensor, candidates: Tensor) -> Tensor:
        """Attend by the candidates' logits (B, K, C), -inf where predicted already: (B, K, P)."""
        expected = (FOCUS * candidates).softmax(dim=-1).to(keys.dtype)  # (B, K, C)
        energies = self.sharpness * (expected @ keys.transpose(1, 2))  # (B, K, P)
        return energies.softmax(dim=-1)

    def by_label(self, keys: Tensor) -> Tensor:
        """Attend by each label alone, of sum 1 over the positions: (B, P, C) to (B, C, P)."""
        return (self.sharpness * keys).softmax(dim=1).transpose(1, 2)

    def label_logits(self, keys: Tensor) -> Tensor:
        """Pool each label's evidence (B, P, C), half by its mean, half by attention: (B, C)."""
        weights = self.by_label(keys).transpose(1, 2)  # (B, P, C)
        return (keys.mean(dim=1) + (weights * keys).sum(dim=1)) / 2


class SharedProjection:
    """`inputs @ weight.T` at up to T steps, with one product for the weight's gradient, not T.

    T separate gradients of a large weight would take most of the time of a training step. First
    derivatives only.
    """

    def __init__(self, weight: Tensor, num_steps: int, shape: tuple[int, ...]) -> None:
        """Take a weight (O, I), T, and the shape of the inputs without I."""
        self.weight = weight.detach()
        if torch.is_autocast_enabled(weight.device.type):  # which would convert it at every step
            self.weight = self.weight.to(torch.get_autocast_dtype(weight.device.type))
        self.inputs: list[Tensor] = []
        taps = _GradientTaps.apply(weight, self.inputs, (num_steps, *shape, len(weight)))
        self.taps = taps.unbind(0)  # T of (..., O)

    def __call__(self, inputs: Tensor) -> Tensor:
        """Project the inputs (..., I) of the next step to (..., O)."""
        tap = self.taps[len(self.inputs)]
        self.inputs.append(inputs.detach())
        return functional.linear(inputs, self.weight) + tap


class _GradientTaps(torch.autograd.Function):
    """Zeros added to each step's product: the gradient of a tap is that of its product."""

    @staticmethod
    def forward(
        ctx: FunctionCtx, weight: Tensor, inputs: list[Tensor], shape: tuple[int, ...]
    ) -> Tensor:
        ctx.inputs = inputs  # type: ignore[attr-defined]  # complete by the time of backward
        return weight.new_zeros(shape)

    @staticmethod
    @once_differentiable
    def backward(ctx: FunctionCtx, grad: Tensor) -> tuple[Tensor, None, None]:
        given: list[Tensor] = ctx.inputs  # type: ignore[attr-defined]
        inputs = torch.stack(given).to(grad.dtype)  # (T, ..., I)
        grad = grad[: len(inputs)].flatten(0, -2)  # (T * rows, O)
        return grad.t() @ inputs.flatten(0, -2), None, None


@dataclass(frozen=True)
class DecoderState:
    """State of `AttnDecoder` between steps; all K beams of an image share maps and keys."""

    maps: Tensor  # (B, P, E)
    keys: Tensor  # (B, P, A) or (B, P, C), the maps' side of the attention energies
    hidden: Tensor  # (B, K, D) of the LSTM
    cell: Tensor  # (B, K, D) of the LSTM

    def select(self, parents: Tensor) -> "DecoderState":
        """Continue from beams `parents` (B, K')."""
        rows = parents.unsqueeze(-1)  # (B, K', 1)
        hidden, cell = (part.take_along_dim(rows, dim=1) for part in (self.hidden, self.cell))
        return replace(self, hidden=hidden, cell=cell)


class AttnDecoder(nn.Module):
    """Order-free RNN with visual attention (Chen et al., AAAI 2018) over a CNN's maps.

    A step attends to the maps (soft attention with a sigmoid gate, Xu et al., ICML 2015), feeds an
    LSTM with [probabilities of the step before, gated context, labels predicted so far] and
    computes a logit for every label. The most probable label not yet predicted is fed on, so that
    no order of the labels is imposed.

    With `residual` the logits of a step are added to those of the probabilities fed on, so that the
    classifier's knowledge need not pass through the LSTM. With `attend_by_labels` a step attends by
    `LabelAttention`. Without both it is the poster's.
    """

    def __init__(
        self,
        num_classes: int,
        encoder_dim: int,
        attn_dim: int = 512,
        decoder_dim: int = 512,
        dropout: float = 0.5,
        residual: bool = False,
        attend_by_labels: bool = False,
    ) -> None:
        super().__init__()
        self.num_classes = num_classes
        self.encoder_dim = encoder_dim
        self.dropout = dropout
        self.residual = residual
        self.attention = (
            LabelAttention(encoder_dim, num_classes)
            if attend_by_labels
            else AdditiveAttention(encoder_dim, attn_dim, decoder_dim)
        )
        self.gate = nn.Linear(decoder_dim, encoder_dim)
        self.init_hidden = nn.Linear(encoder_dim, decoder_dim)
        self.init_cell = nn.Linear(encoder_dim, decoder_dim)
        self.lstm = nn.LSTMCell(2 * num_classes + encoder_dim, decoder_dim)
        self.fc1 = nn.Linear(decoder_dim, decoder_dim)
        self.fc2 = nn.Linear(decoder_dim, num_classes)

    def forward(self, maps: Tensor, probs: Tensor, num_steps: int = 10) -> Tensor:
        """Run freely, each step fed with the predictions of the step before, never with targets.

        From maps (B, P, E) and a classifier's probabilities (B, C) to logits (B, T, C), with T =
        min(num_steps, C). The gradient flows through the probabilities, not the choice of a label.
        """
        return self.run(self.start(maps), probs, num_steps)

    def start(self, maps: Tensor) -> DecoderState:
        """Compute the keys, and the LSTM's first state from the mean of the maps (B, P, E)."""
        if maps.ndim != 3 or maps.shape[2] != self.encoder_dim:
            raise ValueError(f"maps must be (B, P, {self.encoder_dim}), got {tuple(maps.shape)}")
        mean = maps.mean(dim=1, keepdim=True)  # (B, 1, E)
        keys = self.attention.keys(maps)
        return DecoderState(maps, keys, self.init_hidden(mean), self.init_cell(mean))

    def run(self, state: DecoderState, probs: Tensor, num_steps: int = 10) -> Tensor:
        """Run freely, as `forward`, from the state of `start`."""
        wanted = (len(state.maps), self.num_classes)
        if probs.shape != wanted:
            raise ValueError(f"probs must be {wanted}, got {tuple(probs.shape)}")
        num_steps = min(num_steps, self.num_classes)
        project = SharedProjection(self.lstm.weight_ih, num_steps, (len(probs), 1))
        previous = probs.unsqueeze(1)  # (B, 1, C)
        chosen = torch.zeros_like(previous, dtype=torch.bool)  # (B, 1, C)
        steps = []
        for _ in range(num_steps):
            logits, _, state = self.step(state, previous, chosen, project, self.training)
            steps.append(logits)
            label = candidate_logits(logits, chosen).argmax(dim=-1, keepdim=True)  # (B, 1, 1)
            chosen = chosen.scatter(-1, label, True)
            previous = logits.sigmoid()
        return torch.cat(steps, dim=1)  # (B, T, C)

    def step(
        self,
        state: DecoderState,
        previous_probs: Tensor,
        chosen: Tensor,
        project: Callable[[Tensor], Tensor] | None = None,
        drop: bool = False,
    ) -> tuple[Tensor, Tensor, DecoderState]:
        """Take one step on all beams: logits (B, K, C), attention (B, K, P), the next state.

        From probabilities of the step before, (B, K, C) in [0, 1], and the labels predicted so far,
        (B, K, C) bool. `project` is by the LSTM's input weights, see `SharedProjection`; `drop`
        says whether dropout acts, whatever mode the module is in.
        """
        if isinstance(self.attention, LabelAttention):
            candidates = candidate_logits(previous_probs.logit(eps=SMALLEST_PROB), chosen)
            attention = self.attention(state.keys, candidates)  # (B, K, P)
        else:
            attention = self.attention(state.keys, state.hidden)  # (B, K, P)
        context = self.gate(state.hidden).sigmoid() * (attention @ state.maps)  # (B, K, E)
        inputs = torch.cat([previous_probs, context, chosen.to(context.dtype)], dim=-1)
        project = project or partial(functional.linear, weight=self.lstm.weight_ih)
        gates = project(inputs) + self.lstm.bias_ih  # (B, K, 4D)
        gates = gates + functional.linear(state.hidden, self.lstm.weight_hh, self.lstm.bias_hh)
        admit, forget, update, output = gates.chunk(4, dim=-1)  # (B, K, D) each
        cell = forget.sigmoid() * state.cell + admit.sigmoid() * update.tanh()
        hidden = output.sigmoid() * cell.tanh()
        features = self.fc1(functional.dropout(hidden, self.dropout, drop))
        logits = self.fc2(functional.dropout(features, self.dropout, drop))  # (B, K, C)
        if self.residual:
            logits = logits + previous_probs.logit(eps=SMALLEST_PROB)
        return logits, attention, replace(state, hidden=hidden, cell=cell)


def candidate_logits(logits: Tensor, chosen: Tensor) -> Tensor:
    """Set the logits (..., C) of labels chosen already (bool) below those of every other label.

    The others are kept finite, so that even a label of probability 0 comes before a chosen one.
    """
    return logits.detach().clamp(min=-1e4).masked_fill(chosen, -torch.inf)
