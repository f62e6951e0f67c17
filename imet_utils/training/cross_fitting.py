"""Cross-fitting: predict each image by heads and neighbours that have not seen it."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, replace

import numpy as np
import pandas as pd
from torch import nn

from imet_utils.decoding import ImageVectors, best_expected_sets, build_neighbour_index, predict
from imet_utils.features import FeatureBatches
from imet_utils.files import save_array
from imet_utils.metrics import bootstrap_mean, f2_per_image
from imet_utils.progress import progress
from imet_utils.runs import Run
from imet_utils.tables import assign_parts, take_split
from imet_utils.training.heads import (
    build_head,
    join_splits,
    join_targets,
    open_inputs,
    read_job,
    training_batches,
)
from imet_utils.training.loop import Loss, TrainConfig, train_to_the_end, training_fingerprint
from imet_utils.training.recipes import NEIGHBOURS, choose_size

Fold = Callable[[np.ndarray, np.ndarray], np.ndarray]  # of images to learn from, to predict
SEEN = ("train", "val")  # test stays unseen until all is chosen
SHARES = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5)  # of the neighbours, to choose from
USUAL_SHARE = 0.3  # the best on 1,828 paintings and on 13,812 objects


def choose_share(run: Run, num_folds: int = 5) -> tuple[float, pd.DataFrame]:
    """Choose how much the neighbours count in the mean with the heads.

    Every image of train and validation is predicted by an MLP and by neighbours of the other folds.
    The MLP stands for both heads, as the AttnCNN-RNN takes ten times as long to train and scores
    about the same. The folds are drawn as the split is, so that a rare label may be missing in one.

    Args:
        run: whose notebooks upstream have trained the MLP.
        num_folds: 0 takes `USUAL_SHARE` without a measurement.

    Returns:
        The share and its table, see `compare_shares`.
    """
    if not num_folds:
        return USUAL_SHARE, pd.DataFrame(index=pd.Index(SHARES, name="share"))
    tables, targets = run.tables, join_targets(run.tables, SEEN)
    images = pd.concat([take_split(tables, split).images for split in SEEN], ignore_index=True)
    fold_of = np.array(assign_parts(replace(tables, images=images), [1] * num_folds))
    inputs = open_inputs(tables, run.output_dir, run.setting("ENCODER"), ("pooled", "style"))
    vectors = ImageVectors(join_splits(inputs.arrays, SEEN))
    temperature = choose_size(len(targets)).temperature

    def vote(known: np.ndarray, unseen: np.ndarray) -> np.ndarray:
        index = build_neighbour_index(vectors[known], targets[known], temperature)
        return index.nearest(vectors[unseen]).vote()

    votes = predict_folds(vote, fold_of, NEIGHBOURS)
    probs = cross_fit_head(run, "mlp", fold_of)
    f2 = {}
    for share in SHARES:
        preds = best_expected_sets((1 - share) * probs + share * votes)
        f2[share] = f2_per_image(preds, targets)
    return compare_shares(f2)


def compare_shares(f2: Mapping[float, np.ndarray]) -> tuple[float, pd.DataFrame]:
    """Take `USUAL_SHARE` unless another share is better by more than its standard error.

    That is the standard error of the difference, image by image; of several the best is taken.

    Args:
        f2: of each image, (N,), by share.

    Returns:
        The share, and columns F2, gain and standard error, a row for each share.
    """
    rows = {}
    for share, scores in f2.items():
        gain = bootstrap_mean(scores - f2[USUAL_SHARE])
        error = (gain.high - gain.low) / (2 * 1.96)
        rows[share] = {"F2": scores.mean(), "gain": gain.mean, "standard error": error}
    table = pd.DataFrame(rows).T.rename_axis("share")
    clear = table[table["gain"] > table["standard error"]]
    return USUAL_SHARE if clear.empty else float(clear["gain"].idxmax()), table


def cross_fit_head(run: Run, head: str, fold_of: np.ndarray) -> np.ndarray:
    """Predict train and validation by a head trained anew on the other folds: (N, C) float32.

    The recipe is that of the head upstream, `fold_of` (N,) the fold of each image. What was
    predicted before lies in `folds` and is read.
    """
    job = replace(read_job(run, head), splits=SEEN)
    model, inputs = build_head(job)
    batches, loss = training_batches(job, inputs, run.device)
    config = job.recipe.config
    settings = [asdict(config), inputs.made_by, fold_of.tolist()]
    fingerprint = training_fingerprint(model, loss, batches, settings)
    path = run.folder / f"folds/{head}_{fingerprint[:16]}.npy"
    if path.exists():
        return np.load(path)
    for outdated in path.parent.glob(f"{head}_*.npy"):
        outdated.unlink()

    def build() -> nn.Module:
        return build_head(job, inputs)[0]

    probs = cross_fit(build, batches, loss, config, fold_of, description=head)
    save_array(probs, path)
    return probs


def cross_fit(
    build: Callable[[], nn.Module],
    batches: FeatureBatches,
    loss: Loss,
    config: TrainConfig,
    fold_of: np.ndarray,
    description: str = "cross-fitting",
) -> np.ndarray:
    """Predict every image with a head that was trained on the other folds, (N, C) float32.

    Every fold trains for all epochs of `config`, so that nothing is chosen on the images that are
    predicted.
    """

    def predict_fold(known: np.ndarray, unseen: np.ndarray) -> np.ndarray:
        model = train_to_the_end(build, batches.of_images(known), loss, config)
        return predict(model, batches.of_images(unseen, views="all", shuffle=False))

    if np.shape(fold_of) != batches.shape[:1]:
        raise ValueError(f"wanted a fold of each of {batches.shape[0]} images")
    return predict_folds(predict_fold, fold_of, description)


def predict_folds(predict_fold: Fold, fold_of: np.ndarray, description: str) -> np.ndarray:
    """Predict the images of each fold from those of the others, (N, C) float32."""
    folds = np.unique(fold_of)
    if len(folds) < 2:
        raise ValueError(f"wanted at least two folds, got {len(folds)}")
    found = [
        predict_fold(np.flatnonzero(fold_of != fold), np.flatnonzero(fold_of == fold))
        for fold in progress(folds, description, len(folds), "fold")
    ]
    order = np.argsort(fold_of, kind="stable")  # of the images predicted, fold by fold
    return np.concatenate(found)[np.argsort(order)].astype(np.float32, copy=False)
