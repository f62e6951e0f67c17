import numpy as np
import pytest
from matplotlib.colors import to_rgb

from imet_utils.plots import plot_paths, plot_predictions
from imet_utils.plots.style import FAINT, KIND_COLORS, VERDICTS

IMAGE = np.zeros((12, 20, 3), np.uint8)
LABELS = ["culture::egyptian", "tag::men", "tag::cats", "tag::boats"]
STEP_PROBS = [0.9, 0.6, 0.2, 0.8]


def same_color(patch, color):
    return patch.get_facecolor()[:3] == pytest.approx(to_rgb(color))


def test_path_shows_its_probabilities_and_thresholds():
    path_probs = np.cumprod(STEP_PROBS) ** (1 / np.arange(1, 5))
    thresholds = [0.2, 0.3, 0.5, 0.1]
    ax = plot_paths(LABELS, STEP_PROBS, path_probs, thresholds).axes[0]
    assert [bar.get_height() for bar in ax.containers[0]] == STEP_PROBS
    assert ax.get_lines()[0].get_ydata() == pytest.approx(path_probs)
    stairs = next(p for p in ax.patches if hasattr(p, "get_data"))
    assert stairs.get_data().values.tolist() == thresholds
    names = [label.get_text().split("\n") for label in ax.get_xticklabels()]
    assert names == [["1", "egyptian"], ["2", "men"], ["3", "cats"], ["4", "boats"]]


@pytest.mark.parametrize(
    ("path_probs", "kept"),
    [
        ([0.9, 0.7, 0.6, 0.5], 4),
        ([0.9, 0.7, 0.4, 0.9], 2),  # what comes after the first failure stays out
        ([0.1, 0.1, 0.1, 0.1], 1),  # the first label is always kept
        ([0.5, 0.5, 0.5, 0.5], 4),  # equal is not below
    ],
)
def test_path_stops_at_the_first_step_below_its_threshold(path_probs, kept):
    ax = plot_paths(LABELS, STEP_PROBS, path_probs, [0.5] * 4).axes[0]
    assert f"{kept} label{'s' * (kept > 1)} kept" in ax.get_title(loc="left")
    bars = list(ax.containers[0])
    assert same_color(bars[0], KIND_COLORS["culture"])
    assert [same_color(bar, FAINT) for bar in bars] == [i >= kept for i in range(4)]
    assert any(text.get_text() == "stops here" for text in ax.texts) == (kept < 4)


def verdicts(fig):
    colors = {color: verdict for verdict, (color, _) in VERDICTS.items()}
    skip = len(VERDICTS) + 1  # title and key
    marked = [(colors.get(t.get_color()), t.get_text()) for t in fig.texts[skip:]]
    return [(verdict, text) for verdict, text in marked if verdict]


def test_predictions_mark_correct_missed_and_wrong():
    fig = plot_predictions([IMAGE], [["culture::a", "tag::b"]], [["tag::c", "culture::a"]], [0.5])
    assert verdicts(fig) == [
        ("correct", "✓ a"),
        ("missed", "○ b"),
        ("correct", "✓ a"),
        ("wrong", "✗ c"),
    ]
    written = [text.get_text() for text in fig.texts]
    assert "predicted, F2 0.50" in written
    assert {"✓ correct", "○ missed", "✗ wrong"} <= set(written)
    assert np.array_equal(fig.axes[0].images[0].get_array(), IMAGE)


def test_labels_of_two_kinds_with_one_name_are_not_mixed_up():
    fig = plot_predictions([IMAGE], [["culture::china"]], [["tag::china"]])
    assert [verdict for verdict, _ in verdicts(fig)] == ["missed", "wrong"]


def test_long_lists_are_counted_and_empty_ones_named():
    fig = plot_predictions([IMAGE] * 2, [[], []], [[f"tag::{i}" for i in range(30)], []])
    written = [text.get_text() for text in fig.texts]
    assert "+ 19 more" in written
    assert written.count("none") == 3
    assert all(0 < text.get_position()[1] < 1 for text in fig.texts)


@pytest.mark.parametrize(("images", "columns", "wanted"), [(5, 2, 2), (1, 3, 1), (4, 3, 3)])
def test_predictions_have_the_columns_asked_for(images, columns, wanted):
    fig = plot_predictions([IMAGE] * images, [[]] * images, [[]] * images, columns=columns)
    assert len(fig.axes) == images
    assert len({round(ax.get_position().x0, 6) for ax in fig.axes}) == wanted


def test_differing_lengths_are_refused():
    with pytest.raises(ValueError, match="equally many"):
        plot_predictions([IMAGE], [[]], [[], []])
    with pytest.raises(ValueError, match="equally many"):
        plot_predictions([IMAGE], [[]], [[]], scores=[0.1, 0.2])
    with pytest.raises(ValueError, match="equally many"):
        plot_paths(["a"], [0.1], [0.1], [0.1, 0.2])
