import numpy as np
import pytest

from imet_utils.plots import plot_cooccurrence, plot_label_frequencies, plot_labels_per_image

KINDS = ["tag", "culture", "tag", "tag", "culture"]
NAMES = ["men", "culture::french", "women", "trees", "culture::dutch"]
COUNTS = np.array([5, 9, 7, 0, 2])


def test_bars_are_the_counts_of_the_most_frequent():
    culture, tag, _ = plot_label_frequencies(COUNTS, NAMES, KINDS, top=2).axes
    assert [bar.get_width() for bar in culture.patches] == [9, 2]
    assert [bar.get_width() for bar in tag.patches] == [7, 5]
    assert [label.get_text() for label in tag.get_yticklabels()] == ["women", "men"]
    assert [label.get_text() for label in culture.get_yticklabels()] == ["french", "dutch"]
    assert tag.get_title(loc="left") == "Top 2 of 3 tag labels"


def test_rank_curve_falls_and_leaves_out_unused_labels():
    ax = plot_label_frequencies(COUNTS, NAMES, KINDS).axes[2]
    everything = ax.get_lines()[0]
    assert everything.get_xdata().tolist() == [1, 2, 3, 4]
    assert everything.get_ydata().tolist() == [9, 7, 5, 2]
    assert (ax.get_xscale(), ax.get_yscale()) == ("log", "log")
    assert ax.get_legend().get_texts()[0].get_text() == "all (4, 1 unused)"


@pytest.mark.parametrize("kinds", [1, 2, 3, 4, 5])
def test_a_panel_for_each_kind_and_one_for_the_tail(kinds):
    names = [str(i) for i in range(kinds)]
    assert len(plot_label_frequencies(np.ones(kinds, int), names, names).axes) == kinds + 1


def test_the_real_number_of_labels():
    counts = np.arange(1077)
    fig = plot_label_frequencies(counts, list(map(str, counts)), ["tag", "culture", "tag"] * 359)
    assert [len(ax.patches) for ax in fig.axes[:2]] == [15, 15]
    assert len(fig.axes[2].get_lines()[0].get_xdata()) == 1076


def test_labels_per_image_are_shares():
    left, right = plot_labels_per_image(np.array([0, 1, 1, 1]), np.array([2, 0, 1, 1])).axes
    assert [bar.get_height() for bar in left.containers[0]] == [0.25, 0.75, 0]
    assert [bar.get_height() for bar in left.containers[1]] == [0.25, 0.5, 0.25]
    assert [bar.get_height() for bar in right.patches] == [0, 0.25, 0.75]
    assert "mean 1.75" in right.get_legend().get_texts()[0].get_text()


@pytest.mark.parametrize("values", [[0.5], [-1], [[1]]])
def test_labels_per_image_wants_counts(values):
    with pytest.raises(ValueError, match="whole numbers"):
        plot_labels_per_image(values, values)


def test_cooccurrence_is_the_share_given_the_row():
    targets = np.array([[1, 1, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]], bool)
    ax = plot_cooccurrence(targets, ["tag::a", "culture::b", "tag::never"]).axes[0]
    values = ax.collections[0].get_array()
    assert values.shape == (2, 2)
    assert values[0, 1] == pytest.approx(2 / 3)
    assert values[1, 0] == pytest.approx(2 / 3)
    assert values.mask.tolist() == [[True, False], [False, True]]
    assert [label.get_text() for label in ax.get_yticklabels()] == ["a", "b"]


def test_cooccurrence_puts_labels_of_a_block_together():
    first = np.repeat([True, False], 20)
    noise = np.random.default_rng(0).random((40, 6)) < 0.05
    targets = np.stack([first, ~first, first, ~first, first, ~first], axis=1) ^ noise
    ax = plot_cooccurrence(targets, list("aBaBaB")).axes[0]
    order = "".join(label.get_text() for label in ax.get_xticklabels())
    assert order in ("aaaBBB", "BBBaaa")


def test_cooccurrence_refuses_what_has_no_label():
    with pytest.raises(ValueError, match="no image carries a label"):
        plot_cooccurrence(np.zeros((3, 2), bool), list("ab"))
    with pytest.raises(ValueError, match=r"\(N, 3\)"):
        plot_cooccurrence(np.ones((3, 2), bool), list("abc"))


@pytest.mark.parametrize("top", [0, 101])
def test_more_names_than_a_figure_can_hold_are_refused(top):
    with pytest.raises(ValueError, match="top from 1 to 100"):
        plot_cooccurrence(np.ones((3, 2), bool), list("ab"), top=top)
    with pytest.raises(ValueError, match="top from 1 to 100"):
        plot_label_frequencies(COUNTS, NAMES, KINDS, top=top)
