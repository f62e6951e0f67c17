"""Run what a command line asks for: check it, run the notebooks in order, report."""

import os
import re
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter
from typing import Any

import nbformat
from ipykernel.kernelspec import get_kernel_dict
from jupyter_client import AsyncKernelManager
from jupyter_client.kernelspec import KernelSpec
from nbconvert.filters import strip_ansi
from nbformat import NotebookNode
from papermill.engines import NBClientEngine
from papermill.exceptions import PapermillExecutionError
from papermill.execute import prepare_notebook_metadata, raise_for_execution_errors
from papermill.iorw import load_notebook_node
from papermill.parameterize import parameterize_notebook
from traitlets.config import Config

from imet_tools.pipeline.parameters import Plan, declared_upstream
from imet_tools.pipeline.report import build_report, read_results, read_warnings
from imet_tools.pipeline.run_folder import claim_folder, describe_run, is_up_to_date, save_record
from imet_utils.files import atomic_path
from imet_utils.progress import say
from imet_utils.provenance import RECORD as PROVENANCE
from imet_utils.provenance import current_data, list_upstream, stale_reason
from imet_utils.runs import PROJECT_DIR, find_data_dir, find_output_dir
from imet_utils.tables import check_tables

LAST_LINES = 8  # of a traceback that go to the console
BAR = re.compile(r"(\r[^\r\n]+)")
NOT_BEGUN = "<?, ?"
KERNEL_VARIABLES = {
    "PYTHONUTF8": "1",  # else a Latin-1 locale decides what a notebook can print and read
    "TQDM_MININTERVAL": "10",
    "TQDM_BAR_FORMAT": "{desc}: {n_fmt}/{total_fmt} [{elapsed}<{remaining}, {rate_fmt}{postfix}]",
}


@contextmanager
def prepare(plan: Plan) -> Iterator[Path]:
    """Check the collection and everything upstream, and yield the output folder, locked.

    An OSError if a part of the collection is missing, or the folder cannot be had; a ValueError if
    a table is wrong, or a notebook upstream must run first.
    """
    data_dir, given = plan.find("DATA_DIR"), plan.find("OUTPUT_DIR")
    if data_dir:
        check_tables(data_dir)
        if not Path(data_dir, "train").is_dir():
            raise FileNotFoundError(f"{data_dir} has no folder train with the images.")
    output_dir = find_output_dir(given)
    if output_dir.is_relative_to(find_data_dir(data_dir)):
        raise ValueError(f"{output_dir} is within the collection; results need another folder.")
    if not given:
        say(f"Results go to {output_dir}")
    with claim_folder(output_dir):
        first, path = next(iter(plan.notebooks.items()))
        upstream = list_upstream(output_dir, declared_upstream(path))
        data = current_data(output_dir, upstream, Path(data_dir) if data_dir else None)
        if reason := stale_reason(output_dir, first, upstream, data):
            raise ValueError(reason)
        yield output_dir


def run_and_report(plan: Plan, output_dir: Path, anew: bool) -> int:
    """Run the notebooks, `anew` also those that are up to date, report, return the exit code."""
    start = perf_counter()
    failed = run_plan(plan, output_dir, anew)
    report = build_report(output_dir)
    if failed:
        say(f"The report of what ran: {report}")
        say(f"To continue: the same command with --from {failed[:2]}")
        return 1
    results = read_results(output_dir)
    if results is None:
        say(f"{output_dir / 'results.csv'} is not written yet: a later notebook makes it.\n")
    else:
        table = results.set_index(results.columns[0]).rename_axis(None)
        say(table.to_string(float_format="{:.3f}".format, na_rep="") + "\n")
        say("".join(f"Warning: {warning}\n" for warning in read_warnings(output_dir)))
    say(f"All done in {perf_counter() - start:.0f} s. Report: {report}")
    return 0


def run_plan(plan: Plan, output_dir: Path, anew: bool) -> str | None:
    """Run the notebooks until one fails; return the failed one's name, or None.

    The executed copies of outdated notebooks are removed first, so that `output_dir/notebooks`
    never shows what this run has not reached yet.
    """
    copies = {stem: output_dir / "notebooks" / f"{stem}.ipynb" for stem in plan.notebooks}
    for stem, copy in copies.items():
        if anew or not is_up_to_date(output_dir, plan, stem):
            copy.unlink(missing_ok=True)
    for number, (stem, copy) in enumerate(copies.items(), start=1):
        if is_up_to_date(output_dir, plan, stem):
            say(f"[{number}/{len(copies)}] {stem} is up to date\n")
            continue
        say(f"[{number}/{len(copies)}] {stem}")
        start = perf_counter()
        values = plan.values[stem]
        if "OUTPUT_DIR" in plan.declared[stem]:
            values = values | {"OUTPUT_DIR": str(output_dir)}
        record = describe_run(plan.profile, plan.defaults(stem) | values)
        save_record(output_dir, stem, record)
        (output_dir / stem / PROVENANCE).unlink(missing_ok=True)  # also if its first cell fails
        reason = execute(plan.notebooks[stem], copy, values)
        seconds = perf_counter() - start
        save_record(output_dir, stem, record | {"seconds": round(seconds, 1)})
        if reason:
            say(f"\n{stem} failed after {seconds:.1f} s:\n\n{reason}\n")
            say(f"Its executed copy, with the full traceback: {copy}")
            return stem
        say(f"{stem}: {seconds:.1f} s\n")
    return None


class OwnKernel(AsyncKernelManager):
    """Starts this very Python, so that it finds `imet_utils`, and has it write for logs.

    A kernel called `python3` may be registered for another interpreter. Each kernel is one process
    that dies with this one, see `imet_tools.pipeline.kernel`.
    """

    @property
    def kernel_spec(self) -> KernelSpec:
        """What is started, whatever is registered."""
        argv = [sys.executable, "-P", "-m", "imet_tools.pipeline.kernel", "-f", "{connection_file}"]
        paths = os.pathsep.join(filter(None, [str(PROJECT_DIR), os.environ.get("PYTHONPATH")]))
        variables = KERNEL_VARIABLES | {"PYTHONPATH": paths.replace("$", "$$")}  # of a template
        return KernelSpec(**get_kernel_dict() | {"argv": argv, "env": variables})


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


def execute(notebook: Path, copy: Path, values: Mapping[str, Any]) -> str | None:
    """Run a notebook in its own folder, pass on what it prints at once, and write its copy.

    Returns:
        What failed, in one sentence, and the last lines of the traceback; None if every cell ran.
    """
    executed = load_notebook_node(str(notebook))
    if values:
        executed = parameterize_notebook(
            executed, dict(values), kernel_name="python3", language="python"
        )
    prepare_notebook_metadata(executed, str(notebook), str(copy))
    reason: str | None = "The run was interrupted."
    try:
        NBClientEngine.execute_notebook(
            executed,
            "python3",
            progress_bar=False,
            stdout_file=BarsAsLines(),
            stderr_file=sys.stderr,
            resources={"metadata": {"path": str(notebook.parent)}},
            kernel_manager_class=OwnKernel,
            config=Config(OwnKernel={"transport_encryption": "auto"}),
        )
        raise_for_execution_errors(executed, None)
        reason = None
    except PapermillExecutionError as error:
        sentence = f"{error.ename}: {error.evalue}"
        lines = strip_ansi("\n".join(error.traceback)).removesuffix(sentence).rstrip().splitlines()
        reason = "\n".join([sentence, "", *lines[-LAST_LINES:]])
    except RuntimeError as error:  # nbclient's DeadKernelError, or no kernel came up
        reason = f"{type(error).__name__}: {error}. Was there enough memory?"
    finally:
        executed.metadata.papermill.exception = reason is not None
        if reason:
            _show_reason(executed, reason)
        with atomic_path(copy) as temporary:
            nbformat.write(executed, temporary)
    return reason


def _show_reason(notebook: NotebookNode, reason: str) -> None:
    """Give the last cell that ran an error output, which a dead kernel does not leave."""
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    started = [cell for cell in code if cell.metadata.papermill.get("start_time")]
    if started and all(output.output_type != "error" for output in started[-1].outputs):
        ename, _, evalue = reason.partition(": ")
        error = nbformat.v4.new_output("error", ename=ename, evalue=evalue, traceback=[reason])
        started[-1].outputs.append(error)
