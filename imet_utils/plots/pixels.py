"""Figures of a collection's images: sizes, ratios, pixel values. Import from `plots`."""

from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.ticker import FixedFormatter, FixedLocator, NullLocator

from imet_utils.plots.style import (
    FRAME,
    INK,
    MUTED,
    SERIES_COLORS,
    SMALL_SIZE,
    add_legend,
    add_note,
    check_lengths,
    clean_text,
    count_axis,
    new_figure,
    style_axes,
)

CHANNELS = {"red": "#C43C35", "green": "#3E8E41", "blue": "#3565B5"}


def plot_image_sizes(heights: np.ndarray, widths: np.ndarray) -> Figure:
    """Show widths against heights (pixels, both (N,)) and the distribution of their ratio."""
    total = check_lengths(heights=heights, widths=widths)
    heights, widths = np.asarray(heights, dtype=float), np.asarray(widths, dtype=float)
    if heights.min() <= 0 or widths.min() <= 0:
        raise ValueError("wanted heights and widths above 0 pixels")
    fig = new_figure(4.2)
    left, right = fig.subplots(1, 2)
    low, high = min(heights.min(), widths.min()) / 1.15, max(heights.max(), widths.max()) * 1.15
    left.plot([low, high], [low, high], color=FRAME, linewidth=1, linestyle="--")
    opacity = float(np.clip(300 / total, 0.06, 0.6))
    style = {"s": 9 if total > 50 else 25, "alpha": opacity, "linewidths": 0}
    left.scatter(widths, heights, color=SERIES_COLORS[0], rasterized=True, **style)
    left.set(xscale="log", yscale="log", xlim=(low, high), ylim=(low, high), aspect="equal")
    for axis in (left.xaxis, left.yaxis):
        _pixel_ticks(axis, low, high)
    style_axes(left, f"Image sizes, N = {total:,}", "width, pixels", "height, pixels")
    left.text(
        0.97, 0.9, "square", transform=left.transAxes, size=SMALL_SIZE, color=MUTED, ha="right"
    )
    _draw_ratios(right, widths / heights)
    return fig


def _pixel_ticks(axis: Axis, low: float, high: float) -> None:
    digits = [1, 3] if high > 10 * low else [1, 2, 3, 5]
    steps = np.array(digits)[None] * 10.0 ** np.arange(7)[:, None]
    ticks = [step for step in steps.ravel() if low <= step <= high]
    if len(ticks) < 2:
        ticks = np.round(np.geomspace(low * 1.1, high / 1.1, 3))
    axis.set_major_locator(FixedLocator(ticks))
    axis.set_major_formatter(FixedFormatter([f"{tick:,.0f}" for tick in ticks]))
    axis.set_minor_locator(NullLocator())


def _draw_ratios(ax: Axes, ratios: np.ndarray) -> None:
    reach = max(1.0, float(np.abs(np.log2(ratios)).max()) * 1.02)
    ax.hist(ratios, bins=np.geomspace(2**-reach, 2**reach, 61), color=SERIES_COLORS[0])
    ax.set_xscale("log", base=2)
    ax.axvline(1, color=FRAME, linewidth=1, linestyle="--")
    powers = np.arange(-int(reach), int(reach) + 1)
    ax.set_xticks(2.0**powers, [f"{2**p}:1" if p >= 0 else f"1:{2**-p}" for p in powers.tolist()])
    ax.xaxis.set_minor_locator(NullLocator())
    middle = np.quantile(ratios, [0.05, 0.5, 0.95])
    style_axes(ax, "Width to height", "width : height (log scale)", "images", grid="y")
    count_axis(ax.yaxis)
    note = "5 % / median / 95 %\n" + " / ".join(f"{value:.2f}" for value in middle)
    ax.text(
        0.98, 0.97, note, transform=ax.transAxes, size=SMALL_SIZE, color=MUTED, ha="right", va="top"
    )


def plot_channel_stats(
    mean: np.ndarray,
    std: np.ndarray,
    histogram: np.ndarray | None = None,
    others: Mapping[str, tuple[np.ndarray, np.ndarray]] | None = None,
) -> Figure:
    """Show mean and standard deviation of the red, green and blue channel.

    Args:
        mean: (3,) in [0, 1], RGB.
        std: (3,) in [0, 1].
        histogram: (3, bins) counts of pixel values over equal bins of [0, 1]; a second panel.
        others: more (mean, std) pairs by name to compare with, such as an encoder's own.
    """
    sets = {"this collection": (mean, std), **(others or {})}
    for name, pair in sets.items():
        if np.shape(pair[0]) != (3,) or np.shape(pair[1]) != (3,):
            raise ValueError(f"wanted mean (3,) and std (3,) for {name}, got {pair}")
    fig = new_figure(3.4, width=10.0 if histogram is not None else 6.0)
    ax, *rest = np.ravel(fig.subplots(1, 2 if histogram is not None else 1))
    shifts = np.linspace(-0.2, 0.2, len(sets)) if len(sets) > 1 else [0.0]
    for i, (shift, (name, (middle, spread))) in enumerate(zip(shifts, sets.items(), strict=True)):
        for row, color in enumerate(CHANNELS.values()):
            style = {"color": color if i == 0 else FRAME, "fmt": "os^Dv"[i % 5], "capsize": 4}
            ax.errorbar(middle[row], row + shift, xerr=spread[row], markersize=7, **style)
            text = f"{middle[row]:.3f} ± {spread[row]:.3f}"
            text = text if i == 0 else f"{clean_text(name, 24)}: {text}"
            style = {"color": INK if i == 0 else MUTED, "size": SMALL_SIZE - 1}
            add_note(ax, text, (middle[row], row + shift), (0, 11), ha="center", **style)
    ax.set(xlim=(0, 1), ylim=(2.6, -0.6))
    ax.set_yticks(range(3), CHANNELS)
    style_axes(ax, "Mean ± standard deviation", "pixel value, 0 to 1", "channel", grid="x")
    if histogram is not None:
        _draw_histogram(rest[0], np.asarray(histogram, dtype=float), np.asarray(mean))
    return fig


def _draw_histogram(ax: Axes, histogram: np.ndarray, mean: np.ndarray) -> None:
    if histogram.ndim != 2 or len(histogram) != 3 or not (histogram.sum(axis=1) > 0).all():
        raise ValueError(f"wanted a histogram (3, bins) of counts, got shape {histogram.shape}")
    density = histogram / histogram.sum(axis=1, keepdims=True) * histogram.shape[1]
    edges = np.linspace(0, 1, histogram.shape[1] + 1)
    for (name, color), values, middle in zip(CHANNELS.items(), density, mean, strict=True):
        ax.stairs(values, edges, color=color, linewidth=1.6, label=name)
        ax.axvline(middle, color=color, linewidth=1, linestyle="--")
    ax.set(xlim=(0, 1), ylim=(0, None))
    style_axes(ax, "Pixel values", "pixel value, 0 to 1 (dashed: mean)", "density", grid="y")
    add_legend(ax, loc="upper left")
