import numpy as np
import pytest

from imet_utils.metrics import pointing_game


def random_items(side, count=30):
    """Attention, and boxes, of which the last have centres of cells on their edges."""
    rng = np.random.default_rng(0)
    attention = rng.random((count, side * side))
    attention /= attention.sum(axis=1, keepdims=True)
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
    peaks = attention.argmax(axis=1)
    table = pointing_game(attention, boxes)
    for item, peak, row in zip(boxes, peaks, table.itertuples(), strict=True):
        inside = []
        for cell in range(side * side):
            inside.append(is_inside(item, (cell % side + 0.5) / side, (cell // side + 0.5) / side))
        assert row.hit_rate == inside[peak]
        assert row.chance == pytest.approx(np.mean(inside))
        assert row.center_rate == is_inside(item, 0.5, 0.5)
        assert row.shuffled == pytest.approx(np.mean([inside[other] for other in peaks]))


@pytest.mark.parametrize("side", [1, 4, 7])
def test_even_attention_earns_chance(side):
    found = pointing_game(np.full((30, side * side), 1 / side**2), random_items(side)[1])
    for name in ("hit_rate", "shuffled"):
        np.testing.assert_allclose(found[name], found["chance"])
