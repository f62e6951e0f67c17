"""The tables of a collection: read, check, drop rare labels, split, save."""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path

import numpy as np
import pandas as pd

from imet_utils.files import save_csv
from imet_utils.tables.csv_files import (
    SEPARATORS,
    CsvFile,
    RowFault,
    add_id,
    file_key,
    parse_rows,
    read_csv,
)
from imet_utils.tables.split import SPLITS, stratify, stratify_folds

LABELS = ["attribute_id", "attribute_name"]  # the columns of labels.csv
COLUMNS = ["attribute_ids", "labels", "tags"]  # that may hold the labels of an image
IMAGES = ["id", "attribute_ids", "split"]  # the first columns of images.csv
FILES = ["file", "hash"]  # its others, once the image files are checked
NO_KIND = "label"  # the kind of a label without `::`
NUM_FOLDS = 5  # of which one may be test
MOST_KINDS, OTHER_KINDS = 6, "other kinds"  # kinds that are distinguished, and all the rest

SplitLabels = Callable[[str], list]  # of a text into attribute ids or names


@dataclass(frozen=True, eq=False)
class Tables:
    """A collection: its images and their labels.

    The columns of `images` are id (str), labels (ascending class indices, a tuple) and split, which
    is `train`, `val`, `test` or, before the split, empty; once the image files are checked also
    file (name in `train/`) and hash (`hash_file`). Row k of `labels` is class k: attribute_id
    (int), attribute_name, and its two halves around `::`, kind and name, see `split_label`.
    """

    images: pd.DataFrame
    labels: pd.DataFrame
    data_dir: Path  # of the collection
    notes: Sequence[str] = ()  # how tables in another layout than iMet's were read, as sentences

    @property
    def num_classes(self) -> int:
        """Number of labels, C."""
        return len(self.labels)

    @property
    def targets(self) -> np.ndarray:
        """Labels of each image, bool (N, C); built anew at each access."""
        targets = np.zeros((len(self.images), self.num_classes), dtype=bool)
        for target, row in zip(targets, self.images["labels"], strict=True):
            target[list(row)] = True
        return targets

    @property
    def has_ids(self) -> bool:
        """Whether the collection itself has attribute ids; else names, numbered by us."""
        return (self.data_dir / "labels.csv").is_file()

    @property
    def counts(self) -> np.ndarray:
        """Number of images with each label, int (C,)."""
        labels = np.fromiter(chain.from_iterable(self.images["labels"]), dtype=np.int64)
        return np.bincount(labels, minlength=self.num_classes)

    @property
    def kinds(self) -> np.ndarray:
        """The kind of each label, text (C,); beyond the `MOST_KINDS` most annotated, all one."""
        kinds = self.labels["kind"]
        annotated = pd.Series(self.counts).groupby(kinds.to_numpy()).sum()
        most = annotated.sort_values(ascending=False, kind="stable").index[:MOST_KINDS]
        return kinds.where(kinds.isin(most), OTHER_KINDS).to_numpy(dtype=object)

    @property
    def kind_masks(self) -> dict[str, np.ndarray]:
        """Which labels are of each of the `kinds`, bool (C,), in alphabetical order."""
        kinds = self.kinds
        return {str(kind): kinds == kind for kind in np.unique(kinds)}

    @property
    def is_culture(self) -> np.ndarray:
        """Which labels are cultures, bool (C,)."""
        return (self.labels["kind"] == "culture").to_numpy(dtype=bool, copy=True)

    @property
    def is_cropped(self) -> np.ndarray:
        """Which images are cropped for training, bool (N,).

        Where labels are cultures, images without one are not, as on the poster: a crop may cut off
        what a tag names. Where none is, all are, which scored better (`docs/results.md`).
        """
        has_culture: np.ndarray = np.any(self.targets[:, self.is_culture], axis=1)
        return has_culture | (not self.is_culture.any())


def load_tables(data_dir: Path | str) -> Tables:
    """Read and check the tables of a collection.

    In iMet's layout `train.csv` has the columns id and attribute_ids (separated by spaces), and
    `labels.csv` attribute_id and attribute_name; classes are numbered in the order of the latter,
    whether an image has them or not. Without `labels.csv` an image has names of labels, separated
    by `;` or `|`; classes are numbered in alphabetical order. The column of the labels may also be
    labels or tags, and the delimiter a semicolon or tab: then commas may separate labels.

    Raises:
        FileNotFoundError: if `train.csv` is missing.
        ValueError: naming file, line and value of whatever is wrong or ambiguous.
    """
    data_dir = Path(data_dir)
    table = read_csv(data_dir / "train.csv", IMAGES[:2])
    columns = ["id", choose_column(table)]
    notes = []
    if table.separator != ",":
        notes.append(f"train.csv has a {SEPARATORS[table.separator]} between its fields")
    if (data_dir / "labels.csv").is_file():
        split = split_ids(table)
        labels = _read_labels(data_dir)
        classes = labels["attribute_id"]
    else:
        split = split_names(table, columns[1])
        parsed = parse_rows(table, columns[1:], lambda _, text: split(text))
        classes = sorted(set(chain.from_iterable(parsed)))
        labels = _label_frame(range(len(classes)), classes)
        count = f"{len(classes):,} names of train.csv"
        notes.append(f"labels.csv is missing: {count} became the labels, in alphabetical order")
    return Tables(_parse_images(table, columns, split, classes), labels, data_dir, notes)


def choose_column(table: CsvFile) -> str:
    """Choose the column of the labels: iMet's, or else the one of `COLUMNS` that the table has."""
    found = [column for column in COLUMNS if column in table.header]
    if not found:
        wanted = ", ".join(COLUMNS[:-1])
        raise ValueError(
            f"{table.path}: the header has no column of labels, which must be called {wanted} or "
            f"{COLUMNS[-1]}; got {table.header}"
        )
    if found == ["labels", "tags"]:
        raise ValueError(f"{table.path} has both columns {found}: call the right one attribute_ids")
    return found[0]


def split_ids(table: CsvFile) -> SplitLabels:
    """Return what splits attribute ids: at blanks, and at marks where the delimiter is no comma."""
    marks = r"\s+" if table.separator == "," else r"[\s,;|]+"
    return lambda text: [_attribute_id(part) for part in re.split(marks, text) if part]


def split_names(table: CsvFile, column: str) -> SplitLabels:
    """Return what splits names."""
    mark = find_mark(table, column)
    return lambda text: [_check_name(part) for part in text.split(mark) if part.strip()]


def find_mark(table: CsvFile, column: str) -> str | None:
    """Find what separates names: the one of `;` and `|` that the column has.

    Without either it is the comma where this is not the delimiter, or else None: then each image
    must have one label, of a single word.
    """
    texts = parse_rows(table, [column], lambda _, text: text)
    marks = [mark for mark in ";|" if any(mark in text for text in texts)]
    if not marks and table.separator != "," and any("," in text for text in texts):
        marks = [","]
    ambiguous = [text for text in texts if re.search(r"[\s,;|]", text)]
    if len(marks) > 1 or (ambiguous and not marks):
        raise ValueError(
            f"{table.path}: without a labels.csv, {column} must be names of labels, separated by "
            f"`;` or by `|` in all rows; got {ambiguous[0]!r}. Write them so, or add labels.csv"
        )
    return marks[0] if marks else None


def _attribute_id(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 19):
        cause = "attribute_id {} must be a whole number, zero or more; separate several by spaces"
        raise RowFault(cause, text)
    return int(text)


def _check_name(text: str) -> str:
    """Return a label's name in its one form; refuse an empty one."""
    name = file_key(text)
    if not name or name.endswith("::"):
        raise RowFault("attribute_name {} has no name. Add it", name)
    return name


def _read_labels(folder: Path) -> pd.DataFrame:
    """Read `labels.csv`, in its order."""
    lines: dict[int, int] = {}
    lines_of: dict[str, int] = {}  # by name

    def parse(line: int, text: str, name: str) -> str:
        first = lines.setdefault(_attribute_id(text), line)
        if first != line:
            cause = "attribute_id {} is given on line {} already. Give each label an id of its own"
            raise RowFault(cause, text, first)
        first = lines_of.setdefault(_check_name(name), line)
        if first != line:
            cause = "attribute_name {} is given on line {} already. Join the labels or rename one"
            raise RowFault(cause, name, first)
        return _check_name(name)

    names = parse_rows(read_csv(folder / "labels.csv", LABELS), LABELS, parse)
    return _label_frame(lines, names)


def _label_frame(attribute_ids: Iterable[int], names: Sequence[str]) -> pd.DataFrame:
    """Return columns attribute_id, attribute_name, kind and name, see `Tables`."""
    frame = pd.DataFrame({"attribute_id": list(attribute_ids), "attribute_name": names})
    frame[["kind", "name"]] = [split_label(name) for name in names]
    return frame


def split_label(label: str) -> tuple[str, str]:
    """Split a label's name into its kind, which stands before `::`, and the rest.

    >>> split_label("culture::french"), split_label("horses")
    (('culture', 'french'), ('label', 'horses'))
    """
    kind, mark, name = label.partition("::")
    return (kind.strip() or NO_KIND, name.strip()) if mark else (NO_KIND, label.strip())


def _parse_images(
    table: CsvFile, columns: Sequence[str], split_labels: SplitLabels, classes: Iterable[int | str]
) -> pd.DataFrame:
    """Parse columns (id, labels); `classes` are as `split_labels` returns, in their order."""
    index_of = {label: k for k, label in enumerate(classes)}
    lines: dict[str, int] = {}

    def parse(line: int, image_id: str, text: str) -> tuple[str, tuple[int, ...], str]:
        add_id(lines, image_id, line)
        given = split_labels(text)
        if not given:
            raise RowFault(f"{columns[1]} is empty. Add a label or remove the row")
        if unknown := [label for label in given if label not in index_of]:
            cause = "attribute_id {} is not in labels.csv. Correct it or add it"
            raise RowFault(cause, unknown[0])
        if len(set(given)) < len(given):
            raise RowFault("a label is given twice in {}. Remove one", text)
        return image_id, tuple(sorted(index_of[label] for label in given)), ""

    return pd.DataFrame(parse_rows(table, columns, parse), columns=["id", "labels", "split"])


def save_tables(tables: Tables, folder: Path | str) -> None:
    """Write `images.csv` (labels as the collection's own attribute ids) and `labels.csv`."""
    images = tables.images.assign(attribute_ids=join_ids(tables, tables.images["labels"]))
    columns = [*IMAGES, *FILES] if "file" in images else IMAGES
    save_csv(tables.labels[LABELS], Path(folder) / "labels.csv")
    save_csv(images[columns], Path(folder) / "images.csv")


def read_tables(folder: Path | str, data_dir: Path | str) -> Tables:
    """Read what `save_tables` wrote to `folder`, of the collection in `data_dir`."""
    labels, images = (
        pd.read_csv(Path(folder, name), dtype=str, keep_default_na=False)
        for name in ("labels.csv", "images.csv")
    )
    index_of = {attribute_id: k for k, attribute_id in enumerate(labels["attribute_id"])}
    rows = images.pop("attribute_ids").map(lambda text: tuple(index_of[k] for k in text.split()))
    images.insert(1, "labels", rows)
    labels = _label_frame(labels["attribute_id"].astype(int), labels["attribute_name"])
    return Tables(images, labels, Path(data_dir))


def join_ids(tables: Tables, rows: Iterable[Sequence[int]]) -> list[str]:
    """Write class indices as attribute ids, separated by spaces."""
    ids = tables.labels["attribute_id"].astype(str).tolist()
    return [" ".join(ids[k] for k in row) for row in rows]


def drop_rare_labels(tables: Tables, min_count: int = 3, keep_images: bool = False) -> Tables:
    """Drop the labels on fewer than `min_count` images, and the images that have one.

    A single pass, as the poster's: a label that loses images to the drop may fall below
    `min_count` and stays, unless it loses all. With `keep_images` an image that has other labels
    loses only its rare ones.
    """
    if min_count < 1:
        raise ValueError(f"min_count must be at least 1, got {min_count}")
    is_rare, before = tables.counts < min_count, tables.images["labels"]
    rows = before.map(lambda row: tuple(k for k in row if not is_rare[k]))
    images = tables.images.assign(labels=rows)
    images = images[rows.map(len) >= (1 if keep_images else before.map(len))]
    if images.empty:
        raise ValueError(
            f"of {len(tables.images)} images none is left without the labels that occur on fewer "
            f"than {min_count} images: lower MIN_COUNT or give more images"
        )
    kept = sorted(set(chain.from_iterable(images["labels"])))
    new_index = {old: new for new, old in enumerate(kept)}
    images = images.assign(labels=[tuple(new_index[k] for k in row) for row in images["labels"]])
    labels = tables.labels.iloc[kept].reset_index(drop=True)
    return replace(tables, images=images.reset_index(drop=True), labels=labels)


def split_tables(
    tables: Tables, ratios: Sequence[float] = (8, 1, 1), seed: int = 0, fold: int | None = None
) -> Tables:
    """Split the images into train, val and test, see `assign_parts`.

    With a `fold`, 0 to 4, it is test of five folds; the rest is split as `ratios` have train and
    val. So five runs test on every image once.
    """
    if fold is None:
        parts = np.array(assign_parts(tables, ratios, seed))
    elif fold not in range(NUM_FOLDS):
        raise ValueError(f"FOLD is {fold}; it must be 0 to {NUM_FOLDS - 1}, or None")
    else:
        known = np.array(assign_parts(tables, [1] * NUM_FOLDS, seed, stratify_folds)) != fold
        rest = replace(tables, images=tables.images[known].reset_index(drop=True))
        parts = np.full(len(known), SPLITS.index("test"))
        parts[known] = assign_parts(rest, ratios[:2], seed)
    return replace(tables, images=tables.images.assign(split=[SPLITS[part] for part in parts]))


def assign_parts(
    tables: Tables,
    ratios: Sequence[float],
    seed: int = 0,
    rule: Callable[..., list[int]] = stratify,
) -> list[int]:
    """Assign each image to a part, stratified by label; equal files to the same.

    Images of equal files count as one there, which has the labels of all.
    """
    same = equal_images(tables)
    labels: dict[str, set[int]] = {}
    for image_id, row in zip(same, tables.images["labels"], strict=True):
        labels.setdefault(image_id, set()).update(row)
    rows = [tuple(sorted(row)) for row in labels.values()]
    names = tables.labels["attribute_name"].tolist()
    part_of = dict(zip(labels, rule(rows, [*labels], names, ratios, seed), strict=True))
    return [part_of[image_id] for image_id in same]


def equal_images(tables: Tables) -> list[str]:
    """Return for each image the first id, in alphabetical order, whose file has the same hash.

    Before the hashes are known, see `Tables`, no two are equal.
    """
    if "hash" not in tables.images:
        return tables.images["id"].tolist()
    first = tables.images.sort_values("id").drop_duplicates("hash").set_index("hash")["id"]
    return tables.images["hash"].map(first).tolist()


def take_split(tables: Tables, split: str) -> Tables:
    """Keep the images of one split; the labels stay as they are."""
    images = tables.images[tables.images["split"] == split]
    return replace(tables, images=images.reset_index(drop=True))


def limit_images(tables: Tables, limit: int | None, seed: int = 0) -> Tables:
    """Keep a random `limit` of the images in their order, or all where it is None or larger."""
    if limit is not None and limit < 1:
        raise ValueError(f"limit must be at least 1 image or None, got {limit}")
    if limit is None or limit >= len(tables.images):
        return tables
    rows = np.sort(np.random.default_rng(seed).permutation(len(tables.images))[:limit])
    return replace(tables, images=tables.images.iloc[rows].reset_index(drop=True))
