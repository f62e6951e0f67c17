import os
import signal
import subprocess
import sys
import time

import nbformat
import psutil
import pytest
from tiny_notebooks import write_notebook

from imet_utils.execution import execute, kernel_environment
from imet_utils.pipeline import PROJECT_DIR


def test_the_environment_is_as_before_afterwards(monkeypatch):
    monkeypatch.setenv("JUPYTER_PATH", "/elsewhere")
    monkeypatch.delenv("PYTHONPATH", raising=False)
    before = dict(os.environ)
    with kernel_environment(PROJECT_DIR):
        assert os.environ["JUPYTER_PATH"].endswith(":/elsewhere")
        assert os.environ["PYTHONPATH"] == str(PROJECT_DIR)
    assert dict(os.environ) == before


def test_another_kernel_of_the_same_name_is_not_taken(tmp_path, monkeypatch, capsys):
    folder = tmp_path / "jupyter/kernels/python3"
    folder.mkdir(parents=True)
    (folder / "kernel.json").write_text(
        '{"argv": ["/bin/false"], "display_name": "other", "language": "python"}'
    )
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path / "jupyter"))
    notebook = write_notebook(tmp_path / "01_a_b.ipynb", "import sys\nprint(sys.executable)")
    with kernel_environment(PROJECT_DIR):
        assert execute(notebook, tmp_path / "copy.ipynb", {}) is None
    assert capsys.readouterr().out == f"{sys.executable}\n"


def test_what_a_child_of_the_kernel_prints_comes_once(tmp_path, capfd, monkeypatch):
    monkeypatch.delenv("PYTEST_CURRENT_TEST")  # with it, ipykernel leaves children's output alone
    code = "import subprocess, time\nsubprocess.run(['echo', 'hello'])\ntime.sleep(1)"
    notebook = write_notebook(tmp_path / "01_a_b.ipynb", code)
    with kernel_environment(PROJECT_DIR):
        assert execute(notebook, tmp_path / "copy.ipynb", {}) is None
    assert capfd.readouterr().out.count("hello") == 1


def test_the_death_of_a_kernel_is_told_and_recorded(tmp_path):
    code = "import os, signal\nos.kill(os.getpid(), signal.SIGKILL)"
    notebook = write_notebook(tmp_path / "01_a_b.ipynb", "first = 1", code, "never = 1")
    with kernel_environment(PROJECT_DIR):
        reason = execute(notebook, tmp_path / "copy.ipynb", {})
    assert reason == "DeadKernelError: Kernel died. Was there enough memory?"
    copy = nbformat.read(tmp_path / "copy.ipynb", as_version=4)
    assert copy.metadata.papermill.exception is True
    assert [len(cell.outputs) for cell in copy.cells] == [0, 1, 0]
    assert copy.cells[1].outputs[0].traceback == [reason]


@pytest.fixture
def running(tmp_path):
    """Start a pipeline whose one notebook sleeps; return its process and that of the kernel."""
    code = "import os, time\nprint(os.getpid(), flush=True)\ntime.sleep(60)"
    write_notebook(tmp_path / "01_a_b.ipynb", 'OUTPUT_DIR: str = ""  # the results', code)
    program = f"""
import runpy, pathlib, imet_utils.plan as plan, signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's jobs behind & ignore it
found = plan.find_notebooks(pathlib.Path({str(tmp_path)!r}))
plan.find_notebooks = lambda folder: found
runpy.run_path({str(PROJECT_DIR / "imet_utils/pipeline.py")!r}, run_name="__main__")
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
    assert "--from NN continues" in err.splitlines()[-1]
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
