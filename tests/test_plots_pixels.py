import numpy as np
import pytest

from imet_utils.plots import plot_channel_stats, plot_image_sizes

MEAN, STD = np.array([0.6, 0.5, 0.4]), np.array([0.1, 0.2, 0.3])


def test_sizes_are_width_against_height_and_ratio():
    heights, widths = np.array([300, 300, 600]), np.array([300, 1200, 300])
    left, right = plot_image_sizes(heights, widths).axes
    assert left.collections[0].get_offsets().tolist() == [[300, 300], [1200, 300], [300, 600]]
    assert (left.get_xscale(), left.get_yscale(), right.get_xscale()) == ("log", "log", "log")
    bars = [(bar.get_x(), bar.get_x() + bar.get_width(), bar.get_height()) for bar in right.patches]
    full = [(low, high) for low, high, count in bars if count]
    assert len(full) == 3
    for ratio in (0.5, 1, 4):
        assert any(low <= ratio <= high for low, high in full)


def test_sizes_refuse_zero():
    with pytest.raises(ValueError, match="above 0"):
        plot_image_sizes([0], [5])


def test_channels_show_mean_and_deviation():
    (ax,) = plot_channel_stats(MEAN, STD).axes
    for row, container in enumerate(ax.containers):
        line, _, (bar,) = container
        assert line.get_xdata()[0] == pytest.approx(MEAN[row])
        low, high = bar.get_segments()[0][:, 0]
        assert (high - low) / 2 == pytest.approx(STD[row])
    assert [text.get_text() for text in ax.texts] == [
        "0.600 ± 0.100",
        "0.500 ± 0.200",
        "0.400 ± 0.300",
    ]


def test_histogram_is_a_density():
    histogram = np.array([[1, 3, 0, 0], [1, 1, 1, 1], [0, 0, 0, 8]])
    _, ax = plot_channel_stats(MEAN, STD, histogram).axes
    values = [patch.get_data().values for patch in ax.patches]
    assert np.allclose(values, [[1, 3, 0, 0], [1, 1, 1, 1], [0, 0, 0, 4]])
    assert [line.get_xdata()[0] for line in ax.get_lines()] == pytest.approx(MEAN)


def test_other_statistics_are_named():
    (ax,) = plot_channel_stats(MEAN, STD, others={"ImageNet": (MEAN / 2, STD)}).axes
    assert len(ax.containers) == 6
    assert sum("ImageNet: 0." in text.get_text() for text in ax.texts) == 3


def test_wrong_shapes_are_refused():
    with pytest.raises(ValueError, match=r"mean \(3,\)"):
        plot_channel_stats(MEAN[:2], STD)
    with pytest.raises(ValueError, match=r"histogram \(3, bins\)"):
        plot_channel_stats(MEAN, STD, np.zeros((3, 5)))
