"""What each figure shows of its data: the numbers in its bars, lines, dots and pictures."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_rgb
from matplotlib.patches import Rectangle
from matplotlib.text import Annotation
from scipy.stats import binomtest

from imet_utils import plots
from imet_utils.plots.style import FAINT, KIND_COLORS, VERDICTS

KINDS = ["tag", "culture", "tag", "tag", "culture"]
NAMES = ["men", "french", "women", "trees", "dutch"]
COUNTS = np.array([5, 9, 7, 0, 2])
IMAGE = np.full((30, 60, 3), 200, np.uint8)


def notes(where):
    return [note.get_text() for note in where.findobj(Annotation)]


def legend(place):
    box = place.legends[0] if hasattr(place, "legends") else place.get_legend()
    return [text.get_text() for text in box.get_texts()]


def rows_of(ax):
    return [label.get_text() for label in ax.get_yticklabels()]


def x_of(line):
    return np.asarray(line.get_xdata(), dtype=float).tolist()


def test_label_frequencies_are_the_counts_of_the_most_frequent():
    culture, tag, tail = plots.plot_label_frequencies(COUNTS, NAMES, KINDS).axes[:3]
    assert [bar.get_width() for bar in culture.patches] == [9, 2]
    assert [bar.get_width() for bar in tag.patches] == [7, 5, 0]
    assert rows_of(tag) == ["women", "men", "trees"]
    everything = tail.get_lines()[0]
    assert x_of(everything) == [1, 2, 3, 4]
    assert everything.get_ydata().tolist() == [9, 7, 5, 2]
    assert legend(tail)[0] == "all (4, 1 unused)"


def test_labels_per_image_are_shares():
    fig = plots.plot_labels_per_image(np.array([0, 1, 1, 1]), np.array([2, 0, 1, 1]))
    left, right = fig.axes
    assert [bar.get_height() for bar in left.containers[0]] == [0.25, 0.75, 0]
    assert [bar.get_height() for bar in left.containers[1]] == [0.25, 0.5, 0.25]
    assert [bar.get_height() for bar in right.patches] == [0, 0.25, 0.75]
    assert legend(right) == ["mean 1.75"]


def test_cooccurrence_is_the_share_given_the_row():
    targets = np.array([[1, 1, 0], [1, 0, 0], [1, 1, 0], [0, 0, 0]], bool)
    ax = plots.plot_cooccurrence(targets, ["tag::a", "culture::b", "tag::never"]).axes[0]
    row = {name: i for i, name in enumerate(rows_of(ax))}
    values = ax.collections[0].get_array().reshape(2, 2)
    assert values[row["a"], row["b"]] == pytest.approx(2 / 3)
    assert values[row["b"], row["a"]] == pytest.approx(1)
    assert values.mask.diagonal().all()


def test_cooccurrence_puts_labels_of_a_block_together():
    first = np.repeat([True, False], 20)
    noise = np.random.default_rng(0).random((40, 6)) < 0.05
    targets = np.stack([first, ~first, first, ~first, first, ~first], axis=1) ^ noise
    order = "".join(rows_of(plots.plot_cooccurrence(targets, list("aBaBaB")).axes[0]))
    assert order in ("aaaBBB", "BBBaaa")


def test_grid_shows_each_image_with_its_labels():
    images = [np.full((high, 30, 3), high, np.uint8) for high in (20, 40, 9, 8, 7)]
    labels = [
        ["culture::french", "tag::men"],
        ["tag::dogs"],
        [],
        [],
        [f"tag::{i}" for i in range(30)],
    ]
    fig = plots.plot_image_grid(images, labels)
    shown = [ax for ax in fig.axes if ax.images]
    for ax, image in zip(shown, images, strict=True):
        assert np.array_equal(ax.images[0].get_array(), image)
    assert [notes(ax) for ax in shown[:3]] == [["french", "men"], ["dogs"], ["no label"]]
    assert notes(shown[4]) == [*map(str, range(8)), "+ 22 more"]
    colors = {note.get_text(): note.get_color() for note in fig.findobj(Annotation)}
    assert colors["french"] == KIND_COLORS["culture"]
    assert colors["men"] == colors["dogs"] == KIND_COLORS["tag"]
    assert legend(fig) == ["■ culture", "■ tag"]


def test_views_are_in_rows_with_the_labels_kept():
    views = np.arange(2 * 3).reshape(2, 3, 1, 1, 1) * np.ones((1, 1, 3, 4, 5))
    kept = [[["culture::a", "tag::b"], ["culture::a"], []], [["tag::c"]] * 3]
    fig = plots.plot_views(views.astype(np.uint8), ["first", "second"], kept)
    assert [ax.images[0].get_array().mean() for ax in fig.axes] == [0, 1, 2, 3, 4, 5]
    assert fig.axes[0].images[0].get_array().shape == (4, 5, 3)
    assert [notes(ax) for ax in fig.axes[:4]] == [["a", "b"], ["a"], ["no label"], ["c"]]
    assert [fig.axes[i].get_ylabel() for i in (0, 3)] == ["first", "second"]


@pytest.mark.parametrize("count", [1, 2, 3, 4])
def test_hog_pictures_stand_beside_their_images(count):
    images = [np.full((8, 8, 3), i, np.uint8) for i in range(count)]
    pictures = [np.full((8, 8), i / 10) for i in range(count)]
    fig = plots.plot_hog(images, pictures)
    fig.draw_without_rendering()
    for i in range(count):
        image, picture = fig.axes[2 * i : 2 * i + 2]
        assert np.array_equal(image.images[0].get_array(), images[i])
        assert np.array_equal(picture.images[0].get_array(), pictures[i])
        assert image.get_position().x1 <= picture.get_position().x0
    assert sum(len(ax.images) for ax in fig.axes) == 2 * count


def test_predictions_mark_correct_missed_and_wrong():
    true = [["culture::a", "tag::b"], ["culture::china"], []]
    predicted = [["tag::c", "culture::a"], ["tag::china"], [f"tag::{i}" for i in range(30)]]
    fig = plots.plot_predictions([IMAGE] * 3, true, predicted, [0.5, 0, 0])
    image, *lists = fig.axes[:3]
    assert np.array_equal(image.images[0].get_array(), IMAGE)
    assert [notes(ax) for ax in lists] == [
        ["true", "✓ a", "○ b"],
        ["predicted, F2 0.50", "✓ a", "✗ c"],
    ]
    color = {note.get_text(): note.get_color() for note in fig.findobj(Annotation)}
    assert [color[text] for text in ("✓ a", "○ b", "✗ c")] == [c for c, _ in VERDICTS.values()]
    # Two kinds with one name are two labels; long lists are counted, empty ones named.
    assert [notes(ax)[1] for ax in fig.axes[4:6]] == ["○ china", "✗ china"]
    assert notes(fig.axes[7]) == ["true", "none"]
    assert notes(fig.axes[8])[-1] == "+ 19 more"


LABELS = ["culture::egyptian", "tag::men", "tag::cats", "tag::boats"]
STEP_PROBS = [0.9, 0.6, 0.2, 0.8]


def test_path_shows_its_probabilities_and_thresholds():
    path_probs = np.cumprod(STEP_PROBS) ** (1 / np.arange(1, 5))
    ax = plots.plot_paths(LABELS, STEP_PROBS, path_probs, [0.2, 0.3, 0.5, 0.1]).axes[0]
    assert [bar.get_width() for bar in ax.containers[0]] == STEP_PROBS
    assert x_of(ax.get_lines()[0]) == pytest.approx(path_probs)
    stairs = next(patch for patch in ax.patches if hasattr(patch, "get_data"))
    assert stairs.get_data().values.tolist() == [0.2, 0.3, 0.5, 0.1]
    assert [row.split()[0] for row in rows_of(ax)] == ["egyptian", "men", "cats", "boats"]
    image = np.zeros((30, 20, 3), dtype=np.uint8)
    beside = plots.plot_paths(LABELS, STEP_PROBS, path_probs, [0.2, 0.3, 0.5, 0.1], image)
    assert [len(ax.images) for ax in beside.axes] == [0, 1]


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
    ax = plots.plot_paths(LABELS, STEP_PROBS, path_probs, [0.5] * 4).axes[0]
    colors = [bar.get_facecolor()[:3] for bar in ax.containers[0]]
    assert [color == to_rgb(FAINT) for color in colors] == [i >= kept for i in range(4)]
    assert len(notes(ax)) == (kept < 4)


def attention_row(attention, **changes):
    steps = len(attention)
    labels = ["culture::egyptian", *[f"tag::{i}" for i in range(1, steps)]]
    row = {"image": IMAGE, "attention": np.asarray(attention), "labels": labels, "boxes": {}}
    return {**row, "probs": np.linspace(0.9, 0.25, steps), **changes}


def overlays(fig):
    return [ax.images[1] for ax in fig.axes if len(ax.images) == 2]


def test_attention_has_a_panel_a_step_with_label_and_probability():
    fig = plots.plot_attention_rows([attention_row(np.eye(49)[[0, 24, 48]])])
    shown = [ax for ax in fig.axes if ax.images]
    assert [len(ax.images) for ax in shown] == [1, 2, 2, 2]
    assert np.array_equal(shown[0].images[0].get_array(), IMAGE)
    assert [note.split() for note in notes(shown[3])] == [["3", "2"], ["probability", "0.25"]]
    assert shown[1].findobj(Annotation)[0].get_color() == KIND_COLORS["culture"]


def test_attention_is_laid_over_all_of_the_image_on_one_scale():
    even = np.full((6, 49), 1 / 49)
    seven = np.repeat([[1 / 7, 0.0]], [7, 42], axis=1)  # seven times even attention
    fig = plots.plot_attention_rows(
        [attention_row(even), attention_row(np.r_[np.eye(49)[[6]], *[seven] * 7])]
    )
    first, *_, peak, _, _, _, _, _, _, last = overlays(fig)
    assert first.get_extent() == [-0.5, 59.5, 29.5, -0.5]
    assert np.ptp(first.get_alpha()) < 1e-6
    assert first.get_alpha().max() < 0.4 < last.get_alpha().max()
    assert np.unravel_index(peak.get_alpha().argmax(), (7, 7)) == (0, 6)
    assert peak.get_array().max() == pytest.approx(49)
    assert {overlay.norm.vmax for overlay in overlays(fig)} == {7.0}  # not 49: the median peak


def test_boxes_are_drawn_for_their_own_label_only():
    boxes = {"tag::1": [(0.25, 0.5, 0.75, 1.0), (0, 0, 0.1, 0.1)], "tag::absent": (0, 0, 1, 1)}
    fig = plots.plot_attention_rows([attention_row(np.eye(49)[:2], boxes=boxes)])
    steps = [ax for ax in fig.axes if len(ax.images) == 2]
    drawn = [[p for p in ax.patches if isinstance(p, Rectangle)] for ax in steps]
    assert [len(patches) for patches in drawn] == [0, 2]
    box = drawn[1][0]
    assert (*box.get_xy(), box.get_width(), box.get_height()) == (14.5, 14.5, 30, 15)


def test_pointing_shows_the_rates_and_their_intervals():
    table = pd.DataFrame({"label": ["tag::men", "tag::boats"], "count": [1200, 400]})
    table = table.assign(
        hit_rate=[0.5, 0.75], chance=[0.25, 0.5], center_rate=0.3, shuffled=[0.4, 0]
    )
    (ax,) = plots.plot_pointing(table).axes
    rates = {line.get_label(): x_of(line) for line in ax.get_lines()}
    assert rates["peak of the label's attention"] == pytest.approx([0.5625, 0.5, 0.75])
    assert rates["any cell, by chance"] == pytest.approx([0.3125, 0.25, 0.5])
    assert rates["peak of a random item"] == pytest.approx([0.3, 0.4, 0])
    assert [row.split()[-1] for row in rows_of(ax)] == ["(1,600)", "(1,200)", "(400)"]
    low, high = ax.collections[2].get_segments()[0][:, 0]
    wanted = binomtest(300, 400).proportion_ci(method="wilson")
    assert (low, high) == pytest.approx((wanted.low, wanted.high))


HISTORY = pd.DataFrame(
    {
        "epoch": [1, 2, 3],
        "train_loss": [0.9, 0.5, 0.4],
        "val_f2": [0.1, 0.3, 0.2],
        "val_f1": [0.1, 0.2, 0.2],
        "learning_rate": [1e-4, 5e-5, 0.0],
        "seconds": [1.0, 1.0, 1.0],
    }
)


def curves_of(ax):
    return [line.get_ydata().tolist() for line in ax.get_lines() if len(line.get_xdata()) == 3]


def test_history_of_one_model_shows_every_score_and_the_best_epoch():
    fig = plots.plot_history(HISTORY)
    loss, score, rate = fig.axes
    assert curves_of(loss) == [[0.9, 0.5, 0.4]]
    assert curves_of(score) == [[0.1, 0.3, 0.2], [0.1, 0.2, 0.2]]
    assert curves_of(rate) == [[1e-4, 5e-5, 0.0]]
    assert legend(fig) == ["F2: 0.300 at epoch 2", "F1"]
    (ring,) = [line for line in score.get_lines() if len(line.get_xdata()) == 1]
    assert (x_of(ring), list(ring.get_ydata())) == ([2], [0.3])


def test_histories_of_several_models_are_overlaid_with_each_best():
    fig = plots.plot_history({"A": HISTORY, "B": HISTORY.assign(val_f2=[0.5, 0.1, np.nan])})
    assert legend(fig) == ["A: 0.300 at epoch 2", "B: 0.500 at epoch 1"]
    assert curves_of(fig.axes[1])[0] == [0.1, 0.3, 0.2]
    assert len({line.get_color() for line in fig.axes[0].get_lines()}) == 2


ROWS = [
    ("constant guess", "val", 0.2, np.nan),
    ("constant guess", "test", 0.19, np.nan),
    ("ResNet50", "val", 0.30, 0.1),
    ("ResNet50", "test", 0.29, 0.11),
    ("AttnCNN-RNN", "val", 0.40, np.nan),
]
RESULTS = pd.DataFrame(ROWS, columns=["model", "split", "f2", "map"])
RESULTS = RESULTS.assign(f1=RESULTS.f2 / 2, precision=RESULTS.f2 / 3, recall=RESULTS.f2 * 2)


def test_model_scores_are_a_panel_a_score_with_a_row_a_model():
    fig = plots.plot_model_scores(RESULTS)
    titles = [ax.get_title(loc="left") for ax in fig.axes]
    assert titles == ["F2", "F1", "precision", "recall", "mAP"]
    assert rows_of(fig.axes[0]) == ["ResNet50", "AttnCNN-RNN"]
    for ax, score in zip(fig.axes[:4], ["f2", "f1", "precision", "recall"], strict=True):
        lines = {line.get_label(): x_of(line) for line in ax.get_lines()}
        assert lines["validation"] == pytest.approx(RESULTS[score][[2, 4]])
        assert lines["test"] == pytest.approx([RESULTS[score][3], np.nan], nan_ok=True)
        assert lines["constant guess, test"] == pytest.approx([RESULTS[score][1]] * 2)
    assert notes(fig.axes[0]) == ["0.290", "0.400"]  # test where there is one


def test_decodings_that_differ_from_the_reference_are_filled():
    numbers = ["labels", "f2", "low", "high", "difference", "difference_low", "difference_high"]
    rows = [
        ("threshold", 8.25, 0.40, 0.38, 0.42, -0.05, -0.07, -0.03),
        ("union", 4.0, 0.45, 0.43, 0.47, 0.0, 0.0, 0.0),
        ("vote", 3.5, 0.50, 0.48, 0.52, 0.05, 0.03, 0.07),
        ("greedy", 3.0, 0.44, 0.42, 0.46, -0.01, -0.03, 0.01),
    ]
    table = pd.DataFrame(rows, columns=["decoding", *numbers])
    fig = plots.plot_decodings(table)
    (ax,) = fig.axes
    *dots, dashed = ax.get_lines()
    assert rows_of(ax) == table["decoding"].tolist()
    assert [x_of(dot)[0] for dot in dots] == table["f2"].tolist()
    spans = [lines.get_segments()[0][:, 0].tolist() for lines in ax.collections]
    assert spans == table[["low", "high"]].to_numpy().tolist()
    assert [dot.get_markerfacecolor() != "white" for dot in dots] == [True, False, True, False]
    assert [dot.get_color() for dot in dots].count(dots[2].get_color()) == 1  # the best stands out
    assert x_of(dashed) == pytest.approx([0.45, 0.45])
    assert "reference: union" in legend(fig)


def test_decodings_of_equal_worth_are_drawn():
    numbers = ["labels", "f2", "low", "high", "difference", "difference_low", "difference_high"]
    table = pd.DataFrame({"decoding": ["a", "b"], **dict.fromkeys(numbers, 0.0)})
    (ax,) = plots.plot_decodings(table).axes
    assert ax.get_xlim()[0] <= 0 < ax.get_xlim()[1]


def make_curve(power=0.5):
    fpr = np.linspace(0, 1, 5)
    return SimpleNamespace(fpr=fpr, tpr=fpr**power, auc=1 / (1 + power))


def test_roc_names_averages_and_the_highlighted_and_counts_the_others():
    curves = {name: make_curve() for name in ("tag::men", "tag::women", "other", "micro", "macro")}
    ax = plots.plot_roc(curves, ["tag::women"]).axes[0]
    micro, macro, women = ax.get_lines()[:3]
    assert micro.get_linewidth() == macro.get_linewidth() > women.get_linewidth()
    assert x_of(women) == pytest.approx(make_curve().fpr)
    assert women.get_ydata() == pytest.approx(make_curve().tpr)
    assert len(ax.collections[0].get_segments()) == 2
    assert [text.split("  ")[0] for text in legend(ax)] == [
        *("micro average", "macro average", "tag::women"),
        *("2 other labels", "chance"),
    ]


def test_precision_recall_names_averages_and_groups_with_their_areas():
    recall = np.linspace(0, 1, 5)
    curves = {
        name: SimpleNamespace(
            recall=recall, precision=level * (1 - recall), average_precision=level
        )
        for name, level in (("micro", 0.8), ("macro", 0.6), ("3-9 images", 0.4))
    }
    ax = plots.plot_precision_recall(curves, 0.05).axes[0]
    *lines, chance = ax.get_lines()
    for line, curve in zip(lines, curves.values(), strict=True):
        assert x_of(line) == recall.tolist()
        assert line.get_ydata() == pytest.approx(curve.precision)
    assert chance.get_ydata() == [0.05, 0.05]
    assert legend(ax) == [
        *("micro average  0.800", "macro average  0.600", "3-9 images  0.400"),
        "chance, micro  0.050",
    ]


def test_calibration_has_a_panel_a_group_and_a_hollow_dot_for_the_others():
    columns = ["group", "first", "pairs", "expected", "observed", "low", "high"]
    rows = [
        ["culture", True, 30, 0.2, 0.1, 0.05, 0.3],
        ["culture", True, 30, 0.6, 0.8, 0.7, 0.9],
        ["culture", False, 900, 0.01, 0.02, 0.0, 0.05],
        ["tag", True, 40, 0.3, 0.3, 0.2, 0.4],
    ]
    fig = plots.plot_calibration(pd.DataFrame(rows, columns=columns), "score, no probability")
    culture, tag = fig.axes
    line, first, others = culture.get_lines()
    assert x_of(line) == [0, 1]
    assert (x_of(first), x_of(others)) == ([0.2, 0.6], [0.01])
    assert first.get_ydata().tolist() == [0.1, 0.8]
    assert others.get_markerfacecolor() == "white" != first.get_markerfacecolor()
    bars = [segment[:, 1].tolist() for segment in culture.collections[0].get_segments()]
    assert bars == [[0.05, 0.3], [0.7, 0.9]]
    assert culture.get_xlabel() == "score, no probability"
    assert legend(culture) == ["most probable of an image: 60 pairs", "all others: 900 pairs"]
    assert legend(tag) == ["most probable of an image: 40 pairs"]
    assert tag.get_xlim()[1] < 0.5 < culture.get_xlim()[1]


def test_doubted_labels_are_marked_where_noted_and_suggested_where_not():
    doubted = [{"tag::women": 0.004, "tag::trees": 0.93}, {}]
    fig = plots.plot_doubted(
        [IMAGE] * 2, [["culture::french", "tag::women"], ["tag::men"]], doubted
    )
    _, noted, missing, _, second, empty = fig.axes
    assert notes(noted) == ["noted", "french", "✗ 0.00 women"]
    assert notes(missing) == ["may be missing", "○ 0.93 trees"]
    assert (notes(second), notes(empty)) == (["noted", "men"], ["may be missing"])
    colors = {note.get_text(): note.get_color() for note in fig.findobj(Annotation)}
    assert colors["✗ 0.00 women"] == VERDICTS["wrong"][0]
    assert colors["○ 0.93 trees"] == VERDICTS["missed"][0]
    assert colors["french"] == colors["men"]
    assert legend(fig) == ["✗ may be wrong", "○ may be missing"]


def test_auc_stands_against_frequency_by_kind():
    aucs, counts = np.array([0.9, 0.4, 0.7, 0.5]), np.array([10, 1, 1000, 0])
    ax, side = plots.plot_auc_distribution(aucs, counts, ["tag", "culture", "tag", "tag"]).axes
    culture, tag = (dots.get_offsets().tolist() for dots in ax.collections)
    assert culture == [[1, 0.4]]
    assert tag == [[10, 0.9], [1000, 0.7], [0, 0.5]]
    assert ax.get_xlim()[0] < 0 < 1000 < ax.get_xlim()[1]  # labels unseen in training have a place
    assert ax.get_ylim()[0] < 0.4
    assert len(side.patches) == 2
