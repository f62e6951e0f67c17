"""Figures of scores over all thresholds: ROC curves, areas, the choice. Import from `plots`."""

from collections.abc import Collection, Mapping, Sequence
from typing import Protocol

import numpy as np
import pandas as pd
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from imet_utils.plots.style import (
    FRAME,
    INK,
    MUTED,
    PAPER,
    SERIES_COLORS,
    SERIES_MARKERS,
    SMALL_SIZE,
    add_legend,
    add_note,
    check_columns,
    check_lengths,
    clean_text,
    count_axis,
    kind_colors,
    new_figure,
    style_axes,
)

MAX_CURVE_POINTS = 600


class Curve(Protocol):
    """A ROC curve: false and true positive rates by falling threshold, and the area below."""

    fpr: np.ndarray
    tpr: np.ndarray
    auc: float


def plot_roc(curves: Mapping[str, Curve], highlighted: Collection[str] = ()) -> Figure:
    """Show ROC curves: all labels faintly, a few in colour, micro and macro average in bold.

    Args:
        curves: by label name; entries named "micro" or "macro" are the averages. A curve of more
            than 600 points is thinned evenly along its length.
        highlighted: label names to draw in colour and name in the legend.
    """
    if not curves:
        raise ValueError("curves is empty; wanted at least one entry")
    absent = [name for name in highlighted if name not in curves]
    if absent:
        raise ValueError(f"no curve for the highlighted {absent}")
    fig = new_figure(5.4, width=9.4)
    ax = fig.subplots()
    averages = [name for name in ("micro", "macro") if name in curves]
    special = [*averages, *(name for name in highlighted if name not in averages)]
    others = [thin_curve(curve) for name, curve in curves.items() if name not in special]
    if others:
        opacity = float(np.clip(25 / len(others), 0.08, 0.8))
        ax.add_collection(LineCollection(others, colors=FRAME, linewidths=0.7, alpha=opacity))
    ax.plot([0, 1], [0, 1], color=MUTED, linewidth=1, linestyle=":")
    handles = []
    for i, name in enumerate(special):
        points = thin_curve(curves[name])
        bold = name in averages
        style = {"color": INK, "linestyle": "-" if name == "micro" else "--", "linewidth": 2.8}
        if not bold:
            pick = (i - len(averages)) % len(SERIES_COLORS)
            style = {"color": SERIES_COLORS[pick], "linewidth": 1.8}
        label = f"{name} average" if bold else clean_text(name, 28)
        handles += ax.plot(*points.T, label=f"{label}  {curves[name].auc:.3f}", **style)
    if others:
        label = f"{len(others):,} other label{'s' * (len(others) > 1)}"
        handles.append(Line2D([], [], color=FRAME, linewidth=0.9, label=label))
    handles.append(Line2D([], [], color=MUTED, linewidth=1, linestyle=":", label="chance  0.500"))
    ax.set(xlim=(-0.01, 1.01), ylim=(-0.01, 1.01), aspect="equal")
    style_axes(ax, "ROC curves", "false positive rate", "true positive rate")
    style = {"title": "area under the curve", "title_fontsize": SMALL_SIZE, "alignment": "left"}
    add_legend(ax, handles, loc="center left", bbox_to_anchor=(1.02, 0.5), **style)
    return fig


def thin_curve(curve: Curve, max_points: int = MAX_CURVE_POINTS) -> np.ndarray:
    """Return (points, 2), at most `max_points` of the curve's, even along its length."""
    check_lengths(fpr=curve.fpr, tpr=curve.tpr)
    points = np.column_stack([curve.fpr, curve.tpr]).astype(float)
    if len(points) <= max_points:
        return points
    length = np.concatenate([[0.0], np.abs(np.diff(points, axis=0)).sum(axis=1).cumsum()])
    wanted = np.linspace(0, length[-1], max_points)
    return points[np.unique(np.searchsorted(length, wanted).clip(max=len(points) - 1))]


def plot_auc_distribution(aucs: np.ndarray, counts: np.ndarray, kinds: Sequence[str]) -> Figure:
    """Show each label's area under the ROC curve against its frequency.

    Args:
        aucs: (C',) areas of the labels that have one.
        counts: (C',) training images with the label.
        kinds: kind of each label.
    """
    check_lengths(aucs=aucs, counts=counts, kinds=kinds)
    aucs, counts = np.asarray(aucs, dtype=float), np.asarray(counts, dtype=float)
    kind_of = np.asarray(kinds, dtype=object)
    fig = new_figure(4.2)
    ax, side = fig.subplots(1, 2, sharey=True, width_ratios=(3, 1))
    bins = np.linspace(min(0.0, aucs.min()), 1, 41)
    opacity = float(np.clip(120 / len(aucs), 0.35, 0.9))
    handles = []
    for i, (kind, color) in enumerate(kind_colors(sorted(set(kinds))).items()):
        marker = SERIES_MARKERS[i % len(SERIES_MARKERS)]
        style = {"s": 20, "color": color, "alpha": opacity, "linewidths": 0, "marker": marker}
        mine = kind_of == kind
        label = f"{clean_text(kind)} ({mine.sum():,}), median {np.median(aucs[mine]):.3f}"
        ax.scatter(counts[mine], aucs[mine], **style)
        style = {"orientation": "horizontal", "histtype": "step", "linewidth": 1.6}
        side.hist(aucs[mine], bins=bins, color=color, **style)
        handles.append(Line2D([], [], color=color, marker=marker, linestyle="", label=label))
    if counts.min() > 0:
        ax.set_xscale("log")
        ax.set_xlim(counts.min() / 1.5, counts.max() * 1.5)
    else:
        ax.set_xscale("symlog", linthresh=1, linscale=0.3)  # a log axis has no place for 0
        ax.set_xlim(-0.3, max(10.0, counts.max() * 1.5))
    for panel in (ax, side):
        panel.axhline(0.5, color=MUTED, linewidth=1, linestyle=":")
    low = min(0.45, float(aucs.min()) - 0.03)
    ax.set_ylim(max(low, -0.02), 1.02)
    style_axes(ax, "Area under the ROC curve by label", "training images with the label", "area")
    style_axes(side, "Distribution", "labels", grid="both")
    count_axis(side.xaxis, ticks=3)
    add_legend(fig, handles, loc="outside upper right", ncols=6)
    return fig


def plot_threshold_curve(curve: pd.DataFrame, best: float) -> Figure:
    """Show how the scores follow the decision threshold, with the chosen one marked.

    Args:
        curve: columns threshold, f2, f1, precision, recall.
        best: the threshold chosen.
    """
    scores = {"f2": "F2", "f1": "F1", "precision": "precision", "recall": "recall"}
    check_columns(curve, ["threshold", *scores], "curve")
    curve = curve.sort_values("threshold")
    fig = new_figure(4.0, width=8.0)
    ax = fig.subplots()
    for i, (column, label) in enumerate(scores.items()):
        style = {"color": SERIES_COLORS[i], "linestyle": ("-", "-.", "--", ":")[i]}
        style |= {"linewidth": 2.8 if column == "f2" else 1.5, "label": label}
        ax.plot(curve["threshold"], curve[column], marker="o" if len(curve) < 3 else None, **style)
    height = float(np.interp(best, curve["threshold"], curve["f2"]))
    ax.axvline(best, color=MUTED, linewidth=1, linestyle=":")
    ax.plot(best, height, marker="o", markersize=8, color=SERIES_COLORS[0], linestyle="")
    style = {"color": SERIES_COLORS[0], "weight": "bold", "va": "bottom", "bbox": PAPER}
    add_note(ax, f"threshold {best:.3g}: F2 {height:.3f}", (best, height), (8, 8), **style)
    ax.set_ylim(0, min(1.02, float(curve[list(scores)].max().max()) * 1.1 + 0.02))
    style_axes(ax, "Choosing the threshold", "probability threshold", "score, mean over images")
    add_legend(ax, loc="best")
    return fig
