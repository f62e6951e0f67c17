import distributed_jobs
import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from imet_utils.distributed import run_in_processes
from imet_utils.runs import load_checkpoint, load_json


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """What the same jobs leave when one process runs them, and when two do."""
    parent = tmp_path_factory.mktemp("jobs")
    rng = np.random.default_rng(0)
    for number in range(5):
        pixels = rng.integers(0, 256, (40, 40, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(parent / f"{number}.png")
    one, two = parent / "one", parent / "two"
    distributed_jobs.run_all(one)
    run_in_processes(2, distributed_jobs.run_all, two)
    return one, two


def test_processes_share_a_range_and_gather_in_order(folders):
    one, two = folders
    assert load_json(one / "0.json") == [0, 0, 1, 2, 3, 4]
    assert [load_json(two / f"{k}.json") for k in (0, 1)] == [[0, 0, 1, 1, 2, 3, 4]] * 2


@pytest.mark.parametrize("name", ["linear", "rnn"])
def test_two_processes_train_as_one(folders, name):
    histories = [pd.read_csv(folder / name / "history.csv") for folder in folders]
    pd.testing.assert_frame_equal(*histories, rtol=0, atol=1e-5)
    weights = [load_checkpoint(folder / name / "last.pt")["model"] for folder in folders]
    torch.testing.assert_close(*weights, rtol=0, atol=1e-5)
    probs = [np.load(folder / name / "probs.npy") for folder in folders]
    np.testing.assert_allclose(*probs, rtol=0, atol=1e-5)


def test_two_processes_search_as_one(folders):
    np.testing.assert_array_equal(*(np.load(folder / "labels.npy") for folder in folders))


def test_two_processes_extract_as_one(folders):
    one, two = folders
    files = [path.relative_to(one) for name in "04" for path in (one / name).iterdir()]
    assert sorted(path.name for path in files) == sorted(
        2 * ["fingerprint.json", "maps.npy", "pooled.npy"]
    )
    for path in files:
        assert (one / path).read_bytes() == (two / path).read_bytes()
    assert {path.name for path in two.iterdir()} == {path.name for path in one.iterdir()} | {
        "1.json"
    }


def test_parts_of_a_batch_give_the_step_of_the_whole(folders, tmp_path):
    distributed_jobs.train(tmp_path, "linear", 37, micro_batches=3)
    whole = pd.read_csv(folders[0] / "linear/history.csv")
    parts = pd.read_csv(tmp_path / "history.csv")
    pd.testing.assert_frame_equal(parts, whole, rtol=0, atol=1e-5)


def test_the_failure_of_one_process_is_told_and_ends_the_others(tmp_path):
    with pytest.raises(torch.multiprocessing.ProcessRaisedException, match="second process fails"):
        run_in_processes(2, distributed_jobs.fail_on_the_second, tmp_path)


def test_a_number_of_processes_that_cannot_be_is_refused(tmp_path):
    with pytest.raises(ValueError, match="NUM_PROCESSES is 0"):
        run_in_processes(0, distributed_jobs.write_gathered, tmp_path)
