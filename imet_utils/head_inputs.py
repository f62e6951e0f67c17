"""What a head takes of every split: features of the stores, or images where those lack some."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from imet_utils.distributed import num_processes
from imet_utils.encoders import OUTPUTS
from imet_utils.features import open_features, read_fingerprint
from imet_utils.table_files import SPLITS
from imet_utils.tables import Tables
from imet_utils.view_arrays import ViewArray
from imet_utils.views import ViewDataset, split_dataset, submission_dataset
from imet_utils.worker_processes import num_cores

Arrays = dict[str, np.ndarray | ViewArray]


@dataclass(frozen=True)
class HeadInputs:
    """The inputs of a head.

    Attributes:
        arrays: (N, V, ...) by name, for each split that there is.
        dims: the last dimension of each input.
        computed: those that the encoder has to compute from `images`, which is then an array.
        made_by: the fingerprint of the encoder's store and, if it is used, of HOG's.
    """

    arrays: dict[str, Arrays]
    dims: dict[str, int]
    computed: list[str]
    made_by: list[dict[str, Any]]


def open_inputs(
    tables: Tables,
    output_dir: Path | str,
    encoder: str,
    names: Sequence[str],
    thawed_stages: int = 0,
) -> HeadInputs:
    """Open the stores of all splits, with the images beside them where something is to be computed.

    Args:
        tables: of the collection.
        output_dir: of the run.
        encoder: whose store is opened.
        names: of the inputs: `maps`, `pooled`, `style`, `hog`.
        thawed_stages: of the encoder; if it is trained, all its outputs are computed.

    Raises:
        FileNotFoundError: if a store is missing.
        ValueError: if a store was made from other images or another split.
    """
    features = Path(output_dir) / "features"
    sources = [encoder, "hog"] if "hog" in names else [encoder]
    made_by = [read_fingerprint(features / "train" / source) for source in sources]
    datasets = _open_images(tables, output_dir, made_by[0]["views"]["seed"])
    if not (features / "submission" / encoder).exists():
        datasets.pop("submission", None)
    arrays = {}
    for split, dataset in datasets.items():
        views = {"views": dataset.fingerprint()}
        stores = [open_features(features / split / source, views) for source in sources]
        arrays[split] = {name: array for store in stores for name, array in store.items()}
    dims = {name: array.shape[-1] for name, array in arrays["train"].items()}
    dims["maps"] = dims["pooled"]  # the same channels
    computed = [
        name for name in names if name in OUTPUTS and (thawed_stages or name not in arrays["train"])
    ]
    kept = [name for name in names if name not in computed]
    inputs = {split: {name: arrays[split][name] for name in kept} for split in datasets}
    if computed:
        workers = num_cores() // num_processes()
        for split, dataset in datasets.items():
            inputs[split]["images"] = ViewArray(dataset, workers)
    return HeadInputs(inputs, {name: dims[name] for name in names}, computed, made_by)


def _open_images(tables: Tables, output_dir: Path | str, seed: int) -> dict[str, ViewDataset]:
    """Open the images that the stores of each split are to be made from, in the same views."""
    datasets = {split: split_dataset(tables, split, seed) for split in SPLITS}
    submission = submission_dataset(tables.data_dir, output_dir, seed)
    return datasets | ({} if submission is None else {"submission": submission})
