import numpy as np
import pandas as pd
import pytest

from imet_utils.plots import plot_decodings, plot_model_scores, plot_scores_by_group
from imet_utils.plots.style import SERIES_COLORS

ROWS = [
    ("constant_guess", "val", 0.2, np.nan),
    ("constant_guess", "test", 0.19, np.nan),
    ("ResNet50", "val", 0.30, 0.1),
    ("ResNet50", "test", 0.29, 0.11),
    ("AttnCNN-RNN", "val", 0.40, np.nan),
]
RESULTS = pd.DataFrame(ROWS, columns=["model", "split", "f2", "map"])
RESULTS = RESULTS.assign(f1=RESULTS.f2 / 2, precision=RESULTS.f2 / 3, recall=RESULTS.f2 * 2)


def test_a_panel_a_score_with_a_dot_a_model_and_split():
    fig = plot_model_scores(RESULTS)
    assert [ax.get_title(loc="left") for ax in fig.axes] == [
        "F2",
        "F1",
        "precision",
        "recall",
        "mAP",
    ]
    assert [t.get_text() for t in fig.axes[0].get_yticklabels()] == ["ResNet50", "AttnCNN-RNN"]
    for ax, score in zip(fig.axes[:4], ["f2", "f1", "precision", "recall"], strict=True):
        dots = [line.get_xdata()[0] for line in ax.get_lines() if line.get_marker() in "oD"]
        assert dots == pytest.approx(RESULTS[score][2:])
    assert [t.get_text() for t in fig.axes[0].texts] == [
        "0.290",
        "0.400",
    ]  # test where there is one


def test_the_constant_guess_is_a_floor_on_each_split():
    fig = plot_model_scores(RESULTS)
    floors = [line for line in fig.axes[0].get_lines() if line.get_marker() == "None"]
    assert {line.get_linestyle(): line.get_xdata()[0] for line in floors} == {":": 0.2, "--": 0.19}
    key = [text.get_text() for text in fig.legends[0].get_texts()]
    assert key == ["validation", "test", "constant guess, dotted on validation"]


def test_the_floor_may_be_absent_or_alone():
    without = plot_model_scores(RESULTS[2:])
    assert len(without.legends[0].get_texts()) == 2
    alone = plot_model_scores(RESULTS[:2])
    assert [t.get_text() for t in alone.axes[0].get_yticklabels()] == ["constant_guess"]
    assert len(alone.axes) == 4  # no mAP to show


def test_groups_of_several_models_are_aligned_by_name():
    first = pd.DataFrame({"group": ["culture", "tag"], "classes": [3, 1200], "f2": [0.1, 0.2]})
    second = pd.DataFrame({"group": ["tag", "rare"], "f2": [0.4, np.nan]})
    fig = plot_scores_by_group({"A": first, "B": second})
    (ax,) = fig.axes
    names = [text.get_text() for text in ax.get_yticklabels()]
    assert names == ["culture\n3 labels", "tag\n1,200 labels", "rare"]
    a, b = ax.get_lines()
    assert np.array_equal(a.get_xdata(), [0.1, 0.2, np.nan], equal_nan=True)
    assert np.array_equal(b.get_xdata(), [np.nan, 0.4, np.nan], equal_nan=True)
    assert [t.get_text() for t in fig.legends[0].get_texts()] == ["A", "B"]
    assert [t.get_text() for t in ax.texts] == ["0.100", "0.200", "0.400"]


def test_one_model_needs_no_legend_and_any_score_can_be_shown():
    frame = pd.DataFrame({"group": ["culture"], "recall": [0.7]})
    fig = plot_scores_by_group(frame, metric="recall")
    assert not fig.legends
    assert fig.axes[0].get_title(loc="left") == "recall by group of labels"
    with pytest.raises(ValueError, match=r"lacks the columns \['f2'\]"):
        plot_scores_by_group(frame)


NUMBERS = ["labels", "f2", "low", "high", "difference", "difference_low", "difference_high"]
DECODINGS = pd.DataFrame(
    [
        ("threshold", 8.25, 0.40, 0.38, 0.42, -0.05, -0.07, -0.03),
        ("union", 4.0, 0.45, 0.43, 0.47, 0.0, 0.0, 0.0),
        ("vote", 3.5, 0.50, 0.48, 0.52, 0.05, 0.03, 0.07),
        ("greedy", 3.0, 0.44, 0.42, 0.46, -0.01, -0.03, 0.01),
    ],
    columns=["decoding", *NUMBERS],
)


def _dots(ax):
    return [line for line in ax.get_lines() if line.get_marker() == "o"]


def test_a_decoding_is_a_dot_in_its_interval_with_its_numbers_beside():
    (ax,) = plot_decodings(DECODINGS).axes
    assert [t.get_text() for t in ax.get_yticklabels()] == list(DECODINGS["decoding"])
    assert [dot.get_xdata()[0] for dot in _dots(ax)] == list(DECODINGS["f2"])
    spans = [lines.get_segments()[0] for lines in ax.collections]
    assert [(low, y) for (low, y), _ in spans] == list(zip(DECODINGS["low"], range(4), strict=True))
    assert [high for _, (high, _) in spans] == list(DECODINGS["high"])
    texts = [t.get_text() for t in ax.texts]
    assert texts[:4] == ["0.400", "8.2", "0.450", "4.0"]
    assert texts[-2:] == ["F2", "labels\nan image"]


def test_decodings_that_differ_are_filled_and_the_best_stands_out():
    fig = plot_decodings(DECODINGS)
    (ax,) = fig.axes
    blue, red = SERIES_COLORS[:2]
    assert [dot.get_markerfacecolor() for dot in _dots(ax)] == [blue, "white", red, "white"]
    assert [dot.get_color() for dot in _dots(ax)] == [blue, blue, red, blue]
    weights = [text.get_weight() for text in ax.get_yticklabels()]
    assert weights == ["normal", "normal", "bold", "normal"]
    (dashed,) = [line for line in ax.get_lines() if line.get_linestyle() == "--"]
    assert dashed.get_xdata()[0] == pytest.approx(0.45)
    assert [text.get_text() for text in fig.legends[0].get_texts()] == [
        "best",
        "differs from the reference",
        "no clear difference (95 %)",
        "reference: union",
    ]


def test_the_reference_decoding_may_be_absent_and_all_may_differ():
    fig = plot_decodings(DECODINGS.iloc[[0, 2]])
    (dashed,) = [line for line in fig.axes[0].get_lines() if line.get_linestyle() == "--"]
    assert dashed.get_xdata()[0] == pytest.approx(0.45)
    key = [text.get_text() for text in fig.legends[0].get_texts()]
    assert key == ["best", "differs from the reference", "reference"]
    alone = plot_decodings(DECODINGS[1:2])
    assert _dots(alone.axes[0])[0].get_markerfacecolor() == "white"
    with pytest.raises(ValueError, match=r"lacks the columns \['labels'\]"):
        plot_decodings(DECODINGS.drop(columns="labels"))
