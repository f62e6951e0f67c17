"""Text that is safe to draw: one line of known width, without mathtext, in fonts that have it."""

import unicodedata
import warnings
from bisect import bisect_right
from contextlib import suppress
from functools import cache

import matplotlib as mpl
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties, findfont, findSystemFonts, fontManager, get_font
from matplotlib.text import Text
from matplotlib.textpath import text_to_path

SMALL_SIZE = 9.0  # points, of all text but titles and names of axes
HINTING = 1.09  # small letters grow when they are fitted to whole pixels
EAST_ASIAN = ("CJK", "HIRAGANA", "KATAKANA", "HANGUL", "BOPOMOFO")


def clean_text(text: object, width: float | None = None) -> str:
    r"""Make any text safe to draw on one line, dollar signs that start no mathtext included.

    What no font of the system has becomes "?", with a warning that names the script.

    >>> clean_text("price: $5\n to $9")
    'price: \\$5 to \\$9'

    Args:
        text: anything; line breaks and runs of blanks become one blank.
        width: inches to keep at `SMALL_SIZE`; a longer text ends in "…".
    """
    flat = unicodedata.normalize("NFC", " ".join(str(text).split()))
    fonts = _configured_fonts()
    flat = "".join("?" if find_family(letter, fonts) is None else letter for letter in flat)
    if width is not None:
        flat = _shorten(flat[:300], width)
    flat = f" {flat}" if flat.startswith("_") else flat  # a legend leaves out "_names"
    return flat.replace("$", r"\$")


def _shorten(text: str, width: float) -> str:
    if _inches(text) <= width:
        return text
    cuts = [text[:length].rstrip() + "…" for length in range(len(text))]
    return cuts[max(0, bisect_right(cuts, width, key=_inches) - 1)]


def _inches(text: str) -> float:
    font = FontProperties(family=font_families(text), size=SMALL_SIZE)
    points, _, _ = text_to_path.get_text_width_height_descent(text, font, ismath=False)
    return HINTING * points / 72


def finish(fig: Figure) -> Figure:
    """Give each text of a figure the fonts that have its letters, and return the figure."""
    for text in fig.findobj(Text):
        text.set_fontfamily(font_families(text.get_text()))
    return fig


def font_families(text: str) -> list[str]:
    """List the configured font families, then those for the letters that they lack."""
    fonts = _configured_fonts()
    others = dict.fromkeys(find_family(letter, fonts) for letter in text)
    return [*mpl.rcParams["font.family"], *filter(None, others)]


def _configured_fonts() -> tuple[str, ...]:
    families = mpl.rcParams["font.family"]
    return tuple(findfont(FontProperties(family=[family])) for family in families)


@cache
def find_family(letter: str, configured: tuple[str, ...]) -> str | None:
    """Find the font of the system to draw a letter in.

    Returns:
        "" where one of the configured font files has the letter, else the family of another font;
        None, with a warning, where no font has it.
    """
    if any(ord(letter) in _letters(path) for path in configured):
        return ""
    for family, path in system_fonts().items():
        if ord(letter) in _letters(path):
            return family
    if letter.isalpha():
        script = unicodedata.name(letter, "unknown").split()[0]
        package = "fonts-noto-cjk" if script in EAST_ASIAN else "fonts-noto-core"
        warnings.warn(
            f"No font here has letters of the script {script}: figures show ? in their place. "
            f"Install one of Noto's fonts (Debian and Ubuntu: apt-get install {package}) "
            "and start Python anew.",
            stacklevel=3,
        )
    return None


@cache
def system_fonts() -> dict[str, str]:
    """Map the families of all fonts to a file of each, those without serifs first."""
    listed = {font.fname for font in fontManager.ttflist}
    for path in set(findSystemFonts()) - listed:  # installed after matplotlib made its list
        with suppress(Exception):  # of a broken file
            fontManager.addfont(path)
    fonts = sorted(fontManager.ttflist, key=lambda font: ("Sans" not in font.name, font.name))
    return {font.name: font.fname for font in fonts if "Last Resort" not in font.name}


@cache
def _letters(path: str) -> frozenset[int]:
    return frozenset(get_font(path).get_charmap())
