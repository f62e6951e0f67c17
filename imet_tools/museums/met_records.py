"""What the Metropolitan Museum says of its objects, by API or table, and the labels in it.

A record is a dictionary: id, image (an address; "" without one in the public domain), tags, and
the texts of `TEXTS`.
"""

import json
import re
import unicodedata
from collections.abc import Container
from pathlib import Path
from typing import Any

import pandas as pd

Record = dict[str, Any]

TEXTS = {  # of the API, and their columns in MetObjects.csv
    "culture": "Culture",
    "country": "Country",
    "artistNationality": "Artist Nationality",
    "classification": "Classification",
    "title": "Title",
    "objectURL": "Link Resource",
}
COLUMNS = ("Object ID", "Is Public Domain", "Tags", *TEXTS.values())
DOUBTS = re.compile(r"\b(probably|possibly|perhaps|attributed to|culture|unknown)\b|\?", re.I)


def parse_listing(content: bytes) -> list[int]:
    """Read the ids of the objects of a department.

    Raises:
        ValueError: if it is something else.
    """
    answer = json.loads(content)
    ids = answer.get("objectIDs", "") if isinstance(answer, dict) else ""
    if ids is None:  # as the API says of a department that it does not have
        return []
    if not isinstance(ids, list) or not all(isinstance(some, int) for some in ids):
        raise ValueError("not a list of objects")
    return ids


def parse_record(content: bytes, object_id: int) -> Record:
    """Read what the API says of an object.

    Raises:
        ValueError: if it is something else, or of another object.
    """
    answer = json.loads(content)
    if not isinstance(answer, dict) or answer.get("objectID") != object_id:
        raise ValueError(f"not the record of object {object_id}")
    tags = [tag.get("term") for tag in answer.get("tags") or [] if isinstance(tag, dict)]
    free = answer.get("isPublicDomain") is True
    return {
        "id": object_id,
        "image": str(answer.get("primaryImageSmall") or "") if free else "",
        "tags": [str(tag) for tag in tags if tag],
        **{text: str(answer.get(text) or "") for text in TEXTS},
    }


def read_met_objects(path: Path | str, wanted: Container[int]) -> dict[int, Record]:
    """Read MetObjects.csv, which has all of a record but the address of the image.

    Args:
        path: of the table.
        wanted: ids of the objects to read; of these only those in the public domain are.

    Raises:
        OSError: if it cannot be read.
        ValueError: if it is another table.
    """
    records = {}
    options = {"dtype": str, "keep_default_na": False, "encoding": "utf-8-sig", "chunksize": 50_000}
    try:
        with pd.read_csv(path, usecols=COLUMNS, **options) as parts:
            for part in parts:
                free = part[part["Is Public Domain"].str.lower() == "true"]
                for row in free.to_dict("records"):
                    object_id = int(row["Object ID"])
                    if object_id in wanted:
                        texts = {text: row[column] for text, column in TEXTS.items()}
                        tags = row["Tags"].split("|")
                        records[object_id] = {"id": object_id, "tags": tags, **texts}
    except ValueError as error:
        raise ValueError(
            f"{path} is not the museum's MetObjects.csv with the columns {', '.join(COLUMNS)} "
            f"({error}). A file of three lines only points to it: fetch it with Git LFS"
        ) from error
    return records


def label_names(record: Record, classification: bool = False) -> list[str]:
    """Name the labels of an object, sorted; with `classification`, that is a tag, too.

    The culture is the record's, or else the country, or else the artist's nationality; a place
    beside it is a label of its own, as in iMet.

    >>> label_names({"culture": "Probably Italian, Venice", "tags": ["Horses ", "Men"]})
    ['culture::italian', 'culture::venice', 'tag::horses', 'tag::men']
    """
    texts = (record.get(text, "") for text in ("culture", "country", "artistNationality"))
    cultures = next((names for text in texts if (names := _split(DOUBTS.sub(" ", text)))), [])
    tags = _split("|".join(record["tags"]), r"\|")
    if classification:
        tags += _split(record.get("classification", ""))
    return sorted({f"culture::{name}" for name in cultures} | {f"tag::{name}" for name in tags})


def _split(text: str, marks: str = r"[,;|()]") -> list[str]:
    """Split a text at marks into names: in lower case, without accents and outer blanks."""
    plain = unicodedata.normalize("NFKD", text).replace("::", " ").lower()
    plain = "".join(letter for letter in plain if not unicodedata.combining(letter))
    names = (" ".join(part.split()) for part in re.split(marks, plain))
    return [name for name in names if name and name.isprintable()]
