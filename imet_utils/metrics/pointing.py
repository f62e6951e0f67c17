"""The pointing game: does a label's attention peak where the label's motif is known to be?

Zhang et al., *Top-down neural attention by excitation backprop*, IJCV 126 (2018).
"""

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd


def pointing_game(attention: np.ndarray, boxes: Sequence[np.ndarray]) -> pd.DataFrame:
    """Play the pointing game on M predicted labels; average the rows for the rates of a group.

    Args:
        attention: (M, P), each row of sum 1 over the P cells of a square grid that covers the
            whole image, row by row.
        boxes: for each label (n, 4) left, top, right, bottom in shares of the image.

    Returns:
        A row a label, with columns
        hit_rate: share of peaks, centres of the most attended cells, inside a box.
        chance: expected hit rate of a cell drawn at random, and of even attention.
        center_rate: hit rate of the middle of the image.
        shuffled: expected hit rate of the peaks of all rows, the baseline for location bias.
    """
    side = math.isqrt(attention.shape[1])
    inside = np.stack([_points_inside(item, side) for item in boxes])  # (M, P)
    peaks = attention == attention.max(axis=1, keepdims=True)  # (M, P)
    peaks = peaks / peaks.sum(axis=1, keepdims=True)  # equal peaks share the one guess
    return pd.DataFrame(
        {
            "hit_rate": (peaks * inside).sum(axis=1),
            "chance": inside.mean(axis=1),
            "center_rate": [float(_points_inside(item, 1)[0]) for item in boxes],
            "shuffled": inside @ peaks.mean(axis=0),
        }
    )


def _points_inside(boxes: np.ndarray, side: int) -> np.ndarray:
    """Tell which cell centres of a side x side grid lie in any of the boxes: bool (side * side,).

    >>> _points_inside(np.array([[0.5, 0.0, 1.0, 0.4]]), 2)  # the upper right quarter
    array([False,  True, False, False])
    """
    centers = (np.arange(side) + 0.5) / side
    left, top, right, bottom = boxes.T[:, :, None]  # (n, 1) each
    columns = (left <= centers) & (centers <= right)  # (n, side)
    rows = (top <= centers) & (centers <= bottom)  # (n, side)
    return (rows[:, :, None] & columns[:, None, :]).any(axis=0).ravel()
