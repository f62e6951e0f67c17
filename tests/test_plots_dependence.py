import numpy as np
import pytest

from imet_utils.plots.dependence import plot_label_influence
from imet_utils.plots.style import KIND_COLORS

NAMES = ["tag::a", "culture::b", "tag::c", "tag::d"]


def symmetric(*upper, size=4):
    """A matrix of these values above the diagonal, the same below, NaN on it."""
    values = np.full((size, size), np.nan)
    rows = np.triu_indices(size, 1)
    values[rows] = values.T[rows] = upper
    return values


LIFT = symmetric(-3, 2, -3, -3, 1, -3)  # a with c, b with d
INFLUENCE = LIFT.copy()
INFLUENCE[0, 2] = 0.5


def maps_of(fig):
    return fig.axes[:2]


def names_of(ticks):
    return [text.get_text() for text in ticks]


def test_both_maps_hold_their_values_in_one_order_of_labels():
    left, right = maps_of(plot_label_influence(INFLUENCE, LIFT, NAMES))
    order = ["abcd".index(name) for name in names_of(left.get_yticklabels())]
    for ax, values in ((left, LIFT), (right, INFLUENCE)):
        shown = ax.collections[0].get_array().filled(np.nan)
        np.testing.assert_array_equal(shown, values[np.ix_(order, order)])
        assert names_of(ax.get_xticklabels()) == ["abcd"[k] for k in order]
    assert names_of(right.get_yticklabels()) == []


def test_labels_that_go_together_stand_together():
    left, _ = maps_of(plot_label_influence(INFLUENCE, LIFT, NAMES))
    order = "".join(names_of(left.get_yticklabels()))
    assert {frozenset(order[:2]), frozenset(order[2:])} == {frozenset("ac"), frozenset("bd")}


def test_each_scale_is_even_about_nothing():
    for ax, highest in zip(
        maps_of(plot_label_influence(LIFT / 30, LIFT, NAMES)), (3, 0.1), strict=True
    ):
        norm = ax.collections[0].norm
        assert (norm.vmin, norm.vmax) == pytest.approx((-highest, highest))


def test_title_states_correlation_and_sizes():
    fig = plot_label_influence(LIFT / 100, LIFT, NAMES)
    assert fig.get_suptitle() == (
        "Rank correlation 1.00 over 12 pairs; median absolute value 3 in the data, 0.03 in the RNN"
    )


def test_names_have_the_colour_of_their_kind():
    left, _ = maps_of(plot_label_influence(INFLUENCE, LIFT, NAMES))
    colors = {text.get_text(): text.get_color() for text in left.get_xticklabels()}
    assert colors["b"] == KIND_COLORS["culture"]
    assert colors["a"] == colors["c"] == KIND_COLORS["tag"]


def test_two_labels_that_do_not_move_each_other_make_a_figure():
    two = symmetric(0, size=2)
    left, _ = maps_of(plot_label_influence(two, two, NAMES[:2]))
    assert names_of(left.get_yticklabels()) == ["a", "b"]


def test_what_does_not_fit_is_refused():
    with pytest.raises(ValueError, match="equally many"):
        plot_label_influence(INFLUENCE, LIFT, NAMES[:3])
    with pytest.raises(ValueError, match=r"got \(4, 3\) and \(4, 4\)"):
        plot_label_influence(INFLUENCE[:, :3], LIFT, NAMES)
    with pytest.raises(ValueError, match="is empty"):
        plot_label_influence(INFLUENCE[:0], LIFT[:0], [])
    many = np.ones((26, 26))
    with pytest.raises(ValueError, match="from 2 to 25, got 26"):
        plot_label_influence(many, many, list(map(str, range(26))))
