"""Run one notebook with papermill and leave its executed copy, also when it fails."""

import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import nbformat
import papermill
import zmq
from ipykernel.kernelspec import write_kernel_spec
from jupyter_client import AsyncKernelManager
from nbconvert.filters import strip_ansi
from papermill.exceptions import PapermillExecutionError
from traitlets.config import Config

from imet_utils.runs import atomic_path
from imet_utils.unfinished import temporary_path

LAST_LINES = 10  # of a traceback that go to the console


@contextmanager
def kernel_environment(project_dir: Path) -> Iterator[None]:
    """Make kernels started inside run this very Python, find `imet_utils`, and write plain lines.

    They die with this process (`imet_utils.kernel`). A kernel called `python3` may be registered
    for another interpreter, and the user's folder would win over the virtual environment's;
    `JUPYTER_PATH` is looked at before both.
    """
    with TemporaryDirectory(prefix="imet_kernel_") as folder:
        kernel = [sys.executable, "-P", "-m", "imet_utils.kernel", "-f", "{connection_file}"]
        write_kernel_spec(Path(folder, "kernels/python3"), overrides={"argv": kernel})
        found = {name: os.environ.get(name, "") for name in ("JUPYTER_PATH", "PYTHONPATH")}
        changes = {
            "JUPYTER_PATH": os.pathsep.join(filter(None, [folder, found["JUPYTER_PATH"]])),
            "PYTHONPATH": os.pathsep.join(filter(None, [str(project_dir), found["PYTHONPATH"]])),
            "IMET_HEADLESS": "1",
        }
        before = dict(os.environ)
        os.environ.update(changes)
        try:
            yield
        finally:
            os.environ.clear()
            os.environ.update(before)


def execute(notebook: Path, copy: Path, values: Mapping[str, object]) -> str | None:
    """Run a notebook in its own folder, with what it prints passed on as it comes.

    Args:
        notebook: to run.
        copy: where the executed copy goes; it appears under this name only when the run is over.
        values: its parameters.

    Returns:
        The last lines of the failure, or None if every cell ran.

    Raises:
        OSError: if the copy cannot be written.
    """
    unfinished = temporary_path(copy)
    reason: str | None = "The run was interrupted."
    try:
        papermill.execute_notebook(
            notebook,
            unfinished,
            parameters=dict(values),
            kernel_name="python3",
            language="python",
            cwd=notebook.parent,
            progress_bar=False,
            config=Config(AsyncKernelManager=_encryption()),
            stdout_file=sys.stdout,
            stderr_file=sys.stderr,
        )
        reason = None
    except PapermillExecutionError as error:
        lines = strip_ansi("\n".join(error.traceback)).rstrip().splitlines()
        reason = "\n".join(lines[-LAST_LINES:])
    except OSError:  # the copy cannot be written
        unfinished.unlink(missing_ok=True)
        raise
    except RuntimeError as error:  # nbclient's DeadKernelError, or no kernel came up
        reason = f"{type(error).__name__}: {error}. Was there enough memory?"
    finally:
        if unfinished.exists():
            _finish_copy(unfinished, copy, reason)
    return reason


def _encryption() -> dict[str, str]:
    """Ask for encrypted talk with the kernel, where the installed versions can do it."""
    possible = "transport_encryption" in AsyncKernelManager.class_trait_names() and zmq.has("curve")
    return {"transport_encryption": "auto"} if possible else {}


def _finish_copy(unfinished: Path, copy: Path, reason: str | None) -> None:
    """Give an executed copy its name, with the reason in it if its run failed.

    papermill records an exception in a cell by itself, but not the death of a kernel.
    """
    notebook = nbformat.read(unfinished, as_version=4)
    notebook.metadata.papermill.output_path = str(copy)
    notebook.metadata.papermill.exception = reason is not None
    started = [
        cell
        for cell in notebook.cells
        if cell.cell_type == "code" and cell.metadata.get("papermill", {}).get("start_time")
    ]
    outputs = [output for cell in started for output in cell.outputs]
    if reason and started and all(output.output_type != "error" for output in outputs):
        error = nbformat.v4.new_output("error", ename="Stopped", evalue="", traceback=[reason])
        started[-1].outputs.append(error)
    with atomic_path(copy) as temporary:
        nbformat.write(notebook, temporary)
    unfinished.unlink(missing_ok=True)
