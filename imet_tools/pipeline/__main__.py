"""Run the notebooks one after the other: `python -m imet_tools.pipeline`, or `./run_all.sh`."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from imet_tools.command import run_command

OUTPUT_HELP = "where all results go (default: outputs of the repository or of the current folder)"
EPILOG = """\
examples:
  ./run_all.sh                                  the whole pipeline on the sample collection
  ./run_all.sh --profile imet --data DIR        the full competition data
  ./run_all.sh --data DIR --output DIR --from 06 -p BEAM_SIZE 8
  ./run_all.sh --list                           the notebooks and their parameters
  ./run_all.sh lab [jupyter lab's arguments]    JupyterLab on the notebooks
  ./run_all.sh collect DIR                      real images from a museum; see its --help
  ./run_all.sh label IMAGES --output DIR        labels for new images; export copies the labeller
  ./run_all.sh ensemble A B --output DIR        average finished runs into one labeller
  ./run_all.sh correct --output DIR             apply a person's verdicts on suspect labels
  ./run_all.sh add reviewed.csv --output DIR     write train.csv extended by reviewed images
  ./run_all.sh gallery --output DIR             pages of a finished run's figures and notebooks
  ./run_all.sh kaggle USER                      what Kaggle needs to run it without a network
  ./run_all.sh test [pytest's arguments]        all tests
  ./run_all.sh lint                             check style, types, and notebooks for outputs
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
    add("--data", type=_path, metavar="DIR", help="a collection in the layout of iMet 2019")
    add("--output", type=_path, metavar="DIR", help=OUTPUT_HELP)
    add("--from", dest="first", metavar="NN", help="start at this notebook")
    add("--to", dest="last", metavar="NN", help="stop after this notebook")
    set_help = "set a parameter in every notebook that declares it; may be repeated"
    pair = ("NAME", "VALUE")
    add("-p", dest="set", nargs=2, action="append", default=[], metavar=pair, help=set_help)
    add("--list", action="store_true", help="show notebooks and parameters")
    return parser


def _path(text: str) -> str:
    """Refuse an empty path, as of an unset variable, which would mean the sample."""
    if not text:
        raise argparse.ArgumentTypeError("the path is empty")
    return text


def main(arguments: Sequence[str], folder: Path | None = None) -> int:
    """Run the pipeline on the notebooks of a folder, and return the exit code, see `EPILOG`."""
    args = build_parser().parse_args(arguments)
    from imet_tools.pipeline.parameters import describe, make_plan  # --help needs no package
    from imet_utils.runs import home_dir

    overrides = dict(args.set)
    overrides |= {} if args.data is None else {"DATA_DIR": args.data}
    overrides |= {} if args.output is None else {"OUTPUT_DIR": args.output}
    running = False
    try:
        notebooks = folder or home_dir() / "notebooks"
        plan = make_plan(notebooks, args.first, args.last, args.profile, overrides)
        if args.list:
            sys.stdout.write(describe(plan.declared) + "\n")
            return 0
        from imet_tools.pipeline.execution import prepare, run_and_report  # a refusal needs no more

        with prepare(plan) as output_dir:
            running = True
            return run_and_report(plan, output_dir, anew=args.first is not None)
    except (ValueError, OSError) as error:
        if running and isinstance(error, ValueError):  # no fault of the command line
            raise
        sys.stderr.write(f"run_all.sh: {error}\n")
        return 1 if running else 2


if __name__ == "__main__":
    run_command(main, "--from NN continues with that notebook.")
