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
    with suppress(OSError):
        (folder / "filler").write_bytes(bytes(2**21))


def contents(folder):
    """Read every file but the filler."""
    return {path: path.read_bytes() for path in folder.rglob("*.*") if path.is_file()}


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


def test_a_disk_that_fills_under_a_store_leaves_the_old_one(disk, tmp_path, monkeypatch):
    dataset = ViewDataset(write_noise(tmp_path, "abcd"), "abcd", [True] * 4, train=True, size=32)

    def extract(number):
        def compute(images):
            return {"maps": torch.ones(len(images), number)}

        extract_features(dataset, compute, disk / "train/store", {"n": number}, num_workers=0)

    monkeypatch.setattr(store, "check_space", lambda *_: None)
    extract(10)
    before = contents(disk)
    with pytest.raises(OSError, match=FULL):
        extract(10**5)
    assert contents(disk) == before
    assert open_features(disk / "train/store", {"n": 10})["maps"].shape == (4, 6, 10)


@pytest.mark.slow
def test_a_full_or_read_only_disk_ends_a_run_with_the_reason(disk, tmp_path, capsys):
    folder = write_chain(tmp_path / "notebooks")
    arguments, reason = ["--output", str(disk / "out")], f"{disk}/out cannot be written: [Errno"
    assert main([*arguments, "--to", "01"], folder) == 0
    write_notebook(folder / "02_use_number.ipynb", 'OUTPUT_DIR: str = ""', "print('.' * 2 * 10**6)")
    assert main([*arguments, "--from", "02"], folder) == 1
    assert f"{reason} 28]" in capsys.readouterr().err
    assert [path.name for path in (disk / "out/notebooks").iterdir()] == ["01_make_number.ipynb"]
    before = contents(disk)
    fill(disk)
    assert main(arguments, folder) == 2
    assert f"{reason} 28]" in capsys.readouterr().err
    (disk / "filler").unlink()
    assert mount(disk, "-o", "remount,ro").returncode == 0
    for output in ("out", "new"):
        assert main(["--output", str(disk / output)], folder) == 2
        assert "[Errno 30]" in capsys.readouterr().err
    assert contents(disk) == before
