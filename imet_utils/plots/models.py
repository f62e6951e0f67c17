"""Figures of models: their time, training and scores. Import from `plots`."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from imet_utils.plots.style import (
    FAINT,
    INK,
    MUTED,
    REFERENCE,
    SCORES,
    SERIES_COLORS,
    add_legend,
    add_note,
    count_axis,
    name_rows,
    new_figure,
    pick_series,
    style_axes,
)
from imet_utils.plots.text import clean_text, finish

FLOOR = "constant guess"
RING = {"marker": "o", "markersize": 11, "markeredgewidth": 1.6, "markerfacecolor": "none"}
PAPER = {"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 1.5}  # under text
BLUE, ORANGE = SERIES_COLORS[:2]
DOT = {"color": BLUE, "linestyle": "", "marker": "o", "markersize": 7, "markeredgewidth": 1.6}
SPLITS = {  # what to call a split, how its dots and its floor look, and by how much its row shifts
    "val": ("validation", {**DOT, "marker": "D", "markerfacecolor": "white"}, ":", -0.12),
    "test": ("test", DOT, "--", 0.12),
}


def plot_timing(times: Mapping[str, float]) -> Figure:
    """Compare durations in milliseconds as bars, each with its ratio to the slowest."""
    values, slowest = list(times.values()), max(times.values())
    fig = new_figure(1.2 + 0.42 * len(times), width=8.0)
    ax = fig.subplots()
    colors = [SERIES_COLORS[0] if value < slowest else FAINT for value in values]
    ax.barh(range(len(values)), values, height=0.66, color=colors)
    for y, value in enumerate(values):
        faster = f"   {slowest / value:,.1f} times as fast" if value < slowest else ""
        add_note(ax, f"{value:,.1f} ms{faster}", (value, y))
    style_axes(ax, "Time taken", "milliseconds", grid="x")
    name_rows(ax, [clean_text(name, 2.4) for name in times])
    ax.set_xlim(0, slowest * 1.4)
    ax.xaxis.set_major_formatter("{x:,.10g}")
    return finish(fig)


def plot_history(history: pd.DataFrame | Mapping[str, pd.DataFrame]) -> Figure:
    """Show loss, validation and learning rate by epoch, with the epoch of the best F2 marked.

    Args:
        history: columns epoch, train_loss, learning_rate, val_f2 and maybe more scores, all of
            which are shown of one model. A dictionary of several models by name compares their F2.
    """
    if isinstance(history, pd.DataFrame):
        models, looks = [history], [{"color": INK, "marker": "o"}]
        shown = [score for score in SCORES if f"val_{score}" in history]
        curves = [(SCORES[score], history, f"val_{score}") for score in shown]
    else:
        models, looks = list(history.values()), [pick_series(i) for i in range(len(history))]
        curves = [(name, frame, "val_f2") for name, frame in history.items()]
    fig = new_figure(3.5 + 0.2 * (len(models) // 3))
    loss, score, rate = fig.subplots(1, 3)
    for frame, look in zip(models, looks, strict=True):
        _draw_curve(loss, frame, "train_loss", **look)
        _draw_curve(rate, frame, "learning_rate", **look)
    for i, (name, frame, column) in enumerate(curves):
        look, label = pick_series(i), clean_text(name, 2.2)
        if column == "val_f2":
            epoch, best = frame.loc[frame[column].idxmax(), ["epoch", column]]
            label += f": {best:.3f} at epoch {epoch:.0f}"
            score.plot(epoch, best, color=look["color"], **RING)
        _draw_curve(score, frame, column, label=label, **look)
    style_axes(loss, "Loss", "epoch", "training loss")
    style_axes(score, "Validation", "epoch", "score" if len(models) < len(curves) else "F2")
    style_axes(rate, "Learning rate", "epoch", "learning rate, 10⁻³")
    rate.yaxis.set_major_formatter(lambda value, _: f"{1000 * value:.3g}")
    for ax in (loss, score, rate):
        count_axis(ax.xaxis, ticks=6)
    add_legend(fig, loc="outside upper left", ncols=3 if len(models) == len(curves) else 5)
    return finish(fig)


def _draw_curve(ax: Axes, frame: pd.DataFrame, column: str, **look: str) -> None:
    some = {"markersize": 4.5, "markevery": max(1, len(frame) // 10)}  # of a long training
    ax.plot(frame["epoch"], frame[column], linewidth=1.8, **some, **look)


def plot_threshold_curve(curve: pd.DataFrame, best: float) -> Figure:
    """Show how the scores follow the decision threshold, with the chosen one marked.

    Args:
        curve: columns threshold, f2, f1, precision, recall; thresholds rise.
        best: the threshold chosen.
    """
    fig = new_figure(4.0, width=8.0)
    ax = fig.subplots()
    shown = ("f2", "f1", "precision", "recall")
    for score, color, line in zip(shown, SERIES_COLORS, ("-", "-.", "--", ":"), strict=False):
        width = 2.8 if score == "f2" else 1.5
        style = {"color": color, "linestyle": line, "linewidth": width, "label": SCORES[score]}
        ax.plot(curve["threshold"], curve[score], **style)
    height = np.interp(best, curve["threshold"], curve["f2"])
    ax.axvline(best, color=MUTED, linewidth=1, linestyle=":")
    ax.plot(best, height, marker="o", markersize=8, color=SERIES_COLORS[0])
    style = {"color": SERIES_COLORS[0], "weight": "bold", "va": "bottom", "bbox": PAPER}
    add_note(ax, f"threshold {best:.3g}: F2 {height:.3f}", (best, height), (8, 8), **style)
    ax.set_ylim(0, 1.02)
    style_axes(ax, "Choosing the threshold", "probability threshold", "score, mean over images")
    add_legend(ax)
    return finish(fig)


def plot_model_scores(results: pd.DataFrame) -> Figure:
    """Compare models on every score, validation hollow and test filled.

    The model "constant guess" is drawn as a line that the others must pass.

    Args:
        results: columns model, split ("val" or "test"), f2, f1, precision, recall and maybe map;
            one row a model and split, in the order to show.
    """
    scores = [score for score in SCORES if score in results and results[score].notna().any()]
    models = [model for model in results["model"].unique() if model != FLOOR]
    fig = new_figure(1.5 + 0.42 * len(models))
    axes = fig.subplots(1, len(scores), sharey=True)
    for ax, score in zip(axes, scores, strict=True):
        table = results.groupby(["model", "split"])[score].last().unstack()
        table = table.reindex([*models, FLOOR])  # columns "test" and "val", where there are such
        for split in table:
            name, look, line, shift = SPLITS[split]
            rows = np.arange(len(models)) + shift * (table.shape[1] > 1)
            ax.plot(table.loc[models, split], rows, label=name, **look)
            if table.loc[FLOOR, split] > 0:
                style = {**REFERENCE, "linestyle": line, "label": f"{FLOOR}, {name}"}
                ax.axvline(table.loc[FLOOR, split], **style)
        for y, model in enumerate(models):
            values = table.loc[model].dropna()
            if len(values):  # the first is that on test where there is one
                add_note(ax, f"{values.iloc[0]:.3f}", (values.max(), y), (8, 0))
        style_axes(ax, SCORES[score], f"mean over {'labels' if score == 'map' else 'images'}")
        name_rows(ax, [clean_text(model, 2.4) for model in models])
        ax.spines["left"].set_visible(False)
        ax.set_xlim(0, max(0.05, results[score].max() * 1.45))
        ax.locator_params(axis="x", nbins=3)
    shown = axes[0].get_legend_handles_labels()[0]
    add_legend(fig, shown, loc="outside upper right", ncols=4)
    return finish(fig)


def plot_scores_by_group(scores: pd.DataFrame) -> Figure:
    """Compare the F2 of groups of labels, such as kinds or bands of frequency.

    Args:
        scores: columns group, classes (labels in the group) and f2.
    """
    fig = new_figure(1.4 + 0.5 * len(scores), width=8.0)
    ax = fig.subplots()
    ax.hlines(range(len(scores)), 0, scores["f2"], color=BLUE, linewidth=2, alpha=0.35)
    ax.plot(scores["f2"], range(len(scores)), **DOT)
    for y, value in enumerate(scores["f2"]):
        add_note(ax, f"{value:.3f}", (value, y), (8, 0), color=MUTED)
    style_axes(ax, "F2 by group of labels", "F2, mean over images", grid="x")
    named = zip(scores["group"], scores["classes"], strict=True)
    name_rows(ax, [f"{clean_text(group, 2.4)}\n{size:,} labels" for group, size in named])
    ax.set_xlim(0, max(0.05, scores["f2"].max() * 1.12))
    return finish(fig)


def plot_decodings(table: pd.DataFrame) -> Figure:
    """Compare label sets of the same images: F2 with its interval, and how many labels they have.

    A dot is filled where the interval of the difference to the reference excludes 0.

    Args:
        table: of `compare_decodings`, in the order to show.
    """
    best = table["f2"].argmax()
    fig = new_figure(1.5 + 0.32 * len(table))
    ax = fig.subplots()
    for y, row in enumerate(table.itertuples()):
        color = ORANGE if y == best else BLUE
        differs = row.difference_low > 0 or row.difference_high < 0
        ax.hlines(y, row.low, row.high, color=color, linewidth=2, alpha=0.45)
        ax.plot(row.f2, y, **{**DOT, "color": color}, markerfacecolor=color if differs else "white")
        add_note(ax, f"{row.f2:.3f}, {row.labels:.1f} labels", (row.high, y))
    ax.axvline(table["f2"].iloc[0] - table["difference"].iloc[0], **REFERENCE)
    xlabel = "F2, mean over images, its 95 % interval, and the mean number of labels"
    style_axes(ax, "F2 by decoding", xlabel, grid="x")
    name_rows(ax, [clean_text(name, 3.0) for name in table["decoding"]])
    low, high = table["low"].min(), max(table["high"].max(), table["low"].min() + 0.02)
    ax.set_xlim(low - 0.05 * (high - low), high + 0.3 * (high - low))
    same = table.loc[table["difference_low"] == table["difference_high"], "decoding"]
    name = f"reference: {clean_text(same.iloc[0], 2.0)}" if len(same) else "reference"
    handles = [
        Line2D([], [], label="differs from the reference", **DOT),
        Line2D([], [], label="no clear difference", **DOT, markerfacecolor="white"),
        Line2D([], [], label=name, **REFERENCE),
        Line2D([], [], label="best", color=ORANGE, linewidth=2),
    ]
    add_legend(fig, handles, loc="outside upper right", ncols=4)
    return finish(fig)
