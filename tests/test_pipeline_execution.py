"""Notebooks in kernels: how they fail, are interrupted and killed, and what they print."""

import os
import signal
import subprocess
import sys

import nbformat
import pytest
from small_data import has_ended
from tiny_notebooks import write_notebook

from imet_tools.pipeline.execution import execute
from imet_utils.runs import PROJECT_DIR


def run(tmp_path, *cells):
    """Run a notebook of these cells; return the reason of its failure, and its executed copy."""
    notebook = write_notebook(tmp_path / "{a}/01_a_b.ipynb", *cells)
    reason = execute(notebook, tmp_path / "{b}.ipynb", {})
    return reason, nbformat.read(tmp_path / "{b}.ipynb", as_version=4)


def test_a_kernel_is_this_python_and_a_failure_is_told_in_short(tmp_path, monkeypatch, capfd):
    other = tmp_path / "kernels/python3/kernel.json"
    other.parent.mkdir(parents=True)
    other.write_text('{"argv": ["/bin/false"], "display_name": "other", "language": "python"}')
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path))
    monkeypatch.delenv("GOMP_SPINCOUNT", raising=False)  # so the package keeps OpenMP from spinning
    group = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "MASTER_ADDR", "MASTER_PORT")
    for name in group:
        monkeypatch.setenv(name, "1")  # as torchrun does
    monkeypatch.delenv("PYTEST_CURRENT_TEST")  # with it, ipykernel leaves children's output alone
    code = "import os, sys\nprint(sys.executable, os.environ['GOMP_SPINCOUNT'])\n"
    code += f"print(os.environ.keys() & {set(group)})"
    child = "import subprocess, time\nsubprocess.run(['echo', 'hello'])\ntime.sleep(0.5)"
    wrong = "def use(text):\n" + "    text = text\n" * 30 + "    int(text)\nuse('x')"
    reason, copy = run(tmp_path, code, child, wrong)
    assert capfd.readouterr().out == f"{sys.executable} 1000\nset()\nhello\n"
    assert reason.startswith("ValueError: invalid literal for int() with base 10: 'x'\n")
    assert reason.count("\n") < 14
    assert copy.metadata.papermill.exception is True


def test_the_death_of_a_kernel_is_reported_and_recorded(tmp_path):
    code = "import os, signal\nos.kill(os.getpid(), signal.SIGKILL)"
    reason, copy = run(tmp_path, "first = 1", code, "never = 1")
    assert reason.startswith("DeadKernelError: ")
    assert copy.metadata.papermill.exception is True
    assert [len(cell.outputs) for cell in copy.cells] == [0, 1, 0]
    assert copy.cells[1].outputs[0].traceback == [reason]


# Ctrl-C is heard also where the tests run in the background.
START = """
import runpy, signal, imet_utils.runs as runs
from pathlib import Path
signal.signal(signal.SIGINT, signal.default_int_handler)
runs.home_dir = lambda: Path({home!r})
runpy.run_module('imet_tools.pipeline', run_name='__main__')
"""


@pytest.fixture
def running(tmp_path):
    """Start a pipeline, under an ASCII locale, whose notebook prints its process and sleeps."""
    code = "import os, time\nfrom pathlib import Path\n"
    code += "Path('a').write_text('Łódź')\n"  # as another locale would refuse
    code += "print('Ł', os.getpid(), flush=True)\ntime.sleep(60)"
    write_notebook(tmp_path / "notebooks/01_a_b.ipynb", 'OUTPUT_DIR: str = ""', code)
    command = [sys.executable, "-c", START.format(home=str(tmp_path))]
    command += ["--output", str(tmp_path / "out")]
    variables = {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}
    variables |= {"PYTHONPATH": str(PROJECT_DIR), "PYTHONIOENCODING": "ascii"}
    options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    options |= {"env": os.environ | variables, "start_new_session": True}
    process = subprocess.Popen(command, **options)
    assert process.stdout.readline() == "[1/1] 01_a_b\n"
    sign, number = process.stdout.readline().split()
    assert sign == r"\u0141"
    yield process, int(number)
    process.kill()
    process.communicate()


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_leaves_a_line_its_copy_and_no_kernel(running, tmp_path, number):
    process, kernel = running
    os.killpg(process.pid, number)  # as Ctrl-C does
    out, err = process.communicate(timeout=30)
    assert (process.returncode, out) == (130, "")
    assert err == "\nrun_all.sh: interrupted; --from NN continues with that notebook.\n"
    assert (tmp_path / "out/notebooks/01_a_b.ipynb").is_file()
    assert (tmp_path / "notebooks/a").read_text(encoding="utf-8") == "Łódź"
    assert has_ended(kernel)


@pytest.mark.slow
def test_the_kernel_of_a_killed_run_is_killed_with_it(running):
    process, kernel = running
    process.kill()
    process.wait()
    assert has_ended(kernel, within=0.3)  # ipykernel's own look at its parent takes a second
