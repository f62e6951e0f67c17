"""The folder that a labeller is kept in: no image and no store, tensors and plain values alone."""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from imet_utils.files import atomic_folder, load_json, save_json
from imet_utils.provenance import list_records, read_provenance

FOLDER = "labeller"  # in the output folder of a run
FORMAT = 5  # of the folder; another one is refused
SETTINGS, TENSORS = "labeller.json", "tensors.safetensors"  # its files


def write_files(
    folder: Path, settings: Mapping[str, Any], arrays: Mapping[str, np.ndarray]
) -> None:
    """Write a labeller's settings, its arrays and, if they are a file, its encoder's weights.

    Raises:
        ValueError: if the folder holds something else than a labeller.
    """
    if folder.exists() and any(folder.iterdir()) and not (folder / SETTINGS).is_file():
        raise ValueError(f"{folder} holds other files. Name an empty or a new folder")
    weights = Path(settings["weights"])
    weights_file = f"encoder{weights.suffix}" if weights.is_file() else ""
    with atomic_folder(folder) as whole:
        if weights_file:
            shutil.copyfile(weights, whole / weights_file)
        save_file(dict(arrays), whole / TENSORS)
        save_json({**settings, "format": FORMAT, "weights_file": weights_file}, whole / SETTINGS)


def read_files(folder: Path) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Read settings and arrays of a labeller.

    Raises:
        ValueError: if the folder is damaged or of another version.
    """
    settings = load_json(folder / SETTINGS)
    if settings.get("format") != FORMAT:
        raise ValueError(
            f"{folder} has format {settings.get('format')}, and this version reads {FORMAT}. "
            "Make it anew by the notebook that makes it"
        )
    if settings["weights_file"]:
        settings["weights"] = str(folder / settings["weights_file"])
    try:
        return settings, load_file(folder / TENSORS)
    except (OSError, SafetensorError) as error:
        raise damaged(folder, error) from error


def damaged(folder: Path, error: Exception) -> ValueError:
    """Say that a labeller is damaged, and by what it was found out."""
    reason = str(error).splitlines()[0]
    return ValueError(f"{folder} is damaged ({reason}). Make it anew")


def find_labeller(folder: Path) -> Path:
    """Find a labeller: the folder itself, or the one in the results of a run.

    Raises:
        FileNotFoundError: if there is none.
        ValueError: if notebooks before it have run anew since it was made.
    """
    if (folder / SETTINGS).is_file():
        return folder
    for name, record in list_records(folder).items():
        if f"{FOLDER}/{SETTINGS}" in record["products"]:
            for needed, then in record["upstream"].items():
                now = read_provenance(folder, needed)
                if now is None or now["id"] != then["id"]:
                    raise ValueError(f"{folder}: {needed} was run anew after {name}: run {name}")
            return folder / FOLDER
    raise FileNotFoundError(f"{folder} has no labeller: run its notebooks up to the evaluation")
