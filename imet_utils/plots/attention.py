"""Figures of where the decoder looks at each step. Import from `plots`."""

import math
from collections.abc import Mapping, Sequence

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from imet_utils.plots.canvas import (
    check_image,
    colors_of,
    draw_image,
    image_height,
    place_axes,
    place_text,
)
from imet_utils.plots.style import (
    FRAME,
    INK,
    MAX_COLUMNS,
    MUTED,
    OVERLAY_MAP,
    SMALL_SIZE,
    TITLE_SIZE,
    WIDTH,
    check_lengths,
    check_range,
    new_figure,
    split_label,
)

MARGIN, GAP, HEADER, NAMES = 0.1, 0.12, 0.5, 0.4  # inches
OVERLAY_SIZE = 224


def plot_attention(
    image: np.ndarray,
    attention: np.ndarray,
    labels: Sequence[str],
    probs: Sequence[float],
    boxes: Mapping[str, Sequence[float]] | None = None,
    columns: int = 6,
) -> Figure:
    """Show an image and where the decoder looked at each predicted label (the poster's figure 6).

    Attention is shown in multiples of even attention, on one scale for all steps, so that a
    decoder which looks everywhere alike does not appear to look anywhere. The scale ends at the
    median of the steps' peaks: one step that sees a single position does not darken the others.

    Args:
        image: (H, W, 3) uint8; the maps cover all of it.
        attention: (T, P), each row adding up to 1, P a square number.
        labels: label of each step, (T,).
        probs: probability of each step's label, (T,).
        boxes: by label, where it is known to be: (left, top, right, bottom) in fractions of the
            image, or several of these.
        columns: panels a line.
    """
    row = {"image": image, "attention": attention, "labels": labels, "probs": probs}
    return plot_attention_rows([{**row, "boxes": boxes}], columns)


def plot_attention_rows(rows: Sequence[Mapping[str, object]], columns: int = 6) -> Figure:
    """Show several images as `plot_attention` does, below one another on one scale.

    Args:
        rows: for each image the arguments of `plot_attention` by name: image, attention, labels,
            probs and maybe boxes.
        columns: panels a line, the image itself included.
    """
    check_lengths(rows=rows)
    check_range("columns", columns, 2, MAX_COLUMNS)
    for row in rows:
        _check_row(row)
    columns = min(columns, 1 + max(len(row["labels"]) for row in rows))
    cell = min(2.2, (WIDTH - 2 * MARGIN + GAP) / columns - GAP)
    lines = [-(-len(row["labels"]) // (columns - 1)) for row in rows]
    tall = [image_height(row["image"], cell, 1.3 * cell) for row in rows]
    heights = [n * (high + NAMES + GAP) + GAP for n, high in zip(lines, tall, strict=True)]
    width = max(5.5, 2 * MARGIN + columns * (cell + GAP) - GAP)
    fig = new_figure(HEADER + sum(heights), width, layout=None)
    place_text(fig, MARGIN, 0.1, "Attended regions", size=TITLE_SIZE, weight="bold", color=INK)
    peaks = np.concatenate([_relative(row["attention"]).max(axis=1) for row in rows])
    scale = Normalize(0, max(3.0, float(np.median(peaks))), clip=True)
    colors = colors_of(row["labels"] for row in rows)
    _place_scale(fig, scale, peaks.max())
    for n, row in enumerate(rows):
        top = HEADER + sum(heights[:n])
        draw_image(place_axes(fig, MARGIN, top + NAMES, cell, tall[n]), row["image"], "NW")
        for t in range(len(row["labels"])):
            line, column = divmod(t, columns - 1)
            left = MARGIN + (column + 1) * (cell + GAP)
            box = (left, top + line * (tall[n] + NAMES + GAP), cell, tall[n])
            _place_step_label(fig, box, row, t, colors)
            _draw_step(fig, box, row, t, scale)
    return fig


def _check_row(row: Mapping[str, object]) -> None:
    missing = {"image", "attention", "labels", "probs"} - set(row)
    if missing:
        raise ValueError(f"a row lacks {sorted(missing)}; it has {sorted(row)}")
    check_image(row["image"])
    check_lengths(**{name: row[name] for name in ("attention", "labels", "probs")})
    attention = np.asarray(row["attention"], dtype=float)
    if attention.ndim != 2 or math.isqrt(attention.shape[1]) ** 2 != attention.shape[1]:
        raise ValueError(f"wanted attention (T, P) with a square P, got {attention.shape}")
    if not np.isfinite(attention).all() or attention.min() < 0:
        raise ValueError("wanted finite attention of 0 or more")


def _relative(attention: np.ndarray) -> np.ndarray:
    attention = np.asarray(attention, dtype=float)
    return attention * attention.shape[1]  # 1 where it is even


def _place_scale(fig: Figure, scale: Normalize, peak: float) -> None:
    ax = place_axes(fig, fig.get_size_inches()[0] - 1.75, 0.13, 1.6, 0.09)
    bar = fig.colorbar(ScalarMappable(scale, OVERLAY_MAP), cax=ax, orientation="horizontal")
    end = f"{scale.vmax:.1f}{'+' if peak > scale.vmax else ''}"
    bar.set_ticks([0, 1, scale.vmax], labels=["0", "1", end])
    ax.tick_params(labelsize=SMALL_SIZE - 1, color=FRAME, labelcolor=MUTED, length=2, pad=2)
    bar.outline.set(edgecolor=FRAME, linewidth=0.6)
    ax.set_ylabel(
        "attention (1 = even)", size=SMALL_SIZE, color=MUTED, rotation=0, ha="right", va="center"
    )


def _place_step_label(
    fig: Figure,
    box: tuple[float, float, float, float],
    row: Mapping[str, object],
    step: int,
    colors: Mapping[str, str],
) -> None:
    left, top, width, _ = box
    kind, name = split_label(row["labels"][step])
    text = f"{step + 1}  {name}"
    place_text(fig, left, top + 0.03, text, width, color=colors[kind], weight="bold")
    place_text(fig, left, top + 0.2, f"probability {row['probs'][step]:.2f}", color=MUTED)


def _draw_step(
    fig: Figure,
    box: tuple[float, float, float, float],
    row: Mapping[str, object],
    step: int,
    scale: Normalize,
) -> None:
    left, top, width, height = box
    ax = place_axes(fig, left, top + NAMES, width, height)
    draw_image(ax, _grey(row["image"]), "NW")
    high, wide = row["image"].shape[:2]
    values = scale(upsample_map(_relative(row["attention"])[step], OVERLAY_SIZE))
    overlay = mpl.colormaps[OVERLAY_MAP](values)  # (S, S, 4)
    overlay[..., 3] = 0.15 + 0.6 * np.clip(values, 0, 1)
    ax.imshow(overlay, extent=(-0.5, wide - 0.5, high - 0.5, -0.5))
    _draw_boxes(ax, (row.get("boxes") or {}).get(row["labels"][step]), wide, high)


def _grey(image: np.ndarray) -> np.ndarray:
    grey = (image @ np.array([0.299, 0.587, 0.114])).astype(np.uint8)
    return np.repeat(grey[..., None], 3, axis=2)


def upsample_map(attention: np.ndarray, size: int) -> np.ndarray:
    """Blow a (P,) map up to (size, size), bilinearly between the centres of its positions.

    >>> upsample_map(np.array([0.0, 1.0, 0.0, 1.0]), 4)[0].tolist()
    [0.0, 0.25, 0.75, 1.0]
    """
    side = math.isqrt(len(attention))
    grid = np.reshape(attention, (side, side))
    at = (np.arange(size) + 0.5) * side / size - 0.5
    weights = np.stack([np.interp(at, np.arange(side), unit) for unit in np.eye(side)])  # (side, S)
    return weights.T @ grid @ weights


def _draw_boxes(ax: Axes, boxes: Sequence[float] | None, width: int, height: int) -> None:
    if boxes is None:
        return
    for left, top, right, bottom in np.asarray(boxes, dtype=float).reshape(-1, 4):
        corner = (left * width - 0.5, top * height - 0.5)
        size = ((right - left) * width, (bottom - top) * height)
        for color, line in (("black", 3.0), ("white", 1.4)):  # seen on light and dark alike
            ax.add_patch(Rectangle(corner, *size, fill=False, edgecolor=color, linewidth=line))
