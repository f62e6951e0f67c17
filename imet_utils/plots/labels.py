"""Figures of a collection's labels: how many, how often, which together. Import from `plots`."""

from collections.abc import Mapping, Sequence

import numpy as np
import seaborn
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter, PercentFormatter
from scipy.cluster.hierarchy import leaves_list, linkage
from scipy.spatial.distance import squareform

from imet_utils.plots.style import (
    FAINT,
    FRAME,
    HEAT_MAP,
    INK,
    MUTED,
    SMALL_SIZE,
    TEXT_SIZE,
    add_legend,
    add_note,
    check_lengths,
    check_range,
    clean_text,
    count_axis,
    kind_colors,
    name_ticks,
    new_figure,
    plain_text,
    style_axes,
)

COUNT_COLORS = {"culture": kind_colors(["culture"])["culture"], "tag": kind_colors(["tag"])["tag"]}


def plot_label_frequencies(
    counts: np.ndarray, names: Sequence[str], kinds: Sequence[str], top: int = 15
) -> Figure:
    """Show the most frequent labels of each kind, and how fast frequency falls with rank.

    Args:
        counts: images a label, (C,).
        names: label names, with or without their "kind::" in front.
        kinds: kind of each label.
        top: labels to name for each kind, at most 100.
    """
    check_lengths(counts=counts, names=names, kinds=kinds)
    check_range("top", top, 1)
    counts, kind_of, names = np.asarray(counts), np.asarray(kinds, dtype=object), list(names)
    colors = kind_colors(sorted(set(kinds)))
    columns = min(len(colors) + 1, 3)
    rows = -(-(len(colors) + 1) // columns)
    shown = min(top, max(int((kind_of == kind).sum()) for kind in colors))
    fig = new_figure(rows * max(2.8, 0.9 + 0.24 * shown))
    axes = fig.subplots(rows, columns, squeeze=False).ravel()
    for ax, (kind, color) in zip(axes, colors.items(), strict=False):
        classes = np.flatnonzero(kind_of == kind)
        order = classes[np.argsort(-counts[classes], kind="stable")][:top]
        _draw_bars(ax, [_bare_name(names[k], kind) for k in order], counts[order], color)
        title = f"Top {len(order)} of {len(classes):,} {plain_text(kind, 16)} labels"
        style_axes(ax, title, "images", grid="x")
        ax.tick_params(axis="y", length=0)
    _draw_rank_curve(axes[len(colors)], counts, kind_of, colors)
    for ax in axes[len(colors) + 1 :]:
        ax.remove()
    return fig


def _bare_name(name: str, kind: str) -> str:
    return str(name).removeprefix(f"{kind}::")


def _draw_bars(ax: Axes, names: Sequence[str], values: np.ndarray, color: str) -> None:
    position = np.arange(len(names))
    ax.barh(position, values, height=0.72, color=color)
    ax.set_yticks(position, [clean_text(name, 26) for name in names])
    ax.set_ylim(max(len(names), 5) - 0.4, -0.6)  # the most frequent on top
    for y, value in zip(position, values, strict=True):
        add_note(ax, f"{value:,}", (value, y), (3, 0), color=MUTED, size=SMALL_SIZE - 1)
    ax.set_xlim(0, max(1, float(np.max(values)) * 1.2))
    count_axis(ax.xaxis, ticks=3)


def _draw_rank_curve(
    ax: Axes, counts: np.ndarray, kind_of: np.ndarray, colors: Mapping[str, str]
) -> None:
    curves = {kind: (counts[kind_of == kind], color, 1.6) for kind, color in colors.items()}
    for name, (values, color, width) in {"all": (counts, INK, 2.2), **curves}.items():
        unused = int((values == 0).sum())
        note = f", {unused:,} unused" if unused else ""
        values = np.sort(values[values > 0])[::-1]
        label = f"{clean_text(name, 16)} ({len(values):,}{note})"
        style = {"color": color, "linewidth": width, "markersize": 4, "label": label}
        marker = "o" if len(values) < 30 else None
        ax.loglog(np.arange(1, len(values) + 1), values, marker=marker, **style)
    ax.xaxis.set_minor_formatter(NullFormatter())
    ax.yaxis.set_minor_formatter(NullFormatter())
    style_axes(ax, "The long tail", "rank of the label", "images with the label")
    add_legend(ax, loc="best")


def plot_labels_per_image(num_cultures: np.ndarray, num_tags: np.ndarray) -> Figure:
    """Show how many labels an image carries: of each kind, and together. Both arguments (N,)."""
    total = check_lengths(num_cultures=num_cultures, num_tags=num_tags)
    groups = {"culture": np.asarray(num_cultures), "tag": np.asarray(num_tags)}
    for kind, values in groups.items():
        if values.ndim != 1 or values.dtype.kind not in "iu" or values.min() < 0:
            raise ValueError(f"wanted whole numbers (N,) of {kind} labels, got {values.dtype}")
    both = groups["culture"] + groups["tag"]
    numbers = np.arange(int(both.max()) + 1)
    fig = new_figure(3.6)
    left, right = fig.subplots(1, 2, sharey=True)
    for shift, (kind, values) in zip((-0.2, 0.2), groups.items(), strict=True):
        share = np.bincount(values, minlength=len(numbers)) / total
        label = f"{kind} labels, mean {values.mean():.2f}"
        left.bar(numbers + shift, share, width=0.4, color=COUNT_COLORS[kind], label=label)
    right.bar(numbers, np.bincount(both) / total, width=0.8, color=FRAME)
    mean = both.mean()
    right.axvline(mean, color=INK, linewidth=1.2, linestyle="--", label=f"mean {mean:.2f}")
    style_axes(left, "By kind", "labels on an image", f"share of images, N = {total:,}", grid="y")
    style_axes(right, "Both kinds together", "labels on an image", grid="y")
    for ax in (left, right):
        ax.yaxis.set_major_formatter(PercentFormatter(1, decimals=None))
        count_axis(ax.xaxis, ticks=12)
        add_legend(ax, loc="best")
    return fig


def plot_cooccurrence(targets: np.ndarray, names: Sequence[str], top: int = 25) -> Figure:
    """Show P(column | row) for the most frequent labels, alike ones beside each other.

    Rows are ordered by average-linkage clustering on the cosine distance between labels, so that
    groups of labels which go together show as blocks.

    Args:
        targets: (N, C) bool.
        names: (C,) label names; a "kind::" in front colours the name.
        top: labels to show, at most 100.
    """
    check_range("top", top, 1)
    check_lengths(targets=targets, column=np.empty(np.asarray(targets).shape[:1]))
    targets, names = np.asarray(targets, dtype=bool), list(names)
    if targets.ndim != 2 or targets.shape[1] != len(names):
        raise ValueError(f"wanted targets (N, {len(names)}) for the names, got {targets.shape}")
    counts = targets.sum(axis=0)
    chosen = np.argsort(-counts, kind="stable")[:top]
    chosen = chosen[counts[chosen] > 0]
    if len(chosen) == 0:
        raise ValueError("no image carries a label; wanted at least one true target")
    together = _count_pairs(targets[:, chosen])  # (K, K)
    order = _cluster_order(together)
    chosen, together = chosen[order], together[np.ix_(order, order)]
    given = together / np.diag(together)[:, None]
    np.fill_diagonal(given, np.nan)

    fig = new_figure(max(4.0, 2.6 + 0.22 * len(chosen)), width=max(6.0, 4.4 + 0.22 * len(chosen)))
    ax = fig.subplots()
    highest = max(0.05, float(np.nanmax(given))) if len(chosen) > 1 else 1.0
    seaborn.heatmap(
        given,
        ax=ax,
        cmap=HEAT_MAP,
        vmin=0,
        vmax=highest,
        square=True,
        xticklabels=False,
        yticklabels=False,
        cbar_kws={"shrink": 0.6, "format": PercentFormatter(1, decimals=None)},
    )
    style_axes(ax, f"Labels together, {len(chosen)} most frequent", grid="none")
    ax.set_facecolor(FAINT)
    name_ticks(ax, [names[k] for k in chosen], 28)
    bar = ax.collections[0].colorbar
    bar.set_label(
        "share of the row's images\nthat also have the column's", size=TEXT_SIZE, color=INK
    )
    bar.ax.tick_params(labelsize=SMALL_SIZE, color=FRAME, labelcolor=INK)
    bar.outline.set(edgecolor=FRAME, linewidth=0.6)
    return fig


def _count_pairs(targets: np.ndarray) -> np.ndarray:
    numbers = targets.astype(np.float32)  # exact to 2^24 images, and BLAS does the product
    return (numbers.T @ numbers).astype(np.float64)


def _cluster_order(together: np.ndarray) -> np.ndarray:
    if len(together) < 3:
        return np.arange(len(together))
    size = np.sqrt(np.diag(together))
    distance = np.clip(1 - together / np.outer(size, size), 0, None)
    np.fill_diagonal(distance, 0)
    condensed = squareform(distance, checks=False)
    return leaves_list(linkage(condensed, method="average", optimal_ordering=True))
