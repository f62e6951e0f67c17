"""Read a table of labels that images are known to have, as from a catalogue."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from imet_utils.tables.collection_tables import choose_column, split_ids, split_names
from imet_utils.tables.csv_files import add_id, file_key, parse_rows, read_csv


@dataclass(frozen=True)
class KnownLabels:
    """Labels that images are known to have."""

    rows: dict[str, list[int]]  # class indices by the id of an image, as `file_key` writes it
    unknown: Counter[str]  # how often labels occur that are none of the classes


def read_known_labels(path: Path, labels: pd.DataFrame, has_ids: bool = True) -> KnownLabels:
    """Read a table in one of the forms that `train.csv` may have; an image may have no label.

    Args:
        path: of the table.
        labels: columns attribute_id and attribute_name; row k is class k.
        has_ids: whether the collection has attribute ids, so that a table without any letter has
            them, too; else every table has names.

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
    return KnownLabels(rows, unknown)
