"""What holds for every figure: it draws any name, leaves no trace, and its text is legible."""

import io
import sys
from types import SimpleNamespace

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.text import Annotation
from PIL import Image
from scipy.spatial.distance import pdist
from skimage.color import xyz2lab
from skimage.color.colorconv import xyz_from_rgb

from imet_tools.labelling import plots as tools
from imet_utils import plots
from imet_utils.labeller import Explanation
from imet_utils.metrics.scores import Curve
from imet_utils.plots import style

pytestmark = pytest.mark.filterwarnings("ignore:Figures show")  # of a machine without East Asia

ODD_NAMES = [
    "culture::$\\frac{$ broken",
    "tag::" + "a very long name " * 12,
    "material::北斎 ✓ ñ 🏺 \u202bא\u200f",
    "_hidden",
    "tag::two\nlines\tand 50 % off $",
    "",
]
COUNT = len(ODD_NAMES)
IMAGES = [np.full((20 + 7 * i, 50 - 7 * i, 3), 40 * i, np.uint8) for i in range(COUNT)]
RISING = np.linspace(0.1, 0.9, COUNT)
HISTORY = pd.DataFrame(
    {"epoch": [1, 2, 3], "train_loss": [3.0, 2, 1], "val_f2": [0.1, 0.3, 0.2], "learning_rate": 0.1}
)
SCORES = dict.fromkeys(["f2", "f2_low", "f2_high", "f1", "precision", "recall", "map"], RISING)
CURVE = Curve(np.array([0, 0.2, 1]), np.array([0, 0.7, 1]), 0.75)
INTERVALS = ["labels", "f2", "low", "high", "difference", "difference_low", "difference_high"]
BINS = {"pairs": 7, "expected": RISING, "observed": RISING, "low": RISING / 2, "high": RISING}
RATES = ["hit_rate", "chance", "center_rate", "shuffled"]
EVEN = np.full((7, 7), 1 / 49)
GAPS = dict.fromkeys(("first", "second", "difference", "low", "high"), RISING[:3])


def attended(names):
    row = {"image": IMAGES[1], "attention": np.full((COUNT, 49), 1 / 49), "labels": names}
    return [{**row, "probs": RISING, "boxes": {names[0]: (0.1, 0.1, 0.5, 0.5)}, "true": []}] * 2


def explained(names):
    """Explain an image by names of labels: it has attention, a path and neighbours."""
    neighbours = {"id": range(1, COUNT), "labels": [range(COUNT)] * (COUNT - 1), "similarity": 0.5}
    labeller = SimpleNamespace(names=np.array(names), path=lambda _: pd.Series(RISING, names))
    chosen, attention = np.arange(COUNT) < 4, np.stack([EVEN] * COUNT)
    found = Explanation(RISING, chosen, attention, pd.DataFrame(neighbours))
    pictures = [Image.fromarray(image) for image in IMAGES]
    return tools.plot_image(labeller, pictures[1], names[3:], pictures.__getitem__, found)


CASES = {
    "architecture": lambda _: plots.plot_architecture(),
    "attention": lambda names: tools.plot_attention(IMAGES[1], EVEN, names[1], 0.5),
    "attention_rows": lambda names: plots.plot_attention_rows(attended(names)),
    "auc_distribution": lambda names: plots.plot_auc_distribution(RISING, np.arange(COUNT), names),
    "calibration": lambda names: plots.plot_calibration(
        pd.DataFrame({"group": names[:2] * 3, "first": [True] * 3 + [False] * 3, **BINS})
    ),
    "comparison": lambda names: tools.plot_comparison(
        pd.DataFrame({"score": ["f2", "precision", "recall"], **GAPS}), *names[:2]
    ),
    "cooccurrence": lambda names: plots.plot_cooccurrence(np.tri(COUNT, dtype=bool), names),
    "decodings": lambda names: plots.plot_decodings(
        pd.DataFrame({"decoding": names, **dict.fromkeys(INTERVALS, RISING)})
    ),
    "history": lambda names: plots.plot_history(dict.fromkeys(names, HISTORY)),
    "hog": lambda _: plots.plot_hog(IMAGES, [image[..., 0] / 255 for image in IMAGES]),
    "image": explained,
    "image_grid": lambda names: plots.plot_image_grid(IMAGES, [names, *[[]] * (COUNT - 1)]),
    "image_sizes": lambda _: plots.plot_image_sizes(
        np.array([300, 400, 5]), np.array([300, 90, 8000])
    ),
    "label_frequencies": lambda names: plots.plot_label_frequencies(np.arange(COUNT), names, names),
    "labels_per_image": lambda names: plots.plot_labels_per_image(
        np.eye(3, COUNT, dtype=bool), names
    ),
    "model_scores": lambda names: plots.plot_model_scores(
        pd.DataFrame({"model": names, "split": ["val", "test"] * 3, **SCORES})
    ),
    "paths": lambda names: plots.plot_paths(
        names, RISING, RISING[::-1], {"a": RISING, "b": RISING / 2}, names[:2], IMAGES[1]
    ),
    "pointing": lambda names: plots.plot_pointing(
        pd.DataFrame(dict.fromkeys(RATES, RISING)), names
    ),
    "precision_recall": lambda names: plots.plot_precision_recall(
        dict.fromkeys(["micro", "macro", *names], CURVE), 0.1
    ),
    "predictions": lambda names: plots.plot_predictions(
        IMAGES, [names] * COUNT, [names[2:], *[[]] * (COUNT - 1)], RISING
    ),
    "roc": lambda names: plots.plot_roc(dict.fromkeys(names, CURVE)),
    "scores_by_group": lambda names: plots.plot_scores_by_group(
        pd.DataFrame({"group": names, "classes": 7, "images": 9, **SCORES})
    ),
    "threshold_curve": lambda _: plots.plot_threshold_curve(
        pd.DataFrame({"threshold": RISING, **SCORES}), 0.3
    ),
    "views": lambda names: plots.plot_views(
        np.zeros((COUNT, 2, 3, 8, 8), np.uint8), names, [[names, []]] * COUNT
    ),
}


OF_IMAGES = {"attention_rows", "image", "image_grid", "predictions", "views"}


def test_every_figure_has_a_case():
    names = {name for room in (plots, tools) for name in vars(room) if name.startswith("plot_")}
    assert names == {f"plot_{name}" for name in CASES}


@pytest.mark.parametrize("name", CASES)
def test_any_name_is_drawn_on_the_figure_and_leaves_no_trace(name):
    before = dict(mpl.rcParams)
    fig = CASES[name](ODD_NAMES)
    assert dict(mpl.rcParams) == before
    with style.use():
        fig.draw_without_rendering()  # a mathtext error or missing glyph shows here
    assert isinstance(fig, Figure)
    assert fig.get_facecolor() == (1, 1, 1, 1)  # to be read in a dark notebook, too
    open_figures = sys.modules.get("matplotlib.pyplot")
    assert open_figures is None or open_figures.get_fignums() == []
    page = fig.bbox.padded(2)
    notes = [note.get_window_extent() for note in fig.findobj(Annotation) if note.get_text()]
    assert all(page.contains(*box.min) and page.contains(*box.max) for box in notes)
    panels = [ax.get_window_extent() for ax in fig.axes]
    assert not any(a.overlaps(b) for i, a in enumerate(panels) for b in panels[:i])
    if name in OF_IMAGES:
        notes = [box.padded(-1) for box in notes]
        assert not any(a.overlaps(b) for i, a in enumerate(notes) for b in notes[:i])


def test_a_matplotlibrc_changes_no_figure():
    pictures = []
    for settings in ({}, {"text.usetex": True, "savefig.transparent": True, "font.size": 30}):
        with mpl.rc_context(settings):
            picture = io.BytesIO()
            plots.save_figure(CASES["threshold_curve"](ODD_NAMES), picture)
        pictures.append(picture.getvalue())
    assert pictures[0].startswith(b"\x89PNG")
    assert pictures[0] == pictures[1]


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ("a $x$ b", r"a \$x\$ b"),
        ("  many \n\t blanks ", "many blanks"),
        ("_hidden", " _hidden"),
        ("e\u0301", "é"),
        ("\x01", "?"),
        ("", ""),
        (12, "12"),
    ],
)
def test_clean_text(given, wanted):
    assert style.clean_text(given) == wanted


def test_letters_without_a_font_are_question_marks(monkeypatch):
    monkeypatch.setattr(style, "drawable", lambda: frozenset(range(128)))
    with pytest.warns(UserWarning, match="Noto"):
        assert style.clean_text("北斎 a") == "?? a"


def test_letters_are_drawn_in_the_first_font_that_has_them(monkeypatch):
    """The bundled Computer Modern stands for a font of few letters."""
    monkeypatch.setattr(style, "font_families", lambda: ["cmr10", "DejaVu Sans"])
    with style.use():
        fig = Figure()
        fig.text(0, 0.5, "Жук a")
        fig.draw_without_rendering()  # a glyph without a font would warn


# Machado, Oliveira and Fernandes (2009): what the three dichromacies make of linear RGB.
PROTAN = [[0.1523, 1.0526, -0.2049], [0.1145, 0.7863, 0.0992], [-0.0039, -0.0481, 1.0520]]
DEUTAN = [[0.3673, 0.8606, -0.2280], [0.2801, 0.6725, 0.0474], [-0.0118, 0.0429, 0.9689]]
TRITAN = [[1.2555, -0.0767, -0.1788], [-0.0784, 0.9308, 0.1476], [0.0047, 0.6914, 0.3039]]


VERDICT_COLORS = [color for color, _ in style.VERDICTS.values()]


def linear(colors):
    values = np.array([to_rgb(color) for color in colors])
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)


SIGHTS = {"all": np.eye(3), "protan": PROTAN, "deutan": DEUTAN, "tritan": TRITAN}


@pytest.mark.parametrize("sight", SIGHTS.values(), ids=SIGHTS)
def test_colors_stay_apart_for_the_colour_blind(sight):
    for colors in (VERDICT_COLORS, list(style.KIND_COLORS.values())):
        seen = np.clip(linear(colors) @ np.transpose(sight), 0, 1)
        assert pdist(xyz2lab(seen @ xyz_from_rgb.T)).min() > 30  # 2.3 is just noticeable


def test_text_colors_are_legible_on_white():
    colors = [style.INK, style.MUTED, *VERDICT_COLORS, *style.SPARE_COLORS]
    luminances = linear(colors) @ [0.2126, 0.7152, 0.0722]
    assert (1.05 / (luminances + 0.05) > 4.45).all()  # WCAG asks for 4.5
