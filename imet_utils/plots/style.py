"""The visual language that all figures share: palette, type sizes, frames and safe text.

Figures are made without `pyplot`, so none stays open, and without touching `rcParams`: every size
and colour is given where it is used. In a notebook `%matplotlib inline` makes a returned
`Figure` show itself.
"""

import re
import unicodedata
from collections.abc import Iterable, Sequence
from functools import lru_cache

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties, findfont, get_font
from matplotlib.ticker import MaxNLocator, StrMethodFormatter

INK, MUTED, FRAME, GRID, FAINT = "#22272E", "#5B6570", "#9AA3AC", "#E3E7EB", "#C6CCD2"
TITLE_SIZE, TEXT_SIZE, SMALL_SIZE = 11.5, 10.0, 9.0  # points; 100 dots an inch
WIDTH = 10.0  # inches: 1,000 pixels
DPI = 100
MAX_COLUMNS = 12  # images side by side

KIND_COLORS = {"culture": "#00695C", "tag": "#C05A0A"}
OTHER_KIND_COLORS = ("#4C4C9D", "#A8326E", "#4F6D1F", "#6B5B4B")
# Blue, ochre and crimson stay apart in all three common forms of colour blindness; the signs
# say the same for those who print in grey.
VERDICTS = {"correct": ("#1F6FB2", "✓"), "missed": ("#8F6400", "○"), "wrong": ("#C2185B", "✗")}
SERIES_COLORS = ("#0072B2", "#D55E00", "#009E73", "#B24A8C", "#B07A00", "#3C9AC9", "#444B54")
SERIES_MARKERS = ("o", "s", "D", "^", "v", "P", "X")
PAPER = {"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 1.5}  # under text
HEAT_MAP, OVERLAY_MAP = "magma_r", "inferno"


def new_figure(height: float, width: float = WIDTH, layout: str | None = "constrained") -> Figure:
    """Make an empty white figure (sizes in inches) that `pyplot` knows nothing of."""
    fig = Figure(figsize=(width, height), dpi=DPI, facecolor="white", layout=layout)
    if layout == "constrained":
        fig.get_layout_engine().set(w_pad=0.08, h_pad=0.08, wspace=0.03)  # inches; wspace a share
    return fig


def style_axes(
    ax: Axes, title: str = "", xlabel: str = "", ylabel: str = "", grid: str = "both"
) -> None:
    """Give data axes the house look; `grid` is "x", "y", "both" or "none"."""
    ax.set_title(clean_text(title), loc="left", size=TITLE_SIZE, color=INK, weight="bold", pad=8)
    ax.set_xlabel(clean_text(xlabel), size=TEXT_SIZE, color=INK)
    ax.set_ylabel(clean_text(ylabel), size=TEXT_SIZE, color=INK)
    ax.tick_params(which="both", labelsize=SMALL_SIZE, color=FRAME, labelcolor=INK)
    ax.set_facecolor("white")
    ax.set_axisbelow(True)
    ax.grid(visible=False, which="both")
    if grid != "none":
        ax.grid(visible=True, which="major", axis=grid, color=GRID, linewidth=0.8)
    for side, spine in ax.spines.items():
        spine.set(visible=side in ("left", "bottom"), color=FRAME, linewidth=0.8)


def add_note(
    ax: Axes,
    text: str,
    point: tuple[float, float],
    shift: tuple[float, float] = (5, 0),
    **options: object,
) -> None:
    """Write `text`, drawn as it is, `shift` points away from a point of the data."""
    options = {"size": SMALL_SIZE, "color": INK, "va": "center", **options}
    ax.annotate(text, point, shift, textcoords="offset points", **options)


def pick_series(number: int) -> tuple[str, str]:
    """Return colour and marker of the `number`-th of several series."""
    return SERIES_COLORS[number % len(SERIES_COLORS)], SERIES_MARKERS[number % len(SERIES_MARKERS)]


def count_axis(axis: Axis, ticks: int = 5) -> None:
    """Mark an axis of counts at whole numbers, with commas between thousands."""
    axis.set_major_locator(MaxNLocator(nbins=ticks, integer=True, min_n_ticks=1))
    axis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))


def frame_image(ax: Axes) -> None:
    """Give image axes a thin frame and no ticks."""
    ax.set_xticks([])
    ax.set_yticks([])
    for spine in ax.spines.values():
        spine.set(visible=True, color=FRAME, linewidth=0.6)


def add_legend(ax: Axes | Figure, handles: Sequence | None = None, **options: object) -> None:
    """Draw a frameless legend in the house sizes."""
    if handles is None:
        handles = ax.get_legend_handles_labels()[0]
    if handles:
        options = {"fontsize": SMALL_SIZE, "frameon": False, "labelcolor": INK, **options}
        ax.legend(handles=handles, **options)


def kind_colors(kinds: Iterable[str]) -> dict[str, str]:
    """Give each kind of label its colour, in order of appearance.

    >>> kind_colors(["tag", "material"])
    {'tag': '#C05A0A', 'material': '#4C4C9D'}
    """
    kinds = list(dict.fromkeys(kinds))
    others = [kind for kind in kinds if kind not in KIND_COLORS]
    spare = {kind: OTHER_KIND_COLORS[i % len(OTHER_KIND_COLORS)] for i, kind in enumerate(others)}
    return {kind: KIND_COLORS.get(kind) or spare[kind] for kind in kinds}


def split_label(label: str) -> tuple[str, str]:
    """Split "culture::french" into kind and name; a label without "::" is of kind "other"."""
    kind, separator, name = str(label).partition("::")
    return (kind, name) if separator else ("other", kind)


def name_ticks(ax: Axes, names: Sequence[str], max_width: int) -> None:
    """Name the rows and columns of a square heat map by labels, each in its kind's colour."""
    parts = [split_label(name) for name in names]
    colors = kind_colors(sorted({kind for kind, _ in parts}))
    texts = [clean_text(name, max_width) for _, name in parts]
    middles = np.arange(len(texts)) + 0.5
    ax.set_xticks(middles, texts, rotation=90)
    ax.set_yticks(middles, texts, rotation=0)
    for labels in (ax.get_xticklabels(), ax.get_yticklabels()):
        for label, (kind, _) in zip(labels, parts, strict=True):
            label.set_color(colors[kind] if len(colors) > 1 else INK)
    ax.tick_params(length=0)
    for spine in ax.spines.values():
        spine.set_visible(False)


def clean_text(text: object, max_width: int | None = None) -> str:
    r"""Make any text safe to draw: as `plain_text`, and with dollar signs that start no mathtext.

    >>> clean_text("price: $5\n to $9", max_width=14)
    'price: \\$5 to…'
    """
    return plain_text(text, max_width).replace("$", r"\$")


def plain_text(text: object, max_width: int | None = None) -> str:
    """Put any text on one line, cut to a width, with only the glyphs that the font has.

    Args:
        text: anything; line breaks and runs of blanks become one blank.
        max_width: columns to keep, a wide (East Asian) character counting as two.
    """
    flat = unicodedata.normalize("NFC", re.sub(r"\s+", " ", str(text)).strip())
    glyphs = known_glyphs(
        tuple(mpl.rcParams["font.family"]), tuple(mpl.rcParams["font.sans-serif"])
    )
    flat = "".join(c if ord(c) in glyphs else "?" for c in flat)
    if max_width is not None:
        flat = _shorten(flat, max_width)
    return f" {flat}" if flat.startswith("_") else flat  # a legend leaves out "_names"


def _shorten(text: str, max_width: int) -> str:
    widths = np.cumsum([2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text])
    if not text or widths[-1] <= max_width:
        return text
    return text[: int(np.searchsorted(widths, max_width - 1, side="right"))].rstrip() + "…"


@lru_cache(maxsize=8)
def known_glyphs(families: tuple[str, ...], sans_serif: tuple[str, ...]) -> frozenset[int]:
    """Code points that the configured fonts can draw.

    A collection named in a script that the default font lacks sets
    `matplotlib.rcParams["font.family"]` to a font that has it. `sans_serif` is what the family
    "sans-serif" stands for; it is here so that a change of it is seen.
    """
    del sans_serif
    found = set()
    for family in families:
        found.update(get_font(findfont(FontProperties(family=[family]))).get_charmap())
    return frozenset(found)


def check_lengths(**values: Sequence) -> int:
    """Check that all arguments hold equally many entries, at least one, and return how many.

    Raises:
        ValueError: one is empty, or two differ in length.
    """
    lengths = {name: len(value) for name, value in values.items()}
    for name, length in lengths.items():
        if length == 0:
            raise ValueError(f"{name} is empty; wanted at least one entry")
    if len(set(lengths.values())) > 1:
        raise ValueError(f"wanted equally many entries in each, got {lengths}")
    return next(iter(lengths.values()))


def check_columns(frame: object, columns: Iterable[str], name: str) -> None:
    """Check that a table has rows and the columns that a figure needs."""
    missing = [column for column in columns if column not in frame]
    if missing:
        raise ValueError(f"{name} lacks the columns {missing}; it has {list(frame)}")
    if len(frame) == 0:
        raise ValueError(f"{name} is empty; wanted at least one row")


def check_range(name: str, value: int, low: int, high: int = 100) -> None:
    """Check that a number of things to show is one that a figure has room for."""
    if not low <= value <= high:
        raise ValueError(f"wanted {name} from {low} to {high}, got {value}")
