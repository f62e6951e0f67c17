"""Figures of how probabilities become label sets. Import from `plots`."""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from imet_utils.plots.canvas import (
    LINE,
    MARGIN,
    check_labels,
    draw_image,
    image_height,
    place_axes,
    place_header,
    place_text,
    text_width,
    wrap_text,
)
from imet_utils.plots.style import (
    FAINT,
    INK,
    MAX_COLUMNS,
    MUTED,
    SMALL_SIZE,
    VERDICTS,
    WIDTH,
    add_legend,
    add_note,
    check_lengths,
    check_range,
    clean_text,
    kind_colors,
    new_figure,
    split_label,
    style_axes,
)

HEADER = 0.5  # inches
MAX_LABELS = 11


def plot_paths(
    labels: Sequence[str],
    step_probs: Sequence[float],
    path_probs: Sequence[float],
    thresholds: Sequence[float],
) -> Figure:
    """Show one image's path: each label's probability, the path's, and where it stops.

    The path stops before the first step whose path probability is below its threshold; the first
    label is always kept.

    Args:
        labels: label of each step, (T,).
        step_probs: probability of each label given those before, (T,).
        path_probs: geometric mean of the step probabilities so far, (T,).
        thresholds: what the path probability must reach at each step, (T,).
    """
    steps = check_lengths(
        labels=labels, step_probs=step_probs, path_probs=path_probs, thresholds=thresholds
    )
    below = np.flatnonzero(np.asarray(path_probs)[1:] < np.asarray(thresholds)[1:])
    kept = int(below[0]) + 1 if len(below) else steps
    position, named = np.arange(1, steps + 1), list(enumerate(labels, 1))
    kinds = [split_label(label)[0] for label in labels]
    palette = kind_colors(sorted(set(kinds)))
    colors = [palette[kind] if t < kept else FAINT for t, kind in enumerate(kinds)]
    fig = new_figure(4.2, width=min(WIDTH, max(6.0, 2.4 + 0.85 * steps)))
    ax = fig.subplots()
    ax.bar(position, step_probs, width=0.6, color=colors, alpha=0.85)
    ax.plot(position, path_probs, color=INK, marker="o", linewidth=2, label="path probability")
    limit = {"color": VERDICTS["wrong"][0], "linewidth": 1.6}
    edges = np.arange(steps + 1) + 0.5
    ax.stairs(thresholds, edges, baseline=None, linestyle="--", label="threshold", **limit)
    top = 1.18 * float(max(np.max(step_probs), np.max(path_probs), np.max(thresholds), 1e-6))
    if kept < steps:
        ax.axvspan(kept + 0.5, steps + 0.5, color=FAINT, alpha=0.25, linewidth=0)
        ax.axvline(kept + 0.5, **limit)
        style = {"color": limit["color"], "weight": "bold", "va": "top"}
        add_note(ax, "stops here", (kept + 0.5, top), (5, -4), **style)
    names = [[str(t), *wrap_text(split_label(x)[1], 0.85, 2, SMALL_SIZE)] for t, x in named]
    ax.set_xticks(position, ["\n".join(map(clean_text, lines)) for lines in names])
    if steps > 11:
        ax.tick_params(axis="x", labelrotation=90)
    ax.set(xlim=(0.5, max(steps, 3) + 0.5), ylim=(0, top))
    title = f"A path of {steps} step{'s' * (steps > 1)}, {kept} label{'s' * (kept > 1)} kept"
    style_axes(ax, title, "step", "probability", grid="y")
    bars = [Rectangle((0, 0), 1, 1, color=c, label=f"{clean_text(k)}") for k, c in palette.items()]
    handles = [*bars, *ax.get_legend_handles_labels()[0]]
    add_legend(fig, handles, loc="outside lower center", ncols=6)
    return fig


def plot_predictions(
    images: Sequence[np.ndarray],
    true: Sequence[Sequence[str]],
    predicted: Sequence[Sequence[str]],
    scores: Sequence[float] | None = None,
    columns: int = 2,
) -> Figure:
    """Show images with true and predicted labels side by side (the poster's figure 7).

    Blue with a tick is correct, ochre with a ring missed, crimson with a cross wrong.

    Args:
        images: (H, W, 3) uint8 each.
        true: labels of each image.
        predicted: labels predicted for each image, most certain first.
        scores: F2 of each image.
        columns: images a row.
    """
    count = check_lengths(images=images, true=true, predicted=predicted)
    check_lengths(images=images, scores=images if scores is None else scores)
    check_labels(true, "true")
    check_labels(predicted, "predicted")
    check_range("columns", columns, 1, MAX_COLUMNS)
    columns = min(columns, count)
    pitch = WIDTH / max(columns, 2)
    box = 0.42 * pitch
    rows = [range(i, min(i + columns, count)) for i in range(0, count, columns)]
    lines = [min(MAX_LABELS + 1, max(len(true[i]), len(predicted[i]), 1)) for i in range(count)]
    tall = [max(LINE * (lines[i] + 1), image_height(images[i], box, box)) for i in range(count)]
    heights = [max(tall[i] for i in row) + 0.25 for row in rows]
    fig = new_figure(HEADER + sum(heights), max(6.0, columns * pitch), layout=None)
    place_header(fig, "True and predicted labels")
    _place_verdicts(fig)
    for i, image in enumerate(images):
        row, column = divmod(i, columns)
        left, top = MARGIN + column * pitch, HEADER + sum(heights[:row])
        draw_image(place_axes(fig, left, top, box, min(box, tall[i])), image, "NW")
        left, width = left + box + 0.12, (pitch - box - 0.3) / 2
        lists = _mark_labels(list(true[i]), list(predicted[i]))
        head = "predicted" if scores is None else f"predicted, F2 {scores[i]:.2f}"
        _place_marked(fig, (left, top, width), "true", lists[0])
        _place_marked(fig, (left + width + 0.06, top, width), head, lists[1])
    return fig


def _place_verdicts(fig: Figure) -> None:
    left = fig.get_size_inches()[0] - MARGIN
    for word, (color, sign) in reversed(VERDICTS.items()):
        text = f"{sign} {word}"
        left -= text_width(text, SMALL_SIZE)
        place_text(fig, left, 0.12, text, color=color)
        left -= 0.2


def _mark_labels(true: list[str], predicted: list[str]) -> tuple[list, list]:
    """Pair labels with verdicts; the correct ones lead both lists in the same order."""
    correct = [("correct", label) for label in predicted if label in true]
    missed = [("missed", label) for label in true if label not in predicted]
    wrong = [("wrong", label) for label in predicted if label not in true]
    return correct + missed, correct + wrong


def _place_marked(
    fig: Figure, place: tuple[float, float, float], head: str, marked: list[tuple[str, str]]
) -> None:
    left, top, width = place
    place_text(fig, left, top, head, color=MUTED)
    shown = marked if len(marked) <= MAX_LABELS + 1 else marked[:MAX_LABELS]
    for row, (verdict, label) in enumerate(shown, 1):
        color, sign = VERDICTS[verdict]
        text = f"{sign} {split_label(label)[1]}"
        place_text(fig, left, top + row * LINE, text, width, color=color)
    if not marked:
        place_text(fig, left, top + LINE, "none", color=MUTED, style="italic")
    elif len(shown) < len(marked):
        more = f"+ {len(marked) - len(shown)} more"
        place_text(fig, left, top + (len(shown) + 1) * LINE, more, color=MUTED)
