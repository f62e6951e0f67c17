"""Text in figures: safe, of a given width, in fonts that have it; colours that all can read."""

import warnings
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.colors import to_rgb
from skimage.color import rgb2lab

from imet_utils.plots import style, text

CJK = "北斎"


@pytest.fixture
def no_other_fonts(monkeypatch):
    monkeypatch.setattr(text, "system_fonts", dict)
    text.find_family.cache_clear()
    yield
    text.find_family.cache_clear()


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ("plain", "plain"),
        ("a $x$ b", r"a \$x\$ b"),
        ("  many \n\t blanks ", "many blanks"),
        ("_hidden", " _hidden"),
        ("e\u0301", "é"),
        ("", ""),
        (12, "12"),
    ],
)
def test_clean_text(given, wanted):
    assert text.clean_text(given) == wanted


@pytest.mark.parametrize("given", ["mmmm wwww " * 9, "illi " * 40, "W" * 90, "$x$ " * 30])
def test_text_fills_its_width_and_no_more(given):
    fig = style.new_figure(2, width=4)
    drawn = fig.text(0, 0.5, text.clean_text(given, 1.5), size=text.SMALL_SIZE)
    assert 1.2 < drawn.get_window_extent().width / fig.dpi <= 1.53
    assert drawn.get_text().endswith("…")
    assert text.clean_text("short", 1.5) == "short"


def test_letters_without_a_font_are_question_marks_and_the_script_is_named(no_other_fonts):
    with pytest.warns(UserWarning, match="script CJK.*fonts-noto-cjk"):
        assert text.clean_text(f"{CJK} a") == "?? a"
    with pytest.warns(UserWarning, match="script DEVANAGARI.*fonts-noto-core"):
        assert text.clean_text("हिन") == "???"
    assert text.clean_text(f"{CJK} a") == "?? a"  # said once: a second warning would fail


def test_letters_are_drawn_in_a_font_of_the_system_that_has_them(monkeypatch, tmp_path):
    """The bundled Computer Modern stands for a font that has what the default font lacks."""
    folder = Path(mpl.get_data_path()) / "fonts/ttf"
    fonts = {"DejaVu Sans": str(folder / "DejaVuSans.ttf")}
    monkeypatch.setattr(text, "system_fonts", lambda: fonts)
    monkeypatch.setitem(mpl.rcParams, "font.family", ["cmr10"])
    text.find_family.cache_clear()
    assert text.clean_text("Жук a") == "Жук a"
    fig = style.new_figure(2, width=4)
    fig.text(0, 0.5, "Жук a")
    fig.text(0, 0.1, "a")
    text.finish(fig).savefig(tmp_path / "figure.png")  # a glyph without a font would warn
    families = [drawn.get_fontfamily() for drawn in fig.texts]
    assert families == [["cmr10", "DejaVu Sans"], ["cmr10"]]


def test_east_asian_letters_where_the_system_has_them(tmp_path):
    text.find_family.cache_clear()
    with warnings.catch_warnings(action="ignore"):
        if text.find_family(CJK[0], ()) is None:
            pytest.skip("no font of this system has CJK letters")
    assert text.clean_text(CJK) == CJK
    fig = style.new_figure(2, width=4)
    style.style_axes(fig.subplots(), CJK)
    text.finish(fig).savefig(tmp_path / "figure.png")  # a glyph without a font would warn


# Machado, Oliveira and Fernandes (2009): what the three dichromacies make of linear RGB.
DICHROMACIES = {
    "none": np.eye(3),
    "protan": [[0.1523, 1.0526, -0.2049], [0.1145, 0.7863, 0.0992], [-0.0039, -0.0481, 1.0520]],
    "deutan": [[0.3673, 0.8606, -0.2280], [0.2801, 0.6725, 0.0474], [-0.0118, 0.0429, 0.9689]],
    "tritan": [[1.2555, -0.0767, -0.1788], [-0.0784, 0.9308, 0.1476], [0.0047, 0.6914, 0.3039]],
}
VERDICT_COLORS = [color for color, _ in style.VERDICTS.values()]


def linear(color):
    values = np.array(to_rgb(color))
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)


def seen(color, matrix):
    values = np.clip(np.asarray(matrix) @ linear(color), 0, 1)
    display = np.where(values <= 0.0031308, 12.92 * values, 1.055 * values ** (1 / 2.4) - 0.055)
    return rgb2lab(display.reshape(1, 1, 3))[0, 0]


@pytest.mark.parametrize("sight", DICHROMACIES)
@pytest.mark.parametrize("colors", [VERDICT_COLORS, list(style.KIND_COLORS.values())])
def test_colors_stay_apart_for_the_colour_blind(colors, sight):
    points = [seen(color, DICHROMACIES[sight]) for color in colors]
    distances = [np.linalg.norm(a - b) for i, a in enumerate(points) for b in points[:i]]
    assert min(distances) > 30  # CIELAB; 2.3 is just noticeable


@pytest.mark.parametrize(
    "color",
    [
        *(style.INK, style.MUTED),
        *VERDICT_COLORS,
        *style.KIND_COLORS.values(),
        *style.OTHER_KIND_COLORS,
    ],
)
def test_text_colors_are_legible_on_white(color):
    luminance = linear(color) @ [0.2126, 0.7152, 0.0722]
    assert 1.05 / (luminance + 0.05) > 4.45  # WCAG asks for 4.5
