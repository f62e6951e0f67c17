"""Label new images by what a run has learned, and correct the labels of those that it has:
`./run_all.sh label`, `./run_all.sh export`, `./run_all.sh correct`.
"""  # noqa: D205

import argparse
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pandas as pd

from imet_tools.labelling.corrections import correct_labels
from imet_tools.labelling.explore import known_pictures, list_images
from imet_tools.labelling.faults import FAULTS
from imet_tools.labelling.known_labels import KnownLabels, read_known_labels
from imet_tools.labelling.review import PICTURE_SIDE, ReviewImage, Suggestion, write_review
from imet_utils.decoding import CANDIDATES
from imet_utils.files import append_csv, atomic_path, save_csv
from imet_utils.labeller import Labeller, Look, rank_labels
from imet_utils.processes import num_cores
from imet_utils.progress import say
from imet_utils.provenance import collection_of, find_product
from imet_utils.runs import TABLES, find_output_dir
from imet_utils.tables import file_key, measure_files, read_thumbnail

RESULTS = "09_label_new_images"  # folder of the results, in that of the run
CORRECTED = "train_corrected.csv"  # in that of the run
SHOWN = 12  # suggestions of an image in the review, at least
NEIGHBOURS = 5  # labelled images whose pictures it shows
EPILOG = """\
examples:
  ./run_all.sh label photos/                      by the run in outputs
  ./run_all.sh label a.jpg b.tif --output DIR     by another run, or by a labeller of `export`
  ./run_all.sh label photos/ --precision 0.7      fewer labels, 7 of 10 of them right on validation
  ./run_all.sh label photos/ --known some.csv     what follows from labels that are known already
  ./run_all.sh export DIR                         what is needed to label, to be handed on
  ./run_all.sh correct                            apply the verdicts in label_faults.csv

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
    label = commands.add_parser("label", help=f"label images, into DIR/{RESULTS}")
    label.add_argument("images", nargs="+", type=Path, help="a folder of images, or files")
    label.add_argument("--top", type=int, default=0, help="list so many labels at least")
    label.add_argument("--precision", type=float, help="wished of the labels, such as 0.7")
    known = "labels that are known already, in the form of a train.csv"
    label.add_argument("--known", type=Path, metavar="TABLE", help=known)
    export = commands.add_parser("export", help="write the labeller of a run to a folder")
    export.add_argument("folder", type=Path)
    correct = commands.add_parser("correct", help=f"write DIR/{CORRECTED} by a person's verdicts")
    table = f"with the column verdict filled in ({FAULTS} of the run)"
    correct.add_argument("table", nargs="?", type=Path, help=table)
    for command in (label, export, correct):
        command.add_argument("--output", default="", metavar="DIR", help="of the run (outputs)")
    return parser


def main(arguments: Sequence[str]) -> int:
    """Label images, export a labeller or correct labels; return the exit code."""
    args = build_parser().parse_args(arguments)
    output_dir = find_output_dir(args.output)
    try:
        if args.command == "correct":
            correct_table(output_dir, args.table)
            return 0
        labeller = Labeller.load(output_dir)
        if args.command == "export":
            labeller.save(args.folder)
            size = sum(path.stat().st_size for path in args.folder.iterdir())
            say(f"{args.folder}: {size / 1e6:.0f} MB, for ./run_all.sh label IMAGES --output")
            return 0
        if args.precision is not None:
            labeller = replace(labeller, decision=labeller.wish(args.precision))
        label_files(labeller, list_images(args.images), output_dir, args.top, args.known)
    except (ValueError, OSError) as error:
        sys.stderr.write(f"run_all.sh: {error}\n")
        return 2
    return 0


def correct_table(output_dir: Path, verdicts: Path | None = None) -> None:
    """Write `train_corrected.csv` by a person's verdicts on what `08_evaluate_test` doubts.

    Args:
        output_dir: of the run.
        verdicts: the table of doubted labels, filled in; None for the run's own.

    Raises:
        FileNotFoundError: if there is no run or no such table.
        ValueError: as `correct_labels`.
    """
    _, record = find_product(output_dir, TABLES)
    verdicts = verdicts or find_product(output_dir, FAULTS)[0]
    train = collection_of(output_dir, record) / "train.csv"
    done = correct_labels(train.parent, verdicts, output_dir / CORRECTED)
    say(f"{done.added:,} labels added, {done.removed:,} removed: {output_dir / CORRECTED}")
    if done.left_out:
        say(f"{done.left_out:,} images are left without a label, and so have no row in it.")
    say(f"To use it, keep {train} elsewhere, put this file in its place, and run all again.")


def label_files(
    labeller: Labeller,
    files: Sequence[Path],
    output_dir: Path,
    top: int = 0,
    known: Path | None = None,
) -> None:
    """Label the images among files; write `labels.csv`, `submission.csv`, `review.html`.

    They go to `09_label_new_images` in `output_dir`, and `skipped_images.csv` with the files that
    cannot be read. All are whole or not there, and the memory does not grow with their number.

    Args:
        labeller: of the run.
        files: to label.
        output_dir: of the run.
        top: how many labels of an image to list at least, chosen or not.
        known: a table of labels that images are known to have (`read_known_labels`), or None.
    """
    folder = output_dir / RESULTS
    table = known and read_known_labels(known, labeller.labels)
    faults = [fault for _, _, fault in measure_files(files, num_cores())]
    bad = [[path.name, fault] for path, fault in zip(files, faults, strict=True) if fault]
    good = [path for path, fault in zip(files, faults, strict=True) if not fault]
    if not good:
        raise ValueError(f"none of the {len(files)} files can be used: {bad[0][0]}: {bad[0][1]}")
    named = _name_known(table, known, good) if table else None
    (folder / "skipped_images.csv").unlink(missing_ok=True)
    if bad:
        save_csv(pd.DataFrame(bad, columns=["file", "fault"]), folder / "skipped_images.csv")
    with ExitStack() as unfinished:
        names = ("labels.csv", "submission.csv")
        tables = [unfinished.enter_context(atomic_path(folder / name)) for name in names]
        looks = _write_tables(labeller, good, tables, top, named)
        pages = write_review(
            _review(labeller, good, looks, output_dir, top, named),
            labeller.labels["attribute_id"].tolist(),
            labeller.names.tolist(),
            folder,
            strength=labeller.settings["strength"],
            temperature=labeller.neighbours.temperature,
        )
    say(f"{len(good):,} images labelled, {len(bad):,} files skipped: {folder}")
    say(f"To review the labels: {pages[0]}")


def _name_known(table: KnownLabels, path: Path, files: Sequence[Path]) -> list[list[int]]:
    """List the class indices that a table knows of each file, and say what it does not know."""
    named = [table.rows.get(file_key(file.stem), []) for file in files]
    say(f"{path}: labels are known of {sum(map(bool, named)):,} of {len(files):,} images.")
    if table.strangers:
        shown = ", ".join(label for label, _ in table.strangers.most_common(5))
        count = f"{len(table.strangers):,} labels in it that this run has not learned"
        say(f"{count} tell nothing of the others, and are left out: {shown}")
    return named


def _write_tables(
    labeller: Labeller,
    paths: Sequence[Path],
    tables: Sequence[Path],
    top: int,
    named: Sequence[Sequence[int]] | None,
) -> Iterator[Look]:
    """Write the rows of each image to both tables on the way, and pass what was seen on."""
    looks = labeller.looks(paths, CANDIDATES, "labelling images", named)
    for path, look in zip(paths, looks, strict=True):
        rows = labeller.tabulate(path.name, look.probs, look.chosen, top)
        append_csv(rows.rename(columns={"image": "file"}), tables[0], spreadsheet_safe=True)
        row = {"id": [path.stem], "attribute_ids": [labeller.join_ids(look.chosen)]}
        append_csv(pd.DataFrame(row), tables[1])
        yield look


def _review(
    labeller: Labeller,
    paths: Sequence[Path],
    looks: Iterator[Look],
    output_dir: Path,
    top: int,
    named: Sequence[Sequence[int]] | None,
) -> Iterator[ReviewImage]:
    """Prepare each image for its review: the chosen labels and the next ones, where they are seen.

    The nearest labelled images are shown where the run's collection is still at hand.
    """
    find_picture = known_pictures(output_dir, labeller)
    for number, (path, look) in enumerate(zip(paths, looks, strict=True)):
        suggestions = []
        for label in rank_labels(look.probs, look.chosen, max(top, SHOWN)):
            seen = None if look.attention is None else look.attention[label]
            suggestions.append(Suggestion(label, look.probs[label], look.chosen[label], seen))
        nearest = look.nearest.head(NEIGHBOURS)
        shown = zip(nearest["id"], nearest["labels"], strict=True)
        known = [(find_picture(image_id), labels) for image_id, labels in shown]
        yield ReviewImage(
            path.name,
            path.stem,
            read_thumbnail(path, PICTURE_SIDE),
            suggestions,
            [(picture, labels) for picture, labels in known if picture],
            look.probs,
            list(zip(look.nearest["similarity"], look.nearest["labels"], strict=True)),
            named[number] if named else (),
        )


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # a scheduler's end is like Ctrl-C
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.stderr.write("\nrun_all.sh: interrupted; nothing was written.\n")
        sys.exit(130)
