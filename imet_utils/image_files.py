"""The image files of a collection: found by id, whatever the suffix; ids to predict; boxes."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from imet_utils.table_files import file_key, id_problem, read_id_lines

SUFFIXES = (".png", ".jpg", ".jpeg")


def find_images(folder: Path | str, ids: Sequence[str]) -> list[Path]:
    """Find the file of each id: `<id>.png`, `.jpg` or `.jpeg`, the suffix in any case.

    Raises:
        FileNotFoundError: if the folder or an image is missing.
        ValueError: if an id has two files.
    """
    ids = list(ids)
    found = match_images(folder, ids)
    missing = [image_id for image_id, files in zip(ids, found, strict=True) if not files]
    if missing:
        raise FileNotFoundError(
            f"{folder} lacks the images of {len(missing)} of {len(ids)} ids, such as "
            f"{', '.join(missing[:5])}: each needs a file <id>.png, <id>.jpg or <id>.jpeg"
        )
    for image_id, files in zip(ids, found, strict=True):
        if len(files) > 1:
            names = [path.name for path in files]
            raise ValueError(f"{folder} has two images of id {image_id!r}: {names}. Keep one")
    return [files[0] for files in found]


def match_images(folder: Path | str, ids: Sequence[str]) -> list[list[Path]]:
    """Find all files of each id, sorted; there should be one.

    Raises:
        FileNotFoundError: if the folder is missing.
    """
    files = _list_images(Path(folder))
    return [sorted(files.get(file_key(image_id), [])) for image_id in ids]


def submission_ids(data_dir: Path | str) -> list[str]:
    """List the ids of the images in `test/`, in the order of `sample_submission.csv` if it exists.

    Returns:
        No ids at all if there is no folder `test/`.

    Raises:
        ValueError: if an id is given twice or is no plain name.
    """
    folder, order = Path(data_dir) / "test", Path(data_dir) / "sample_submission.csv"
    if not folder.is_dir():
        return []
    if order.is_file():
        return list(read_id_lines(order))
    ids = sorted(_list_images(folder))
    for image_id in ids:
        if problem := id_problem(image_id):
            raise ValueError(f"{folder}: the file name {image_id!r} {problem}. Rename the file")
    return ids


def _list_images(folder: Path) -> dict[str, list[Path]]:
    """List image files by their names without suffix, in Unicode NFC."""
    if not folder.is_dir():
        raise FileNotFoundError(f"{folder} is missing: it must be the folder of the images")
    files: dict[str, list[Path]] = {}
    for path in folder.iterdir():
        if path.suffix.lower() in SUFFIXES and not path.name.startswith("."):
            files.setdefault(file_key(path.stem), []).append(path)
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
