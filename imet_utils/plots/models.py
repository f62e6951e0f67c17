"""Figures of models: their training and scores. Import from `plots`."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from imet_utils.plots import style
from imet_utils.plots.style import BLUE, DOT, REFERENCE, SCORES

FLOOR = "constant guess"
SPLITS = {  # name of a split, look of its dots, line of its floor, shift of its row
    "val": ("validation", {**DOT, "marker": "D", "markerfacecolor": "white"}, ":", -0.12),
    "test": ("test", DOT, "--", 0.12),
}


@style.use()
def plot_history(history: pd.DataFrame | Mapping[str, pd.DataFrame]) -> Figure:
    """Show loss, validation and learning rate by epoch, with the epoch of the best F2 marked.

    Args:
        history: columns epoch, train_loss, learning_rate, val_f2 and maybe more scores, all of
            which are shown of one model. A dictionary of several models by name compares their F2.
    """
    if isinstance(history, pd.DataFrame):
        models = {"": history}
        shown = [score for score in SCORES if f"val_{score}" in history]
        curves = [(SCORES[score], history, f"val_{score}") for score in shown]
    else:
        models = dict(history)
        curves = [(name, frame, "val_f2") for name, frame in history.items()]
    fig = style.new_figure(3.5 + 0.2 * (len(models) // 3))
    loss, score, rate = fig.subplots(1, 3)
    for i, frame in enumerate(models.values()):
        _draw_curve(loss, frame, "train_loss", style.pick_series(i))
        _draw_curve(rate, frame, "learning_rate", style.pick_series(i))
    for i, (name, frame, column) in enumerate(curves):
        look, label = style.pick_series(i), style.clean_text(name, 2.2)
        if column == "val_f2":
            epoch, best = frame.loc[frame[column].idxmax(), ["epoch", column]]
            label += f": {best:.3f} at epoch {epoch:.0f}"
            score.plot(epoch, best, "o", color=look["color"], markersize=11, fillstyle="none")
        _draw_curve(score, frame, column, {**look, "label": label})
    style.label_axes(loss, "Loss", "epoch", "training loss")
    style.label_axes(score, "Validation", "epoch", "score" if len(models) < len(curves) else "F2")
    style.label_axes(rate, "Learning rate", "epoch", "learning rate, 10⁻³")
    rate.yaxis.set_major_formatter(lambda value, _: f"{1000 * value:.3g}")
    for ax in (loss, score, rate):
        style.count_axis(ax.xaxis, ticks=6)
    fig.legend(loc="outside upper left", ncols=3 if len(models) == len(curves) else 5)
    return fig


def _draw_curve(ax: Axes, frame: pd.DataFrame, column: str, look: Mapping[str, Any]) -> None:
    every = max(1, len(frame) // 10)
    ax.plot(frame["epoch"], frame[column], markersize=4.5, markevery=every, **look)


@style.use()
def plot_threshold_curve(curve: pd.DataFrame, best: float) -> Figure:
    """Show how the scores of `threshold_curve` follow the threshold, with the chosen one marked."""
    fig = style.new_figure(4.0, width=8.0)
    ax = fig.subplots()
    lines = {"f2": "-", "f1": "-.", "precision": "--", "recall": ":"}
    for i, (score, line) in enumerate(lines.items()):
        (drawn,) = ax.plot(curve["threshold"], curve[score], line, label=SCORES[score])
        drawn.set(color=style.SERIES_COLORS[i], linewidth=2.8 if score == "f2" else 1.5)
    height = np.interp(best, curve["threshold"], curve["f2"])
    ax.axvline(best, **REFERENCE)
    ax.plot(best, height, **DOT)
    look = {"color": BLUE, "weight": "bold", "bbox": {"color": "white", "alpha": 0.8, "pad": 1.5}}
    text = f"threshold {best:.3g}: F2 {height:.3f}"
    style.add_note(ax, text, (best, height), (8, 8), "bottom", **look)
    ax.set_ylim(0, 1.02)
    title = "Choosing the threshold"
    style.label_axes(ax, title, "probability threshold", "score, mean over images")
    ax.legend()
    return fig


@style.use()
def plot_model_scores(results: pd.DataFrame) -> Figure:
    """Compare models on every score, validation hollow and test filled.

    The model "constant guess" is drawn as a line that the others must pass.

    Args:
        results: columns model, split ("val" or "test"), f2, f1, precision, recall and maybe map;
            one row a model and split, in the order to show.
    """
    scores = [score for score in SCORES if score in results and results[score].notna().any()]
    models = [model for model in results["model"].unique() if model != FLOOR]
    fig = style.new_figure(1.5 + 0.42 * len(models))
    axes = fig.subplots(1, len(scores), sharey=True)
    for ax, score in zip(axes, scores, strict=True):
        table = results.groupby(["model", "split"])[score].last().unstack()
        table = table.reindex([*models, FLOOR])  # columns "test" and "val", where there are such
        for split in table:
            name, dots, line, shift = SPLITS[split]
            rows = np.arange(len(models)) + shift * (table.shape[1] > 1)
            ax.plot(table.loc[models, split], rows, label=name, **dots)
            if table.loc[FLOOR, split] > 0:
                look = {**REFERENCE, "linestyle": line, "label": f"{FLOOR}, {name}"}
                ax.axvline(table.loc[FLOOR, split], **look)
        for y, model in enumerate(models):
            values = table.loc[model].dropna()
            if len(values):  # the first is that on test where there is one
                style.add_note(ax, f"{values.iloc[0]:.3f}", (values.max(), y), (8, 0))
        average = "labels" if score == "map" else "images"
        style.label_axes(ax, SCORES[score], f"mean over {average}")
        style.name_rows(ax, [style.clean_text(model, 2.4) for model in models])
        ax.spines["left"].set_visible(False)
        ax.set_xlim(0, max(0.05, results[score].max() * 1.45))
        ax.locator_params(axis="x", nbins=3)
    handles, _ = axes[0].get_legend_handles_labels()
    fig.legend(handles=handles, loc="outside upper right", ncols=4)
    return fig


@style.use()
def plot_scores_by_group(scores: pd.DataFrame) -> Figure:
    """Compare groups of labels: columns group, classes (labels in the group) and f2."""
    fig = style.new_figure(1.4 + 0.5 * len(scores), width=8.0)
    ax = fig.subplots()
    ax.hlines(range(len(scores)), 0, scores["f2"], color=BLUE, linewidth=2, alpha=0.35)
    ax.plot(scores["f2"], range(len(scores)), **DOT)
    for y, value in enumerate(scores["f2"]):
        style.add_note(ax, f"{value:.3f}", (value, y), (8, 0), color=style.MUTED)
    style.label_axes(ax, "F2 by group of labels", "F2, mean over images", grid="x")
    rows = zip(scores["group"], scores["classes"], strict=True)
    style.name_rows(ax, [f"{style.clean_text(name, 2.4)}\n{size:,} labels" for name, size in rows])
    ax.set_xlim(0, max(0.05, scores["f2"].max() * 1.12))
    return fig


@style.use()
def plot_decodings(table: pd.DataFrame) -> Figure:
    """Compare label sets of `compare_decodings`: F2 with its interval, and the number of labels.

    A dot is filled where the interval of the difference to the reference excludes 0.
    """
    best = table["f2"].argmax()
    fig = style.new_figure(1.5 + 0.32 * len(table))
    ax = fig.subplots()
    for y, row in enumerate(table.itertuples()):
        color = style.ORANGE if y == best else BLUE
        differs = row.difference_low > 0 or row.difference_high < 0
        look = {**DOT, "color": color, "markerfacecolor": color if differs else "white"}
        ax.hlines(y, row.low, row.high, color=color, linewidth=2, alpha=0.45)
        ax.plot(row.f2, y, **look)
        style.add_note(ax, f"{row.f2:.3f}, {row.labels:.1f} labels", (row.high, y))
    reference = table[table["difference_low"] == table["difference_high"]].iloc[0]
    ax.axvline(reference["f2"], **REFERENCE)
    xlabel = "F2, mean over images, its 95 % interval, and the mean number of labels"
    style.label_axes(ax, "F2 by decoding", xlabel, grid="x")
    style.name_rows(ax, [style.clean_text(name, 3.0) for name in table["decoding"]])
    low, high = table["low"].min(), max(table["high"].max(), table["low"].min() + 0.02)
    ax.set_xlim(low - 0.05 * (high - low), high + 0.3 * (high - low))
    name = style.clean_text(reference["decoding"], 2.0)
    handles = [
        Line2D([], [], label="differs from the reference", **DOT),
        Line2D([], [], label="no clear difference", markerfacecolor="white", **DOT),
        Line2D([], [], label=f"reference: {name}", **REFERENCE),
        Line2D([], [], label="best", color=style.ORANGE),
    ]
    fig.legend(handles=handles, loc="outside upper right", ncols=4)
    return fig
