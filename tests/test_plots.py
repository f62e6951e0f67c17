"""What holds for every figure: it renders, leaves nothing behind and survives any label name."""

import os
import subprocess
import sys
from io import BytesIO
from types import SimpleNamespace

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from imet_utils import plots

ODD_NAMES = [
    "culture::$\\frac{$ broken",
    "tag::" + "a very long name " * 12,
    "material::北斎 ✓ ñ",
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
SCORES = {"f2": RISING, "f1": RISING, "precision": RISING, "recall": RISING}
CURVE = SimpleNamespace(fpr=np.array([0, 0.2, 1]), tpr=np.array([0, 0.7, 1]), auc=0.75)
ATTENTION = {
    "image": IMAGES[1],
    "attention": np.full((COUNT, 49), 1 / 49),
    "labels": ODD_NAMES,
    "probs": RISING,
    "boxes": {ODD_NAMES[0]: (0.1, 0.1, 0.5, 0.5)},
}
DECODINGS = ["decoding", "labels", "f2", "low", "high"]
DECODINGS += ["difference", "difference_low", "difference_high"]
CASES = {
    "plot_attention": lambda: plots.plot_attention(**ATTENTION),
    "plot_attention_rows": lambda: plots.plot_attention_rows([ATTENTION, ATTENTION]),
    "plot_auc_distribution": lambda: plots.plot_auc_distribution(
        RISING, np.arange(COUNT), ODD_NAMES
    ),
    "plot_channel_stats": lambda: plots.plot_channel_stats(
        [0.5] * 3, [0.2] * 3, np.ones((3, 8)), {ODD_NAMES[1]: ([0.4] * 3, [0.1] * 3)}
    ),
    "plot_cooccurrence": lambda: plots.plot_cooccurrence(
        np.tri(COUNT, dtype=bool), ODD_NAMES, top=COUNT
    ),
    "plot_decodings": lambda: plots.plot_decodings(
        pd.DataFrame({"decoding": ODD_NAMES, **dict.fromkeys(DECODINGS[1:], RISING)})
    ),
    "plot_history": lambda: plots.plot_history(dict.fromkeys(ODD_NAMES, HISTORY)),
    "plot_hog": lambda: plots.plot_hog(IMAGES, [i[..., 0] / 255 for i in IMAGES], ODD_NAMES),
    "plot_image_grid": lambda: plots.plot_image_grid(IMAGES, [ODD_NAMES, *[[]] * (COUNT - 1)]),
    "plot_image_sizes": lambda: plots.plot_image_sizes([300, 400, 5], [300, 90, 8000]),
    "plot_label_frequencies": lambda: plots.plot_label_frequencies(
        np.arange(COUNT), ODD_NAMES, ODD_NAMES
    ),
    "plot_labels_per_image": lambda: plots.plot_labels_per_image([0, 1, 1], [2, 0, 1]),
    "plot_model_scores": lambda: plots.plot_model_scores(
        pd.DataFrame({"model": ODD_NAMES, "split": ["val", "test"] * 3, **SCORES})
    ),
    "plot_paths": lambda: plots.plot_paths(ODD_NAMES, RISING, RISING[::-1], RISING),
    "plot_predictions": lambda: plots.plot_predictions(
        IMAGES, [ODD_NAMES] * COUNT, [ODD_NAMES[2:], *[[]] * (COUNT - 1)], RISING
    ),
    "plot_roc": lambda: plots.plot_roc(dict.fromkeys(ODD_NAMES, CURVE), ODD_NAMES[:-1]),
    "plot_scores_by_group": lambda: plots.plot_scores_by_group(
        {name: pd.DataFrame({"group": ODD_NAMES, "f2": RISING}) for name in ODD_NAMES}
    ),
    "plot_threshold_curve": lambda: plots.plot_threshold_curve(
        pd.DataFrame({"threshold": RISING, **SCORES}), 0.3
    ),
    "plot_timing": lambda: plots.plot_timing(dict(zip(ODD_NAMES, RISING, strict=True))),
    "plot_views": lambda: plots.plot_views(
        np.zeros((COUNT, 2, 3, 8, 8), np.uint8), ODD_NAMES, [[ODD_NAMES, []]] * COUNT
    ),
    "plot_label_influence": lambda: plots.plot_label_influence(
        *np.random.default_rng(0).random((2, COUNT, COUNT)), ODD_NAMES
    ),
    "plot_pointing": lambda: plots.plot_pointing(
        pd.DataFrame(
            {"label": ODD_NAMES, "count": range(COUNT, 0, -1)}
            | dict.fromkeys(["hit_rate", "chance", "center_rate", "shuffled"], RISING)
        )
    ),
}


def test_every_function_has_a_case():
    assert set(CASES) == set(plots.__all__)


@pytest.mark.parametrize("name", CASES)
def test_figure_renders_and_leaves_no_trace(name):
    before = dict(mpl.rcParams)
    fig = CASES[name]()
    picture = BytesIO()
    fig.savefig(picture, format="png", dpi=40)  # a mathtext error or a missing glyph shows here
    assert isinstance(fig, Figure)
    assert fig.axes
    assert picture.getvalue().startswith(b"\x89PNG")
    assert fig.get_size_inches()[0] == pytest.approx(10) or fig.get_size_inches()[0] < 10
    assert dict(mpl.rcParams) == before
    open_figures = sys.modules.get("matplotlib.pyplot")
    assert open_figures is None or open_figures.get_fignums() == []


def test_import_opens_no_figure_and_changes_no_setting():
    code = (
        "import sys, matplotlib; before = dict(matplotlib.rcParams); import imet_utils.plots\n"
        "import matplotlib.pyplot as plt\n"
        "sys.exit(plt.get_fignums() != [] or dict(matplotlib.rcParams) != before)"
    )
    command = [sys.executable, "-c", code]
    environment = {**os.environ, "MPLBACKEND": "agg"}
    assert subprocess.run(command, check=False, env=environment).returncode == 0


EMPTY = {
    "plot_attention": lambda: plots.plot_attention(IMAGES[0], np.zeros((0, 49)), [], []),
    "plot_attention_rows": lambda: plots.plot_attention_rows([]),
    "plot_auc_distribution": lambda: plots.plot_auc_distribution([], [], []),
    "plot_channel_stats": lambda: plots.plot_channel_stats([], []),
    "plot_cooccurrence": lambda: plots.plot_cooccurrence(np.zeros((0, 3), bool), list("abc")),
    "plot_decodings": lambda: plots.plot_decodings(pd.DataFrame(columns=DECODINGS)),
    "plot_history": lambda: plots.plot_history(HISTORY[:0]),
    "plot_hog": lambda: plots.plot_hog([], []),
    "plot_image_grid": lambda: plots.plot_image_grid([], []),
    "plot_image_sizes": lambda: plots.plot_image_sizes([], []),
    "plot_label_frequencies": lambda: plots.plot_label_frequencies([], [], []),
    "plot_labels_per_image": lambda: plots.plot_labels_per_image([], []),
    "plot_model_scores": lambda: plots.plot_model_scores(
        pd.DataFrame(columns=["model", "split", *SCORES])
    ),
    "plot_paths": lambda: plots.plot_paths([], [], [], []),
    "plot_predictions": lambda: plots.plot_predictions([], [], []),
    "plot_roc": lambda: plots.plot_roc({}),
    "plot_scores_by_group": lambda: plots.plot_scores_by_group({}),
    "plot_threshold_curve": lambda: plots.plot_threshold_curve(
        pd.DataFrame(columns=["threshold", *SCORES]), 0.1
    ),
    "plot_timing": lambda: plots.plot_timing({}),
    "plot_views": lambda: plots.plot_views(np.zeros((0, 6, 3, 8, 8), np.uint8), []),
    "plot_label_influence": lambda: plots.plot_label_influence(
        np.zeros((0, 0)), np.zeros((0, 0)), []
    ),
    "plot_pointing": lambda: plots.plot_pointing(
        pd.DataFrame(columns=["label", "count", "hit_rate", "chance", "center_rate", "shuffled"])
    ),
}


@pytest.mark.parametrize("name", plots.__all__)
def test_empty_input_is_refused(name):
    with pytest.raises(ValueError, match=r"empty|wanted"):
        EMPTY[name]()
