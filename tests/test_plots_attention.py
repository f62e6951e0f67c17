import numpy as np
import pytest
import torch
from matplotlib.patches import Rectangle

from imet_utils.plots import plot_attention, plot_attention_rows
from imet_utils.plots.attention import upsample_map
from imet_utils.plots.style import KIND_COLORS

IMAGE = np.full((30, 60, 3), 200, np.uint8)
LABELS = ["culture::egyptian", "tag::men", "tag::boats"]


def attention_at(*positions):
    maps = np.zeros((len(positions), 49))
    maps[np.arange(len(positions)), positions] = 1
    return maps


@pytest.mark.parametrize(("side", "size"), [(7, 224), (1, 5), (3, 10)])
def test_upsampling_equals_torch(side, size):
    values = torch.rand(side * side, generator=torch.Generator().manual_seed(0), dtype=torch.double)
    wanted = torch.nn.functional.interpolate(
        values.view(1, 1, side, side), size=(size, size), mode="bilinear", align_corners=False
    )
    assert np.allclose(upsample_map(values.numpy(), size), wanted[0, 0].numpy())


def test_a_panel_a_step_with_label_and_probability():
    fig = plot_attention(IMAGE, attention_at(0, 24, 48), LABELS, [0.9, 0.5, 0.25])
    shown = [ax for ax in fig.axes if ax.images]
    assert [len(ax.images) for ax in shown] == [1, 2, 2, 2]
    assert np.array_equal(shown[0].images[0].get_array(), IMAGE)
    written = {text.get_text(): text.get_color() for text in fig.texts}
    assert written["1 egyptian"] == KIND_COLORS["culture"]
    assert written["3 boats"] == KIND_COLORS["tag"]
    assert "probability 0.25" in written


def test_overlay_is_strongest_where_the_decoder_looked():
    fig = plot_attention(IMAGE, attention_at(0, 48), LABELS[:2], [0.9, 0.5])
    overlays = [ax.images[1] for ax in fig.axes if len(ax.images) == 2]
    for overlay, corner in zip(overlays, (0, -1), strict=True):
        opacity = overlay.get_array()[..., 3]
        assert opacity[corner, corner] == opacity.max()
        assert opacity[-1 - corner, -1 - corner] == opacity.min()
        assert overlay.get_extent() == [-0.5, 59.5, 29.5, -0.5]


def test_even_attention_looks_even_and_weak():
    fig = plot_attention(IMAGE, np.full((1, 49), 1 / 49), LABELS[:1], [0.9])
    (overlay,) = [ax.images[1].get_array() for ax in fig.axes if len(ax.images) == 2]
    assert np.ptp(overlay[..., 3]) < 1e-6
    assert overlay[..., 3].max() < 0.4


def test_boxes_are_drawn_for_their_own_label_only():
    boxes = {"tag::men": [(0.25, 0.5, 0.75, 1.0), (0, 0, 0.1, 0.1)], "tag::absent": (0, 0, 1, 1)}
    fig = plot_attention(IMAGE, attention_at(1, 2), LABELS[:2], [0.9, 0.5], boxes)
    steps = [ax for ax in fig.axes if len(ax.images) == 2]
    drawn = [[p for p in ax.patches if isinstance(p, Rectangle)] for ax in steps]
    assert [len(patches) for patches in drawn] == [0, 4]  # each box in black and in white
    box = drawn[1][0]
    assert (*box.get_xy(), box.get_width(), box.get_height()) == (14.5, 14.5, 30, 15)


def test_rows_wrap_and_share_one_scale():
    row = {"image": IMAGE, "attention": attention_at(*range(10)), "labels": LABELS[:1] * 10}
    row["probs"] = np.linspace(1, 0.1, 10)
    fig = plot_attention_rows([row, {**row, "attention": np.full((10, 49), 1 / 49)}], columns=6)
    steps = [ax for ax in fig.axes if len(ax.images) == 2]
    assert len(steps) == 20
    assert len({round(ax.get_position().x0, 6) for ax in steps}) == 5
    assert len({round(ax.get_position().y1, 6) for ax in steps}) == 4
    peaks = [ax.images[1].get_array()[..., 3].max() for ax in steps]
    assert min(peaks[:10]) > max(peaks[10:])


def test_a_step_that_sees_one_position_does_not_darken_the_others():
    seven = np.repeat([1 / 7, 0.0], [7, 42])  # seven times even attention
    attention = np.stack([np.eye(49)[0], seven, seven])
    row = {"image": IMAGE, "attention": attention, "labels": LABELS[:1] * 3, "probs": [1.0] * 3}
    scale, *_ = [ax for ax in plot_attention_rows([row]).axes if ax.get_ylabel()]
    assert [tick.get_text() for tick in scale.get_xticklabels()] == ["0", "1", "7.0+"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"attention": np.ones((1, 48))}, "square P"),
        ({"attention": np.ones(49)}, "equally many|square P"),
        ({"attention": np.full((1, 49), np.nan)}, "finite"),
        ({"attention": np.full((1, 49), -1.0)}, "0 or more"),
        ({"labels": ["a", "b"]}, "equally many"),
        ({"image": IMAGE[..., 0]}, "wanted an image"),
        ({"columns": 1}, "columns from 2 to 12"),
    ],
)
def test_wrong_arguments_are_refused(change, message):
    right = {"image": IMAGE, "attention": attention_at(0), "labels": ["a"], "probs": [0.5]}
    with pytest.raises(ValueError, match=message):
        plot_attention(**{**right, **change})


def test_a_row_without_its_parts_is_refused():
    with pytest.raises(ValueError, match=r"lacks \['attention', 'probs'\]"):
        plot_attention_rows([{"image": IMAGE, "labels": ["a"]}])
