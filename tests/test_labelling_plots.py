"""What the figures of labelled images show of their data."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex
from PIL import Image
from small_data import write_noise
from test_plots_figures import IMAGE, notes, rows_of

from imet_tools.labelling import Comparison, plot_flipped, plot_suspect_labels, plots
from imet_utils.labeller import Explanation
from imet_utils.plots.style import FAINT, KIND_COLORS

PROBS = pd.Series(
    [0.1, 0.8, 0.05, 0.6, 0.02, 0.01],
    ["culture::french", "tag::dogs", "tag::cats", "culture::dutch", "tag::men", "tag::urns"],
)
CORNER = np.zeros((7, 7), np.float32)
CORNER[0, 6] = 1


def bars_of(ax):
    return [(bar.get_width(), to_hex(bar.get_facecolor()).upper()) for bar in ax.patches]


def draw(true=None, attention=None, path=(), near=(), names=PROBS.index):
    """Draw the image as explained; `near` are the labels of each neighbour."""
    names = np.array(names)
    labeller = SimpleNamespace(names=names, path=lambda _: pd.Series(path, dtype=float))
    neighbours = pd.DataFrame({"labels": near, "id": "near", "similarity": 0.712})
    found = Explanation(PROBS.to_numpy(), PROBS.to_numpy() > 0.5, attention, neighbours)
    picture = Image.fromarray(IMAGE)
    return plots.plot_image(labeller, picture, true, lambda _: picture, found)


def test_chosen_labels_come_first_with_verdicts_then_the_nearly_chosen_ones_in_pale():
    labels = draw().axes[1]
    assert rows_of(labels) == ["dogs", "dutch", "french", "cats", "men"]
    chosen = [(0.8, KIND_COLORS["tag"].upper()), (0.6, KIND_COLORS["culture"].upper())]
    assert bars_of(labels) == [*chosen, (0.1, FAINT), (0.05, FAINT), (0.02, FAINT)]
    labels = draw(true=["tag::dogs", "tag::urns"]).axes[1]
    assert rows_of(labels)[:3] == ["dogs", "dutch", "urns"]
    assert notes(labels)[:3] == ["✓ 0.80", "✗ 0.60", "○ 0.01"]


def test_the_path_attention_and_neighbours_of_an_image():
    path = {"tag::dogs": 0.5, "tag::men": 0.3}
    fig = draw(None, np.stack([CORNER] * len(PROBS)), path, near=[(4, 1)])
    _, _, steps, dogs, dutch, near = fig.axes
    assert rows_of(steps) == ["dogs", "men"]
    assert bars_of(steps)[1] == (0.3, FAINT)  # a step, but not chosen
    assert (notes(dogs)[1:], notes(dutch)[1:]) == (["dogs"], ["dutch"])
    assert np.unravel_index(dogs.images[1].get_array().argmax(), (7, 7)) == (0, 6)
    assert notes(near)[1:] == ["0.71", "dogs", "men"]  # what both have leads


def test_attention_lies_over_the_image_with_an_opacity():
    fig = plots.plot_attention(IMAGE, CORNER, "tag::dogs", 0.834, opacity=0.4)
    veil = fig.axes[0].images[1]
    assert veil.get_alpha().max() == veil.get_alpha()[0, 6] == pytest.approx(0.4)
    assert fig.get_suptitle() == "tag::dogs, probability 0.83"


def test_a_difference_whose_interval_holds_zero_is_hollow():
    table = pd.DataFrame({"score": ["f2", "recall"], "first": [0.6, 0.7], "second": [0.5, 0.71]})
    table = table.assign(difference=[0.1, -0.01], low=[0.05, -0.03], high=[0.15, 0.02])
    ax = plots.plot_comparison(table, "ours", "theirs").axes[0]
    clear, unclear = ax.get_lines()[:2]
    assert clear.get_xdata() == [0.1]
    assert unclear.get_markerfacecolor() == "white" != clear.get_markerfacecolor()
    assert notes(ax) == ["0.600 and 0.500", "0.700 and 0.710"]
    segments = [c.get_segments()[0][:, 0].tolist() for c in ax.collections]
    assert segments == [[0.05, 0.15], [-0.03, 0.02]]


def test_flips_stand_side_by_side_under_the_names_of_both(tmp_path):
    [path] = write_noise(tmp_path, "a")
    flip = {"id": "a", "first": 1.0, "second": 0.0, "true": ["tag::dogs"]}
    flip |= {"first_labels": ["tag::dogs"], "second_labels": ["tag::men"]}
    flips = pd.DataFrame([flip] * 3)
    compared = Comparison(("ours", "$theirs"), pd.DataFrame(), flips, 3)
    fig = plot_flipped(compared, flips, {"a": path})
    assert sum(len(ax.images) for ax in fig.axes) == 6
    assert notes(fig.axes[0]) == ["ours", "F2 1.00", "✓ dogs"]
    assert notes(fig.axes[1]) == [r"\$theirs", "F2 0.00", "○ dogs", "✗ men"]


def test_suspects_are_marked_beside_the_annotated_labels(tmp_path):
    write_noise(tmp_path / "train", "a")
    tables = SimpleNamespace(images=pd.DataFrame({"id": ["a"], "labels": [(1, 4)]}))
    run = SimpleNamespace(data_dir=tmp_path, tables=tables, label_names=np.array(PROBS.index))
    suspects = pd.DataFrame({"attribute_name": ["tag::dogs", "tag::urns"]})
    fig = plot_suspect_labels(run, suspects.assign(id="a", probability=[0.01, 0.9]), 8)
    assert notes(fig.axes[0]) == ["✗ 0.01 dogs", "men", "○ 0.90 urns"]
