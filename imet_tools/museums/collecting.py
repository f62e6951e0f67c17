"""A collection in iMet's layout from the Metropolitan Museum's Open Access.

Answers are kept in the folder `met/` of the collection, a file an object, so that a run that was
killed or cut off is resumed without asking twice. `train.csv` is written last: without it the
collection is unfinished.
"""

import logging
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain, islice, zip_longest
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from imet_tools.command import lock_folder
from imet_tools.museums.met_records import (
    Record,
    label_names,
    parse_listing,
    parse_record,
    read_met_objects,
)
from imet_tools.museums.requesting import Client, Failed, Unavailable
from imet_utils.files import atomic_path, remove_leftovers, save_csv, save_json
from imet_utils.progress import progress
from imet_utils.tables import read_image

MET_API = "https://collectionapi.metmuseum.org/public/collection/v1"
SHORT_SIDE = 300  # pixels, as in iMet
LICENCE = "CC0 1.0"

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Summary:
    """Counts of a run of `collect_met`."""

    images: int  # in the collection
    labels: int
    left_out: int  # images with rare labels only
    failed: int  # objects whose record or image could not be fetched
    requests: int  # sent by this run
    failures: int  # requests that were refused, cut, wrong or unanswered


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
    """Build a collection of works in the public domain, or resume an unfinished one.

    The departments, by their numbers, take turns, each in an order drawn by `seed`. Labels on fewer
    than `min_images` are dropped, and so are images without any other; with `classification` the
    museum's own (Paintings, Prints) is a tag, too. With `table`, the museum's MetObjects.csv,
    labels come from it, and only objects that are free and labelled there are requested. Two
    requests are at least `seconds` apart.

    Raises:
        Unavailable: if the museum refuses or cannot be reached for long; existing files stay.
        ValueError: if the folder holds something else, a department is empty, `table` is another
            table, or no label is common enough.
    """
    if images < 1 or min_images < 1:
        raise ValueError(f"images and min_images must be at least 1, got {images}, {min_images}")
    folder = Path(data_dir)
    cache, train = folder / "met", folder / "train"
    if folder.is_dir() and any(folder.iterdir()) and not cache.is_dir():
        raise ValueError(f"{folder} holds other files. Name a new folder for the collection")
    cache.mkdir(parents=True, exist_ok=True)
    train.mkdir(exist_ok=True)
    with lock_folder(cache):
        remove_leftovers(chain(*(place.iterdir() for place in (folder, cache, train))))
        if table is not None and not Path(table).is_file():
            raise ValueError(f"there is no table {table}")
        client = Client(api, seconds, cache)
        order = draw_order({n: list_objects(client, n) for n in departments}, seed)
        in_table = {}
        if table is not None:
            in_table = read_met_objects(table, set(order))
            order = [n for n in order if label_names(in_table.get(n, {}), classification)]
        usable = fetch_objects(client, order, in_table, classification, train)
        records = list(progress(islice(usable, images), "collecting images", images, "image"))
        rows, labels = write_tables(folder, records, min_images)
    left_out = len(records) - rows
    return Summary(rows, labels, left_out, client.failed, client.pace.requests, client.failures)


def draw_order(listings: Mapping[int, Sequence[int]], seed: int) -> list[int]:
    """Shuffle the objects of each department; departments take turns while they have some."""
    shuffled = [
        np.random.default_rng([seed, number]).permutation(sorted(ids)).tolist()
        for number, ids in sorted(listings.items())
    ]
    return [some for some in chain.from_iterable(zip_longest(*shuffled)) if some is not None]


def list_objects(client: Client, department: int) -> list[int]:
    """List the ids of the objects of a department."""
    path, name = f"/objects?departmentIds={department}", f"department_{department}.json"
    try:
        ids = client.get_cached(path, parse_listing, name)
    except Failed as error:
        raise Unavailable(str(error)) from None
    if not ids:
        (client.cache / name).unlink()
        raise ValueError(f"no department {department}; {client.api}/departments lists all")
    return ids


def fetch_objects(
    client: Client,
    order: Iterable[int],
    in_table: Mapping[int, Record],
    classification: bool,
    train: Path,
) -> Iterator[Record]:
    """Yield the record of each usable object with its `labels`, once its image is in `train`."""
    for object_id in order:
        name, file = f"{object_id}.json", train / f"{object_id}.jpg"
        parse = partial(parse_record, object_id=object_id)
        try:
            record = client.get_cached(f"/objects/{object_id}", parse, name)
            record |= in_table.get(object_id, {})
            labels = label_names(record, classification) if record.get("image") else []
            if not labels:
                continue
            is_there = file.is_file() and file.stat().st_size > 0
            save = partial(save_image, path=file)
            if is_there or client.get(record["image"], save) is not None:
                yield record | {"labels": labels}
            else:  # the museum no longer has it
                save_json({}, client.cache / name)
        except Failed as error:
            log.warning("object %d is left out: %s", object_id, error)


def save_image(content: bytes, path: Path) -> Path:
    """Write an image as a JPEG, its short side at most 300 pixels; ValueError if it is none."""
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
    """Write the tables; return the numbers of images and labels in them."""
    counts = Counter(chain.from_iterable(record["labels"] for record in records))
    names = sorted(name for name, count in counts.items() if count >= min_images)
    if not names:
        raise ValueError(
            f"no label is on {min_images} of the {len(records)} images: ask for more images or "
            "departments, or lower min_images"
        )
    ids = {name: str(number) for number, name in enumerate(names)}
    images = pd.DataFrame(records).rename(columns={"objectURL": "url", "image": "image_url"})
    images["attribute_ids"] = [
        " ".join(ids[name] for name in labels if name in ids) for labels in images["labels"]
    ]
    images = images[images["attribute_ids"] != ""].sort_values("id").assign(licence=LICENCE)
    labels = pd.DataFrame({"attribute_id": range(len(names)), "attribute_name": names})
    (folder / "train.csv").unlink(missing_ok=True)  # until the others agree with it
    save_csv(labels, folder / "labels.csv")
    sources = images[["id", "title", "url", "image_url", "licence"]]
    save_csv(sources, folder / "sources.csv", spreadsheet_safe=True)
    save_csv(images[["id", "attribute_ids"]], folder / "train.csv")
    return len(images), len(labels)
