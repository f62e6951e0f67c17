"""CSV files, read as text and checked line by line.

Nothing is guessed: ids such as `12e5` and `0012` stay text. An error lists the faults of all rows,
each with file, line, value and advice.
"""

import csv
import io
import os
import re
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

SEPARATORS = {",": "comma", ";": "semicolon", "\t": "tab"}
SEPARATOR_LINE = r"sep=([,;\t])\r?\n"  # the first line of some tables
BLANKS = "[ \u00a0\u2000-\u200a\u202f\u205f\u3000]+"
PLAIN_NAME = "must be a file's plain name in UTF-8: no path, no leading dot, no control character"

Parsed = TypeVar("Parsed")


class RowFault(ValueError):
    """A fault of a row: a cause with `{}` for each value. Equal causes are reported together."""

    def __init__(self, cause: str, *values: object) -> None:
        super().__init__(cause.format(*map(repr, values)))
        self.cause = cause


@dataclass(frozen=True)
class CsvFile:
    """The text of a CSV file: of its rows that are not empty, line numbers and stripped fields."""

    path: Path
    separator: str
    header: list[str]
    rows: list[tuple[int, list[str]]]


def read_csv(path: Path, columns: Sequence[str]) -> CsvFile:
    """Read a CSV file in UTF-8; its delimiter is that of `SEPARATORS` that yields most `columns`.

    Where a first line such as `sep=;` names the delimiter, as Excel's do, it is that. If the file
    is missing, the error names the `columns` that it must have.
    """
    if not path.is_file():
        wanted = f"a CSV file with the columns {', '.join(columns)}"
        raise FileNotFoundError(f"{path} is missing: it must be {wanted}")
    content = path.read_bytes()
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise ValueError(f"{path}, line {line}: not UTF-8. Save it as CSV in UTF-8") from error
    named = re.match(SEPARATOR_LINE, text)
    reader = csv.reader([])
    try:
        separator = named[1] if named else _find_separator(text, columns)
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
        rows = [(reader.line_num, [field.strip() for field in row]) for row in reader]
    except csv.Error as error:
        raise ValueError(f"{path}, line {reader.line_num}: {error}. Mind the quotes") from error
    (_, names), *rows = [(n, row) for n, row in rows[bool(named) :] if any(row)] or [(0, [])]
    return CsvFile(path, separator, names, rows)


def _find_separator(text: str, columns: Sequence[str]) -> str:
    """Find the delimiter with which the header has most of the columns, or else most fields."""

    def count(mark: str) -> tuple[int, int]:
        header = next(csv.reader(io.StringIO(text.lstrip(), newline=""), delimiter=mark), [])
        named = sum(any(map(str.isalnum, name)) for name in header)  # else a tab beside a comma
        return len(set(columns) & {name.strip() for name in header}), named

    return max(SEPARATORS, key=count)


def parse_rows(
    table: CsvFile, columns: Sequence[str], parse: Callable[..., Parsed]
) -> list[Parsed]:
    """Call `parse` with the line number and these fields of each row; it may raise RowFault.

    Raises:
        ValueError: if a column is missing or there is no row; or with all faults of the rows.
    """
    path, header = table.path, table.header
    if any(header.count(column) != 1 for column in columns):
        wrong = [column for column in columns if header.count(column) != 1]
        raise ValueError(
            f"{path}: the header must have the columns {', '.join(columns)} once each, in any "
            f"order; {', '.join(wrong)} is missing or there twice; got {header}"
        )
    if not table.rows:
        raise ValueError(f"{path} has a header and no rows: add one for each entry")
    places = [header.index(column) for column in columns]
    parsed: list[Parsed] = []
    faults: dict[str, list[tuple[int, RowFault]]] = {}  # by cause
    for line, row in table.rows:
        try:
            if len(row) < len(header) or any(row[len(header) :]):
                cause = "{} fields where the header has {}: {}. Put quotes around a field that "
                cause += f"holds a {SEPARATORS[table.separator]}"
                raise RowFault(cause, len(row), len(header), row)
            parsed.append(parse(line, *(row[place] for place in places)))
        except RowFault as fault:
            faults.setdefault(fault.cause, []).append((line, fault))
    messages = [
        f"{path}, {1 + len(others):,} rows: {fault} (first: line {line})"
        if others
        else f"{path}, line {line}: {fault}"
        for (line, fault), *others in faults.values()
    ]
    if messages:
        raise ValueError(list_faults(messages))
    return parsed


def list_faults(faults: Sequence[str]) -> str:
    """Write one fault as it is, and several as a list: the first ten, and how many more."""
    if len(faults) == 1:
        return faults[0]
    lines = [f"{len(faults):,} faults:", *(f"- {fault}" for fault in faults[:10])]
    return "\n".join(lines + [f"and {len(faults) - 10:,} more"] * (len(faults) > 10))


def add_id(lines: dict[str, int], image_id: str, line: int) -> str:
    """Check an id, add its line and return it; ids of the same file name are the same id."""
    if not is_plain_name(image_id):
        raise RowFault(f"id {{}} {PLAIN_NAME}", image_id)
    first = lines.setdefault(file_key(image_id), line)
    if first != line:
        raise RowFault(
            "id {} is given on line {} already. Join the two rows or remove one", image_id, first
        )
    return image_id


def file_key(name: str) -> str:
    """Write a name of a file or label in its one form: Unicode NFC, single blanks, none around it.

    >>> file_key("cafe\u0301\u00a0 noir ") == "caf\u00e9 noir"
    True
    """
    # Control characters stay, and are refused by `is_plain_name`.
    return re.sub(BLANKS, " ", unicodedata.normalize("NFC", name)).strip(" ")


def printable(name: str) -> str:
    r"""Write a file's name that is no UTF-8 with its bytes, which no file in UTF-8 could hold.

    >>> printable("Mu\udcf1oz.png")
    'Mu\\xf1oz.png'
    """
    return os.fsencode(name).decode(errors="backslashreplace")


def is_plain_name(image_id: str) -> bool:
    """Tell whether an id can name a file in the image folder.

    >>> is_plain_name("12e5"), is_plain_name("../secret"), is_plain_name("")
    (True, False, False)
    """
    hidden = image_id.startswith(".") or not image_id.strip()
    return not hidden and image_id.isprintable() and not set("/\\") & set(image_id)
