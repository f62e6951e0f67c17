"""Checks of what every metric takes: label sets, and probabilities against them."""

import numpy as np


def as_labels(labels: np.ndarray, name: str) -> np.ndarray:
    """Check labels (N, C) that are bool, or 0 and 1, and return them as bool."""
    labels = np.asarray(labels)
    if labels.ndim != 2 or labels.size == 0:
        raise ValueError(f"{name} must be (N, C) and not empty, got shape {labels.shape}")
    if labels.dtype != bool and not ((labels == 0) | (labels == 1)).all():
        raise ValueError(f"{name} must be bool or 0 and 1, got {labels.dtype} with other values")
    return labels.astype(bool, copy=False)


def as_scored(probs: np.ndarray, targets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Check probabilities (N, C) against their targets."""
    probs, targets = np.asarray(probs), as_labels(targets, "targets")
    require_same_shape(probs, targets, "probs")
    if probs.dtype.kind != "f" or not (probs.min() >= 0 and probs.max() <= 1):
        raise ValueError(
            f"probs must be floating-point numbers in 0..1, got {probs.dtype} in "
            f"{probs.min()}..{probs.max()}"
        )
    return probs, targets


def require_same_shape(given: np.ndarray, targets: np.ndarray, name: str) -> None:
    """Raise ValueError where `given`, called `name`, is not of the targets' shape."""
    if given.shape != targets.shape:
        raise ValueError(f"{name} {given.shape} and targets {targets.shape} must be equal in shape")
