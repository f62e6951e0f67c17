"""Records of the Metropolitan Museum's objects, from its API or table, and the labels in them.

A record is a dictionary: id, image (an address; "" without one in the public domain), tags, and
the texts of `TEXTS`.
"""

import json
import re
import unicodedata
from pathlib import Path
from typing import Any

import pandas as pd

Record = dict[str, Any]

TEXTS = {  # fields of the API, and their columns in MetObjects.csv
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
    """Read the ids of the objects of a department from the API's answer, else ValueError."""
    answer = json.loads(content)
    ids = answer.get("objectIDs", "") if isinstance(answer, dict) else ""
    if ids is None:  # a department that does not exist
        return []
    if not isinstance(ids, list) or not all(isinstance(some, int) for some in ids):
        raise ValueError("not a list of objects")
    return ids


def parse_record(content: bytes, object_id: int) -> Record:
    """Read the record of one object from the API's answer, else ValueError."""
    answer = json.loads(content)
    if not isinstance(answer, dict) or answer.get("objectID") != object_id:
        raise ValueError(f"not the record of object {object_id}")
    tags = [tag.get("term") for tag in answer.get("tags") or [] if isinstance(tag, dict)]
    is_free = answer.get("isPublicDomain") is True
    return {
        "id": object_id,
        "image": str(answer.get("primaryImageSmall") or "") if is_free else "",
        "tags": [str(tag) for tag in tags if tag],
        **{text: str(answer.get(text) or "") for text in TEXTS},
    }


def read_met_objects(path: Path | str, wanted: set[int]) -> dict[int, Record]:
    """Read the wanted objects in the public domain from MetObjects.csv, all but their images.

    An OSError if the file cannot be read, a ValueError if it is another table.
    """
    try:
        table = pd.read_csv(
            path, usecols=COLUMNS, dtype=str, keep_default_na=False, encoding="utf-8-sig"
        )
        table["id"] = table["Object ID"].astype(int)
    except ValueError as error:
        raise ValueError(
            f"{path} is not the museum's MetObjects.csv with the columns {', '.join(COLUMNS)} "
            f"({error}). A file of three lines only points to it: fetch it with Git LFS"
        ) from error
    table = table[(table["Is Public Domain"].str.lower() == "true") & table["id"].isin(wanted)]
    table = table.rename(columns={column: text for text, column in TEXTS.items()})
    table = table.assign(tags=table["Tags"].str.split("|"))
    return {row["id"]: row for row in table[["id", "tags", *TEXTS]].to_dict("records")}


def label_names(record: Record, classification: bool = False) -> list[str]:
    """Name the labels of an object, sorted; with `classification`, that is a tag, too.

    The culture is the record's, or else the country, or else the artist's nationality; a place
    beside it is a label of its own, as in iMet.

    >>> label_names({"culture": "Probably Italian, Venice", "tags": ["Horses ", "Men"]})
    ['culture::italian', 'culture::venice', 'tag::horses', 'tag::men']
    """
    texts = (record.get(text, "") for text in ("culture", "country", "artistNationality"))
    cultures = next((names for text in texts if (names := _split(DOUBTS.sub(" ", text)))), [])
    tags = _split("|".join(record.get("tags", [])), r"\|")
    if classification:
        tags += _split(record.get("classification", ""))
    return sorted({f"culture::{name}" for name in cultures} | {f"tag::{name}" for name in tags})


def _split(text: str, marks: str = r"[,;|()]") -> list[str]:
    """Split a text at marks into names: in lower case, without accents and outer blanks."""
    plain = unicodedata.normalize("NFKD", text).replace("::", " ").lower()
    plain = "".join(letter for letter in plain if not unicodedata.combining(letter))
    names = (" ".join(part.split()) for part in re.split(marks, plain))
    return [name for name in names if name and name.isprintable()]
