"""Run one notebook with papermill and leave its executed copy, also when it fails."""

import json
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import papermill
from ipykernel.kernelspec import write_kernel_spec
from nbconvert.filters import strip_ansi
from papermill.exceptions import PapermillExecutionError

LAST_LINES = 10  # of a traceback that go to the console


@contextmanager
def kernel_environment(project_dir: Path) -> Iterator[None]:
    """Make kernels started inside run this very Python, find `imet_utils`, and write plain lines.

    A kernel called `python3` may be registered for another interpreter, and the user's folder
    would win over the virtual environment's; `JUPYTER_PATH` is looked at before both.
    """
    with TemporaryDirectory(prefix="imet_kernel_") as folder:
        write_kernel_spec(Path(folder, "kernels/python3"))
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
    """
    unfinished = copy.with_name(f".{copy.stem}.{os.getpid()}.tmp.ipynb")
    try:
        papermill.execute_notebook(
            notebook,
            unfinished,
            parameters=dict(values),
            kernel_name="python3",
            cwd=notebook.parent,
            progress_bar=False,
            stdout_file=sys.stdout,
            stderr_file=sys.stderr,
        )
    except PapermillExecutionError as error:
        lines = strip_ansi("\n".join(error.traceback)).rstrip().splitlines()
        return "\n".join(lines[-LAST_LINES:])
    except RuntimeError as error:  # nbclient's DeadKernelError, or no kernel came up
        return f"{type(error).__name__}: {error} (was there enough memory?)"
    finally:
        if unfinished.exists():
            _name_copy(unfinished, copy)
            os.replace(unfinished, copy)
    return None


def _name_copy(unfinished: Path, copy: Path) -> None:
    """Let papermill's record in the copy name the copy instead of the temporary file."""
    content = json.loads(unfinished.read_text(encoding="utf-8"))
    content["metadata"]["papermill"]["output_path"] = str(copy)
    unfinished.write_text(json.dumps(content, indent=1, ensure_ascii=False), encoding="utf-8")
