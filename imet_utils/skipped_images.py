"""The images that a run leaves out because they cannot be used, as its output folder lists them."""

from pathlib import Path

import pandas as pd

from imet_utils.image_files import submission_ids
from imet_utils.runs import save_csv

FILE = "skipped_images.csv"
COLUMNS = ["folder", "id", "file", "line", "fault"]  # line: of the id in its table, if it has one


def write_skipped(skipped: pd.DataFrame, output_dir: Path | str) -> None:
    """Write the list of the images left out; without any there is no list."""
    path = Path(output_dir) / FILE
    if len(skipped):
        save_csv(skipped[COLUMNS], path)
    else:
        path.unlink(missing_ok=True)


def read_skipped(output_dir: Path | str) -> pd.DataFrame:
    """Read the list of the images left out, as text; no rows where there is no list."""
    path = Path(output_dir) / FILE
    if not path.is_file():
        return pd.DataFrame(columns=COLUMNS)
    return pd.read_csv(path, dtype=str, keep_default_na=False)


def usable_ids(data_dir: Path | str, output_dir: Path | str) -> list[str]:
    """List the ids of `test/` whose images can be used, in the order of the submission."""
    skipped = read_skipped(output_dir)
    left_out = set(skipped["id"][skipped["folder"] == "test"])
    return [image_id for image_id in submission_ids(data_dir) if image_id not in left_out]
