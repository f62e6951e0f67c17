"""Full and read-only disks: a small file system in memory, which only root can mount."""

import shutil
import subprocess
from contextlib import suppress

import numpy as np
import pandas as pd
import pytest
import torch
from small_data import write_noise
from tiny_notebooks import write_chain, write_notebook

from imet_tools.pipeline.__main__ import main
from imet_utils.features import extract_features, open_features, store
from imet_utils.files import save_array, save_checkpoint, save_csv, save_json
from imet_utils.views import ViewDataset


def mount(folder, *options):
    return subprocess.run(["mount", *options, "tmpfs", str(folder)], capture_output=True)


@pytest.fixture
def disk(tmp_path):
    """Mount a file system of 1 MB, if that is allowed."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if not shutil.which("mount") or mount(folder, "-t", "tmpfs", "-o", "size=1m").returncode:
        pytest.skip("this user may not mount a file system")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def fill(folder):
    """Write until nothing more fits."""
    with (folder / "filler").open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(bytes(4096))


def contents(folder):
    """Read every file but the filler."""
    files = [path for path in folder.rglob("*") if path.is_file() and path.name != "filler"]
    return {path: path.read_bytes() for path in files}


FULL = r"\[Errno 28\]"
LARGE = np.arange(2**19, dtype=np.float32)  # 2 MB
WRITERS = {
    "a.json": lambda values, path: save_json(values.tolist(), path),
    "a.csv": lambda values, path: save_csv(pd.DataFrame({"a": values}), path),
    "a.npy": save_array,
    "a.pt": lambda values, path: save_checkpoint({"a": torch.from_numpy(values)}, path),
}


@pytest.mark.parametrize("name", WRITERS)
def test_a_full_disk_leaves_the_old_file_and_no_other(disk, name):
    WRITERS[name](LARGE[:10], disk / name)
    before = contents(disk)
    fill(disk)
    with pytest.raises(OSError, match=FULL):
        WRITERS[name](LARGE, disk / name)
    assert contents(disk) == before


@pytest.fixture
def dataset(tmp_path):
    """Four images of noise."""
    return ViewDataset(write_noise(tmp_path, "abcd"), "abcd", [True] * 4, train=True, size=32)


def extract(dataset, folder, numbers_a_view):
    def compute(images):
        return {"maps": torch.ones(len(images), numbers_a_view)}

    return extract_features(dataset, compute, folder, {"n": numbers_a_view}, num_workers=0)


def test_a_disk_that_fills_while_a_store_is_written_leaves_the_old_store(
    disk, dataset, monkeypatch
):
    monkeypatch.setattr(store, "check_space", lambda *_: None)
    extract(dataset, disk / "train/store", 10)
    before = contents(disk)
    with pytest.raises(OSError, match=FULL):
        extract(dataset, disk / "train/store", 10**5)
    assert contents(disk) == before
    assert open_features(disk / "train/store", {"n": 10})["maps"].shape == (4, 6, 10)


@pytest.mark.slow
def test_a_run_into_a_full_or_read_only_folder_is_refused_and_changes_nothing(
    disk, tmp_path, capsys
):
    folder = write_chain(tmp_path / "notebooks")
    assert main(["--output", str(disk / "out"), "--to", "01"], folder) == 0
    before = contents(disk)
    fill(disk)
    assert main(["--output", str(disk / "out")], folder) == 2
    assert f"{disk}/out cannot be written: [Errno 28]" in capsys.readouterr().err
    (disk / "filler").unlink()
    assert mount(disk, "-o", "remount,ro").returncode == 0
    for output in ("out", "new"):
        assert main(["--output", str(disk / output)], folder) == 2
        assert "[Errno 30]" in capsys.readouterr().err
    assert contents(disk) == before


@pytest.mark.slow
def test_a_disk_that_fills_during_a_run_ends_it_with_the_reason(disk, tmp_path, capsys):
    folder = write_chain(tmp_path / "notebooks")
    (folder / "01_make_number.ipynb").unlink()
    write_notebook(folder / "02_use_number.ipynb", 'OUTPUT_DIR: str = ""', "print('.' * 2 * 10**6)")
    assert main(["--output", str(disk / "out")], folder) == 1
    assert f"{disk}/out cannot be written: [Errno 28]" in capsys.readouterr().err
    assert list((disk / "out/notebooks").iterdir()) == []
