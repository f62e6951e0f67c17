"""A collection in iMet's layout from the Metropolitan Museum's Open Access.

What the museum has said is kept in the folder `met/` of the collection, a file an object, so that
nothing is asked twice, and a run that was killed or cut off goes on where it was. `train.csv` is
written last: without it the collection is unfinished.
"""

import logging
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from itertools import chain, zip_longest
from pathlib import Path

import numpy as np
import pandas as pd
from filelock import FileLock, Timeout
from PIL import Image

from imet_tools.museums.met_records import (
    Record,
    label_names,
    parse_listing,
    parse_record,
    read_met_objects,
)
from imet_tools.museums.requesting import Client, Failed, Unavailable, recall
from imet_utils.files import atomic_path, remove_leftovers, save_csv, save_json
from imet_utils.progress import progress
from imet_utils.tables import read_image

MET_API = "https://collectionapi.metmuseum.org/public/collection/v1"
SHORT_SIDE = 300  # pixels, as in iMet
LICENCE = "CC0 1.0"

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Summary:
    """What a run of `collect_met` came to.

    Attributes:
        images: in the collection.
        labels: of them.
        left_out: images that carry rare labels alone.
        failed: objects whose record or image could not be had.
        requests: that this run sent.
        failures: how many of these were refused, cut, wrong or without an answer.
    """

    images: int
    labels: int
    left_out: int
    failed: int
    requests: int
    failures: int


def collect_met(
    data_dir: Path | str,
    departments: Sequence[int],
    images: int = 2000,
    min_images: int = 5,
    classification: bool = False,
    table: Path | str | None = None,
    seed: int = 0,
    seconds: float = 1.0,
    api: str = MET_API,
) -> Summary:
    """Build a collection of works in the public domain, or go on with it.

    Args:
        data_dir: its folder: a new or empty one, or one that this began.
        departments: their numbers; they take turns.
        images: to fetch, of objects that have a label.
        min_images: a label on fewer is dropped, and so is an image without any other.
        classification: take the museum's classification (Paintings, Prints) as tags, too.
        table: the museum's MetObjects.csv: labels come from there, and only objects that it shows
            to have some and to be in the public domain are asked for.
        seed: of the draw of objects.
        seconds: between two requests, at least.
        api: address of the API.

    Raises:
        Unavailable: if the museum refuses or cannot be reached for long; what is there stays.
        ValueError: if the folder holds something else, a department is empty, `table` is another
            table, or no label is common enough.
    """
    if images < 1 or min_images < 1:
        raise ValueError(f"images and min_images must be at least 1, got {images}, {min_images}")
    folder = Path(data_dir)
    with _claim(folder):
        client = Client(api, seconds, folder / "met" / "pace.json")
        met = _Met(folder, client, api, classification)
        order = draw_order({number: met.list_objects(number) for number in departments}, seed)
        if table is not None:
            met.known = read_met_objects(table, set(order))
            order = [object_id for object_id in order if object_id in met.known]
        there = {path.stem for path in (folder / "train").glob("*.jpg")}
        done = min(images, sum(str(object_id) in there for object_id in order))
        new = met.gather(order, images)
        for _ in progress(new, "collecting images", images, "image", initial=done):
            pass
        rows, labels = write_tables(folder, met.kept, min_images)
    left_out = len(met.kept) - rows
    return Summary(rows, labels, left_out, met.failed, client.requests, client.failures)


@contextmanager
def _claim(folder: Path) -> Iterator[None]:
    """Hold the folder against a second run, and remove what a killed one was writing."""
    memory, train = folder / "met", folder / "train"
    if folder.is_dir() and any(folder.iterdir()) and not memory.is_dir():
        raise ValueError(f"{folder} holds other files. Name a new folder for the collection")
    memory.mkdir(parents=True, exist_ok=True)
    train.mkdir(exist_ok=True)
    try:
        with FileLock(memory / ".lock", timeout=0):
            remove_leftovers(chain(folder.iterdir(), memory.iterdir(), train.iterdir()))
            yield
    except Timeout:
        raise ValueError(f"another run is collecting into {folder}. Let it end first") from None


def draw_order(listings: Mapping[int, Sequence[int]], seed: int) -> list[int]:
    """Shuffle the objects of each department; departments take turns while they have some."""
    shuffled = [
        np.random.default_rng([seed, number]).permutation(sorted(ids)).tolist()
        for number, ids in sorted(listings.items())
    ]
    return [some for some in chain.from_iterable(zip_longest(*shuffled)) if some is not None]


@dataclass
class _Met:
    """The museum's objects, each as remembered or else as asked for.

    Attributes:
        known: their records in the museum's table, where there is one.
        kept: records, each with its `labels`, of the objects whose image is there.
        failed: how many objects could not be had.
    """

    folder: Path
    client: Client
    api: str
    classification: bool
    known: dict[int, Record] = field(default_factory=dict)
    kept: list[Record] = field(default_factory=list)
    failed: int = 0

    def list_objects(self, department: int) -> list[int]:
        """List the ids of the objects of a department."""
        path = self.folder / "met" / f"department_{department}.json"
        ids = recall(path)
        if ids is None:
            url = f"{self.api}/objects?departmentIds={department}"
            try:
                ids = self.client.get(url, parse_listing)
            except Failed as error:
                raise Unavailable(str(error)) from None
            if not ids:
                raise ValueError(f"no department {department}; {self.api}/departments lists all")
            save_json(ids, path)
        return ids

    def gather(self, order: Sequence[int], images: int) -> Iterator[int]:
        """Keep the first `images` objects that can be had; yield those whose image is new."""
        for object_id in order:
            if len(self.kept) == images:
                return
            file = self.folder / "train" / f"{object_id}.jpg"
            is_new = not (file.is_file() and file.stat().st_size)
            try:
                record = self.find_labelled(object_id)
                if record and (not is_new or self.fetch_image(record, file)):
                    self.kept.append(record)
                    if is_new:
                        yield object_id
            except Failed as error:
                self.failed += 1
                log.warning("object %d is left out: %s", object_id, error)

    def find_labelled(self, object_id: int) -> Record | None:
        """Return the record of an object with its `labels`, None without any or an image."""
        known = self.known.get(object_id)
        if known and not label_names(known, self.classification):
            return None
        path = self.folder / "met" / f"{object_id}.json"
        record = recall(path)
        if record is None:
            parse = partial(parse_record, object_id=object_id)
            url = f"{self.api}/objects/{object_id}"
            record = self.client.get(url, parse) or {"id": object_id, "image": ""}
            save_json(record, path)
        if not record["image"]:
            return None
        record |= known or {}
        labels = label_names(record, self.classification)
        return record | {"labels": labels} if labels else None

    def fetch_image(self, record: Record, file: Path) -> bool:
        """Fetch the image of an object; where the museum has it no more, remember that."""
        if self.client.get(record["image"], partial(save_image, path=file)):
            return True
        save_json({"id": record["id"], "image": ""}, self.folder / "met" / f"{file.stem}.json")
        return False


def save_image(content: bytes, path: Path) -> Path:
    """Decode a fetched image and write it as a JPEG, the short side at most 300 pixels.

    Raises:
        ValueError: if it is no image, cut short, or too large.
    """
    with atomic_path(path) as temporary:
        temporary.write_bytes(content)
        try:
            image = read_image(temporary)
        except ValueError as error:
            raise ValueError(str(error).removeprefix(f"{temporary}: ")) from None
        scale = min(1.0, SHORT_SIDE / min(image.size))
        size = [round(scale * side) for side in image.size]
        image.resize(size, Image.Resampling.LANCZOS).save(temporary, "JPEG", quality=95)
    return path


def write_tables(folder: Path, records: Sequence[Record], min_images: int) -> tuple[int, int]:
    """Write the tables, `train.csv` last; return the numbers of images and labels in them.

    Raises:
        ValueError: if no label is common enough.
    """
    counts = Counter(chain.from_iterable(record["labels"] for record in records))
    names = sorted(name for name, count in counts.items() if count >= min_images)
    if not names:
        raise ValueError(
            f"no label is on {min_images} of the {len(records)} images: ask for more images or "
            "departments, or lower min_images"
        )
    ids = {name: str(number) for number, name in enumerate(names)}
    rows = [
        {
            "id": record["id"],
            "attribute_ids": " ".join(ids[name] for name in record["labels"] if name in ids),
            "title": record["title"],
            "url": record["objectURL"],
            "image_url": record["image"],
            "licence": LICENCE,
        }
        for record in sorted(records, key=lambda record: record["id"])
        if not ids.keys().isdisjoint(record["labels"])
    ]
    images = pd.DataFrame(rows)
    labels = pd.DataFrame({"attribute_id": range(len(names)), "attribute_name": names})
    (folder / "train.csv").unlink(missing_ok=True)  # until the others agree with it
    save_csv(labels, folder / "labels.csv")
    sources = images.drop(columns="attribute_ids")
    save_csv(sources, folder / "sources.csv", spreadsheet_safe=True)
    save_csv(images[["id", "attribute_ids"]], folder / "train.csv")
    return len(images), len(labels)
