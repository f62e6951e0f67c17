import numpy as np
import pandas as pd
import pytest
from scipy.stats import binomtest

from imet_utils.plots.pointing import plot_pointing, wilson_interval

TABLE = pd.DataFrame(
    {
        "label": ["tag::men", "tag::boats", "tag::moon"],
        "count": [1200, 600, 200],
        "hit_rate": [0.5, 0.75, 0.0],
        "chance": [0.25, 0.5, 0.1],
        "center_rate": [0.3, 0.4, 0.0],
        "shuffled": [0.45, 0.35, 0.05],
    }
)


def rates_of(fig):
    return {line.get_label(): list(line.get_xdata()) for line in fig.axes[0].get_lines()}


def names_of(fig):
    return [text.get_text() for text in fig.axes[0].get_yticklabels()]


def test_first_row_is_the_mean_over_all_items_also_those_not_shown():
    fig = plot_pointing(TABLE, top=2)
    assert names_of(fig) == ["all labels  (2,000)", "men  (1,200)", "boats  (600)"]
    rates = rates_of(fig)
    assert rates["peak of the label's attention"] == pytest.approx([0.525, 0.5, 0.75])
    assert rates["any cell, by chance"] == pytest.approx([0.31, 0.25, 0.5])
    assert rates["middle of the image"] == pytest.approx([0.3, 0.3, 0.4])
    assert rates["peak of a random item"] == pytest.approx([0.38, 0.45, 0.35])


def test_bars_are_the_intervals_of_the_hit_rates():
    bars = plot_pointing(TABLE).axes[0].collections[0].get_segments()
    low, high = wilson_interval(np.array([0.525, 0.5, 0.75, 0.0]), np.array([2000, 1200, 600, 200]))
    ends = np.array([[bar[0, 0], bar[1, 0]] for bar in bars])
    np.testing.assert_allclose(ends, np.stack([low, high], axis=1), atol=1e-12)


@pytest.mark.parametrize(("hits", "count"), [(0, 3), (2, 3), (17, 17), (410, 1000)])
def test_interval_equals_scipy(hits, count):
    wanted = binomtest(hits, count).proportion_ci(method="wilson")
    found = wilson_interval(np.array([hits / count]), np.array([count]))
    np.testing.assert_allclose(np.ravel(found), [wanted.low, wanted.high], atol=1e-6)


def test_the_legend_names_every_mark():
    fig = plot_pointing(TABLE)
    named = [text.get_text() for text in fig.legends[0].get_texts()]
    assert sorted(named) == sorted(label for label in rates_of(fig) if not label.startswith("_"))
    assert len(named) == 4


def test_what_is_no_table_is_refused():
    with pytest.raises(ValueError, match=r"table lacks the columns \['chance'\]"):
        plot_pointing(TABLE.drop(columns="chance"))
    with pytest.raises(ValueError, match="table is empty"):
        plot_pointing(TABLE[:0])
    with pytest.raises(ValueError, match="top from 1 to 40, got 0"):
        plot_pointing(TABLE, top=0)
