"""What holds for every figure: it draws any name, leaves no trace and keeps its text apart."""

import inspect
import sys
from types import SimpleNamespace

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from matplotlib.text import Annotation

from imet_utils import plots

pytestmark = pytest.mark.filterwarnings("ignore:No font here")  # of a machine without East Asia

ODD_NAMES = [
    "culture::$\\frac{$ broken",
    "tag::" + "a very long name " * 12,
    "material::北斎 ✓ ñ",
    "_hidden",
    "tag::two\nlines\tand 50 % off $",
    "",
]
PLAIN_NAMES = ["culture::french", "culture::japan", "tag::men", "tag::women", "tag::dogs", "tag::a"]
COUNT = len(ODD_NAMES)
IMAGES = [np.full((20 + 7 * i, 50 - 7 * i, 3), 40 * i, np.uint8) for i in range(COUNT)]
RISING = np.linspace(0.1, 0.9, COUNT)
HISTORY = pd.DataFrame(
    {"epoch": [1, 2, 3], "train_loss": [3.0, 2, 1], "val_f2": [0.1, 0.3, 0.2], "learning_rate": 0.1}
)
SCORES = {"f2": RISING, "f1": RISING, "precision": RISING, "recall": RISING}
CURVE = SimpleNamespace(fpr=np.array([0, 0.2, 1]), tpr=np.array([0, 0.7, 1]), auc=0.75)
TRADE = SimpleNamespace(recall=RISING, precision=RISING[::-1], average_precision=0.5)
INTERVALS = ["labels", "f2", "low", "high", "difference", "difference_low", "difference_high"]
BINS = {"pairs": 7, "expected": RISING, "observed": RISING, "low": RISING / 2, "high": RISING}
RATES = ["hit_rate", "chance", "center_rate", "shuffled"]


def attention_row(names):
    even = np.full((COUNT, 49), 1 / 49)
    row = {"image": IMAGES[1], "attention": even, "labels": names, "probs": RISING}
    return {**row, "boxes": {names[0]: (0.1, 0.1, 0.5, 0.5)}}


EVEN = np.full((7, 7), 1 / 49)
GAPS = dict.fromkeys(("first", "second", "difference", "low", "high"), RISING[:3])


def labelled(names):
    probs = pd.Series(RISING, names)
    nearest = [(image, names, 0.5) for image in IMAGES[1:]]
    attention = dict.fromkeys(names, EVEN)
    return plots.plot_labelled(IMAGES[1], probs, names[:4], names[3:], attention, probs, nearest)


CASES = {
    "plot_attention": lambda names: plots.plot_attention(IMAGES[1], EVEN, names[1], 0.5),
    "plot_attention_rows": lambda names: plots.plot_attention_rows([attention_row(names)] * 2),
    "plot_auc_distribution": lambda names: plots.plot_auc_distribution(
        RISING, np.arange(COUNT), names
    ),
    "plot_calibration": lambda names: plots.plot_calibration(
        pd.DataFrame({"group": names[:2] * 3, "first": [True] * 3 + [False] * 3, **BINS})
    ),
    "plot_channel_stats": lambda _: plots.plot_channel_stats(np.full(3, 0.5), np.full(3, 0.2)),
    "plot_comparison": lambda names: plots.plot_comparison(
        pd.DataFrame({"score": ["f2", "precision", "recall"], **GAPS}), *names[:2]
    ),
    "plot_cooccurrence": lambda names: plots.plot_cooccurrence(np.tri(COUNT, dtype=bool), names),
    "plot_decodings": lambda names: plots.plot_decodings(
        pd.DataFrame({"decoding": names, **dict.fromkeys(INTERVALS, RISING)})
    ),
    "plot_doubted": lambda names: plots.plot_doubted(
        IMAGES, [names[:4]] * COUNT, [dict.fromkeys(names[2:], 0.5)] * COUNT
    ),
    "plot_flips": lambda names: plots.plot_flips(
        IMAGES,
        [names] * COUNT,
        [(names[2:], [])] * COUNT,
        [(0.5, 0)] * COUNT,
        (names[0], names[1]),
    ),
    "plot_history": lambda names: plots.plot_history(dict.fromkeys(names, HISTORY)),
    "plot_hog": lambda _: plots.plot_hog(IMAGES, [image[..., 0] / 255 for image in IMAGES]),
    "plot_image_grid": lambda names: plots.plot_image_grid(IMAGES, [names, *[[]] * (COUNT - 1)]),
    "plot_image_sizes": lambda _: plots.plot_image_sizes(
        np.array([300, 400, 5]), np.array([300, 90, 8000])
    ),
    "plot_label_frequencies": lambda names: plots.plot_label_frequencies(
        np.arange(COUNT), names, names
    ),
    "plot_labelled": labelled,
    "plot_labels_per_image": lambda _: plots.plot_labels_per_image(
        np.array([0, 1, 1]), np.array([2, 0, 1])
    ),
    "plot_model_scores": lambda names: plots.plot_model_scores(
        pd.DataFrame({"model": names, "split": ["val", "test"] * 3, **SCORES})
    ),
    "plot_paths": lambda names: plots.plot_paths(names, RISING, RISING[::-1], RISING),
    "plot_pointing": lambda names: plots.plot_pointing(
        pd.DataFrame({"label": names, "count": range(COUNT, 0, -1)} | dict.fromkeys(RATES, RISING))
    ),
    "plot_precision_recall": lambda names: plots.plot_precision_recall(
        dict.fromkeys(["micro", "macro", *names], TRADE), 0.1
    ),
    "plot_predictions": lambda names: plots.plot_predictions(
        IMAGES, [names] * COUNT, [names[2:], *[[]] * (COUNT - 1)], RISING
    ),
    "plot_roc": lambda names: plots.plot_roc(dict.fromkeys(names, CURVE), names[:-1]),
    "plot_scores_by_group": lambda names: plots.plot_scores_by_group(
        pd.DataFrame({"group": names, "classes": 7, "f2": RISING})
    ),
    "plot_threshold_curve": lambda _: plots.plot_threshold_curve(
        pd.DataFrame({"threshold": RISING, **SCORES}), 0.3
    ),
    "plot_thumbnails": lambda names: plots.plot_thumbnails(
        IMAGES * 2,
        [(names[0], names[1])] * 2 * COUNT,
        [[(name, "wrong") for name in names]] * 2 * COUNT,
        names[1],
    ),
    "plot_timing": lambda names: plots.plot_timing(dict(zip(names, RISING, strict=True))),
    "plot_views": lambda names: plots.plot_views(
        np.zeros((COUNT, 2, 3, 8, 8), np.uint8), names, [[names, []]] * COUNT
    ),
}
OF_IMAGES = [
    "plot_image_grid", "plot_views", "plot_predictions", "plot_attention_rows", "plot_flips",
    "plot_labelled", "plot_thumbnails", "plot_doubted",
]  # fmt: skip


def test_every_figure_has_a_case():
    assert set(CASES) == {name for name, _ in inspect.getmembers(plots, inspect.isfunction)}


@pytest.mark.parametrize("name", CASES)
def test_any_name_is_drawn_and_leaves_no_trace(name, tmp_path):
    before = dict(mpl.rcParams)
    fig = CASES[name](ODD_NAMES)
    fig.savefig(tmp_path / "figure.png", dpi=40)  # a mathtext error or missing glyph shows here
    assert isinstance(fig, Figure)
    assert (tmp_path / "figure.png").read_bytes().startswith(b"\x89PNG")
    assert fig.get_size_inches()[0] < 10.01
    assert fig.get_facecolor() == (1, 1, 1, 1)  # to be read in a dark notebook, too
    assert dict(mpl.rcParams) == before
    open_figures = sys.modules.get("matplotlib.pyplot")
    assert open_figures is None or open_figures.get_fignums() == []


@pytest.mark.parametrize("name", CASES)
def test_text_lies_on_the_figure_and_axes_do_not_overlap(name):
    fig = CASES[name](PLAIN_NAMES)
    fig.draw_without_rendering()
    page = fig.bbox.padded(2)
    texts = [text for text in fig.findobj(Annotation) if text.get_text()]
    texts += [ax.title for ax in fig.axes] + [ax.xaxis.label for ax in fig.axes]
    boxes = [text.get_window_extent() for text in texts if text.get_visible()]
    assert all(page.contains(*box.min) and page.contains(*box.max) for box in boxes)
    panels = [ax.get_window_extent() for ax in fig.axes]
    assert not any(a.overlaps(b) for i, a in enumerate(panels) for b in panels[:i])


@pytest.mark.parametrize("name", OF_IMAGES)
def test_labels_beside_images_do_not_run_into_one_another(name):
    fig = CASES[name](ODD_NAMES)
    fig.draw_without_rendering()
    boxes = [t.get_window_extent().padded(-1) for t in fig.findobj(Annotation) if t.get_text()]
    assert not any(a.overlaps(b) for i, a in enumerate(boxes) for b in boxes[:i])
