"""Cross-validate every head and decision rule on a collection, with bootstrap intervals.

    python benchmarks/cross_validate.py --data DIR --work DIR [--page]

Five stratified folds of all labelled images and all labels; each head is trained on four of them,
with a fixed number of epochs, and predicts the fifth in six views. Rules that have something to fit
are fitted to the other folds' predictions. Features and predictions are kept in the work folder.
Nine heads take about 20 minutes for 2,000 images on two cores.
"""

import argparse
import sys
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

import numpy as np
import torch
from page import describe_machine, write_section
from torch import nn

from imet_utils import runs
from imet_utils.attncnn_rnn import AttnCnnRnn, MlpClassifier, build_attncnn_rnn
from imet_utils.decisions import fit_rules
from imet_utils.encoders import build_encoder, encode_images
from imet_utils.features import FeatureBatches, extract_features
from imet_utils.hog import hog
from imet_utils.intervals import bootstrap_difference, bootstrap_mean
from imet_utils.label_queries import LabelQueryClassifier
from imet_utils.losses import (
    asymmetric_loss,
    focal_loss,
    order_free_loss,
    positive_weights,
    weighted_bce,
)
from imet_utils.metrics import f2_per_image
from imet_utils.models import LinearClassifier
from imet_utils.neighbours import neighbour_probs
from imet_utils.stratify import stratify
from imet_utils.tables import Tables, find_images, load_tables
from imet_utils.training import TrainConfig, cross_fit
from imet_utils.views import ViewDataset, view_targets

Arrays = Mapping[str, np.ndarray]
NUM_FOLDS = 5
AVERAGED = {"weight_decay": 0.3, "average_decay": 0.98}
STRONG = TrainConfig(epochs=25, learning_rate=1e-3, **AVERAGED)
QUERIES = TrainConfig(epochs=15, learning_rate=5e-4, **AVERAGED)
BASELINE = TrainConfig(epochs=30, learning_rate=1e-3)
VECTORS = ("pooled", "style")
REFERENCE = "MLP"  # the head to beat
# Losses that weigh positives and negatives apart give scores, not probabilities.
UNCALIBRATED = ("linear", "MLP, weighted positives", "MLP, focal loss", "MLP, asymmetric loss")
MEMBERS = (REFERENCE, "AttnCNN-RNN")  # as notebook 8 averages them


def make_features(tables: Tables, folder: Path, train: bool) -> Arrays:
    """Compute maps, pooled features, style and HOG of the training or the evaluation views."""
    encoder = build_encoder("efficientnet_lite0")

    def compute(images: torch.Tensor) -> dict[str, torch.Tensor]:
        return {**encode_images(encoder, images), "hog": hog(images)}

    paths = find_images(tables.data_dir / "train", tables.images["id"])
    has_culture = tables.targets[:, tables.is_culture].any(axis=1)
    dataset = ViewDataset(paths, tables.images["id"], has_culture, train=train)
    made_by = {"encoder": encoder.name, "with": "style, hog"}
    name = "train" if train else "eval"
    return extract_features(dataset, compute, folder / name, made_by, description=name)


def build_classifier(dims: Mapping[str, int], num_classes: int, names: tuple) -> MlpClassifier:
    """Make the MLP over some of the vectors."""
    return MlpClassifier({name: dims[name] for name in names}, num_classes)


def build_rnn(dims: Mapping[str, int], num_classes: int, names: tuple) -> AttnCnnRnn:
    """Make the AttnCNN-RNN as notebook 6 does."""
    return build_attncnn_rnn({name: dims[name] for name in ("maps", *names)}, num_classes)


def heads(dims: Mapping[str, int], targets: np.ndarray) -> dict[str, tuple]:
    """List the heads: inputs, how to build one, loss and settings of each."""
    num_classes = targets.shape[1]
    weights = positive_weights(torch.from_numpy(targets))
    poster = partial(weighted_bce, pos_weight=weights)
    mlp = partial(build_classifier, dims, num_classes)
    rnn = partial(build_rnn, dims, num_classes)
    linear = partial(LinearClassifier, dims["pooled"], num_classes)
    queries = partial(LabelQueryClassifier, num_classes, dims["maps"])
    with_hog = (*VECTORS, "hog")
    return {
        "linear": (("pooled",), linear, poster, BASELINE),
        "MLP on pooled features": (("pooled",), partial(mlp, ("pooled",)), weighted_bce, STRONG),
        REFERENCE: (VECTORS, partial(mlp, VECTORS), weighted_bce, STRONG),
        "AttnCNN-RNN": (("maps", *VECTORS), partial(rnn, VECTORS), order_free_loss, STRONG),
        "AttnCNN-RNN + HOG": (("maps", *with_hog), partial(rnn, with_hog), order_free_loss, STRONG),
        "label queries": (("maps",), queries, weighted_bce, QUERIES),
        "MLP, weighted positives": (VECTORS, partial(mlp, VECTORS), poster, STRONG),
        "MLP, focal loss": (VECTORS, partial(mlp, VECTORS), focal_loss, STRONG),
        "MLP, asymmetric loss": (VECTORS, partial(mlp, VECTORS), asymmetric_loss, STRONG),
    }


def cross_predict(
    head: tuple[tuple[str, ...], Callable[[], nn.Module], Callable, TrainConfig],
    train: Arrays,
    held_out: Arrays,
    targets: np.ndarray,
    fold_of: np.ndarray,
) -> np.ndarray:
    """Predict each image with a head that has not seen it, (N, C)."""
    names, build, loss, config = head
    spread = view_targets(targets, np.zeros(targets.shape[1], dtype=bool))  # (N, V, C)
    seen = FeatureBatches({name: train[name] for name in names}, spread, 64)
    unseen = FeatureBatches({name: held_out[name] for name in names}, None, 32, "all", False)
    return cross_fit(build, seen, loss, config, fold_of, unseen, "+".join(names))


def vote(train: Arrays, held_out: Arrays, targets: np.ndarray, fold_of: np.ndarray) -> np.ndarray:
    """Predict each image by its nearest neighbours in the other folds, (N, C)."""
    probs = np.empty(targets.shape, dtype=np.float32)
    queries, references = (np.asarray(a["pooled"]).mean(axis=1, dtype=np.float32)
                           for a in (held_out, train))  # fmt: skip
    for fold in range(NUM_FOLDS):
        mine, others = fold_of == fold, fold_of != fold
        probs[mine] = neighbour_probs(
            queries[mine], references[others], targets[others], temperature=0.1
        )
    return probs


def score_rules(
    probs: np.ndarray, targets: np.ndarray, is_culture: np.ndarray, fold_of: np.ndarray
) -> dict[str, np.ndarray]:
    """Score every rule, fitted to the other folds: F2 of each image (N,) by the rule's name."""
    scores: dict[str, np.ndarray] = {}
    for fold in np.unique(fold_of):
        mine, others = fold_of == fold, fold_of != fold
        for name, rule in fit_rules(probs[others], targets[others], is_culture).items():
            found = scores.setdefault(name, np.empty(len(probs)))
            found[mine] = f2_per_image(rule(probs[mine]), targets[mine])
    return scores


def tabulate(scores: Mapping[str, np.ndarray], reference: str) -> str:
    """Write mean F2 with its interval, and the paired difference to a reference, as Markdown."""
    lines = ["| | F2 | 95 % interval | difference to " + reference + " |", "|---|---|---|---|"]
    for name, values in scores.items():
        mean = bootstrap_mean(values)
        gap = bootstrap_difference(values, scores[reference])
        difference = f"{gap.mean:+.3f} ({gap.low:+.3f} to {gap.high:+.3f})"
        lines.append(
            f"| {name} | {mean.mean:.3f} | {mean.low:.3f} to {mean.high:.3f} | "
            f"{'' if name == reference else difference} |"
        )
    return "\n".join(lines)


def predict_all(
    train: Arrays, held_out: Arrays, targets: np.ndarray, fold_of: np.ndarray, folder: Path
) -> dict[str, np.ndarray]:
    """Predict with every head, unless the folder has its predictions, and mix them: (N, C) each."""
    dims = {name: array.shape[-1] for name, array in train.items()}
    probs = {}
    for name, head in heads(dims, targets).items():
        path = folder / f"{name}.npy"
        if not path.exists():
            start = time.perf_counter()
            runs.save_array(cross_predict(head, train, held_out, targets, fold_of), path)
            sys.stdout.write(f"{name}: {time.perf_counter() - start:.0f} s\n")
        probs[name] = np.load(path)
    members = [probs[name] for name in MEMBERS]
    votes = vote(train, held_out, targets, fold_of)
    return probs | {
        "nearest neighbours": votes,
        "AttnCNN-RNN (0.7) and neighbours (0.3)": 0.7 * probs["AttnCNN-RNN"] + 0.3 * votes,
        f"mean of {', '.join(MEMBERS)}": np.mean(members, axis=0),
        "that mean (0.7) and neighbours (0.3)": 0.7 * np.mean(members, axis=0) + 0.3 * votes,
    }


def main() -> None:
    """Predict with every head, score every rule, print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="a collection in iMet's layout")
    parser.add_argument("--work", type=Path, required=True, help="features and predictions go here")
    parser.add_argument("--page", action="store_true", help="write the tables into README.md")
    arguments = parser.parse_args()
    tables = load_tables(arguments.data)
    targets, labels = tables.targets, tables.images["labels"].tolist()
    fold_of = np.array(stratify(labels, tables.num_classes, [1] * NUM_FOLDS, seed=0))
    train, held_out = (make_features(tables, arguments.work, train=kind) for kind in (True, False))
    probs = predict_all(train, held_out, targets, fold_of, arguments.work)
    scores = {
        name: score_rules(found, targets, tables.is_culture, fold_of)
        for name, found in probs.items()
    }
    chosen = {name: "one threshold" if name in UNCALIBRATED else "expected F2" for name in scores}
    text = "\n\n".join(
        [
            "`python benchmarks/cross_validate.py --data DIR --work DIR --page`",
            f"{len(targets):,} images and {tables.num_classes:,} labels of `{arguments.data.name}`,"
            f" {NUM_FOLDS} folds. Heads, decided by the set of highest expected F2; linear and the"
            " MLP with other losses by one threshold:",
            tabulate({name: found[chosen[name]] for name, found in scores.items()}, REFERENCE),
            "Decision rules, all on the AttnCNN-RNN:",
            tabulate(scores["AttnCNN-RNN"], "one threshold"),
            describe_machine(),
        ]
    )
    sys.stdout.write(text + "\n")
    if arguments.page:
        write_section("cross_validation", text)


if __name__ == "__main__":
    main()
