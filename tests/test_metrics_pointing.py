import math

import numpy as np
import pytest

from imet_utils.metrics import pointing_by_label, pointing_game

RATES = ["hit_rate", "chance", "center_rate", "shuffled", "mass", "area"]


def attention_at(*cells, positions=16):
    """All attention on one cell of each item."""
    maps = np.zeros((len(cells), positions))
    maps[np.arange(len(cells)), cells] = 1
    return maps


def random_items(count=30, side=7, seed=0):
    rng = np.random.default_rng(seed)
    attention = rng.random((count, side * side))
    attention /= attention.sum(axis=1, keepdims=True)
    boxes = []
    for _ in range(count):
        corners = np.sort(rng.random((rng.integers(1, 4), 2, 2)), axis=1)  # (n, 2, x and y)
        boxes.append(corners.reshape(-1, 4))
    return attention, boxes


def loop_over_items(attention, boxes):
    """Hits and chance by the definition, one item, cell and box at a time."""
    side = math.isqrt(attention.shape[1])
    hits, chances = [], []
    for row, item in zip(attention, boxes, strict=True):
        inside = []
        for cell in range(side * side):
            x, y = (cell % side + 0.5) / side, (cell // side + 0.5) / side
            found = [left < x < right and top < y < bottom for left, top, right, bottom in item]
            inside.append(any(found))
        hits.append(inside[int(np.argmax(row))])
        chances.append(sum(inside) / len(inside))
    return np.mean(hits), np.mean(chances)


def test_one_item_by_hand():
    # On a 4 x 4 grid the box holds cells 1, 2, 5 and 6, and the upper halves of 9 and 10, whose
    # centres lie on its edge, which is inside.
    box = np.array([[0.25, 0.0, 0.75, 0.625]])
    attention = np.full(16, 0.05)
    attention[[5, 9]] = 0.2, 0.1
    found = pointing_game(attention[None] / attention.sum(), [box])
    assert (found["count"], found["hit_rate"], found["center_rate"]) == (1, 1, 1)
    assert found["chance"] == 6 / 16
    assert found["area"] == pytest.approx(0.5 * 0.625)
    assert found["mass"] == pytest.approx((0.05 * 3 + 0.2 + 0.1 / 2 + 0.05 / 2) / attention.sum())


def test_two_items_and_their_baselines_by_hand():
    right, corner = np.array([[0.5, 0.0, 1.0, 1.0]]), np.array([[0.0, 0.0, 0.3, 0.3]])
    found = pointing_game(attention_at(3, 15), [right, corner])
    # The first peak hits. Of the two peaks both would hit `right`, and none `corner`.
    assert (found["count"], found["hit_rate"], found["center_rate"], found["shuffled"]) == (
        2,
        0.5,
        0.5,
        0.5,
    )
    assert found["chance"] == pytest.approx((8 / 16 + 1 / 16) / 2)
    assert found["mass"] == pytest.approx(0.5)
    assert found["area"] == pytest.approx((0.5 + (10 / 32) ** 2) / 2)  # 10 of 32 points, near 0.3


def test_boxes_of_one_label_count_together():
    two = np.array([[0, 0, 0.5, 0.5], [0.25, 0.25, 0.75, 0.75]])  # they overlap in one cell
    found = pointing_game(attention_at(10, 3), [two, two])
    assert found["hit_rate"] == 0.5
    assert found["chance"] == found["area"] == 7 / 16


def test_hits_and_chance_equal_the_definition():
    attention, boxes = random_items()
    hit_rate, chance = loop_over_items(attention, boxes)
    found = pointing_game(attention, boxes)
    assert found["hit_rate"] == pytest.approx(hit_rate)
    assert found["chance"] == pytest.approx(chance)


def test_shuffled_is_the_mean_over_all_pairs_of_peak_and_boxes():
    attention, boxes = random_items(count=8)
    pairs = [pointing_game(row[None], [item])["hit_rate"] for row in attention for item in boxes]
    assert pointing_game(attention, boxes)["shuffled"] == pytest.approx(np.mean(pairs))


@pytest.mark.parametrize("side", [1, 4, 7])
def test_even_attention_earns_chance(side):
    _, boxes = random_items()
    found = pointing_game(np.full((30, side * side), 1 / side**2), boxes)
    assert found["hit_rate"] == pytest.approx(found["chance"])
    assert found["shuffled"] == pytest.approx(found["chance"])
    assert found["mass"] == pytest.approx(found["area"])


def test_a_box_between_the_centres_cannot_be_hit():
    found = pointing_game(attention_at(0), [np.array([[0.0, 0.0, 0.1, 0.1]])])
    assert (found["hit_rate"], found["chance"]) == (0, 0)
    assert found["mass"] == pytest.approx((3 / 8) ** 2)  # 0.1 of 0.25, at 8 points a side


def test_labels_are_scored_apart_and_make_up_the_whole():
    attention, boxes = random_items()
    labels = [("boats", "men", "men", "trees")[n % 4] for n in range(29)] + ["moon"]
    table = pointing_by_label(attention, boxes, labels)
    assert list(table) == ["label", "count", *RATES]
    assert table["label"].tolist() == ["men", "boats", "trees", "moon"]
    assert table["count"].tolist() == [14, 8, 7, 1]
    boats = [n for n, label in enumerate(labels) if label == "boats"]
    alone = pointing_game(attention[boats], [boxes[n] for n in boats])
    whole = pointing_game(attention, boxes)
    for rate in RATES:
        if rate != "shuffled":  # which deals out the peaks of all labels
            assert table[rate][1] == pytest.approx(alone[rate])
        average = np.average(table[rate], weights=table["count"])
        assert average == pytest.approx(whole[rate])
