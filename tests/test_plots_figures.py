"""What each figure shows of its data: the numbers in its bars, lines, dots and pictures."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.patches import Rectangle
from matplotlib.text import Annotation
from scipy.stats import binomtest

from imet_utils import plots
from imet_utils.metrics.scores import Curve
from imet_utils.plots.style import KIND_COLORS, VERDICTS

IMAGE = np.full((30, 60, 3), 200, np.uint8)
LABELS = ["culture::egyptian", "tag::men", "tag::cats", "tag::boats"]


def notes(where):
    return [note.get_text() for note in where.findobj(Annotation)]


def colors(fig):
    return {note.get_text(): note.get_color() for note in fig.findobj(Annotation)}


def legend(place):
    box = place.legends[0] if hasattr(place, "legends") else place.get_legend()
    return [text.get_text() for text in box.get_texts()]


def rows_of(ax):
    return [label.get_text() for label in ax.get_yticklabels()]


def points(line):
    """Return the places of a line's points: across, and up."""
    return line.get_xydata().astype(float).T.tolist()


def test_label_frequencies_are_the_counts_of_the_most_frequent():
    names = ["men", "french", "women", "trees", "dutch"]
    kinds = ["tag", "culture", "tag", "tag", "culture"]
    fig = plots.plot_label_frequencies(np.array([5, 9, 7, 0, 2]), names, kinds)
    culture, tag, tail = fig.axes[:3]
    assert [bar.get_width() for bar in culture.patches] == [9, 2]
    assert [bar.get_width() for bar in tag.patches] == [7, 5, 0]
    assert rows_of(tag) == ["women", "men", "trees"]
    assert points(tail.lines[0]) == [[1, 2, 3, 4], [9, 7, 5, 2]]


def test_labels_per_image_are_shares():
    targets = np.array([[0, 1, 1], [1, 0, 0], [1, 1, 0], [1, 0, 1]], bool)
    (ax,) = plots.plot_labels_per_image(targets, ["culture", "tag", "tag"]).axes
    heights = [[bar.get_height() for bar in bars] for bars in ax.containers]
    assert heights == [[0, 0.25, 0.75], [0.25, 0.75, 0], [0.25, 0.5, 0.25]]
    assert legend(ax) == ["all labels, mean 1.75", "culture, mean 0.75", "tag, mean 1.00"]


def test_cooccurrence_is_the_share_given_the_row():
    targets = np.array([[1, 1, 0], [1, 0, 0], [1, 1, 0], [0, 0, 0]], bool)
    ax = plots.plot_cooccurrence(targets, ["tag::a", "culture::b", "tag::never"]).axes[0]
    row = {name: i for i, name in enumerate(rows_of(ax))}
    values = ax.collections[0].get_array().reshape(2, 2)
    assert values[row["a"], row["b"]] == pytest.approx(2 / 3)
    assert values[row["b"], row["a"]] == 1
    assert values.mask.diagonal().all()


def test_grid_shows_each_image_with_its_labels():
    images = [np.full((high, 30, 3), high, np.uint8) for high in (20, 40, 9, 8, 7)]
    labels = [["culture::french", "tag::men"], ["tag::dogs"], [], []]
    fig = plots.plot_image_grid(images, [*labels, [f"tag::{i}" for i in range(30)]])
    shown = [ax for ax in fig.axes if ax.images]
    assert all(map(np.array_equal, images, [ax.images[0].get_array() for ax in shown]))
    assert [notes(ax) for ax in shown[:3]] == [["french", "men"], ["dogs"], ["no label"]]
    assert notes(shown[4]) == [*map(str, range(11)), "+ 19 more"]
    assert colors(fig)["french"] == KIND_COLORS["culture"] != colors(fig)["men"]


def test_views_are_in_rows_with_the_labels_kept():
    views = np.arange(2 * 3).reshape(2, 3, 1, 1, 1) * np.ones((1, 1, 3, 4, 5))
    kept = [[["culture::a", "tag::b"], ["culture::a"], []], [["tag::c"]] * 3]
    fig = plots.plot_views(views.astype(np.uint8), ["first", "second"], kept)
    assert [ax.images[0].get_array().mean() for ax in fig.axes] == [0, 1, 2, 3, 4, 5]
    shown = [["first", "a", "b"], ["view 1", "a"], ["view 2", "no label"], ["second", "c"]]
    assert [notes(ax) for ax in fig.axes[:4]] == shown


def test_hog_pictures_stand_beside_their_images():
    images = [np.full((8, 8, 3), i, np.uint8) for i in range(4)]
    pictures = [np.linspace(0, i, 64).reshape(8, 8) for i in range(4)]
    shown = [ax.images[0].get_array() for ax in plots.plot_hog(images, pictures).axes if ax.images]
    assert all(map(np.array_equal, shown[::2], images))
    assert [picture.max() for picture in shown[1::2]] == [0, 255, 255, 255]


def test_predictions_mark_correct_missed_and_wrong():
    true = [["culture::a", "tag::b"], ["culture::china"]]
    predicted = [["tag::c", "culture::a"], ["tag::china"]]
    fig = plots.plot_predictions([IMAGE] * 2, true, predicted, [0.5, 0])
    marked = ["✓ a", "○ b", "✗ c"]
    assert np.array_equal(fig.axes[0].images[0].get_array(), IMAGE)
    assert notes(fig.axes[0]) == ["F2 0.50", *marked]
    assert [colors(fig)[text] for text in marked] == [color for color, _ in VERDICTS.values()]
    assert notes(fig.axes[1])[1:] == ["○ china", "✗ china"]  # of two kinds


@pytest.mark.parametrize(
    ("path_probs", "kept"),
    [
        ([0.9, 0.7, 0.6, 0.5], 4),  # equal is not below
        ([0.9, 0.7, 0.4, 0.9], 2),  # what comes after the first failure stays out
        ([0.1, 0.1, 0.1, 0.1], 1),  # the first label is always kept
    ],
)
def test_path_stops_at_the_first_step_below_its_threshold(path_probs, kept):
    limits, probs = np.array([0.6, 0.5, 0.5, 0.5]), np.array([0.9, 0.6, 0.2, 0.8])
    stops = {"strict": limits, "lax": 0 * limits}
    fig = plots.plot_paths(LABELS, probs, np.array(path_probs), stops, LABELS[1:2], IMAGE)
    ax = fig.axes[1]
    assert [bar.get_width() for bar in ax.containers[0]] == probs.tolist()
    assert rows_of(ax) == ["✗ egyptian  1", "✓ men  2", "✗ cats  3", "✗ boats  4"]
    path, strict, lax = ax.get_lines()
    assert points(path)[0] == path_probs
    assert [points(strict)[1], points(lax)[1]] == [[kept - 0.5] * 2, [3.5] * 2]
    stairs = next(patch for patch in ax.patches if hasattr(patch, "get_data"))
    assert stairs.get_data().values.tolist() == limits.tolist()
    assert f"strict: {kept} of 4 labels kept" in legend(fig)


def attended(attention, boxes=()):
    labels = ["culture::egyptian", *[f"tag::{i}" for i in range(1, len(attention))]]
    row = {"image": IMAGE, "attention": np.asarray(attention), "labels": labels}
    row |= {"probs": np.linspace(0.9, 0.25, len(attention)), "true": labels[:1]}
    return {**row, "boxes": dict(boxes)}


def test_attention_has_a_panel_a_step_with_label_probability_and_its_own_boxes():
    boxes = {"tag::1": [(0.25, 0.5, 0.75, 1.0), (0, 0, 0.1, 0.1)], "tag::absent": (0, 0, 1, 1)}
    fig = plots.plot_attention_rows([attended(np.eye(49)[[0, 24, 48]], boxes)])
    shown = [ax for ax in fig.axes if ax.images]
    assert [len(ax.images) for ax in shown] == [1, 2, 2, 2]
    assert [notes(shown[1])[1], notes(shown[3])[1]] == ["✓ step 1, 0.90", "✗ step 3, 0.25"]
    drawn = [[p for p in ax.patches if isinstance(p, Rectangle)] for ax in shown[1:]]
    assert [len(patches) for patches in drawn] == [0, 2, 0]
    box = drawn[1][0]
    assert (*box.get_xy(), box.get_width(), box.get_height()) == (14.5, 14.5, 30, 15)


def test_attention_is_laid_over_all_of_the_image_on_one_scale():
    even = np.full((6, 49), 1 / 49)
    seven = np.repeat([[1 / 7, 0.0]], [7, 42], axis=1)  # seven times even attention
    fig = plots.plot_attention_rows([attended(even), attended([*np.eye(49)[[6]], *[*seven] * 7])])
    overlays = [ax.images[1] for ax in fig.axes if len(ax.images) == 2]
    first, peak, last = overlays[0], overlays[6], overlays[-1]
    assert first.get_extent() == [-0.5, 59.5, 29.5, -0.5]
    assert first.get_alpha().max() < 0.4 < last.get_alpha().max()
    assert np.unravel_index(peak.get_alpha().argmax(), (7, 7)) == (0, 6)
    # The median peak, not 49.
    assert [overlay.norm.vmax for overlay in overlays] == [pytest.approx(7)] * len(overlays)


def test_pointing_shows_the_rates_and_their_intervals():
    labels = np.repeat(["tag::boats", "tag::men"], [4, 12])
    boats, men = labels == "tag::boats", labels == "tag::men"
    game = pd.DataFrame({"hit_rate": 1 - np.arange(16) % 2, "class_activation_hit_rate": 1})
    game.loc[1, "hit_rate"] = 1
    game = game.assign(chance=0.25 + boats / 4, center_rate=0.3, shuffled=0.4 * men)
    (ax,) = plots.plot_pointing(game, labels).axes
    rates = [[0.5625, 0.5, 0.75], [1, 1, 1]]
    baselines = [[0.3125, 0.25, 0.5], [0.3, 0.3, 0.3], [0.3, 0.4, 0]]
    found = [points(line)[0] for line in ax.get_lines()]
    assert found[:5] == [pytest.approx(values) for values in rates + baselines]
    assert rows_of(ax) == ["all labels  (16)", "men  (12)", "boats  (4)"]
    interval = binomtest(3, 4).proportion_ci(method="wilson")
    assert ax.collections[2].get_segments()[0][:, 0].tolist() == pytest.approx([*interval])


def test_histories_show_every_score_and_each_best_epoch():
    history = pd.DataFrame({"epoch": [1, 2, 3], "train_loss": [0.9, 0.5, 0.4], "seconds": 1.0})
    history = history.assign(val_f2=[0.1, 0.3, 0.2], val_f1=[0.1, 0.2, 0.2])
    fig = plots.plot_history(history)
    loss, (f2, ring, f1) = (ax.get_lines() for ax in fig.axes)
    assert points(loss[0]) == [[1, 2, 3], [0.9, 0.5, 0.4]]
    assert [points(f2)[1], points(f1)[1]] == [[0.1, 0.3, 0.2], [0.1, 0.2, 0.2]]
    assert points(ring) == [[2], [0.3]]
    assert legend(fig) == ["F2: 0.300 at epoch 2", "F1"]
    fig = plots.plot_history({"A": history, "B": history.assign(val_f2=[0.5, 0.1, np.nan])})
    assert legend(fig) == ["A: 0.300 at epoch 2", "B: 0.500 at epoch 1"]


def test_model_scores_are_a_panel_a_score_with_a_row_a_model():
    models = ["constant guess", "constant guess", "ResNet50", "ResNet50", "AttnCNN-RNN"]
    table = pd.DataFrame({"model": models, "split": ["val", "test", "val", "test", "val"]})
    table = table.assign(f2=[0.2, 0.19, 0.3, 0.29, 0.4], map=[np.nan, np.nan, 0.1, 0.11, np.nan])
    ends = {"f2_low": table["f2"] - 0.1, "f2_high": table["f2"] + 0.1}
    table = table.assign(f1=table["f2"], precision=np.nan, recall=np.nan, **ends)
    f2, f1, _ = axes = plots.plot_model_scores(table).axes
    assert [ax.get_title(loc="left") for ax in axes] == ["F2", "F1", "mAP"]
    assert rows_of(f2) == ["ResNet50", "AttnCNN-RNN"]
    for ax in (f2, f1):
        across = {line.get_label(): points(line)[0] for line in ax.get_lines()}
        assert across["validation"] == [0.3, 0.4]
        assert across["test"] == pytest.approx([0.29, np.nan], nan_ok=True)
        assert across["constant guess, test"] == [0.19, 0.19]
    assert notes(f2) == ["0.290", "0.400"]  # test where there is one
    test, val = (lines.get_segments() for lines in f2.collections)
    ends = [*test[0][:, 0], *val[0][:, 0], *val[1][:, 0]]
    assert ends == pytest.approx([0.19, 0.39, 0.2, 0.4, 0.3, 0.5])


def test_decodings_that_differ_from_the_reference_are_filled():
    names = ["threshold", "union", "vote", "greedy"]
    table = pd.DataFrame({"decoding": names, "labels": 4.0, "f2": [0.40, 0.45, 0.50, 0.44]})
    gaps, half = table["f2"] - 0.45, [0.02, 0, 0.02, 0.02]
    ends = {"difference_low": gaps - half, "difference_high": gaps + half}
    fig = plots.plot_decodings(table.assign(low=0.4, high=0.5, difference=gaps, **ends))
    ax = fig.axes[0]
    *dots, dashed = ax.get_lines()
    assert rows_of(ax) == names
    assert [points(dot)[0][0] for dot in dots] == table["f2"].tolist()
    assert [dot.get_markerfacecolor() != "white" for dot in dots] == [True, False, True, False]
    assert points(dashed)[0] == [0.45, 0.45]
    assert "reference: union" in legend(fig)


def test_curves_name_averages_and_labels_with_their_areas():
    areas = {"micro": 0.8, "macro": 0.6, "tag::men": 0.4}
    curves = {n: Curve(np.linspace(0, 1, 5), np.linspace(0, a, 5), a) for n, a in areas.items()}
    for figure in (plots.plot_roc(curves), plots.plot_precision_recall(curves, 0.5)):
        (ax,) = figure.axes
        men = np.array(points(ax.get_lines()[2]))
        np.testing.assert_allclose(men, [[0, 0.25, 0.5, 0.75, 1], [0, 0.1, 0.2, 0.3, 0.4]])
        names = ["micro average  0.800", "macro average  0.600", "tag::men  0.400"]
        assert legend(figure)[:3] == names
    assert points(ax.get_lines()[3])[1] == [0.5, 0.5]


def test_calibration_has_a_panel_a_group_and_a_hollow_dot_for_the_others():
    columns = ["group", "first", "pairs", "expected", "observed", "low", "high"]
    rows = [["culture", True, 30, 0.2, 0.1, 0.05, 0.3], ["culture", True, 30, 0.6, 0.8, 0.7, 0.9]]
    rows += [["culture", False, 900, 0.01, 0.02, 0, 0.05], ["tag", True, 40, 0.3, 0.3, 0.2, 0.4]]
    culture, tag = plots.plot_calibration(pd.DataFrame(rows, columns=columns)).axes
    _, first, others = culture.get_lines()
    assert [points(first), points(others)] == [[[0.2, 0.6], [0.1, 0.8]], [[0.01], [0.02]]]
    assert others.get_markerfacecolor() == "white" != first.get_markerfacecolor()
    bars = [segment[:, 1].tolist() for segment in culture.collections[0].get_segments()]
    assert bars == [[0.05, 0.3], [0.7, 0.9]]
    assert legend(culture) == ["most probable of an image: 60 pairs", "all others: 900 pairs"]
    assert points(tag.get_lines()[1]) == [[0.3], [0.3]]


def test_auc_stands_against_frequency_by_kind():
    aucs, counts = np.array([0.9, 0.4, 0.7, 0.5]), np.array([10, 1, 1000, 0])
    (ax,) = plots.plot_auc_distribution(aucs, counts, ["tag", "culture", "tag", "tag"]).axes
    culture, tag = (dots.get_offsets().tolist() for dots in ax.collections)
    assert culture == [[1, 0.4]]
    assert tag == [[10, 0.9], [1000, 0.7], [0, 0.5]]
    assert ax.get_xlim()[0] < 0 < 1000 < ax.get_xlim()[1]  # labels unseen in training have a place
