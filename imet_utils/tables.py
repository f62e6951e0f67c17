"""The tables of a collection in iMet's layout: read, check, drop rare labels, split, save."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd

from imet_utils.image_files import find_images as find_images
from imet_utils.image_files import load_boxes as load_boxes
from imet_utils.image_files import submission_ids as submission_ids
from imet_utils.runs import save_csv
from imet_utils.stratify import stratify
from imet_utils.table_files import SPLITS, id_problem, read_image_rows, read_labels


@dataclass(frozen=True, eq=False)
class Tables:
    """A collection: its images and the labels they carry.

    Attributes:
        images: columns id (str), labels (ascending class indices, a tuple) and split, which is
            `train`, `val`, `test` or, before the split, empty.
        labels: row k is class k: attribute_id (int), attribute_name, and its two halves around
            `::`, kind (`other` where there is none) and name.
        data_dir: the folder that the collection was read from.
    """

    images: pd.DataFrame
    labels: pd.DataFrame
    data_dir: Path

    @property
    def num_classes(self) -> int:
        """Number of labels, C."""
        return len(self.labels)

    @property
    def targets(self) -> np.ndarray:
        """Which image carries which label, bool (N, C); built anew at each access."""
        return multi_hot(self.images["labels"], self.num_classes)

    @property
    def counts(self) -> np.ndarray:
        """Number of images that carry each label, int (C,)."""
        return np.bincount(_flatten(self.images["labels"]), minlength=self.num_classes)

    @property
    def is_culture(self) -> np.ndarray:
        """Which labels are cultures, bool (C,)."""
        return (self.labels["kind"] == "culture").to_numpy(dtype=bool, copy=True)


def load_tables(data_dir: Path | str) -> Tables:
    """Read and check `train.csv` and `labels.csv` of a collection.

    Classes are numbered in the order of `labels.csv`, whether an image carries them or not.

    Raises:
        FileNotFoundError: if one of the files is missing.
        ValueError: naming file, line and value of whatever is wrong in them.
    """
    data_dir = Path(data_dir)
    labels = read_labels(data_dir / "labels.csv")
    images = read_image_rows(data_dir / "train.csv", labels["attribute_id"], with_split=False)
    return Tables(images, labels, data_dir)


def read_tables(folder: Path | str, data_dir: Path | str) -> Tables:
    """Read what `save_tables` wrote to `folder`, of the collection in `data_dir`.

    Raises:
        FileNotFoundError, ValueError: as `load_tables`.
    """
    labels = read_labels(Path(folder) / "labels.csv")
    images = read_image_rows(Path(folder) / "images.csv", labels["attribute_id"], with_split=True)
    return Tables(images, labels, Path(data_dir))


def save_tables(tables: Tables, folder: Path | str) -> None:
    """Write `images.csv` (labels as the collection's own attribute ids) and `labels.csv`."""
    validate_tables(tables)
    attribute_ids = _join_ids(tables, tables.images["labels"])
    images = tables.images.assign(attribute_ids=attribute_ids)[["id", "attribute_ids", "split"]]
    labels = tables.labels[["attribute_id", "attribute_name"]]
    save_csv(labels, Path(folder) / "labels.csv")
    save_csv(images, Path(folder) / "images.csv")


def validate_tables(tables: Tables) -> None:
    """Check tables that were made or changed in code.

    Raises:
        ValueError: if a column is missing, an id or attribute id is given twice, an image has no
            label, labels that are no ascending class indices, or an unknown split.
    """
    images, labels = tables.images, tables.labels
    for frame, wanted, what in (
        (images, ["id", "labels", "split"], "images"),
        (labels, ["attribute_id", "attribute_name", "kind", "name"], "labels"),
    ):
        missing = [column for column in wanted if column not in frame]
        if missing or len(frame) == 0 or not frame.index.equals(pd.RangeIndex(len(frame))):
            raise ValueError(
                f"the table of {what} must have the columns {wanted}, at least one row and rows "
                f"numbered from 0; got columns {list(frame.columns)} and {len(frame)} rows"
            )
    for column, what in ((images["id"], "image id"), (labels["attribute_id"], "attribute id")):
        if column.duplicated().any():
            raise ValueError(f"{what} '{column[column.duplicated()].iloc[0]}' is given twice")
    for image_id, row in zip(images["id"], images["labels"], strict=True):
        if problem := id_problem(image_id):
            raise ValueError(f"image id {image_id!r} {problem}")
        ascending = all(a < b for a, b in pairwise(row))
        if not row or not ascending or row[0] < 0 or row[-1] >= len(labels):
            raise ValueError(
                f"image {image_id!r} must have at least one label, as ascending class indices "
                f"below {len(labels)}; got {row}"
            )
    unknown = set(images["split"]) - {"", *SPLITS}
    if unknown:
        raise ValueError(f"split must be one of {SPLITS} or empty, got {sorted(unknown)}")


def multi_hot(labels: Sequence[Sequence[int]], num_classes: int) -> np.ndarray:
    """Turn N lists of class indices into bool (N, C).

    >>> multi_hot([(0, 2), ()], 3)
    array([[ True, False,  True],
           [False, False, False]])
    """
    columns = _flatten(labels)
    if columns.size and not 0 <= columns.min() <= columns.max() < num_classes:
        raise ValueError(
            f"class indices must be in 0..{num_classes - 1}, got {columns.min()}..{columns.max()}"
        )
    targets = np.zeros((len(labels), num_classes), dtype=bool)
    targets[np.repeat(np.arange(len(labels)), [len(row) for row in labels]), columns] = True
    return targets


def label_strings(preds: np.ndarray, tables: Tables) -> list[str]:
    """Write predictions (N, C) as the competition does: attribute ids with blanks between them."""
    wanted = tables.num_classes
    if preds.ndim != 2 or preds.shape[1] != wanted or preds.dtype != bool:
        raise ValueError(f"preds must be bool (N, {wanted}), got {preds.dtype} {preds.shape}")
    return _join_ids(tables, map(np.flatnonzero, preds))


def _join_ids(tables: Tables, rows: Iterable[Sequence[int]]) -> list[str]:
    ids = tables.labels["attribute_id"].astype(str).tolist()
    return [" ".join(ids[k] for k in row) for row in rows]


def drop_rare_labels(tables: Tables, min_count: int = 3) -> Tables:
    """Drop the labels on fewer than `min_count` images, and every image that carries one.

    A single pass, as the poster's: a label that loses images to the drop may fall below
    `min_count` and stays, unless no image carries it any more.

    Raises:
        ValueError: if nothing would be left.
    """
    validate_tables(tables)
    if min_count < 1:
        raise ValueError(f"min_count must be at least 1, got {min_count}")
    rare = (tables.counts < min_count).tolist()
    images = tables.images[[not any(rare[k] for k in row) for row in tables.images["labels"]]]
    if images.empty:
        raise ValueError(
            f"each of the {len(tables.images)} images carries a label that occurs on fewer than "
            f"{min_count} images: lower min_count or give more images"
        )
    kept = np.unique(_flatten(images["labels"]))
    new_index = {int(old): new for new, old in enumerate(kept)}
    images = images.assign(labels=[tuple(new_index[k] for k in row) for row in images["labels"]])
    labels = tables.labels.iloc[kept].reset_index(drop=True)
    return replace(tables, images=images.reset_index(drop=True), labels=labels)


def split_tables(tables: Tables, ratios: Sequence[float] = (8, 1, 1), seed: int = 0) -> Tables:
    """Split the images into train, val and test; every label is shared in the same ratios.

    The sizes are as `ratios` say, to the image, and train gets every label that an image carries;
    in a small collection that may make train larger (`stratify`).

    Raises:
        ValueError: if `ratios` are not three positive numbers, or the images do not suffice for
            train to have every label and val and test an image each.
    """
    validate_tables(tables)
    if len(ratios) != len(SPLITS):
        raise ValueError(f"ratios must be three positive numbers, got {ratios}")
    parts = stratify(tables.images["labels"].tolist(), tables.num_classes, ratios, seed)
    return replace(tables, images=tables.images.assign(split=[SPLITS[part] for part in parts]))


def take_split(tables: Tables, split: str) -> Tables:
    """Keep the images of one split; the labels stay as they are.

    Raises:
        ValueError: if `split` is unknown or has no image.
    """
    images = tables.images[tables.images["split"] == split].reset_index(drop=True)
    if split not in SPLITS or images.empty:
        raise ValueError(
            f"no image of split {split!r}: it must be one of {SPLITS}, and the tables split; "
            f"they have {tables.images['split'].value_counts().to_dict()}"
        )
    return replace(tables, images=images)


def limit_images(tables: Tables, limit: int | None, seed: int = 0) -> Tables:
    """Keep a random `limit` of the images in their order, or all where it is None or larger."""
    if limit is not None and limit < 1:
        raise ValueError(f"limit must be at least 1 image or None, got {limit}")
    if limit is None or limit >= len(tables.images):
        return tables
    rows = np.sort(np.random.default_rng(seed).permutation(len(tables.images))[:limit])
    return replace(tables, images=tables.images.iloc[rows].reset_index(drop=True))


def _flatten(labels: Iterable[Sequence[int]]) -> np.ndarray:
    return np.fromiter((k for row in labels for k in row), dtype=np.int64)
