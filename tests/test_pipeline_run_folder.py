"""The output folder of a run: locked, cleaned, and with a record of what ran."""

import errno
import os
import re
import subprocess
from importlib.metadata import version

import nbformat
import pytest

from imet_tools.command import FolderInUse
from imet_tools.pipeline import run_folder
from imet_tools.pipeline.parameters import find_notebooks
from imet_tools.pipeline.run_folder import claim_folder, find_commit, read_records, save_record
from imet_utils import provenance
from imet_utils.runs import PROJECT_DIR, open_run

FOLDER = PROJECT_DIR / "notebooks"
STEMS = list(find_notebooks(FOLDER))


def test_a_folder_is_free_after_a_run_also_after_one_that_failed(tmp_path):
    with pytest.raises(KeyError), claim_folder(tmp_path):
        raise KeyError
    wanted = rf"{tmp_path} is in use by process {os.getpid()} since \d{{4}}-.*Wait for its end"
    with claim_folder(tmp_path), pytest.raises(FolderInUse, match=wanted), claim_folder(tmp_path):
        pass


def test_a_file_system_without_locks_is_used_with_care(tmp_path, monkeypatch, capsys):
    def flock(*_):
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr("fcntl.flock", flock)
    with claim_folder(tmp_path):
        assert (tmp_path / "run.json").is_file()
    said = f"{tmp_path}: no locks here, so let no other run write to it meanwhile.\n"
    assert capsys.readouterr().err in (said, "")  # nothing where filelock locks by a file


@pytest.mark.parametrize(
    ("number", "path", "advice"),
    [
        (errno.ENOSPC, None, "Make room or choose another folder"),
        (errno.EACCES, "figures/a.png", "Choose another folder"),
        (errno.EACCES, "/elsewhere/a.png", ""),
    ],
)
def test_only_a_fault_of_the_folder_is_reported_as_one(tmp_path, number, path, advice):
    error = OSError(number, os.strerror(number), path and str(tmp_path / path))
    with pytest.raises(OSError, match=os.strerror(number)) as found, claim_folder(tmp_path):
        raise error
    told = f"{tmp_path} cannot be written: {error}. Existing files are intact. {advice}"
    assert str(found.value).startswith(told if advice else str(error))


def test_claiming_removes_leftovers_of_every_depth(tmp_path):
    (tmp_path / "features/train").mkdir(parents=True)
    for place in ("", "features", "features/train"):
        (tmp_path / place / ".a.99999999.tmp.png").write_text("half")
    with claim_folder(tmp_path):
        assert list(tmp_path.rglob("*.tmp*")) == []


def test_a_notebook_that_is_run_again_replaces_its_record_only(tmp_path):
    record = run_folder.describe_run("smoke", {"SEED": 3, "LIMIT": None})
    assert record["parameters"] == {"SEED": 3, "LIMIT": None}
    assert record["packages"]["torch"] == version("torch")
    assert record["commit"] == find_commit(PROJECT_DIR)
    for number in (1, 2):
        with claim_folder(tmp_path):
            save_record(tmp_path, f"0{number}_a_b", record)
            save_record(tmp_path, "03_c_d", {"seconds": number})
    kept = dict.fromkeys(["01_a_b", "02_a_b"], record)
    assert read_records(tmp_path) == kept | {"03_c_d": {"seconds": 2}}


def test_something_else_of_that_name_is_refused_and_stays(tmp_path):
    (tmp_path / "run.json").write_text("[]")
    with pytest.raises(ValueError, match=r"run\.json is not the record"), claim_folder(tmp_path):
        pass
    assert (tmp_path / "run.json").read_text() == "[]"


def test_the_commit_says_if_files_were_changed(tmp_path, monkeypatch):
    assert find_commit(tmp_path) is None
    git = ["git", "-C", str(tmp_path), "-c", "user.name=a", "-c", "user.email=a@b.c"]
    (tmp_path / "file").touch()
    for command in (["init", "-q"], ["add", "file"], ["commit", "-q", "-m", "first"]):
        subprocess.run([*git, *command], check=True)
    commit = subprocess.check_output([*git, "rev-parse", "HEAD"], text=True).strip()
    assert find_commit(tmp_path) == commit
    (tmp_path / "file").write_text("changed")
    assert find_commit(tmp_path) == f"{commit} (changed)"
    assert find_commit(tmp_path / ".git") is None  # within a work tree of something else
    monkeypatch.setenv("PATH", "")
    assert find_commit(tmp_path) is None  # without git


def test_versions_are_those_of_the_packages_required(tmp_path, monkeypatch):
    (tmp_path / "requirements.txt").write_text("# all\ntorch>=2  # it\n\nno-such-package\n")
    wanted = {"torch": version("torch"), "no-such-package": None}
    assert run_folder.package_versions(tmp_path / "requirements.txt") == wanted
    lines = ["torch>=2.6", "no-such-package>=1", 'pytest>=8; extra == "dev"']
    monkeypatch.setattr(run_folder, "requires", {"imet-utils": lines}.get)
    assert run_folder.package_versions(tmp_path / "absent.txt") == wanted


def test_the_overview_shows_what_can_be_run_and_what_is_outdated(tmp_path, monkeypatch):
    (tmp_path / "data/train").mkdir(parents=True)
    output = str(tmp_path / "out")
    parameters = {"DATA_DIR": str(tmp_path / "data"), "OUTPUT_DIR": output}
    for stem, upstream in zip(STEMS[:3], ([], [], STEMS[1:2]), strict=True):
        open_run(stem, upstream, parameters=parameters).finish({})
    table = run_folder.list_notebooks(FOLDER, output)
    assert table["notebook"].tolist() == STEMS
    assert table["state"].tolist()[:4] == ["done", "done", "done", "can be run"]
    open_run(STEMS[1], parameters=parameters | {"SPLIT_SEED": 5}).finish({})
    states = run_folder.list_notebooks(FOLDER, output)["state"].tolist()
    assert states[:4] == ["done", "done", "outdated", "can be run"]
    assert states[4].endswith("run 03 and 04 again, then 05")
    monkeypatch.setattr(provenance, "code_digest", lambda *_: "edited")
    assert "done" not in run_folder.list_notebooks(FOLDER, output)["state"].tolist()


def test_a_parameter_is_followed_by_everything_downstream():
    table = run_folder.list_parameters(FOLDER).set_index("parameter")
    for name, first in (("SPLIT_SEED", "01"), ("SEED", "04")):  # the split stays with another SEED
        assert table.loc[name, "run again"].split() == [s[:2] for s in STEMS if s[:2] >= first]
    assert table.loc["ORIENTATIONS", "run again"].startswith("03 05 06 07 08 09")


def test_the_first_page_leads_to_every_notebook_and_runs(monkeypatch):
    monkeypatch.chdir(FOLDER)
    cells = nbformat.read("00_start_here.ipynb", as_version=4).cells
    assert re.findall(r"\]\((\w+)\.ipynb\)", cells[0].source) == STEMS
    code = [cell.source for cell in cells if cell.cell_type == "code"]
    assert len(code) == 4
    exec("\n".join(code), {})
