"""Collect images: `python -m imet_tools.museums DIR`, or `./run_all.sh collect DIR`."""

import argparse
import logging
import sys
from collections.abc import Sequence

from tqdm.contrib.logging import logging_redirect_tqdm

from imet_tools.command import run_command
from imet_tools.museums.collecting import MET_API, collect_met
from imet_tools.museums.requesting import Unavailable

EPILOG = """\
departments of the Met: 3 Ancient Near East, 4 Arms and Armor, 5 Africa, Oceania and the Americas,
6 Asian, 9 Drawings and Prints, 10 Egyptian, 11 European Paintings, 12 European Sculpture and
Decorative Arts, 13 Greek and Roman, 14 Islamic, 17 Medieval, 19 Photographs (API: /departments)

exit code: 0 the collection is complete, 1 the museum cannot be reached or the disk fails, 2 the
command line was refused, 130 interrupted; after 1 and 130 the same command resumes
"""


def build_parser() -> argparse.ArgumentParser:
    """Describe the command line."""
    parser = argparse.ArgumentParser(
        prog="run_all.sh collect",
        description="Build a collection in iMet's layout from a museum's open access.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("data_dir", metavar="DIR", help="folder of the collection; an unfinished one is resumed")
    add("--museum", choices=["met"], default="met", help="the Metropolitan Museum of Art")
    add("--departments", default="11,9", metavar="N,N", help="default: 11,9")
    add("--images", type=int, default=2000, metavar="N", help="how many (default: 2000)")
    rare = "a label on fewer images is dropped (default: 5)"
    add("--min-images", type=int, default=5, metavar="N", help=rare)
    add("--classification", action="store_true", help="tags also from the classification")
    add("--table", metavar="CSV", help="the museum's MetObjects.csv, which saves requests")
    add("--seed", type=int, default=0, metavar="N", help="of the order of objects (default: 0)")
    pace = "between two requests, at least (default: 1)"
    add("--seconds", type=float, default=1.0, metavar="S", help=pace)
    add("--api", default=MET_API, metavar="URL", help="another address of the museum's API")
    return parser


def main(arguments: Sequence[str]) -> int:
    """Collect, and return the exit code."""
    options = vars(build_parser().parse_args(arguments))
    del options["museum"]
    try:
        options["departments"] = [int(number) for number in options["departments"].split(",")]
        with logging_redirect_tqdm():  # messages above the bar, not in it
            found = collect_met(**options)
    except (ValueError, OSError) as error:
        sys.stderr.write(f"run_all.sh collect: {error}\n")
        if isinstance(error, Unavailable):
            sys.stderr.write("Files so far are kept; repeat the command later to resume.\n")
        return 1 if isinstance(error, OSError) else 2
    sys.stdout.write(
        f"{found.images:,} images with {found.labels:,} labels in {options['data_dir']}; left out: "
        f"{found.left_out:,} with rare labels only, {found.failed:,} that failed. "
        f"{found.requests:,} requests, {found.failures:,} of them failed.\n"
    )
    return 0


if __name__ == "__main__":
    logging.basicConfig(format="%(message)s")
    run_command(main, "repeat the command to resume.")
