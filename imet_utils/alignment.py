"""Order by alignment: each step of a decoder is held to the label of the image that suits it best.

Yazici et al., "Orderless recurrent models for multi-label classification", CVPR 2020.
"""

import numpy as np
import torch
from scipy.optimize import linear_sum_assignment
from torch import Tensor
from torch.nn import functional

NO_LABEL = -1  # a step without a label


def aligned_loss(
    logits: Tensor, targets: Tensor, chosen_labels: Tensor, mode: str = "pla"
) -> Tensor:
    """Softmax cross-entropy of each step against the label that the alignment gives it.

    Unlike in the paper there is no end token: an image's n labels go to its first n steps, the
    later ones carry no loss, and decoding has to stop by the path's probability. Where n exceeds
    T, the T labels of least cost are used. The alignment itself has no gradient.

    Args:
        logits: (B, T, C), finite also for the labels chosen before.
        targets: (B, C) bool or 0/1.
        chosen_labels: (B, T) integers below C, the label that each step predicted; "mla" takes no
            notice of them.
        mode: "pla", predicted-label alignment: a step that predicted a label of the
            image keeps it. "mla", minimal-loss alignment: the least total loss.

    Returns:
        The mean over all steps of the batch that have a label; 0 where there is none.
    """
    _check_inputs(logits, targets, chosen_labels, mode)
    labels = _align_batch(logits, targets, chosen_labels if mode == "pla" else None)  # (B, T)
    total = functional.cross_entropy(
        logits.flatten(0, 1), labels.flatten(), ignore_index=NO_LABEL, reduction="sum"
    )
    return total / (labels != NO_LABEL).sum().clamp(min=1)


def align_labels(costs: np.ndarray, kept: np.ndarray | None = None) -> np.ndarray:
    """Give each of the first n steps a label of its own, at the least total cost.

    Args:
        costs: (T, n) finite, of label j at step t. The steps from n on are not used; where n
            exceeds T, the labels that fit worst stay without a step.
        kept: (T,) the label that a step keeps whatever its cost, -1 where it is free; no label
            twice.

    Returns:
        (min(T, n),) the label of each step, in 0 to n - 1.

    >>> costs = np.array([[1.0, 2.0], [2.0, 9.0]])
    >>> align_labels(costs)
    array([1, 0])
    >>> align_labels(costs, kept=np.array([0, -1]))
    array([0, 1])
    """
    if costs.ndim != 2:
        raise ValueError(f"costs must be (T, n), got {costs.shape}")
    num_steps, num_labels = costs.shape
    if kept is None:
        kept = np.full(num_steps, NO_LABEL)
    _check_kept(kept, num_steps, num_labels)
    aligned = kept[:num_labels].copy()  # (min(T, n),)
    free_steps = np.flatnonzero(aligned == NO_LABEL)
    free_labels = np.setdiff1d(np.arange(num_labels), aligned)
    steps, labels = linear_sum_assignment(costs[np.ix_(free_steps, free_labels)])
    aligned[free_steps[steps]] = free_labels[labels]
    return aligned


def right_predictions(chosen_labels: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Find the place of each predicted label among the image's own.

    Args:
        chosen_labels: (T,) the label that each step predicted.
        labels: (n,) the image's own, each once.

    Returns:
        (T,) indices into labels; -1 where the prediction is wrong or was made before.

    >>> right_predictions(np.array([7, 3, 5, 7]), np.array([2, 5, 7]))
    array([ 2, -1,  1, -1])
    """
    matches = chosen_labels[:, None] == labels  # (T, n)
    matches &= matches.cumsum(axis=0) == 1  # the first time only
    return np.where(matches.any(axis=1), matches @ np.arange(len(labels)), NO_LABEL)


def _align_batch(logits: Tensor, targets: Tensor, chosen_labels: Tensor | None) -> Tensor:
    """Align every image; returns labels (B, T), NO_LABEL where a step has none."""
    costs = -logits.detach().cpu().double().log_softmax(dim=-1).numpy()  # (B, T, C)
    present = targets.bool().cpu().numpy()
    chosen = None if chosen_labels is None else chosen_labels.cpu().numpy()
    aligned = np.full(costs.shape[:2], NO_LABEL)
    for b, row in enumerate(present):
        labels = np.flatnonzero(row)  # (n,)
        kept = None if chosen is None else right_predictions(chosen[b], labels)
        order = labels[align_labels(costs[b][:, labels], kept)]
        aligned[b, : len(order)] = order
    return torch.from_numpy(aligned).to(logits.device)


def _check_inputs(logits: Tensor, targets: Tensor, chosen_labels: Tensor, mode: str) -> None:
    if mode not in ("pla", "mla"):
        raise ValueError(f'mode must be "pla" or "mla", got {mode!r}')
    if logits.ndim != 3 or targets.shape != (logits.shape[0], logits.shape[2]):
        shapes = f"{tuple(logits.shape)} and {tuple(targets.shape)}"
        raise ValueError(f"logits must be (B, T, C) and targets (B, C), got {shapes}")
    if chosen_labels.shape != logits.shape[:2] or chosen_labels.is_floating_point():
        given = f"{chosen_labels.dtype} {tuple(chosen_labels.shape)}"
        raise ValueError(f"chosen_labels must be integers {tuple(logits.shape[:2])}, got {given}")


def _check_kept(kept: np.ndarray, num_steps: int, num_labels: int) -> None:
    labels = kept[kept != NO_LABEL]
    inside = ((labels >= 0) & (labels < num_labels)).all()
    if kept.shape != (num_steps,) or not inside or len(np.unique(labels)) < len(labels):
        wanted = f"({num_steps},) different labels below {num_labels}, or -1"
        raise ValueError(f"kept must be {wanted}, got {kept}")
