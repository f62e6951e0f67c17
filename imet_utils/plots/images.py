"""Figures made of images: grids with their labels, views, HOG, predictions. Import from `plots`."""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import PowerNorm
from matplotlib.figure import Figure

from imet_utils.plots import style
from imet_utils.tables import split_label

HEADER = 0.4  # inches
LINE = 0.175  # inches a line of small text
COLUMNS = 4  # images in a row of a grid
Line = tuple[str, str]  # a text and its colour
MAX_LINES, MAX_KEPT, MAX_MARKED = 9, 6, 12  # lines of labels: an image, a view, a prediction
VERDICT_KEY = {f"{sign} {word}": color for word, (color, sign) in style.VERDICTS.items()}


@style.use()
def plot_image_grid(images: Sequence[np.ndarray], captions: Sequence[Sequence[str]]) -> Figure:
    """Show images, (H, W, 3) uint8 each, with their labels coloured by kind (poster's figure 2)."""
    colors = colors_of(captions)
    cell = style.WIDTH / COLUMNS - 0.25
    rows = [range(i, min(i + COLUMNS, len(images))) for i in range(0, len(images), COLUMNS)]
    lines = [label_lines(labels, colors, MAX_LINES) for labels in captions]
    tall = [max(image_height(images[i], cell) for i in row) for row in rows]
    deep = sum(LINE * (max(len(lines[i]) for i in row) + 1) for row in rows)
    fig = style.new_figure(HEADER + sum(tall) + deep)
    axes = fig.subplots(len(rows), COLUMNS, squeeze=False, height_ratios=tall)
    for ax, image, below in zip(axes.flat, images, lines, strict=False):
        draw_image(ax, image, "SW")
        write_lines(ax, below, cell, (0, 0), -13)
    style.hide_empty(axes)
    style.add_header(fig, "Images and their labels", style.kind_key(colors))
    return fig


@style.use()
def plot_views(
    views: np.ndarray, row_captions: Sequence[str], kept_labels: Sequence[Sequence[Sequence[str]]]
) -> Figure:
    """Show the views (N, V, 3, H, W) of each image in a row, with the labels that each keeps.

    This is the poster's figure 3.
    """
    colors = colors_of(labels for row in kept_labels for labels in row)
    lines = [[label_lines(labels, colors, MAX_KEPT) for labels in row] for row in kept_labels]
    cell = (style.WIDTH - 1.3) / views.shape[1] - 0.2
    high = cell * views.shape[3] / views.shape[4]
    deep = sum(LINE * (max(map(len, row)) + 1) for row in lines)
    fig = style.new_figure(HEADER + 0.2 + len(views) * high + deep)
    axes = fig.subplots(*views.shape[:2], squeeze=False)
    for n, row in enumerate(axes):
        caption = style.clean_text(row_captions[n], 1.25)
        row[0].set_ylabel(caption, rotation=0, ha="right", va="center", size=style.SMALL_SIZE)
        for v, ax in enumerate(row):
            draw_image(ax, views[n, v].transpose(1, 2, 0), "N")  # (H, W, 3)
            write_lines(ax, lines[n][v], cell, (0, 0), -13)
    for v, ax in enumerate(axes[0]):
        title = "view 0, whole" if v == 0 else f"view {v}"
        ax.set_title(title, size=style.SMALL_SIZE, weight="normal", color=style.MUTED, pad=4)
    style.add_header(fig, "Views of an image, and the labels each keeps", style.kind_key(colors))
    return fig


@style.use()
def plot_hog(images: Sequence[np.ndarray], pictures: Sequence[np.ndarray]) -> Figure:
    """Show images beside the pictures of their HOG, (H, W) each (the poster's figure 4)."""
    rows = math.ceil(len(images) / 2)
    high = max(image_height(image, style.WIDTH / 4 - 0.2) for image in images)
    fig = style.new_figure(HEADER + rows * (high + 0.15))
    axes = fig.subplots(rows, 4, squeeze=False)
    for pair, image, picture in zip(axes.reshape(-1, 2), images, pictures, strict=False):
        brightest = float(np.quantile(picture, 0.999)) or 1.0  # a few strokes outshine the rest
        scale = PowerNorm(0.6, 0, brightest, clip=True)
        draw_image(pair[0], image, "NE")
        draw_image(pair[1], picture, "NW", cmap="gray", norm=scale)
    style.hide_empty(axes)
    style.add_header(fig, "Images and their histograms of oriented gradients")
    return fig


def plot_predictions(
    images: Sequence[np.ndarray],
    true: Sequence[Sequence[str]],
    predicted: Sequence[Sequence[str]],
    scores: Sequence[float],
) -> Figure:
    """Show images with true and predicted labels and F2 (the poster's figure 7).

    Blue with a tick is correct, ochre with a ring missed, crimson with a cross wrong.
    """
    lists = []
    for wanted, found, score in zip(true, predicted, scores, strict=True):
        lines = mark_labels(wanted, found)  # the correct labels lead both lists in the same order
        columns = []
        for head, other in (("true", "missed"), (f"predicted, F2 {score:.2f}", "wrong")):
            marked = limit_lines(lines["correct"] + lines[other], MAX_MARKED)
            columns.append([(head, style.MUTED), *(marked or [("none", style.MUTED)])])
        lists.append(columns)
    return draw_beside_lists(images, lists, "True and predicted labels", (2.0, 1.35))


@style.use()
def draw_beside_lists(
    images: Sequence[np.ndarray],
    lists: Sequence[Sequence[list[Line]]],
    title: str,
    widths: tuple[float, float],
    key: Mapping[str, str] = VERDICT_KEY,
) -> Figure:
    """Draw two images a row, each with two lists of labels, with their heads, beside it.

    `widths` are those of an image and of a list, inches.
    """
    box, column = widths
    tall = [
        max(image_height(image, box), LINE * max(map(len, pair)))
        for image, pair in zip(images, lists, strict=True)
    ]
    heights = [max(tall[i : i + 2]) for i in range(0, len(images), 2)]
    fig = style.new_figure(HEADER + sum(heights) + 0.2 * len(heights))
    across = [box, column, column] * 2
    grid = fig.add_gridspec(len(heights), 6, width_ratios=across, height_ratios=heights)
    axes = grid.subplots(squeeze=False)
    for row, image, pair in zip(axes.reshape(-1, 3), images, lists, strict=False):
        draw_image(row[0], image, "NW")
        for ax, lines in zip(row[1:], pair, strict=True):
            write_lines(ax, lines, column, (0, 1), -9)
    style.hide_empty(axes)
    style.add_header(fig, title, key)
    return fig


def mark_labels(true: Sequence[str], predicted: Sequence[str]) -> dict[str, list[Line]]:
    """Write a line for each label with the sign and the colour of its verdict, by verdict."""
    labels = {
        "correct": [label for label in predicted if label in true],
        "missed": [label for label in true if label not in predicted],
        "wrong": [label for label in predicted if label not in true],
    }
    return {
        verdict: [(f"{sign} {split_label(label)[1]}", color) for label in labels[verdict]]
        for verdict, (color, sign) in style.VERDICTS.items()
    }


def colors_of(captions: Iterable[Sequence[str]]) -> dict[str, str]:
    """Give each kind that occurs in lists of labels its colour."""
    return style.kind_colors(split_label(label)[0] for labels in captions for label in labels)


def label_lines(labels: Sequence[str], colors: Mapping[str, str], most: int) -> list[Line]:
    """Turn labels into lines, `most` at the most; "no label" where there is none."""
    parts = [split_label(label) for label in labels]
    lines = [(name, colors[kind]) for kind, name in parts]
    return limit_lines(lines, most) or [("no label", style.MUTED)]


def limit_lines(lines: list[Line], most: int) -> list[Line]:
    """Keep `most` lines at the most, and count the others."""
    if len(lines) <= most:
        return lines
    return [*lines[: most - 1], (f"+ {len(lines) - most + 1} more", style.MUTED)]


def write_lines(
    ax: Axes, lines: Iterable[Line], width: float, corner: tuple[float, float], shift: float
) -> None:
    """Write lines below one another; the layout leaves room for those outside the axes.

    Args:
        ax: the axes to which they belong.
        lines: any texts, each with its colour.
        width: inches that a line may take.
        corner: point of the axes, in fractions of them, where the lines begin.
        shift: points from there up to the first line.
    """
    for row, (text, color) in enumerate(lines):
        place = (0, shift - 72 * LINE * row)
        text = style.clean_text(text, width)
        style.add_note(ax, text, corner, place, "baseline", xycoords="axes fraction", color=color)


def draw_image(ax: Axes, image: np.ndarray, anchor: str, **options: Any) -> None:  # noqa: ANN401
    """Show an image in a thin frame, at the given corner of its axes; options of `imshow`."""
    ax.imshow(image, **options)
    ax.set_anchor(anchor)
    ax.set(xticks=[], yticks=[])
    ax.spines[:].set(visible=True, linewidth=0.6)


def image_height(image: np.ndarray, width: float) -> float:
    """Inches that an image of this width is high, at most as high as wide."""
    return width * min(1.0, image.shape[0] / image.shape[1])
