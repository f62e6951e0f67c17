import json
import pickle

import numpy as np
import pandas as pd
import pytest
import torch
from matplotlib.figure import Figure

from imet_utils import runs


def test_find_data_dir_prefers_what_is_given_then_kaggle_then_the_sample(tmp_path, monkeypatch):
    assert runs.find_data_dir(str(tmp_path)) == tmp_path
    monkeypatch.setattr(runs, "KAGGLE_INPUT", tmp_path / "absent")
    assert runs.find_data_dir("") == runs.PROJECT_DIR / "data" / "sample"
    assert runs.find_data_dir("", limit=60) == runs.PROJECT_DIR / "data" / "sample_60"
    (tmp_path / "input").mkdir()
    monkeypatch.setattr(runs, "KAGGLE_INPUT", tmp_path / "input")
    assert runs.find_data_dir("", limit=60) == tmp_path / "input"


def test_find_output_dir_uses_the_working_folder_of_kaggle(tmp_path, monkeypatch):
    monkeypatch.setattr(runs, "KAGGLE_WORKING", tmp_path / "absent")
    assert runs.find_output_dir() == runs.PROJECT_DIR / "outputs"
    monkeypatch.setattr(runs, "KAGGLE_WORKING", tmp_path)
    assert runs.find_output_dir() == tmp_path / "outputs"
    assert runs.find_output_dir(str(tmp_path / "mine")) == tmp_path / "mine"


def test_require_names_the_notebook_that_makes_the_file(tmp_path):
    with pytest.raises(FileNotFoundError, match="Run 02_preprocess_images first"):
        runs.require(tmp_path / "images.csv", "02_preprocess_images")
    assert runs.require(tmp_path, "01") == tmp_path


def test_atomic_path_leaves_the_old_file_and_no_other_after_an_error(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")

    def die_half_way():
        with runs.atomic_path(path) as temporary:
            temporary.write_text("half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        die_half_way()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_save_json_holds_numpy_torch_and_paths(tmp_path):
    path = tmp_path / "deep" / "m.json"
    value = {"a": np.float32(0.5), "b": np.arange(3), "c": torch.ones(2), "d": tmp_path, "e": "é"}
    runs.save_json(value, path)
    assert runs.load_json(path) == {
        "a": 0.5,
        "b": [0, 1, 2],
        "c": [1.0, 1.0],
        "d": str(tmp_path),
        "e": "é",
    }


def test_save_json_refuses_nan_and_keeps_the_old_file(tmp_path):
    path = tmp_path / "m.json"
    runs.save_json({"f2": 0.5}, path)
    with pytest.raises(ValueError, match="Out of range float"):
        runs.save_json({"f2": float("nan")}, path)
    assert runs.load_json(path) == {"f2": 0.5}


def test_save_array_and_csv_round_trip(tmp_path):
    array = np.random.default_rng(0).random((3, 4)).astype(np.float16)
    runs.save_array(array, tmp_path / "a.npy")
    np.testing.assert_array_equal(np.load(tmp_path / "a.npy"), array)
    frame = pd.DataFrame({"id": ["12e5", "0012"], "n": [1, 2]})
    runs.save_csv(frame, tmp_path / "a.csv")
    pd.testing.assert_frame_equal(pd.read_csv(tmp_path / "a.csv", dtype={"id": "str"}), frame)


def test_save_figure_writes_a_png(tmp_path):
    runs.save_figure(Figure(), tmp_path / "f.png")
    assert (tmp_path / "f.png").read_bytes().startswith(b"\x89PNG")


def test_checkpoint_round_trips_tensors_and_optimizer_state(tmp_path):
    layer = torch.nn.Linear(2, 1)
    optimizer = torch.optim.AdamW(layer.parameters())
    layer(torch.ones(1, 2)).sum().backward()
    optimizer.step()
    state = {
        "model": layer.state_dict(),
        "optimizer": optimizer.state_dict(),
        "history": [{"f2": 0.5}],
    }
    runs.save_checkpoint(state, tmp_path / "c.pt")
    loaded = runs.load_checkpoint(tmp_path / "c.pt")
    assert torch.equal(loaded["model"]["weight"], layer.weight)
    assert loaded["history"] == [{"f2": 0.5}]
    torch.optim.AdamW(layer.parameters()).load_state_dict(loaded["optimizer"])


def test_load_checkpoint_runs_no_pickled_code(tmp_path):
    class Trap:
        def __reduce__(self):
            return (open, (str(tmp_path / "sprung"), "w"))

    (tmp_path / "trap.pt").write_bytes(pickle.dumps(Trap()))
    torch.save({"model": Trap()}, tmp_path / "trap_zip.pt")
    (tmp_path / "sprung").unlink(missing_ok=True)
    for name in ("trap.pt", "trap_zip.pt"):
        with pytest.raises(ValueError, match="no checkpoint of tensors"):
            runs.load_checkpoint(tmp_path / name)
    assert not (tmp_path / "sprung").exists()


def test_fingerprint_does_not_depend_on_the_order_of_keys_but_on_every_value():
    assert runs.fingerprint_of({"a": 1, "b": 2}) == runs.fingerprint_of({"b": 2, "a": 1})
    assert runs.fingerprint_of({"a": 1, "b": 2}) != runs.fingerprint_of({"a": 1, "b": 3})


def test_collect_results_puts_validation_first_and_keeps_the_order_of_notebooks(tmp_path):
    def row(model, split, f2):
        scores = {"f2": f2, "f1": 0.2, "precision": 0.1, "recall": 0.4, "map": None}
        return {"model": model, "split": split, **scores}

    early = [row("constant", "val", 0.1), row("constant", "test", 0.2)]
    late = [row("rnn", "val", 0.3), row("rnn", "test", 0.4)]
    for name, rows in (("06_b", late), ("04_a", early)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "metrics.json").write_text(json.dumps({"scores": rows}))
    (tmp_path / "01_c").mkdir()
    (tmp_path / "01_c" / "metrics.json").write_text("{}")
    table = runs.collect_results(tmp_path)
    assert list(table["f2"]) == [0.1, 0.3, 0.2, 0.4]
    assert list(table.columns) == runs.RESULT_COLUMNS
    assert list(runs.collect_results(tmp_path, before="06")["f2"]) == [0.1, 0.2]
