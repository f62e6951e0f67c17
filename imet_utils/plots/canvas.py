"""Place images and text on a figure by the inch, for figures whose images differ in shape."""

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.textpath import text_to_path

from imet_utils.plots.style import (
    INK,
    MUTED,
    SMALL_SIZE,
    TITLE_SIZE,
    clean_text,
    frame_image,
    kind_colors,
    plain_text,
    split_label,
)

MARGIN = 0.1  # inches
LINE = 0.175  # inches a line of small text
HINTING = 1.09  # small letters grow when they are fitted to whole pixels


def place_axes(fig: Figure, left: float, top: float, width: float, height: float) -> Axes:
    """Add axes at inches from the figure's left and top edge."""
    wide, high = fig.get_size_inches()
    return fig.add_axes((left / wide, 1 - (top + height) / high, width / wide, height / high))


def place_text(
    fig: Figure,
    left: float,
    top: float,
    text: str,
    width: float | None = None,
    lines: int = 1,
    **options: object,
) -> None:
    """Write text at inches from the figure's left and top edge, one line below the other.

    Args:
        fig: where to write.
        left: inches.
        top: inches to the top of the first line.
        text: any text.
        width: inches to fill before the text is wrapped or shortened.
        lines: lines to wrap to at the most.
        **options: of `Figure.text`.
    """
    wide, high = fig.get_size_inches()
    options = {"size": SMALL_SIZE, "va": "baseline", **options}
    ascent, leading = options["size"] / 72, options["size"] / 72 * 1.35
    look = options["size"], options.get("weight", "normal")
    parts = [text] if width is None else wrap_text(text, width, lines, *look)
    for row, part in enumerate(parts):
        # From the baseline: the tops of letters differ, and lines side by side would dance.
        y = 1 - (top + ascent + row * leading) / high
        fig.text(left / wide, y, clean_text(part), **options)


def text_width(text: str, size: float, weight: str = "normal") -> float:
    """Inches that a line of text takes at `size` points, at the most."""
    font = FontProperties(size=size, weight=weight)
    points, _, _ = text_to_path.get_text_width_height_descent(text, font, ismath=False)
    return HINTING * points / 72


def fit_width(text: str, width: float, size: float, weight: str = "normal") -> str:
    """Shorten text to `width` inches at `size` points."""
    text = plain_text(text)[:300]
    if text_width(text, size, weight) <= width:
        return text
    cut = [text[:length].rstrip() + "…" for length in range(len(text))]
    fitting = bisect_right(cut, width, key=lambda part: text_width(part, size, weight))
    return cut[max(0, fitting - 1)]


def wrap_text(
    text: str, width: float, lines: int, size: float, weight: str = "normal"
) -> list[str]:
    """Break text at blanks into at most `lines` lines of `width` inches; the rest is cut off."""
    wrapped = [""]
    for word in plain_text(text).split():
        longer = f"{wrapped[-1]} {word}".strip()
        if not wrapped[-1] or text_width(longer, size, weight) <= width:
            wrapped[-1] = longer
        else:
            wrapped.append(word)
    if len(wrapped) > lines:
        wrapped = [*wrapped[: lines - 1], " ".join(wrapped[lines - 1 :])]
    return [fit_width(part, width, size, weight) for part in wrapped]


def place_labels(
    fig: Figure,
    left: float,
    top: float,
    labels: Sequence[str],
    width: float,
    max_lines: int,
    colors: Mapping[str, str],
) -> None:
    """Write labels below one another in the colour of their kind; "no label" where there is none.

    Args:
        fig: where to write.
        left: inches.
        top: inches.
        labels: such as "culture::french".
        width: inches that a label may take.
        max_lines: lines to use; the last one says how many labels are left out.
        colors: colour of each kind.
    """
    shown = labels if len(labels) <= max_lines else labels[: max_lines - 1]
    for row, label in enumerate(shown):
        kind, name = split_label(label)
        place_text(fig, left, top + row * LINE, name, width, color=colors[kind])
    if len(shown) < len(labels):
        more = f"+ {len(labels) - len(shown)} more"
        place_text(fig, left, top + len(shown) * LINE, more, color=MUTED)
    if not labels:
        place_text(fig, left, top, "no label", color=MUTED, style="italic")


def colors_of(captions: Iterable[Iterable[str]]) -> dict[str, str]:
    """Give each kind among the labels of all images its colour."""
    return kind_colors(sorted({split_label(label)[0] for labels in captions for label in labels}))


def place_kinds(fig: Figure, colors: Mapping[str, str], top: float) -> None:
    """Say in the upper right corner which colour is which kind of label."""
    left = fig.get_size_inches()[0] - 0.1
    for kind, color in reversed(colors.items()):
        text = f"■ {fit_width(kind, 1.5, SMALL_SIZE)}"
        left -= text_width(text, SMALL_SIZE)
        place_text(fig, left, top, text, color=color)
        left -= 0.2


def place_header(fig: Figure, title: str, colors: Mapping[str, str] | None = None) -> None:
    """Write the figure's title in the upper left corner and the kinds of label in the right."""
    place_text(fig, MARGIN, 0.1, title, size=TITLE_SIZE, weight="bold", color=INK)
    place_kinds(fig, colors or {}, top=0.12)


def draw_image(ax: Axes, image: np.ndarray, anchor: str = "C") -> None:
    """Show an (H, W, 3) uint8 image in a thin frame at the given corner of its axes."""
    check_image(image)
    ax.set_anchor(anchor)
    ax.imshow(image)
    frame_image(ax)


def image_height(image: np.ndarray, width: float, limit: float) -> float:
    """Inches that an image of this width is high, at most `limit`."""
    check_image(image)
    return min(limit, width * image.shape[0] / image.shape[1])


def check_image(image: np.ndarray) -> None:
    """Check that an image is (H, W, 3) uint8 with at least one pixel."""
    shape, dtype = np.shape(image), getattr(image, "dtype", type(image).__name__)
    if len(shape) != 3 or shape[2] != 3 or dtype != np.uint8 or 0 in shape:
        raise ValueError(f"wanted an image (H, W, 3) uint8, got {shape} {dtype}")


def check_labels(captions: Iterable[Sequence[str]], name: str) -> None:
    """Check that there is a list of labels for each image, and not one text."""
    for labels in captions:
        if isinstance(labels, str):
            raise ValueError(f"{name} wants a list of labels for each image, got {labels!r}")
