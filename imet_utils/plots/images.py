"""Figures made of images: grids with their labels, views, HOG. Import from `plots`."""

from collections.abc import Sequence

import numpy as np
from matplotlib.colors import PowerNorm
from matplotlib.figure import Figure

from imet_utils.plots.canvas import (
    LINE,
    MARGIN,
    check_labels,
    colors_of,
    draw_image,
    image_height,
    place_axes,
    place_header,
    place_labels,
    place_text,
)
from imet_utils.plots.style import (
    INK,
    MAX_COLUMNS,
    MUTED,
    WIDTH,
    check_lengths,
    check_range,
    frame_image,
    new_figure,
)

GAP, HEADER = 0.2, 0.5  # inches
MAX_LINES, MAX_KEPT = 9, 6  # lines of labels below an image, below a view


def plot_image_grid(
    images: Sequence[np.ndarray],
    captions: Sequence[Sequence[str]],
    columns: int = 4,
    title: str = "Images and their labels",
) -> Figure:
    """Show images of any size with their labels below, coloured by kind (the poster's figure 2).

    Args:
        images: (H, W, 3) uint8 each.
        captions: labels of each image, such as "culture::french"; after eight, "+ n more".
        columns: images a row.
        title: above the figure.
    """
    check_lengths(images=images, captions=captions)
    check_labels(captions, "captions")
    check_range("columns", columns, 1, MAX_COLUMNS)
    columns = min(columns, len(images))
    cell = min(3.2, (WIDTH - 2 * MARGIN - GAP * (columns - 1)) / columns)
    rows = [range(i, min(i + columns, len(images))) for i in range(0, len(images), columns)]
    tall = [max(image_height(images[i], cell, 1.05 * cell) for i in row) for row in rows]
    lines = [max(1, *(min(MAX_LINES, len(captions[i])) for i in row)) for row in rows]
    heights = [high + LINE * (count + 1.2) for high, count in zip(tall, lines, strict=True)]
    width = max(5.0, 2 * MARGIN + columns * (cell + GAP) - GAP)
    fig = new_figure(HEADER + sum(heights), width, layout=None)
    colors = colors_of(captions)
    place_header(fig, title, colors)
    for number, row in enumerate(rows):
        top = HEADER + sum(heights[:number])
        for column, i in enumerate(row):
            left = MARGIN + column * (cell + GAP)
            draw_image(place_axes(fig, left, top, cell, tall[number]), images[i], anchor="SW")
            place_labels(fig, left, top + tall[number] + 0.06, captions[i], cell, MAX_LINES, colors)
    return fig


def plot_views(
    views: np.ndarray,
    row_captions: Sequence[str],
    kept_labels: Sequence[Sequence[Sequence[str]]] | None = None,
) -> Figure:
    """Show the views of each image in a row (the poster's figure 3).

    Args:
        views: (N, V, 3, H, W) uint8.
        row_captions: what each image is, (N,).
        kept_labels: `kept_labels[n][v]` are the labels that view v of image n keeps.
    """
    views = np.asarray(views)
    if views.ndim != 5 or views.shape[2] != 3 or views.dtype != np.uint8 or 0 in views.shape:
        raise ValueError(
            f"wanted views (N, V, 3, H, W) uint8, none of them 0, got {views.shape} {views.dtype}"
        )
    check_lengths(views=views, row_captions=row_captions)
    count = views.shape[1]
    side, gap = 1.35, 0.1
    cell = min(2.2, (WIDTH - MARGIN - side) / count - gap)
    high = cell * views.shape[3] / views.shape[4]
    lines = [0] * len(views) if kept_labels is None else _count_lines(views, kept_labels)
    heights = [high + LINE * count_lines + 0.2 for count_lines in lines]
    top, width = HEADER + 0.22, MARGIN + side + count * (cell + gap)
    fig = new_figure(top + sum(heights), width, layout=None)
    colors = colors_of(labels for row in kept_labels or [] for labels in row)
    place_header(fig, "Views of an image" + ", and the labels each keeps" * bool(colors), colors)
    for n, row in enumerate(views):
        place_text(fig, MARGIN, top, row_captions[n], width=side - 0.1, lines=5, color=INK)
        for v, view in enumerate(row.transpose(0, 2, 3, 1)):  # (V, H, W, 3)
            left = MARGIN + side + v * (cell + gap)
            if n == 0:
                name = "view 0, whole" if v == 0 else f"view {v}"
                place_text(fig, left, HEADER + 0.02, name, color=MUTED)
            draw_image(place_axes(fig, left, top, cell, high), view)
            if kept_labels is not None:
                place_labels(
                    fig, left, top + high + 0.04, kept_labels[n][v], cell, MAX_KEPT, colors
                )
        top += heights[n]
    return fig


def _count_lines(views: np.ndarray, kept_labels: Sequence[Sequence[Sequence[str]]]) -> list[int]:
    check_lengths(views=views, kept_labels=kept_labels)
    for row, labels in zip(views, kept_labels, strict=True):
        check_lengths(views_of_an_image=row, kept_labels_of_an_image=labels)
        check_labels(labels, "kept_labels")
    return [max(1, *(min(MAX_KEPT, len(labels)) for labels in row)) for row in kept_labels]


def plot_hog(
    images: Sequence[np.ndarray],
    pictures: Sequence[np.ndarray],
    captions: Sequence[str] | None = None,
) -> Figure:
    """Show images beside the pictures of their HOG (the poster's figure 4).

    Args:
        images: (H, W, 3) uint8 each.
        pictures: (H, W) float each; its own strongest strokes are white.
        captions: a line above each pair.
    """
    count = check_lengths(images=images, pictures=pictures, captions=captions or list(images))
    pairs = {1: 1, 2: 2, 4: 2}.get(count, 3)  # a row
    cell = min(2.6, ((WIDTH - 2 * MARGIN + GAP) / pairs - GAP - 0.06) / 2)
    high = max(image_height(image, cell, 1.25 * cell) for image in images)
    head, pitch = (0.22 if captions else 0.0), 2 * cell + 0.06 + GAP
    rows = -(-count // pairs)
    width = max(4.0, 2 * MARGIN + pairs * pitch - GAP)
    fig = new_figure(HEADER + rows * (high + head + 0.15), width, layout=None)
    place_header(fig, "Images and their histograms of oriented gradients")
    for i, (image, picture) in enumerate(zip(images, pictures, strict=True)):
        picture = np.asarray(picture, dtype=float)
        if picture.ndim != 2 or not np.isfinite(picture).all():
            raise ValueError(f"wanted finite HOG pictures (H, W), got shape {picture.shape}")
        left = MARGIN + (i % pairs) * pitch
        top = HEADER + (i // pairs) * (high + head + 0.15)
        if captions:
            place_text(fig, left, top, captions[i], width=2 * cell, color=INK)
        draw_image(place_axes(fig, left, top + head, cell, high), image, anchor="NE")
        ax = place_axes(fig, left + cell + 0.06, top + head, cell, high)
        ax.set_anchor("NW")
        brightest = float(np.quantile(picture, 0.999)) or 1.0  # a few strokes outshine the rest
        scale = PowerNorm(0.6, vmin=min(0.0, float(picture.min())), vmax=brightest, clip=True)
        ax.imshow(picture, cmap="gray", norm=scale)
        frame_image(ax)
    return fig
