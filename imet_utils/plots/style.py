"""What all figures share: palette, matplotlib's settings, text that is safe to draw, notes, keys.

Figures are made without `pyplot`: none stays open, and all are white in a dark notebook, too.
"""

import unicodedata
import warnings
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import IO, Any

import matplotlib as mpl
import numpy as np
from cycler import cycler
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties, findfont, fontManager, get_font
from matplotlib.lines import Line2D
from matplotlib.textpath import text_to_path
from matplotlib.ticker import MaxNLocator

from imet_utils.tables import OTHER_KINDS

INK, MUTED, FRAME, GRID, FAINT = "#22272E", "#5B6570", "#9AA3AC", "#E3E7EB", "#C6CCD2"
WIDTH = 10.0  # inches: 1,000 pixels
KIND_COLORS = {"culture": "#00695C", "tag": "#C05A0A"}
SPARE_COLORS = ("#4C4C9D", "#A8326E", "#4F6D1F", "#6B5B4B", *KIND_COLORS.values())  # of other kinds
# Blue, ochre and crimson stay apart in all three common forms of colour blindness; the signs
# distinguish them in grey.
VERDICTS = {"correct": ("#1F6FB2", "✓"), "missed": ("#8F6400", "○"), "wrong": ("#C2185B", "✗")}
SERIES_COLORS = ("#0072B2", "#D55E00", "#009E73", "#B24A8C", "#B07A00", "#3C9AC9", "#444B54")
SERIES_MARKERS = ("o", "s", "D", "^", "v", "P", "X")
DASHES = ((6, 1.5), (6, 1.5, 1, 1.5), (1, 1), (3, 1), (9, 2, 3, 2), (4, 1, 1, 1, 1, 1))
SERIES_LINES = ("-", *((0, dashes) for dashes in DASHES))  # some colours look alike to some
BLUE, ORANGE, GREEN = SERIES_COLORS[:3]
SCORES = {"f2": "F2", "f1": "F1", "precision": "precision", "recall": "recall", "map": "mAP"}
REFERENCE: dict[str, Any] = {"color": MUTED, "linewidth": 1.2, "linestyle": "--"}

SMALL_SIZE = 9.0  # points, of all text but titles and names of axes
SETTINGS: dict[Any, Any] = {
    "axes.prop_cycle": cycler(color=SERIES_COLORS, linestyle=SERIES_LINES),
    **dict.fromkeys(["text.color", "axes.labelcolor", "xtick.labelcolor", "ytick.labelcolor"], INK),
    **dict.fromkeys(["axes.edgecolor", "xtick.color", "ytick.color"], FRAME),
    **dict.fromkeys(["axes.titlesize", "figure.titlesize"], 11.5),
    **dict.fromkeys(["axes.titleweight", "figure.titleweight"], "bold"),
    **dict.fromkeys(["axes.spines.top", "axes.spines.right", "legend.frameon"], False),
    **dict.fromkeys(["axes.axisbelow", "axes.grid", "figure.constrained_layout.use"], True),
    "axes.labelsize": 10,
    "axes.titlelocation": "left",
    "axes.titlepad": 8,
    "figure.constrained_layout.w_pad": 0.08,
    "figure.constrained_layout.h_pad": 0.1,
    "font.size": SMALL_SIZE,
    "grid.color": GRID,
    "lines.markeredgewidth": 1.4,
    "savefig.bbox": "tight",
    "savefig.dpi": 130,
}
# Families of Linux, macOS and Windows that have letters which DejaVu Sans lacks.
FALLBACKS = (
    *("Noto Sans", "Droid Sans Fallback", "WenQuanYi", "Arial Unicode MS", "Hiragino Sans"),
    *("PingFang", "Microsoft YaHei", "Yu Gothic", "Malgun Gothic", "Nirmala", "Segoe UI Symbol"),
)
HINTING = 1.09  # small letters grow when they are fitted to whole pixels


@contextmanager
def use() -> Iterator[None]:
    """Apply these settings instead of those of a user's `matplotlibrc`; also a decorator."""
    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update({**SETTINGS, "font.family": font_families()})
        yield


@use()
def save_figure(figure: Figure, file: Path | str | IO[bytes]) -> None:
    """Save a figure as PNG, without the white around it."""
    figure.savefig(file, format="png")


@cache
def font_families() -> list[str]:
    """List DejaVu Sans and the installed `FALLBACKS`; each letter is in the first that has it."""
    others = sorted(name for name in fontManager.get_font_names() if name.startswith(FALLBACKS))
    return ["DejaVu Sans", *others]


@cache
def drawable() -> frozenset[int]:
    """Return the code points that some font of `font_families` has."""
    paths = [findfont(FontProperties(family=[family])) for family in font_families()]
    return frozenset().union(*(get_font(path).get_charmap() for path in paths))


def clean_text(text: object, width: float | None = None) -> str:
    r"""Make any text safe to draw on one line, dollar signs that start no mathtext included.

    >>> clean_text("price: $5\n to $9")
    'price: \\$5 to \\$9'

    Runs of blanks become one blank, letters that no font has become "?"; a text longer than `width`
    inches at `SMALL_SIZE` ends in "…".
    """
    flat = unicodedata.normalize("NFC", " ".join(str(text).split()))
    lacking = {letter for letter in flat if ord(letter) not in drawable()}
    if any(map(str.isalpha, lacking)):
        warnings.warn(
            "Figures show ? for letters that no font here has. Install Noto's fonts (Debian and "
            f"Ubuntu: apt-get install fonts-noto), delete {mpl.get_cachedir()} and restart Python.",
            stacklevel=2,
        )
    flat = flat.translate({ord(letter): "?" for letter in lacking})
    if width is not None and _inches(flat) > width:
        lengths = range(1, min(len(flat), 300))
        kept = bisect_right(lengths, width, key=lambda length: _inches(flat[:length] + "…"))
        flat = flat[:kept].rstrip() + "…"
    flat = f" {flat}" if flat.startswith("_") else flat  # a legend leaves out "_names"
    return flat.replace("$", r"\$")


def _inches(text: str) -> float:
    font = FontProperties(family=font_families(), size=SMALL_SIZE)
    points, _, _ = text_to_path.get_text_width_height_descent(text, font, ismath=False)
    return HINTING * points / 72


def subplots(
    height: float,
    rows: int = 1,
    columns: int = 1,
    width: float = WIDTH,
    **options: Any,  # noqa: ANN401 - of `Figure.subplots`
) -> tuple[Figure, Any]:
    """Make a figure and its axes, as `pyplot.subplots` does; sizes in inches."""
    fig = Figure(figsize=(width, height))
    return fig, fig.subplots(rows, columns, **options)


def name_rows(ax: Axes, names: Sequence[str], notes: Sequence[str] = ()) -> None:
    """Name the rows 0, 1, … of a chart from above on the left, with notes on the right."""
    ax.set_yticks(range(len(names)), names)
    ax.set_ylim(len(names) - 0.4, -0.6)
    ax.tick_params(axis="y", length=0)
    ax.grid(visible=False, axis="y")
    for y, note in enumerate(notes):
        place = ax.get_yaxis_transform()
        add_note(ax, note, (1, y), (-2, 0), xycoords=place, ha="right", color=MUTED)


def hide_empty(axes: np.ndarray) -> None:
    """Hide the axes in which nothing was drawn; text stays."""
    for ax in axes.flat:
        if not ax.has_data():
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
    va: str = "center",
    **options: Any,  # noqa: ANN401 - of `Axes.annotate`
) -> None:
    """Write a clean text `shift` points away from a point of the data."""
    ax.annotate(text, point, shift, textcoords="offset points", va=va, **options)


def add_header(fig: Figure, title: str, key: Mapping[str, str] | None = None) -> None:
    """Write a figure's title in the upper left corner, and coloured words in the right one."""
    fig.suptitle(title, x=0.008, ha="left")
    if key:
        words = [Line2D([], [], linestyle="", label=word) for word in key]
        look = {"labelcolor": [*key.values()], "handlelength": 0, "ncols": len(key)}
        fig.legend(handles=words, loc="upper right", **look)


def dots(color: str, marker: str = "o", face: str | None = None, size: float = 7) -> dict[str, Any]:
    """Return the look of dots for `Axes.plot`, filled with their colour or another."""
    look = {"color": color, "linestyle": "", "marker": marker, "markersize": size}
    return {**look, "markerfacecolor": face or color}


def kind_colors(kinds: Iterable[str]) -> dict[str, str]:
    """Give each kind of label its colour, in alphabetical order: six have one, others are grey.

    >>> kind_colors(["tag", "material", "tag"])
    {'material': '#4C4C9D', 'tag': '#C05A0A'}
    """
    names = sorted(set(kinds))
    spare = [color for color in SPARE_COLORS if color not in map(KIND_COLORS.get, names)]
    return {
        kind: KIND_COLORS.get(kind) or (spare.pop(0) if spare and kind != OTHER_KINDS else MUTED)
        for kind in names
    }


def kind_key(colors: Mapping[str, str]) -> dict[str, str]:
    """Return the words of a key to the colours of kinds, for `add_header`."""
    return {f"■ {clean_text(kind, 1.2)}": color for kind, color in colors.items()}
