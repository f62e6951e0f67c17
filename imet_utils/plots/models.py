"""Figures of models: their training and scores. Import from `plots`."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from imet_utils.plots import style
from imet_utils.plots.style import BLUE, REFERENCE, SCORES

FLOOR = "constant guess"
SPLITS = {  # name of a split, look of its dots, line of its floor, shift of its row
    "val": ("validation", style.dots(BLUE, "D", "white"), ":", -0.12),
    "test": ("test", style.dots(BLUE), "--", 0.12),
}


@style.use()
def plot_history(history: pd.DataFrame | Mapping[str, pd.DataFrame]) -> Figure:
    """Show training loss and validation by epoch, with the epoch of the best F2 marked.

    A history has the columns epoch, train_loss, val_f2 and maybe more scores, all of which are
    shown of one model. A dictionary of several models by name compares their F2.
    """
    if isinstance(history, pd.DataFrame):
        models = [history]
        scores = [score for score in SCORES if f"val_{score}" in history]
        curves = [(SCORES[score], history, f"val_{score}") for score in scores]
    else:
        models = list(history.values())
        curves = [(name, frame, "val_f2") for name, frame in history.items()]
    fig, (left, right) = style.subplots(3.6 + 0.1 * len(models), 1, 2)
    for frame in models:
        left.plot(frame["epoch"], frame["train_loss"], marker=".")
    for name, frame, column in curves:
        label = style.clean_text(name, 2.2)
        (line,) = right.plot(frame["epoch"], frame[column], marker=".")
        if column == "val_f2":
            epoch, best = frame.loc[frame[column].idxmax(), ["epoch", column]]
            label += f": {best:.3f} at epoch {epoch:.0f}"
            right.plot(epoch, best, "o", color=line.get_color(), markersize=11, fillstyle="none")
        line.set_label(label)
    left.set(title="Loss", xlabel="epoch", ylabel="training loss")
    right.set(title="Validation", xlabel="epoch", ylabel="score" if len(models) == 1 else "F2")
    for ax in (left, right):
        style.count_axis(ax.xaxis, ticks=6)
    fig.legend(loc="outside upper left", ncols=5 if len(models) == 1 else 2, handlelength=3.5)
    return fig


@style.use()
def plot_threshold_curve(curve: pd.DataFrame, best: float) -> Figure:
    """Show how the scores of `threshold_curve` follow the threshold, with the chosen one marked."""
    fig, ax = style.subplots(4.0, width=8.0)
    for score in ("f2", "f1", "precision", "recall"):
        width = 2.8 if score == "f2" else 1.5
        ax.plot(curve["threshold"], curve[score], label=SCORES[score], linewidth=width)
    height = np.interp(best, curve["threshold"], curve["f2"])
    ax.axvline(best, **REFERENCE)
    ax.plot(best, height, **style.dots(BLUE))
    look = {"color": BLUE, "weight": "bold", "bbox": {"color": "white", "alpha": 0.8, "pad": 1.5}}
    is_left = best < np.mean(ax.get_xlim())
    look["ha"] = "left" if is_left else "right"
    text = f"threshold {best:.3g}: F2 {height:.3f}"
    style.add_note(ax, text, (best, height), (8 if is_left else -8, 8), "bottom", **look)
    ax.set(title="Choosing the threshold", xlabel="probability threshold", ylim=(0, 1.02))
    ax.set_ylabel("score, mean over images")
    fig.legend(loc="outside upper right", ncols=4)
    return fig


@style.use()
def plot_model_scores(results: pd.DataFrame) -> Figure:
    """Compare models on every score, validation hollow and test filled, F2 with 95 % intervals.

    `results` has the columns model, split ("val" or "test"), f2, f2_low, f2_high, f1, precision,
    recall and map; one row a model and split, validation first, models in the order to show. The
    model "constant guess" is drawn as a line that the others must pass.
    """
    scores = [score for score in SCORES if results[score].notna().any()]
    models = [model for model in results["model"].unique() if model != FLOOR]
    splits = [(SPLITS[split], own.set_index("model")) for split, own in results.groupby("split")]
    height, widths = 1.5 + 0.42 * len(models), [2.6 if score == "f2" else 1 for score in scores]
    fig, axes = style.subplots(height, 1, len(scores), sharey=True, width_ratios=widths)
    for ax, score, width in zip(axes, scores, widths, strict=True):
        for (name, look, line, shift), table in splits:
            own, rows = table.reindex(models), np.arange(len(models)) + shift * (len(splits) > 1)
            ax.plot(own[score], rows, label=name, **look)
            if score == "f2":
                ax.hlines(rows, own["f2_low"], own["f2_high"], linewidth=2, alpha=0.45)
            if FLOOR in table.index and score != "map":
                floor = {**REFERENCE, "linestyle": line, "label": f"{FLOOR}, {name}"}
                ax.axvline(table.loc[FLOOR, score], **floor)
        shown = results.groupby("model")[score].last().reindex(models)  # on test where there is one
        notes = ["" if np.isnan(value) else f"{value:.3f}" for value in shown]
        style.name_rows(ax, [style.clean_text(model, 2.7) for model in models], notes)
        low, high = ax.get_xlim()
        room = 0.2 if score == "f2" else 0.9  # for the notes, of the range of the dots
        ax.set_xlim(low - 0.1 / width * (high - low), high + room * (high - low))
        average = f"{'mean ' * (score == 'f2')}over {'labels' if score == 'map' else 'images'}"
        ax.set(title=SCORES[score], xlabel=average)
        ax.locator_params(axis="x", nbins=round(3 * width))
    fig.legend(*axes[0].get_legend_handles_labels(), loc="outside upper right", ncols=4)
    return fig


@style.use()
def plot_scores_by_group(scores: pd.DataFrame) -> Figure:
    """Compare groups of labels, a table of `scores_by_group`: F2 with its 95 % interval."""
    fig, ax = style.subplots(1.4 + 0.5 * len(scores), width=8.0)
    names = [style.clean_text(name, 2.4) for name in scores["group"]]
    names = [f"{name}\n{n:,} labels" for name, n in zip(names, scores["classes"], strict=True)]
    notes = [f"{row.f2:.3f}, {row.images:,} images" for row in scores.itertuples()]
    draw_intervals(ax, scores[["f2", "f2_low", "f2_high"]], names, notes)
    ax.set(title="F2 by group of labels", xlabel="F2, mean over images, and its 95 % interval")
    return fig


def draw_intervals(
    ax: Axes,
    rows: pd.DataFrame,
    names: Sequence[str],
    notes: Sequence[str],
    filled: np.ndarray | bool = True,
    colors: np.ndarray | str = BLUE,
    around: float = np.nan,
) -> None:
    """Draw a row a name: a dot, filled or hollow, its interval, and a note on the right.

    `rows` have columns of the value and of the ends of its interval; `around` is to be seen, too.
    """
    looks = np.broadcast_to(colors, len(rows)), np.broadcast_to(filled, len(rows))
    for y, ((value, *ends), color, is_filled) in enumerate(
        zip(rows.to_numpy(), *looks, strict=True)
    ):
        ax.hlines(y, *ends, color=color, linewidth=2, alpha=0.45)
        ax.plot(value, y, **style.dots(color, face=color if is_filled else "white"))
    low, high = np.nanmin([rows.min().min(), around]), np.nanmax([rows.max().max(), around])
    high = max(high, low + 0.02)
    ax.set_xlim(low - 0.05 * (high - low), high + 0.3 * (high - low))
    style.name_rows(ax, names, notes)


@style.use()
def plot_decodings(table: pd.DataFrame) -> Figure:
    """Compare label sets of `compare_decodings`: F2 with its interval, and the number of labels.

    A dot is filled where the interval of the difference to the reference excludes 0.
    """
    differs = (table["difference_low"] > 0) | (table["difference_high"] < 0)
    best = np.arange(len(table)) == table["f2"].argmax()
    colors = np.where(best, style.ORANGE, BLUE)
    notes = [f"{row.f2:.3f}, {row.labels:.1f} labels" for row in table.itertuples()]
    reference = table[table["difference_low"] == table["difference_high"]].iloc[0]
    fig, ax = style.subplots(1.5 + 0.32 * len(table))
    names = [style.clean_text(name, 3.0) for name in table["decoding"]]
    draw_intervals(ax, table[["f2", "low", "high"]], names, notes, differs, colors)
    ax.axvline(reference["f2"], **REFERENCE)
    xlabel = "F2, mean over images, its 95 % interval, and the mean number of labels"
    ax.set(title="F2 by decoding", xlabel=xlabel)
    name = style.clean_text(reference["decoding"], 2.0)
    handles = [
        Line2D([], [], label="differs from the reference", **style.dots(BLUE)),
        Line2D([], [], label="no clear difference", **style.dots(BLUE, face="white")),
        Line2D([], [], label=f"reference: {name}", **REFERENCE),
        Line2D([], [], label="best", color=style.ORANGE),
    ]
    fig.legend(handles=handles, loc="outside upper right", ncols=4)
    return fig
