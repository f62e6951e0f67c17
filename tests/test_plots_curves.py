from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from imet_utils.plots import plot_auc_distribution, plot_roc, plot_threshold_curve
from imet_utils.plots.curves import thin_curve


def make_curve(points=5, power=0.5):
    fpr = np.linspace(0, 1, points)
    return SimpleNamespace(fpr=fpr, tpr=fpr**power, auc=1 / (1 + power))


def legend_texts(ax):
    return [text.get_text() for text in ax.get_legend().get_texts()]


def test_roc_draws_averages_bold_and_the_highlighted_in_colour():
    curves = {name: make_curve() for name in ("tag::men", "tag::women", "other", "micro", "macro")}
    ax = plot_roc(curves, ["tag::women"]).axes[0]
    chance, micro, macro, women = ax.get_lines()
    assert micro.get_linewidth() > women.get_linewidth() > chance.get_linewidth()
    assert micro.get_color() == macro.get_color() != women.get_color()
    assert micro.get_linestyle() != macro.get_linestyle()
    assert women.get_xdata() == pytest.approx(make_curve().fpr)
    assert women.get_ydata() == pytest.approx(make_curve().tpr)
    assert len(ax.collections[0].get_segments()) == 2
    assert legend_texts(ax) == [
        "micro average  0.667",
        "macro average  0.667",
        "tag::women  0.667",
        "2 other labels",
        "chance  0.500",
    ]


def test_roc_refuses_an_unknown_label():
    with pytest.raises(ValueError, match=r"highlighted \['b'\]"):
        plot_roc({"a": make_curve()}, ["b"])


def test_thinned_curve_keeps_its_ends_and_its_area():
    curve = make_curve(points=100_000)
    points = thin_curve(curve, 300)
    assert len(points) <= 300
    assert points[[0, -1]].tolist() == [[0, 0], [1, 1]]
    assert np.trapezoid(points[:, 1], points[:, 0]) == pytest.approx(curve.auc, abs=1e-3)


def test_thinned_steps_stay_within_one_step_of_the_curve():
    rng = np.random.default_rng(0)
    hits = rng.random(5000) < 0.3
    curve = SimpleNamespace(
        fpr=np.cumsum(~hits) / (~hits).sum(), tpr=np.cumsum(hits) / hits.sum(), auc=0.5
    )
    points = thin_curve(curve, 100)
    assert len(points) <= 100
    assert np.abs(np.diff(points, axis=0)).sum(axis=1).max() < 2.5 / 99


def test_auc_stands_against_frequency_by_kind():
    aucs, counts = np.array([0.9, 0.4, 0.7]), np.array([10, 1, 1000])
    ax, side = plot_auc_distribution(aucs, counts, ["tag", "culture", "tag"]).axes
    culture, tag = (c.get_offsets().tolist() for c in ax.collections)
    assert culture == [[1, 0.4]]
    assert tag == [[10, 0.9], [1000, 0.7]]
    assert ax.get_xscale() == "log"
    assert ax.get_ylim()[0] < 0.4
    assert len(side.patches) == 2


def test_auc_of_labels_unseen_in_training_has_a_place():
    ax, _ = plot_auc_distribution([0.9, 0.1], [0, 50], ["tag", "tag"]).axes
    assert ax.get_xscale() == "symlog"
    assert ax.get_xlim()[0] < 0 < 50 < ax.get_xlim()[1]


def test_threshold_curve_marks_the_choice():
    curve = pd.DataFrame(
        {
            "threshold": [0.2, 0.0, 0.1],
            "f2": [0.2, 0.1, 0.4],
            "f1": [0.2, 0.1, 0.3],
            "precision": [0.5, 0.1, 0.2],
            "recall": [0.1, 1.0, 0.6],
        }
    )
    (ax,) = plot_threshold_curve(curve, 0.1).axes
    f2, _, _, recall, line, dot = ax.get_lines()
    assert f2.get_xdata().tolist() == [0.0, 0.1, 0.2]
    assert f2.get_ydata().tolist() == [0.1, 0.4, 0.2]
    assert recall.get_ydata().tolist() == [1.0, 0.6, 0.1]
    assert line.get_xdata() == [0.1, 0.1]
    assert (dot.get_xdata()[0], dot.get_ydata()[0]) == (0.1, 0.4)
    assert ax.texts[0].get_text() == "threshold 0.1: F2 0.400"
    with pytest.raises(ValueError, match=r"lacks the columns \['f2'\]"):
        plot_threshold_curve(curve.drop(columns="f2"), 0.1)
