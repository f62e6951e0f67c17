"""A collection as notebooks load it: tables and images checked, bad images refused or skipped."""

from collections.abc import Sequence
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
    from imet_utils.files import save_csv  # here, since it loads torch

    if on_bad_image not in ON_BAD_IMAGE:
        raise ValueError(f"on_bad_image must be one of {ON_BAD_IMAGE}, got {on_bad_image!r}")
    data_dir, output_dir = Path(data_dir), Path(output_dir)
    tables = limit_images(load_tables(data_dir), limit, seed)
    ids = {"train": tables.images["id"].tolist(), "test": submission_ids(data_dir)}
    checked = {
        folder: check_images(
            data_dir / folder, some, output_dir / f"checked_images/{folder}.json", num_workers
        )
        for folder, some in ids.items()
        if some
    }
    found = pd.concat([rows.assign(folder=folder) for folder, rows in checked.items()])
    bad = found.loc[found["fault"].ne(""), COLUMNS]
    hopeless = [folder for folder, rows in checked.items() if rows["fault"].ne("").all()]
    if hopeless or (len(bad) and on_bad_image == "error"):
        faults = [f"{data_dir / row.folder / row.file}: {row.fault}" for row in bad.itertuples()]
        advice = 'Or leave such images out: set ON_BAD_IMAGE = "skip".'
        if hopeless:
            advice = f"No image of {hopeless[0]}/ can be used."
        raise ValueError(f"{list_faults(faults)}\n{advice}")
    others = pd.DataFrame(_list_others(data_dir), columns=COLUMNS)
    skipped = pd.concat([bad, others], ignore_index=True)
    (output_dir / SKIPPED).unlink(missing_ok=True)
    if len(skipped):
        save_csv(skipped, output_dir / SKIPPED)
    good = checked["train"]["fault"].eq("")
    tables = replace(tables, images=tables.images[good].reset_index(drop=True))
    _check_task(tables)
    return Collection(tables, checked["train"].loc[good, ["width", "height"]].to_numpy(), skipped)


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


def usable_ids(data_dir: Path | str, output_dir: Path | str) -> list[str]:
    """List the ids of `test/` whose images can be used, in the order of the submission."""
    skipped = read_skipped(output_dir)
    left_out = set(skipped["id"][skipped["folder"] == "test"])
    return [image_id for image_id in submission_ids(data_dir) if image_id not in left_out]


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
    from imet_utils.processes import load_items

    known = load_json(memory) if Path(memory).is_file() else {}
    found = match_images(folder, ids)
    states = {path: _state(path) for path, _ in found if path}
    new = [path for path, state in states.items() if known.get(path.name, [])[:2] != state]
    if new:
        parts = load_items(_Measurements(new), num_workers)
        measured = progress(chain.from_iterable(parts), "checking images", len(new), "image")
        for path, (width, height, fault) in zip(new, measured, strict=True):
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
