"""Soft attention over a CNN's maps: asked by the decoder's state, or by the labels to come."""

import torch
from torch import Tensor, nn

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

    def label_logits(self, keys: Tensor) -> Tensor:
        """Judge each label by its evidence (B, P, C), half at all positions, half at its best."""
        weights = (self.sharpness * keys).softmax(dim=1)
        return (keys.mean(dim=1) + (weights * keys).sum(dim=1)) / 2  # (B, C)
