"""Losses for rare labels that did not win on validation, kept so that they can be run again."""

import torch
from torch import Tensor
from torch.nn import functional


def focal_loss(
    logits: Tensor, targets: Tensor, alpha: float | None = 0.25, gamma: float = 2.0
) -> Tensor:
    """Focal loss: -mean alpha_t (1 - p_t)^gamma log(p_t) (Lin et al., ICCV 2017, equation 5).

    p_t is the probability given to what is true, alpha_t is alpha for positives and 1 - alpha for
    negatives.
    """
    targets = targets.to(logits.dtype)
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
    """
    targets = targets.to(logits.dtype)
    log_p, log_not_p = functional.logsigmoid(logits), functional.logsigmoid(-logits)
    positive = (gamma_pos * log_not_p).exp() * log_p
    # log(1 - q) as log(1 - p + clip), in log space so that p = 1 without a clip stays finite. The
    # floor under q keeps the slope of its power finite at 0.
    log_clip = torch.full_like(logits, clip).log()
    log_not_q = torch.logaddexp(log_not_p, log_clip).clamp(max=0)
    shifted = (logits.sigmoid() - clip).clamp(min=torch.finfo(logits.dtype).tiny)
    negative = shifted.pow(gamma_neg) * log_not_q
    return -torch.where(targets > 0, positive, negative).mean()


def hill_loss(logits: Tensor, targets: Tensor, peak: float = 1.5) -> Tensor:
    """Hill loss (Zhang et al., 2021, arXiv 2112.07368, equations 6 and 10), averaged.

    A negative costs (peak - p) p^2, so that one that is found very probable, and so may be a label
    that was forgotten, pulls the less; positives as in `_focal_margin`.
    """
    p = logits.sigmoid()
    return torch.where(targets > 0, _focal_margin(logits), (peak - p) * p.square()).mean()


def self_paced_loss(logits: Tensor, targets: Tensor, trusted: float = 0.6) -> Tensor:
    """Self-paced loss correction, SPLC (Zhang et al., 2021, arXiv 2112.07368, equation 12).

    A negative that the head finds more probable than `trusted` counts as a label that was
    forgotten; others cost -log(1 - p), positives as in `_focal_margin`. The paper believes the head
    from the second epoch on, this from the first step, when few probabilities are as high.
    """
    believed = (targets > 0) | (logits.detach().sigmoid() > trusted)
    return torch.where(believed, _focal_margin(logits), -functional.logsigmoid(-logits)).mean()


def _focal_margin(logits: Tensor, margin: float = 1.0, gamma: float = 2.0) -> Tensor:
    """-(1 - q)^gamma log(q) with q = sigmoid(logits - margin): the hard positives count most."""
    moved = logits - margin
    return -(gamma * functional.logsigmoid(-moved)).exp() * functional.logsigmoid(moved)
