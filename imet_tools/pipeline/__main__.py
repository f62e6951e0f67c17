"""Run the notebooks one after the other: `python -m imet_tools.pipeline`, or `./run_all.sh`."""

import argparse
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from time import perf_counter

from imet_tools.pipeline.parameters import Declared, Plan, make_plan

OUTPUT_HELP = "where all results go (default: outputs of the repository or of the current folder)"
EPILOG = """\
examples:
  ./run_all.sh                                  the whole pipeline on the sample collection
  ./run_all.sh --profile imet --data DIR        the full competition data
  ./run_all.sh --data DIR --output DIR --from 06 -p BEAM_SIZE 8
  ./run_all.sh --list                           the notebooks and their parameters
  ./run_all.sh collect DIR                      real images from a museum; --help tells how
  ./run_all.sh label IMAGES --output DIR        labels for new images; export hands the model on
  ./run_all.sh correct --output DIR             apply a person's verdicts on doubted labels
  ./run_all.sh kaggle USER                      what Kaggle needs to run it without a network
  ./run_all.sh test [pytest's arguments]        all tests
  ./run_all.sh lint                             check style and that notebooks hold no outputs
  ./run_all.sh setup [dev]                      only install what is needed

exit code: 0 all notebooks ran, 1 one failed, 2 the command line was refused, 130 interrupted
"""


def build_parser() -> argparse.ArgumentParser:
    """Describe the command line."""
    parser = argparse.ArgumentParser(
        prog="run_all.sh",
        description="Run all notebooks in order, collect their results and write a report.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("--profile", metavar="NAME", help="notebooks/profiles/NAME.yaml, or a path")
    add("--data", type=given, metavar="DIR", help="a collection in the layout of iMet 2019")
    add("--output", type=given, metavar="DIR", help=OUTPUT_HELP)
    add("--from", dest="first", metavar="NN", help="start at this notebook")
    add("--to", dest="last", metavar="NN", help="stop after this notebook")
    set_help = "set a parameter in every notebook that declares it; may be repeated"
    pair = ("NAME", "VALUE")
    add("-p", dest="set", nargs=2, action="append", default=[], metavar=pair, help=set_help)
    add("--list", action="store_true", help="show notebooks and parameters")
    return parser


def given(text: str) -> str:
    """Refuse an empty path, which would stand for the sample; it comes of an unset variable."""
    if not text:
        raise argparse.ArgumentTypeError("the path is empty")
    return text


def describe(declared: Declared) -> str:
    """List the notebooks with their parameters, defaults and meanings."""
    lines = []
    for stem, parameters in declared.items():
        lines.append(stem)
        for found in parameters.values():
            lines.append(f"  {found.name:16} {found.default!r:22} {found.comment}")
    return "\n".join(lines)


def main(arguments: Sequence[str], folder: Path | None = None) -> int:
    """Run the pipeline.

    Args:
        arguments: the command line, without the program's name.
        folder: where the notebooks and their profiles are; `notebooks` of `home_dir` by default.

    Returns:
        The exit code: 0 if all ran, 1 if a notebook failed, 2 if the command line was refused.
    """
    args = build_parser().parse_args(arguments)
    overrides = dict(args.set)
    overrides |= {} if args.data is None else {"DATA_DIR": args.data}
    overrides |= {} if args.output is None else {"OUTPUT_DIR": args.output}
    running = False
    from imet_utils.runs import home_dir  # all imports of this kind: --help needs no package

    folder = folder or home_dir() / "notebooks"
    try:
        plan = make_plan(folder, args.first, args.last, args.profile, overrides)
        if args.list:
            say(describe(plan.declared))
            return 0
        check_collection(plan.find("DATA_DIR"))
        from imet_tools.pipeline.run_folder import check_upstream, choose_folder, claim_folder

        output_dir = choose_folder(plan)
        if not plan.find("OUTPUT_DIR"):
            say(f"Results go to {output_dir}")
        with claim_folder(output_dir):
            check_upstream(output_dir, plan)
            running = True
            return run_and_report(plan, output_dir, anew=args.first is not None)
    except (ValueError, OSError) as error:
        if running and isinstance(error, ValueError):  # no fault of the command line
            raise
        sys.stderr.write(f"run_all.sh: {error}\n")
        return 1 if running else 2


def check_collection(data_dir: str) -> None:
    """Refuse a collection without tables or images, or with wrong tables, before anything starts.

    Args:
        data_dir: its folder; "" for a collection that is not the user's.

    Raises:
        OSError: if a part is missing.
        ValueError: if a table is wrong.
    """
    from imet_utils.tables import check_tables

    if data_dir:
        check_tables(data_dir)
        if not Path(data_dir, "train").is_dir():
            raise FileNotFoundError(f"{data_dir} has no folder train with the images.")


def run_and_report(plan: Plan, output_dir: Path, anew: bool) -> int:
    """Run the notebooks, write the report, and return the exit code.

    Args:
        plan: what to run.
        output_dir: of the run.
        anew: also those whose results are up to date.
    """
    from imet_tools.pipeline.report import build_report, read_results, read_warnings

    start = perf_counter()
    failed = run_plan(plan, output_dir, anew)
    complete = not failed and makes_results(output_dir)
    report = build_report(output_dir, complete)
    if failed:
        say(f"The report of what ran: {report}")
        say(f"To continue: the same command with --from {failed[:2]}")
        return 1
    if not complete:
        say(f"{output_dir / 'results.csv'} is written by a later notebook.\n")
    elif (results := read_results(output_dir)) is not None:
        table = results.set_index(results.columns[0]).rename_axis(None)
        say(table.to_string(float_format="{:.3f}".format, na_rep="") + "\n")
        say("".join(f"Warning: {warning}\n" for warning in read_warnings(output_dir)))
    say(f"All done in {perf_counter() - start:.0f} s. Report: {report}")
    return 0


def makes_results(output_dir: Path) -> bool:
    """Tell whether a notebook that has run to its end, on what is there now, made `results.csv`."""
    from imet_utils.provenance import list_records, stale_reason

    makers = [
        name
        for name, record in list_records(output_dir).items()
        if "results.csv" in record["products"]
    ]
    return any(not stale_reason(output_dir, name, [name]) for name in makers)


def run_plan(plan: Plan, output_dir: Path, anew: bool) -> str | None:
    """Run the notebooks until one fails; return the failed one's name, or None.

    The executed copies of an earlier run are removed first, but for those that are up to date, so
    that `output_dir/notebooks` never shows what this run has not reached yet.
    """
    from imet_tools.pipeline.execution import execute, kernel_environment
    from imet_tools.pipeline.run_folder import is_up_to_date, record_end, record_start

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
            defaults = {name: found.default for name, found in plan.declared[stem].items()}
            record_start(output_dir, stem, plan.profile, defaults | values)
            reason = execute(plan.notebooks[stem], copy, values)
            seconds = perf_counter() - start
            record_end(output_dir, stem, seconds)
            if reason:
                say(f"\n{stem} failed after {seconds:.1f} s:\n\n{reason}\n")
                say(f"Its executed copy, with the full traceback: {copy}")
                return stem
            say(f"{stem}: {seconds:.1f} s\n")
    return None


def say(text: str) -> None:
    """Write a line to the console at once, also where it goes through a pipe."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # a scheduler's end is like Ctrl-C
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.stderr.write("\nrun_all.sh: interrupted; --from NN continues with that notebook.\n")
        sys.exit(130)
