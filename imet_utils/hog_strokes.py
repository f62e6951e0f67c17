"""The strokes that stand for the orientations in a picture of a HOG descriptor."""

import numpy as np
import torch
from torch import Tensor


def draw_strokes(orientations: int, cell: tuple[int, int]) -> Tensor:
    """Draw the stroke of each bin through the middle of a cell, at right angles to its gradient.

    A stroke is a line of Bresenham: a pixel a step along its longer side, the other side rounded.

    Args:
        orientations: bins between 0 and 180 degrees.
        cell: (rows, columns) of a cell in pixels.

    Returns:
        float32 (orientations, rows, columns), 1 on the stroke and 0 beside it.

    >>> draw_strokes(1, (6, 8))[0].int()
    tensor([[0, 0, 0, 0, 0, 0, 0, 0],
            [0, 0, 0, 0, 0, 0, 0, 0],
            [0, 0, 0, 0, 0, 0, 0, 0],
            [0, 0, 1, 1, 1, 1, 1, 0],
            [0, 0, 0, 0, 0, 0, 0, 0],
            [0, 0, 0, 0, 0, 0, 0, 0]], dtype=torch.int32)
    """
    strokes = torch.zeros(orientations, *cell)
    radius = max(0, min(cell) // 2 - 1)
    middle = np.array([cell[0] // 2, cell[1] // 2])
    for bin_index, stroke in enumerate(strokes):
        angle = np.pi * (bin_index + 0.5) / orientations
        reach = radius * np.array([np.cos(angle), -np.sin(angle)])
        start, end = (middle - reach).astype(int), (middle + reach).astype(int)
        steps = np.abs(end - start)
        longer = steps.max()
        along = np.arange(longer + 1)[:, None]  # (longer + 1, 1)
        points = start + np.sign(end - start) * ((2 * along * steps + longer) // max(1, 2 * longer))
        stroke[tuple(points.T)] = 1
    return strokes
