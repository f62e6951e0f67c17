"""The pointing game: does a label's attention peak where the label's motif is known to be?

Zhang et al., *Top-down neural attention by excitation backprop*, IJCV 126 (2018).

Everywhere `attention` (M, P) is that of M predicted labels, each row of sum 1 over the P cells of
a square grid that covers the whole image, row by row, and `boxes` has for each of them (n, 4)
left, top, right, bottom in shares of the image.
"""

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd

FINE = 8  # points a side at which the cover of a cell is measured


def pointing_game(attention: np.ndarray, boxes: Sequence[np.ndarray]) -> dict[str, float]:
    """Play the pointing game on all items at once.

    Returns:
        count: items, each a predicted label with its attention and its boxes.
        hit_rate: share of items whose peak, the centre of the most attended cell, is inside a box.
        chance: expected hit rate of a cell drawn at random.
        center_rate: hit rate of the middle of the image.
        shuffled: expected hit rate of the peaks dealt out to the items at random, the baseline for
            location bias.
        mass: attention inside the boxes; where it is even everywhere it equals `area`, and
            `hit_rate` equals `chance`.
        area: share of the image inside the boxes.
    """
    items = _play(attention, boxes)
    return {"count": len(items), **items.mean().to_dict()}


def pointing_by_label(
    attention: np.ndarray, boxes: Sequence[np.ndarray], labels: Sequence[str]
) -> pd.DataFrame:
    """Play the pointing game on the items of each label, (M,).

    Returns:
        Columns label, count and the rates of `pointing_game`, the label with most items first.
    """
    items = _play(attention, boxes)
    groups = items.groupby(pd.Series(list(labels), name="label"))
    table = groups.mean().reset_index()
    table.insert(1, "count", groups.size().to_numpy())
    return table.sort_values("count", ascending=False, kind="stable", ignore_index=True)


def _play(attention: np.ndarray, boxes: Sequence[np.ndarray]) -> pd.DataFrame:
    """Compute the rates of every item, a column each."""
    side = math.isqrt(attention.shape[1])
    inside = np.stack([_points_inside(item, side) for item in boxes])  # (M, P)
    fine = np.stack([_points_inside(item, side * FINE) for item in boxes])
    cover = fine.reshape(-1, side, FINE, side, FINE).mean(axis=(2, 4)).reshape(inside.shape)
    peaks = attention == attention.max(axis=1, keepdims=True)  # (M, P)
    peaks = peaks / peaks.sum(axis=1, keepdims=True)  # equal peaks share the one guess
    return pd.DataFrame(
        {
            "hit_rate": (peaks * inside).sum(axis=1),
            "chance": inside.mean(axis=1),
            "center_rate": [float(_points_inside(item, 1)[0]) for item in boxes],
            "shuffled": inside @ peaks.mean(axis=0),
            "mass": (attention.astype(np.float64) * cover).sum(axis=1),
            "area": cover.mean(axis=1),
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
