"""Run the notebooks one after the other: `python -m imet_utils.pipeline`, or `./run_all.sh`."""

import argparse
import shlex
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from time import perf_counter

from imet_utils.parameters import Declared, Values
from imet_utils.plan import Plan, make_plan

PROJECT_DIR = Path(__file__).resolve().parents[1]
EPILOG = """\
examples:
  ./run_all.sh                                  the whole pipeline on the sample collection
  ./run_all.sh --profile imet --data DIR        the full competition data
  ./run_all.sh --data DIR --output DIR --from 06 -p BEAM_SIZE 8
  ./run_all.sh --list                           the notebooks and their parameters
  ./run_all.sh test [pytest's arguments]        all tests
  ./run_all.sh lint                             check style and that notebooks hold no outputs
  ./run_all.sh setup [dev]                      only install what is needed

exit code: 0 all notebooks ran, 1 one failed, 2 the command line was refused, 130 interrupted
"""


def given(text: str) -> str:
    """Refuse an empty path, which would stand for the sample; it comes of an unset variable."""
    if not text:
        raise argparse.ArgumentTypeError("the path is empty")
    return text


def build_parser() -> argparse.ArgumentParser:
    """Describe the command line."""
    parser = argparse.ArgumentParser(
        prog="run_all.sh",
        description="Run all notebooks in order, collect their results and write a report.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--profile", metavar="NAME", help="notebooks/profiles/NAME.yaml, or a path")
    parser.add_argument(
        "--data", type=given, metavar="DIR", help="a collection in the layout of iMet 2019"
    )
    parser.add_argument(
        "--output", type=given, metavar="DIR", help="where all results go (default: outputs)"
    )
    parser.add_argument("--from", dest="first", metavar="NN", help="start at this notebook")
    parser.add_argument("--to", dest="last", metavar="NN", help="stop after this notebook")
    parser.add_argument(
        "-p",
        dest="set",
        nargs=2,
        action="append",
        default=[],
        metavar=("NAME", "VALUE"),
        help="set a parameter in every notebook that declares it; may be repeated",
    )
    parser.add_argument("--list", action="store_true", help="show notebooks and parameters")
    return parser


def describe(declared: Declared) -> str:
    """List the notebooks with their parameters, defaults and meanings."""
    lines = []
    for stem, parameters in declared.items():
        lines.append(stem)
        for found in parameters.values():
            lines.append(f"  {found.name:16} {found.default!r:22} {found.comment}")
    return "\n".join(lines)


def run_plan(plan: Plan, output_dir: Path) -> str | None:
    """Run the notebooks until one fails; return the failed one's name, or None.

    The executed copies of an earlier run are removed first, so that `output_dir/notebooks` never
    shows what this run has not reached yet.
    """
    from imet_utils.execution import execute, kernel_environment  # papermill takes 2 s to import
    from imet_utils.provenance import record_notebook

    copies = {stem: output_dir / "notebooks" / f"{stem}.ipynb" for stem in plan.notebooks}
    for copy in copies.values():
        copy.unlink(missing_ok=True)
    with kernel_environment(PROJECT_DIR):
        for number, (stem, copy) in enumerate(copies.items(), start=1):
            say(f"[{number}/{len(copies)}] {stem}")
            start = perf_counter()
            values = plan.values[stem]
            if "OUTPUT_DIR" in plan.declared[stem]:
                values = values | {"OUTPUT_DIR": str(output_dir)}
            record_notebook(output_dir, stem, *settings_of(plan, stem, values))
            reason = execute(plan.notebooks[stem], copy, values)
            seconds = perf_counter() - start
            if reason:
                say(f"\n{stem} failed after {seconds:.1f} s:\n\n{reason}\n")
                say(f"Its executed copy, with the full traceback: {copy}")
                return stem
            say(f"{stem}: {seconds:.1f} s\n")
    return None


def settings_of(plan: Plan, stem: str, values: Values) -> tuple[Values, Path]:
    """Return the values of all parameters of a notebook, and the collection that it works on."""
    from imet_utils.runs import find_data_dir

    defaults = {name: found.default for name, found in plan.declared[stem].items()}
    settings = defaults | values
    return settings, find_data_dir(settings.get("DATA_DIR", ""), settings.get("LIMIT"))


def say(text: str) -> None:
    """Write a line to the console at once, also where it goes through a pipe."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def continue_with(arguments: Sequence[str], stem: str, declared: Declared) -> str:
    """Write the command that continues at a notebook.

    What only earlier notebooks declare is left out: it would be refused.

    >>> continue_with(["--from", "02", "--data", "my art", "-p", "A", "1"], "06_train", {})
    "./run_all.sh --data 'my art' --from 06"
    """
    args = build_parser().parse_args(arguments)
    later = {name for notebook in declared if notebook >= stem for name in declared[notebook]}
    given = {"--profile": args.profile, "--data": args.data, "--output": args.output}
    given |= {"--from": stem[:2], "--to": args.last}
    words = [word for option, value in given.items() if value for word in (option, value)]
    words += [word for name, value in args.set if name in later for word in ("-p", name, value)]
    return shlex.join(["./run_all.sh", *words])


def main(arguments: Sequence[str], folder: Path = PROJECT_DIR / "notebooks") -> int:
    """Run the pipeline.

    Args:
        arguments: the command line, without the program's name.
        folder: where the notebooks and their profiles are.

    Returns:
        The exit code: 0 if all ran, 1 if a notebook failed, 2 if the command line was refused.
    """
    args = build_parser().parse_args(arguments)
    overrides = dict(args.set)
    overrides |= {} if args.data is None else {"DATA_DIR": args.data}
    overrides |= {} if args.output is None else {"OUTPUT_DIR": args.output}
    try:
        plan = make_plan(folder, args.first, args.last, args.profile, overrides)
        if args.list:
            say(describe(plan.declared))
            return 0
        from imet_utils.output_folder import UNWRITABLE, choose_folder, claim_folder

        output_dir = choose_folder(plan)
        lock = claim_folder(output_dir, plan.profile)
    except (ValueError, OSError) as error:
        sys.stderr.write(f"run_all.sh: {error}\n")
        return 2
    with lock:
        try:
            return run_and_report(plan, output_dir, arguments)
        except OSError as error:
            sys.stderr.write(f"run_all.sh: {UNWRITABLE.format(output_dir, error)}\n")
            return 1


def run_and_report(plan: Plan, output_dir: Path, arguments: Sequence[str]) -> int:
    """Run the notebooks, write the report, and return the exit code."""
    from imet_utils.progress import format_seconds
    from imet_utils.report import build_report, format_results, read_results

    start = perf_counter()
    failed = run_plan(plan, output_dir)
    report = build_report(output_dir)
    if failed:
        say(f"The report of what ran: {report}")
        say(f"To continue: {continue_with(arguments, failed, plan.declared)}")
        return 1
    if results := read_results(output_dir):
        say(format_results(results) + "\n")
    say(f"All done in {format_seconds(perf_counter() - start)}. Report: {report}")
    return 0


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # a scheduler's end is like Ctrl-C
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.stderr.write("\nrun_all.sh: interrupted; --from NN continues with that notebook.\n")
        sys.exit(130)
