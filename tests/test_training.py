import shutil

import numpy as np
import pandas as pd
import pytest
import torch
from separable_data import DIM, NUM_CLASSES, make_data
from sklearn.metrics import fbeta_score
from torch import nn

from imet_utils.features import FeatureBatches
from imet_utils.losses import order_free_loss, weighted_bce
from imet_utils.models import AttnDecoder, LinearClassifier
from imet_utils.prediction import predict
from imet_utils.training import TrainConfig, evaluate, fit


@pytest.fixture
def data():
    return make_data()


def _batches(data, **options):
    arrays, targets = data
    return FeatureBatches(arrays, targets, **{"batch_size": 8, "shuffle": True, **options})


def _val(data):
    return _batches(data, views="all", shuffle=False)


def _train(data, folder, loss=weighted_bce, **settings):
    torch.manual_seed(0)
    model = nn.Sequential()
    model = LinearClassifier(DIM, NUM_CLASSES)
    config = TrainConfig(**{"epochs": 4, "learning_rate": 0.05, **settings})
    history = fit(model, _batches(data), _val(data), loss, config, folder)
    return model, history


def test_fit_learns_what_can_be_learned(data, tmp_path):
    _, history = _train(data, tmp_path, epochs=20)
    assert history["val_f2"].max() > 0.95 > history["val_f2"].iloc[0]
    assert history["train_loss"].iloc[-1] < history["train_loss"].iloc[0] / 2
    assert list(history["epoch"]) == list(range(1, 21))


def test_an_interrupted_run_ends_bit_identical_to_an_undisturbed_one(data, tmp_path):
    whole, history = _train(data, tmp_path / "whole")
    calls = 0

    def failing_loss(logits, targets):
        nonlocal calls
        calls += 1
        if calls == 13:  # in the third of four epochs
            raise KeyboardInterrupt
        return weighted_bce(logits, targets)

    with pytest.raises(KeyboardInterrupt):
        _train(data, tmp_path / "cut", failing_loss)
    resumed, resumed_history = _train(data, tmp_path / "cut")
    pd.testing.assert_frame_equal(resumed_history, history, check_exact=True)
    for name, weights in whole.state_dict().items():
        assert torch.equal(resumed.state_dict()[name], weights)


def test_a_finished_run_is_not_trained_again(data, tmp_path):
    _, history = _train(data, tmp_path)

    def no_loss(logits, targets):
        raise AssertionError("trained again")

    _, again = _train(data, tmp_path, no_loss)
    pd.testing.assert_frame_equal(again, history)


def test_a_checkpoint_of_other_settings_is_not_used(data, tmp_path):
    _, slow = _train(data, tmp_path, learning_rate=0.001)
    _, fast = _train(data, tmp_path, learning_rate=0.05)
    assert fast["train_loss"].iloc[-1] < slow["train_loss"].iloc[-1]
    _, fresh = _train(data, tmp_path / "fresh", learning_rate=0.05)
    pd.testing.assert_frame_equal(fast, fresh)


def test_fit_keeps_the_best_epoch_and_stops_after_patience(data, tmp_path, monkeypatch):
    scores = iter([0.1, 0.5, 0.3, 0.4, 0.9])
    weights = []

    def scripted(model, batches):
        weights.append(next(model.parameters()).clone())
        return {"f2": next(scores)}

    monkeypatch.setattr("imet_utils.training.evaluate", scripted)
    model, history = _train(data, tmp_path, epochs=5, patience=2)
    assert list(history["val_f2"]) == [0.1, 0.5, 0.3, 0.4]
    assert torch.equal(next(model.parameters()), weights[1])


def test_fit_leaves_the_global_random_state_alone(data, tmp_path):
    torch.manual_seed(3)
    model = LinearClassifier(DIM, NUM_CLASSES)
    before = torch.get_rng_state()
    fit(model, _batches(data), _val(data), weighted_bce, TrainConfig(epochs=1), tmp_path)
    assert torch.equal(torch.get_rng_state(), before)


def test_fit_refuses_a_loss_that_is_not_finite(data, tmp_path):
    with pytest.raises(RuntimeError, match="non-finite"):
        _train(data, tmp_path, lambda logits, targets: logits.sum() * float("nan"))


@pytest.mark.parametrize("setting", [{"epochs": 0}, {"learning_rate": 0.0}, {"patience": -1}])
def test_config_refuses_what_makes_no_sense(setting):
    with pytest.raises(ValueError, match="must be positive"):
        TrainConfig(**setting)
    with pytest.raises(ValueError, match="average_decay"):
        TrainConfig(average_decay=1.0)


def test_averaged_weights_are_the_running_mean_of_the_steps(data, tmp_path, monkeypatch):
    steps, used = [], []
    update = torch.optim.swa_utils.AveragedModel.update_parameters

    def record(averaged, model):
        steps.append(model.fc.weight.detach().clone())
        update(averaged, model)

    def score(model, batches):
        used.append(model.fc.weight.detach().clone())
        return {"f2": float(len(used))}

    monkeypatch.setattr("torch.optim.swa_utils.AveragedModel.update_parameters", record)
    monkeypatch.setattr("imet_utils.training.evaluate", score)
    model, _ = _train(data, tmp_path, epochs=2, average_decay=0.75)
    mean = steps[0]
    for weight in steps[1:]:
        mean = 0.75 * mean + 0.25 * weight
    torch.testing.assert_close(used[-1], mean)
    torch.testing.assert_close(model.fc.weight.detach(), mean)
    assert (used[-1] - steps[-1]).abs().max() > 1e-3


def test_an_interrupted_run_with_averaged_weights_ends_bit_identical(data, tmp_path):
    whole, history = _train(data, tmp_path / "whole", average_decay=0.9)
    calls = iter(range(100))

    def failing_loss(logits, targets):
        if next(calls) == 12:
            raise KeyboardInterrupt
        return weighted_bce(logits, targets)

    with pytest.raises(KeyboardInterrupt):
        _train(data, tmp_path / "cut", failing_loss, average_decay=0.9)
    resumed, resumed_history = _train(data, tmp_path / "cut", average_decay=0.9)
    pd.testing.assert_frame_equal(resumed_history, history, check_exact=True)
    assert torch.equal(resumed.fc.weight, whole.fc.weight)


def test_evaluate_scores_as_scikit_learn_does(data):
    model = LinearClassifier(DIM, NUM_CLASSES)
    scores = evaluate(model, _val(data))
    probs = predict(model, _val(data)).probs
    targets = data[1][:, 0]
    wanted = fbeta_score(
        targets, probs >= scores["threshold"], beta=2, average="samples", zero_division=0
    )
    assert scores["f2"] == pytest.approx(wanted, abs=1e-6)


def test_order_free_training_of_the_decoder_lowers_its_loss(data, tmp_path):
    torch.manual_seed(0)
    _, targets = data
    maps = np.repeat(data[0]["pooled"][:, :, None], 4, axis=2)
    arrays = {"maps": maps, "probs": np.full(targets.shape, 0.5, np.float16)}
    decoder = AttnDecoder(NUM_CLASSES, DIM, attn_dim=8, decoder_dim=16, dropout=0.1)
    history = fit(
        decoder,
        FeatureBatches(arrays, targets, 8),
        FeatureBatches(arrays, targets, 8, "all", shuffle=False),
        order_free_loss,
        TrainConfig(epochs=12, learning_rate=0.02),
        tmp_path,
    )
    assert history["train_loss"].iloc[-1] < 0.6 * history["train_loss"].iloc[0]
    assert history["val_f2"].max() > 0.85


def test_checkpoints_of_other_targets_or_batches_are_not_used(data, tmp_path):
    _, history = _train(data, tmp_path)
    pooled, targets = data
    _, flipped = _train((pooled, ~targets), tmp_path)
    assert not flipped.equals(history)
    _, again = _train(data, tmp_path)
    pd.testing.assert_frame_equal(again, history, check_exact=True)


def test_best_weights_of_other_settings_are_not_used(data, tmp_path):
    """A run of other settings that is killed may have replaced them, but not the last ones."""
    model, _ = _train(data, tmp_path / "a")
    _train(data, tmp_path / "b", learning_rate=0.001)
    shutil.copy(tmp_path / "b/best.pt", tmp_path / "a/best.pt")
    again, _ = _train(data, tmp_path / "a")
    assert torch.equal(again.fc.weight, model.fc.weight)
