"""The command on two tiny notebooks: what it runs, says, leaves and refuses."""

import os
import subprocess
import sys

import nbformat
import pytest
from tiny_notebooks import write_chain, write_collection, write_notebook

from imet_tools.pipeline.__main__ import describe, main
from imet_tools.pipeline.parameters import make_plan
from imet_tools.pipeline.run_folder import claim_folder
from imet_utils.files import load_json
from imet_utils.runs import PROJECT_DIR


@pytest.fixture(scope="module")
def folder(module_path):
    return write_chain(module_path / "notebooks")


@pytest.fixture(scope="module")
def finished(folder, module_path):
    """Run the chain once in a process of its own, as `run_all.sh` does."""
    data = write_collection(module_path / "data")
    output = module_path / "results"
    options = ["--profile", "fast", "--data", str(data), "--output", str(output)]
    options += ["-p", "STEPS", "4"]
    return output, data, run(folder, *options)


def run(folder, *options):
    """Run the pipeline on a folder of notebooks, from somewhere else."""
    code = "import sys, pathlib; from imet_tools.pipeline.__main__ import main; "
    code += f"sys.exit(main(sys.argv[1:], pathlib.Path({str(folder)!r})))"
    command = [sys.executable, "-c", code, *options]
    environment = {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(PROJECT_DIR), "HOME": str(folder)}
    environment["PYDEVD_DISABLE_FILE_VALIDATION"] = "1"  # or older kernels warn of the debugger
    return subprocess.run(command, capture_output=True, text=True, env=environment, cwd=folder)


def test_the_whole_chain_runs_with_the_values_that_are_set(finished):
    output, data, result = finished
    assert result.returncode == 0, result.stderr
    assert (output / "number.txt").read_text() == f"0.4 {data}"
    assert (output / "results.csv").read_text() == "model,f2\n<urn>,0.4\n"


def test_the_console_shows_progress_times_and_results(finished, folder):
    output, _, result = finished
    lines = result.stdout.splitlines()
    assert lines[0] == "[1/2] 01_make_number"
    (counted,) = (line for line in lines if line.startswith("counting: "))
    assert counted.startswith("counting: 4/4 [00:00<00:00")
    assert f"{sys.executable} {folder} 1" in lines  # this Python, the notebooks' folder, headless
    assert any(line.startswith("02_use_number: ") and line.endswith(" s") for line in lines)
    assert "<urn> 0.400" in lines
    assert lines[-1].endswith(f"Report: {output}/report.html")
    assert result.stderr == ""


def test_executed_copies_have_outputs_and_only_their_final_names(finished, folder):
    output, _, _ = finished
    copies = sorted(path.name for path in (output / "notebooks").iterdir())
    assert copies == ["01_make_number.ipynb", "02_use_number.ipynb"]
    copy = nbformat.read(output / "notebooks" / copies[0], as_version=4)
    assert copy.metadata.papermill.output_path == str(output / "notebooks" / copies[0])
    assert "counting: 4/4" in "".join(output.get("text", "") for output in copy.cells[-1].outputs)
    source = nbformat.read(folder / copies[0], as_version=4)
    assert source.cells[-1].outputs == []


def test_the_report_is_there_and_escapes_names(finished):
    page = (finished[0] / "report.html").read_text()
    assert "&lt;urn&gt;" in page
    assert "<urn>" not in page


def test_the_record_tells_profile_and_all_parameters(finished):
    output, data, _ = finished
    records = load_json(output / "run.json")["notebooks"]
    first = {"DATA_DIR": str(data), "OUTPUT_DIR": str(output), "STEPS": 4, "RATE": 0.1}
    second = {"OUTPUT_DIR": str(output), "STEPS": 4, "LIMIT": None, "NAME": "urn"}
    assert [record["parameters"] for record in records.values()] == [first, second]
    assert {record["profile"] for record in records.values()} == {"fast"}


def test_a_part_of_a_run_does_not_show_the_results_of_an_earlier_one(folder, tmp_path, capsys):
    (tmp_path / "results.csv").write_text("model,f2\nearlier,0.777\n")
    assert main(["--output", str(tmp_path), "--to", "01"], folder) == 0
    out = capsys.readouterr().out
    assert "0.777" not in out
    assert f"The results will be in {tmp_path}/results.csv when 02_use_number has run" in out
    assert "0.777" not in (tmp_path / "report.html").read_text()


def test_a_second_run_into_a_folder_is_refused_and_changes_nothing(folder, tmp_path, capsys):
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "notebooks/01_make_number.ipynb").write_text("the first run's")
    with claim_folder(tmp_path):
        assert main(["--output", str(tmp_path)], folder) == 2
    assert f"{tmp_path} is in use by process {os.getpid()} since" in capsys.readouterr().err
    assert (tmp_path / "notebooks/01_make_number.ipynb").read_text() == "the first run's"
    assert load_json(tmp_path / "run.json")["notebooks"] == {}


def test_a_failure_names_the_notebook_the_error_and_the_way_on(folder, tmp_path, capsys):
    output = tmp_path / "out"
    (output / "notebooks").mkdir(parents=True)
    stale = output / "notebooks/02_use_number.ipynb"
    stale.write_text("an earlier run's")
    arguments = ["--output", str(output), "--from", "02", "-p", "STEPS", "100"]
    assert main(arguments, folder) == 1
    out = capsys.readouterr().out
    assert "02_use_number failed after" in out
    assert "AssertionError: too many steps" in out
    assert f"full traceback: {stale}" in out
    assert "--from 02" in out
    copy = nbformat.read(stale, as_version=4)
    assert copy.cells[-1].outputs[-1].ename == "AssertionError"
    assert "too many steps" in (output / "report.html").read_text()


def test_what_follows_a_failed_notebook_does_not_run(folder, tmp_path, capsys):
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "notebooks/02_use_number.ipynb").write_text("an earlier run's")
    (tmp_path / "number.txt").mkdir()  # so that the first notebook cannot write it
    assert main(["--output", str(tmp_path)], folder) == 1
    out = capsys.readouterr().out
    assert "[1/2] 01_make_number" in out
    assert "IsADirectoryError" in out
    assert "--from 01" in out
    assert "[2/2]" not in out
    assert not (tmp_path / "notebooks/02_use_number.ipynb").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["-p", "STEP", "3"], "No notebook declares STEP. Did you mean STEPS?"),
        (["-p", "STEPS", "few"], "STEPS is an int; 'few' is not."),
        (["--profile", "imte"], "There is no profile 'imte'. Profiles: fast, slow"),
        (["--data", "/nowhere"], "/nowhere/train.csv is missing"),
        (["--from", "12"], "--from 12 is none of the notebooks"),
        (["--from", "02", "--to", "01"], "--from 02 comes after --to 01."),
    ],
)
def test_a_wrong_command_line_is_refused_in_one_sentence(folder, capsys, arguments, message):
    assert main(arguments, folder) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert message in err
    assert len(err.splitlines()) == 1


@pytest.mark.parametrize(
    "arguments", [["--data", ""], ["--output", ""], ["tests"], ["-p", "STEPS"], ["--dat", "/"]]
)
def test_a_malformed_command_line_is_refused(folder, capsys, arguments):
    with pytest.raises(SystemExit) as stopped:
        main(arguments, folder)
    assert stopped.value.code == 2
    assert "error: " in capsys.readouterr().err


@pytest.mark.parametrize("place", ["", "train", "test/new"])
def test_results_do_not_go_among_the_raw_data(folder, tmp_path, capsys, place):
    data = write_collection(tmp_path / "mine")
    before = sorted(data.rglob("*"))
    assert main(["--data", str(data), "--output", str(data / place)], folder) == 2
    assert "results need another folder" in capsys.readouterr().err
    assert sorted(data.rglob("*")) == before


@pytest.mark.parametrize("fault", ["a label that is not there", "no images"])
def test_wrong_tables_are_refused_before_anything_starts(folder, tmp_path, capsys, fault):
    data = write_collection(tmp_path / "mine")
    if fault == "no images":
        (data / "train").rmdir()
    else:
        (data / "train.csv").write_text("id,attribute_ids\na,0\nb,7\n")
    assert main(["--data", str(data), "--output", str(tmp_path / "out")], folder) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert ("no folder train" if fault == "no images" else "train.csv") in err
    assert not (tmp_path / "out").exists()


def test_a_notebook_that_stands_on_nothing_is_refused_with_those_to_run_first(tmp_path, capsys):
    code = 'OUTPUT_DIR: str = ""  # the results'
    write_notebook(tmp_path / "notebooks/03_visualize_hog.ipynb", code)
    assert main(["--output", str(tmp_path / "out")], tmp_path / "notebooks") == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert "02_preprocess_images has not run to its end: run 02 again, then 03" in err


def test_an_output_that_cannot_be_a_folder_is_refused(folder, tmp_path, capsys):
    (tmp_path / "file").write_text("")
    assert main(["--output", str(tmp_path / "file")], folder) == 2
    assert "file" in capsys.readouterr().err


def test_a_refusal_loads_nothing_heavy(folder):
    result = run(folder, "-p", "STEP", "3")
    assert result.returncode == 2
    code = "import imet_tools.pipeline.__main__, sys; "
    code += "print(sorted({'torch', 'papermill', 'pandas', 'yaml'} & sys.modules.keys()))"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert loaded.stdout == "[]\n"  # so that --help needs no package


def test_the_list_shows_defaults_and_meanings(folder, capsys):
    assert main(["--list"], folder) == 0
    out = capsys.readouterr().out
    assert out == describe(make_plan(folder).declared) + "\n"
    assert "01_make_number\n" in out
    assert "  RATE             0.5                    how fast\n" in out
