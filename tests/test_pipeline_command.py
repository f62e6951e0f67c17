"""The command on two tiny notebooks: what it runs, prints, leaves and refuses."""

import io
import os
import shutil
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout

import nbformat
import pytest
from tiny_notebooks import write_chain, write_collection

from imet_tools.pipeline import execution
from imet_tools.pipeline.__main__ import main
from imet_tools.pipeline.run_folder import claim_folder
from imet_utils.files import load_json

STEMS = ["01_make_number", "02_use_number"]


@pytest.fixture(scope="module")
def folder(module_path):
    return write_chain(module_path / "{LIMIT}/{STEPS}/{}")


@pytest.fixture(scope="module")
def data(module_path):
    return write_collection(module_path / "data")


@pytest.fixture(scope="module")
def finished(folder, data, module_path):
    """Run the chain once; return its folder, the exit code and what was printed."""
    output, out, err = module_path / "{STEPS}{LIMIT}{}{3F25}", io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        code = main(command(data, output), folder)
    return output, code, out.getvalue(), err.getvalue()


def command(data, output):
    return f"--profile fast --data {data} -p STEPS 4 --output {output}".split()


@pytest.fixture
def output(finished, tmp_path):
    """Return a copy of the finished run."""
    return shutil.copytree(finished[0], tmp_path / "out")


@pytest.fixture
def again(finished, folder, data, output, monkeypatch, capsys):
    """Repeat the command without a kernel: its code, which notebooks it would run, what it printed.

    `reason` is why they fail.
    """

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

        records = {f"{path.parent.name}/{path.name}" for path in output.glob("*/provenance.json")}
        executed = []
        monkeypatch.setattr(execution, "execute", execute)
        code = main([*command(data, output), *changes], notebooks)
        return code, executed, capsys.readouterr().out

    return run


def test_the_whole_chain_runs_with_the_values_that_are_set(finished, folder, data):
    output, code, out, err = finished
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert lines[0] == "[1/2] 01_make_number"
    assert len([line for line in lines if line.startswith("counting: 4/4 [")]) == 1
    assert f"{sys.executable} {folder} None" in lines  # this Python, in the notebooks' folder
    assert {"<urn>  test 0.400", "Warning: beware"} < {*lines}
    assert lines[-1].endswith(f"Report: {output}/report.html")
    records = load_json(output / "run.json")["notebooks"]
    first = {"DATA_DIR": str(data), "OUTPUT_DIR": str(output), "STEPS": 4, "RATE": 0.1}
    second = {"OUTPUT_DIR": str(output), "STEPS": 4, "LIMIT": None, "NAME": "urn"}
    assert [record["parameters"] for record in records.values()] == [first, second]
    copies = sorted((output / "notebooks").iterdir())
    assert [path.stem for path in copies] == STEMS
    copy = nbformat.read(copies[0], as_version=4)
    assert "counting: 4/4" in "".join(output.get("text", "") for output in copy.cells[-1].outputs)
    assert nbformat.read(folder / copies[0].name, as_version=4).cells[-1].outputs == []


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
    path.write_text(path.read_text().replace("too many", "far too many"))
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
    assert [path.stem for path in (output / "notebooks").iterdir()] == STEMS[:1]
    assert "01_make_number</a> failed" in (output / "report.html").read_text()


def test_a_second_run_into_a_folder_is_refused_and_changes_nothing(folder, output, capsys):
    before = {path: path.read_bytes() for path in output.rglob("*.*") if path.is_file()}
    with claim_folder(output):
        assert main(["--output", str(output)], folder) == 2
    assert f"{output} is in use by process {os.getpid()} since" in capsys.readouterr().err
    del before[output / "run.json"]
    assert [path for path, content in before.items() if path.read_bytes() != content] == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["-p", "STEPS", "few"], "STEPS is an int; 'few' is not."),
        (["--data", "/nowhere"], "/nowhere/train.csv"),
        (["--from", "02", "--output", "{tmp}/out"], "run 01 again, then 02"),
        (["--output", "{tmp}/file"], "{tmp}/file"),
        (["--data", ""], "error: "),
        (["-p", "STEPS"], "error: "),
        (["--dat", "/"], "error: "),
    ],
)
def test_a_wrong_command_line_is_refused_in_one_sentence(
    folder, tmp_path, capsys, arguments, message
):
    (tmp_path / "file").write_text("")
    try:
        code = main([part.replace("{tmp}", str(tmp_path)) for part in arguments], folder)
    except SystemExit as stopped:
        code = stopped.code
    out, err = capsys.readouterr()
    assert (code, out) == (2, "")
    assert message.replace("{tmp}", str(tmp_path)) in err.splitlines()[-1]


@pytest.mark.parametrize("fault", ["results need another", "train.csv", "no folder train"])
def test_a_wrong_collection_or_results_in_it_are_refused_before_anything_starts(
    folder, tmp_path, capsys, fault
):
    data = write_collection(tmp_path / "mine")
    places = [tmp_path / "out"]
    if fault == "train.csv":
        (data / "train.csv").write_text("id,attribute_ids\na,0\nb,7\n")
    elif fault == "no folder train":
        (data / "train").rmdir()
    else:
        places = [data, data / "train", data / "test/new"]
    before = sorted(tmp_path.rglob("*"))
    for place in places:
        assert main(["--data", str(data), "--output", str(place)], folder) == 2
        out, err = capsys.readouterr()
        assert out == ""
        assert fault in err
    assert sorted(tmp_path.rglob("*")) == before


def test_the_list_shows_defaults_and_meanings(folder, capsys):
    assert main(["--list"], folder) == 0
    assert "  RATE             0.5                    how fast" in capsys.readouterr().out


def test_packages_that_take_seconds_are_imported_where_they_are_needed():
    """By the command line none of these, by the pipeline no torch, by a labeller no figures."""
    late = {
        "imet_tools.pipeline.__main__": {"torch", "papermill", "pandas", "yaml", "numpy"},
        "imet_tools.pipeline.execution": {"torch", "matplotlib", "scipy"},
        "imet_utils.labeller": {"timm", "torchvision", "matplotlib"},
    }
    code = "import sys, importlib\nfound = set()\n"
    code += f"for name, late in {late}.items():\n    importlib.import_module(name)\n"
    code += "    found |= {(name, package) for package in late & sys.modules.keys()}\nprint(found)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert loaded.stdout == "set()\n", loaded.stderr
