import json
import platform
import subprocess
from importlib.metadata import version

import pytest
from tiny_notebooks import write_collection

from imet_utils import provenance
from imet_utils.pipeline.run_folder import (
    data_fingerprint,
    find_commit,
    package_versions,
    read_records,
    record_notebook,
    start_record,
)


def test_a_record_tells_what_a_run_was_made_with(tmp_path):
    start_record(tmp_path, "smoke")
    data = write_collection(tmp_path / "data")
    record_notebook(tmp_path, "01_a_b", {"SEED": 3, "LIMIT": None}, data)
    (record,) = json.loads((tmp_path / "run.json").read_text())["runs"]
    assert record["profile"] == "smoke"
    assert record["parameters"] == {"01_a_b": {"SEED": 3, "LIMIT": None}}
    assert record["packages"]["torch"] == version("torch")
    assert record["python"] == platform.python_version()
    assert record["data"] == data_fingerprint(data)
    assert record["commit"] == find_commit(provenance.PROJECT_DIR)


def test_a_notebook_is_in_the_one_record_that_made_its_results(tmp_path):
    start_record(tmp_path, None)
    for stem in ("01_a_b", "02_c_d"):
        record_notebook(tmp_path, stem, {"EPOCHS": 1}, tmp_path)
    start_record(tmp_path, None)
    record_notebook(tmp_path, "02_c_d", {"EPOCHS": 2}, tmp_path)
    parameters = [record["parameters"] for record in read_records(tmp_path)]
    assert parameters == [{"01_a_b": {"EPOCHS": 1}}, {"02_c_d": {"EPOCHS": 2}}]
    record_notebook(tmp_path, "01_a_b", {"EPOCHS": 2}, tmp_path)
    assert len(read_records(tmp_path)) == 1


def test_something_else_of_that_name_is_refused(tmp_path):
    (tmp_path / "run.json").write_text("[]")
    with pytest.raises(ValueError, match=r"run\.json is not the record of a run"):
        start_record(tmp_path, None)
    assert (tmp_path / "run.json").read_text() == "[]"


def test_the_fingerprint_follows_tables_and_images_and_nothing_else(tmp_path):
    assert data_fingerprint(tmp_path) is None
    data = write_collection(tmp_path / "data")
    (data / "train/a.png").write_text("12")
    seen = [data_fingerprint(data)]
    (data / "notes.txt").write_text("mine")
    (data / "train/.a.png.swp.txt").write_text("mine")
    assert data_fingerprint(data) == seen[0]
    for change in (
        lambda: (data / "train/a.png").write_text("123"),
        lambda: (data / "train/a.png").rename(data / "train/b.png"),
        lambda: (data / "train.csv").write_text("id,attribute_ids\nb,1\n"),
        lambda: (data / "sample_submission.csv").write_text("id\n"),
    ):
        change()
        seen.append(data_fingerprint(data))
    assert len(set(seen)) == 5


def test_the_commit_says_if_files_were_changed(tmp_path):
    assert find_commit(tmp_path) is None
    git = ["git", "-C", str(tmp_path), "-c", "user.name=a", "-c", "user.email=a@b.c"]
    for command in (["init", "-q"], ["commit", "-q", "--allow-empty", "-m", "first"]):
        subprocess.run([*git, *command], check=True)
    commit = subprocess.check_output([*git, "rev-parse", "HEAD"], text=True).strip()
    assert find_commit(tmp_path) == commit
    (tmp_path / "new").mkdir()
    assert find_commit(tmp_path / "new") is None  # a folder within a work tree of something else
    (tmp_path / "new/file").write_text("")
    assert find_commit(tmp_path) == f"{commit} (changed)"


def test_without_git_there_is_no_commit(monkeypatch):
    monkeypatch.setenv("PATH", "")
    assert find_commit(provenance.PROJECT_DIR) is None


def test_versions_are_those_of_the_packages_required(tmp_path):
    (tmp_path / "requirements.txt").write_text("# all\ntorch>=2  # it\n\nno-such-package\n")
    found = package_versions(tmp_path / "requirements.txt")
    assert found == {"torch": version("torch"), "no-such-package": None}
    assert package_versions(tmp_path / "absent") == {}
