"""New images to label: their files, names and ids, which can be used, and labels they have."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import pandas as pd

from imet_utils.distributed import gather_items, own_range
from imet_utils.files import load_json
from imet_utils.runs import Run
from imet_utils.tables import file_key, find_images, measure_files, name_files, take_split
from imet_utils.tables.collection_tables import choose_column, split_ids, split_names
from imet_utils.tables.csv_files import (
    PLAIN_NAME,
    add_id,
    is_plain_name,
    parse_rows,
    printable,
    read_csv,
)
from imet_utils.tables.images import is_ignored, submission_ids

RESULTS = "labelled"  # in the folder of a run: a folder for each set of images
SOURCE = "source.json"  # in the latter: the files and folders that were given


@dataclass(frozen=True)
class NewImage:
    """An image that can be labelled."""

    path: Path
    file: str  # its name, or its path within the folder where another has the same name
    id: str  # in `train.csv`


def list_images(given: Sequence[Path]) -> list[Path]:
    """List the given files, and the files of the given folders and of theirs, each once.

    A FileNotFoundError if one is missing, a ValueError if there is none.
    """
    files: dict[Path, Path] = {}  # by where they are
    for path in given:
        if not path.exists():
            raise FileNotFoundError(f"there is no {path}")
        for file in _walk(path, set()) if path.is_dir() else [path]:
            files.setdefault(file.resolve(), file)
    if not files:
        raise ValueError(f"no file in {', '.join(map(str, given))}")
    return list(files.values())


def _walk(folder: Path, seen: set[Path]) -> Iterator[Path]:
    """Yield the files of a folder by name, and then those of its folders; of each folder once."""
    if folder.resolve() in seen:  # as a link leads to it
        return
    seen.add(folder.resolve())
    entries = sorted(path for path in folder.iterdir() if not is_ignored(path))
    yield from (path for path in entries if path.is_file())
    for path in entries:
        if path.is_dir():
            yield from _walk(path, seen)


def check_images(
    files: Sequence[Path], num_workers: int = 0
) -> tuple[list[NewImage], pd.DataFrame]:
    """Read files, and give ids to those that are images; of several with one id the first is taken.

    Several processes, which all give the same files, read a part each.

    Returns:
        The images, at least one, else a ValueError is raised; the others, columns file and fault.
    """
    good: dict[str, NewImage] = {}  # by id
    skipped = []
    own = [files[number] for number in own_range(len(files))]
    measured = gather_items([*measure_files(own, num_workers)])
    for path, name, (_, _, fault) in zip(files, name_files(files), measured, strict=True):
        image_id = file_key(name.removesuffix(path.suffix).replace("/", "_"))
        if not is_plain_name(image_id):
            fault = f"the name {PLAIN_NAME}. Rename the file"
        elif image_id in good and not fault:
            fault = f"{good[image_id].file} has the same name and is labelled instead"
        if fault:
            skipped.append((printable(name), fault))
        else:
            good[image_id] = NewImage(path, name, image_id)
    if not good:
        name, fault = skipped[0]
        raise ValueError(f"none of the {len(files):,} files can be used: {name}: {fault}")
    return list(good.values()), pd.DataFrame(skipped, columns=["file", "fault"])


def choose_results(output_dir: Path, given: Sequence[Path]) -> tuple[Path, list[str]]:
    """Choose a folder for the results of these files and folders, which no others have."""
    source = [printable(str(path.resolve())) for path in given]
    first = given[0].resolve()
    name = printable(first.name if first.is_dir() else first.stem).lstrip(".") or "images"
    for number in count(1):
        folder = output_dir / RESULTS / (name if number == 1 else f"{name}_{number}")
        record = folder / SOURCE
        if not folder.exists() or (record.is_file() and load_json(record) == source):
            break
    return folder, source


def read_known_labels(
    path: Path, labels: pd.DataFrame, has_ids: bool = True
) -> tuple[dict[str, list[int]], Counter[str]]:
    """Read a table in one of the forms that `train.csv` may have; an image may have no label.

    Row k of `labels` is class k. A collection that has attribute ids has them also in a table
    without any letter; every other table has names.

    Returns:
        Class indices by the id of an image, as `file_key` writes it, and how often labels occur
        that are none of the classes.

    Raises:
        FileNotFoundError: if there is none.
        ValueError: naming file, line and value of what is wrong.
    """
    table = read_csv(path, ["id", "attribute_ids"])
    columns = ["id", choose_column(table)]
    texts = parse_rows(table, columns[1:], lambda _, text: text)
    named = not has_ids or any(mark.isalpha() for text in texts for mark in text)
    split = split_names(table, columns[1]) if named else split_ids(table)
    classes = labels["attribute_name" if named else "attribute_id"]
    class_of = {label: k for k, label in enumerate(classes)}
    lines: dict[str, int] = {}
    rows: dict[str, list[int]] = {}
    unknown: Counter[str] = Counter()

    def parse(line: int, image_id: str, text: str) -> None:
        given = split(text)
        unknown.update(str(label) for label in given if label not in class_of)
        known = [class_of[label] for label in given if label in class_of]
        rows[file_key(add_id(lines, image_id, line))] = known

    parse_rows(table, columns, parse)
    return rows, unknown


def pick_new_images(run: Run, images: str = "", most: int = 200) -> tuple[list[Path], str]:
    """Choose at most `most` files to label, those that can be read, and describe their source.

    They are those of `images`, a folder or a file, or else of the collection's `test/`, or else the
    images of the test part.
    """
    if images:
        files, source = list_images([Path(images).expanduser()]), images
    elif submission_ids(run.data_dir):
        files, source = list_images([run.data_dir / "test"]), "the collection's test/"
    else:
        ids = take_split(run.tables, "test").images["id"]
        files = find_images(run.data_dir / "train", ids)
        source = "the test part, as there are no others"
    good, _ = check_images(files[:most])
    return [image.path for image in good], f"{len(good):,} of {len(files):,} files, from {source}"
