"""Figures of a labelled image with its explanation, and of the scores of two runs."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.gridspec import SubplotSpec

from imet_tools.labelling.review import FindPicture
from imet_utils.labeller import Explanation, Labeller, Picture
from imet_utils.plots import style
from imet_utils.plots.decoder import add_attention_bar, attention_scale, draw_attention, to_grey
from imet_utils.plots.images import (
    HEADER,
    VERDICT_KEY,
    colors_of,
    draw_image,
    image_height,
    limit_lines,
    write_lines,
)
from imet_utils.plots.models import draw_intervals
from imet_utils.tables import read_image, split_label

NARROW = 5  # panels of attention and neighbours
BARS, STEPS = 10, 8  # labels with a bar, steps of a path
NEXT = 3  # most probable labels that were not chosen


@style.use()
def plot_image(
    labeller: Labeller,
    image: Picture,
    true: Sequence[str] | None = None,
    find_picture: FindPicture | None = None,
    explanation: Explanation | None = None,
) -> Figure:
    """Show an image with its labels, the RNN's path and attention, and the nearest images.

    Where the names of its `true` labels are known, bars have the colours of the verdicts, else
    those of the labels' kinds; labels that were not chosen are pale. The nearest images are drawn
    where `find_picture` is given, see `train_pictures`. An `explanation` that is there already
    saves time.
    """
    explanation = explanation or labeller.explain(image)
    names, pixels, path = labeller.names, np.asarray(read_image(image)), labeller.path(image)
    chosen, attention = names[explanation.chosen].tolist(), explanation.attention
    nearest = []
    for neighbour in explanation.neighbours.itertuples():
        if find_picture and (picture := find_picture(neighbour.id)):
            labels = names[list(neighbour.labels)].tolist()
            nearest.append((np.asarray(picture), labels, neighbour.similarity))
    ordered = pd.Series(explanation.probs, names).sort_values(ascending=False, kind="stable")
    best = [name for name in ordered.index if name in chosen]
    missed = [name for name in true or () if name not in chosen]
    others = [name for name in ordered.index if name not in chosen and name not in missed]
    named = [*best[: BARS - len(missed[:NEXT])], *missed[:NEXT]]
    shown = ordered[[*named, *others[: min(NEXT, max(0, BARS - len(named)))]]]
    maps = {} if attention is None else dict(zip(names, attention, strict=True))  # by label
    attended = {name: maps[name] for name in best[:NARROW] if maps}
    top = max(image_height(pixels, 3.0), 0.9 + 0.27 * max(len(shown), min(STEPS, len(path))))
    cell = style.WIDTH / NARROW - 0.25
    rows = [top]
    rows += [image_height(pixels, cell) + 0.65] if attended else []
    rows += [max(image_height(near, cell) for near, _, _ in nearest) + 1.25] if nearest else []
    fig = Figure(figsize=(style.WIDTH, HEADER + sum(rows) + 0.2))
    grid = fig.add_gridspec(len(rows), 1, height_ratios=rows)
    first = grid[0].subgridspec(1, 3, width_ratios=(3.2, 3.4, 3.0))
    draw_image(fig.add_subplot(first[0]), pixels, "NW")
    colors = _bar_colors([*shown.index, *path.index], chosen, true)
    _draw_bars(fig.add_subplot(first[1]), "Labels", shown, colors, true)
    if len(path):
        _draw_bars(fig.add_subplot(first[2]), "Steps of the RNN", path[:STEPS], colors)
    if attended:
        _draw_attended(fig, grid[1], pixels, attended, colors)
    if nearest:
        _draw_nearest(fig, grid[-1], nearest, set(chosen))
    key = style.kind_key(colors_of([shown.index])) if true is None else VERDICT_KEY
    style.add_header(fig, "A labelled image", key)
    return fig


def _bar_colors(
    names: Sequence[str], chosen: Sequence[str], true: Sequence[str] | None
) -> dict[str, str]:
    colors = dict.fromkeys(names, style.FAINT)
    if true is None:
        kinds = colors_of([names])
        return colors | {name: kinds[split_label(name)[0]] for name in names if name in chosen}
    for name in names:
        if name in true:
            colors[name] = style.VERDICTS["correct" if name in chosen else "missed"][0]
        elif name in chosen:
            colors[name] = style.VERDICTS["wrong"][0]
    return colors


def _draw_bars(
    ax: Axes,
    title: str,
    values: pd.Series,
    colors: Mapping[str, str],
    true: Sequence[str] | None = None,
) -> None:
    """Draw a bar for each label; a row of the axes has the same height in each panel."""
    shades = [colors[name] for name in values.index]
    ax.barh(range(len(values)), values, height=0.62, color=shades, alpha=0.85)
    signs = dict(style.VERDICTS.values())
    for y, (value, shade) in enumerate(zip(values, shades, strict=True)):
        sign = f"{signs[shade]} " if true is not None and shade in signs else ""
        color = style.MUTED if shade == style.FAINT else shade
        style.add_note(ax, f"{sign}{value:.2f}", (value, y), color=color)
    style.name_rows(ax, [style.clean_text(split_label(name)[1], 1.5) for name in values.index])
    ax.set(title=title, xlabel="probability", xlim=(0, 1.22), xticks=[0, 0.5, 1])
    ax.grid(visible=False)
    ax.spines["left"].set_visible(False)


def _draw_attended(
    fig: Figure,
    place: SubplotSpec,
    image: np.ndarray,
    attention: Mapping[str, np.ndarray],
    colors: Mapping[str, str],
) -> None:
    cells = place.subgridspec(1, NARROW)
    scale = attention_scale([*attention.values()])
    for number, (name, maps) in enumerate(attention.items()):
        ax = fig.add_subplot(cells[number])
        draw_image(ax, to_grey(image), "NW")
        draw_attention(ax, maps, scale)
        title = "Attention of the RNN for" if number == 0 else ""
        lines = [(title, style.MUTED), (split_label(name)[1], colors[name])]
        write_lines(ax, lines, style.WIDTH / NARROW - 0.25, (0, 1), 17)


def _draw_nearest(
    fig: Figure,
    place: SubplotSpec,
    nearest: Sequence[tuple[np.ndarray, Sequence[str], float]],
    chosen: set[str],
) -> None:
    """Draw training images; labels that are also chosen are dark."""
    cells = place.subgridspec(1, NARROW)
    for number, (picture, labels, similarity) in enumerate(nearest[:NARROW]):
        ax = fig.add_subplot(cells[number])
        draw_image(ax, picture, "NW")
        head = "Neighbours in training, similarity" if number == 0 else ""
        write_lines(ax, [(head, style.MUTED), (f"{similarity:.2f}", style.MUTED)], 2.4, (0, 1), 17)
        shared = sorted(labels, key=lambda name: name not in chosen)
        colors = {True: style.INK, False: style.MUTED}
        lines = [(split_label(name)[1], colors[name in chosen]) for name in shared]
        write_lines(ax, limit_lines(lines, 4), style.WIDTH / NARROW - 0.25, (0, 0), -13)


@style.use()
def plot_attention(
    image: np.ndarray, attention: np.ndarray, label: str, probability: float, opacity: float = 0.75
) -> Figure:
    """Show the attention (h, w) of a label over an image (H, W, 3); opacity is from 0 to 1."""
    width = 4.6
    fig, ax = style.subplots(HEADER + image_height(image, width) + 0.2, width=width + 1.0)
    scale = attention_scale([attention])
    draw_image(ax, to_grey(image), "NW")
    draw_attention(ax, attention, scale, opacity)
    add_attention_bar(fig, scale, shrink=0.7)
    style.add_header(fig, f"{style.clean_text(label, 2.8)}, probability {probability:.2f}")
    return fig


@style.use()
def plot_comparison(table: pd.DataFrame, first: str, second: str) -> Figure:
    """Show the differences of scores, see `Comparison.scores`, between runs of these names."""
    fig, ax = style.subplots(1.5 + 0.42 * len(table), width=8.4)
    names = [style.SCORES[score] for score in table["score"]]
    notes = [f"{row.first:.3f} and {row.second:.3f}" for row in table.itertuples()]
    clear = (table["low"] > 0) | (table["high"] < 0)
    draw_intervals(ax, table[["difference", "low", "high"]], names, notes, clear, around=0)
    ax.axvline(0, **style.REFERENCE)
    both = f"{style.clean_text(first, 2.2)} less {style.clean_text(second, 2.2)}"
    ax.set(title="Two runs on the same images", xlabel=f"{both}, with 95 % intervals")
    return fig
