"""A collection as notebooks load it: tables and images checked, bad images refused or skipped."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path

import numpy as np
import pandas as pd

from imet_utils.files import hash_file, save_csv, save_json, try_json
from imet_utils.progress import progress
from imet_utils.tables.collection_tables import FILES, Tables, limit_images, load_tables, take_split
from imet_utils.tables.csv_files import list_faults, printable
from imet_utils.tables.images import (
    NO_IMAGE,
    is_image,
    list_files,
    match_images,
    measure_image,
    submission_ids,
)
from imet_utils.tables.split import SPLITS

ON_BAD_IMAGE = ("error", "skip")
SKIPPED = "skipped_images.csv"
COLUMNS = ["folder", "id", "file", "fault"]


@dataclass(frozen=True, eq=False)
class Collection:
    """The images that can be used, and those that are skipped."""

    tables: Tables
    sizes: np.ndarray  # width and height of the images, upright, int (N, 2)
    skipped: pd.DataFrame  # of train/ and test/: columns folder, id, file and fault


def check_tables(data_dir: Path | str) -> None:
    """Check the tables of a collection and no image, which takes a second and no torch."""
    _check_task(load_tables(data_dir))
    submission_ids(data_dir)


def load_collection(
    data_dir: Path | str,
    output_dir: Path | str,
    limit: int | None = None,
    seed: int = 0,
    on_bad_image: str = "error",
    num_workers: int = 0,
) -> Collection:
    """Read and check the tables, and decode every image of `train/` and `test/` once.

    At most `limit` images of `train/`, drawn by `seed`, are used. With `on_bad_image` as `error` a
    collection with an image that cannot be used is refused, with `skip` it is left out; files of
    `test/` that are no images are left out by both. Skipped images are listed in
    `skipped_images.csv`, good ones remembered in `checked_images/` of `output_dir`.

    Raises:
        FileNotFoundError: if a table or the folder of the images is missing.
        ValueError: if a table or an image is refused.
    """
    tables = limit_images(load_tables(data_dir), limit, seed)
    ids = {"train": tables.images["id"].tolist(), "test": submission_ids(data_dir)}
    checked, skipped = _check_parts(data_dir, output_dir, ids, on_bad_image, num_workers)
    train = checked[checked["folder"].eq("train")]
    images = tables.images.assign(**{name: train[name] for name in FILES})
    good = train["fault"].eq("")
    tables = replace(tables, images=images[good].reset_index(drop=True))
    _check_task(tables)
    sizes = train.loc[good, ["width", "height"]].to_numpy(dtype=int)  # pandas 2 may have objects
    return Collection(tables, sizes, skipped)


def load_unlabelled(
    data_dir: Path | str, output_dir: Path | str, on_bad_image: str = "error", num_workers: int = 0
) -> pd.DataFrame:
    """Check the images of `test/` as `load_collection` does, which may have seen others there.

    Returns:
        The columns id, in the order of the submission, and path, None where the image cannot be
        used; no rows without a folder `test/`.
    """
    ids = {"test": submission_ids(data_dir)}
    checked, _ = _check_parts(data_dir, output_dir, ids, on_bad_image, num_workers)
    files = zip(checked["file"], checked["fault"], strict=True)
    paths = [None if fault else Path(data_dir, "test", file) for file, fault in files]
    return pd.DataFrame({"id": checked["id"], "path": pd.Series(paths, dtype=object)})


def _check_parts(
    data_dir: Path | str,
    output_dir: Path | str,
    ids: Mapping[str, Sequence[str]],
    on_bad_image: str,
    num_workers: int,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Check images of `train/` or `test/`; refuse bad ones, or list them as skipped."""
    if on_bad_image not in ON_BAD_IMAGE:
        raise ValueError(f"on_bad_image must be one of {ON_BAD_IMAGE}, got {on_bad_image!r}")
    memories = {part: Path(output_dir, "checked_images", f"{part}.json") for part in ids}
    checked = pd.concat(
        check_images(Path(data_dir, part), some, memories[part], num_workers).assign(folder=part)
        for part, some in ids.items()
    )
    bad = checked.loc[checked["fault"].ne(""), COLUMNS]
    unusable = [part for part, rows in checked.groupby("folder") if rows["fault"].ne("").all()]
    if unusable or (len(bad) and on_bad_image == "error"):
        faults = [f"{Path(data_dir, part, name)}: {fault}" for part, _, name, fault in bad.values]
        advice = 'Or leave such images out: set ON_BAD_IMAGE = "skip".'
        if unusable:
            advice = f"No image of {unusable[-1]}/ can be used."
        raise ValueError(f"{list_faults(faults)}\n{advice}")
    skipped = pd.concat([bad, _list_others(Path(data_dir))], ignore_index=True)
    known = read_skipped(output_dir)
    listed = pd.concat([known[~known["folder"].isin(list(ids))], skipped])
    Path(output_dir, SKIPPED).unlink(missing_ok=True)
    if len(listed):
        save_csv(listed, Path(output_dir, SKIPPED))
    return checked, skipped


def _list_others(data_dir: Path) -> pd.DataFrame:
    """List the files of `test/` that are no images, where no table defines what to predict."""
    files: Iterable[Path] = []
    if (data_dir / "test").is_dir() and not (data_dir / "sample_submission.csv").is_file():
        files = sorted(chain.from_iterable(list_files(data_dir / "test").values()))
    others = [("test", "", printable(path.name), NO_IMAGE) for path in files if not is_image(path)]
    return pd.DataFrame(others, columns=COLUMNS)


def _check_task(tables: Tables) -> None:
    """Check that there is something to learn."""
    rows = tables.images["labels"]
    if rows.nunique() == 1:
        names = ", ".join(tables.labels["attribute_name"].iloc[list(rows[0])])
        raise ValueError(
            f"all images, {len(rows)}, have the same labels ({names}), so that there is nothing "
            "to learn. Give images with other labels too"
        )


def check_split(tables: Tables, num_given: int) -> None:
    """Refuse a split whose validation or test images all have the same labels.

    `num_given` are the images of the collection, before rare labels were dropped.
    """
    for split in SPLITS[1:]:
        rows = take_split(tables, split).images["labels"]
        if rows.nunique() == 1:
            raise ValueError(
                f"of {num_given} images {len(tables.images)} have labels that are common enough, "
                f"and {len(rows)} of these came to {split}, all with the same labels, so that no "
                "label can be judged there. Give more images, or lower MIN_COUNT"
            )


def read_skipped(output_dir: Path | str) -> pd.DataFrame:
    """Read the list of the images left out, as text; no rows where there is no list."""
    path = Path(output_dir, SKIPPED)
    if not path.is_file():
        return pd.DataFrame(columns=COLUMNS)
    return pd.read_csv(path, dtype=str, keep_default_na=False)


def check_images(
    folder: Path, ids: Sequence[str], memory: Path, num_workers: int = 0
) -> pd.DataFrame:
    """Find, decode and hash the image of each id, in `num_workers` processes.

    Good images are remembered in the JSON file `memory`, by name, size and time of change.

    Returns:
        The columns id, file (its name, "" where it is missing or one of several), width, height
        (upright; 0 where there is a fault), hash and fault ("" for a good image).
    """
    found = match_images(folder, ids) if ids else []
    known = try_json(memory) or {}
    states = {path: _state(path) for path, _ in found if path}
    new = [path for path, state in states.items() if known.get(path.name, [])[:2] != state]
    for path, (*size, fault) in zip(new, measure_files(new, num_workers), strict=True):
        file_hash = "" if fault else hash_file(path)
        known[path.name] = [*states[path], *size, file_hash, fault]
    if new:
        save_json({name: row for name, row in known.items() if not row[-1]}, memory)
    rows = [
        (image_id, path.name, *known[path.name][2:]) if path else (image_id, "", 0, 0, "", fault)
        for image_id, (path, fault) in zip(ids, found, strict=True)
    ]
    return pd.DataFrame(rows, columns=["id", "file", "width", "height", "hash", "fault"])


def _state(path: Path) -> list[int]:
    """Return size and time of change: a file with the same is taken to be unchanged."""
    status = path.stat() if path.exists() else path.lstat()  # of a link that leads nowhere
    return [status.st_size, status.st_mtime_ns]


def measure_files(paths: Sequence[Path], num_workers: int = 0) -> Iterable[tuple[int, int, str]]:
    """Yield width, height and fault ("" for a good image) of each file, read by processes."""
    from imet_utils.processes import load_items  # here, since it loads torch

    measured = load_items(_measure, paths, num_workers)
    return progress(measured, "checking images", len(paths), "image")


def _measure(path: Path) -> tuple[int, int, str]:
    try:
        return *measure_image(path), ""
    except ValueError as error:
        return 0, 0, str(error).removeprefix(f"{path}: ")
