"""A person's verdicts on labels that are doubted, and `train.csv` corrected by them."""

import csv
from codecs import BOM_UTF8
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from imet_utils.tables.collection_tables import (
    Tables,
    choose_column,
    find_mark,
    join_ids,
    load_tables,
)
from imet_utils.tables.csv_files import CsvFile, RowFault, parse_rows, read_csv

FAULT_COLUMNS = ("id", "attribute_id", "attribute_name", "noted", "probability", "verdict")
ANSWERS = {"yes": True, "y": True, "no": False, "n": False}
WHAT_TO_WRITE = "must be yes (the image has the label), no (it has not) or empty (not decided)"


@dataclass(frozen=True)
class Corrected:
    """What became of a table: labels added and removed, and images left without any, by number."""

    added: int
    removed: int
    left_out: int


def read_judged(path: Path) -> list[list[str]]:
    """Read the rows of a table of doubted labels that have a verdict, whatever it says, as text.

    Returns:
        The fields of `FAULT_COLUMNS`; none where there is no file.

    Raises:
        ValueError: if it is no such table any more.
    """
    if not path.exists():
        return []
    table = read_csv(path, FAULT_COLUMNS)
    if not table.rows:
        return []
    return [row for row in parse_rows(table, FAULT_COLUMNS, lambda _, *row: list(row)) if row[-1]]


def correct_labels(data_dir: Path, verdicts: Path, path: Path) -> Corrected:
    """Write the `train.csv` of a collection anew, corrected by a person's verdicts.

    It keeps the form that it has: its columns, what parts them, its order, its ends of lines. An
    image that is left without a label has no row in it, since it needs one.

    Args:
        data_dir: the collection; nothing in it is changed.
        verdicts: a table with the columns of `FAULT_COLUMNS`, whose `verdict` says whether the
            image has the label; rows without one count for nothing.
        path: of the new table.

    Raises:
        ValueError: naming file, line and value of whatever is wrong in the verdicts or does not
            fit the collection.
    """
    from imet_utils.files import atomic_path  # here, since it loads torch, which takes seconds

    tables = load_tables(data_dir)
    changes = _read_changes(verdicts, tables)
    table = read_csv(data_dir / "train.csv", ["id", "attribute_ids"])
    place = table.header.index(choose_column(table))
    before = tables.images["labels"].map(set).tolist()
    after = [_apply(labels, changes.get(n, {})) for n, labels in enumerate(before)]
    if not any(after):
        raise ValueError(f"by {verdicts} no image would have a label: nothing was written")
    texts, content = _join_labels(tables, table, after), table.path.read_bytes()
    encoding = "utf-8-sig" if content.startswith(BOM_UTF8) else "utf-8"
    end = "\r\n" if b"\r\n" in content else "\n"
    with atomic_path(path) as temporary, temporary.open("w", encoding=encoding, newline="") as file:
        writer = csv.writer(file, delimiter=table.separator, lineterminator=end)
        writer.writerow(table.header)
        for n, (_, row) in enumerate(table.rows):
            text = row[place] if after[n] == before[n] else texts[n]
            if text:
                writer.writerow([*row[:place], text, *row[place + 1 :]])
    both = list(zip(before, after, strict=True))
    return Corrected(
        sum(len(new - old) for old, new in both),
        sum(len(old - new) for old, new in both),
        after.count(set()),
    )


def _apply(labels: set[int], answers: Mapping[int, bool]) -> set[int]:
    """Add the labels that an image has by the answers, and remove those that it has not."""
    right = {k for k, has in answers.items() if has}
    return (labels | right) - (answers.keys() - right)


def _join_labels(tables: Tables, table: CsvFile, rows: list[set[int]]) -> list[str]:
    """Write labels as the table does: attribute ids, or else names."""
    if (tables.data_dir / "labels.csv").is_file():
        return join_ids(tables, map(sorted, rows))
    mark, names = find_mark(table, choose_column(table)) or ";", tables.labels["attribute_name"]
    return [f"{mark} ".join(names[k] for k in sorted(row)) for row in rows]


def _read_changes(path: Path, tables: Tables) -> Mapping[int, dict[int, bool]]:
    """Read which labels an image has or has not, by class index, by the number of the image."""
    from imet_utils.files import defuse  # as above

    number_of = {defuse(image_id): n for n, image_id in enumerate(tables.images["id"])}
    names = [" ".join(defuse(name).split()) for name in tables.labels["attribute_name"]]
    class_of = dict(zip(names, range(len(names)), strict=True))
    ids = tables.labels["attribute_id"].astype(str)
    class_of |= {pair: k for k, pair in enumerate(zip(ids, names, strict=True))}
    changes: dict[int, dict[int, bool]] = {}

    def parse(_: int, image_id: str, label: str, name: str, noted: str, verdict: str) -> None:
        answer = ANSWERS.get(verdict.casefold())
        if not verdict:
            return
        if answer is None:
            raise RowFault(f"verdict {{}} {WHAT_TO_WRITE}", verdict)
        if image_id not in number_of:
            cause = "id {} is not in train.csv. Where a spreadsheet has changed it (0012 to 12), "
            raise RowFault(cause + "open the table anew with this column as text", image_id)
        name = " ".join(name.split())
        k = class_of.get((label, name), class_of.get(name))  # without labels.csv ids may move
        if k is None:
            cause = "the collection has no label {} any more. Remove the row"
            raise RowFault(cause, name)
        n = number_of[image_id]
        if (k in tables.images["labels"][n]) not in (answer, ANSWERS.get(noted.casefold())):
            cause = "noted is {}, and train.csv says otherwise of image {} and {}: one of them has "
            raise RowFault(cause + "changed. Run 08_evaluate_test again", noted, image_id, name)
        if changes.setdefault(n, {}).setdefault(k, answer) != answer:
            cause = "image {} and {} have both verdicts, yes and no. Remove one"
            raise RowFault(cause, image_id, name)

    columns = [column for column in FAULT_COLUMNS if column != "probability"]
    parse_rows(read_csv(path, FAULT_COLUMNS), columns, parse)
    if not changes:
        raise ValueError(f"{path} has no verdict yet: the column verdict {WHAT_TO_WRITE}")
    return changes
