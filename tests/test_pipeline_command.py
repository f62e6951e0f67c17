"""The command on two tiny notebooks: what it runs, prints, leaves and refuses."""

import io
import shutil
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout

import nbformat
import pytest
from small_data import write_collection
from tiny_notebooks import write_chain

from imet_tools.pipeline import execution
from imet_tools.pipeline.__main__ import main
from imet_utils.files import load_json

STEMS = ["01_make_number", "02_use_number"]
COMMAND = ["--profile", "fast", "-p", "STEPS", "4"]


@pytest.fixture(scope="module")
def folder(module_path):
    return write_chain(module_path / "{LIMIT}/{STEPS}/{}")


@pytest.fixture(scope="module")
def data(module_path):
    return write_collection(module_path / "data", {"a": "0", "b": "1"}, ["french", "men"])


@pytest.fixture(scope="module")
def finished(folder, data, module_path):
    """Run the chain once; return its folder, the exit code and what was printed."""
    output, out, err = module_path / "{STEPS}{LIMIT}{}{3F25}", io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        code = main([*COMMAND, "--data", str(data), "--output", str(output)], folder)
    return output, code, out.getvalue(), err.getvalue()


@pytest.fixture
def output(finished, tmp_path):
    """Return a copy of the finished run."""
    return shutil.copytree(finished[0], tmp_path / "out")


@pytest.fixture
def again(finished, folder, data, output, monkeypatch, capsys):
    """Repeat the command without a kernel: its code, what it would run, what it printed."""

    def run(*changes, notebooks=folder, reason=None):
        def execute(notebook, copy, values):
            executed.append(notebook.stem)
            written = nbformat.read(notebook, as_version=4)
            written.metadata.papermill = {"exception": bool(reason)}
            nbformat.write(written, copy)
            record = f"{notebook.stem}/provenance.json"
            if record in records and not reason:  # it finishes as before
                shutil.copy(finished[0] / record, output / record)
            return reason

        records = [f"{path.parent.name}/{path.name}" for path in output.glob("*/provenance.json")]
        executed = []
        monkeypatch.setattr(execution, "execute", execute)
        places = ["--data", str(data), "--output", str(output)]
        code = main([*COMMAND, *places, *changes], notebooks)
        return code, executed, capsys.readouterr().out

    return run


def test_the_whole_chain_runs_with_the_values_that_are_set(finished, folder, data):
    output, code, out, err = finished
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert lines[0] == "[1/2] 01_make_number"
    assert lines[1].startswith("counting: 4/4 [")  # one line of a bar, and none empty after it
    assert lines[2] == "b: 1/2 [00:10]"  # which was drawn twice
    assert lines[3].startswith("01_make_number: ")
    assert f"{sys.executable} {folder} None" in lines  # this Python, in the notebooks' folder
    assert {"<urn>  test 0.400", "Warning: beware"} < {*lines}
    assert lines[-1].endswith(f"Report: {output}/report.html")
    records = load_json(output / "run.json")["notebooks"]
    common = {"OUTPUT_DIR": str(output), "STEPS": 4}
    first, second = {"DATA_DIR": str(data), "RATE": 0.1}, {"LIMIT": None, "NAME": "urn"}
    parameters = [record["parameters"] for record in records.values()]
    assert parameters == [common | first, common | second]
    assert sorted(path.stem for path in (output / "notebooks").iterdir()) == STEMS
    assert "counting: 4/4" in (output / f"notebooks/{STEMS[0]}.ipynb").read_text()


@pytest.mark.parametrize(
    ("changes", "wanted"),
    [
        ([], []),
        (["-p", "NAME", "vase"], STEMS[1:]),
        (["-p", "RATE", "0.2"], STEMS[:1]),  # the second follows what the first leaves
        (["--from", "01"], STEMS),
    ],
)
def test_what_is_up_to_date_does_not_run_again(again, changes, wanted):
    code, executed, out = again(*changes)
    assert (code, executed, out.count("is up to date")) == (0, wanted, 2 - len(wanted))


def test_a_notebook_whose_code_was_edited_runs_again(again, folder, tmp_path):
    edited = shutil.copytree(folder, tmp_path / "notebooks")
    path = edited / "02_use_number.ipynb"
    path.write_text(path.read_text().replace("beware", "take care"))
    assert again(notebooks=edited)[:2] == (0, STEMS[1:])


def test_results_that_do_not_follow_from_what_is_there_are_not_shown(again, output):
    (output / "01_make_number/provenance.json").unlink()  # as a run of it begins
    code, _, out = again("--to", "01")
    assert code == 0
    assert f"{output}/results.csv is not written yet" in out
    assert "0.400" not in (output / "report.html").read_text()


def test_a_failure_ends_the_run_and_names_the_way_on(again, output):
    code, executed, out = again("--from", "01", reason="E: no")
    assert (code, executed) == (1, STEMS[:1])
    assert "01_make_number failed after" in out
    assert f"E: no\n\nIts executed copy, with the full traceback: {output}/notebooks/01_" in out
    assert "--from 01" in out
    assert not (output / "01_make_number/provenance.json").exists()  # it counts as not finished
    assert [path.stem for path in (output / "notebooks").iterdir()] == STEMS[:1]
    assert "01_make_number</a> failed" in (output / "report.html").read_text()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["-p", "STEPS", "few"], "STEPS is an int; 'few' is not."),
        (["--data", "/nowhere"], "/nowhere/train.csv"),
        (["--from", "02"], "run 01 again, then 02"),
        (["--output", __file__], __file__),
        (["--data", ""], "error: "),
        (["--dat", "/"], "error: "),
    ],
)
def test_a_wrong_command_line_is_refused(folder, tmp_path, capsys, arguments, message):
    try:
        code = main(["--output", str(tmp_path), *arguments], folder)
    except SystemExit as stopped:
        code = stopped.code
    out, err = capsys.readouterr()
    assert (code, out) == (2, "")
    assert message in err.splitlines()[-1]


def test_the_list_shows_defaults_and_meanings(folder, capsys):
    assert main(["--list"], folder) == 0
    assert "  RATE             0.5                    how fast" in capsys.readouterr().out


def test_results_in_a_collection_or_no_images_are_refused(folder, data, tmp_path, capsys):
    mine = shutil.copytree(data, tmp_path / "mine")
    before = sorted(tmp_path.rglob("*"))
    for place in (mine, mine / "train", mine / "test/new"):
        assert main(["--data", str(mine), "--output", str(place)], folder) == 2
        assert "results need another" in capsys.readouterr().err
    assert sorted(tmp_path.rglob("*")) == before
    shutil.rmtree(mine / "train")
    assert main(["--data", str(mine), "--output", str(tmp_path / "out")], folder) == 2
    assert "no folder train" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_packages_that_take_seconds_are_imported_where_they_are_needed():
    late = {"torch", "papermill", "pandas", "yaml", "numpy"}
    code = f"import sys, imet_tools.pipeline.__main__\nassert not sys.modules.keys() & {late}"
    subprocess.run([sys.executable, "-c", code], check=True)
