"""Figures made of images: grids with their labels, views, HOG, predictions. Import from `plots`."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import chain, zip_longest

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from imet_utils.plots import style
from imet_utils.tables import split_label

HEADER = 0.4  # inches
LINE = 0.175  # inches a line of small text
Line = tuple[str, str]  # a text and its colour
MAX_LINES = 12  # of labels below an image
VERDICT_KEY = {f"{sign} {word}": color for word, (color, sign) in style.VERDICTS.items()}


def plot_image_grid(images: Sequence[np.ndarray], captions: Sequence[Sequence[str]]) -> Figure:
    """Show images, (H, W, 3) uint8 each, with their labels coloured by kind (poster's figure 2)."""
    colors = colors_of(captions)
    below = [label_lines(labels, colors) for labels in captions]
    return draw_grid(images, [], below, 4, "Images and their labels", style.kind_key(colors))


def plot_views(
    views: np.ndarray, row_captions: Sequence[str], kept_labels: Sequence[Sequence[Sequence[str]]]
) -> Figure:
    """Show the views (N, V, 3, H, W) of each image in a row, with the labels that each keeps.

    This is the poster's figure 3.
    """
    images = [*views.transpose(0, 1, 3, 4, 2).reshape(-1, *views.shape[3:], 3)]  # N * V
    others = [[(f"view {v}", style.MUTED)] for v in range(1, views.shape[1])]
    heads = [head for caption in row_captions for head in ([(caption, style.INK)], *others)]
    kept = [labels for row in kept_labels for labels in row]
    colors = colors_of(kept)
    below = [label_lines(labels, colors) for labels in kept]
    title = "Views of an image, the first whole, and the labels each keeps"
    return draw_grid(images, heads, below, views.shape[1], title, style.kind_key(colors))


def plot_hog(images: Sequence[np.ndarray], pictures: Sequence[np.ndarray]) -> Figure:
    """Show images beside the pictures of their HOG, (H, W) each (the poster's figure 4)."""
    shown = []
    for image, picture in zip(images, pictures, strict=True):
        brightest = np.quantile(picture, 0.999) or 1.0  # a few strokes outshine the rest
        shown += [image, (255 * (picture / brightest).clip(0, 1) ** 0.6).astype(np.uint8)]
    return draw_grid(shown, [], [], 4, "Images and their histograms of oriented gradients")


def plot_predictions(
    images: Sequence[np.ndarray],
    true: Sequence[Sequence[str]],
    predicted: Sequence[Sequence[str]],
    scores: Sequence[float],
) -> Figure:
    """Show images with true and predicted labels and F2 (the poster's figure 7).

    Blue with a tick is correct, ochre with a ring missed, crimson with a cross wrong.
    """
    below = [
        [*chain(*mark_labels(*labels).values())] or [("no label", style.MUTED)]
        for labels in zip(true, predicted, strict=True)
    ]
    heads = [[(f"F2 {score:.2f}", style.MUTED)] for score in scores]
    return draw_grid(images, heads, below, 4, "True and predicted labels", VERDICT_KEY)


@style.use()
def draw_grid(
    images: Sequence[np.ndarray | None],
    heads: Sequence[Sequence[Line]],
    below: Sequence[Sequence[Line]],
    columns: int,
    title: str,
    key: Mapping[str, str] | None = None,
    most: int = MAX_LINES,
) -> Figure:
    """Draw images in rows, with lines above and below each; where there is none, a gap is left."""
    below = [limit_lines(lines, most) for lines in below]
    cell = style.WIDTH / columns - 0.22
    rows = [slice(i, i + columns) for i in range(0, len(images), columns)] or [slice(0, 0)]
    high = [LINE if image is None else image_height(image, cell) for image in images]
    tall = [max([LINE, *high[row]]) for row in rows]
    deep = [max([0, *map(len, heads[row])]) + max([0, *map(len, below[row])]) + 1.3 for row in rows]
    height = HEADER + sum(tall) + LINE * sum(deep)
    fig, axes = style.subplots(height, len(rows), columns, squeeze=False, height_ratios=tall)
    for ax, image, above, under in zip_longest(axes.flat, images, heads, below):
        if image is None:
            ax.set_axis_off()
        else:
            draw_image(ax, image, "SW")
            write_lines(ax, above or [], cell, (0, 1), 5 + 72 * LINE * (len(above or []) - 1))
            write_lines(ax, under or [], cell, (0, 0), -13)
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


def label_lines(labels: Sequence[str], colors: Mapping[str, str]) -> list[Line]:
    """Turn labels into lines of the colours of their kinds; "no label" where there is none."""
    parts = [split_label(label) for label in labels]
    return [(name, colors[kind]) for kind, name in parts] or [("no label", style.MUTED)]


def limit_lines(lines: Sequence[Line], most: int) -> Sequence[Line]:
    """Keep `most` lines at the most, and count the others."""
    if len(lines) <= most:
        return lines
    return [*lines[: most - 1], (f"+ {len(lines) - most + 1} more", style.MUTED)]


def write_lines(
    ax: Axes, lines: Iterable[Line], width: float, corner: tuple[float, float], shift: float
) -> None:
    """Write lines, `width` inches wide, below one another.

    The first is `shift` points above `corner`, in fractions of the axes; the layout leaves room
    for those outside the axes.
    """
    for row, (text, color) in enumerate(lines):
        place = (0, shift - 72 * LINE * row)
        text = style.clean_text(text, width)
        style.add_note(ax, text, corner, place, "baseline", xycoords="axes fraction", color=color)


def draw_image(ax: Axes, image: np.ndarray, anchor: str) -> None:
    """Show an image, grey or coloured uint8, in a thin frame at the given corner of its axes."""
    ax.imshow(image, cmap="gray", vmin=0, vmax=255)
    ax.set_anchor(anchor)
    ax.set(xticks=[], yticks=[])
    ax.spines[:].set(visible=True, linewidth=0.6)


def image_height(image: np.ndarray, width: float) -> float:
    """Inches that an image of this width is high, at most as high as wide."""
    return width * min(1.0, image.shape[0] / image.shape[1])
