"""Files that are always whole, and that run and leak nothing."""

import os
import subprocess
import sys
from unittest.mock import DEFAULT, Mock

import numpy as np
import pandas as pd
import pytest
import torch
from small_data import has_ended

from imet_utils.files import (
    atomic_folder,
    load_json,
    remove_leftovers,
    save_array,
    save_csv,
    save_json,
    temporary_path,
)


def test_an_error_while_a_file_is_written_leaves_the_old_one_and_no_other(tmp_path):
    path = tmp_path / "a.npy"
    path.write_text("old")
    with pytest.raises(ValueError, match="allow_pickle"):  # after the header
        save_array(np.array([{}]), path)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_what_a_process_of_the_same_number_left_is_not_continued(tmp_path):
    temporary_path(tmp_path / "a.csv").write_text("half")
    save_csv(pd.DataFrame({"a": [1]}), tmp_path / "a.csv")
    assert (tmp_path / "a.csv").read_text() == "a\n1\n"
    left = temporary_path(tmp_path / "folder")
    left.mkdir()
    (left / "half").touch()
    with atomic_folder(tmp_path / "folder") as whole:
        (whole / "b").touch()
    assert [path.name for path in (tmp_path / "folder").iterdir()] == ["b"]


def test_a_folder_is_back_after_an_interrupt_between_its_two_renames(tmp_path, monkeypatch):
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder/old").touch()
    renames = Mock(wraps=os.replace, side_effect=[DEFAULT, KeyboardInterrupt, DEFAULT])
    monkeypatch.setattr(os, "replace", renames)
    with pytest.raises(KeyboardInterrupt), atomic_folder(tmp_path / "folder"):
        pass
    assert [path.name for path in tmp_path.rglob("*")] == ["folder", "old"]


def test_save_json_holds_numpy_torch_and_paths_and_refuses_others(tmp_path):
    path = tmp_path / "deep" / "m.json"
    value = {"a": np.float32(0.5), "b": np.arange(3), "c": torch.ones(2), "d": tmp_path, "e": "é"}
    save_json(value, path)
    plain = {"a": 0.5, "b": [0, 1, 2], "c": [1.0, 1.0], "d": str(tmp_path), "e": "é"}
    assert load_json(path) == plain
    with pytest.raises(ValueError, match="Out of range float"):
        save_json({"f2": float("nan")}, path)
    with pytest.raises(TypeError):
        save_json({"a": object()}, path)
    assert load_json(path) == plain


def test_names_cannot_become_formulas_where_people_open_a_table(tmp_path):
    names = ["=1+1", "+1", "-x", "@a", "\t=1", "a=b", "", "O'Keeffe"]
    frame = pd.DataFrame({"=name": names, "share": [-0.5] * len(names)})
    save_csv(frame, tmp_path / "safe.csv", spreadsheet_safe=True)
    safe = pd.read_csv(tmp_path / "safe.csv", keep_default_na=False)
    assert list(safe.columns) == ["'=name", "share"]
    wanted = ["'=1+1", "'+1", "'-x", "'@a", "'\t=1", "a=b", "", "O'Keeffe"]
    assert safe["'=name"].tolist() == wanted
    assert (safe["share"] == -0.5).all()
    save_csv(frame[:4], tmp_path / "exact.csv")
    assert pd.read_csv(tmp_path / "exact.csv")["=name"].tolist() == names[:4]


def test_only_what_dead_processes_were_writing_is_removed(tmp_path):
    zombie = subprocess.Popen([sys.executable, "-c", ""])  # nobody notices its end
    assert has_ended(zombie.pid)
    dead, live, own = 99999999, os.getppid(), os.getpid()
    gone = [f".a.{dead}.tmp.json", f".store.{dead}.tmp", f".a.{own}.tmp.csv"]
    gone += [f".best.{zombie.pid}.tmp.pt"]
    kept = [f".a.{live}.tmp.json", ".a.tmp.json", f"a.{dead}.tmp.json", f".a.{dead}.json", "a.json"]
    for name in gone + kept:
        (tmp_path / name).write_text("half")
    (tmp_path / f".folder.{dead}.tmp").mkdir()
    (tmp_path / f".folder.{dead}.tmp/maps.npy").write_text("half")
    (tmp_path / "mine").mkdir()
    (tmp_path / f".link.{dead}.tmp").symlink_to(tmp_path / "mine")  # which stays
    remove_leftovers(tmp_path.iterdir())
    zombie.wait()
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([*kept, "mine"])
