"""Notebooks in kernels: how they fail, are interrupted and killed, and what they print."""

import os
import signal
import subprocess
import sys
import time

import nbformat
import psutil
import pytest
from tiny_notebooks import write_notebook

from imet_tools.pipeline.execution import BarsAsLines, execute, kernel_environment
from imet_utils.runs import PROJECT_DIR


def run(tmp_path, *cells):
    """Run a notebook of these cells; return the reason of its failure, and its executed copy."""
    notebook = write_notebook(tmp_path / "01_a_b.ipynb", *cells)
    with kernel_environment():
        reason = execute(notebook, tmp_path / "copy.ipynb", {})
    return reason, nbformat.read(tmp_path / "copy.ipynb", as_version=4)


def test_the_environment_is_as_before_afterwards():
    before = dict(os.environ)
    with kernel_environment():
        assert os.environ["PYTHONPATH"].split(os.pathsep)[0] == str(PROJECT_DIR)
    assert dict(os.environ) == before


def test_another_kernel_of_the_same_name_is_not_taken(tmp_path, monkeypatch, capsys):
    folder = tmp_path / "jupyter/kernels/python3"
    folder.mkdir(parents=True)
    (folder / "kernel.json").write_text(
        '{"argv": ["/bin/false"], "display_name": "other", "language": "python"}'
    )
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path / "jupyter"))
    code = "import os, sys\nprint(sys.executable, os.environ.get('GOMP_SPINCOUNT'))"
    assert run(tmp_path, code)[0] is None
    spins = os.environ.get("GOMP_SPINCOUNT")
    assert capsys.readouterr().out == f"{sys.executable} {spins}\n"


def test_what_a_child_of_the_kernel_prints_comes_once(tmp_path, capfd, monkeypatch):
    monkeypatch.delenv("PYTEST_CURRENT_TEST")  # with it, ipykernel leaves children's output alone
    code = "import subprocess, time\nsubprocess.run(['echo', 'hello'])\ntime.sleep(1)"
    assert run(tmp_path, code)[0] is None
    assert capfd.readouterr().out.count("hello") == 1


def test_the_death_of_a_kernel_is_told_and_recorded(tmp_path):
    code = "import os, signal\nos.kill(os.getpid(), signal.SIGKILL)"
    reason, copy = run(tmp_path, "first = 1", code, "never = 1")
    assert reason == "DeadKernelError: Kernel died. Was there enough memory?"
    assert copy.metadata.papermill.exception is True
    assert [len(cell.outputs) for cell in copy.cells] == [0, 1, 0]
    assert copy.cells[1].outputs[0].traceback == [reason]


@pytest.mark.slow
def test_a_failure_is_told_by_its_sentence_first_and_a_short_traceback_after(tmp_path):
    reason, copy = run(
        tmp_path, "def use(text):\n" + "    text = text\n" * 30 + "    int(text)\nuse('x')"
    )
    lines = reason.splitlines()
    assert lines[0] == "ValueError: invalid literal for int() with base 10: 'x'"
    assert len(lines) < 15
    assert copy.metadata.papermill.exception is True


@pytest.mark.parametrize(
    ("variables", "told"),
    [
        ({}, "1000"),
        ({"GOMP_SPINCOUNT": "7"}, "7"),
        ({"OMP_WAIT_POLICY": "PASSIVE"}, "None"),
    ],
)
def test_the_package_tells_openmp_not_to_spin_unless_the_user_has_said(variables, told):
    code = "import imet_utils, os; print(os.environ.get('GOMP_SPINCOUNT'))"
    environment = {"PYTHONPATH": str(PROJECT_DIR)} | variables
    result = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True)
    assert result.stdout.decode().strip() == told


def test_bars_become_lines_in_a_log(capsys):
    log = BarsAsLines()
    for text in (
        "before\n",
        "\ra: 0/9 [00:00<?, ?it/s]",
        "\ra: 5/9 [00:10<00:08,  2.00s/it]   ",
        "\ra: 9/9 [00:18<00:00,  2.00s/it]",
        "\ra: 9/9 [00:18<00:00,  2.00s/it]",
        "\n",
        "after\n",
    ):
        log.write(text)
    log.flush()
    assert capsys.readouterr().out.splitlines() == [
        "before",
        "a: 5/9 [00:10<00:08,  2.00s/it]",
        "a: 9/9 [00:18<00:00,  2.00s/it]",
        "after",
    ]


@pytest.fixture
def running(tmp_path):
    """Start a pipeline whose one notebook sleeps; return its process and that of the kernel."""
    code = "import os, time\nprint(os.getpid(), flush=True)\ntime.sleep(60)"
    write_notebook(tmp_path / "01_a_b.ipynb", 'OUTPUT_DIR: str = ""  # the results', code)
    program = f"""
import runpy, pathlib, signal
import imet_tools.pipeline.parameters as parameters
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's jobs behind & ignore it
found = parameters.find_notebooks(pathlib.Path({str(tmp_path)!r}))
parameters.find_notebooks = lambda folder: found
runpy.run_module("imet_tools.pipeline", run_name="__main__")
"""
    environment = {**os.environ, "PYTHONPATH": str(PROJECT_DIR)}
    process = subprocess.Popen(
        [sys.executable, "-c", program, "--output", str(tmp_path / "out")],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
    )
    assert process.stdout.readline() == "[1/1] 01_a_b\n"
    yield process, int(process.stdout.readline())
    process.kill()
    process.communicate()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_leaves_its_copy_and_no_kernel(running, number):
    process, kernel = running
    process.send_signal(number)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "--from NN continues" in err  # an older client of kernels complains after it
    assert _ends(kernel)


def test_the_kernel_of_a_killed_run_is_killed_with_it(running):
    process, kernel = running
    process.kill()
    process.wait()
    assert _ends(kernel, within=0.3)  # ipykernel's own look at its parent takes a second


def _ends(process_id, within=10.0):
    """Wait until a process has ended, so many seconds at most."""
    stop = time.monotonic() + within
    while psutil.pid_exists(process_id):
        if psutil.Process(process_id).status() == psutil.STATUS_ZOMBIE:
            return True
        if time.monotonic() > stop:
            return False
        time.sleep(0.05)
    return True
