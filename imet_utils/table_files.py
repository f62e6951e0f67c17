"""The CSV files of a collection in iMet's layout, read as text and checked line by line.

Nothing is guessed: ids such as `12e5` and `0012` stay text, and whatever is wrong in a table is an
error that names file, line and value, and says what to do. It lists the faults of all rows at once.
"""

import csv
import io
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TypeVar

import pandas as pd

from imet_utils.faults import list_faults

Parsed = TypeVar("Parsed")

SPLITS = ("train", "val", "test")


def read_rows(path: Path, columns: Sequence[str]) -> list[tuple[int, list[str]]]:
    """Read the named columns of a CSV file in UTF-8, with or without a byte order mark.

    Returns:
        Line number and fields, without outer blanks, of every row that is not empty.
    """
    if not path.is_file():
        raise FileNotFoundError(
            f"{path} is missing: it must be a CSV file with the columns {', '.join(columns)}"
        )
    rows = [(line, row) for line, row in _parse_csv(path) if any(row)]
    header = rows[0][1] if rows else []
    if any(header.count(column) != 1 for column in columns):
        raise ValueError(
            f"{path}, line {rows[0][0] if rows else 1}: the header must have the columns "
            f"{', '.join(columns)} once each, with commas between; got {header}"
        )
    if len(rows) == 1:
        raise ValueError(f"{path} has a header and no rows: add one for each entry")
    places = [header.index(column) for column in columns]

    def choose(line: int, row: list[str]) -> tuple[int, list[str]]:
        if len(row) < len(header) or any(row[len(header) :]):
            raise ValueError(
                f"{path}, line {line}: {len(row)} fields where the header has {len(header)}: "
                f"{row}. Put quotes around a field that holds a comma"
            )
        return line, [row[place] for place in places]

    return _parse_all(rows[1:], choose)


def _parse_csv(path: Path) -> list[tuple[int, list[str]]]:
    """Read all rows with the numbers of their last lines; fields without outer blanks."""
    content = path.read_bytes()
    try:
        text = io.StringIO(content.decode("utf-8-sig"), newline="")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise ValueError(f"{path}, line {line}: not UTF-8. Save it as CSV in UTF-8") from error
    reader = csv.reader(text, strict=True)
    try:
        return [(reader.line_num, [field.strip() for field in row]) for row in reader]
    except csv.Error as error:
        raise ValueError(f"{path}, line {reader.line_num}: {error}. Mind the quotes") from error


def _parse_all(rows: Iterable[tuple], parse: Callable[..., Parsed]) -> list[Parsed]:
    """Parse every row; raise one error that lists what is wrong in any of them."""
    parsed, faults = [], []
    for row in rows:
        try:
            parsed.append(parse(*row))
        except ValueError as error:
            faults.append(str(error))
    if faults:
        raise ValueError(list_faults(faults))
    return parsed


def read_labels(path: Path) -> pd.DataFrame:
    """Read `labels.csv`: columns attribute_id (int), attribute_name, kind and name.

    `culture::french` is of kind `culture` and has the name `french`; without `::` the kind is
    `other`. Rows keep the file's order.
    """
    lines: dict[int, int] = {}

    def parse(line: int, fields: list[str]) -> str:
        text, name = fields
        where = f"{path}, line {line}"
        attribute_id = _attribute_id(text, where)
        if attribute_id in lines:
            raise ValueError(
                f"{where}: attribute_id {text!r} is given on line {lines[attribute_id]} already. "
                "Give each label an id of its own"
            )
        if not name or name.endswith("::"):
            raise ValueError(f"{where}: attribute_name {name!r} of {text!r} has no name. Add it")
        lines[attribute_id] = line
        return name

    names = _parse_all(read_rows(path, ["attribute_id", "attribute_name"]), parse)
    halves = [name.partition("::") if "::" in name else ("", "", name) for name in names]
    return pd.DataFrame(
        {
            "attribute_id": list(lines),
            "attribute_name": names,
            "kind": [kind.strip() or "other" for kind, _, _ in halves],
            "name": [name.strip() for _, _, name in halves],
        }
    )


def read_image_rows(path: Path, attribute_ids: Iterable[int], with_split: bool) -> pd.DataFrame:
    """Read a table of images: columns id (str), labels (ascending class indices) and split.

    Args:
        path: CSV file with the columns id, attribute_ids and, `with_split`, split.
        attribute_ids: the ids of the classes, in the order of the class indices.
        with_split: without it, the split is left empty, whatever the file says.
    """
    index_of = {attribute_id: k for k, attribute_id in enumerate(attribute_ids)}
    lines: dict[str, int] = {}

    def parse(line: int, fields: list[str]) -> tuple[str, tuple[int, ...], str]:
        image_id, text, *split = fields
        where = f"{path}, line {line}"
        _add_id(lines, image_id, line, where)
        where += f", image {image_id!r}"
        given = [_attribute_id(part, where) for part in text.split()]
        unknown = [i for i in given if i not in index_of]
        if not given:
            raise ValueError(f"{where}: attribute_ids is empty. Add a label or remove the row")
        if unknown:
            raise ValueError(
                f"{where}: attribute_id {unknown[0]} is not in labels.csv. Correct it or add it"
            )
        if len(set(given)) < len(given):
            raise ValueError(f"{where}: a label is given twice in {text!r}. Remove one")
        if split and split[0] not in ("", *SPLITS):
            raise ValueError(f"{where}: split {split[0]!r} must be one of {SPLITS} or empty")
        return image_id, tuple(sorted(index_of[i] for i in given)), "".join(split)

    columns = ["id", "attribute_ids", "split"][: 3 if with_split else 2]
    rows = _parse_all(read_rows(path, columns), parse)
    return pd.DataFrame(rows, columns=["id", "labels", "split"])


def read_id_lines(path: Path) -> dict[str, int]:
    """Read the ids of a table, in its order, with the lines they are on.

    Raises:
        ValueError: if an id is given twice or cannot name a file.
    """
    lines: dict[str, int] = {}

    def parse(line: int, fields: list[str]) -> str:
        _add_id(lines, fields[0], line, f"{path}, line {line}")
        return fields[0]

    ids = _parse_all(read_rows(path, ["id"]), parse)
    return dict(zip(ids, lines.values(), strict=True))


def _add_id(lines: dict[str, int], image_id: str, line: int, where: str) -> None:
    """Check an id, and note its line; ids that name the same file are the same id."""
    if problem := id_problem(image_id):
        raise ValueError(f"{where}: id {image_id!r} {problem}")
    key = file_key(image_id)
    if key in lines:
        raise ValueError(
            f"{where}: id {image_id!r} is given on line {lines[key]} already. "
            "Join the two rows or remove one"
        )
    lines[key] = line


def file_key(name: str) -> str:
    """Write a name in Unicode NFC, since some systems store the names of files in NFD."""
    return unicodedata.normalize("NFC", name)


def id_problem(image_id: object) -> str:
    """Say why an id cannot name a file in the image folder, or nothing where it can.

    >>> id_problem("12e5")
    ''
    >>> id_problem("../secret")
    "must be a file's plain name: no path, no leading dot, no control character"
    """
    if not isinstance(image_id, str) or not image_id.strip():
        return "must be text and not empty"
    if image_id.startswith(".") or any(c in "/\\" or not c.isprintable() for c in image_id):
        return "must be a file's plain name: no path, no leading dot, no control character"
    return ""


def _attribute_id(text: str, where: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 19):
        raise ValueError(
            f"{where}: attribute_id {text!r} must be a whole number, zero or more; several are "
            "parted by blanks"
        )
    return int(text)
