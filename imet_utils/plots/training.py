"""Figures of training: time taken, history. Import from `plots`."""

import math
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, MaxNLocator

from imet_utils.plots.style import (
    FAINT,
    MUTED,
    SERIES_COLORS,
    SMALL_SIZE,
    add_legend,
    add_note,
    check_columns,
    clean_text,
    new_figure,
    pick_series,
    style_axes,
)

LINE_STYLES = ("-", "--", ":", "-.")


def plot_timing(times: Mapping[str, float]) -> Figure:
    """Compare durations in milliseconds as bars, each with its ratio to the slowest."""
    if not times:
        raise ValueError("times is empty; wanted at least one entry")
    values = np.array(list(times.values()), dtype=float)
    if not (np.isfinite(values) & (values > 0)).all():
        raise ValueError(f"wanted durations above 0 ms, got {dict(times)}")
    slowest = values.max()
    fig = new_figure(1.2 + 0.42 * len(times), width=8.0)
    ax = fig.subplots()
    colors = [SERIES_COLORS[0] if value < slowest else FAINT for value in values]
    ax.barh(range(len(values)), values, height=0.66, color=colors)
    ax.set_yticks(range(len(values)), [clean_text(name, 34) for name in times])
    for y, value in enumerate(values):
        text = f"{_digits(value)} ms"
        if value < slowest:
            text += f"   {_digits(slowest / value)} times as fast"
        add_note(ax, text, (value, y))
    ax.set(xlim=(0, slowest * 1.4), ylim=(len(values) - 0.45, -0.55))
    ax.xaxis.set_major_formatter(FuncFormatter(lambda tick, _: f"{tick:,.10g}"))
    style_axes(ax, "Time taken", "milliseconds", grid="x")
    ax.tick_params(axis="y", length=0)
    return fig


def _digits(value: float) -> str:
    return f"{value:,.3g}" if value < 1000 else f"{value:,.0f}"


def plot_history(
    history: pd.DataFrame | Mapping[str, pd.DataFrame], metric: str = "val_f2"
) -> Figure:
    """Show loss, score and learning rate by epoch, with the best epoch of each model marked.

    Args:
        history: columns epoch, train_loss, `metric`, learning_rate; further columns ending in
            "_loss", "_f2", "_f1", "_precision", "_recall" or "_map" join the panel they belong
            to when one model is shown. A dictionary overlays several models.
        metric: the column whose highest value makes an epoch the best.
    """
    models = _as_models(history)
    for name, frame in models.items():
        check_columns(frame, ["epoch", "train_loss", metric], f"history {name}".strip())
    first = next(iter(models.values()))
    losses = [column for column in first if column.endswith("_loss")]
    ends = ("_f2", "_f1", "_precision", "_recall", "_map")
    scores = [metric, *(c for c in first if c.endswith(ends) and c != metric)]
    panels = {"Loss": losses, "Validation": scores if len(models) == 1 else [metric]}
    if any("learning_rate" in frame for frame in models.values()):
        panels["Learning rate"] = ["learning_rate"]
    fig = new_figure(3.4 if len(models) == 1 else 3.5 + 0.2 * -(-len(models) // 3))
    axes = fig.subplots(1, len(panels))
    score = _say(metric) if len(panels["Validation"]) == 1 else "score"
    labels = ["loss", score, _scale_rates(axes[-1], models)]
    for ax, label, (title, columns) in zip(axes, labels, panels.items(), strict=False):
        _draw_curves(ax, models, columns)
        style_axes(ax, title, "epoch", label)
        ax.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=6, min_n_ticks=1))
    _mark_best(axes[1], models, metric)
    if len(models) > 1:
        _add_model_legend(fig, models, metric)
    return fig


def _say(column: str) -> str:
    words = {"val": "validation", "train": "training", "f2": "F2", "f1": "F1", "map": "mAP"}
    return " ".join(words.get(word, word) for word in column.split("_"))


def _scale_rates(ax: Axes, models: Mapping[str, pd.DataFrame]) -> str:
    """Show learning rates without their power of ten, which goes into the axis label."""
    rates = [frame["learning_rate"].max() for frame in models.values() if "learning_rate" in frame]
    if not rates:
        return ""
    power = math.floor(math.log10(max(rates))) if max(rates) > 0 else 0
    ax.yaxis.set_major_formatter(FuncFormatter(lambda rate, _: f"{rate / 10.0**power:.3g}"))
    if power == 0:
        return "learning rate"
    digits = str(power).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))
    return f"learning rate, 10{digits}"


def _as_models(history: pd.DataFrame | Mapping[str, pd.DataFrame]) -> dict[str, pd.DataFrame]:
    models = {"": history} if isinstance(history, pd.DataFrame) else dict(history)
    if not models:
        raise ValueError("history is empty; wanted at least one model")
    return models


def _draw_curves(ax: Axes, models: Mapping[str, pd.DataFrame], columns: Sequence[str]) -> None:
    for i, frame in enumerate(models.values()):
        for j, column in enumerate(columns):
            if column not in frame:
                continue
            # One model: a colour a column. Several: a colour a model, a line style a column.
            pick, style = (j, 0) if len(models) == 1 else (i, j)
            color, marker = pick_series(pick)
            line = {"color": color, "linestyle": LINE_STYLES[style % len(LINE_STYLES)]}
            if len(frame) * len(models) <= 30:
                line |= {"marker": marker, "markersize": 4}
            label = clean_text(_say(column))
            ax.plot(frame["epoch"], frame[column], linewidth=1.8, label=label, **line)
    if len(columns) > 1:
        handles = {line.get_label(): line for line in ax.get_lines()[::-1]}
        if len(models) > 1:
            handles = {
                name: Line2D([], [], color=MUTED, linestyle=line.get_linestyle(), label=name)
                for name, line in handles.items()
            }
        add_legend(ax, list(handles.values())[::-1])


def _mark_best(ax: Axes, models: Mapping[str, pd.DataFrame], metric: str) -> None:
    for i, frame in enumerate(models.values()):
        best = _best_row(frame, metric)
        if best is None:
            continue
        color, _ = pick_series(i)
        ring = {"marker": "o", "markersize": 11, "markeredgewidth": 1.6, "linestyle": ""}
        ax.plot(best["epoch"], best[metric], color=color, markerfacecolor="none", **ring)
        if len(models) == 1:
            ax.axvline(best["epoch"], color=color, linewidth=1, linestyle=":")
            text = f"{best[metric]:.3f} at epoch {best['epoch']:.0f}"
            style = {"size": SMALL_SIZE, "weight": "bold", "ha": "right", "va": "bottom"}
            ax.text(1, 1.02, text, color=color, transform=ax.transAxes, **style)  # beside the title


def _best_row(frame: pd.DataFrame, metric: str) -> pd.Series | None:
    scores = frame[metric].astype(float)
    return frame.loc[scores.idxmax()] if scores.notna().any() else None


def _add_model_legend(fig: Figure, models: Mapping[str, pd.DataFrame], metric: str) -> None:
    handles = []
    for i, (name, frame) in enumerate(models.items()):
        best = _best_row(frame, metric)
        label = clean_text(name, 32)
        if best is not None:
            label += f": {best[metric]:.3f} at epoch {best['epoch']:.0f}"
        color, marker = pick_series(i)
        handles.append(Line2D([], [], color=color, marker=marker, markersize=5, label=label))
    add_legend(fig, handles, loc="outside upper left", ncols=3)
