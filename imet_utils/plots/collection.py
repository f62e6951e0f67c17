"""Figures of a collection: its labels, image sizes and colours. Import from `plots`."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter
from scipy.cluster.hierarchy import leaves_list, linkage

from imet_utils.plots.style import (
    FAINT,
    FRAME,
    INK,
    KIND_COLORS,
    MUTED,
    REFERENCE,
    SERIES_COLORS,
    add_legend,
    add_note,
    count_axis,
    hide_empty,
    kind_colors,
    name_rows,
    new_figure,
    split_label,
    style_axes,
)
from imet_utils.plots.text import SMALL_SIZE, clean_text, finish

CHANNELS = {"red": "#C43C35", "green": "#3E8E41", "blue": "#3565B5"}
TOP = 15  # labels of a kind that are named


def plot_label_frequencies(
    counts: np.ndarray, names: Sequence[str], kinds: Sequence[str]
) -> Figure:
    """Show the most frequent labels of each kind, and how fast frequency falls with rank.

    Args:
        counts: images a label, (C,).
        names: label names without their "kind::" in front, (C,).
        kinds: kind of each label, (C,).
    """
    kind_of, names = np.asarray(kinds, dtype=object), np.asarray(names, dtype=object)
    colors = kind_colors(kinds)
    columns = min(len(colors) + 1, 3)
    rows = -(-(len(colors) + 1) // columns)
    shown = min(TOP, max(int((kind_of == kind).sum()) for kind in colors))
    fig = new_figure(rows * max(2.8, 0.9 + 0.24 * shown))
    axes = fig.subplots(rows, columns, squeeze=False).ravel()
    for ax, (kind, color) in zip(axes, colors.items(), strict=False):
        classes = np.flatnonzero(kind_of == kind)
        order = classes[np.argsort(-counts[classes], kind="stable")][:TOP]
        title = f"Top {len(order)} of {len(classes):,} {clean_text(kind, 0.9)} labels"
        style_axes(ax, title, "images", grid="x")
        _draw_bars(ax, names[order].tolist(), counts[order], color)
    _draw_rank_curves(axes[len(colors)], counts, kind_of, colors)
    hide_empty(axes)
    return finish(fig)


def _draw_bars(ax: Axes, names: Sequence[str], values: np.ndarray, color: str) -> None:
    ax.barh(range(len(names)), values, height=0.72, color=color)
    name_rows(ax, [clean_text(name, 1.8) for name in names])
    ax.set_ylim(bottom=max(len(names), 5) - 0.4)  # few bars do not grow thick
    for y, value in enumerate(values):
        add_note(ax, f"{value:,}", (value, y), (3, 0), color=MUTED, size=SMALL_SIZE - 1)
    ax.set_xlim(0, max(1, values.max() * 1.2))
    count_axis(ax.xaxis, ticks=3)


def _draw_rank_curves(
    ax: Axes, counts: np.ndarray, kind_of: np.ndarray, colors: dict[str, str]
) -> None:
    curves = [("all", counts, INK)]
    curves += [(kind, counts[kind_of == kind], color) for kind, color in colors.items()]
    for name, values, color in curves:
        used = np.sort(values[values > 0])[::-1]
        unused = f", {len(values) - len(used):,} unused" if len(used) < len(values) else ""
        label = f"{clean_text(name, 0.9)} ({len(used):,}{unused})"
        style = {"color": color, "linewidth": 2.2 if name == "all" else 1.6, "label": label}
        marker = "o" if len(used) < 30 else None
        ax.loglog(np.arange(1, len(used) + 1), used, marker=marker, markersize=4, **style)
    style_axes(ax, "The long tail", "rank of the label", "images with the label")
    ax.minorticks_off()
    add_legend(ax)


def plot_labels_per_image(num_cultures: np.ndarray, num_tags: np.ndarray) -> Figure:
    """Show how many labels an image carries: of each kind, and together. Both arguments (N,)."""
    total, both = len(num_tags), num_cultures + num_tags
    numbers = np.arange(both.max() + 1)
    fig = new_figure(3.6)
    left, right = fig.subplots(1, 2, sharey=True)
    for shift, kind, values in ((-0.2, "culture", num_cultures), (0.2, "tag", num_tags)):
        share = np.bincount(values, minlength=len(numbers)) / total
        label = f"{kind} labels, mean {values.mean():.2f}"
        left.bar(numbers + shift, share, width=0.4, color=KIND_COLORS[kind], label=label)
    right.bar(numbers, np.bincount(both) / total, width=0.8, color=FRAME)
    right.axvline(both.mean(), label=f"mean {both.mean():.2f}", **{**REFERENCE, "zorder": 3})
    style_axes(left, "By kind", "labels on an image", f"share of images, N = {total:,}", grid="y")
    style_axes(right, "Both kinds together", "labels on an image", grid="y")
    for ax in (left, right):
        ax.yaxis.set_major_formatter(PercentFormatter(1, decimals=None))
        count_axis(ax.xaxis, ticks=12)
        add_legend(ax)
    return finish(fig)


def plot_cooccurrence(targets: np.ndarray, names: Sequence[str], top: int = 25) -> Figure:
    """Show P(column | row) for the most frequent labels, alike ones beside each other.

    Rows are ordered by average-linkage clustering on the cosine distance between labels, so that
    groups of labels which go together show as blocks.

    Args:
        targets: (N, C) bool.
        names: (C,) label names; a "kind::" in front colours the name.
        top: labels to show.
    """
    import seaborn  # here, as it takes a second to import

    counts = targets.sum(axis=0)
    chosen = np.argsort(-counts, kind="stable")[:top]
    chosen = chosen[counts[chosen] > 0]
    numbers = targets[:, chosen].T.astype(np.float32)  # exact to 2^24 images; BLAS multiplies
    if len(chosen) > 1:
        tree = linkage(numbers, method="average", metric="cosine", optimal_ordering=True)
        order = leaves_list(tree)
        chosen, numbers = chosen[order], numbers[order]
    together = numbers @ numbers.T  # (K, K)
    given = together / np.diag(together)[:, None]
    np.fill_diagonal(given, np.nan)
    size = 0.22 * len(chosen)
    fig = new_figure(max(4.0, 2.6 + size), width=max(6.0, 4.4 + size))
    ax = fig.subplots()
    label = "share of the row's images\nthat also have the column's"
    bar = {"shrink": 0.6, "format": PercentFormatter(1, decimals=None), "label": label}
    ticks = {"xticklabels": False, "yticklabels": False}
    seaborn.heatmap(given, ax=ax, cmap="magma_r", vmin=0, square=True, cbar_kws=bar, **ticks)
    style_axes(ax, f"Labels together, {len(chosen)} most frequent", grid="none")
    ax.set_facecolor(FAINT)  # of the diagonal
    _name_labels(ax, [names[k] for k in chosen])
    return finish(fig)


def _name_labels(ax: Axes, labels: Sequence[str]) -> None:
    parts = [split_label(label) for label in labels]
    colors = kind_colors(kind for kind, _ in parts)
    texts = [clean_text(name, 2.0) for _, name in parts]
    middles = np.arange(len(texts)) + 0.5
    ax.set_xticks(middles, texts, rotation=90)
    ax.set_yticks(middles, texts, rotation=0)
    ax.tick_params(length=0)
    for ticks in (ax.get_xticklabels(), ax.get_yticklabels()):
        for tick, (kind, _) in zip(ticks, parts, strict=True):
            tick.set_color(colors[kind] if len(colors) > 1 else INK)


def plot_image_sizes(heights: np.ndarray, widths: np.ndarray) -> Figure:
    """Show widths against heights (pixels, both (N,)) and the distribution of their ratio."""
    total, sides = len(widths), np.concatenate([heights, widths])
    fig = new_figure(4.2)
    left, right = fig.subplots(1, 2)
    low, high = sides.min() / 1.15, sides.max() * 1.15
    left.plot([low, high], [low, high], label="square", **REFERENCE)
    dots = {"s": 9 if total > 50 else 25, "alpha": min(0.6, max(0.06, 300 / total))}
    left.scatter(widths, heights, color=SERIES_COLORS[0], linewidths=0, **dots)
    left.set(xscale="log", yscale="log", xlim=(low, high), ylim=(low, high), aspect="equal")
    left.minorticks_off()
    ticks, texts = _round_numbers(low, high)
    left.set_xticks(ticks, texts)
    left.set_yticks(ticks, texts)
    style_axes(left, f"Image sizes, N = {total:,}", "width, pixels", "height, pixels")
    add_legend(left, loc="upper left")
    _draw_ratios(right, widths / heights)
    return finish(fig)


def _round_numbers(low: float, high: float) -> tuple[np.ndarray, list[str]]:
    digits = [1, 3] if high > 10 * low else [1, 2, 3, 5]
    ticks = np.outer(10.0 ** np.arange(7), digits).ravel()
    ticks = ticks[(ticks >= low) & (ticks <= high)]
    if len(ticks) < 2:
        ticks = np.round(np.geomspace(low * 1.1, high / 1.1, 3))
    return ticks, [f"{tick:,.0f}" for tick in ticks]


def _draw_ratios(ax: Axes, ratios: np.ndarray) -> None:
    reach = max(1.0, np.abs(np.log2(ratios)).max() * 1.02)
    ax.hist(ratios, bins=np.geomspace(2**-reach, 2**reach, 61), color=SERIES_COLORS[0])
    ax.axvline(1, **{**REFERENCE, "zorder": 3})
    ax.set_xscale("log", base=2)
    ax.minorticks_off()
    powers = np.arange(-4, 5) * max(1, int(reach / 4))
    powers = powers[np.abs(powers) <= reach].tolist()
    texts = [f"{2**p}:1" if p >= 0 else f"1:{2**-p}" for p in powers]
    ax.set_xticks([2.0**p for p in powers], texts)
    middle = ", ".join(f"{q:.2f}" for q in np.quantile(ratios, [0.05, 0.5, 0.95]))
    xlabel = f"width : height, log scale (5 %, median, 95 %: {middle})"
    style_axes(ax, "Width to height", xlabel, "images", grid="y")
    count_axis(ax.yaxis)


def plot_channel_stats(mean: np.ndarray, std: np.ndarray) -> Figure:
    """Show mean and standard deviation of the red, green and blue channel, both (3,) in [0, 1]."""
    fig = new_figure(3.0, width=6.4)
    ax = fig.subplots()
    for row, color in enumerate(CHANNELS.values()):
        ax.errorbar(mean[row], row, xerr=std[row], fmt="o", color=color, capsize=4, markersize=7)
        add_note(ax, f"{mean[row]:.3f} ± {std[row]:.3f}", (mean[row], row), (0, 12), ha="center")
    style_axes(ax, "Mean ± standard deviation", "pixel value, 0 to 1", "channel", grid="x")
    name_rows(ax, list(CHANNELS))
    ax.set_xlim(0, 1)
    return finish(fig)
