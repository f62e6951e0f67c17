"""Cross-fitting: predict every image with a head that was trained without it."""

from collections.abc import Callable

import numpy as np
import torch
from torch import nn

from imet_utils.decoding import head_inputs, predict
from imet_utils.features import FeatureBatches
from imet_utils.models import fit_statistics
from imet_utils.progress import progress
from imet_utils.training import Loss, TrainConfig, own_random_state, start_training, train_one_epoch


def cross_fit(
    build: Callable[[], nn.Module],
    batches: FeatureBatches,
    loss: Loss,
    config: TrainConfig,
    fold_of: np.ndarray,
    held_out: FeatureBatches | None = None,
    description: str = "cross-fitting",
) -> np.ndarray:
    """Predict every image with a head that was trained on the other folds, (N, C) float32.

    Every fold trains for all epochs of `config`, so that nothing is chosen on the images that are
    predicted; those are seen in the views of `held_out` where it is given.
    """
    folds = np.unique(fold_of)
    if np.shape(fold_of) != batches.shape[:1] or len(folds) < 2:
        raise ValueError(f"wanted a fold of each of {batches.shape[0]} images, at least two folds")
    source = batches if held_out is None else held_out
    probs = None
    for fold in progress(folds, description, unit="fold"):
        part = batches.of_images(np.flatnonzero(fold_of != fold))
        model = train_to_the_end(build, part, loss, config)
        unseen = np.flatnonzero(fold_of == fold)
        held_back = source.of_images(unseen, views="all", shuffle=False)
        found = predict(model, held_back)
        if probs is None:
            probs = np.empty((batches.shape[0], found.shape[1]), dtype=np.float32)
        probs[unseen] = found
    return probs


def train_to_the_end(
    build: Callable[[], nn.Module], batches: FeatureBatches, loss: Loss, config: TrainConfig
) -> nn.Module:
    """Train a new head for all epochs of `config`; return what it is to be used with."""
    with own_random_state(batches.device):
        torch.manual_seed(config.seed)
        model = build()
    training = start_training(model, config, batches)
    fit_statistics(model, map(head_inputs, batches.sample()))
    for epoch in range(config.epochs):
        train_one_epoch(training, batches, loss, config, epoch)
    return training.used
