"""What an encoder says of every view of a collection, on all processes, as far as the disk goes."""

import hashlib
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from imet_utils.distributed import join_processes, run_in_processes
from imet_utils.encoders import (
    OUTPUTS,
    Encoder,
    build_encoder,
    check_engine,
    compile_encoder,
    encode_images,
)
from imet_utils.features.store import extract_features
from imet_utils.tables import Tables
from imet_utils.views import ViewDataset, open_datasets


def encode_datasets(
    datasets: Mapping[str, ViewDataset],
    folder: Path | str,
    encoder: str,
    weights: str = "imagenet",
    statistics: tuple[Sequence[float], Sequence[float]] | None = None,
    cache_gb: float = float("inf"),
    num_workers: int = 2,
    num_processes: int = 1,
    engine: str = "torch",
) -> dict[str, dict[str, np.memmap]]:
    """Store the outputs of an encoder for every view in `folder/<split>/<encoder>`.

    `pooled` and `style` are stored always; `maps` only if those of all sets fit `cache_gb`.
    Without them the heads that need maps compute them anew from the images.

    Args:
        datasets: by split.
        folder: of all stores.
        encoder: for `build_encoder`.
        weights: likewise.
        statistics: mean and standard deviation that normalise the images; None for the encoder's.
        cache_gb: the most that all maps together may take, 10^9 bytes.
        num_workers: processes that decode images for a GPU, for each process that encodes.
        num_processes: that encode, each a part of the images.
        engine: that computes: `torch`, or on a CPU `openvino`, where it is installed.

    Returns:
        The opened stores by split.
    """
    if num_processes > 1:
        settings = (encoder, weights, statistics, cache_gb, num_workers, 1, engine)
        run_in_processes(num_processes, encode_datasets, datasets, folder, *settings)
    device = join_processes()
    size = next(iter(datasets.values())).size
    net = build_encoder(encoder, weights, size).to(device)
    mean, std = statistics or (net.mean, net.std)
    outputs = choose_outputs(net, datasets, cache_gb)
    made_by = {"encoder": encoder, "weights": weights, "mean": list(mean), "std": list(std)}
    made_by |= {"source": net.source, "dim": net.dim}
    if version := check_engine(engine, device):
        made_by["engine"] = version
        compute = compile_encoder(net, size, mean, std, outputs)
    else:
        compute = partial(encode_images, net, mean=mean, std=std, outputs=outputs)
    if Path(weights).is_file():
        with open(weights, "rb") as file:
            made_by["weights_file"] = hashlib.file_digest(file, "sha256").hexdigest()
    return {
        split: extract_features(
            dataset,
            compute,
            Path(folder) / split / encoder,
            fingerprint=made_by | {"outputs": outputs},
            num_workers=num_workers,
            device=device,
            description=f"features of {split}",
        )
        for split, dataset in datasets.items()
    }


def encode_collection(
    tables: Tables,
    output_dir: Path | str,
    seed: int,
    encoder: str,
    *settings: Any,  # noqa: ANN401
    image_size: int = 224,
) -> dict[str, dict[str, np.memmap]]:
    """Store the outputs of an encoder for every view of all splits in `output_dir/features`.

    Args:
        tables: with their splits.
        output_dir: of the run.
        seed: of the views.
        encoder: for `build_encoder`.
        *settings: what follows in `encode_datasets`, from `weights` on.
        image_size: side of a view in pixels.

    Returns:
        The opened stores by split.
    """
    datasets = open_datasets(tables, seed, image_size)
    return encode_datasets(datasets, Path(output_dir) / "features", encoder, *settings)


def choose_outputs(
    encoder: Encoder, datasets: Mapping[str, ViewDataset], cache_gb: float
) -> list[str]:
    """Name the outputs to store: all, or all but the maps where those would exceed `cache_gb`."""
    num_views = sum(len(dataset) * dataset.num_views for dataset in datasets.values())
    size = next(iter(datasets.values())).size
    view = torch.zeros(1, 3, size, size, dtype=torch.uint8)
    device = next(encoder.parameters()).device
    maps = encode_images(encoder, view.to(device), outputs=["maps"])["maps"]
    num_bytes = 2 * maps.numel() * num_views  # float16
    return [name for name in OUTPUTS if name != "maps" or num_bytes <= cache_gb * 1e9]
