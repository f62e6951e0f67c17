"""Figures of probabilities: ROC, precision and recall, calibration. Import from `plots`."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from imet_utils.plots import style

AVERAGES = {"micro": "-", "macro": "--"}
Curve = tuple[np.ndarray, np.ndarray, float]  # across, up, and the area below


def plot_roc(curves: Mapping[str, Curve]) -> Figure:
    """Show ROC curves of `roc_per_class` and `roc_averages`, by label or "micro" and "macro"."""
    axes = {"xlabel": "false positive rate", "ylabel": "true positive rate", "title": "ROC curves"}
    chance = np.array([0, 1]), np.array([0, 1]), 0.5
    return _plot_areas(curves, axes, "chance", chance, "area under the curve")


def plot_precision_recall(curves: Mapping[str, Curve], chance: float) -> Figure:
    """Show curves of `precision_recall_curves`; `chance` is the precision of a random ranking."""
    axes = {"xlabel": "recall", "ylabel": "precision", "title": "Precision and recall"}
    level = np.array([0, 1]), np.array([chance, chance]), chance
    return _plot_areas(curves, axes, "chance, micro", level, "average precision")


@style.use()
def _plot_areas(
    curves: Mapping[str, Curve], axes: dict[str, str], guess: str, chance: Curve, quantity: str
) -> Figure:
    """Draw curves, named with the area below them; averages are bold, those of labels dashed."""
    fig, ax = style.subplots(5.4, width=7.8)
    for name, (across, up, area) in curves.items():
        look: dict[str, Any] = {"linewidth": 1.8}
        label = style.clean_text(name, 2.0)
        if name in AVERAGES:
            look = {"color": style.INK, "linewidth": 2.8, "linestyle": AVERAGES[name]}
            label += " average"
        ax.plot(across, up, label=f"{label}  {area:.3f}", **look)
    across, up, area = chance
    ax.plot(across, up, label=f"{guess}  {area:.3f}", **style.REFERENCE)
    ax.set(xlim=(-0.01, 1.01), ylim=(-0.01, 1.01), aspect="equal", **axes)
    fig.legend(title=quantity, handlelength=3.5, loc="outside right center", alignment="left")
    return fig


@style.use()
def plot_auc_distribution(aucs: np.ndarray, counts: np.ndarray, kinds: Sequence[str]) -> Figure:
    """Show each label's area under the ROC curve against its training images; all (C,)."""
    fig, ax = style.subplots(4.2)
    alpha = min(0.9, max(0.35, 120 / len(aucs)))
    for i, (kind, color) in enumerate(style.kind_colors(kinds).items()):
        own = np.equal(kinds, kind)
        text = style.clean_text(kind, 1.5)
        label = f"{text} ({own.sum():,}), median {np.median(aucs[own]):.3f}"
        look = {"color": color, "label": label, "linewidths": 0, "alpha": alpha}
        ax.scatter(counts[own], aucs[own], 20, marker=style.SERIES_MARKERS[i % 7], **look)
    ax.set_xscale("symlog", linthresh=1, linscale=0.3)  # a log axis has no place for 0
    ax.set_xlim(-0.3 if counts.min() == 0 else counts.min() / 1.5, max(2, counts.max() * 1.5))
    ax.set(title="Area under the ROC curve by label", xlabel="training images with the label")
    ax.set(ylabel="area", ylim=(min(0.45, aucs.min() - 0.03), 1.02))
    ax.axhline(0.5, **style.REFERENCE)
    fig.legend(loc="outside upper right", ncols=3)
    return fig


@style.use()
def plot_calibration(bins: pd.DataFrame, quantity: str = "probability") -> Figure:
    """Show the observed frequency of labels by the predicted `quantity`, a panel a group.

    The bins are those of `calibration_bins`; bars are their intervals.
    """
    groups = bins.groupby("group", sort=False)
    colors = style.kind_colors(groups.groups)
    rows = math.ceil(len(groups) / 2)
    fig, axes = style.subplots(5.3 * rows, rows, 2, width=9.4, squeeze=False)
    for ax, (group, own) in zip(axes.flat, groups, strict=False):
        ax.plot([0, 1], [0, 1], **style.REFERENCE)
        for is_first, some in own.groupby("first", sort=False):
            name = "most probable of an image" if is_first else "all others"
            label = f"{name}: {some['pairs'].sum():,} pairs"
            ax.vlines(some["expected"], some["low"], some["high"], color=colors[group], alpha=0.45)
            dots = style.dots(colors[group], face=None if is_first else "white")
            ax.plot(some["expected"], some["observed"], label=label, **dots)
        end = 0.02 + min(1.0, 1.05 * own[["expected", "high"]].to_numpy().max())
        ax.set(xlim=(-0.02, end), ylim=(-0.02, end), aspect="equal")
        title = f"Kind {style.clean_text(group, 1.5)}"
        ax.set(title=title, xlabel=quantity, ylabel="observed frequency")
        ax.legend(loc="upper left", bbox_to_anchor=(0, -0.14))
    style.hide_empty(axes)
    return fig
