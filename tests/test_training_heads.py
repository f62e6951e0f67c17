import shutil
import sys

import numpy as np
import pandas as pd
import pytest
import torch
from small_data import launch

from imet_tools.sample import write_sample_data
from imet_utils import features, training
from imet_utils.decoding import best_expected_sets
from imet_utils.files import save_array
from imet_utils.hog import hog
from imet_utils.metrics import f2_per_image
from imet_utils.models import EndToEnd
from imet_utils.runs import open_run
from imet_utils.tables import SPLITS, load_tables, save_tables, split_tables
from imet_utils.training.__main__ import main
from imet_utils.training.cross_fitting import SHARES, USUAL_SHARE, compare_shares
from imet_utils.views import open_datasets

ENCODER, TABLES = "efficientnet_lite0", "02_preprocess_images"
pytestmark = pytest.mark.slow


def begin(notebook, data_dir, output_dir, upstream=(), **parameters):
    places = {"DATA_DIR": str(data_dir), "OUTPUT_DIR": str(output_dir), "ENCODER": ENCODER}
    return open_run(notebook, upstream, parameters=places | parameters)


def train(folders, head, upstream=(TABLES,), **parameters):
    """Train a head as a notebook does, and let it finish."""
    run = begin(f"04_{head}", *folders, upstream, **parameters)
    trained = training.train_head(run, head)
    run.finish({})
    return trained


@pytest.fixture(scope="module")
def collection(module_path):
    """A rendered collection, and a run that has stored the features of its views."""
    data_dir, output_dir = module_path / "data", module_path / "run"
    write_sample_data(data_dir, 24, seed=0)
    shutil.rmtree(data_dir / "test")
    run = begin(TABLES, data_dir, output_dir, CROP_TARGETS="all")
    tables = split_tables(load_tables(data_dir), seed=0)
    save_tables(tables, run.folder)
    run.finish({})
    features.encode_collection(tables, output_dir, features.EncoderSettings(ENCODER))
    for split, dataset in open_datasets(tables).items():
        folder = output_dir / "features" / split / "hog"
        features.extract_features(
            dataset, lambda views: {"hog": hog(views)}, folder, {}, num_workers=0
        )
    return data_dir, output_dir


@pytest.fixture
def run(collection, tmp_path):
    """A copy of the run without maps, as if they had not fitted the disk."""
    data_dir, output_dir = collection
    shutil.copytree(output_dir, tmp_path / "run")
    for path in (tmp_path / "run/features").glob(f"*/{ENCODER}/maps.npy"):
        path.unlink()
    return data_dir, tmp_path / "run"


def test_features_of_another_split_are_not_used(run):
    data_dir, output_dir = run
    tables = split_tables(load_tables(data_dir))
    tables.images["split"] = tables.images["split"].to_numpy()[::-1]
    save_tables(tables, output_dir / TABLES)
    with pytest.raises(ValueError, match=rf"\w+/{ENCODER} was made from .* Make it anew"):
        training.train_head(begin("04_train", data_dir, output_dir, [TABLES]), "baseline")


@pytest.mark.parametrize("head", training.RECIPES)
def test_every_head_trains_and_loads(collection, head):
    upstream = [TABLES]
    if first := getattr(training.RECIPES[head].layers, "frozen", ""):
        classifier = train(collection, first, EPOCHS=1).model
        upstream = [f"04_{first}"]
    trained = train(collection, head, upstream, EPOCHS=2, NUM_STEPS=2)
    if first:  # the trained baseline's, as it was
        frozen = trained.model.classifier.state_dict()
        torch.testing.assert_close(frozen, classifier.state_dict(), rtol=0, atol=0)
    assert list(trained.history["epoch"]) == [1, 2]
    assert trained.inputs.keys() == {"train", "val", "test"}
    loaded = training.load_head(begin("05_look", *collection, [f"04_{head}"]), head)
    torch.testing.assert_close(loaded.model.state_dict(), trained.model.state_dict())
    pd.testing.assert_frame_equal(loaded.history, trained.history, check_exact=True)


READERS = """
from torch import nn
from imet_utils.models import weighted_bce
from imet_utils.training import AVERAGED, Recipe, register

class Scaled(nn.Linear):
    def __init__(self, dims, num_classes):
        super().__init__(dims["pooled"], num_classes)

    def forward(self, pooled):
        return SCALE * super().forward(pooled)

register("scaled", Recipe("Scaled (mine)", ("pooled",), Scaled, weighted_bce, AVERAGED))
"""


def test_a_readers_own_head_is_like_any_other_until_its_code_changes(collection, monkeypatch):
    def cell(scale):
        exec(READERS, {"__name__": "__main__", "SCALE": scale})

    monkeypatch.setitem(training.RECIPES, "scaled", None)  # which forgets it after the test
    cell(2)
    trained = train(collection, "scaled", EPOCHS=2, SEED=1)
    cell(2)  # as in another session
    run = begin("05_look", *collection, ["04_scaled"])
    head = training.load_head(run, "scaled")
    torch.testing.assert_close(head.model.state_dict(), trained.model.state_dict())
    assert head.recipe.config == trained.recipe.config
    assert training.refit_head(run, "scaled").recipe == head.recipe
    cell(3)
    with pytest.raises(ValueError, match=r"'scaled' was trained by other code .* train it again"):
        training.load_head(run, "scaled")


def test_a_head_streams_what_is_not_stored_and_cannot_tell(collection, run):
    stored = train(collection, "attncnn_rnn", EPOCHS=1, SEED=2)
    streamed = train(run, "attncnn_rnn", EPOCHS=1, SEED=2)
    assert isinstance(streamed.model, EndToEnd)
    losses = (head.history["train_loss"] for head in (stored, streamed))
    np.testing.assert_allclose(*losses, rtol=1e-3)
    assert streamed.inputs["val"].keys() == {"pooled", "style", "images"}


def test_notebook_and_command_line_train_the_same_on_two_processes(run):
    data_dir, output_dir = run
    alone = train(run, "baseline", EPOCHS=2, LEARNING_RATE=1e-3)
    shutil.rmtree(alone.folder)
    together = train(run, "baseline", EPOCHS=2, LEARNING_RATE=1e-3, NUM_PROCESSES=2)
    shutil.rmtree(alone.folder)
    arguments = ["--data", data_dir, "--output", output_dir, "--epochs", 2, "--learning-rate", 1e-3]
    result = launch("-m", "imet_utils.training", "04_baseline/baseline", *arguments)
    assert result.returncode == 0, result.stderr[-3000:]
    assert result.stdout.count("baseline:   0%") == 1  # process 0 alone reports
    history = pd.read_csv(alone.folder / "history.csv")
    # Where the head computes in bfloat16, rounding may depend on its threads, and on its rows.
    pd.testing.assert_frame_equal(history, together.history, rtol=0, atol=1e-3)
    pd.testing.assert_frame_equal(together.history, alone.history, rtol=0, atol=0.02)
    assert not (output_dir / "04_baseline/provenance.json").exists()  # what it predicted is old


def test_the_command_line_refuses_what_there_is_not(monkeypatch, capsys):
    refused = {"04/forest": "'forest'", "04/mlp --output nowhere": "nowhere: no notebook"}
    refused["04/mlp --width 8"] = "mlp has no setting width"
    for arguments, reason in refused.items():
        monkeypatch.setattr(sys, "argv", ["training", *arguments.split()])
        with pytest.raises(SystemExit):
            main()
        assert reason in capsys.readouterr().err


def test_a_head_is_trained_anew_on_all_images_by_the_same_recipe(collection):
    with pytest.raises(ValueError, match="mlp has no HIDDEN_DIM"):
        train(collection, "mlp", HIDDEN_DIM=8)  # its hidden layer follows the number of images
    first = train(collection, "mlp", EPOCHS=3, LEARNING_RATE=1e-3)
    run = begin("05_refit", *collection, ["04_mlp"])
    head = training.refit_head(run, "mlp")
    assert head.recipe == first.recipe
    assert list(head.history) == ["epoch", "train_loss", "learning_rate"]
    tables, recipe = run.tables, head.recipe
    inputs = training.open_inputs(tables, run.output_dir, ENCODER, recipe.inputs)
    model = recipe.build(inputs.dims, tables.num_classes, len(tables.images))
    stores = [inputs.arrays[split] for split in SPLITS]
    arrays = {name: np.concatenate([store[name] for store in stores]) for name in recipe.inputs}
    targets = features.view_targets(training.join_targets(tables), tables.is_culture)
    batches = features.FeatureBatches(arrays, targets, recipe.config.batch_size, seed=0)
    training.fit(model, batches, None, recipe.loss, recipe.config, run.folder / "by_hand")
    torch.testing.assert_close(head.model.state_dict(), model.state_dict(), rtol=0, atol=0)
    assert training.refit_head(run, "mlp").history.equals(head.history)  # not trained again


def test_the_share_of_the_neighbours_is_chosen_by_images_that_were_not_seen(collection):
    """Neighbours that know each image are best alone; those of the other folds are not."""
    train(collection, "mlp", EPOCHS=2, LEARNING_RATE=1e-3)
    run = begin("05_share", *collection, ["04_mlp"])
    _, table = training.choose_share(run, num_folds=3)
    assert table.loc[USUAL_SHARE, ["gain", "standard error"]].tolist() == [0, 0]
    [path] = (run.folder / "folds").glob("*")
    targets = training.join_targets(run.tables, ("train", "val"))
    assert table.loc[0.0, "F2"] == f2_per_image(best_expected_sets(np.load(path)), targets).mean()
    save_array(targets.astype(np.float32), path)  # it is read, and not made again
    assert training.choose_share(run, num_folds=3)[1].loc[0.0, "F2"] == 1
    assert training.choose_share(run, num_folds=0)[0] == USUAL_SHARE


@pytest.mark.parametrize(("gains", "share"), [((0.01, 0.02), 0.1), ((0.0005, 0.0), 0.3)])
def test_another_share_is_taken_only_if_it_is_clearly_better(gains, share):
    f2 = {name: np.full(400, 0.6) for name in SHARES}
    noise = np.random.default_rng(0).normal(0, 0.02, 400)
    f2[0.0] = f2[0.0] + gains[0] + noise
    f2[0.1] = f2[0.1] + gains[1] + noise
    assert compare_shares(f2)[0] == share
