"""Figure of what the RNN learned of labels together, beside the data. Import from `plots`."""

from collections.abc import Sequence

import numpy as np
import seaborn
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy.cluster.hierarchy import leaves_list, linkage
from scipy.spatial.distance import squareform

from imet_utils.dependence import Agreement, influence_agreement
from imet_utils.plots.style import (
    FAINT,
    FRAME,
    INK,
    MUTED,
    SMALL_SIZE,
    TEXT_SIZE,
    check_lengths,
    check_range,
    name_ticks,
    new_figure,
    style_axes,
)

DIVERGING_MAP = "RdBu_r"  # red above 0; the colour-blind can tell it from blue
MAX_LABELS = 25
NAME_WIDTH = 20  # columns of a name


def plot_label_influence(influence: np.ndarray, lift: np.ndarray, names: Sequence[str]) -> Figure:
    """Show what the data say of each pair of labels, and what the RNN made of it.

    Both maps have the same order of labels, that of average-linkage clustering of the lift, so
    that groups which go together show as blocks. Each has a scale of its own, even about 0.

    Args:
        influence: (L, L) `LabelInfluence.log_odds`; row A is fed on, column B moves.
        lift: (L, L) of `cooccurrence_lift`, for the same labels.
        names: (L,) label names, two to 25; a "kind::" in front colours the name.
    """
    check_lengths(influence=influence, lift=lift, names=names)
    check_range("the number of names", len(names), 2, MAX_LABELS)
    agreement = influence_agreement(influence, lift)
    order = _cluster_order(np.asarray(lift, dtype=float))
    influence, lift = (np.asarray(m, dtype=float)[np.ix_(order, order)] for m in (influence, lift))
    names = [names[k] for k in order]
    fig = new_figure(3.4 + 0.16 * len(names))
    left, right = fig.subplots(1, 2)
    _draw_map(left, lift, "In the training data", "log odds ratio of the two labels")
    _draw_map(
        right,
        influence,
        "In the RNN, once the row's label is named",
        "change of the column's log odds",
    )
    name_ticks(left, names, NAME_WIDTH)
    name_ticks(right, names, NAME_WIDTH)
    right.set_yticks([])
    _add_title(fig, agreement, np.nanmedian(np.abs(lift)), np.nanmedian(np.abs(influence)))
    return fig


def _cluster_order(lift: np.ndarray) -> np.ndarray:
    if len(lift) < 3:
        return np.arange(len(lift))
    distance = 1 - np.tanh(lift / 2)  # 0 to 2; the tanh is Yule's Q, the odds ratio in -1..1
    np.fill_diagonal(distance, 0)
    condensed = squareform(distance, checks=False)
    return leaves_list(linkage(condensed, method="average", optimal_ordering=True))


def _draw_map(ax: Axes, values: np.ndarray, title: str, scale: str) -> None:
    highest = max(1e-6, float(np.nanmax(np.abs(values))))
    seaborn.heatmap(
        values,
        ax=ax,
        cmap=DIVERGING_MAP,
        vmin=-highest,
        vmax=highest,
        xticklabels=False,
        yticklabels=False,
        cbar_kws={"location": "bottom", "shrink": 0.8, "aspect": 40, "pad": 0.02},
    )
    style_axes(ax, title, grid="none")
    ax.set_facecolor(FAINT)  # of the diagonal
    bar = ax.collections[0].colorbar
    bar.set_label(scale, size=TEXT_SIZE, color=INK)
    bar.ax.tick_params(labelsize=SMALL_SIZE, color=FRAME, labelcolor=INK)
    bar.outline.set(edgecolor=FRAME, linewidth=0.6)


def _add_title(fig: Figure, agreement: Agreement, in_data: float, in_rnn: float) -> None:
    """State the agreement, and the sizes, which the two scales alone would hide."""
    fig.suptitle(
        f"Rank correlation {agreement.correlation:.2f} over {agreement.pairs:,} pairs; "
        f"median absolute value {in_data:.2g} in the data, {in_rnn:.2g} in the RNN",
        x=0.01,
        ha="left",
        size=TEXT_SIZE,
        color=MUTED,
    )
