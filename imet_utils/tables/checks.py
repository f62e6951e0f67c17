"""A collection as notebooks load it: tables and images checked, bad images refused or skipped."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path

import numpy as np
import pandas as pd

from imet_utils.progress import progress
from imet_utils.tables.collection_tables import Tables, limit_images, load_tables, take_split
from imet_utils.tables.csv_files import list_faults
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
    """What a run works on.

    Attributes:
        tables: of the images that can be used.
        sizes: width and height of these images, upright, int (N, 2).
        skipped: the others, also those of `test/`: columns folder, id, file and fault.
    """

    tables: Tables
    sizes: np.ndarray
    skipped: pd.DataFrame


def check_tables(data_dir: Path | str) -> None:
    """Check the tables of a collection and no image, which takes a second and no torch.

    Raises:
        FileNotFoundError: if a table is missing.
        ValueError: if a table is wrong.
    """
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

    What was skipped is listed in `skipped_images.csv` in the output folder, where later steps
    read it. What was found good is remembered in `checked_images/`.

    Args:
        data_dir: folder of the collection.
        output_dir: of the run.
        limit: use at most so many images of `train/`, drawn by `seed`.
        seed: of the draw.
        on_bad_image: `error` refuses a collection with an image that cannot be used; `skip` goes
            on without such images. Files of `test/` that are no images are skipped by both.
        num_workers: processes that decode images.

    Raises:
        FileNotFoundError: if a table or the folder of the images is missing.
        ValueError: if a table is wrong, or an image cannot be used and `on_bad_image` is `error`;
            or if too few can be used.
    """
    if on_bad_image not in ON_BAD_IMAGE:
        raise ValueError(f"on_bad_image must be one of {ON_BAD_IMAGE}, got {on_bad_image!r}")
    data_dir, output_dir = Path(data_dir), Path(output_dir)
    tables = limit_images(load_tables(data_dir), limit, seed)
    ids = {"train": tables.images["id"].tolist(), "test": submission_ids(data_dir)}
    checked = pd.concat(
        [_check_folder(data_dir, output_dir, part, some, num_workers) for part, some in ids.items()]
    )
    skipped = _refuse_or_skip(data_dir, checked, on_bad_image)
    _save_skipped(skipped, output_dir)
    train = checked[checked["folder"].eq("train")]
    good = train["fault"].eq("")
    tables = replace(tables, images=tables.images[good].reset_index(drop=True))
    _check_task(tables)
    return Collection(tables, train.loc[good, ["width", "height"]].to_numpy(), skipped)


def load_unlabelled(
    data_dir: Path | str, output_dir: Path | str, on_bad_image: str = "error", num_workers: int = 0
) -> pd.DataFrame:
    """Check the images of `test/`, which may be others than when `load_collection` saw them.

    Args:
        data_dir: this, and the next ones, as for `load_collection`.
        output_dir: likewise.
        on_bad_image: likewise.
        num_workers: likewise.

    Returns:
        The columns id, in the order of the submission, and path, None where the image cannot be
        used; no rows without a folder `test/`.
    """
    data_dir, output_dir = Path(data_dir), Path(output_dir)
    ids = submission_ids(data_dir)
    checked = _check_folder(data_dir, output_dir, "test", ids, num_workers)
    known = read_skipped(output_dir)
    skipped = _refuse_or_skip(data_dir, checked, on_bad_image)
    _save_skipped(pd.concat([known[known["folder"].eq("train")], skipped]), output_dir)
    files = zip(checked["file"], checked["fault"], strict=True)
    paths = [None if fault else data_dir / "test" / file for file, fault in files]
    return pd.DataFrame({"id": checked["id"], "path": pd.Series(paths, dtype=object)})


def _check_folder(
    data_dir: Path, output_dir: Path, folder: str, ids: Sequence[str], num_workers: int
) -> pd.DataFrame:
    """Check the images of a folder, see `check_images`; with the folder as a column."""
    if not ids:
        return pd.DataFrame(columns=[*COLUMNS, "width", "height"])
    memory = output_dir / f"checked_images/{folder}.json"
    return check_images(data_dir / folder, ids, memory, num_workers).assign(folder=folder)


def _refuse_or_skip(data_dir: Path, checked: pd.DataFrame, on_bad_image: str) -> pd.DataFrame:
    """Return the rows of images that cannot be used, and of `test/` the files that are none."""
    bad = checked.loc[checked["fault"].ne(""), COLUMNS]
    hopeless = [part for part, rows in checked.groupby("folder") if rows["fault"].ne("").all()]
    if hopeless or (len(bad) and on_bad_image == "error"):
        faults = [f"{data_dir / row.folder / row.file}: {row.fault}" for row in bad.itertuples()]
        advice = 'Or leave such images out: set ON_BAD_IMAGE = "skip".'
        if hopeless:
            advice = f"No image of {hopeless[-1]}/ can be used."
        raise ValueError(f"{list_faults(faults)}\n{advice}")
    others = pd.DataFrame(_list_others(data_dir), columns=COLUMNS)
    return pd.concat([bad, others], ignore_index=True)


def _save_skipped(skipped: pd.DataFrame, output_dir: Path) -> None:
    from imet_utils.files import save_csv  # here, since it loads torch

    (output_dir / SKIPPED).unlink(missing_ok=True)
    if len(skipped):
        save_csv(skipped, output_dir / SKIPPED)


def _list_others(data_dir: Path) -> list[tuple[str, ...]]:
    """List what lies in `test/` and is no image, where no table says what to predict."""
    if (data_dir / "sample_submission.csv").is_file() or not (data_dir / "test").is_dir():
        return []
    paths = sorted(chain.from_iterable(list_files(data_dir / "test").values()))
    return [("test", "", path.name, NO_IMAGE) for path in paths if not is_image(path)]


def _check_task(tables: Tables) -> None:
    """Check that there is something to learn, before all else is tried."""
    rows = tables.images["labels"]
    if rows.nunique() == 1:
        names = ", ".join(tables.labels["attribute_name"].iloc[list(rows[0])])
        raise ValueError(
            f"all images, {len(rows)}, carry the same labels ({names}), so that there is nothing "
            "to tell apart. Give images with other labels too"
        )


def check_split(tables: Tables, num_given: int) -> None:
    """Check that validation and test can judge a model.

    Args:
        tables: split.
        num_given: images that the user gave, before rare labels were dropped.

    Raises:
        ValueError: if all images of one of them carry the same labels.
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
    path = Path(output_dir) / SKIPPED
    if not path.is_file():
        return pd.DataFrame(columns=COLUMNS)
    return pd.read_csv(path, dtype=str, keep_default_na=False)


def check_images(
    folder: Path | str, ids: Sequence[str], memory: Path | str, num_workers: int = 0
) -> pd.DataFrame:
    """Find and decode the image of each id, in `num_workers` processes.

    Images found good are remembered in the JSON file `memory`, by name, size and time of change,
    and not decoded again.

    Returns:
        The columns id, file (its name, "" where it is missing or one of several), width, height
        (of the upright image, 0 where there is a fault) and fault ("" for a good image).

    Raises:
        FileNotFoundError: if the folder is missing.
    """
    from imet_utils.files import load_json, save_json  # here, since they load torch

    known = load_json(memory) if Path(memory).is_file() else {}
    found = match_images(folder, ids)
    states = {path: _state(path) for path, _ in found if path}
    new = [path for path, state in states.items() if known.get(path.name, [])[:2] != state]
    if new:
        for path, (width, height, fault) in zip(new, measure_files(new, num_workers), strict=True):
            known[path.name] = [*states[path], width, height, fault]
        save_json({name: row for name, row in known.items() if not row[-1]}, memory)
    rows = [
        (image_id, path.name, *known[path.name][2:]) if path else (image_id, "", 0, 0, fault)
        for image_id, (path, fault) in zip(ids, found, strict=True)
    ]
    return pd.DataFrame(rows, columns=["id", "file", "width", "height", "fault"])


def _state(path: Path) -> list[int]:
    """Return size and time of change: a file that is equal in them is taken to be the same."""
    try:
        return [path.stat().st_size, path.stat().st_mtime_ns]
    except OSError:  # a link that leads nowhere
        return [0, 0]


def measure_files(paths: Sequence[Path], num_workers: int = 0) -> Iterable[tuple[int, int, str]]:
    """Yield width, height and fault ("" for a good image) of each file, read by processes."""
    from imet_utils.processes import load_items  # here, since it loads torch

    parts = load_items(_Measurements(paths), num_workers)
    return progress(chain.from_iterable(parts), "checking images", len(paths), "image")


class _Measurements:
    """Width, height and fault of images, as `measure_image` finds them, 32 in a part."""

    def __init__(self, paths: Sequence[Path]) -> None:
        self.parts = [paths[start : start + 32] for start in range(0, len(paths), 32)]

    def __len__(self) -> int:
        return len(self.parts)

    def __getitem__(self, index: int) -> list[tuple[int, int, str]]:
        return [_measure(path) for path in self.parts[index]]


def _measure(path: Path) -> tuple[int, int, str]:
    try:
        return *measure_image(path), ""
    except ValueError as error:
        return 0, 0, str(error).removeprefix(f"{path}: ")
