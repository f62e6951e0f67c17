"""Figure of the pointing game, label by label. Import from `plots`."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from imet_utils.plots.style import (
    FRAME,
    INK,
    SERIES_COLORS,
    add_legend,
    check_columns,
    check_range,
    clean_text,
    new_figure,
    split_label,
    style_axes,
)

MARKS = {  # of what takes no notice of the label: thin, so that they are seen on the dot
    "chance": {"marker": "o", "markerfacecolor": "none", "label": "any cell, by chance"},
    "center_rate": {"marker": "+", "label": "middle of the image"},
    "shuffled": {"marker": "x", "label": "peak of a random item"},
}
WHOLE = "all labels"


def plot_pointing(table: pd.DataFrame, top: int = 12) -> Figure:
    """Show how often attention peaks inside the boxes of its label, and how often others would.

    The first row is the mean over all items. The bars are 95 % intervals of the hit rate, which
    take the items for independent.

    Args:
        table: of `pointing_by_label`, the label with most items first.
        top: labels to show, at most 40.
    """
    check_columns(table, ["label", "count", "hit_rate", *MARKS], "table")
    check_range("top", top, 1, 40)
    rates = table[["hit_rate", *MARKS]]
    whole = dict(zip(rates, np.average(rates, axis=0, weights=table["count"]), strict=True))
    whole |= {"label": WHOLE, "count": table["count"].sum()}
    rows = pd.concat([pd.DataFrame([whole]), table.head(top)], ignore_index=True)
    fig = new_figure(1.6 + 0.27 * len(rows), width=8.4)
    ax = fig.subplots()
    _draw_rates(ax, rows)
    names = [clean_text(split_label(name)[1], 26) for name in rows["label"]]
    texts = [f"{name}  ({count:,})" for name, count in zip(names, rows["count"], strict=True)]
    ax.set_yticks(range(len(rows)), texts)
    ax.get_yticklabels()[0].set_fontweight("bold")
    ax.axhline(0.5, color=FRAME, linewidth=0.8)
    ax.set(xlim=(-0.02, 1.02), ylim=(len(rows) - 0.4, -0.6))
    ax.xaxis.set_major_formatter(PercentFormatter(1))
    title = "Does attention peak on what the label names?"
    style_axes(ax, title, "share of peaks inside the label's boxes", "label (items)", grid="x")
    ax.tick_params(axis="y", length=0)
    add_legend(fig, ax.get_legend_handles_labels()[0], loc="outside lower center", ncols=4)
    return fig


def _draw_rates(ax: Axes, rows: pd.DataFrame) -> None:
    position = np.arange(len(rows))
    low, high = wilson_interval(rows["hit_rate"].to_numpy(), rows["count"].to_numpy())
    ax.hlines(position, low, high, color=SERIES_COLORS[0], linewidth=7, alpha=0.2)
    dot = {"color": SERIES_COLORS[0], "linestyle": "", "marker": "o", "markersize": 9}
    ax.plot(rows["hit_rate"], position, label="peak of the label's attention", **dot)
    thin = {"color": INK, "linestyle": "", "markersize": 6.5, "markeredgewidth": 1.1}
    for column, mark in MARKS.items():
        ax.plot(rows[column], position, **thin, **mark)


def wilson_interval(rates: np.ndarray, counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Give the ends of the 95 % interval of shares (N,) of counts (N,) trials (Wilson, 1927)."""
    z2 = 1.959964**2 / counts
    middle = (rates + z2 / 2) / (1 + z2)
    half = np.sqrt(z2 * rates * (1 - rates) + z2**2 / 4) / (1 + z2)
    return middle - half, middle + half
