import os
import signal
import subprocess
import sys
import time

import nbformat
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


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_leaves_its_copy_and_no_kernel(tmp_path, number):
    code = "import os, time\nprint(os.getpid(), flush=True)\ntime.sleep(60)"
    write_notebook(tmp_path / "01_a_b.ipynb", code)
    program = f"""
import runpy, pathlib, imet_utils.plan as plan, sys
found = plan.find_notebooks(pathlib.Path({str(tmp_path)!r}))
plan.find_notebooks = lambda folder: found
runpy.run_path({str(PROJECT_DIR / "imet_utils/pipeline.py")!r}, run_name="__main__")
"""
    environment = {**os.environ, "PYTHONPATH": str(PROJECT_DIR)}
    process = subprocess.Popen(
        [sys.executable, "-c", program],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
    )
    assert process.stdout.readline() == "[1/1] 01_a_b\n"
    kernel = int(process.stdout.readline())
    process.send_signal(number)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "--from NN continues" in err.splitlines()[-1]
    assert _ends(kernel)


def _ends(process_id):
    """Wait until a process is gone, ten seconds at most."""
    for _ in range(100):
        try:
            os.kill(process_id, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.1)
    return False
