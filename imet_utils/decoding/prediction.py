"""Run a trained head over the views of a split: probabilities, best paths."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from imet_utils.decoding.beam_search import Paths, beam_search
from imet_utils.distributed import gather_items, own_range
from imet_utils.encoders import mixed_precision
from imet_utils.features import Array, FeatureBatches
from imet_utils.files import save_array
from imet_utils.models import AttnCnnRnn, EndToEnd
from imet_utils.progress import progress


def head_inputs(batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return a head's inputs in a batch: all but the targets."""
    return {name: values for name, values in batch.items() if name != "targets"}


def head_probs(logits: Tensor) -> Tensor:
    """Turn a head's logits (B, C), or of each step (B, T, C), into probabilities (B, C) float32."""
    probs = logits.float().sigmoid()
    return probs.mean(dim=1) if probs.ndim == 3 else probs


@torch.no_grad()
def predict(
    model: nn.Module, batches: FeatureBatches, mean_of: str = "probs", description: str = ""
) -> np.ndarray:
    """Average a head's outputs over all views of each image, to probabilities (N, C) float32.

    The model takes the arrays of `batches`, which has all views and no shuffling, by name, and
    returns logits (B, C) or (B, T, C). The mean is of `probs`, or of `logits` (B, C) as on the
    poster: in that one sure view can be outvoted, and means of probabilities are better calibrated.
    Each process computes its own images. Without a `description` no progress is shown.
    """
    found = []
    with mixed_precision(batches.device):
        for inputs in _own_inputs(model, batches, description):
            outputs = model(**inputs)
            found.append((outputs if mean_of == "logits" else head_probs(outputs)).float().cpu())
    views = torch.cat(gather_items(found)).unflatten(0, batches.shape)  # (N, V, C)
    mean = views.mean(dim=1)
    return (mean.sigmoid() if mean_of == "logits" else mean).numpy()


def _own_inputs(
    model: nn.Module, batches: FeatureBatches, description: str
) -> Iterator[dict[str, Tensor]]:
    """Yield the inputs of this process, with the model in evaluation mode."""
    was_training = model.training
    model.eval()
    own = batches.of_images(np.array(own_range(batches.shape[0]), dtype=int))
    for batch in progress(own, description, unit="batch") if description else own:
        yield head_inputs(batch)
    model.train(was_training)


def predict_splits(
    model: nn.Module,
    inputs: Mapping[str, Mapping[str, Array]],
    folder: Path | str,
    mean_of: str = "probs",
) -> dict[str, np.ndarray]:
    """Predict every split from its arrays (N, V, ...); save each as `folder`/probs_<split>.npy."""
    probs, device = {}, next(model.parameters()).device
    for split, arrays in inputs.items():
        batches = FeatureBatches(arrays, None, 64, "all", shuffle=False, device=device)
        probs[split] = predict(model, batches, mean_of, f"predicting {split}")
        save_array(probs[split], Path(folder) / f"probs_{split}.npy")
    return probs


def average_probs(
    probs_of: Mapping[str, Mapping[str, np.ndarray]], weights: Mapping[str, float]
) -> dict[str, np.ndarray]:
    """Average the probabilities (N, C) of several heads, each given by splits.

    >>> heads = {"a": {"val": np.array([[0.2]])}, "b": {"val": np.array([[1.0]])}}
    >>> average_probs(heads, {"a": 0.5, "b": 0.5})["val"]
    array([[0.6]])
    """
    splits = probs_of[next(iter(weights))]
    return {
        split: np.sum([weight * probs_of[head][split] for head, weight in weights.items()], axis=0)
        for split in splits
    }


@torch.no_grad()
def search_views(
    model: AttnCnnRnn | EndToEnd, batches: FeatureBatches, beam_size: int = 5, max_steps: int = 10
) -> Paths:
    """Run `beam_search` on every view of every image, from batches of all views, not shuffled.

    Returns:
        Paths of N * V views on the CPU; row n * V + v is view v of image n.
    """
    found = []
    for inputs in _own_inputs(model, batches, "beam search"):
        maps_and_probs = model.decoder_inputs(**inputs)
        found.append(beam_search(model.decoder, *maps_and_probs, beam_size, max_steps).cpu())
    return Paths(*map(torch.cat, zip(*gather_items(found), strict=True)))
