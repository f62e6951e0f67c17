"""Heads over CNN features: two linear classifiers and the order-free RNN with visual attention."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from imet_utils.attention import AdditiveAttention, LabelAttention
from imet_utils.shared_projection import SharedProjection

SMALLEST_PROB = 1e-6  # that is fed on as a logit: a probability of 0 has none


class LinearClassifier(nn.Module):
    """The baseline's last layer: every label on its own, from the pooled features."""

    def __init__(self, dim: int, num_classes: int) -> None:
        super().__init__()
        _check_sizes(dim=dim, num_classes=num_classes)
        self.fc = nn.Linear(dim, num_classes)

    def forward(self, pooled: Tensor) -> Tensor:
        """Map pooled features (B, E) to logits (B, C)."""
        _check_last_dim("pooled", pooled, 2, self.fc.in_features)
        return self.fc(pooled)  # (B, C)


class HogFusionClassifier(nn.Module):
    """The baseline with the HOG vector set beside the pooled features before the last layer."""

    def __init__(self, dim: int, hog_dim: int, num_classes: int) -> None:
        super().__init__()
        _check_sizes(dim=dim, hog_dim=hog_dim, num_classes=num_classes)
        self.dim = dim
        self.hog_dim = hog_dim
        self.fc = nn.Linear(dim + hog_dim, num_classes)

    def forward(self, pooled: Tensor, hog: Tensor) -> Tensor:
        """Map pooled features (B, E) and HOG vectors (B, H) to logits (B, C)."""
        _check_last_dim("pooled", pooled, 2, self.dim)
        _check_last_dim("hog", hog, 2, self.hog_dim)
        return self.fc(torch.cat([pooled, hog], dim=1))  # (B, C)


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
        parents = parents.unsqueeze(-1)  # (B, K', 1)
        return DecoderState(
            self.maps,
            self.keys,
            self.hidden.take_along_dim(parents, dim=1),
            self.cell.take_along_dim(parents, dim=1),
        )


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
        _check_sizes(
            num_classes=num_classes,
            encoder_dim=encoder_dim,
            attn_dim=attn_dim,
            decoder_dim=decoder_dim,
        )
        if not 0 <= dropout < 1:
            raise ValueError(f"dropout must lie in [0, 1), got {dropout}")
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

    def run(self, state: DecoderState, probs: Tensor, num_steps: int = 10) -> Tensor:
        """Do as `forward`, from the state that `start` makes of the maps."""
        maps = state.maps
        check_probs(probs, maps, self.num_classes)
        _check_sizes(num_steps=num_steps)
        previous = probs.unsqueeze(1)  # (B, 1, C)
        chosen = torch.zeros_like(previous, dtype=torch.bool)  # (B, 1, C)
        steps = []
        num_steps = min(num_steps, self.num_classes)
        project = SharedProjection(self.lstm.weight_ih, num_steps, (len(maps), 1))
        for _ in range(num_steps):
            logits, _, state = self._step(state, previous, chosen, project, self.training)
            steps.append(logits)
            label = candidate_logits(logits, chosen).argmax(dim=-1, keepdim=True)  # (B, 1, 1)
            chosen = chosen.scatter(-1, label, True)
            previous = logits.sigmoid()
        return torch.cat(steps, dim=1)  # (B, T, C)

    def start(self, maps: Tensor) -> DecoderState:
        """Compute the keys once and the LSTM's first state from the mean of the maps (B, P, E)."""
        _check_last_dim("maps", maps, 3, self.encoder_dim)
        mean = maps.mean(dim=1, keepdim=True)  # (B, 1, E)
        keys = self.attention.keys(maps)
        return DecoderState(maps, keys, self.init_hidden(mean), self.init_cell(mean))

    def step(
        self, state: DecoderState, previous_probs: Tensor, chosen: Tensor
    ) -> tuple[Tensor, Tensor, DecoderState]:
        """Take one step on all beams, without dropout whatever mode the module is in.

        Args:
            state: of `start` or of the step before.
            previous_probs: (B, K, C) in [0, 1].
            chosen: (B, K, C) bool, the labels predicted so far.

        Returns:
            Logits (B, K, C), attention (B, K, P) over the positions, the next state.
        """
        wanted = (*state.hidden.shape[:2], self.num_classes)
        for name, values in [("previous_probs", previous_probs), ("chosen", chosen)]:
            if values.shape != wanted:
                raise ValueError(f"{name} must be {wanted}, got {tuple(values.shape)}")

        def project(inputs: Tensor) -> Tensor:
            return functional.linear(inputs, self.lstm.weight_ih)

        return self._step(state, previous_probs, chosen, project, drop=False)

    def _step(
        self,
        state: DecoderState,
        previous_probs: Tensor,
        chosen: Tensor,
        project: Callable[[Tensor], Tensor],
        drop: bool,
    ) -> tuple[Tensor, Tensor, DecoderState]:
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
        return logits, attention, DecoderState(state.maps, state.keys, hidden, cell)

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


def check_probs(probs: Tensor, maps: Tensor, num_classes: int) -> None:
    """Raise ValueError unless probs are (B, C) floats for the images of maps (B, P, E)."""
    wanted = (len(maps), num_classes)
    if probs.shape != wanted or not probs.is_floating_point():
        raise ValueError(f"probs must be floats {wanted}, got {probs.dtype} {tuple(probs.shape)}")


def _check_sizes(**sizes: int) -> None:
    for name, size in sizes.items():
        if size < 1:
            raise ValueError(f"{name} must be at least 1, got {size}")


def _check_last_dim(name: str, values: Tensor, rank: int, dim: int) -> None:
    if values.ndim != rank or values.shape[-1] != dim or not values.is_floating_point():
        wanted = f"floats of rank {rank} with last dimension {dim}"
        raise ValueError(f"{name} must be {wanted}, got {values.dtype} {tuple(values.shape)}")
