"""Run one notebook with papermill and leave its executed copy, also when it fails."""

import os
import re
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import nbformat
import papermill
from ipykernel.kernelspec import write_kernel_spec
from nbconvert.filters import strip_ansi
from papermill.exceptions import PapermillExecutionError
from traitlets.config import Config

from imet_utils.files import atomic_path, temporary_path
from imet_utils.runs import PROJECT_DIR

LAST_LINES = 8  # of a traceback that go to the console
BAR = re.compile(r"(\r[^\r\n]+)")
NOT_BEGUN = "<?, ?"
PROCESS_GROUP = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "MASTER_ADDR", "MASTER_PORT")  # torchrun's
KERNEL_VARIABLES = {
    "PYTHONUTF8": "1",  # else a Latin-1 locale decides what a notebook can print and read
    "TQDM_MININTERVAL": "10",
    "TQDM_BAR_FORMAT": "{desc}: {n_fmt}/{total_fmt} [{elapsed}<{remaining}, {rate_fmt}{postfix}]",
}


class BarsAsLines:
    """Standard output for logs: a bar becomes a line of its own each time it is redrawn."""

    def __init__(self) -> None:
        self.drawn = ""  # the bar that has no line break yet

    def write(self, text: str) -> None:
        """Write text, with a line for each bar in it but those that have not begun."""
        for part in BAR.split(text):
            if part.startswith("\r"):
                line = part.strip()
                if line != self.drawn and NOT_BEGUN not in line:
                    sys.stdout.write(line + "\n")
                self.drawn = line
            elif part:
                sys.stdout.write(part.removeprefix("\n") if self.drawn else part)
                self.drawn = ""

    def flush(self) -> None:
        """Write at once, also where it goes through a pipe."""
        sys.stdout.flush()


@contextmanager
def kernel_environment() -> Iterator[None]:
    """Make kernels started inside run this very Python, find `imet_utils`, and write for logs.

    A kernel called `python3` may be registered for another interpreter, and the user's folder would
    win over the virtual environment's; `JUPYTER_PATH` is searched before both. Each kernel is one
    process that belongs to no group, and dies with this one (`imet_tools.pipeline.kernel`).
    """
    before = dict(os.environ)
    with TemporaryDirectory(prefix="imet_kernel_") as folder:
        kernel = [sys.executable, "-P", "-m", "imet_tools.pipeline.kernel", "-f"]
        argv = {"argv": [*kernel, "{connection_file}"]}
        write_kernel_spec(Path(folder, "kernels/python3"), overrides=argv)
        for name in PROCESS_GROUP:
            os.environ.pop(name, None)
        os.environ.update(KERNEL_VARIABLES)
        for name, first in (("JUPYTER_PATH", folder), ("PYTHONPATH", str(PROJECT_DIR))):
            os.environ[name] = os.pathsep.join(filter(None, [first, before.get(name)]))
        try:
            yield
        finally:
            os.environ.clear()
            os.environ.update(before)


def execute(notebook: Path, copy: Path, values: Mapping[str, Any]) -> str | None:
    """Run a notebook in its own folder, and pass on what it prints at once.

    Returns:
        What failed, in one sentence, and the last lines of the traceback; None if every cell ran.
        The executed copy is at `copy` then, unless an OSError tells why it cannot be written.
    """
    unfinished = temporary_path(copy)
    reason: str | None = "The run was interrupted."
    try:
        papermill.execute_notebook(
            _without_fields(notebook),
            _without_fields(unfinished),
            parameters=dict(values),
            kernel_name="python3",
            language="python",
            cwd=notebook.parent,
            progress_bar=False,
            config=Config(AsyncKernelManager={"transport_encryption": "auto"}),
            stdout_file=BarsAsLines(),
            stderr_file=sys.stderr,
        )
        reason = None
    except PapermillExecutionError as error:
        sentence = f"{error.ename}: {error.evalue}"
        lines = strip_ansi("\n".join(error.traceback)).removesuffix(sentence).rstrip().splitlines()
        reason = "\n".join([sentence, "", *lines[-LAST_LINES:]])
    except OSError:  # the copy cannot be written
        unfinished.unlink(missing_ok=True)
        raise
    except RuntimeError as error:  # nbclient's DeadKernelError, or no kernel came up
        reason = f"{type(error).__name__}: {error}. Was there enough memory?"
    finally:
        if unfinished.exists():
            _finish_copy(unfinished, copy, reason)
    return reason


def _without_fields(path: Path) -> str:
    """Double the braces of a path, in which papermill puts parameters."""
    return str(path).replace("{", "{{").replace("}", "}}")


def _finish_copy(unfinished: Path, copy: Path, reason: str | None) -> None:
    """Rename an executed copy, and add the death of a kernel, which papermill does not record."""
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
        ename, _, evalue = reason.partition(": ")
        error = nbformat.v4.new_output("error", ename=ename, evalue=evalue, traceback=[reason])
        started[-1].outputs.append(error)
    with atomic_path(copy) as temporary:
        nbformat.write(notebook, temporary)
    unfinished.unlink(missing_ok=True)
