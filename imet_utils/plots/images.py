"""Figures made of images: grids with their labels, views, HOG, predictions. Import from `plots`."""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import PowerNorm
from matplotlib.figure import Figure

from imet_utils.plots.style import (
    FRAME,
    INK,
    MUTED,
    VERDICTS,
    WIDTH,
    add_header,
    add_note,
    hide_empty,
    kind_colors,
    kind_key,
    new_figure,
    split_label,
)
from imet_utils.plots.text import SMALL_SIZE, clean_text, finish

HEADER, PAD = 0.4, 0.11  # inches
LINE = 0.175  # inches a line of small text
COLUMNS = 4  # images in a row of a grid
Line = tuple[str, str]  # a text and its colour
MAX_LINES, MAX_KEPT, MAX_MARKED = 9, 6, 12  # lines of labels: an image, a view, a prediction
VERDICT_KEY = {f"{sign} {word}": color for word, (color, sign) in VERDICTS.items()}


def plot_image_grid(images: Sequence[np.ndarray], captions: Sequence[Sequence[str]]) -> Figure:
    """Show images of any size with their labels below, coloured by kind (the poster's figure 2).

    Args:
        images: (H, W, 3) uint8 each.
        captions: labels of each image, such as "culture::french"; after eight, "+ n more".
    """
    colors = colors_of(captions)
    cell = WIDTH / COLUMNS - 0.25
    rows = [range(i, min(i + COLUMNS, len(images))) for i in range(0, len(images), COLUMNS)]
    lines = [label_lines(labels, colors, MAX_LINES) for labels in captions]
    tall = [max(image_height(images[i], cell) for i in row) for row in rows]
    deep = sum(LINE * (max(len(lines[i]) for i in row) + 1) for row in rows)
    fig = new_figure(HEADER + sum(tall) + deep, pad=PAD)
    axes = fig.subplots(len(rows), COLUMNS, squeeze=False, height_ratios=tall)
    for ax, image, below in zip(axes.flat, images, lines, strict=False):
        draw_image(ax, image, "SW")
        write_lines(ax, below, cell, (0, 0), -13)
    hide_empty(axes)
    add_header(fig, "Images and their labels", kind_key(colors))
    return finish(fig)


def plot_views(
    views: np.ndarray, row_captions: Sequence[str], kept_labels: Sequence[Sequence[Sequence[str]]]
) -> Figure:
    """Show the views of each image in a row, with their labels (the poster's figure 3).

    Args:
        views: (N, V, 3, H, W) uint8.
        row_captions: what each image is, (N,).
        kept_labels: `kept_labels[n][v]` are the labels that view v of image n keeps.
    """
    colors = colors_of(labels for row in kept_labels for labels in row)
    lines = [[label_lines(labels, colors, MAX_KEPT) for labels in row] for row in kept_labels]
    cell = (WIDTH - 1.3) / views.shape[1] - 0.2
    high = cell * views.shape[3] / views.shape[4]
    deep = sum(LINE * (max(map(len, row)) + 1) for row in lines)
    fig = new_figure(HEADER + 0.2 + len(views) * high + deep, pad=PAD)
    axes = fig.subplots(*views.shape[:2], squeeze=False)
    for n, row in enumerate(axes):
        name = {"rotation": 0, "ha": "right", "va": "center", "size": SMALL_SIZE, "color": INK}
        row[0].set_ylabel(clean_text(row_captions[n], 1.25), **name)
        for v, ax in enumerate(row):
            draw_image(ax, views[n, v].transpose(1, 2, 0), "N")  # (H, W, 3)
            write_lines(ax, lines[n][v], cell, (0, 0), -13)
    for v, ax in enumerate(axes[0]):
        title = "view 0, whole" if v == 0 else f"view {v}"
        ax.set_title(title, loc="left", size=SMALL_SIZE, color=MUTED, pad=4)
    add_header(fig, "Views of an image, and the labels each keeps", kind_key(colors))
    return finish(fig)


def plot_hog(images: Sequence[np.ndarray], pictures: Sequence[np.ndarray]) -> Figure:
    """Show images beside the pictures of their HOG (the poster's figure 4).

    Args:
        images: (H, W, 3) uint8 each.
        pictures: (H, W) float each; its own strongest strokes are white.
    """
    pairs = min(2, len(images))  # a row
    rows, width = -(-len(images) // pairs), WIDTH / 2 * pairs
    high = max(image_height(image, WIDTH / 4 - 0.2) for image in images)
    fig = new_figure(HEADER + rows * (high + 0.15), width)
    axes = fig.subplots(rows, 2 * pairs, squeeze=False)
    for pair, image, picture in zip(axes.reshape(-1, 2), images, pictures, strict=False):
        draw_image(pair[0], image, "NE")
        brightest = float(np.quantile(picture, 0.999)) or 1.0  # a few strokes outshine the rest
        scale = PowerNorm(0.6, 0, brightest, clip=True)
        draw_image(pair[1], picture, "NW", cmap="gray", norm=scale)
    hide_empty(axes)
    add_header(fig, "Images and their histograms of oriented gradients")
    return finish(fig)


def plot_predictions(
    images: Sequence[np.ndarray],
    true: Sequence[Sequence[str]],
    predicted: Sequence[Sequence[str]],
    scores: Sequence[float],
) -> Figure:
    """Show images with true and predicted labels side by side (the poster's figure 7).

    Blue with a tick is correct, ochre with a ring missed, crimson with a cross wrong.

    Args:
        images: (H, W, 3) uint8 each.
        true: labels of each image.
        predicted: labels predicted for each image, most certain first.
        scores: F2 of each image.
    """
    lists = []
    for *labels, score in zip(true, predicted, scores, strict=True):
        heads = ("true", f"predicted, F2 {score:.2f}")
        both = zip(heads, _list_both(*labels), strict=True)
        lists.append([[(head, MUTED), *marked] for head, marked in both])
    return draw_beside_lists(images, lists, "True and predicted labels", (2.0, 1.35))


def draw_beside_lists(
    images: Sequence[np.ndarray],
    lists: Sequence[Sequence[list[Line]]],
    title: str,
    widths: tuple[float, float],
    key: Mapping[str, str] = VERDICT_KEY,
) -> Figure:
    """Draw two images a row, each with two lists of labels beside it.

    Args:
        images: (H, W, 3) uint8 each.
        lists: two of each image, with their heads.
        title: of the figure.
        widths: of an image and of a list, inches.
        key: to the colours of the labels.
    """
    box, column = widths
    tall = [
        max(image_height(image, box), LINE * max(map(len, pair)))
        for image, pair in zip(images, lists, strict=True)
    ]
    heights = [max(tall[i : i + 2]) for i in range(0, len(images), 2)]
    fig = new_figure(HEADER + sum(heights) + 0.2 * len(heights), pad=PAD)
    ratios = {"width_ratios": [box, column, column] * 2, "height_ratios": heights}
    axes = fig.subplots(len(heights), 6, squeeze=False, **ratios).reshape(-1, 3)  # (images, 3)
    for row, image, pair in zip(axes, images, lists, strict=False):
        draw_image(row[0], image, "NW")
        for ax, lines in zip(row[1:], pair, strict=True):
            write_lines(ax, lines, column, (0, 1), -9)
    hide_empty(axes)
    add_header(fig, title, key)
    return finish(fig)


def _list_both(true: Sequence[str], predicted: Sequence[str]) -> list[list[Line]]:
    """Write the lines of both lists; the correct labels lead both in the same order."""
    lines = mark_labels(true, predicted)
    both = [lines["correct"] + lines[verdict] for verdict in ("missed", "wrong")]
    return [limit_lines(marked, MAX_MARKED) or [("none", MUTED)] for marked in both]


def mark_labels(true: Sequence[str], predicted: Sequence[str]) -> dict[str, list[Line]]:
    """Write a line for each label with the sign and the colour of its verdict, by verdict."""
    labels = {
        "correct": [label for label in predicted if label in true],
        "missed": [label for label in true if label not in predicted],
        "wrong": [label for label in predicted if label not in true],
    }
    return {
        verdict: [(f"{sign} {split_label(label)[1]}", color) for label in labels[verdict]]
        for verdict, (color, sign) in VERDICTS.items()
    }


def colors_of(captions: Iterable[Sequence[str]]) -> dict[str, str]:
    """Give each kind that occurs in lists of labels its colour."""
    return kind_colors(split_label(label)[0] for labels in captions for label in labels)


def label_lines(labels: Sequence[str], colors: Mapping[str, str], most: int) -> list[Line]:
    """Turn labels into lines, `most` at the most; "no label" where none is."""
    parts = [split_label(label) for label in labels]
    return limit_lines([(name, colors[kind]) for kind, name in parts], most) or [
        ("no label", MUTED)
    ]


def limit_lines(lines: list[Line], most: int) -> list[Line]:
    """Keep `most` lines at the most, and say how many more there are."""
    if len(lines) <= most:
        return lines
    return [*lines[: most - 1], (f"+ {len(lines) - most + 1} more", MUTED)]


def write_lines(
    ax: Axes,
    lines: Iterable[Line],
    width: float,
    corner: tuple[float, float],
    shift: float,
) -> None:
    """Write lines below one another.

    Args:
        ax: the axes to which they belong; room is made for what stands outside them.
        lines: any texts, each with its colour.
        width: inches that a line may take.
        corner: the point of the axes, in shares of them, where the lines begin.
        shift: points from there up to the first line.
    """
    for row, (text, color) in enumerate(lines):
        place = {"xycoords": "axes fraction", "va": "baseline", "color": color}
        add_note(ax, clean_text(text, width), corner, (0, shift - 72 * LINE * row), **place)


def draw_image(ax: Axes, image: np.ndarray, anchor: str, **options: object) -> None:
    """Show an image in a thin frame, at the given corner of its axes."""
    ax.imshow(image, **options)
    ax.set_anchor(anchor)
    ax.set(xticks=[], yticks=[])
    ax.spines[:].set(color=FRAME, linewidth=0.6)


def image_height(image: np.ndarray, width: float) -> float:
    """Inches that an image of this width is high, at most as high as wide."""
    return width * min(1.0, image.shape[0] / image.shape[1])
