"""Label new images with a trained run, or correct the labels of its collection.

These are `./run_all.sh label`, `ensemble`, `export`, `correct` and `add`. Several processes share
images by `torchrun --nproc-per-node 2 -m imet_tools.labelling label`.
"""

import argparse
import runpy
import sys
from collections.abc import Sequence
from pathlib import Path

from imet_tools.command import run_command
from imet_tools.labelling.corrections import add_images, correct_labels
from imet_tools.labelling.ensembles import FITTED, write_ensemble
from imet_tools.labelling.label_files import label_files
from imet_tools.labelling.new_images import RESULTS
from imet_tools.labelling.suspect_labels import SUSPECTS
from imet_utils.distributed import join_processes, num_processes
from imet_utils.labeller import Labeller
from imet_utils.labeller.labeller import check_replaceable
from imet_utils.progress import say
from imet_utils.provenance import find_product
from imet_utils.runs import find_output_dir, read_run
from imet_utils.tables.images import match_images

CORRECTED, EXTENDED = "train_corrected.csv", "train_extended.csv"  # in that of the run
EPILOG = """\
examples:
  ./run_all.sh label photos/                      with the run in outputs
  ./run_all.sh label a.jpg b.tif --output DIR     with another run, or a labeller of `export`
  ./run_all.sh label photos/ --precision 0.7      fewer labels, 7 of 10 of them right on validation
  ./run_all.sh label photos/ --known some.csv     use labels that are already known
  ./run_all.sh label photos/ --heads mine.py      with heads of your own, which this file registers
  ./run_all.sh label photos/ --no-review          many images: the tables alone, resumable
  torchrun --nproc-per-node 2 -m imet_tools.labelling label photos/ --output DIR    on two processes
  ./run_all.sh ensemble A B --output C            the mean of finished runs A and B, as one labeller
  ./run_all.sh ensemble A B --output C --weights 0.6 0.4    weighted
  ./run_all.sh export DIR                         the labeller alone, to give to others
  ./run_all.sh correct                            apply the verdicts in suspect_labels.csv
  ./run_all.sh add reviewed.csv                   write train_extended.csv with reviewed images

exit code: 0 all done, 2 refused
"""


def build_parser() -> argparse.ArgumentParser:
    """Describe the command line."""
    parser = argparse.ArgumentParser(
        prog="run_all.sh",
        description=__doc__,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(dest="command", required=True)
    label = commands.add_parser("label", help=f"label images, into DIR/{RESULTS}/NAME")
    label.add_argument("images", nargs="+", type=Path, help="folders of images, or files")
    label.add_argument("--top", type=int, default=0, help="list at least so many labels")
    label.add_argument("--precision", type=float, help="target precision, such as 0.7")
    known = "labels that are already known, in the form of a train.csv"
    label.add_argument("--known", type=Path, metavar="TABLE", help=known)
    tables = "write the tables alone, in parts: resumable, and shared by several processes"
    label.add_argument("--no-review", action="store_true", help=tables)
    ensemble = commands.add_parser("ensemble", help="average finished runs into one labeller")
    ensemble.add_argument("runs", nargs="+", type=Path, help="output folders of two or more runs")
    weights = f"a weight for each run, or {FITTED!r} on validation; equal by default"
    ensemble.add_argument("--weights", nargs="+", default=[], metavar="WEIGHT", help=weights)
    export = commands.add_parser("export", help="write the labeller of a run to a folder")
    export.add_argument("folder", type=Path)
    correct = commands.add_parser("correct", help=f"write DIR/{CORRECTED} from a person's verdicts")
    table = f"with the column verdict filled in ({SUSPECTS} of the run)"
    correct.add_argument("table", nargs="?", type=Path, help=table)
    add = commands.add_parser("add", help=f"write DIR/{EXTENDED} with the rows of reviewed images")
    add.add_argument("tables", nargs="+", type=Path, help="reviewed.csv, or a submission.csv")
    for command in (label, export, correct, add):
        command.add_argument("--output", default="", metavar="DIR", help="of the run (outputs)")
    ensemble.add_argument("--output", required=True, metavar="DIR", help="new folder")
    registers = "Python file that registers heads of your own, where a labeller has some"
    for command in (label, ensemble, export, add):
        command.add_argument("--heads", metavar="FILE", help=registers)
    return parser


def main(arguments: Sequence[str]) -> int:
    """Label images, export a labeller or correct labels; return the exit code."""
    args = build_parser().parse_args(arguments)
    output_dir = find_output_dir(args.output)
    try:
        if getattr(args, "heads", None):
            runpy.run_path(args.heads)
        if args.command == "ensemble":
            weights = FITTED if args.weights == [FITTED] else [float(w) for w in args.weights]
            folder = check_unused(output_dir)
            labeller, results = write_ensemble(args.runs, folder, weights)
            say(results.to_string(index=False, float_format="{:.3f}".format))
            if labeller.shares:
                say("weights " + " ".join(f"{share:.3f}" for share in labeller.shares))
            say(f"{output_dir}: for ./run_all.sh label IMAGES --output")
            return 0
        if args.command == "correct":
            correct_table(output_dir, args.table)
            return 0
        join_processes()
        labeller = Labeller.load(output_dir)
        if args.command == "add":
            add_reviewed(output_dir, args.tables, labeller)
            return 0
        if args.command == "export":
            labeller.save(check_unused(args.folder))
            size = sum(path.stat().st_size for path in args.folder.iterdir())
            say(f"{args.folder}: {size / 1e6:.0f} MB, for ./run_all.sh label IMAGES --output")
            return 0
        if args.precision is not None:
            labeller = labeller.with_precision(args.precision)
        review = not args.no_review and num_processes() == 1
        label_files(labeller, args.images, output_dir, args.top, args.known, review)
    except (ValueError, OSError) as error:
        sys.stderr.write(f"run_all.sh: {error}\n")
        return 2
    return 0


def check_unused(folder: Path) -> Path:
    """Return the folder of a new labeller, which replaces another; refuse one with other files."""
    if (folder / RESULTS).exists():
        raise ValueError(f"{folder} holds labels of images in {RESULTS}. Name a new folder")
    check_replaceable(folder)
    return folder


def correct_table(output_dir: Path, verdicts: Path | None = None) -> None:
    """Write `train_corrected.csv` from a filled-in table of suspect labels (the run's)."""
    data_dir = read_run(output_dir).data_dir
    verdicts = verdicts or find_product(output_dir, SUSPECTS)[0]
    train = data_dir / "train.csv"
    added, removed, bare = correct_labels(data_dir, verdicts, output_dir / CORRECTED)
    say(f"{added:,} labels added, {removed:,} removed: {output_dir / CORRECTED}")
    if bare:
        say(f"{bare:,} images have no label left, and so no row in it.")
    say(f"To use it, keep a copy of {train}, put this file in its place, and run all again.")


def add_reviewed(output_dir: Path, reviews: Sequence[Path], labeller: Labeller) -> None:
    """Write `train_extended.csv`: the table of the collection with reviewed images behind."""
    data_dir = read_run(output_dir).data_dir
    ids, bare = add_images(data_dir, reviews, labeller.labels, output_dir / EXTENDED)
    say(f"{len(ids):,} images added: {output_dir / EXTENDED}")
    if bare:
        say(f"{bare:,} images have no label, and so no row in it.")
    absent = sum(path is None for path, _ in match_images(data_dir / "train", ids))
    say(
        f"To use it, put the images ({absent:,} are not there yet) into {data_dir / 'train'}, "
        "keep a copy of train.csv, put this file in its place, and run all again."
    )


if __name__ == "__main__":
    run_command(main, "the same command resumes or starts again.")
