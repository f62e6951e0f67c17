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
from imet_tools.pipeline.run_folder import (
    claim_folder,
    describe_run,
    find_commit,
    list_notebooks,
    list_parameters,
    package_versions,
    read_records,
    save_record,
)
from imet_utils import provenance
from imet_utils.files import save_json
from imet_utils.runs import PROJECT_DIR, open_run

FOLDER = PROJECT_DIR / "notebooks"
STEMS = list(find_notebooks(FOLDER))


def test_a_folder_is_free_after_a_run_also_after_one_that_failed(tmp_path):
    with pytest.raises(KeyError), claim_folder(tmp_path):
        raise KeyError
    wanted = rf"{tmp_path} is in use by process {os.getpid()} since \d{{4}}-.*Wait for its end"
    with claim_folder(tmp_path):
        for _ in range(2):
            with pytest.raises(FolderInUse, match=wanted), claim_folder(tmp_path):
                pass


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.ENOSYS])
def test_a_file_system_without_locks_is_used_with_care(tmp_path, monkeypatch, capsys, number):
    def flock(*_):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr("fcntl.flock", flock)
    for _ in range(2):
        with claim_folder(tmp_path):
            assert (tmp_path / "run.json").is_file()
    said = f"{tmp_path}: no locks here, so let no other run write to it meanwhile.\n"
    assert capsys.readouterr().err in (2 * said, "")  # nothing where filelock locks by a file


@pytest.mark.parametrize(
    ("error", "advice"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), "Make room or choose another folder"),
        (OSError(errno.EROFS, "Read-only file system"), "Choose another folder"),
        (PermissionError(errno.EACCES, "Permission denied", "figures/a.png"), "Choose another"),
        (PermissionError(errno.EACCES, "Permission denied", "/elsewhere/a.png"), ""),
        (FileNotFoundError(errno.ENOENT, "No such file or directory", "figures/a.png"), ""),
    ],
)
def test_only_a_fault_of_the_folder_is_reported_as_one(tmp_path, error, advice):
    if error.filename:
        error.filename = str(tmp_path / error.filename)
    with pytest.raises(OSError, match=re.escape(error.strerror)) as found, claim_folder(tmp_path):
        raise error
    if advice:
        assert str(found.value).startswith(f"{tmp_path} cannot be written: {error}. Existing files")
        assert advice in str(found.value)
    else:
        assert found.value is error


def test_claiming_removes_leftovers_of_every_depth(tmp_path):
    for place in ("", "figures", "features/train"):
        (tmp_path / place).mkdir(parents=True, exist_ok=True)
        (tmp_path / place / ".a.99999999.tmp.png").write_text("half")
    with claim_folder(tmp_path):
        left = [path.name for path in tmp_path.rglob("*") if path.is_file()]
    assert sorted(left) == [".lock", "run.json"]


def test_a_notebook_that_is_run_again_replaces_its_record_only(tmp_path):
    with claim_folder(tmp_path):
        for stem in ("01_a_b", "02_c_d"):
            save_record(tmp_path, stem, describe_run("smoke", {"SEED": 3, "LIMIT": None}))
    with claim_folder(tmp_path):
        save_record(tmp_path, "02_c_d", {"seconds": 12.3})
    records = read_records(tmp_path)
    assert records["02_c_d"] == {"seconds": 12.3}
    record = records["01_a_b"]
    assert record["parameters"] == {"SEED": 3, "LIMIT": None}
    assert record["packages"]["torch"] == version("torch")
    assert record["commit"] == find_commit(PROJECT_DIR)


def test_something_else_of_that_name_is_refused_and_stays(tmp_path):
    (tmp_path / "run.json").write_text("[]")
    with pytest.raises(ValueError, match=r"run\.json is not the record"), claim_folder(tmp_path):
        pass
    assert (tmp_path / "run.json").read_text() == "[]"


def test_the_commit_says_if_files_were_changed(tmp_path, monkeypatch):
    assert find_commit(tmp_path) is None
    (tmp_path / "file").write_text("")
    git = ["git", "-C", str(tmp_path), "-c", "user.name=a", "-c", "user.email=a@b.c"]
    for command in (["init", "-q"], ["add", "file"], ["commit", "-q", "-m", "first"]):
        subprocess.run([*git, *command], check=True)
    commit = subprocess.check_output([*git, "rev-parse", "HEAD"], text=True).strip()
    assert find_commit(tmp_path) == commit
    (tmp_path / "inner").mkdir()
    assert find_commit(tmp_path / "inner") is None  # within a work tree of something else
    (tmp_path / "file").write_text("changed")
    assert find_commit(tmp_path) == f"{commit} (changed)"
    monkeypatch.setenv("PATH", "")
    assert find_commit(tmp_path) is None  # without git


def test_versions_are_those_of_the_packages_required(tmp_path, monkeypatch):
    (tmp_path / "requirements.txt").write_text("# all\ntorch>=2  # it\n\nno-such-package\n")
    wanted = {"torch": version("torch"), "no-such-package": None}
    assert package_versions(tmp_path / "requirements.txt") == wanted
    lines = ["torch>=2.6", "no-such-package>=1", 'pytest>=8; extra == "dev"']
    monkeypatch.setattr(run_folder, "requires", {"imet-utils": lines}.get)
    assert package_versions(tmp_path / "absent.txt") == wanted  # as of an installed package


def test_the_overview_shows_what_can_be_run_and_what_is_outdated(tmp_path, monkeypatch):
    (tmp_path / "data/train").mkdir(parents=True)
    output = str(tmp_path / "out")
    parameters = {"DATA_DIR": str(tmp_path / "data"), "OUTPUT_DIR": output}
    open_run(STEMS[0], parameters=parameters).finish({})
    open_run(STEMS[1], parameters=parameters).finish({})
    open_run(STEMS[2], STEMS[1:2], parameters=parameters).finish({})
    save_json({"notebooks": {STEMS[0]: {"seconds": 12.6}}}, tmp_path / "out/run.json")

    def states():
        return list_notebooks(FOLDER, output).set_index("notebook")["state"].tolist()

    table = list_notebooks(FOLDER, output)
    assert table["notebook"].tolist() == STEMS
    assert table["seconds"].tolist() == ["13", *[""] * (len(STEMS) - 1)]
    assert states()[:4] == ["done", "done", "done", "can be run"]
    open_run(STEMS[1], parameters=parameters | {"SPLIT_SEED": 5}).finish({})
    assert states()[:4] == ["done", "done", "outdated", "can be run"]
    assert states()[4].endswith("run 03 and 04 again, then 05")
    (tmp_path / "data/train/new.jpg").write_text("an image")
    assert states()[0] == "outdated"
    monkeypatch.setattr(provenance, "code_digest", lambda *_: "edited")
    assert "done" not in states()


def test_a_parameter_is_followed_by_everything_downstream():
    table = list_parameters(FOLDER).set_index("parameter")
    for name, first in (("SPLIT_SEED", "01"), ("SEED", "04")):  # the split stays with another SEED
        assert table.loc[name, "run again"].split() == [s[:2] for s in STEMS if s[:2] >= first]
    assert table.loc["ORIENTATIONS", "run again"].startswith("03 05 06 07 08 09")


def test_the_first_page_leads_to_every_notebook_and_runs(monkeypatch):
    monkeypatch.chdir(FOLDER)
    cells = nbformat.read("00_start_here.ipynb", as_version=4).cells
    assert re.findall(r"\]\((\w+)\.ipynb\)", cells[0].source) == STEMS
    names = {}
    sources = [cell.source for cell in cells if cell.cell_type == "code"]
    assert len(sources) == 4
    for source in sources:
        exec(source, names)
