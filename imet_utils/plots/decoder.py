"""Figures of the decoder: path, attention, pointing game. Import from `plots`."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.patheffects import withStroke
from matplotlib.ticker import PercentFormatter
from scipy.stats import binomtest

from imet_utils.plots import style
from imet_utils.plots.images import VERDICT_KEY, Line, colors_of, draw_grid, draw_image
from imet_utils.tables import split_label

OVERLAY_MAP = "inferno"
LEAST_PEAK = 3.0  # times even attention, where the scale ends at the least
STEPS = 5  # panels of a line beside the image
MAX_POINTED = 12
PREDICTED_KEY = {word: color for word, color in VERDICT_KEY.items() if "missed" not in word}
MARKS = {  # of hit rates and their baselines: look, words in the legend, shift in the row
    "hit_rate": (style.dots(style.BLUE, size=9), "peak of its attention", 0),
    "class_activation_hit_rate": (
        *(style.dots(style.GREEN, "D"), "peak of its class activation", -0.24),
    ),
    "first_step_hit_rate": (style.dots(style.ORANGE, "v"), "peak of the attention of step 1", 0.24),
    "chance": (style.dots(style.INK, face="none"), "any cell, by chance", 0),
    "center_rate": (style.dots(style.INK, "+"), "middle of the image", 0),
    "shuffled": (style.dots(style.INK, "x"), "peak of a random item", 0),
}


@style.use()
def plot_paths(
    labels: Sequence[str],
    step_probs: np.ndarray,
    path_probs: np.ndarray,
    thresholds: Mapping[str, np.ndarray],
    true: Sequence[str],
    image: np.ndarray,
) -> Figure:
    """Show an image and its path downwards: the probability of each label, and where it stops.

    A stop, one or two by name, ends the path before the first step whose path probability, the
    geometric mean of the step probabilities so far, is below its threshold; the first label is
    always kept. All arrays (T,). Colours and signs tell which labels are `true`.
    """
    steps = len(labels)
    looks = [style.VERDICTS["correct" if label in true else "wrong"] for label in labels]
    fig, (left, ax) = style.subplots(1.5 + 0.3 * steps, 1, 2, width_ratios=(1, 2))
    draw_image(left, image, "N")
    ax.barh(range(steps), step_probs, height=0.66, color=[color for color, _ in looks], alpha=0.5)
    ax.plot(path_probs, range(steps), "o-", color=style.INK, label="path probability")
    edges = np.arange(steps + 1) - 0.5
    for (stop, limits), color in zip(thresholds.items(), (style.ORANGE, style.GREEN), strict=False):
        below = np.flatnonzero(path_probs[1:] < limits[1:])
        kept = int(below[0]) + 1 if len(below) else steps
        line: dict[str, Any] = {"color": color, "linewidth": 2}
        label = f"{stop}: {kept} of {steps} labels kept"
        ax.stairs(limits, edges, orientation="horizontal", baseline=None, **line, label=label)
        ax.axhline(kept - 0.5, **line, linestyle=":")
    names = [style.clean_text(split_label(label)[1], 2.2) for label in labels]
    signed = zip(looks, names, strict=True)
    style.name_rows(ax, [f"{sign} {name}  {t}" for t, ((_, sign), name) in enumerate(signed, 1)])
    ax.set(title="A path, and where it stops", xlabel="probability", xlim=(0, 1))
    fig.legend(loc="outside lower center", ncols=3)
    style.add_header(fig, "", PREDICTED_KEY)
    return fig


def plot_attention_rows(rows: Sequence[Mapping[str, Any]]) -> Figure:
    """Show images and the attention of each predicted label (the poster's figure 6).

    A row has image (H, W, 3) uint8, attention (T, P) of sum 1 each, which covers all of it, labels
    and probs (T,), true, its labels, and boxes: by label, where it is known to be: (left, top,
    right, bottom) in fractions of the image, or several of these.
    """
    scale = attention_scale([maps for row in rows for maps in row["attention"]])
    colors = colors_of(row["labels"] for row in rows)
    images: list[np.ndarray | None] = []
    heads: list[list[Line]] = []
    overlays = {}  # attention and boxes by the number of their panel
    for row in rows:
        for t, label in enumerate(row["labels"]):
            if t % STEPS == 0:
                gap = [None] * (-len(images) % (STEPS + 1))
                images += [*gap, row["image"] if t == 0 else None]
                heads += [[]] * (len(gap) + 1)
            overlays[len(images)] = row["attention"][t], row["boxes"].get(label, [])
            kind, name = split_label(label)
            verdict, sign = style.VERDICTS["correct" if label in row["true"] else "wrong"]
            step = f"{sign} step {t + 1}, {row['probs'][t]:.2f}"
            images.append(to_grey(row["image"]))
            heads.append([(name, colors[kind]), (step, verdict)])
    key = style.kind_key(colors) | PREDICTED_KEY
    fig = draw_grid(images, heads, [], STEPS + 1, "Attended regions, and probabilities", key)
    for number, (maps, boxes) in overlays.items():
        draw_attention(fig.axes[number], maps, scale)
        _draw_boxes(fig.axes[number], boxes)
    add_attention_bar(fig, scale, shrink=min(1.0, 2.5 / fig.get_figheight()), anchor=(0, 1))
    return fig


def attention_scale(attention: Sequence[np.ndarray]) -> Normalize:
    """Scale attention maps, each of sum 1, in multiples of even attention.

    One scale for all of them, so that a decoder with even attention shows no region. It ends at
    the median of their peaks: one map with all attention in one place does not darken the others.
    """
    peaks = [maps.max() * maps.size for maps in attention]
    return Normalize(0, max(LEAST_PEAK, float(np.median(peaks))), clip=True)


def to_grey(image: np.ndarray) -> np.ndarray:
    """Turn an image (H, W, 3) into its luma (H, W), uint8."""
    return (image @ np.array([0.299, 0.587, 0.114])).astype(np.uint8)


def draw_attention(
    ax: Axes, attention: np.ndarray, scale: Normalize, opacity: float = 0.75
) -> None:
    """Lay attention (P,) or (h, w) of sum 1 over the image in `ax`; `opacity` is of the peaks."""
    side = math.isqrt(attention.size)
    grid = attention.reshape(side, side) * attention.size  # 1 where even
    alpha = opacity * (0.2 + 0.8 * np.asarray(scale(grid)))
    extent = ax.images[0].get_extent()
    ax.imshow(grid, OVERLAY_MAP, scale, alpha=alpha, extent=extent, interpolation="bilinear")


def add_attention_bar(fig: Figure, scale: Normalize, **place: Any) -> None:  # noqa: ANN401
    """Add the colour bar of `draw_attention`, placed as by `Figure.colorbar`."""
    bar = ScalarMappable(scale, OVERLAY_MAP)
    fig.colorbar(bar, ax=fig.axes, aspect=25, extend="max", label="attention (1 = even)", **place)


def _draw_boxes(ax: Axes, boxes: Sequence[float]) -> None:
    high, wide = ax.images[0].get_size()
    outline = [withStroke(linewidth=3.4, foreground="black")]  # visible on light and dark
    for left, top, right, bottom in np.reshape(boxes, (-1, 4)) * [wide, high, wide, high]:
        box = Rectangle((left - 0.5, top - 0.5), right - left, bottom - top, fill=False)
        box.set(edgecolor="white", linewidth=1.4, path_effects=outline)
        ax.add_patch(box)


@style.use()
def plot_pointing(game: pd.DataFrame, labels: Sequence[str]) -> Figure:
    """Show how often attention peaks inside the boxes of its label, beside peers and baselines.

    Below the mean over all rows of `pointing_game` are the twelve `labels` (M,) with most of them.
    Further hit rates are columns of `MARKS`. The bars are 95 % intervals of the attention's, which
    take the rows for independent.
    """
    shown = [column for column in MARKS if column in game]
    groups = game[shown].groupby(np.asarray(labels))
    counts = groups.size().sort_values(ascending=False, kind="stable")[:MAX_POINTED]
    overall = game[shown].mean().to_frame("all labels").T
    rates = pd.concat([overall, groups.mean().loc[counts.index]])
    totals = [len(game), *counts]
    fig, ax = style.subplots(1.6 + 0.27 * len(rates), width=8.4)
    for y, (rate, total) in enumerate(zip(rates["hit_rate"], totals, strict=True)):
        interval = binomtest(round(rate * total), total).proportion_ci(method="wilson")
        ax.hlines(y, *interval, color=style.BLUE, linewidth=7, alpha=0.2)
    for column in shown:
        look, label, shift = MARKS[column]
        ax.plot(rates[column], np.arange(len(rates)) + shift, **look, label=label)
    names = [style.clean_text(split_label(label)[1], 1.8) for label in rates.index]
    style.name_rows(ax, [f"{name}  ({n:,})" for name, n in zip(names, totals, strict=True)])
    ax.get_yticklabels()[0].set_fontweight("bold")
    ax.axhline(0.5, color=style.FRAME, linewidth=0.8)
    ax.xaxis.set_major_formatter(PercentFormatter(1))
    ax.set(xlim=(-0.02, 1.02), xlabel="share of peaks inside the boxes", ylabel="label (items)")
    ax.set_title("Does attention peak in the label's boxes?")
    fig.legend(loc="outside lower center", ncols=3)
    return fig


# Figure 1 of the poster: a box is its centre, size and text; an arrow goes from box to box.
BOXES: dict[str, tuple[float, float, str]] = {
    "image": (0.7, 1.9, "view of\nan image"),
    "encoder": (2.4, 1.9, "encoder CNN\n(frozen)"),
    "maps": (4.3, 2.9, "feature maps\n$a_1 \\ldots a_P$"),
    "pooled": (4.3, 0.9, "pooled features\n(and HOG)"),
    "attention": (6.2, 2.9, "attention\n$\\alpha_1 \\ldots \\alpha_P$"),
    "classifier": (6.2, 0.9, "classifier\n(frozen)"),
    "lstm": (8.1, 1.9, "LSTM\n$h_t$"),
    "head": (9.9, 1.9, "two layers,\nsigmoid"),
    "label": (9.9, 0.4, "best label not\nyet predicted"),
}
ARROWS = (
    ("image", "encoder", "", 0.0),
    ("encoder", "maps", "", 0.0),
    ("encoder", "pooled", "", 0.0),
    ("maps", "attention", "", 0.0),
    ("attention", "lstm", "context $c_t$", 0.0),
    ("lstm", "attention", "$h_{t-1}$", 0.45),
    ("pooled", "classifier", "", 0.0),
    ("classifier", "lstm", "$p_0$", 0.0),
    ("lstm", "head", "", 0.0),
    ("head", "lstm", "$p_{t-1}$", 0.45),
    ("head", "label", "$p_t$", 0.0),
    ("label", "lstm", "$y_{<t}$", -0.25),
)


@style.use()
def plot_architecture() -> Figure:
    """Draw the poster's AttnCNN-RNN as its figure 1 does."""
    fig, ax = style.subplots(3.4)
    ax.set(xlim=(-0.2, 10.8), ylim=(-0.1, 3.6), aspect="equal")
    ax.set_axis_off()
    ax.set_title("AttnCNN-RNN: each step predicts one more label")
    frame = {"boxstyle": "round,pad=0.45", "facecolor": "white", "edgecolor": style.BLUE}
    white = {"facecolor": "white", "edgecolor": "none", "pad": 1.5}
    look = {"ha": "center", "va": "center", "zorder": 3}
    drawn = {name: ax.text(x, y, text, bbox=frame, **look) for name, (x, y, text) in BOXES.items()}
    for start, end, text, bend in ARROWS:
        (x0, y0, _), (x1, y1, _) = BOXES[start], BOXES[end]
        arrow = {"arrowstyle": "-|>", "color": style.MUTED, "shrinkA": 0, "shrinkB": 2}
        arrow |= {"patchA": drawn[start].get_bbox_patch(), "patchB": drawn[end].get_bbox_patch()}
        arrow["connectionstyle"] = f"arc3,rad={bend}"
        ax.annotate("", (x1, y1), (x0, y0), arrowprops=arrow)
        # the middle of an arc of matplotlib's `arc3`
        middle = ((x0 + x1) / 2 + bend * (y1 - y0) / 2, (y0 + y1) / 2 - bend * (x1 - x0) / 2)
        if text:
            ax.text(*middle, text, bbox=white, **look)
    return fig
