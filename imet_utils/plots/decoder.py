"""Figures of the decoder: its path, where it looks, whether it looks right. Import from `plots`."""

import math
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.patches import Patch, Rectangle
from matplotlib.patheffects import withStroke
from matplotlib.ticker import PercentFormatter
from scipy.stats import binomtest

from imet_utils.plots.images import HEADER, PAD, colors_of, draw_image, image_height, write_lines
from imet_utils.plots.style import (
    FAINT,
    FRAME,
    INK,
    MUTED,
    SERIES_COLORS,
    VERDICTS,
    WIDTH,
    add_header,
    add_legend,
    add_note,
    name_rows,
    new_figure,
    split_label,
    style_axes,
)
from imet_utils.plots.text import clean_text, finish

OVERLAY_MAP = "inferno"
STEPS = 5  # panels of a line beside the image
MAX_POINTED = 12
MARKS = {  # of what takes no notice of the label: thin, so that they are seen on the dot
    "chance": {"marker": "o", "markerfacecolor": "none", "label": "any cell, by chance"},
    "center_rate": {"marker": "+", "label": "middle of the image"},
    "shuffled": {"marker": "x", "label": "peak of a random item"},
}


def plot_paths(
    labels: Sequence[str],
    step_probs: Sequence[float],
    path_probs: Sequence[float],
    thresholds: Sequence[float],
    image: np.ndarray | None = None,
) -> Figure:
    """Show one image's path downwards: each label's probability, the path's, where it stops.

    The path stops before the first step whose path probability is below its threshold; the first
    label is always kept.

    Args:
        labels: label of each step, (T,).
        step_probs: probability of each label given those before, (T,).
        path_probs: geometric mean of the step probabilities so far, (T,).
        thresholds: what the path probability must reach at each step, (T,).
        image: that the path is of, (H, W, 3), shown beside it.
    """
    steps = len(labels)
    below = np.flatnonzero(np.asarray(path_probs)[1:] < np.asarray(thresholds)[1:])
    kept = int(below[0]) + 1 if len(below) else steps
    colors = colors_of([labels])
    kinds, names = zip(*map(split_label, labels), strict=True)
    bars = [colors[kind] if t < kept else FAINT for t, kind in enumerate(kinds)]
    fig = new_figure(1.5 + 0.3 * steps, width=8.4 if image is None else WIDTH)
    grid = fig.add_gridspec(1, 2, width_ratios=(1, 2)) if image is not None else [None, 111]
    ax = fig.add_subplot(grid[-1])
    if image is not None:
        draw_image(fig.add_subplot(grid[0]), image, "N")
    ax.barh(range(steps), step_probs, height=0.66, color=bars, alpha=0.85)
    ax.plot(path_probs, range(steps), color=INK, marker="o", linewidth=2, label="path probability")
    limit = {"color": VERDICTS["wrong"][0], "linewidth": 1.6}
    edges = {"edges": np.arange(steps + 1) - 0.5, "orientation": "horizontal", "baseline": None}
    ax.stairs(thresholds, linestyle="--", label="threshold", **edges, **limit)
    title = f"A path of {steps} step{'s' * (steps > 1)}, {kept} label{'s' * (kept > 1)} kept"
    style_axes(ax, title, "probability", grid="x")
    name_rows(ax, [f"{clean_text(name, 2.2)}  {t}" for t, name in enumerate(names, 1)])
    ax.set_xlim(0, 1.18 * max(*step_probs, *path_probs, *thresholds))
    if kept < steps:
        ax.axhspan(kept - 0.5, steps, color=FAINT, alpha=0.25, linewidth=0)
        ax.axhline(kept - 0.5, **limit)
        place = {"xycoords": ax.get_yaxis_transform(), "ha": "right", "color": limit["color"]}
        add_note(ax, "stops here", (1, kept - 0.5), (-4, -8), weight="bold", **place)
    patches = [Patch(color=color, label=clean_text(kind, 1.2)) for kind, color in colors.items()]
    handles = [*patches, *ax.get_legend_handles_labels()[0]]
    add_legend(fig, handles, loc="outside lower center", ncols=6)
    return finish(fig)


def plot_attention_rows(rows: Sequence[Mapping[str, object]]) -> Figure:
    """Show images and where the decoder looked at each predicted label (the poster's figure 6).

    Attention is shown in multiples of even attention, on one scale for all steps, so that a
    decoder which looks everywhere alike does not appear to look anywhere. The scale ends at the
    median of the steps' peaks: one step that sees a single position does not darken the others.

    Args:
        rows: for each image

            - image: (H, W, 3) uint8; the maps cover all of it.
            - attention: (T, P), each row adding up to 1, P a square number.
            - labels: label of each step, (T,).
            - probs: probability of each step's label, (T,).
            - boxes: by label, where it is known to be: (left, top, right, bottom) in fractions of
              the image, or several of these.
    """
    cell = WIDTH / (STEPS + 1) - 0.2
    lines = [-(-len(row["labels"]) // STEPS) for row in rows]
    tall = [image_height(row["image"], cell) for row in rows]
    heights = np.repeat(tall, lines)
    fig = new_figure(HEADER + sum(heights) + 0.6 * len(heights), pad=PAD)
    grid = fig.add_gridspec(len(heights), STEPS + 1, height_ratios=heights)
    relative = [row["attention"] * row["attention"].shape[1] for row in rows]  # 1 where even
    peaks = np.concatenate([maps.max(axis=1) for maps in relative])
    scale = Normalize(0, max(3.0, float(np.median(peaks))), clip=True)
    colors = colors_of(row["labels"] for row in rows)
    for row, maps, first in zip(rows, relative, np.cumsum([0, *lines[:-1]]), strict=True):
        draw_image(fig.add_subplot(grid[first, 0]), row["image"], "NW")
        for t, label in enumerate(row["labels"]):
            ax = fig.add_subplot(grid[first + t // STEPS, 1 + t % STEPS])
            kind, name = split_label(label)
            probability = f"probability {row['probs'][t]:.2f}"
            head = [(f"{t + 1}  {name}", colors[kind]), (probability, MUTED)]
            write_lines(ax, head, cell, (0, 1), 17)
            draw_attention(ax, row["image"], maps[t], scale)
            _draw_boxes(ax, row["boxes"].get(label, []), row["image"].shape)
    place = {"shrink": min(1.0, 2.5 / sum(heights)), "anchor": (0, 1), "panchor": False}
    place |= {"aspect": 25, "extend": "max", "label": "attention (1 = even)"}
    fig.colorbar(ScalarMappable(scale, OVERLAY_MAP), ax=fig.axes, **place)
    add_header(fig, "Attended regions")
    return finish(fig)


def draw_attention(
    ax: Axes,
    image: np.ndarray,
    attention: np.ndarray,
    scale: Normalize,
    opacity: float = 0.75,
) -> None:
    """Lay attention (P,), in multiples of even attention, over a grey image; 0.75 at the peaks."""
    grey = (image @ np.array([0.299, 0.587, 0.114])).astype(np.uint8)
    draw_image(ax, grey, "NW", cmap="gray", vmin=0, vmax=255)
    side = math.isqrt(len(attention))
    grid = attention.reshape(side, side)
    high, wide = grey.shape
    place = {"extent": (-0.5, wide - 0.5, high - 0.5, -0.5), "interpolation": "bilinear"}
    veil = opacity * (0.2 + 0.8 * np.asarray(scale(grid)))
    ax.imshow(grid, OVERLAY_MAP, scale, alpha=veil, **place)


def _draw_boxes(ax: Axes, boxes: Sequence[float], shape: tuple[int, ...]) -> None:
    high, wide = shape[:2]
    seen = [withStroke(linewidth=3.4, foreground="black")]  # on light and dark alike
    for left, top, right, bottom in np.reshape(boxes, (-1, 4)):
        corner = (left * wide - 0.5, top * high - 0.5)
        size = ((right - left) * wide, (bottom - top) * high)
        style = {"edgecolor": "white", "linewidth": 1.4, "path_effects": seen}
        ax.add_patch(Rectangle(corner, *size, fill=False, **style))


def plot_pointing(table: pd.DataFrame) -> Figure:
    """Show how often attention peaks inside the boxes of its label, and how often others would.

    The first row is the mean over all items. The bars are 95 % intervals of the hit rate, which
    take the items for independent. The twelve labels with most items are shown.

    Args:
        table: of `pointing_by_label`, the label with most items first.
    """
    rates = table[["hit_rate", *MARKS]]
    whole = dict(zip(rates, np.average(rates, axis=0, weights=table["count"]), strict=True))
    whole |= {"label": "all labels", "count": table["count"].sum()}
    rows = pd.concat([pd.DataFrame([whole]), table.head(MAX_POINTED)], ignore_index=True)
    fig = new_figure(1.6 + 0.27 * len(rows), width=8.4)
    ax = fig.subplots()
    for y, row in rows.iterrows():
        hits = round(row["hit_rate"] * row["count"])
        interval = binomtest(hits, row["count"]).proportion_ci(method="wilson")
        ax.hlines(y, *interval, color=SERIES_COLORS[0], linewidth=7, alpha=0.2)
    dot = {"color": SERIES_COLORS[0], "linestyle": "", "marker": "o", "markersize": 9}
    ax.plot(rows["hit_rate"], rows.index, label="peak of the label's attention", **dot)
    thin = {"color": INK, "linestyle": "", "markersize": 6.5, "markeredgewidth": 1.1}
    for column, mark in MARKS.items():
        ax.plot(rows[column], rows.index, **thin, **mark)
    title = "Does attention peak on what the label names?"
    style_axes(ax, title, "share of peaks inside the label's boxes", "label (items)", grid="x")
    names = [clean_text(split_label(label)[1], 1.8) for label in rows["label"]]
    name_rows(ax, [f"{name}  ({n:,})" for name, n in zip(names, rows["count"], strict=True)])
    ax.get_yticklabels()[0].set_fontweight("bold")
    ax.axhline(0.5, color=FRAME, linewidth=0.8)
    ax.set_xlim(-0.02, 1.02)
    ax.xaxis.set_major_formatter(PercentFormatter(1))
    add_legend(fig, loc="outside lower center", ncols=4)
    return finish(fig)
