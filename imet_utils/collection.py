"""A collection as notebooks load it: tables and images checked, bad images refused or skipped."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from imet_utils.faults import list_faults
from imet_utils.image_check import check_images
from imet_utils.skipped_images import write_skipped
from imet_utils.table_files import SPLITS, read_id_lines
from imet_utils.tables import Tables, limit_images, load_tables, submission_ids, take_split

ON_BAD_IMAGE = ("error", "skip")
ID_TABLES = {"train": "train.csv", "test": "sample_submission.csv"}  # of the folders of images


@dataclass(frozen=True, eq=False)
class Collection:
    """What a run works on.

    Attributes:
        tables: of the images that can be used.
        sizes: width and height of these images, upright, int (N, 2).
        skipped: the others, also those of `test/`: columns folder, id, file, line and fault.
    """

    tables: Tables
    sizes: np.ndarray
    skipped: pd.DataFrame


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
            on without such images.
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
    checked = {
        folder: check_images(
            data_dir / folder, some, output_dir / f"checked_images/{folder}.csv", num_workers
        )
        for folder, some in ids.items()
        if some
    }
    skipped = pd.concat([_find_bad(rows, data_dir, folder) for folder, rows in checked.items()])
    hopeless = [folder for folder, rows in checked.items() if rows["fault"].ne("").all()]
    if len(skipped) and (on_bad_image == "error" or hopeless):
        raise ValueError(_complaint(skipped, data_dir, hopeless))
    write_skipped(skipped, output_dir)
    good = checked["train"]["fault"].eq("")
    images = tables.images[good].reset_index(drop=True)
    sizes = checked["train"].loc[good, ["width", "height"]].to_numpy()
    usable = replace(tables, images=images)
    _check_task(usable)
    return Collection(usable, sizes, skipped)


def check_split(tables: Tables) -> None:
    """Check that validation and test can judge a model.

    Raises:
        ValueError: if all images of one of them carry the same labels.
    """
    for split in SPLITS[1:]:
        rows = take_split(tables, split).images["labels"]
        if rows.nunique() == 1:
            raise ValueError(
                f"of {len(tables.images)} images {len(rows)} came to {split}, all with the same "
                "labels, so that no label can be judged there. Give more images, 20 at the least"
            )


def _check_task(tables: Tables) -> None:
    """Check that there is something to learn, before all else is tried."""
    rows = tables.images["labels"]
    if len(rows) < len(SPLITS):
        are = "image is" if len(rows) == 1 else "images are"
        raise ValueError(
            f"{len(rows)} {are} too few for training, validation and test. Give 20 at the least"
        )
    if rows.nunique() == 1:
        names = ", ".join(tables.labels["attribute_name"].iloc[list(rows[0])])
        raise ValueError(
            f"all {len(rows)} images carry the same labels ({names}), so that there is nothing to "
            "tell apart. Give images with other labels too"
        )


def _find_bad(checked: pd.DataFrame, data_dir: Path, folder: str) -> pd.DataFrame:
    """Take the images with a fault, and look up on which lines their ids are."""
    bad = checked[checked["fault"].ne("")]
    table = data_dir / ID_TABLES[folder]
    lines = read_id_lines(table) if len(bad) and table.is_file() else {}
    return bad.assign(folder=folder, line=[str(lines.get(i, "")) for i in bad["id"]])


def _complaint(bad: pd.DataFrame, data_dir: Path, hopeless: Sequence[str]) -> str:
    """Say which images cannot be used, where their ids are, and what to do."""
    faults = []
    for row in bad.itertuples():
        table = data_dir / ID_TABLES[row.folder]
        where = f"{table}, line {row.line}, image {row.id!r}: " if row.line else ""
        faults.append(f"{where}{data_dir / row.folder / row.file}: {row.fault}")
    if hopeless:
        advice = f"No image of {hopeless[0]}/ can be used."
    else:
        advice = 'Or leave such images out: set ON_BAD_IMAGE = "skip".'
    return f"{list_faults(faults)}\n{advice}"
