import math

import numpy as np
import pandas as pd
import pytest

from imet_utils import metrics


def pointing_game(attention, boxes):
    return metrics.pointing_game(attention, boxes).mean().to_dict()


def random_items(count=30, side=7):
    rng = np.random.default_rng(0)
    attention = rng.random((count, side * side))
    attention /= attention.sum(axis=1, keepdims=True)
    boxes = []
    for _ in range(count):
        corners = np.sort(rng.random((rng.integers(1, 4), 2, 2)), axis=1)  # (n, 2, x and y)
        boxes.append(corners.reshape(-1, 4))
    return attention, boxes


def test_one_item_by_hand():
    # On a 4 x 4 grid the box holds cells 1, 2, 5 and 6, and the centres of 9 and 10 lie on its
    # edge, which is inside.
    box = np.array([[0.25, 0.0, 0.75, 0.625]])
    attention = np.full(16, 0.05)
    attention[[5, 9]] = 0.2, 0.1
    wanted = {"hit_rate": 1, "chance": 6 / 16, "center_rate": 1, "shuffled": 1}
    assert pointing_game(attention[None] / attention.sum(), [box]) == pytest.approx(wanted)


def test_hits_and_chance_equal_the_definition():
    attention, boxes = random_items()
    side = math.isqrt(attention.shape[1])
    hits, chances, centres = [], [], []
    for row, item in zip(attention, boxes, strict=True):
        inside = []
        for cell in range(side * side):
            x, y = (cell % side + 0.5) / side, (cell // side + 0.5) / side
            found = [left < x < right and top < y < bottom for left, top, right, bottom in item]
            inside.append(any(found))
        hits.append(inside[int(np.argmax(row))])
        chances.append(np.mean(inside))
        centres.append(inside[len(inside) // 2])
    found = pointing_game(attention, boxes)
    assert found["hit_rate"] == pytest.approx(np.mean(hits))
    assert found["chance"] == pytest.approx(np.mean(chances))
    assert found["center_rate"] == pytest.approx(np.mean(centres))


def test_shuffled_is_the_mean_over_all_pairs_of_peak_and_boxes():
    attention, boxes = random_items(count=8)
    pairs = [[pointing_game(row[None], [item])["hit_rate"] for row in attention] for item in boxes]
    found = metrics.pointing_game(attention, boxes)["shuffled"]
    np.testing.assert_allclose(found, np.mean(pairs, axis=1))


@pytest.mark.parametrize("side", [1, 4, 7])
def test_even_attention_earns_chance(side):
    found = pointing_game(np.full((30, side * side), 1 / side**2), random_items()[1])
    assert [found["hit_rate"], found["shuffled"]] == pytest.approx([found["chance"]] * 2)


def test_there_is_a_row_a_label_and_only_shuffled_depends_on_the_others():
    attention, boxes = random_items()
    table = metrics.pointing_game(attention, boxes)
    assert len(table) == len(boxes)
    alone = metrics.pointing_game(attention[3:9], boxes[3:9]).set_axis(range(3, 9))
    pd.testing.assert_frame_equal(
        table[3:9].drop(columns="shuffled"), alone.drop(columns="shuffled")
    )
