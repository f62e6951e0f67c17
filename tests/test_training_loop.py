import functools
import itertools
import math
from pathlib import Path
from unittest.mock import Mock, call

import numpy as np
import pandas as pd
import pytest
import torch
from accelerate import tracking
from accelerate.utils import LoggerType
from sklearn.metrics import fbeta_score
from small_data import DIM, NUM_CLASSES, NUM_IMAGES, make_data

from imet_utils.decoding import predict
from imet_utils.features import FeatureBatches
from imet_utils.models import LinearClassifier, Rnn, order_free_loss, weighted_bce
from imet_utils.training import TrainConfig, Training, evaluate, fit
from imet_utils.training.loop import training_fingerprint


@pytest.fixture
def data():
    return make_data()


def in_order(data):
    return FeatureBatches(*data, 8, "all", shuffle=False)


def train(data, folder, loss=weighted_bce, model=None, **settings):
    torch.manual_seed(0)
    model = model or LinearClassifier(DIM, NUM_CLASSES)
    config = TrainConfig(**{"epochs": 4, "learning_rate": 0.05, **settings})
    history = fit(model, FeatureBatches(*data, 8), in_order(data), loss, config, folder)
    return model, history


def assert_same(run, other):
    """Compare two pairs of model and history, to the last bit."""
    pd.testing.assert_frame_equal(run[1], other[1], check_exact=True)
    torch.testing.assert_close(run[0].state_dict(), other[0].state_dict(), rtol=0, atol=0)


def failing(step):
    """Make a loss that is interrupted at a step."""
    calls = iter(range(step))

    @functools.wraps(weighted_bce)
    def loss(logits, targets):
        if next(calls, None) is None:
            raise KeyboardInterrupt
        return weighted_bce(logits, targets)

    return loss


def test_fit_learns_what_can_be_learned_and_tells_a_loss_that_rises(data, tmp_path, capsys):
    history = train(data, tmp_path, epochs=20, learning_rate=0.2)[1]
    assert history["val_f2"].max() > 0.95 > history["val_f2"].iloc[0]
    assert history["train_loss"].iloc[-1] < history["train_loss"].iloc[0] / 2
    assert list(history["epoch"]) == list(range(1, 21))
    assert "rose" not in capsys.readouterr().out
    steps = itertools.count(1)
    history = train(data, tmp_path / "rises", lambda *given: next(steps) * weighted_bce(*given))[1]
    first, *_, last = history["train_loss"]
    assert f"the training loss rose from {first:.4g} to {last:.4g}" in capsys.readouterr().out


def test_a_later_epoch_that_is_worse_is_not_kept_and_no_global_random_state_changed(data, tmp_path):
    pooled, targets = data
    lies = FeatureBatches(pooled, ~targets, 8)  # so that validation only gets worse
    model, state = LinearClassifier(DIM, NUM_CLASSES), torch.get_rng_state()
    config = TrainConfig(epochs=6, learning_rate=0.05)
    history = fit(model, lies, in_order(data), weighted_bce, config, tmp_path)
    assert torch.equal(torch.get_rng_state(), state)
    assert history["val_f2"].idxmax() < 5
    scores = evaluate(model, in_order(data))
    preds = predict(model, in_order(data)) >= scores["threshold"]
    wanted = fbeta_score(targets[:, 0], preds, beta=2, average="samples", zero_division=0)
    assert scores["f2"] == history["val_f2"].max() == pytest.approx(wanted, abs=1e-6)


def test_an_interrupted_run_ends_bit_identical_and_is_done_then(data, tmp_path, capsys):
    whole = train(data, tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        train(data, tmp_path / "cut", failing(step=12))  # in the third of four epochs
    capsys.readouterr()
    assert_same(train(data, tmp_path / "cut"), whole)
    assert "4/4" in capsys.readouterr().out  # it counts on
    assert_same(train(data, tmp_path / "cut", failing(step=0)), whole)
    assert capsys.readouterr().out == "cut: already trained, 4 epochs\n"


def test_checkpoints_of_another_training_are_not_used(data, tmp_path):
    scaled = {"pooled": data[0]["pooled"] * np.float16(2)}, data[1]
    first = train(data, tmp_path)[1]
    slower = train(data, tmp_path, learning_rate=0.001)[1]
    assert not slower.equals(first)
    assert not train(scaled, tmp_path, learning_rate=0.001)[1].equals(slower)
    assert train(data, tmp_path)[1].equals(first)


def test_averaged_weights_are_the_running_mean_of_the_steps(data):
    model = LinearClassifier(DIM, NUM_CLASSES)
    config = TrainConfig(epochs=5, learning_rate=0.05, average_decay=0.3)
    batches = FeatureBatches(*data, NUM_IMAGES)  # one step an epoch
    training = Training(model, batches, weighted_bce, config)
    mean = torch.zeros_like(model.fc.weight)
    for epoch, decay in enumerate((0.0, 2 / 11, 3 / 12, 0.3, 0.3)):  # it warms up to 0.3
        training.run_epoch(epoch)
        weight = model.fc.weight.detach().clone()
        mean = decay * mean + (1 - decay) * weight
        torch.testing.assert_close(training.used.fc.weight.detach(), mean)
    assert (mean - weight).abs().max() > 1e-3


def test_a_tracker_gets_parameters_losses_and_scores_of_each_epoch(data, tmp_path, monkeypatch):
    monkeypatch.setattr(tracking, "_available_trackers", [LoggerType.TENSORBOARD])
    tracker = Mock()  # stands for one that is installed
    monkeypatch.setitem(tracking.LOGGER_TYPE_TO_CLASS, "tensorboard", tracker)
    untracked = train(data, tmp_path / "untracked")[1]
    tracker.assert_not_called()
    monkeypatch.setenv("TRACKER", "tensorboard")
    for _ in range(2):  # the second finds the first done
        history = train(data, tmp_path / "tracked")[1]
    pd.testing.assert_frame_equal(history, untracked, check_exact=True)
    [(project, folder), _] = tracker.call_args
    assert (project, Path(folder)) == ("imet", tmp_path / "tracked/tracker")
    told = tracker.return_value
    [(given,), _] = told.store_init_configuration.call_args
    assert (given["epochs"], given["learning_rate"]) == (len(history), 0.05)
    rows = enumerate(history.to_dict("records"), 1)
    assert told.log.call_args_list == [call(row, step=epoch) for epoch, row in rows]
    monkeypatch.setenv("TRACKER", "wandb")
    with pytest.raises(ValueError, match=r"TRACKER is 'wandb'; of .* tensorboard is installed"):
        train(data, tmp_path / "other")


@pytest.mark.parametrize(
    ("name", "value"),
    [("epochs", 0), ("average_decay", 1.0), *(("learning_rate", k) for k in (0.0, 1e9, math.nan))],
)
def test_a_config_that_makes_no_sense_is_refused(name, value):
    with pytest.raises(ValueError, match=rf"^{name} must be .*; got .*{name}={value}"):
        TrainConfig(**{name: value})


def test_a_loss_that_is_not_finite_and_batches_of_another_kind_are_refused(data, tmp_path):
    model, loader = LinearClassifier(DIM, NUM_CLASSES), torch.utils.data.DataLoader([({}, 0)])
    for given in ((loader, in_order(data)), (in_order(data), loader)):
        with pytest.raises(TypeError, match="FeatureBatches, not of DataLoader"):
            fit(model, *given, weighted_bce, TrainConfig(), tmp_path)
    assert not any(tmp_path.iterdir())
    with pytest.raises(RuntimeError, match="non-finite"):
        train(data, tmp_path, lambda logits, targets: logits.sum() * float("nan"))


def build_rnn(seed=0, **settings):
    torch.manual_seed(seed)
    return Rnn(width=8, **settings).build({"maps": 6, "pooled": DIM}, NUM_CLASSES)


def written(body):
    """Compile a loss as a cell of a notebook does."""
    names = {"__name__": "__main__", "bce": torch.nn.functional.binary_cross_entropy_with_logits}
    exec(f"def loss(logits, targets):\n    {body}\n", names)
    return names["loss"]


def test_code_and_arguments_of_a_loss_settings_initial_weights_targets_and_order_count(data):
    def fingerprint(model, loss=order_free_loss, batches=None):
        return training_fingerprint(model, loss, batches or in_order(data), [])

    model = LinearClassifier(DIM, NUM_CLASSES)
    weights = [torch.full((NUM_CLASSES,), weight) for weight in (2.0, 3.0)]
    cells = [written("return bce(logits, targets)"), written("return 2 * bce(logits, targets)")]
    losses = [*cells, weighted_bce, order_free_loss, torch.nn.MSELoss()]
    losses += [functools.partial(weighted_bce, pos_weight=weight) for weight in weights]
    losses += [torch.nn.BCEWithLogitsLoss(pos_weight=weight) for weight in weights]
    losses += [loss.forward for loss in losses[-2:]]  # bound to different objects
    found = [fingerprint(model, loss) for loss in losses]
    others = in_order((data[0], ~data[1])), FeatureBatches(*data, 8, "all", False, seed=1)
    found += [fingerprint(model, weighted_bce, batches) for batches in others]
    changes = {}, {"num_steps": 10}, {"dropout": 0.1}, {"seed": 1}
    found += [fingerprint(build_rnn(**changed)) for changed in changes]
    assert len(set(found)) == len(found)
    assert fingerprint(build_rnn()) == found[-len(changes)]
    assert fingerprint(model, written("return bce(logits, targets)")) == found[0]
    assert fingerprint(model.eval()) == fingerprint(model.train())
