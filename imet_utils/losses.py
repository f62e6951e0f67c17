"""Losses on logits for many labels an image, averaged over batch, steps and classes."""

import torch
from torch import Tensor
from torch.nn import functional


def positive_weights(targets: Tensor, max_weight: float = 10.0) -> Tensor:
    """Weigh each class's positives by negatives / positives, at most `max_weight`.

    Args:
        targets: (..., C) bool or 0/1; every leading dimension counts as rows.
        max_weight: the upper limit, above 0; also the weight of a class without positives.

    Returns:
        (C,) float32. A class that every row has gets 0: there is nothing to tell it from.

    >>> positive_weights(torch.tensor([[1, 0, 1], [0, 0, 1], [0, 0, 1]]))
    tensor([ 2., 10.,  0.])
    """
    if targets.ndim < 2 or targets.shape[:-1].numel() == 0:
        raise ValueError(f"targets must be (..., C) with at least one row: {tuple(targets.shape)}")
    if not max_weight > 0:
        raise ValueError(f"max_weight must be above 0, got {max_weight}")
    rows = targets.flatten(0, -2)  # (N, C)
    positives = rows.sum(dim=0, dtype=torch.float64)  # (C,)
    weights = (len(rows) - positives) / positives  # inf where there are no positives
    return weights.clamp(max=max_weight).float()


def weighted_bce(logits: Tensor, targets: Tensor, pos_weight: Tensor | None = None) -> Tensor:
    """Binary cross-entropy, labels taken as independent.

    -mean [ w y log(p) + (1 - y) log(1 - p) ] with p = sigmoid(logits).

    Args:
        logits: (B, C) or (B, T, C).
        targets: the same shape, bool or in [0, 1].
        pos_weight: (C,) w, see `positive_weights`; 1 if not given.
    """
    targets = _as_targets(targets, logits)
    if pos_weight is not None and pos_weight.shape != logits.shape[-1:]:
        wanted = tuple(logits.shape[-1:])
        raise ValueError(f"pos_weight must be {wanted}, got {tuple(pos_weight.shape)}")
    return functional.binary_cross_entropy_with_logits(logits, targets, pos_weight=pos_weight)


def order_free_loss(logits: Tensor, targets: Tensor, pos_weight: Tensor | None = None) -> Tensor:
    """Binary cross-entropy of every step against the full label set (Chen et al., AAAI 2018).

    Args:
        logits: (B, T, C).
        targets: (B, C), bool or in [0, 1].
        pos_weight: (C,), see `positive_weights`; 1 if not given.
    """
    if logits.ndim != 3 or targets.ndim != 2:
        shapes = f"{tuple(logits.shape)} and {tuple(targets.shape)}"
        raise ValueError(f"logits must be (B, T, C) and targets (B, C), got {shapes}")
    every_step = targets.unsqueeze(1).expand(-1, logits.shape[1], -1)  # (B, T, C)
    return weighted_bce(logits, every_step, pos_weight)


def focal_loss(
    logits: Tensor, targets: Tensor, alpha: float | None = 0.25, gamma: float = 2.0
) -> Tensor:
    """Focal loss: -mean alpha_t (1 - p_t)^gamma log(p_t) (Lin et al., ICCV 2017, equation 5).

    p_t is the probability given to what is true, alpha_t is alpha for positives and 1 - alpha for
    negatives.

    Args:
        logits: (B, C) or (B, T, C).
        targets: the same shape, bool or 0/1.
        alpha: in [0, 1]; None leaves the balance out.
        gamma: at least 0; 0 gives (balanced) cross-entropy.
    """
    targets = _as_targets(targets, logits)
    if gamma < 0 or (alpha is not None and not 0 <= alpha <= 1):
        raise ValueError(f"gamma must be >= 0 and alpha in [0, 1] or None, got {gamma}, {alpha}")
    signed = logits * (2 * targets - 1)  # log p_t = logsigmoid(signed), safe at any size
    loss = -functional.logsigmoid(signed) * (gamma * functional.logsigmoid(-signed)).exp()
    if alpha is not None:
        loss = loss * (alpha * targets + (1 - alpha) * (1 - targets))
    return loss.mean()


def asymmetric_loss(
    logits: Tensor,
    targets: Tensor,
    gamma_neg: float = 4.0,
    gamma_pos: float = 1.0,
    clip: float = 0.05,
) -> Tensor:
    """Asymmetric loss (Ridnik et al., ICCV 2021, equations 4 to 7), averaged instead of summed.

    -mean [ y (1 - p)^gamma_pos log(p) + (1 - y) q^gamma_neg log(1 - q) ] with
    p = sigmoid(logits) and q = max(p - clip, 0): a negative below `clip` costs nothing. The
    gradient flows through all of it.

    Args:
        logits: (B, C) or (B, T, C).
        targets: the same shape, bool or 0/1.
        gamma_neg: focus on hard negatives, at least 0.
        gamma_pos: focus on hard positives, at least 0.
        clip: in [0, 1).
    """
    targets = _as_targets(targets, logits)
    if gamma_neg < 0 or gamma_pos < 0 or not 0 <= clip < 1:
        given = f"{gamma_neg}, {gamma_pos}, {clip}"
        raise ValueError(f"gammas must be >= 0 and clip in [0, 1), got {given}")
    log_p, log_not_p = functional.logsigmoid(logits), functional.logsigmoid(-logits)
    positive = (gamma_pos * log_not_p).exp() * log_p
    # log(1 - q) as log(1 - p + clip), in log space so that p = 1 without a clip stays finite. The
    # floor under q keeps the slope of its power finite at 0.
    log_clip = torch.full_like(logits, clip).log()
    log_not_q = torch.logaddexp(log_not_p, log_clip).clamp(max=0)
    shifted = (logits.sigmoid() - clip).clamp(min=torch.finfo(logits.dtype).tiny)
    negative = shifted.pow(gamma_neg) * log_not_q
    return -torch.where(targets > 0, positive, negative).mean()


def _as_targets(targets: Tensor, logits: Tensor) -> Tensor:
    if targets.shape != logits.shape:
        given = f"{tuple(targets.shape)} and {tuple(logits.shape)}"
        raise ValueError(f"targets and logits must have the same shape, got {given}")
    return targets.to(logits.dtype)
