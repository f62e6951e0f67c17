"""What holds for every figure: it draws any name within its page, and leaves no trace."""

import io
import sys

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from matplotlib.text import Annotation
from test_labelling_plots import draw

from imet_tools.labelling import plots as tools
from imet_utils import plots
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
CURVE = Curve(np.array([0, 0.2, 1]), np.array([0, 0.7, 1]), 0.75)
EVEN = np.full((7, 7), 1 / 49)
NUMBERS = (  # columns of a table of which each figure takes what it needs
    "f2 f2_low f2_high f1 precision recall map threshold epoch train_loss val_f2 labels low high "
    "difference difference_low difference_high expected observed hit_rate chance center_rate "
    "shuffled first second"
)
TABLE = pd.DataFrame(dict.fromkeys(NUMBERS.split(), RISING))  # a row a name


def attended(names):
    row = {"image": IMAGES[1], "attention": [EVEN.ravel()] * COUNT, "labels": names}
    return [{**row, "probs": RISING, "boxes": {names[0]: (0.1, 0.1, 0.5, 0.5)}, "true": []}] * 2


def explained(names):
    """Explain an image by names of labels: it has attention, a path and neighbours."""
    path, near = dict(zip(names, RISING, strict=True)), [range(COUNT)] * (COUNT - 1)
    return draw(names[3:], np.stack([EVEN] * COUNT), path, near, names)


CASES = {
    "architecture": lambda _: plots.plot_architecture(),
    "attention": lambda names: tools.plot_attention(IMAGES[1], EVEN, names[1], 0.5),
    "attention_rows": lambda names: plots.plot_attention_rows(attended(names)),
    "auc_distribution": lambda names: plots.plot_auc_distribution(RISING, np.arange(COUNT), names),
    "calibration": lambda names: plots.plot_calibration(
        TABLE.assign(group=names[:2] * 3, first=[True] * 3 + [False] * 3, pairs=7)
    ),
    "comparison": lambda names: tools.plot_comparison(
        TABLE[:3].assign(score=["f2", "precision", "recall"]), *names[:2]
    ),
    "cooccurrence": lambda names: plots.plot_cooccurrence(np.tri(COUNT, dtype=bool), names),
    "decodings": lambda names: plots.plot_decodings(TABLE.assign(decoding=names)),
    "history": lambda names: plots.plot_history(dict.fromkeys(names, TABLE)),
    "hog": lambda _: plots.plot_hog(IMAGES, [image[..., 0] / 255 for image in IMAGES]),
    "image": explained,
    "image_grid": lambda names: plots.plot_image_grid(IMAGES, [names, *[[]] * (COUNT - 1)]),
    "image_sizes": lambda _: plots.plot_image_sizes(900 * RISING, RISING[::-1] * 90),
    "label_frequencies": lambda names: plots.plot_label_frequencies(np.arange(COUNT), names, names),
    "labels_per_image": lambda names: plots.plot_labels_per_image(
        np.eye(3, COUNT, dtype=bool), names
    ),
    "model_scores": lambda names: plots.plot_model_scores(
        TABLE.assign(model=names, split=["val", "test"] * 3)
    ),
    "paths": lambda names: plots.plot_paths(
        names, RISING, RISING[::-1], {"a": RISING, "b": RISING / 2}, names[:2], IMAGES[1]
    ),
    "pointing": lambda names: plots.plot_pointing(TABLE, names),
    "precision_recall": lambda names: plots.plot_precision_recall(
        dict.fromkeys(["micro", "macro", *names], CURVE), 0.1
    ),
    "predictions": lambda names: plots.plot_predictions(
        IMAGES, [names] * COUNT, [names[2:], *[[]] * (COUNT - 1)], RISING
    ),
    "roc": lambda names: plots.plot_roc(dict.fromkeys(names, CURVE)),
    "scores_by_group": lambda names: plots.plot_scores_by_group(
        TABLE.assign(group=names, classes=7, images=9)
    ),
    "threshold_curve": lambda _: plots.plot_threshold_curve(TABLE, 0.3),
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
    [("  a \n\t $x$ ", r"a \$x\$"), ("_hidden", " _hidden"), ("e\u0301\x01", "é?"), (12, "12")],
)
def test_clean_text(given, wanted):
    assert style.clean_text(given) == wanted


def test_letters_without_a_font_are_question_marks(monkeypatch):
    monkeypatch.setattr(style, "drawable", lambda: frozenset(range(128)))
    with pytest.warns(UserWarning, match="Noto"):
        assert style.clean_text("北斎 a") == "?? a"
