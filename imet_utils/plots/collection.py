"""Figures of a collection: its labels and image sizes. Import from `plots`."""

import math
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, PercentFormatter
from scipy.cluster.hierarchy import leaves_list, linkage

from imet_utils.plots import style
from imet_utils.tables import split_label

TOP = 15  # labels of a kind that are named


@style.use()
def plot_label_frequencies(
    counts: np.ndarray, names: Sequence[str], kinds: Sequence[str]
) -> Figure:
    """Show the most frequent labels of each kind, and how fast frequency falls with rank.

    All arguments (C,); names have no "kind::" in front.
    """
    colors = style.kind_colors(kinds)
    columns = min(len(colors) + 1, 3)
    rows = math.ceil((len(colors) + 1) / columns)
    fig, axes = style.subplots(4.5 * rows, rows, columns, squeeze=False)
    axes = axes.ravel()
    tail = axes[len(colors)]
    _draw_tail(tail, "all", counts, style.INK)
    for ax, (kind, color) in zip(axes, colors.items(), strict=False):
        classes = np.flatnonzero(np.equal(kinds, kind))
        _draw_tail(tail, kind, counts[classes], color)
        top = classes[np.argsort(-counts[classes], kind="stable")][:TOP]
        bars = ax.barh(range(len(top)), counts[top], height=0.72, color=color)
        ax.bar_label(bars, fmt="{:,.0f}", padding=3, color=style.MUTED)
        title = f"{style.clean_text(kind, 0.9)}: top {len(top)} of {len(classes):,}"
        ax.set(title=title, xlabel="images", xlim=(0, max(1, counts[top].max() * 1.2)))
        style.name_rows(ax, [style.clean_text(names[label], 1.8) for label in top])
        ax.set_ylim(bottom=max(len(top), 5) - 0.4)  # few bars do not grow thick
        style.count_axis(ax.xaxis, ticks=3)
    tail.set(title="The long tail", xlabel="rank of the label", ylabel="images with the label")
    tail.minorticks_off()
    fig.legend(loc="outside lower right", ncols=4)
    style.hide_empty(axes)
    return fig


def _draw_tail(ax: Axes, name: str, counts: np.ndarray, color: str) -> None:
    used = np.sort(counts[counts > 0])[::-1]
    label = f"{style.clean_text(name, 0.9)}, {len(used):,} of {len(counts):,} used"
    ax.loglog(range(1, len(used) + 1), used, ".-", markersize=3, color=color, label=label)


@style.use()
def plot_labels_per_image(targets: np.ndarray, kinds: np.ndarray) -> Figure:
    """Show how many labels an image has, of all kinds and of each where there are several.

    From targets, bool (N, C), and the kinds of the labels, text (C,).
    """
    colors = style.kind_colors(kinds)
    groups = {"all labels": (np.full(len(kinds), True), style.FRAME)}
    if len(colors) > 1:
        groups |= {kind: (np.equal(kinds, kind), color) for kind, color in colors.items()}
    numbers, width = np.arange(targets.sum(axis=1).max() + 1), 0.8 / len(groups)
    fig, ax = style.subplots(3.6)
    for place, (name, (members, color)) in enumerate(groups.items()):
        values = targets[:, members].sum(axis=1)  # (N,)
        share = np.bincount(values, minlength=len(numbers)) / len(targets)
        label = f"{style.clean_text(name, 1.2)}, mean {values.mean():.2f}"
        shifted = numbers + width * (place - (len(groups) - 1) / 2)
        ax.bar(shifted, share, width, color=color, label=label)
    ax.grid(visible=False, axis="x")
    ax.set(title="Labels on an image", xlabel="labels")
    ax.set_ylabel(f"share of images, N = {len(targets):,}")
    ax.yaxis.set_major_formatter(PercentFormatter(1, decimals=None))
    style.count_axis(ax.xaxis, ticks=12)
    ax.legend()
    return fig


@style.use()
def plot_cooccurrence(targets: np.ndarray, names: Sequence[str], top: int = 25) -> Figure:
    """Show P(column | row) for the `top` most frequent labels of `targets` (N, C).

    Average-linkage clustering on the cosine distance between labels shows groups of labels that
    occur together as blocks. Names have the colours of their kinds.
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
    fig, ax = style.subplots(max(4.0, 2.6 + size), width=max(6.0, 4.4 + size))
    ax.grid(visible=False)
    ax.set_title(f"Labels together, {len(chosen)} most frequent")
    ax.set_facecolor(style.FAINT)  # of the diagonal
    ax.spines[:].set_visible(False)
    ax.tick_params(length=0)
    label = "share of the row's images\nthat also have the column's"
    bar = {"shrink": 0.6, "format": PercentFormatter(1, decimals=None), "label": label}
    kinds, texts = zip(*(split_label(names[label]) for label in chosen), strict=True)
    colors, labels = style.kind_colors(kinds), [style.clean_text(text, 2.0) for text in texts]
    ticks = {"xticklabels": labels, "yticklabels": labels}
    seaborn.heatmap(given, ax=ax, cmap="magma_r", vmin=0, square=True, cbar_kws=bar, **ticks)
    for axis in (ax.xaxis, ax.yaxis):
        for tick, kind in zip(axis.get_ticklabels(), kinds, strict=True):
            tick.set_color(colors[kind] if len(colors) > 1 else style.INK)
    return fig


@style.use()
def plot_image_sizes(heights: np.ndarray, widths: np.ndarray) -> Figure:
    """Show widths against heights (pixels, both (N,)) and the distribution of their ratio."""
    total, sides = len(widths), np.concatenate([heights, widths])
    low, high = sides.min() / 1.15, sides.max() * 1.15
    fig, (left, right) = style.subplots(4.2, 1, 2)
    left.plot([low, high], [low, high], label="square", **style.REFERENCE)
    size, alpha = 9 if total > 50 else 25, min(0.6, max(0.06, 300 / total))
    left.scatter(widths, heights, size, style.BLUE, linewidths=0, alpha=alpha)
    left.set(xscale="log", yscale="log", xlim=(low, high), ylim=(low, high), aspect="equal")
    for axis in (left.xaxis, left.yaxis):
        axis.set_major_locator(LogLocator(subs=(1, 3) if high > 10 * low else (1, 2, 3, 5)))
        axis.set_major_formatter("{x:,.0f}")
    left.set(title=f"Image sizes, N = {total:,}", xlabel="width, pixels", ylabel="height, pixels")
    left.legend(loc="upper center")
    ratios = widths / heights
    reach = max(1.0, np.abs(np.log2(ratios)).max() * 1.02)
    right.hist(ratios, np.geomspace(2**-reach, 2**reach, 61).tolist(), color=style.BLUE)
    right.axvline(1, **style.REFERENCE)
    right.set_xscale("log", base=2)
    right.xaxis.set_major_formatter(lambda r, _: f"{r:g}:1" if r >= 1 else f"1:{1 / r:g}")
    middle = ", ".join(f"{q:.2f}" for q in np.quantile(ratios, [0.05, 0.5, 0.95]))
    xlabel = f"width : height, log scale (5 %, median, 95 %: {middle})"
    right.set(title="Width to height", xlabel=xlabel, ylabel="images")
    style.count_axis(right.yaxis)
    for ax in (left, right):
        ax.minorticks_off()
    return fig
