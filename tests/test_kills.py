"""Runs that are killed by SIGKILL, and go on to the same end as one that is not.

IMET_KILLS=20 ./run_all.sh test tests/test_kills.py    # 20 random moments of the whole pipeline
"""

import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
from functools import partial
from itertools import count
from pathlib import Path

import nbformat
import pytest
import torch
from PIL import Image
from small_data import DIM, NUM_CLASSES, copy_run, make_data

from imet_utils.features import FeatureBatches, extract_features, open_features
from imet_utils.files import load_checkpoint, remove_leftovers
from imet_utils.models import LinearClassifier, weighted_bce
from imet_utils.provenance import read_provenance
from imet_utils.runs import PROJECT_DIR
from imet_utils.training import TrainConfig, fit
from imet_utils.views import ViewDataset

KILLS = int(os.environ.get("IMET_KILLS", "1"))


def die_at(moment, work):
    """Do the work in a fork that kills itself before or after a rename; say if it did."""
    child = os.fork()
    if child == 0:
        rename, moments = os.replace, count()

        def replace(*paths):
            if next(moments) == moment:
                os.kill(os.getpid(), signal.SIGKILL)
            rename(*paths)
            if next(moments) == moment:
                os.kill(os.getpid(), signal.SIGKILL)

        os.replace = replace
        work()
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL


def every_kill(prepare, work, check):
    """Kill `work` before and after each of its renames, and check what its repetition leaves."""
    moment = 0
    prepare()
    while die_at(moment, work):
        moment += 1
        work()
        check()
        prepare()
    return moment


def content(path, folder):
    """Hash a file, but for the name of its folder and how a checkpoint shares its strings."""
    data = path.read_bytes().replace(bytes(folder), b"")
    if path.suffix == ".pt":
        values = load_checkpoint(path)
        exact = json.dumps(values, sort_keys=True, default=lambda t: [str(t.dtype), t.tolist()])
        data = exact.encode()
    return hashlib.sha256(data).hexdigest()


@pytest.mark.slow
def test_training_killed_at_any_file_it_writes_ends_bit_identical(tmp_path):
    data = make_data()
    batches = FeatureBatches(*data, 20)
    val_batches = FeatureBatches(*data, 20, "all", shuffle=False)
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    names = ["best.pt", "history.csv", "last.pt"]

    def work(folder=killed, learning_rate=0.05):
        torch.manual_seed(0)
        model = LinearClassifier(DIM, NUM_CLASSES)
        config = TrainConfig(4, learning_rate, average_decay=0.9)
        fit(model, batches, val_batches, weighted_bce, config, folder)

    def check():
        remove_leftovers(killed.iterdir())  # as a run does at its start
        assert sorted(path.name for path in killed.iterdir()) == names
        for name in names:
            assert content(killed / name, killed) == content(whole / name, whole)

    work(whole)
    other = partial(work, learning_rate=0.01)  # leaves checkpoints of other settings
    assert every_kill(other, work, check) >= 2 * 4


def test_a_store_killed_at_any_file_it_writes_is_the_old_or_the_new_one(tmp_path):
    Image.new("RGB", (40, 40), "red").save(tmp_path / "a.png")
    dataset = ViewDataset([tmp_path / "a.png"], ["a"], [True], train=False, size=32, num_views=2)
    store = tmp_path / "features/train/store"

    def work(value=2.0):
        compute = lambda images: {"maps": torch.full((len(images), 3), value)}  # noqa: E731
        extract_features(dataset, compute, store, {"value": value}, num_workers=0)

    def check():
        remove_leftovers(store.parent.iterdir())
        assert list(store.parent.iterdir()) == [store]
        assert (open_features(store, {"value": 2})["maps"] == 2).all()

    # Two renames at least: the old one out of the way, the new one into its place.
    assert every_kill(partial(work, value=1), work, check) >= 2 * 2


def copy_state_before(stem, whole, folder):
    """Copy an undisturbed run without what one notebook made."""
    shutil.rmtree(folder, ignore_errors=True)
    copy_run(whole, folder)
    for product in [*read_provenance(whole, stem)["products"], f"{stem}/provenance.json"]:
        (folder / product).unlink()


def kill_after(seconds, command):
    """Start the pipeline and kill it so long after its notebook's start; say if it still ran."""
    options = {"cwd": PROJECT_DIR, "stdout": subprocess.PIPE, "text": True}
    process = subprocess.Popen(command, start_new_session=True, **options)
    assert process.stdout.readline().startswith("[1/1]")
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    return process.returncode == -signal.SIGKILL


@pytest.mark.slow
@pytest.mark.parametrize("trial", range(KILLS))
def test_a_pipeline_killed_at_a_random_moment_ends_bit_identical(smoke, tmp_path, trial):
    """Kill it within one notebook, repeat the command, and compare with the undisturbed run.

    Even trials read images with two workers, where the undisturbed run has none.
    """
    whole, folder = smoke[0], tmp_path / "killed"
    draw = random.Random(trial + 4)  # starts with the notebook that extracts and trains most
    copy = draw.choice(sorted((whole / "notebooks").glob("*.ipynb")))
    duration = nbformat.read(copy, as_version=4).metadata.papermill.duration
    seconds, stem = draw.uniform(0, duration), copy.stem
    command = [sys.executable, "-m", "imet_tools.pipeline", "--profile", "smoke"]
    command += ["--output", str(folder), "--from", stem, "--to", stem]
    if trial % 2 == 0 and "NUM_WORKERS: int" in copy.read_text():
        command += ["-p", "NUM_WORKERS", "2"]
    copy_state_before(stem, whole, folder)
    while not kill_after(seconds, command):  # it was faster than the undisturbed run
        copy_state_before(stem, whole, folder)
        seconds /= 2
    subprocess.run(command, cwd=PROJECT_DIR, check=True)
    for product in read_provenance(whole, stem)["products"]:
        if Path(product).name != "03_hog_timing.png":
            assert content(folder / product, folder) == content(whole / product, whole), product
    assert read_provenance(folder, stem)["id"] == read_provenance(whole, stem)["id"]
    assert not list(folder.rglob(".*.tmp*"))
