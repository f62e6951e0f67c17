"""Run a trained head over the views of a split: logits, probabilities, best paths."""

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from imet_utils.decoding.beam_search import Paths, beam_search
from imet_utils.distributed import gather_items, own_range
from imet_utils.encoders import autocast_dtype
from imet_utils.features import FeatureBatches
from imet_utils.files import save_array
from imet_utils.models import AttnCnnRnn
from imet_utils.progress import progress


def head_inputs(batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return what a head takes of a batch: all but the targets."""
    return {name: values for name, values in batch.items() if name != "targets"}


def mixed_precision(device: torch.device) -> torch.autocast:
    """Compute in the short float type that the device is fast at, if there is one."""
    dtype = autocast_dtype(device)
    return torch.autocast(device.type, dtype=dtype or torch.bfloat16, enabled=dtype is not None)


def head_probs(logits: Tensor) -> Tensor:
    """Turn a head's logits (B, C), or of each step (B, T, C), into probabilities (B, C) float32."""
    probs = logits.float().sigmoid()
    return probs.mean(dim=1) if probs.ndim == 3 else probs


class Prediction(NamedTuple):
    """Probabilities of each view (N, V, C) and of each image (N, C), float32."""

    view_probs: np.ndarray
    probs: np.ndarray


@torch.no_grad()
def predict(model: nn.Module, batches: FeatureBatches, description: str = "") -> Prediction:
    """Run a head over every view of every image, without dropout, each process over its images.

    An image's probability is the mean over its views, and over steps where a head has them: a view
    or step that is sure of a label counts, where the poster's mean of logits would let the others
    outvote it, and such means are better calibrated.

    Args:
        model: takes the arrays of `batches` by name, returns logits (B, C) or (B, T, C).
        batches: in the order of the store, with `views="all"` and no shuffling.
        description: shown with the progress; empty for none.
    """
    was_training = model.training
    model.eval()
    found = []
    own = batches.of_images(own_range(batches.shape[0]))
    with mixed_precision(batches.device):
        for batch in progress(own, description, unit="batch") if description else own:
            found.append(head_probs(model(**head_inputs(batch))).cpu())  # (B, C)
    model.train(was_training)
    views = torch.cat(gather_items(found)).unflatten(0, batches.shape)  # (N, V, C)
    return Prediction(views.numpy(), views.mean(dim=1).numpy())


def predict_splits(
    model: nn.Module,
    inputs: Mapping[str, Mapping[str, np.ndarray]],
    folder: Path | str,
) -> dict[str, np.ndarray]:
    """Predict every split and store the probabilities in `folder`.

    Writes `probs_<split>.npy` (N, C) float32.

    Args:
        model: takes the arrays of a split by name.
        inputs: the arrays (N, V, ...) of each split.
        folder: where the probabilities go.

    Returns:
        The probabilities (N, C) of each split.
    """
    probs, device = {}, next(model.parameters()).device
    for split, arrays in inputs.items():
        batches = FeatureBatches(arrays, None, 64, "all", shuffle=False, device=device)
        prediction = predict(model, batches, f"predicting {split}")
        probs[split] = prediction.probs
        save_array(prediction.probs, Path(folder) / f"probs_{split}.npy")
    return probs


def average_probs(
    probs_of: Mapping[str, Mapping[str, np.ndarray]], shares: Mapping[str, float]
) -> dict[str, np.ndarray]:
    """Average the probabilities (N, C) of several heads, each of them by splits, with these shares.

    >>> heads = {"a": {"val": np.array([[0.2]])}, "b": {"val": np.array([[1.0]])}}
    >>> average_probs(heads, {"a": 0.5, "b": 0.5})["val"]
    array([[0.6]])
    """
    splits = probs_of[next(iter(shares))]
    return {
        split: sum(part * probs_of[head][split] for head, part in shares.items())
        for split in splits
    }


@torch.no_grad()
def search_views(
    model: AttnCnnRnn, batches: FeatureBatches, beam_size: int = 5, max_steps: int = 10
) -> Paths:
    """Find the most probable paths of every view of every image by beam search, without dropout.

    Args:
        model: the trained model.
        batches: of its inputs, with `views="all"` and no shuffling.
        beam_size: paths kept at each step.
        max_steps: labels on a path at most.

    Returns:
        The beams of each view on the CPU: `labels` (N * V, K, T) and so on; row n * V + v is
        view v of image n.
    """
    was_training = model.training
    model.eval()
    found = []
    own = batches.of_images(own_range(batches.shape[0]))
    for batch in progress(own, "beam search", unit="batch"):
        inputs = model.decoder_inputs(**head_inputs(batch))
        found.append(beam_search(model.decoder, *inputs, beam_size, max_steps).cpu())
    model.train(was_training)
    return Paths.concatenate(gather_items(found))
