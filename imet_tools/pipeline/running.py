"""Run what a command line asks for: check it, run the notebooks in order, report."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter

from imet_tools.pipeline.execution import execute, kernel_environment
from imet_tools.pipeline.parameters import Plan
from imet_tools.pipeline.report import build_report, read_results, read_warnings
from imet_tools.pipeline.run_folder import (
    check_upstream,
    choose_folder,
    claim_folder,
    describe_run,
    is_up_to_date,
    save_record,
)
from imet_utils.progress import say
from imet_utils.tables import check_tables


@contextmanager
def prepare(plan: Plan) -> Iterator[Path]:
    """Check the collection and everything upstream, and yield the output folder, locked.

    An OSError if a part of the collection is missing, or the folder cannot be had; a ValueError if
    a table is wrong, or a notebook upstream must run first.
    """
    if data_dir := plan.find("DATA_DIR"):
        check_tables(data_dir)
        if not Path(data_dir, "train").is_dir():
            raise FileNotFoundError(f"{data_dir} has no folder train with the images.")
    output_dir = choose_folder(plan)
    if not plan.find("OUTPUT_DIR"):
        say(f"Results go to {output_dir}")
    with claim_folder(output_dir):
        check_upstream(output_dir, plan)
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
    with kernel_environment():
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
            reason = execute(plan.notebooks[stem], copy, values)
            seconds = perf_counter() - start
            save_record(output_dir, stem, record | {"seconds": round(seconds, 1)})
            if reason:
                say(f"\n{stem} failed after {seconds:.1f} s:\n\n{reason}\n")
                say(f"Its executed copy, with the full traceback: {copy}")
                return stem
            say(f"{stem}: {seconds:.1f} s\n")
    return None
