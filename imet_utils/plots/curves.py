"""Figures of probabilities: ROC, precision and recall, calibration. Import from `plots`."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure

from imet_utils.plots.style import (
    FRAME,
    INK,
    MUTED,
    SERIES_COLORS,
    SERIES_MARKERS,
    add_legend,
    count_axis,
    hide_empty,
    kind_colors,
    new_figure,
    style_axes,
)
from imet_utils.plots.text import SMALL_SIZE, clean_text, finish

BOLD = {"color": INK, "linewidth": 2.8}
AVERAGES = {"micro": BOLD, "macro": {**BOLD, "linestyle": "--"}}


def plot_roc(curves: Mapping[str, Any], highlighted: Collection[str] = ()) -> Figure:
    """Show ROC curves: all labels faintly, a few in colour, micro and macro average in bold.

    Args:
        curves: by label name, each with fpr, tpr (false and true positive rates) and auc (the
            area below); those named "micro" and "macro" are averages.
        highlighted: label names to draw in colour and name in the legend.
    """
    fig = new_figure(5.4, width=9.4)
    ax = fig.subplots()
    averages = [name for name in AVERAGES if name in curves]
    others = [name for name in curves if name not in {*averages, *highlighted}]
    lines = [np.column_stack([curves[name].fpr, curves[name].tpr]) for name in others]
    opacity = min(0.8, max(0.08, 25 / max(1, len(others))))
    ax.add_collection(LineCollection(lines, colors=FRAME, linewidths=0.7, alpha=opacity))
    looks = dict(AVERAGES)
    for i, name in enumerate(highlighted):
        looks[name] = {"color": SERIES_COLORS[i % len(SERIES_COLORS)], "linewidth": 1.8}
    for name in [*averages, *highlighted]:
        curve, text = curves[name], f"{clean_text(name, 2.0)}{' average' * (name in averages)}"
        ax.plot(curve.fpr, curve.tpr, label=f"{text}  {curve.auc:.3f}", **looks[name])
    if others:
        label = f"{len(others):,} other label{'s' * (len(others) > 1)}"
        ax.plot([], [], color=FRAME, linewidth=0.9, label=label)
    ax.plot([0, 1], [0, 1], color=MUTED, linewidth=1, linestyle=":", label="chance  0.500")
    style_axes(ax, "ROC curves", "false positive rate", "true positive rate")
    _add_areas(ax, "area under the curve")
    return finish(fig)


def _add_areas(ax: Axes, title: str) -> None:
    """Draw the legend of curves, with their areas, beside square axes from 0 to 1."""
    ax.set(xlim=(-0.01, 1.01), ylim=(-0.01, 1.01), aspect="equal")
    title = {"title": title, "title_fontsize": SMALL_SIZE, "alignment": "left"}
    add_legend(ax, loc="center left", bbox_to_anchor=(1.02, 0.5), **title)


def plot_auc_distribution(aucs: np.ndarray, counts: np.ndarray, kinds: Sequence[str]) -> Figure:
    """Show each label's area under the ROC curve against its frequency.

    Args:
        aucs: (C',) areas of the labels that have one.
        counts: (C',) training images with the label.
        kinds: kind of each label.
    """
    kind_of = np.asarray(kinds, dtype=object)
    fig = new_figure(4.2)
    ax, side = fig.subplots(1, 2, sharey=True, width_ratios=(3, 1))
    bins = np.linspace(min(0.5, aucs.min()), 1, 26)
    opacity = min(0.9, max(0.35, 120 / len(aucs)))
    for i, (kind, color) in enumerate(kind_colors(kinds).items()):
        mine = kind_of == kind
        label = f"{clean_text(kind, 1.5)} ({mine.sum():,}), median {np.median(aucs[mine]):.3f}"
        dots = {"s": 20, "alpha": opacity, "linewidths": 0, "marker": SERIES_MARKERS[i % 7]}
        ax.scatter(counts[mine], aucs[mine], color=color, label=label, **dots)
        bars = {"orientation": "horizontal", "histtype": "step", "linewidth": 1.6}
        side.hist(aucs[mine], bins, color=color, **bars)
    ax.set_xscale("symlog", linthresh=1, linscale=0.3)  # a log axis has no place for 0
    ax.set_xlim(-0.3 if counts.min() == 0 else counts.min() / 1.5, max(2, counts.max() * 1.5))
    for panel in (ax, side):
        panel.axhline(0.5, color=MUTED, linewidth=1, linestyle=":")
    ax.set_ylim(min(0.45, aucs.min() - 0.03), 1.02)
    style_axes(ax, "Area under the ROC curve by label", "training images with the label", "area")
    style_axes(side, "Distribution", "labels")
    count_axis(side.xaxis, ticks=3)
    add_legend(fig, loc="outside upper right", ncols=3)
    return finish(fig)


def plot_precision_recall(curves: Mapping[str, Any], chance: float) -> Figure:
    """Show precision against recall: micro and macro average in bold, groups of labels in colour.

    Args:
        curves: of `precision_recall_curves`, each with recall, precision and average_precision.
        chance: precision of a random ranking of all pairs, the share of them that is true.
    """
    fig = new_figure(5.4, width=9.4)
    ax = fig.subplots()
    groups = [name for name in curves if name not in AVERAGES]
    colors = {name: SERIES_COLORS[i % len(SERIES_COLORS)] for i, name in enumerate(groups)}
    for name, curve in curves.items():
        look = AVERAGES.get(name) or {"color": colors[name], "linewidth": 1.8}
        text = f"{clean_text(name, 2.0)}{' average' * (name in AVERAGES)}"
        label = f"{text}  {curve.average_precision:.3f}"
        ax.plot(curve.recall, curve.precision, label=label, **look)
    level = {"color": MUTED, "linewidth": 1, "linestyle": ":"}
    ax.axhline(chance, label=f"chance, micro  {chance:.3f}", **level)
    style_axes(ax, "Precision and recall", "recall", "precision")
    _add_areas(ax, "average precision")
    return finish(fig)


def plot_calibration(bins: pd.DataFrame, quantity: str = "probability") -> Figure:
    """Plot observed against expected frequency, a panel a group; calibrated means on the line.

    Args:
        bins: of `calibration_bins`; the bars are the intervals.
        quantity: what is compared with the observed share.
    """
    groups = bins["group"].unique()
    colors, columns = kind_colors(groups), max(2, len(groups))
    fig = new_figure(5.0, width=4.7 * columns)
    axes = fig.subplots(1, columns)
    for ax, group in zip(axes, groups, strict=False):
        mine, color = bins[bins["group"] == group], colors[group]
        ax.plot([0, 1], [0, 1], color=MUTED, linewidth=1, linestyle=":")
        for first, face in ((True, color), (False, "white")):
            some = mine[mine["first"] == first]
            if len(some):
                which = "most probable of an image" if first else "all others"
                look = {"color": color, "linestyle": "", "marker": "o", "markerfacecolor": face}
                label = f"{which}: {some['pairs'].sum():,} pairs"
                ax.vlines(some["expected"], some["low"], some["high"], color=color, alpha=0.45)
                ax.plot(some["expected"], some["observed"], markersize=7, label=label, **look)
        end = 0.02 + min(1.0, 1.05 * mine[["expected", "high"]].to_numpy().max())
        ax.set(xlim=(-0.02, end), ylim=(-0.02, end), aspect="equal")
        style_axes(ax, f"Kind {clean_text(group, 1.5)}", quantity, "observed share")
        add_legend(ax, loc="lower right")
    hide_empty(axes)
    return finish(fig)
