"""The visual language that all figures share: palette, type sizes, axes, legends.

Figures are made without `pyplot`, so none stays open, and without touching `rcParams`: every size
and colour is given where it is used. They are white in a dark notebook, too.
"""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from imet_utils.plots.text import SMALL_SIZE, clean_text

INK, MUTED, FRAME, GRID, FAINT = "#22272E", "#5B6570", "#9AA3AC", "#E3E7EB", "#C6CCD2"
TITLE_SIZE, TEXT_SIZE = 11.5, 10.0  # points; 100 dots an inch
WIDTH = 10.0  # inches: 1,000 pixels
KIND_COLORS = {"culture": "#00695C", "tag": "#C05A0A"}
OTHER_KIND_COLORS = ("#4C4C9D", "#A8326E", "#4F6D1F", "#6B5B4B")
# Blue, ochre and crimson stay apart in all three common forms of colour blindness; the signs
# say the same for those who print in grey.
VERDICTS = {"correct": ("#1F6FB2", "✓"), "missed": ("#8F6400", "○"), "wrong": ("#C2185B", "✗")}
SERIES_COLORS = ("#0072B2", "#D55E00", "#009E73", "#B24A8C", "#B07A00", "#3C9AC9", "#444B54")
SERIES_MARKERS = ("o", "s", "D", "^", "v", "P", "X")
SCORES = {"f2": "F2", "f1": "F1", "precision": "precision", "recall": "recall", "map": "mAP"}
REFERENCE = {"color": MUTED, "linewidth": 1.2, "linestyle": "--", "zorder": 1}


def new_figure(height: float, width: float = WIDTH, pad: float = 0.08) -> Figure:
    """Make an empty white figure (sizes in inches) that `pyplot` knows nothing of."""
    fig = Figure(figsize=(width, height), dpi=100, facecolor="white", layout="constrained")
    fig.get_layout_engine().set(w_pad=0.08, h_pad=pad, wspace=0.03)  # inches; wspace a share
    return fig


def style_axes(
    ax: Axes, title: str = "", xlabel: str = "", ylabel: str = "", grid: str = "both"
) -> None:
    """Give data axes the house look; `grid` is "x", "y", "both" or "none"."""
    ax.set_title(title, loc="left", size=TITLE_SIZE, color=INK, weight="bold", pad=8)
    ax.set_xlabel(xlabel, size=TEXT_SIZE, color=INK)
    ax.set_ylabel(ylabel, size=TEXT_SIZE, color=INK)
    ax.tick_params(which="both", labelsize=SMALL_SIZE, color=FRAME, labelcolor=INK)
    ax.set_axisbelow(True)
    if grid != "none":
        ax.grid(axis=grid, color=GRID, linewidth=0.8)
    ax.spines[["top", "right"]].set_visible(False)
    ax.spines[["left", "bottom"]].set(color=FRAME, linewidth=0.8)


def name_rows(ax: Axes, names: Sequence[str]) -> None:
    """Name the rows 0, 1, … of a chart from above, with clean texts on the left."""
    ax.set_yticks(range(len(names)), names)
    ax.set_ylim(len(names) - 0.4, -0.6)
    ax.tick_params(axis="y", length=0)


def hide_empty(axes: np.ndarray) -> None:
    """Show nothing of the axes in which nothing was drawn; text stays."""
    for ax in axes.ravel():
        if not ax.has_data():
            ax.set(xticks=[], yticks=[])
            ax.set_axis_off()


def count_axis(axis: Axis, ticks: int = 5) -> None:
    """Mark an axis of counts at whole numbers, with commas between thousands."""
    axis.set_major_locator(MaxNLocator(nbins=ticks, integer=True, min_n_ticks=1))
    axis.set_major_formatter("{x:,.0f}")


def add_note(
    ax: Axes,
    text: str,
    point: tuple[float, float],
    shift: tuple[float, float] = (5, 0),
    **options: object,
) -> None:
    """Write a clean text `shift` points away from a point of the data."""
    options = {"size": SMALL_SIZE, "color": INK, "va": "center", **options}
    ax.annotate(text, point, shift, textcoords="offset points", **options)


def add_legend(place: Axes | Figure, handles: Sequence | None = None, **options: object) -> None:
    """Draw a frameless legend in the house sizes; without handles, of all that has a label."""
    options = {"fontsize": SMALL_SIZE, "frameon": False, "labelcolor": INK, **options}
    place.legend(handles=handles, **options)


def add_header(fig: Figure, title: str, key: Mapping[str, str] | None = None) -> None:
    """Write a figure's title in the upper left corner, and coloured words in the right one."""
    fig.suptitle(title, x=0.008, ha="left", size=TITLE_SIZE, color=INK, weight="bold")
    blanks = [Line2D([], [], linestyle="", label=word) for word in key or {}]
    if blanks:
        style = {"labelcolor": list(key.values()), "handlelength": 0, "borderaxespad": 0.4}
        add_legend(fig, blanks, loc="upper right", ncols=len(blanks), **style)


def pick_series(number: int) -> dict[str, str]:
    """Return colour and marker of the `number`-th of several series."""
    at = number % len(SERIES_COLORS)
    return {"color": SERIES_COLORS[at], "marker": SERIES_MARKERS[at]}


def split_label(label: str) -> tuple[str, str]:
    """Split "culture::french" into kind and name; a label without "::" is of kind "other"."""
    kind, separator, name = str(label).partition("::")
    return (kind, name) if separator else ("other", kind)


def kind_colors(kinds: Iterable[str]) -> dict[str, str]:
    """Give each kind of label its colour, in alphabetical order.

    >>> kind_colors(["tag", "material", "tag"])
    {'material': '#4C4C9D', 'tag': '#C05A0A'}
    """
    kinds = sorted(set(kinds))
    others = [kind for kind in kinds if kind not in KIND_COLORS]
    spare = {kind: OTHER_KIND_COLORS[i % len(OTHER_KIND_COLORS)] for i, kind in enumerate(others)}
    return {kind: KIND_COLORS.get(kind) or spare[kind] for kind in kinds}


def kind_key(colors: Mapping[str, str]) -> dict[str, str]:
    """Return the words of a key to the colours of kinds, for `add_header`."""
    return {f"■ {clean_text(kind, 1.2)}": color for kind, color in colors.items()}
