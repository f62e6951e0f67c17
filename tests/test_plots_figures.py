"""What each figure shows of its data: the numbers in its bars, lines, dots and pictures."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_rgb
from matplotlib.patches import Rectangle
from matplotlib.text import Annotation, Text
from scipy.stats import binomtest

from imet_utils import plots
from imet_utils.metrics.scores import Curve
from imet_utils.plots.style import KIND_COLORS, MUTED, VERDICTS, kind_colors

IMAGE = np.full((30, 60, 3), 200, np.uint8)


def notes(where):
    return [note.get_text() for note in where.findobj(Annotation)]


def colors(fig):
    return {note.get_text(): note.get_color() for note in fig.findobj(Annotation)}


def legend(place):
    box = place.legends[0] if hasattr(place, "legends") else place.get_legend()
    return [text.get_text() for text in box.get_texts()]


def rows_of(ax):
    return [label.get_text() for label in ax.get_yticklabels()]


def x_of(line):
    return np.asarray(line.get_xdata(), dtype=float).tolist()


def y_of(line):
    return np.asarray(line.get_ydata(), dtype=float).tolist()


def test_label_frequencies_are_the_counts_of_the_most_frequent():
    names = ["men", "french", "women", "trees", "dutch"]
    fig = plots.plot_label_frequencies(
        np.array([5, 9, 7, 0, 2]), names, ["tag", "culture", "tag", "tag", "culture"]
    )
    culture, tag, tail = fig.axes[:3]
    assert [bar.get_width() for bar in culture.patches] == [9, 2]
    assert [bar.get_width() for bar in tag.patches] == [7, 5, 0]
    assert rows_of(tag) == ["women", "men", "trees"]
    assert (x_of(tail.lines[0]), y_of(tail.lines[0])) == ([1, 2, 3, 4], [9, 7, 5, 2])
    assert legend(fig)[0] == "all, 4 of 5 used"


def test_labels_per_image_are_shares():
    targets = np.array([[0, 1, 1], [1, 0, 0], [1, 1, 0], [1, 0, 1]], bool)
    (ax,) = plots.plot_labels_per_image(targets, ["culture", "tag", "tag"]).axes
    heights = [[bar.get_height() for bar in bars] for bars in ax.containers]
    assert heights == [[0, 0.25, 0.75], [0.25, 0.75, 0], [0.25, 0.5, 0.25]]
    assert legend(ax) == ["all labels, mean 1.75", "culture, mean 0.75", "tag, mean 1.00"]


def test_cooccurrence_is_the_share_given_the_row_in_blocks():
    targets = np.array([[1, 1, 0], [1, 0, 0], [1, 1, 0], [0, 0, 0]], bool)
    ax = plots.plot_cooccurrence(targets, ["tag::a", "culture::b", "tag::never"]).axes[0]
    row = {name: i for i, name in enumerate(rows_of(ax))}
    values = ax.collections[0].get_array().reshape(2, 2)
    assert values[row["a"], row["b"]] == pytest.approx(2 / 3)
    assert values[row["b"], row["a"]] == pytest.approx(1)
    assert values.mask.diagonal().all()
    # labels of a block stand together
    targets = np.tile([[1, 0], [0, 1], [1, 0], [0, 1]], 3).astype(bool)
    order = "".join(rows_of(plots.plot_cooccurrence(targets, list("aBaBaB")).axes[0]))
    assert order in ("aaaBBB", "BBBaaa")


def test_grid_shows_each_image_with_its_labels():
    images = [np.full((high, 30, 3), high, np.uint8) for high in (20, 40, 9, 8, 7)]
    labels = [["culture::french", "tag::men"], ["tag::dogs"], [], []]
    fig = plots.plot_image_grid(images, [*labels, [f"tag::{i}" for i in range(30)]])
    shown = [ax for ax in fig.axes if ax.images]
    for ax, image in zip(shown, images, strict=True):
        assert np.array_equal(ax.images[0].get_array(), image)
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
    fig = plots.plot_hog(images, pictures)
    shown = [ax.images[0].get_array() for ax in fig.axes if ax.images]
    assert all(map(np.array_equal, shown[::2], images))
    assert [picture.max() for picture in shown[1::2]] == [0, 255, 255, 255]


def test_predictions_mark_correct_missed_and_wrong():
    true = [["culture::a", "tag::b"], ["culture::china"], []]
    predicted = [["tag::c", "culture::a"], ["tag::china"], [f"tag::{i}" for i in range(30)]]
    fig = plots.plot_predictions([IMAGE] * 3, true, predicted, [0.5, 0, 0])
    marked = ["✓ a", "○ b", "✗ c"]
    assert np.array_equal(fig.axes[0].images[0].get_array(), IMAGE)
    assert notes(fig.axes[0]) == ["F2 0.50", *marked]
    assert [colors(fig)[text] for text in marked] == [color for color, _ in VERDICTS.values()]
    # Two kinds with one name are two labels; long lists are counted.
    assert notes(fig.axes[1])[1:] == ["○ china", "✗ china"]
    assert notes(fig.axes[2])[-1] == "+ 19 more"


LABELS = ["culture::egyptian", "tag::men", "tag::cats", "tag::boats"]


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
    limits, probs = np.array([0.6, 0.5, 0.5, 0.5]), np.array([0.9, 0.6, 0.2, 0.8])
    stops = {"strict": limits, "lax": 0 * limits}
    fig = plots.plot_paths(LABELS, probs, np.array(path_probs), stops, LABELS[1:2], IMAGE)
    ax = fig.axes[1]
    assert [bar.get_width() for bar in ax.containers[0]] == probs.tolist()
    verdicts = ["wrong", "correct", "wrong", "wrong"]
    shown = [to_rgb(bar.get_facecolor()) for bar in ax.containers[0]]
    assert shown == [to_rgb(VERDICTS[verdict][0]) for verdict in verdicts]
    path, strict, lax = ax.get_lines()
    assert x_of(path) == path_probs
    assert (y_of(strict), y_of(lax)) == ([kept - 0.5] * 2, [3.5] * 2)
    stairs = next(patch for patch in ax.patches if hasattr(patch, "get_data"))
    assert stairs.get_data().values.tolist() == limits.tolist()
    assert f"strict: {kept} of 4 labels kept" in {text.get_text() for text in fig.findobj(Text)}


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
    assert [note.split() for note in notes(shown[3])] == [["2"], ["✗", "step", "3,", "0.25"]]
    assert notes(shown[1])[1] == "✓ step 1, 0.90"
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
    game = pd.DataFrame({"hit_rate": 1 - np.arange(16) % 2, "chance": 0.25 + boats / 4})
    game.loc[1, "hit_rate"] = 1
    game = game.assign(center_rate=0.3, shuffled=0.4 * men, class_activation_hit_rate=1)
    fig = plots.plot_pointing(game, labels)
    (ax,) = fig.axes
    found = [x_of(line) for line in ax.get_lines()]
    wanted = [[0.5625, 0.5, 0.75], [0.3125, 0.25, 0.5], [0.3, 0.3, 0.3], [0.3, 0.4, 0]]
    wanted.insert(1, [1, 1, 1])
    assert found[:5] == [pytest.approx(values) for values in wanted]
    assert rows_of(ax) == ["all labels  (16)", "men  (12)", "boats  (4)"]
    interval = binomtest(3, 4).proportion_ci(method="wilson")
    assert ax.collections[2].get_segments()[0][:, 0].tolist() == pytest.approx([*interval])


HISTORY = pd.DataFrame({"epoch": [1, 2, 3], "train_loss": [0.9, 0.5, 0.4]})
HISTORY = HISTORY.assign(val_f2=[0.1, 0.3, 0.2], val_f1=[0.1, 0.2, 0.2], seconds=1.0)


def curves_of(ax):
    return [y_of(line) for line in ax.get_lines() if len(line.get_xdata()) == 3]


def test_histories_show_every_score_and_each_best_epoch():
    fig = plots.plot_history(HISTORY)
    loss, score = fig.axes
    assert curves_of(loss) == [[0.9, 0.5, 0.4]]
    assert curves_of(score) == [[0.1, 0.3, 0.2], [0.1, 0.2, 0.2]]
    assert legend(fig) == ["F2: 0.300 at epoch 2", "F1"]
    (ring,) = [line for line in score.get_lines() if len(line.get_xdata()) == 1]
    assert (x_of(ring), y_of(ring)) == ([2], [0.3])
    fig = plots.plot_history({"A": HISTORY, "B": HISTORY.assign(val_f2=[0.5, 0.1, np.nan])})
    assert legend(fig) == ["A: 0.300 at epoch 2", "B: 0.500 at epoch 1"]
    assert curves_of(fig.axes[1])[0] == [0.1, 0.3, 0.2]


def test_model_scores_are_a_panel_a_score_with_a_row_a_model():
    models = ["constant guess", "constant guess", "ResNet50", "ResNet50", "AttnCNN-RNN"]
    table = pd.DataFrame({"model": models, "split": ["val", "test", "val", "test", "val"]})
    table = table.assign(f2=[0.2, 0.19, 0.3, 0.29, 0.4], map=[np.nan, np.nan, 0.1, 0.11, np.nan])
    ends = {"f2_low": table["f2"] - 0.1, "f2_high": table["f2"] + 0.1}
    table = table.assign(f1=table["f2"] / 2, precision=np.nan, recall=np.nan, **ends)
    fig = plots.plot_model_scores(table)
    assert [ax.get_title(loc="left") for ax in fig.axes] == ["F2", "F1", "mAP"]
    assert rows_of(fig.axes[0]) == ["ResNet50", "AttnCNN-RNN"]
    for ax, scale in zip(fig.axes, (1, 2), strict=False):
        lines = {line.get_label(): np.multiply(x_of(line), scale) for line in ax.get_lines()}
        assert lines["validation"] == pytest.approx([0.3, 0.4])
        assert lines["test"] == pytest.approx([0.29, np.nan], nan_ok=True)
        assert lines["constant guess, test"] == pytest.approx([0.19, 0.19])
    assert notes(fig.axes[0]) == ["0.290", "0.400"]  # test where there is one
    test, val = (lines.get_segments() for lines in fig.axes[0].collections)
    ends = [*test[0][:, 0], *val[0][:, 0], *val[1][:, 0]]
    assert ends == pytest.approx([0.19, 0.39, 0.2, 0.4, 0.3, 0.5])


def test_decodings_that_differ_from_the_reference_are_filled():
    names = ["decoding", "labels", "f2", "low", "high"]
    rows = [
        ("threshold", 8.25, 0.40, 0.38, 0.42, -0.05, -0.07, -0.03),
        ("union", 4.0, 0.45, 0.43, 0.47, 0.0, 0.0, 0.0),
        ("vote", 3.5, 0.50, 0.48, 0.52, 0.05, 0.03, 0.07),
        ("greedy", 3.0, 0.44, 0.42, 0.46, -0.01, -0.03, 0.01),
    ]
    names += ["difference", "difference_low", "difference_high"]
    table = pd.DataFrame(rows, columns=names)
    fig = plots.plot_decodings(table)
    (ax,) = fig.axes
    *dots, dashed = ax.get_lines()
    assert rows_of(ax) == table["decoding"].tolist()
    assert [x_of(dot)[0] for dot in dots] == table["f2"].tolist()
    spans = [lines.get_segments()[0][:, 0].tolist() for lines in ax.collections]
    assert spans == table[["low", "high"]].to_numpy().tolist()
    assert [dot.get_markerfacecolor() != "white" for dot in dots] == [True, False, True, False]
    assert x_of(dashed) == [0.45, 0.45]
    assert "reference: union" in legend(fig)
    (ax,) = plots.plot_decodings(table.assign(**dict.fromkeys(names[1:], 0.0))).axes
    assert ax.get_xlim()[0] <= 0 < ax.get_xlim()[1]


def test_curves_name_averages_and_labels_with_their_areas():
    areas = {"micro": 0.8, "macro": 0.6, "tag::men": 0.4}
    curves = {n: Curve(np.linspace(0, 1, 5), np.linspace(0, a, 5), a) for n, a in areas.items()}
    for figure in (plots.plot_roc(curves), plots.plot_precision_recall(curves, 0.5)):
        (ax,) = figure.axes
        men = ax.get_lines()[2]
        assert x_of(men) == [0, 0.25, 0.5, 0.75, 1]
        assert y_of(men) == pytest.approx([0, 0.1, 0.2, 0.3, 0.4])
        names = ["micro average  0.800", "macro average  0.600", "tag::men  0.400"]
        assert legend(figure)[:3] == names
    assert y_of(ax.get_lines()[3]) == [0.5, 0.5]


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
    assert (x_of(first), y_of(first), x_of(others)) == ([0.2, 0.6], [0.1, 0.8], [0.01])
    assert others.get_markerfacecolor() == "white" != first.get_markerfacecolor()
    bars = [segment[:, 1].tolist() for segment in culture.collections[0].get_segments()]
    assert bars == [[0.05, 0.3], [0.7, 0.9]]
    assert legend(culture) == ["most probable of an image: 60 pairs", "all others: 900 pairs"]
    assert tag.get_xlim()[1] < 0.5 < culture.get_xlim()[1]


def test_auc_stands_against_frequency_by_kind():
    aucs, counts = np.array([0.9, 0.4, 0.7, 0.5]), np.array([10, 1, 1000, 0])
    (ax,) = plots.plot_auc_distribution(aucs, counts, ["tag", "culture", "tag", "tag"]).axes
    culture, tag = (dots.get_offsets().tolist() for dots in ax.collections)
    assert culture == [[1, 0.4]]
    assert tag == [[10, 0.9], [1000, 0.7], [0, 0.5]]
    assert ax.get_xlim()[0] < 0 < 1000 < ax.get_xlim()[1]  # labels unseen in training have a place
    assert ax.get_ylim()[0] < 0.4


def test_kinds_beyond_six_are_grey_and_calibration_has_two_panels_a_row():
    kinds = ["culture", *"abcdefg"]
    found = kind_colors(kinds)
    assert found["culture"] == KIND_COLORS["culture"]
    assert [kind for kind, color in found.items() if color == MUTED] == ["f", "g"]
    assert len(set(found.values())) == 7
    assert kind_colors(["a", "other kinds"])["other kinds"] == MUTED
    columns = ["group", "first", "pairs", "expected", "observed", "low", "high"]
    rows = [[kind, True, 40, 0.2, 0.1, 0.05, 0.3] for kind in kinds[:5]]
    fig = plots.plot_calibration(pd.DataFrame(rows, columns=columns))
    assert fig.get_figwidth() < 10
    assert [ax.get_title(loc="left") for ax in fig.axes if ax.axison] == [
        "Kind culture", "Kind a", "Kind b", "Kind c", "Kind d",
    ]  # fmt: skip
