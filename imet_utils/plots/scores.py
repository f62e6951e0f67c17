"""Figures that compare models, overall and by group of labels. Import from `plots`."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from imet_utils.plots.style import (
    GRID,
    MUTED,
    SERIES_COLORS,
    add_legend,
    add_note,
    check_columns,
    clean_text,
    new_figure,
    pick_series,
    style_axes,
)

SCORES = {"f2": "F2", "f1": "F1", "precision": "precision", "recall": "recall", "map": "mAP"}

BLUE = {"color": SERIES_COLORS[0], "linestyle": "", "markeredgewidth": 1.6}
SPLIT_STYLES = {
    "val": {**BLUE, "marker": "D", "markersize": 6.5, "markerfacecolor": "white"},
    "test": {**BLUE, "marker": "o", "markersize": 8.0},
}

DOT = {"marker": "o", "markersize": 7, "markeredgewidth": 1.6, "linestyle": ""}
REFERENCE = {"color": MUTED, "linestyle": "--", "linewidth": 1.2, "zorder": 1}
F2_SHIFT, LABELS_SHIFT = 44, 98  # points from the axes to the right edge of a column of numbers


def plot_model_scores(results: pd.DataFrame, floor: str = "constant guess") -> Figure:
    """Compare models on every score, validation hollow and test filled.

    Args:
        results: columns model, split ("val" or "test"), f2, f1, precision, recall and maybe map;
            one row a model and split, in the order to show.
        floor: the model whose scores are drawn as a dashed line that the others must pass;
            it is matched without regard to case, "_" or "-", and may be absent.
    """
    check_columns(results, ["model", "split", *list(SCORES)[:4]], "results")
    is_floor = results["model"].map(_plain) == _plain(floor)
    is_floor &= not is_floor.all()  # alone, it is a model like any other
    rows = results[~is_floor]
    models = list(dict.fromkeys(rows["model"]))
    scores = [s for s in SCORES if s in results and results[s].notna().any()]
    fig = new_figure(1.5 + 0.42 * len(models))
    axes = np.ravel(fig.subplots(1, len(scores), sharey=True))
    for ax, score in zip(axes, scores, strict=True):
        _draw_model_dots(ax, rows, models, score)
        for _, row in results[is_floor].iterrows():
            style = "--" if row["split"] == "test" else ":"
            ax.axvline(row[score], color=MUTED, linewidth=1.2, zorder=1, linestyle=style)
        style_axes(ax, SCORES[score], "mean over labels" if score == "map" else "mean over images")
        ax.grid(visible=True, axis="x", color=GRID)
        ax.set_xlim(0, max(0.05, float(results[score].max()) * 1.45))
        ax.locator_params(axis="x", nbins=3)
        ax.tick_params(axis="y", length=0)
        ax.spines["left"].set_visible(False)
    axes[0].set_yticks(range(len(models)), [clean_text(name, 36) for name in models])
    axes[0].set_ylim(len(models) - 0.4, -0.6)
    _add_split_legend(fig, results, is_floor, floor)
    return fig


def _plain(name: object) -> str:
    return str(name).lower().replace("_", " ").replace("-", " ").strip()


def _draw_model_dots(ax: Axes, rows: pd.DataFrame, models: list[str], score: str) -> None:
    shifts = {"val": -0.12, "test": 0.12} if rows["split"].nunique() > 1 else {}
    for y, model in enumerate(models):
        mine = rows[rows["model"] == model]
        for _, row in mine.iterrows():
            place = y + shifts.get(row["split"], 0.0)
            ax.plot(row[score], place, **SPLIT_STYLES["test" if row["split"] == "test" else "val"])
        tests = mine.loc[mine["split"] == "test", score].dropna()
        value = mine[score].max() if tests.empty else tests.max()
        if not np.isnan(value):
            add_note(ax, f"{value:.3f}", (mine[score].max(), y), (8, 0))


def _add_split_legend(fig: Figure, results: pd.DataFrame, is_floor: pd.Series, floor: str) -> None:
    names = {"val": "validation", "test": "test"}
    shown = [split for split in names if (results["split"] == split).any()]
    handles = [Line2D([], [], label=names[split], **SPLIT_STYLES[split]) for split in shown]
    if is_floor.any():
        splits = set(results.loc[is_floor, "split"])
        style = "--" if "test" in splits else ":"
        label = clean_text(f"{floor}", 40) + ", dotted on validation" * (len(splits) > 1)
        handles.append(Line2D([], [], color=MUTED, linestyle=style, linewidth=1.2, label=label))
    add_legend(fig, handles, loc="outside upper right", ncols=3)


def plot_scores_by_group(
    scores: pd.DataFrame | Mapping[str, pd.DataFrame], metric: str = "f2"
) -> Figure:
    """Compare models within groups of labels, such as kinds or bands of frequency.

    Args:
        scores: columns group, `metric` and maybe classes (labels in the group); for several
            models a dictionary by name.
        metric: the score to show.
    """
    models = {"": scores} if isinstance(scores, pd.DataFrame) else dict(scores)
    if not models:
        raise ValueError("scores is empty; wanted at least one model")
    for name, frame in models.items():
        check_columns(frame, ["group", metric], f"scores {name}".strip())
    groups = list(dict.fromkeys(g for frame in models.values() for g in frame["group"]))
    fig = new_figure(1.6 + len(groups) * max(0.45, 0.2 * len(models)), width=8.0)
    ax = fig.subplots()
    shifts = np.linspace(-0.27, 0.27, len(models)) if len(models) > 1 else [0.0]
    for i, (name, frame) in enumerate(models.items()):
        values = frame.set_index("group")[metric].reindex(groups).to_numpy(dtype=float)
        rows = np.arange(len(groups)) + shifts[i]
        color, marker = pick_series(i)
        style = {"marker": marker, "markersize": 7, "linestyle": "", "color": color}
        ax.hlines(rows, 0, values, color=color, linewidth=2, alpha=0.35)
        ax.plot(values, rows, label=clean_text(name, 40), **style)
        for value, row in zip(values, rows, strict=True):
            if np.isfinite(value):
                add_note(ax, f"{value:.3f}", (value, row), (7, 0), color=MUTED)
    ax.set_yticks(range(len(groups)), _name_groups(groups, models))
    ax.set_ylim(len(groups) - 0.45, -0.55)
    ax.set_xlim(0, None)
    ax.margins(x=0.12)
    label = SCORES.get(metric, metric)
    style_axes(ax, f"{label} by group of labels", f"{label}, mean over images", grid="x")
    ax.tick_params(axis="y", length=0)
    if len(models) > 1:
        add_legend(fig, ax.get_legend_handles_labels()[0], loc="outside upper left", ncols=3)
    return fig


def _name_groups(groups: list[str], models: Mapping[str, pd.DataFrame]) -> list[str]:
    sizes: dict[str, int] = {}
    for frame in models.values():
        if "classes" in frame:
            sizes.update(zip(frame["group"], frame["classes"], strict=True))
    names = [clean_text(group, 36) for group in groups]
    return [
        f"{name}\n{sizes[group]:,} labels" if group in sizes else name
        for name, group in zip(names, groups, strict=True)
    ]


def plot_decodings(table: pd.DataFrame) -> Figure:
    """Compare label sets of the same images: F2 with its interval, and how many labels they have.

    A dot is filled where the interval of the difference to the reference excludes 0.

    Args:
        table: of `results.compare_decodings`, in the order to show: columns decoding, labels, f2,
            low, high, difference, difference_low and difference_high.
    """
    columns = ["decoding", "labels", "f2", "low", "high"]
    columns += ["difference", "difference_low", "difference_high"]
    check_columns(table, columns, "table")
    differs = ((table["difference_low"] > 0) | (table["difference_high"] < 0)).to_numpy()
    best = int(table["f2"].to_numpy().argmax())
    fig = new_figure(1.5 + 0.32 * len(table))
    ax = fig.subplots()
    for y, row in enumerate(table.itertuples()):
        color = SERIES_COLORS[y == best]
        ax.hlines(y, row.low, row.high, color=color, linewidth=2, alpha=0.45)
        ax.plot(row.f2, y, **_dot(color, differs[y]))
        weight = "bold" if y == best else "normal"
        options = {"xycoords": ax.get_yaxis_transform(), "ha": "right", "weight": weight}
        add_note(ax, f"{row.f2:.3f}", (1, y), (F2_SHIFT, 0), **options)
        add_note(ax, f"{row.labels:.1f}", (1, y), (LABELS_SHIFT, 0), **options)
    ax.axvline(table["f2"].iloc[0] - table["difference"].iloc[0], **REFERENCE)
    for text, shift in (("F2", F2_SHIFT), ("labels\nan image", LABELS_SHIFT)):
        options = {"xycoords": "axes fraction", "ha": "right", "va": "bottom", "color": MUTED}
        add_note(ax, text, (1, 1), (shift, 6), **options)
    style_axes(ax, "F2 by decoding", "F2, mean over images, and its 95 % interval", grid="x")
    ax.set_yticks(range(len(table)), [clean_text(name, 44) for name in table["decoding"]])
    ax.get_yticklabels()[best].set(weight="bold", color=SERIES_COLORS[1])
    ax.set_ylim(len(table) - 0.4, -0.6)
    ax.margins(x=0.04)
    ax.tick_params(axis="y", length=0)
    ax.spines["left"].set_visible(False)
    _add_decoding_legend(fig, table, differs, best)
    return fig


def _add_decoding_legend(fig: Figure, table: pd.DataFrame, differs: np.ndarray, best: int) -> None:
    gaps = table[["difference", "difference_low", "difference_high"]]
    own = table.loc[(gaps == 0).all(axis=1), "decoding"]
    name = "" if own.empty else f": {clean_text(own.iloc[0], 40)}"
    series = [("best", SERIES_COLORS[1], differs[best])]
    words = {True: "differs from the reference", False: "no clear difference (95 %)"}
    series += [(words[d], SERIES_COLORS[0], d) for d in words if d in differs]
    handles = [
        Line2D([], [], label=label, **_dot(color, filled)) for label, color, filled in series
    ]
    handles.append(Line2D([], [], label=f"reference{name}", **REFERENCE))
    add_legend(fig, handles, loc="outside upper right", ncols=4)


def _dot(color: str, filled: bool) -> dict[str, object]:
    return {**DOT, "color": color, "markerfacecolor": color if filled else "white"}
