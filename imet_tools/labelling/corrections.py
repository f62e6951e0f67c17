"""Change `train.csv` in its own form: verdicts on suspect labels, rows of reviewed images."""

import csv
import re
from codecs import BOM_UTF8
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import pandas as pd

from imet_utils.files import atomic_path, defuse
from imet_utils.tables.collection_tables import (
    Tables,
    choose_column,
    find_mark,
    join_ids,
    load_tables,
    split_ids,
)
from imet_utils.tables.csv_files import (
    SEPARATOR_LINE,
    CsvFile,
    RowFault,
    add_id,
    file_key,
    parse_rows,
    read_csv,
)

REVIEW_COLUMNS = ("id", "attribute_ids")
NAMES_COLUMN, NAMES_MARK = "attribute_names", " | "  # of a review, to check the ids by
SUSPECT_COLUMNS = ("id", "attribute_id", "attribute_name", "annotated", "probability", "verdict")
ANSWERS = {"yes": True, "y": True, "no": False, "n": False}
WHAT_TO_WRITE = "must be yes (the image has the label), no (it has not) or empty (not decided)"


def read_reviewed(path: Path) -> list[list[str]]:
    """Read the rows of a table of suspect labels that have a verdict, as text; none without it."""
    if not path.exists():
        return []
    table = read_csv(path, SUSPECT_COLUMNS)
    if not table.rows:
        return []
    return [row for row in parse_rows(table, SUSPECT_COLUMNS, lambda _, *row: list(row)) if row[-1]]


def correct_labels(data_dir: Path, verdicts: Path, path: Path) -> tuple[int, int, int]:
    """Write a corrected copy of a collection's `train.csv`, by a table with `SUSPECT_COLUMNS`.

    It keeps columns, delimiter, order and line ends. An image that is left without a label has no
    row in it, since it needs one.

    Returns:
        How many labels were added and removed, and how many images are left without any.

    Raises:
        ValueError: naming file, line and value of whatever is wrong in the verdicts or does not fit
            the collection.
    """
    tables = load_tables(data_dir)
    verdict_of = _read_verdicts(verdicts, tables)
    table = read_csv(data_dir / "train.csv", ["id", "attribute_ids"])
    place = table.header.index(choose_column(table))
    before = [set(labels) for labels in tables.images["labels"]]
    after = before.copy()
    for (n, k), is_right in verdict_of.items():
        after[n] = after[n] | {k} if is_right else after[n] - {k}
    if not any(after):
        raise ValueError(f"by {verdicts} no image would have a label: nothing was written")
    texts = _join_labels(tables, table, after)
    added = removed = 0
    for (_, row), text, old, new in zip(table.rows, texts, before, after, strict=True):
        if new != old:
            row[place] = text
        added, removed = added + len(new - old), removed + len(old - new)
    _write_like(table, (row for _, row in table.rows if row[place]), path)
    return added, removed, after.count(set())


def add_images(
    data_dir: Path, reviews: Sequence[Path], labels: pd.DataFrame, path: Path
) -> tuple[list[str], int]:
    """Write a copy of a collection's `train.csv` with the rows of reviewed images behind its own.

    It keeps its form: names or ids, marks, delimiter, line ends; further columns are empty.
    `reviews` are tables that a review has saved, or a submission; `labels` those of the run that
    suggested them. Images without a label are left out.

    Returns:
        The ids of the images that were added, and how many had no label.

    Raises:
        ValueError: naming file, line and value of what is wrong or does not fit the collection.
    """
    tables = load_tables(data_dir)
    table = read_csv(data_dir / "train.csv", ["id", "attribute_ids"])
    id_place, place = table.header.index("id"), table.header.index(choose_column(table))
    class_of = {name: k for k, name in enumerate(tables.labels["attribute_name"])}
    names = dict(zip(labels["attribute_id"], labels["attribute_name"], strict=True))
    known = {file_key(image_id) for image_id in tables.images["id"]}
    found: dict[str, set[int]] = {}
    for review in reviews:
        for image_id, row in _read_review(review, names):
            if file_key(image_id) in known:
                raise ValueError(f"{review}: {image_id} has a row in {table.path} already")
            if missing := [name for name in row if name not in class_of]:
                raise ValueError(f"{review}: {table.path} has no label {missing[0]!r} any more")
            known.add(file_key(image_id))
            found[image_id] = {class_of[name] for name in row}
    ids = [image_id for image_id, row in found.items() if row]
    if not ids:
        raise ValueError(f"{', '.join(map(str, reviews))}: no image has a label to be added")
    rows = [row for _, row in table.rows]
    texts = _join_labels(tables, table, [found[image_id] for image_id in ids])
    for image_id, text in zip(ids, texts, strict=True):
        row = [""] * len(table.header)
        row[id_place], row[place] = image_id, text
        rows.append(row)
    _write_like(table, rows, path)
    return ids, len(found) - len(ids)


def _read_review(path: Path, names: Mapping[int, str]) -> list[tuple[str, list[str]]]:
    """Read the id and the names of the labels of each image; `names` are by attribute id."""
    table = read_csv(path, REVIEW_COLUMNS)
    has_names = NAMES_COLUMN in table.header
    split = split_ids(table)
    lines: dict[str, int] = {}

    def parse(line: int, image_id: str, text: str, given: str = "") -> tuple[str, list[str]]:
        add_id(lines, image_id, line)
        ids = split(text)
        if unknown := [label for label in ids if label not in names]:
            raise RowFault("the run has no label with attribute_id {}", unknown[0])
        row = [names[label] for label in ids]
        if has_names and file_key(given) != file_key(NAMES_MARK.join(row)):
            cause = "attribute_ids {} are {} in this run, not {}. Label the images again"
            raise RowFault(cause, text, NAMES_MARK.join(row), given)
        return image_id, row

    return parse_rows(table, [*REVIEW_COLUMNS, *[NAMES_COLUMN] * has_names], parse)


def _write_like(table: CsvFile, rows: Iterable[Sequence[str]], path: Path) -> None:
    """Write rows with the header, delimiter, byte order mark and line ends of a table."""
    content = table.path.read_bytes()
    encoding = "utf-8-sig" if content.startswith(BOM_UTF8) else "utf-8"
    end = "\r\n" if b"\r\n" in content else "\n"
    with atomic_path(path) as temporary, temporary.open("w", encoding=encoding, newline="") as file:
        if re.match(SEPARATOR_LINE, content.decode("utf-8-sig")):
            file.write(f"sep={table.separator}{end}")
        writer = csv.writer(file, delimiter=table.separator, lineterminator=end)
        writer.writerow(table.header)
        writer.writerows(rows)


def _join_labels(tables: Tables, table: CsvFile, rows: list[set[int]]) -> list[str]:
    """Write labels as the table does: attribute ids, or else names."""
    if tables.has_ids:
        return join_ids(tables, map(sorted, rows))
    mark, names = find_mark(table, choose_column(table)) or ";", tables.labels["attribute_name"]
    return [f"{mark} ".join(names[k] for k in sorted(row)) for row in rows]


def _read_verdicts(path: Path, tables: Tables) -> dict[tuple[int, int], bool]:
    """Read whether an image has a label, by the image's number and the class index."""
    number_of = {defuse(image_id): n for n, image_id in enumerate(tables.images["id"])}
    names = tables.labels["attribute_name"]  # by which, as without labels.csv ids may change
    class_of = {file_key(defuse(name)): k for k, name in enumerate(names)}
    verdict_of: dict[tuple[int, int], bool] = {}

    def parse(_: int, image_id: str, name: str, annotated: str, verdict: str) -> None:
        answer = ANSWERS.get(verdict.casefold())
        if not verdict:
            return
        if answer is None:
            raise RowFault(f"verdict {{}} {WHAT_TO_WRITE}", verdict)
        if image_id not in number_of:
            cause = "id {} is not in train.csv. Where a spreadsheet has changed it (0012 to 12), "
            raise RowFault(cause + "open the table again with this column as text", image_id)
        name = file_key(name)
        if name not in class_of:
            raise RowFault("the collection has no label {} any more. Remove the row", name)
        n, k = number_of[image_id], class_of[name]
        has = k in tables.images["labels"][n]
        if has not in (answer, ANSWERS.get(annotated.casefold())):
            cause = "annotated is {}, but train.csv differs for image {} and {}: one of them has "
            raise RowFault(cause + "changed. Make the table again", annotated, image_id, name)
        if verdict_of.setdefault((n, k), answer) != answer:
            cause = "image {} and {} have both verdicts, yes and no. Remove one"
            raise RowFault(cause, image_id, name)

    columns = ("id", "attribute_name", "annotated", "verdict")
    parse_rows(read_csv(path, SUSPECT_COLUMNS), columns, parse)
    if not verdict_of:
        raise ValueError(f"{path} has no verdict yet: the column verdict {WHAT_TO_WRITE}")
    return verdict_of
