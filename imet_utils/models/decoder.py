"""The order-free RNN with visual attention: its attention, its projection, its steps."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import torch
from torch import Tensor, nn
from torch.autograd.function import FunctionCtx, once_differentiable
from torch.nn import functional

SMALLEST_PROB = 1e-6  # that is fed on as a logit: a probability of 0 has none
FOCUS = 2.0  # power of the odds: unlikely labels, being many, would outweigh the one expected
PRIOR_LOGIT = -4.0  # most labels are rare: evidence starts near that (Lin et al., ICCV 2017)


class AdditiveAttention(nn.Module):
    """Energies of a small network over maps and hidden state (Xu et al., ICML 2015)."""

    def __init__(self, encoder_dim: int, attn_dim: int, decoder_dim: int) -> None:
        super().__init__()
        self.key = nn.Linear(encoder_dim, attn_dim)
        # No bias in these two: the key's bias says the same as the query's would, and the softmax
        # takes no notice of a constant in the energies.
        self.query = nn.Linear(decoder_dim, attn_dim, bias=False)
        self.energy = nn.Linear(attn_dim, 1, bias=False)

    def keys(self, maps: Tensor) -> Tensor:
        """Compute what all steps share: maps (B, P, E) to (B, P, A)."""
        return self.key(maps)

    def forward(self, keys: Tensor, hidden: Tensor) -> Tensor:
        """Attend by the hidden state (B, K, D): (B, K, P)."""
        query = self.query(hidden).unsqueeze(2)  # (B, K, 1, A)
        energies = self.energy((keys.unsqueeze(1) + query).relu_())  # (B, K, P, 1)
        return energies.squeeze(-1).softmax(dim=-1)  # (B, K, P)


class LabelAttention(nn.Module):
    """Energies that are the evidence for the labels most probable next.

    A linear classifier of single positions says how much each of them speaks for each label; a
    step looks where the evidence is for the labels that it expects, those already named left out.
    So the attention has a reason, and moves on when a label is named. The classifier learns from
    `label_logits`, a residual attention of every class (Zhu and Wu, ICCV 2021).
    """

    def __init__(self, encoder_dim: int, num_classes: int) -> None:
        super().__init__()
        self.evidence = nn.Linear(encoder_dim, num_classes)
        nn.init.constant_(self.evidence.bias, PRIOR_LOGIT)
        self.sharpness = nn.Parameter(torch.ones(()))

    def keys(self, maps: Tensor) -> Tensor:
        """Compute what all steps share, the evidence at each position: (B, P, E) to (B, P, C)."""
        return self.evidence(maps)

    def forward(self, keys: Tensor, candidates: Tensor) -> Tensor:
        """Attend by the candidates' logits (B, K, C), -inf where named already: (B, K, P)."""
        expected = (FOCUS * candidates).softmax(dim=-1).to(keys.dtype)  # (B, K, C)
        energies = self.sharpness * (expected @ keys.transpose(1, 2))  # (B, K, P)
        return energies.softmax(dim=-1)

    def by_label(self, keys: Tensor) -> Tensor:
        """Attend by each label alone, of sum 1 over the positions: (B, P, C) to (B, C, P)."""
        return (self.sharpness * keys).softmax(dim=1).transpose(1, 2)

    def label_logits(self, keys: Tensor) -> Tensor:
        """Judge each label by its evidence (B, P, C), half at all positions, half at its best."""
        weights = self.by_label(keys).transpose(1, 2)  # (B, P, C)
        return (keys.mean(dim=1) + (weights * keys).sum(dim=1)) / 2  # (B, C)


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
        tap = self.taps[len(self.inputs)]
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


@dataclass(frozen=True)
class DecoderState:
    """What `AttnDecoder` carries from step to step; all K beams of an image share maps and keys.

    Attributes:
        maps: (B, P, E) as given.
        keys: (B, P, A) or (B, P, C), the maps' side of the attention energies.
        hidden: (B, K, D) of the LSTM.
        cell: (B, K, D) of the LSTM.
    """

    maps: Tensor
    keys: Tensor
    hidden: Tensor
    cell: Tensor

    def select(self, parents: Tensor) -> "DecoderState":
        """Continue from beams `parents` (B, K'), indices below K; K' may be another number."""
        rows = parents.unsqueeze(-1)  # (B, K', 1)
        hidden, cell = (part.take_along_dim(rows, dim=1) for part in (self.hidden, self.cell))
        return replace(self, hidden=hidden, cell=cell)


class AttnDecoder(nn.Module):
    """Order-free RNN with visual attention (Chen et al., AAAI 2018) over a CNN's maps.

    A step attends to the maps (soft attention with a sigmoid gate, Xu et al., ICML 2015), feeds an
    LSTM with [probabilities of the step before, gated context, labels predicted so far] and gives
    a logit for every label. The most probable label not yet predicted is fed on, so that no order
    of the labels is laid down.

    With `residual` a step revises the step before: its logits are added to those of the
    probabilities fed on, so that an untrained step changes little and the classifier's knowledge
    need not pass through the LSTM. With `attend_by_labels` a step looks at the evidence for the
    labels that the step before leaves most probable, see `LabelAttention`.
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
        if attend_by_labels:
            self.attention = LabelAttention(encoder_dim, num_classes)
        else:
            self.attention = AdditiveAttention(encoder_dim, attn_dim, decoder_dim)
        self.gate = nn.Linear(decoder_dim, encoder_dim)
        self.init_hidden = nn.Linear(encoder_dim, decoder_dim)
        self.init_cell = nn.Linear(encoder_dim, decoder_dim)
        self.lstm = nn.LSTMCell(2 * num_classes + encoder_dim, decoder_dim)
        self.fc1 = nn.Linear(decoder_dim, decoder_dim)
        self.fc2 = nn.Linear(decoder_dim, num_classes)

    def forward(self, maps: Tensor, probs: Tensor, num_steps: int = 10) -> Tensor:
        """Run freely: each step is fed with what the step before predicted, never with targets.

        The gradient flows through the probabilities fed on; the choice of a label has none.

        Args:
            maps: (B, P, E).
            probs: (B, C) in [0, 1], a classifier's own: the "previous probabilities" of step 1.
            num_steps: steps wanted; never more than there are labels.

        Returns:
            Logits (B, T, C) with T = min(num_steps, C).
        """
        return self.run(self.start(maps), probs, num_steps)

    def start(self, maps: Tensor) -> DecoderState:
        """Compute the keys once and the LSTM's first state from the mean of the maps (B, P, E)."""
        if maps.ndim != 3 or maps.shape[2] != self.encoder_dim or not maps.is_floating_point():
            wanted = f"floats (B, P, {self.encoder_dim})"
            raise ValueError(f"maps must be {wanted}, got {maps.dtype} {tuple(maps.shape)}")
        mean = maps.mean(dim=1, keepdim=True)  # (B, 1, E)
        keys = self.attention.keys(maps)
        return DecoderState(maps, keys, self.init_hidden(mean), self.init_cell(mean))

    def run(self, state: DecoderState, probs: Tensor, num_steps: int = 10) -> Tensor:
        """Do as `forward`, from the state that `start` makes of the maps."""
        wanted = (len(state.maps), self.num_classes)
        if probs.shape != wanted or not probs.is_floating_point():
            given = f"{probs.dtype} {tuple(probs.shape)}"
            raise ValueError(f"probs must be floats {wanted}, got {given}")
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
        """Take one step on all beams.

        Args:
            state: of `start` or of the step before.
            previous_probs: (B, K, C) in [0, 1].
            chosen: (B, K, C) bool, the labels predicted so far.
            project: multiplies by the LSTM's input weights, see `SharedProjection`.
            drop: whether dropout acts, whatever mode the module is in.

        Returns:
            Logits (B, K, C), attention (B, K, P) over the positions, the next state.
        """
        project = project or partial(functional.linear, weight=self.lstm.weight_ih)
        attention = self._attend(state, previous_probs, chosen)  # (B, K, P)
        context = self.gate(state.hidden).sigmoid() * (attention @ state.maps)  # (B, K, E)
        inputs = torch.cat([previous_probs, context, chosen.to(context.dtype)], dim=-1)
        gates = project(inputs) + self.lstm.bias_ih  # (B, K, 4D)
        gates = gates + functional.linear(state.hidden, self.lstm.weight_hh, self.lstm.bias_hh)
        admit, retain, update, show = gates.chunk(4, dim=-1)  # (B, K, D) each
        cell = retain.sigmoid() * state.cell + admit.sigmoid() * update.tanh()
        hidden = show.sigmoid() * cell.tanh()
        features = self.fc1(functional.dropout(hidden, self.dropout, drop))
        logits = self.fc2(functional.dropout(features, self.dropout, drop))  # (B, K, C)
        if self.residual:
            logits = logits + previous_probs.logit(eps=SMALLEST_PROB)
        return logits, attention, replace(state, hidden=hidden, cell=cell)

    def _attend(self, state: DecoderState, previous_probs: Tensor, chosen: Tensor) -> Tensor:
        if isinstance(self.attention, AdditiveAttention):
            return self.attention(state.keys, state.hidden)
        candidates = candidate_logits(previous_probs.logit(eps=SMALLEST_PROB), chosen)
        return self.attention(state.keys, candidates)


def candidate_logits(logits: Tensor, chosen: Tensor) -> Tensor:
    """Set the logits (..., C) of labels already chosen (bool) below those of every other label.

    The others are kept finite, so that even a label of probability 0 comes before a chosen one.
    """
    return logits.detach().clamp(min=-1e4).masked_fill(chosen, -torch.inf)
