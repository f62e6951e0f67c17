"""What a run reads and leaves on disk: folders, JSON, CSV, arrays, figures, checkpoints, results.

Every file is written under a temporary name beside its own and then renamed, so that a file under
its final name is always whole, whenever the process dies.
"""

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from imet_utils.unfinished import temporary_path

PROJECT_DIR = Path(__file__).resolve().parents[1]
KAGGLE_INPUT = Path("/kaggle/input/imet-2019-fgvc6")
KAGGLE_WORKING = Path("/kaggle/working")
RESULT_COLUMNS = ["model", "split", "f2", "f1", "precision", "recall", "map"]


def find_data_dir(data_dir: str = "", limit: int | None = None) -> Path:
    """Resolve a notebook's `DATA_DIR`.

    A path given is taken as it is. Without one, the competition's data are used where Kaggle has
    attached them, and else the rendered sample collection in the project's `data` folder; a
    sample limited to fewer images has a folder of its own.
    """
    if data_dir:
        return Path(data_dir).expanduser().resolve()
    return KAGGLE_INPUT if KAGGLE_INPUT.is_dir() else sample_dir(limit)


def sample_dir(limit: int | None = None) -> Path:
    """Return the folder of the rendered sample collection, one for each number of images."""
    return PROJECT_DIR / "data" / ("sample" if limit is None else f"sample_{limit}")


def find_output_dir(output_dir: str = "") -> Path:
    """Resolve a notebook's `OUTPUT_DIR`: as given, or Kaggle's working folder, or `outputs`."""
    if output_dir:
        return Path(output_dir).expanduser().resolve()
    return (KAGGLE_WORKING if KAGGLE_WORKING.is_dir() else PROJECT_DIR) / "outputs"


def require(path: Path | str, notebook: str) -> Path:
    """Return `path` if it exists.

    Raises:
        FileNotFoundError: naming the notebook that makes the missing file.
    """
    if not Path(path).exists():
        raise FileNotFoundError(f"{path} is missing. Run {notebook} first: it writes it.")
    return Path(path)


@contextmanager
def atomic_path(path: Path | str) -> Iterator[Path]:
    """Yield a temporary path beside `path`; rename it to `path` if the block ends without error.

    The folder is made where it is missing. The suffix is kept, since writers choose formats by it.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = temporary_path(path)
    try:
        yield temporary
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def _plain(value: Any) -> Any:  # noqa: ANN401
    """Turn numpy scalars and arrays, tensors and paths into what JSON has."""
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray | torch.Tensor):
        return value.tolist()
    if isinstance(value, Path):
        return str(value)
    raise TypeError(f"{type(value).__name__} has no place in JSON: {value!r}")


def save_json(value: Any, path: Path | str) -> None:  # noqa: ANN401
    """Write `value` as indented JSON.

    Raises:
        ValueError: if a number is not finite, which JSON cannot hold.
    """
    text = json.dumps(value, indent=2, ensure_ascii=False, default=_plain, allow_nan=False)
    with atomic_path(path) as temporary:
        temporary.write_text(text + "\n", encoding="utf-8")


def load_json(path: Path | str) -> Any:  # noqa: ANN401
    """Read a JSON file."""
    return json.loads(Path(path).read_text(encoding="utf-8"))


def save_csv(frame: pd.DataFrame, path: Path | str) -> None:
    """Write a table without its index."""
    with atomic_path(path) as temporary:
        frame.to_csv(temporary, index=False, lineterminator="\n")


def save_array(array: np.ndarray, path: Path | str) -> None:
    """Write an array as `.npy`."""
    with atomic_path(path) as temporary:
        np.save(temporary, array, allow_pickle=False)


def save_figure(figure: Any, path: Path | str) -> None:  # noqa: ANN401
    """Write a matplotlib figure in the format that the suffix names."""
    with atomic_path(path) as temporary:
        figure.savefig(temporary, dpi=130, bbox_inches="tight")


def save_checkpoint(state: Mapping[str, Any], path: Path | str) -> None:
    """Write tensors and plain values (state dicts, numbers, strings) for `load_checkpoint`."""
    with atomic_path(path) as temporary, temporary.open("wb") as file:
        torch.save(dict(state), file)  # given a path, it writes the temporary name into the file


def load_checkpoint(path: Path | str) -> dict[str, Any]:
    """Read a checkpoint onto the CPU as tensors and plain values only; no pickled code runs.

    Raises:
        ValueError: if the file holds anything else.
    """
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        reason = str(error).splitlines()[0]
        raise ValueError(
            f"{path} is no checkpoint of tensors and plain values: {reason}. Remove it, train anew"
        ) from error


def fingerprint_of(settings: Any) -> str:  # noqa: ANN401
    """Hash settings that JSON can hold into 16 hexadecimal digits, whatever their order of keys."""
    text = json.dumps(settings, sort_keys=True, default=_plain)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def collect_results(output_dir: Path | str, before: str = "99") -> pd.DataFrame:
    """Gather the rows under `scores` of every notebook's `metrics.json`, in the notebooks' order.

    Args:
        output_dir: of the run.
        before: number of the first notebook that is left out, as it may be from an earlier run.

    Returns:
        A table with the columns model, split, f2, f1, precision, recall, map; validation first.
    """
    files = sorted(Path(output_dir).glob("[0-9][0-9]_*/metrics.json"))
    files = [file for file in files if file.parent.name < before]
    rows = [row for file in files for row in load_json(file).get("scores", [])]
    table = pd.DataFrame(rows, columns=RESULT_COLUMNS)
    return table.sort_values("split", key=lambda s: s.ne("val"), kind="stable", ignore_index=True)
