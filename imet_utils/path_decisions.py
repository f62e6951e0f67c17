"""Label sets of images from the beams of their views: union, vote, least risk."""

import numpy as np
from torch import Tensor

from imet_utils.decoding import (
    Paths,
    class_thresholds,
    distinct_sets,
    stop_paths,
    union_of_views,
    vote_of_views,
)
from imet_utils.expected_fbeta import best_sampled_sets


def least_risk_sets(paths: Paths, thresholds: Tensor, num_views: int) -> np.ndarray:
    """Find the set of the best mean F2 against the sets of all beams of all views.

    Minimum Bayes risk decoding: a beam's set may be the truth with its share of the probability of
    its view's beams; all views weigh the same.

    Args:
        paths: of N * V views, all beams, those of an image one after another.
        thresholds: (C,) of `class_thresholds`.
        num_views: V.

    Returns:
        preds (N, C) bool.
    """
    keep = stop_paths(paths, thresholds)  # (N * V, K, T)
    _, shares = distinct_sets(paths, keep, len(thresholds))  # (N * V, K)
    samples = [
        values.unflatten(0, (-1, num_views)).flatten(1, 2).cpu().numpy()
        for values in (paths.labels, keep, shares)
    ]  # (N, V * K, ...)
    return best_sampled_sets(*samples, num_classes=len(thresholds))


def decide_by_paths(
    paths: Paths, frequencies: Tensor, scale: float, num_views: int
) -> dict[str, np.ndarray]:
    """Decide on the labels of images in every way that works on paths.

    Args:
        paths: of N * V views, those of an image one after another.
        frequencies: (C,) in [0, 1], share of the training images with each label.
        scale: of the stop, fitted on validation; the poster's is 2.5.
        num_views: V.

    Returns:
        preds (N, C) bool by the way's name.
    """
    thresholds = class_thresholds(frequencies, scale)  # (C,)
    return {
        "beam, poster": union_of_views(paths, class_thresholds(frequencies), num_views).numpy(),
        "beam, fitted stop": union_of_views(paths, thresholds, num_views).numpy(),
        "beam, vote of views": vote_of_views(paths, thresholds, num_views).numpy(),
        "beams, least risk": least_risk_sets(paths, thresholds, num_views),
    }
