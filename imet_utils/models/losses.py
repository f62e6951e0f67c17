"""Losses on logits for many labels an image, averaged over batch, steps and classes."""

import torch
from torch import Tensor
from torch.nn import functional


def positive_weights(targets: Tensor, max_weight: float = 10.0) -> Tensor:
    """Weigh each class's positives by negatives / positives, at most `max_weight`, above 0.

    From targets (..., C), whose leading dimensions all count as rows, to (C,) float32: `max_weight`
    for a class without positives, 0 for one that every row has.

    >>> positive_weights(torch.tensor([[1, 0, 1], [0, 0, 1], [0, 0, 1]]))
    tensor([ 2., 10.,  0.])
    """
    rows = targets.flatten(0, -2)  # (N, C)
    positives = rows.sum(dim=0, dtype=torch.float64)  # (C,)
    weights = (len(rows) - positives) / positives  # inf where there are no positives
    return weights.clamp(max=max_weight).float()


def weighted_bce(logits: Tensor, targets: Tensor, pos_weight: Tensor | None = None) -> Tensor:
    """Binary cross-entropy, labels taken as independent, logits (B, C) or (B, T, C), targets alike.

    -mean [ w y log(p) + (1 - y) log(1 - p) ] with p = sigmoid(logits), y in [0, 1] and w (C,) of
    `positive_weights`, or 1.
    """
    if targets.shape != logits.shape:
        given = f"{tuple(targets.shape)} and {tuple(logits.shape)}"
        raise ValueError(f"targets and logits must have the same shape, got {given}")
    targets = targets.to(logits.dtype)
    return functional.binary_cross_entropy_with_logits(logits, targets, pos_weight=pos_weight)


def order_free_loss(logits: Tensor, targets: Tensor, pos_weight: Tensor | None = None) -> Tensor:
    """`weighted_bce` of every step, logits (B, T, C), against the full label set, targets (B, C).

    Chen et al., AAAI 2018.
    """
    every_step = targets.unsqueeze(1).expand(-1, logits.shape[1], -1)  # (B, T, C)
    return weighted_bce(logits, every_step, pos_weight)
