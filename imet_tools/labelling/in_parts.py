"""Label many images in parts, shared by processes; one that starts again goes on with the rest."""

import hashlib
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

import pandas as pd

from imet_tools.labelling.new_images import NewImage
from imet_utils.code import code_digest
from imet_utils.decoding import CANDIDATES
from imet_utils.distributed import gather_items, own_range, process_index
from imet_utils.files import append_csv, atomic_folder, atomic_path, fingerprint_of, sample_file
from imet_utils.labeller import Explanation, Labeller, find_labeller
from imet_utils.labeller.labeller import MEMBER
from imet_utils.progress import progress

TABLES = ("labels.csv", "submission.csv")
PARTS = "parts"  # folder beside the tables until all are there
PART = 1000  # images
BLOCK = 100  # images whose rows are written at a time


def label_in_parts(
    labeller: Labeller,
    images: Sequence[NewImage],
    folder: Path,
    made_by: str,
    top: int = 0,
    known: Sequence[Sequence[int]] = (),
) -> None:
    """Write the tables of `write_tables` to a folder that all processes see.

    Each process labels its parts, those that an earlier run has left excepted: of the same images
    by content, and the same arguments. The first process joins all of them. `made_by` identifies
    the labeller, see `labeller_fingerprint`.
    """
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
                    with (part / name).open("rb") as file:
                        if number:
                            file.readline()  # the names of the columns
                        shutil.copyfileobj(file, table)
        shutil.rmtree(folder / PARTS)


def labeller_fingerprint(output_dir: Path, labeller: Labeller) -> str:
    """Hash the files of a labeller, its decision, and the code that labels."""
    digest, folder = hashlib.sha256(), find_labeller(output_dir)
    for path in sorted([*folder.glob("*.*"), *folder.glob(f"{MEMBER}*/**/*.*")]):
        if path.is_file():
            digest.update(f"{path.name} {path.stat().st_size} ".encode())
            digest.update(path.read_bytes())
    code = code_digest(__name__, "imet_utils.labeller.labeller", "imet_utils.labeller.ensemble")
    return fingerprint_of([digest.hexdigest(), asdict(labeller.decision), code])


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
