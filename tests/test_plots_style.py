import numpy as np
import pytest
from matplotlib.colors import to_rgb
from skimage.color import rgb2lab

from imet_utils.plots import style

# Machado, Oliveira and Fernandes (2009): what the three dichromacies make of linear RGB.
DICHROMACIES = {
    "none": np.eye(3),
    "protan": [[0.1523, 1.0526, -0.2049], [0.1145, 0.7863, 0.0992], [-0.0039, -0.0481, 1.0520]],
    "deutan": [[0.3673, 0.8606, -0.2280], [0.2801, 0.6725, 0.0474], [-0.0118, 0.0429, 0.9689]],
    "tritan": [[1.2555, -0.0767, -0.1788], [-0.0784, 0.9308, 0.1476], [0.0047, 0.6914, 0.3039]],
}


def linear(color):
    values = np.array(to_rgb(color))
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)


def seen(color, matrix):
    values = np.clip(np.asarray(matrix) @ linear(color), 0, 1)
    display = np.where(values <= 0.0031308, 12.92 * values, 1.055 * values ** (1 / 2.4) - 0.055)
    return rgb2lab(display.reshape(1, 1, 3))[0, 0]


@pytest.mark.parametrize("sight", DICHROMACIES)
@pytest.mark.parametrize(
    "colors", [[c for c, _ in style.VERDICTS.values()], list(style.KIND_COLORS.values())]
)
def test_colors_stay_apart_for_the_colour_blind(colors, sight):
    points = [seen(color, DICHROMACIES[sight]) for color in colors]
    distances = [np.linalg.norm(a - b) for i, a in enumerate(points) for b in points[:i]]
    assert min(distances) > 30  # CIELAB; 2.3 is just noticeable


@pytest.mark.parametrize(
    "color",
    [
        style.INK,
        style.MUTED,
        *(color for color, _ in style.VERDICTS.values()),
        *style.KIND_COLORS.values(),
        *style.OTHER_KIND_COLORS,
    ],
)
def test_text_colors_are_legible_on_white(color):
    luminance = linear(color) @ [0.2126, 0.7152, 0.0722]
    assert 1.05 / (luminance + 0.05) > 4.45  # WCAG asks for 4.5


def test_signs_say_what_colours_say():
    assert len({sign for _, sign in style.VERDICTS.values()}) == 3


@pytest.mark.parametrize(
    ("text", "width", "wanted"),
    [
        ("plain", None, "plain"),
        ("a $x$ b", None, r"a \$x\$ b"),
        ("  many \n\t blanks ", None, "many blanks"),
        ("_hidden", None, " _hidden"),
        ("abcdefgh", 8, "abcdefgh"),
        ("abcdefghi", 8, "abcdefg…"),
        ("abc defghi", 5, "abc…"),
        ("北斎", None, "??"),
        ("e\u0301", None, "é"),
        ("", 5, ""),
        (12, None, "12"),
    ],
)
def test_clean_text(text, width, wanted):
    assert style.clean_text(text, width) == wanted


def test_wide_characters_count_twice():
    assert style._shorten("北斎北斎", 8) == "北斎北斎"
    assert style._shorten("北斎北斎", 7) == "北斎北…"


def test_new_kinds_get_colours_of_their_own():
    colors = style.kind_colors(["tag", "material", "period", "material"])
    assert list(colors) == ["tag", "material", "period"]
    assert len(set(colors.values())) == 3


def test_split_label():
    assert style.split_label("culture::french::late") == ("culture", "french::late")
    assert style.split_label("french") == ("other", "french")


def test_check_lengths_says_what_differs():
    assert style.check_lengths(one=[1, 2], two=np.zeros(2)) == 2
    with pytest.raises(ValueError, match=r"'one': 2, 'two': 3"):
        style.check_lengths(one=[1, 2], two=[1, 2, 3])
    with pytest.raises(ValueError, match="two is empty"):
        style.check_lengths(one=[1], two=[])
