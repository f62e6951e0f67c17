"""Label image files: tables and a review, or tables alone in parts, shared by processes.

A process that starts again goes on with the parts that are left.
"""

import shutil
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path

import pandas as pd

from imet_tools.command import lock_folder
from imet_tools.labelling.new_images import (
    SOURCE,
    NewImage,
    check_images,
    choose_results,
    list_images,
    read_known_labels,
)
from imet_tools.labelling.review import SUGGESTED, train_pictures, write_review
from imet_utils.code import code_digest
from imet_utils.decoding import CANDIDATES
from imet_utils.distributed import gather_items, own_range, process_index
from imet_utils.files import (
    append_csv,
    atomic_folder,
    atomic_path,
    fingerprint_of,
    hash_file,
    sample_file,
    save_csv,
    save_json,
)
from imet_utils.labeller import Explanation, Labeller, find_labeller
from imet_utils.labeller.labeller import MEMBER
from imet_utils.processes import num_cores
from imet_utils.progress import progress, say
from imet_utils.tables import file_key

TABLES = ("labels.csv", "submission.csv")
PARTS = "parts"  # folder beside the tables until all are there
PART = 1000  # images
BLOCK = 100  # images whose rows are written at a time


def label_files(
    labeller: Labeller,
    given: Sequence[Path],
    output_dir: Path,
    top: int = 0,
    known: Path | None = None,
    review: bool = True,
) -> None:
    """Label files, and those of folders; write `labels.csv`, `submission.csv` and `review.html`.

    They go to a folder in `labelled` that no other images have, with `skipped_images.csv` for files
    that are not labelled. All are written completely or not at all; memory does not grow with the
    number of images. `known` is a table as of `read_known_labels`. Without a `review` the processes
    of this job share the images, see `label_in_parts`.
    """
    if top < 0:
        raise ValueError(f"--top must be 0 or more, got {top}")
    table = read_known_labels(known, labeller.labels, labeller.settings.has_ids) if known else None
    images, skipped = check_images(list_images(given), num_cores())
    classes = _list_known(*table, images) if table else []
    folder, source = gather_items([choose_results(output_dir, given)])[0]
    pages: list[Path] = []
    with ExitStack() as entered:
        if process_index() == 0:
            save_json(source, folder / SOURCE)
            entered.enter_context(lock_folder(folder))
            (folder / "skipped_images.csv").unlink(missing_ok=True)
            if len(skipped):
                save_csv(skipped, folder / "skipped_images.csv", spreadsheet_safe=True)
            if not review:  # pages that are there are of other labels
                for page in [*folder.glob("review*.html")]:
                    page.unlink()
        if review:
            find_picture = train_pictures(output_dir, labeller)
            tables = [entered.enter_context(atomic_path(folder / name)) for name in TABLES]
            found = write_tables(labeller, images, tables, top, classes)
            shown = max(top, SUGGESTED)
            pages = write_review(labeller, images, found, folder, find_picture, shown, classes)
        else:
            label_in_parts(labeller, images, folder, output_dir, top, classes)
    _say_once(f"{len(images):,} images labelled, {len(skipped):,} files skipped: {folder}")
    if pages:
        say(f"To review the labels: {pages[0]}")


def _list_known(
    rows: Mapping[str, list[int]], unknown: Counter[str], images: Sequence[NewImage]
) -> list[list[int]]:
    """List the known class indices of each image, and report what cannot be used."""
    classes = [rows.get(image.id) or rows.get(file_key(image.file), []) for image in images]
    _say_once(f"Labels are known for {sum(map(bool, classes)):,} of {len(images):,} images.")
    if unknown:
        shown = ", ".join(label for label, _ in unknown.most_common(5))
        _say_once(f"Ignored {len(unknown):,} labels that the run does not have: {shown}")
    return classes


def _say_once(text: str) -> None:
    if process_index() == 0:
        say(text)


def label_in_parts(
    labeller: Labeller,
    images: Sequence[NewImage],
    folder: Path,
    output_dir: Path,
    top: int = 0,
    known: Sequence[Sequence[int]] = (),
) -> None:
    """Write the tables of `write_tables` to a folder that all processes see.

    Each process labels its parts, those that an earlier run has left excepted: of the same images
    by content, the same arguments and the same labeller, which is that of `output_dir`. The first
    process joins all of them.
    """
    made_by = _labeller_fingerprint(output_dir, labeller)
    written = []
    starts = range(0, len(images), PART)
    own = [starts[number] for number in own_range(len(starts))]
    for start in progress(own, "labelling images", unit="part"):
        some, classes = images[start : start + PART], known[start : start + PART]
        files = [[image.file, image.id, sample_file(image.path)] for image in some]
        part = folder / PARTS / f"{start}_{fingerprint_of([made_by, top, files, classes])}"
        if not part.exists():
            with atomic_folder(part) as whole:
                tables = [whole / name for name in TABLES]
                for _ in write_tables(labeller, some, tables, top, classes, explain=False):
                    pass
        written.append(part)
    parts = gather_items(written)
    if process_index() == 0:
        for name in TABLES:
            with atomic_path(folder / name) as path, path.open("wb") as table:
                for number, part in enumerate(parts):
                    header, end, rows = (part / name).read_bytes().partition(b"\n")
                    table.write(rows if number else header + end + rows)
        shutil.rmtree(folder / PARTS)


def _labeller_fingerprint(output_dir: Path, labeller: Labeller) -> str:
    """Hash the files of a labeller, its decision, and the code that labels."""
    folder = find_labeller(output_dir)
    paths = sorted([*folder.glob("*.*"), *folder.glob(f"{MEMBER}*/**/*.*")])
    files = [[path.name, hash_file(path)] for path in paths if path.is_file()]
    code = code_digest(__name__, "imet_utils.labeller.labeller", "imet_utils.labeller.ensemble")
    return fingerprint_of([files, asdict(labeller.decision), code])


def write_tables(
    labeller: Labeller,
    images: Sequence[NewImage],
    tables: Sequence[Path],
    top: int = 0,
    known: Sequence[Sequence[int]] = (),
    explain: bool = True,
) -> Iterator[Explanation]:
    """Write the rows of each image to both tables, some at a time, and yield its explanation.

    Without `explain` it has neither attention nor neighbours, and no progress is shown.
    """
    paths = [image.path for image in images]
    found = labeller.explain_all(paths, CANDIDATES * explain, known)
    shown = progress(found, "labelling images", len(paths), "image") if explain else found
    labels: list[pd.DataFrame] = []
    chosen: list[tuple[str, str]] = []
    for number, (image, explanation) in enumerate(zip(images, shown, strict=True), 1):
        labels.append(labeller.tabulate(image.file, explanation, top))
        chosen.append((image.id, labeller.join_ids(explanation.chosen)))
        if number % BLOCK == 0 or number == len(images):
            rows = pd.concat(labels, ignore_index=True).rename(columns={"image": "file"})
            append_csv(rows, tables[0], spreadsheet_safe=True)
            append_csv(pd.DataFrame(chosen, columns=["id", "attribute_ids"]), tables[1])
            labels, chosen = [], []
        yield explanation
