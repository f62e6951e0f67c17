import numpy as np
import pytest

from imet_utils.metrics import pointing_game


def random_items(side, count=30):
    """Attention, and boxes, of which the last have centres of cells on their edges."""
    rng = np.random.default_rng(0)
    attention = rng.integers(1, 9, (count, side * side))  # with equal peaks
    attention = attention / attention.sum(axis=1, keepdims=True)
    boxes = [np.array([[0.25, 0.0, 0.75, 0.625]]), np.array([[0.375, 0.5, 0.5, 1.0]])]
    for _ in range(count - 2):
        corners = np.sort(rng.random((rng.integers(1, 4), 2, 2)), axis=1)  # (n, 2, x and y)
        boxes.append(corners.reshape(-1, 4))
    return attention, boxes[::-1]


def is_inside(boxes, x, y):
    return any(x0 <= x <= x1 and y0 <= y <= y1 for x0, y0, x1, y1 in boxes)


@pytest.mark.parametrize("side", [1, 4, 7])
def test_every_row_is_as_defined(side):
    attention, boxes = random_items(side)
    peaks = [np.flatnonzero(row == row.max()) for row in attention]
    centres, table = (np.arange(side) + 0.5) / side, pointing_game(attention, boxes)
    for item, peak, row in zip(boxes, peaks, table.itertuples(), strict=True):
        inside = np.array([is_inside(item, x, y) for y in centres for x in centres])
        assert row.hit_rate == pytest.approx(inside[peak].mean())
        assert row.chance == pytest.approx(np.mean(inside))
        assert row.center_rate == is_inside(item, 0.5, 0.5)
        assert row.shuffled == pytest.approx(np.mean([inside[other].mean() for other in peaks]))
