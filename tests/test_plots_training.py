import numpy as np
import pandas as pd
import pytest

from imet_utils.plots import plot_history, plot_timing

HISTORY = pd.DataFrame(
    {
        "epoch": [1, 2, 3],
        "train_loss": [0.9, 0.5, 0.4],
        "val_loss": [0.8, 0.6, 0.7],
        "val_f2": [0.1, 0.3, 0.2],
        "val_f1": [0.1, 0.2, 0.2],
        "learning_rate": [1e-4, 5e-5, 0.0],
        "seconds": [1.0, 1.0, 1.0],
    }
)


def curves(ax):
    return {str(line.get_label()): line.get_ydata() for line in ax.get_lines()}


def test_bars_are_the_times_with_their_ratios():
    (ax,) = plot_timing({"slow": 100.0, "fast": 4.0}).axes
    assert [bar.get_width() for bar in ax.patches] == [100, 4]
    assert [text.get_text() for text in ax.texts] == ["100 ms", "4 ms   25 times as fast"]
    assert [text.get_text() for text in ax.get_yticklabels()] == ["slow", "fast"]


@pytest.mark.parametrize("value", [0.0, -1.0, np.nan, np.inf])
def test_times_must_be_positive(value):
    with pytest.raises(ValueError, match="above 0 ms"):
        plot_timing({"a": value})


def test_history_shows_every_known_column_and_the_best_epoch():
    loss, score, rate = plot_history(HISTORY).axes
    assert curves(loss)["training loss"].tolist() == [0.9, 0.5, 0.4]
    assert curves(loss)["validation loss"].tolist() == [0.8, 0.6, 0.7]
    assert curves(score)["validation F1"].tolist() == [0.1, 0.2, 0.2]
    assert rate.get_lines()[0].get_ydata().tolist() == [1e-4, 5e-5, 0.0]
    assert rate.get_ylabel() == "learning rate, 10⁻⁴"
    assert score.texts[0].get_text() == "0.300 at epoch 2"
    ring = next(line for line in score.get_lines() if line.get_markerfacecolor() == "none")
    assert (ring.get_xdata()[0], ring.get_ydata()[0]) == (2, 0.3)


def test_histories_of_several_models_are_overlaid_with_each_best():
    other = HISTORY.assign(val_f2=[0.5, 0.1, np.nan])
    fig = plot_history({"A": HISTORY, "B": other})
    lines = [line for line in fig.axes[1].get_lines() if len(line.get_xdata()) == 3]
    assert len(lines) == 2
    assert lines[0].get_color() != lines[1].get_color()
    key = [text.get_text() for text in fig.legends[0].get_texts()]
    assert key == ["A: 0.300 at epoch 2", "B: 0.500 at epoch 1"]


def test_history_without_rates_or_scores_yet():
    frame = HISTORY[["epoch", "train_loss", "val_f2"]].assign(val_f2=np.nan)
    loss, score = plot_history(frame).axes
    assert len(loss.get_lines()) == 1
    assert not score.texts


def test_another_metric_decides_the_best():
    score = plot_history(HISTORY.assign(val_map=[0.3, 0.2, 0.1]), metric="val_map").axes[1]
    assert score.texts[0].get_text() == "0.300 at epoch 1"
    assert score.get_legend().get_texts()[0].get_text() == "validation mAP"


def test_history_without_its_columns_is_refused():
    with pytest.raises(ValueError, match=r"lacks the columns \['train_loss'\]"):
        plot_history(HISTORY.drop(columns="train_loss"))
    with pytest.raises(ValueError, match="at least one model"):
        plot_history({})
