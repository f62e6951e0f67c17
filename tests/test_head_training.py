import os
import shutil
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
import torch

from imet_utils import runs
from imet_utils.encoders import build_encoder
from imet_utils.encoding import encode_datasets
from imet_utils.end_to_end import EndToEnd
from imet_utils.features import extract_features
from imet_utils.head_recipes import RECIPES
from imet_utils.head_training import HeadJob, load_head, main, train_head
from imet_utils.hog import hog
from imet_utils.pipeline import PROJECT_DIR
from imet_utils.prediction import predict_splits
from imet_utils.sample_data import write_sample_data
from imet_utils.tables import load_tables, save_tables, split_tables
from imet_utils.views import split_dataset

ENCODER = "efficientnet_lite0"


@pytest.fixture(scope="module")
def collection(tmp_path_factory):
    """A rendered collection, and a run that has stored the features of its views."""
    data_dir, output_dir = (tmp_path_factory.mktemp(name) for name in ("data", "run"))
    write_sample_data(data_dir, 24, seed=0)
    tables = split_tables(load_tables(data_dir), seed=0)
    save_tables(tables, output_dir / "02_preprocess_images")
    runs.save_json({"crop_targets": "all"}, output_dir / "02_preprocess_images/metrics.json")
    datasets = {split: split_dataset(tables, split) for split in ("train", "val", "test")}
    encode_datasets(datasets, output_dir / "features", ENCODER, "none", num_workers=0)
    for split, dataset in datasets.items():
        folder = output_dir / "features" / split / "hog"
        extract_features(dataset, lambda views: {"hog": hog(views)}, folder, {}, num_workers=0)
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
    tables = split_tables(load_tables(data_dir), seed=1)
    save_tables(tables, output_dir / "02_preprocess_images")
    with pytest.raises(ValueError, match=rf"\w+/{ENCODER} was made from .* Make it anew"):
        train_head(HeadJob("baseline", data_dir, output_dir))


@pytest.mark.parametrize("head", RECIPES)
def test_every_head_of_the_notebooks_trains_and_loads(collection, head):
    trained = train_head(HeadJob(head, *collection, epochs=2))
    assert list(trained.history["epoch"]) == [1, 2]
    assert set(trained.inputs) == {"train", "val", "test"}
    loaded = load_head(head, *collection)
    torch.testing.assert_close(loaded.model.state_dict(), trained.model.state_dict())
    pd.testing.assert_frame_equal(loaded.history, trained.history)


def test_a_head_streams_what_is_not_stored_and_cannot_tell(collection, run, monkeypatch):
    for module in ("prediction", "encoders"):  # the store was written in float16, from bfloat16
        monkeypatch.setattr(f"imet_utils.{module}.autocast_dtype", lambda device: None)
    stored = train_head(HeadJob("label_queries", *collection, epochs=1))
    streamed = train_head(HeadJob("label_queries", *run, epochs=1))
    assert isinstance(streamed.model, EndToEnd)
    np.testing.assert_allclose(
        streamed.history["train_loss"], stored.history["train_loss"], rtol=0.01
    )


def test_one_setting_thaws_the_encoder(run):
    trained = train_head(HeadJob("attncnn_rnn_hog", *run, epochs=1, thawed_stages=1))
    assert set(trained.inputs["val"]) == {"hog", "images"}
    fresh = build_encoder(ENCODER, "none")
    moved = [
        any(not torch.equal(*pair) for pair in zip(*map(parameters, stages), strict=True))
        for stages in zip(trained.model.encoder.stages, fresh.stages, strict=True)
    ]
    assert moved == [False] * (len(moved) - 1) + [True]
    loaded = load_head("attncnn_rnn_hog", *run)
    probs = [
        predict_splits(head.model, {"val": head.inputs["val"]}, run[1] / "probs")["val"]
        for head in (trained, loaded)
    ]
    np.testing.assert_array_equal(*probs)


def parameters(module):
    """List the parameters, for `zip`."""
    return list(module.parameters())


def launch(*arguments):
    """Run the command line on two CPU processes."""
    launcher = [sys.executable, "-m", "accelerate.commands.launch", "--cpu", "--num_processes=2"]
    launcher += ["--num_machines=1", "--mixed_precision=no", "--dynamo_backend=no"]
    command = [*launcher, "-m", "imet_utils.training", *map(str, arguments)]
    environment = os.environ | {"IMET_HEADLESS": "1", "OMP_NUM_THREADS": "1"}
    return subprocess.run(
        command, cwd=PROJECT_DIR, capture_output=True, text=True, timeout=300, env=environment
    )


def test_notebook_and_command_line_train_the_same_on_two_processes(run):
    data_dir, output_dir = run
    job = HeadJob("baseline", data_dir, output_dir, epochs=2)
    alone = train_head(job)
    shutil.rmtree(job.folder)
    together = train_head(job, num_processes=2)
    shutil.rmtree(job.folder)
    result = launch("baseline", "--data", data_dir, "--output", output_dir, "--epochs", 2)
    assert result.returncode == 0, result.stderr[-3000:]
    assert result.stdout.count("2/2 (100 %)") == 1  # process 0 alone tells
    launched = load_head("baseline", data_dir, output_dir)
    pd.testing.assert_frame_equal(launched.history, together.history, rtol=0, atol=1e-5)
    # Where the head computes in bfloat16, rounding may depend on the rows of a process.
    pd.testing.assert_frame_equal(together.history, alone.history, rtol=0, atol=0.02)
    assert HeadJob(**runs.load_json(job.folder / "job.json")) == job


def test_the_command_line_refuses_what_there_is_not(capsys):
    with pytest.raises(SystemExit):
        main(["forest"])
    assert "invalid choice: 'forest'" in capsys.readouterr().err
    with pytest.raises(ValueError, match=r"one of baseline, .*, got 'forest'"):
        HeadJob("forest", "data", "run")
