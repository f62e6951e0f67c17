"""Figures of probabilities: ROC, precision and recall, calibration. Import from `plots`."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from imet_utils.plots import style

BOLD: dict[str, Any] = {"color": style.INK, "linewidth": 2.8}
AVERAGES = {"micro": BOLD, "macro": {**BOLD, "linestyle": "--"}}


@style.use()
def plot_roc(curves: Mapping[str, Any]) -> Figure:
    """Show ROC curves of `roc_per_class` and `roc_average`, by label or "micro" and "macro"."""
    lines = {name: (curve.fpr, curve.tpr, curve.auc) for name, curve in curves.items()}
    axes = ("ROC curves", "false positive rate", "true positive rate")
    return _plot_areas(lines, axes, [0, 1], "chance  0.500", "area under the curve")


@style.use()
def plot_precision_recall(curves: Mapping[str, Any], chance: float) -> Figure:
    """Show curves of `precision_recall_curves`; `chance` is the precision of a random ranking."""
    lines = {name: (c.recall, c.precision, c.average_precision) for name, c in curves.items()}
    axes = ("Precision and recall", "recall", "precision")
    label = f"chance, micro  {chance:.3f}"
    return _plot_areas(lines, axes, [chance, chance], label, "average precision")


def _plot_areas(
    lines: Mapping[str, tuple[np.ndarray, np.ndarray, float]],
    axes: tuple[str, str, str],
    chance: list[float],
    chance_label: str,
    area_name: str,
) -> Figure:
    """Draw curves in the unit square, named with the area below them; averages are bold."""
    fig = style.new_figure(5.4, width=9.4)
    ax = fig.subplots()
    groups = [name for name in lines if name not in AVERAGES]
    for name, (across, up, area) in lines.items():
        text = f"{style.clean_text(name, 2.0)}{' average' * (name in AVERAGES)}  {area:.3f}"
        color = style.SERIES_COLORS[groups.index(name) % 7] if name in groups else style.INK
        look = AVERAGES.get(name) or {"color": color, "linewidth": 1.8}
        ax.plot(across, up, label=text, **look)
    ax.plot([0, 1], chance, label=chance_label, **style.REFERENCE)
    style.label_axes(ax, *axes)
    ax.set(xlim=(-0.01, 1.01), ylim=(-0.01, 1.01), aspect="equal")
    ax.legend(loc="center left", bbox_to_anchor=(1.02, 0.5), title=area_name, alignment="left")
    return fig


@style.use()
def plot_auc_distribution(aucs: np.ndarray, counts: np.ndarray, kinds: Sequence[str]) -> Figure:
    """Show each label's area under the ROC curve against its training images; all (C,)."""
    fig = style.new_figure(4.2)
    ax, side = fig.subplots(1, 2, sharey=True, width_ratios=(3, 1))
    bins = np.linspace(min(0.5, aucs.min()), 1, 26).tolist()
    alpha = min(0.9, max(0.35, 120 / len(aucs)))
    for i, (kind, color) in enumerate(style.kind_colors(kinds).items()):
        own = np.equal(kinds, kind)
        text = style.clean_text(kind, 1.5)
        label = f"{text} ({own.sum():,}), median {np.median(aucs[own]):.3f}"
        dots: dict[str, Any] = {"marker": style.pick_series(i)["marker"], "linewidths": 0}
        ax.scatter(counts[own], aucs[own], 20, color, alpha=alpha, label=label, **dots)
        side.hist(aucs[own], bins, color=color, orientation="horizontal", histtype="step")
    ax.set_xscale("symlog", linthresh=1, linscale=0.3)  # a log axis has no place for 0
    ax.set_xlim(-0.3 if counts.min() == 0 else counts.min() / 1.5, max(2, counts.max() * 1.5))
    ax.set_ylim(min(0.45, aucs.min() - 0.03), 1.02)
    title = "Area under the ROC curve by label"
    style.label_axes(ax, title, "training images with the label", "area")
    style.label_axes(side, "Distribution", "labels")
    for panel in (ax, side):
        panel.axhline(0.5, **style.REFERENCE)
    style.count_axis(side.xaxis, ticks=3)
    fig.legend(loc="outside upper right", ncols=3)
    return fig


@style.use()
def plot_calibration(bins: pd.DataFrame, quantity: str = "probability") -> Figure:
    """Show the observed frequency of labels by the predicted one, a panel a group.

    Args:
        bins: of `calibration_bins`; the bars are the intervals.
        quantity: what was predicted.
    """
    groups = bins["group"].unique()
    rows = math.ceil(len(groups) / 2)
    fig = style.new_figure(5.0 * rows, width=9.4)
    axes = fig.subplots(rows, 2, squeeze=False)
    for ax, group in zip(axes.flat, groups, strict=False):
        own, color = bins[bins["group"] == group], style.kind_colors(groups)[group]
        ax.plot([0, 1], [0, 1], **style.REFERENCE)
        for is_first, some in own.groupby("first", sort=False):
            name = "most probable of an image" if is_first else "all others"
            label = f"{name}: {some['pairs'].sum():,} pairs"
            look = {**style.DOT, "color": color, "markerfacecolor": color if is_first else "white"}
            ax.vlines(some["expected"], some["low"], some["high"], color=color, alpha=0.45)
            ax.plot(some["expected"], some["observed"], label=label, **look)
        end = 0.02 + min(1.0, 1.05 * own[["expected", "high"]].to_numpy().max())
        ax.set(xlim=(-0.02, end), ylim=(-0.02, end), aspect="equal")
        title = f"Kind {style.clean_text(group, 1.5)}"
        style.label_axes(ax, title, quantity, "observed frequency")
        ax.legend(loc="lower right")
    style.hide_empty(axes)
    return fig
