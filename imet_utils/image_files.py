"""The image files of a collection: found by id, whatever the suffix; ids to predict; boxes."""

import json
import unicodedata
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from imet_utils.table_files import read_rows, unique_ids

SUFFIXES = (".png", ".jpg", ".jpeg")


def find_images(folder: Path | str, ids: Sequence[str]) -> list[Path]:
    """Find the file of each id: `<id>.png`, `.jpg` or `.jpeg`, the suffix in any case.

    Raises:
        FileNotFoundError: if the folder or an image is missing.
        ValueError: if an id has two files.
    """
    files, ids = _list_images(Path(folder)), list(ids)
    keys = [unicodedata.normalize("NFC", image_id) for image_id in ids]
    missing = [image_id for image_id, key in zip(ids, keys, strict=True) if key not in files]
    if missing:
        raise FileNotFoundError(
            f"{folder} lacks the images of {len(missing)} of {len(ids)} ids, such as "
            f"{', '.join(missing[:5])}: each needs a file <id>.png, <id>.jpg or <id>.jpeg"
        )
    for key in keys:
        if len(files[key]) > 1:
            names = sorted(path.name for path in files[key])
            raise ValueError(f"{folder} has two images of id {key!r}: {names}. Keep one of them")
    return [files[key][0] for key in keys]


def submission_ids(data_dir: Path | str) -> list[str]:
    """List the ids of the images in `test/`, in the order of `sample_submission.csv` if it exists.

    Returns:
        No ids at all if there is no folder `test/`.
    """
    folder, order = Path(data_dir) / "test", Path(data_dir) / "sample_submission.csv"
    if not folder.is_dir():
        return []
    if order.is_file():
        return unique_ids(order, [(line, fields[0]) for line, fields in read_rows(order, ["id"])])
    return sorted(_list_images(folder))


def _list_images(folder: Path) -> dict[str, list[Path]]:
    """List image files by their names without suffix, in Unicode NFC as some systems store NFD."""
    if not folder.is_dir():
        raise FileNotFoundError(f"{folder} is missing: it must be the folder of the images")
    files: dict[str, list[Path]] = {}
    for path in folder.iterdir():
        if path.suffix.lower() in SUFFIXES and not path.name.startswith("."):
            files.setdefault(unicodedata.normalize("NFC", path.stem), []).append(path)
    return files


def load_boxes(
    data_dir: Path | str, ids: Sequence[str], names: Mapping[int, str]
) -> list[dict[str, np.ndarray]]:
    """Read where in each image a label's motif is, which rendered collections tell (`boxes.json`).

    Args:
        data_dir: folder of the collection.
        ids: training images.
        names: of the labels by attribute id; boxes of other labels are left out.

    Returns:
        For each id the boxes of each label name, (n, 4): left, top, right, bottom as shares of
        width and height. Empty without a `boxes.json`.
    """
    path = Path(data_dir) / "boxes.json"
    if not path.is_file():
        return [{} for _ in ids]
    known = json.loads(path.read_text(encoding="utf-8"))
    found = []
    for image_id, file in zip(ids, find_images(Path(data_dir) / "train", ids), strict=True):
        with Image.open(file) as image:
            size = np.array(image.size * 2)  # width, height, width, height
        boxes: dict[str, list] = {}
        for box in known.get(image_id, []):
            if box["label"] in names:
                boxes.setdefault(names[box["label"]], []).append(np.array(box["box"]) / size)
        found.append({name: np.stack(places) for name, places in boxes.items()})
    return found
