"""A transformer head over CNN maps: one learned query a label attends to the positions."""

import torch
from torch import Tensor, nn

from imet_utils.models import Standardise


class LabelQueryClassifier(nn.Module):
    """Query2Label (Liu et al., 2021) without self-attention among the labels' queries.

    A transformer decoder's layer of cross-attention and feed-forward, each with a residual and a
    layer norm after it, gives one vector a label. Self-attention among C queries that are the same
    for every image costs C^2 and gains nothing (ML-Decoder, Ridnik et al., WACV 2023), so that a
    label's logit depends on its own query alone.
    """

    def __init__(
        self,
        num_classes: int,
        encoder_dim: int,
        dim: int = 256,
        num_heads: int = 8,
        dropout: float = 0.3,
    ) -> None:
        super().__init__()
        self.standardise = Standardise(encoder_dim)
        self.dropout = nn.Dropout(dropout)
        self.project = nn.Linear(encoder_dim, dim)
        self.queries = nn.Parameter(torch.randn(num_classes, dim))
        self.attention = nn.MultiheadAttention(dim, num_heads, batch_first=True)
        self.attention_norm = nn.LayerNorm(dim)
        self.feed_forward = nn.Sequential(
            nn.Linear(dim, dim), nn.ReLU(), nn.Dropout(dropout), nn.Linear(dim, dim)
        )
        self.output_norm = nn.LayerNorm(dim)
        self.fc = nn.Linear(dim, num_classes)

    def forward(self, maps: Tensor) -> Tensor:
        """Map CNN maps (B, P, E) to logits (B, C)."""
        memory = self.project(self.dropout(self.standardise(maps)))  # (B, P, D)
        queries = self.queries.expand(len(maps), -1, -1)  # (B, C, D)
        context, _ = self.attention(queries, memory, memory, need_weights=False)
        outputs = self.attention_norm(queries + context)
        outputs = self.output_norm(outputs + self.feed_forward(outputs))  # (B, C, D)
        # A label's weights meet its own output only: the diagonal of self.fc(outputs).
        return (outputs * self.fc.weight).sum(dim=-1) + self.fc.bias  # (B, C)
