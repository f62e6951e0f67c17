"""Run an encoder over every view of a collection and store its outputs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from imet_utils.distributed import join_processes, run_in_processes
from imet_utils.encoders import (
    OUTPUTS,
    build_encoder,
    choose_engine,
    compile_encoder,
    encode_images,
)
from imet_utils.features.store import extract_features
from imet_utils.files import hash_file
from imet_utils.tables import Tables
from imet_utils.views import Compute, ViewDataset, open_datasets


@dataclass(frozen=True)
class EncoderSettings:
    """How a collection is encoded; encoder and weights as for `build_encoder`."""

    encoder: str = "efficientnet_lite0"
    weights: str = "imagenet"
    engine: str = "auto"  # see `choose_engine`
    statistics: tuple[Sequence[float], Sequence[float]] | None = None  # mean, std; None: encoder's
    image_size: int = 224  # side of a view, pixels
    seed: int = 0  # of the views
    cache_gb: float = float("inf")  # the most that all maps may take on the disk, 10^9 bytes
    num_workers: int = 2  # that decode images for a GPU, for each process that encodes
    num_processes: int = 1  # that encode, each a part of the images; at most one a GPU


def encode_collection(
    tables: Tables, output_dir: Path | str, settings: EncoderSettings
) -> dict[str, dict[str, np.memmap]]:
    """Store the encoder's outputs for every view in `output_dir/features/<split>/<encoder>`.

    `pooled` and `style` are stored always; `maps` only if those of all splits fit `cache_gb`.
    Heads that need maps compute them anew from the images where they are not stored.

    Returns:
        The opened stores by split.
    """
    datasets = open_datasets(tables, settings.seed, settings.image_size)
    folder = Path(output_dir) / "features"
    if settings.num_processes > 1:
        run_in_processes(settings.num_processes, _encode, datasets, folder, settings)
    return _encode(datasets, folder, settings)


def _encode(
    datasets: Mapping[str, ViewDataset], folder: Path, settings: EncoderSettings
) -> dict[str, dict[str, np.memmap]]:
    """Encode the part of this process."""
    device = join_processes()
    encoder = build_encoder(settings.encoder, settings.weights, settings.image_size).to(device)
    mean, std = settings.statistics or (encoder.mean, encoder.std)
    num_images = sum(map(len, datasets.values()))
    num_views = sum(len(dataset) * dataset.num_views for dataset in datasets.values())
    num_bytes = 2 * encoder.num_positions * encoder.dim * num_views  # of all maps, float16
    fits = num_bytes <= settings.cache_gb * 1e9
    outputs = [name for name in OUTPUTS if name != "maps" or fits]
    made_by: dict[str, Any] = {"encoder": settings.encoder, "weights": settings.weights}
    made_by |= {"source": encoder.source, "dim": encoder.dim, "outputs": outputs}
    made_by |= {"mean": mean, "std": std}
    modules = ["imet_utils.encoders.networks"]
    compute: Compute = partial(encode_images, encoder, mean=mean, std=std, outputs=outputs)
    if version := choose_engine(settings.engine, device, settings.encoder, num_images):
        made_by["engine"] = version
        modules.append("imet_utils.encoders.openvino")
        compute = compile_encoder(encoder, settings.image_size, mean, std, outputs)
    if Path(settings.weights).is_file():
        made_by["weights_file"] = hash_file(settings.weights)
    return {
        split: extract_features(
            dataset,
            compute,
            folder / split / settings.encoder,
            made_by,
            modules,
            num_workers=settings.num_workers,
            device=device,
        )
        for split, dataset in datasets.items()
    }
