"""From the poster's AttnCNN-RNN to ours, one change at a time, by cross-validation.

`python benchmarks/ablation.py --data DIR --work DIR --page [SECTION]`

Each row keeps the changes of the rows above it; the first is the recipe `poster_rnn`, the last
`attncnn_rnn`. All are trained for equally many epochs of one random view of each image. What a head
predicts is kept in the work folder, so that an interrupted command goes on where it was.
"""

import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import torch
from cross_validate import draw_folds
from decision_rules import best_cut, decide_by_threshold
from matplotlib.figure import Figure
from page import RESULTS, describe_gap, format_table, make_parser, publish
from stores import SQUEEZED, Arrays, open_store
from torch import nn

from imet_utils.decoding import (
    best_expected_sets,
    class_thresholds,
    predict,
    search_views,
    union_of_views,
)
from imet_utils.features import FeatureBatches, view_targets
from imet_utils.files import atomic_path, save_array
from imet_utils.metrics import bootstrap_mean, f2_per_image
from imet_utils.models import positive_weights
from imet_utils.tables import load_tables
from imet_utils.training import RECIPES, Recipe, train_to_the_end

POSTER, OURS = RECIPES["poster_rnn"], RECIPES["attncnn_rnn"]
CHANGES = {  # fields of the training and of the layers that become ours
    "no weights in the loss, highest expected F2": (["max_weight"], []),
    "decoupled decay, averaged weights, batches of 64 at 1e-3": (
        ["learning_rate", "weight_decay", "decoupled_decay", "average_decay", "batch_size"],
        [],
    ),
    "an MLP with style as classifier, trained along": ([], ["frozen"]),
    "a step revises the step before": ([], ["residual"]),
    "maps standardised": ([], ["standardise"]),
    "LSTM of 256, dropout 0.8": ([], ["width", "dropout"]),
    "three steps": ([], ["num_steps"]),
    "attention by labels: ours": ([], ["attention", "attention_dim"]),
}


@dataclass(frozen=True)
class Step:
    """A model on the way, and the decoding of its outputs: `beam`, `threshold`, `expected F2`."""

    recipe: Recipe
    rule: str


def list_steps(epochs: int) -> dict[str, Step]:
    """List the models on the way from the poster's to ours, by what has changed last."""
    config = replace(POSTER.config, epochs=epochs, train_views="random")
    recipe = replace(POSTER, config=config)
    steps = {"the poster's": Step(recipe, "beam"), "one threshold": Step(recipe, "threshold")}
    for name, (trained, built) in CHANGES.items():
        recipe = replace(
            recipe,
            inputs=OURS.inputs if "frozen" in built else recipe.inputs,
            config=replace(recipe.config, **{k: getattr(OURS.config, k) for k in trained}),
            layers=replace(recipe.layers, **{k: getattr(OURS.layers, k) for k in built}),
        )
        steps[name] = Step(recipe, "expected F2")
    return steps


def predict_fold(
    step: Step, train: Arrays, unseen: Arrays, targets: np.ndarray, rows: np.ndarray, epochs: int
) -> np.ndarray:
    """Train on some rows and predict `unseen`: probabilities (M, C), or label sets of a beam."""
    recipe = step.recipe
    build = partial(build_head, recipe, train, targets, rows, epochs)
    model = train_recipe(recipe, build, train, targets, rows)
    views = FeatureBatches({k: unseen[k] for k in recipe.inputs}, None, 32, "all", shuffle=False)
    if step.rule != "beam":
        return predict(model, views)
    decoding = recipe.decoding
    paths = search_views(model, views, decoding.beam_size, decoding.max_steps)
    shares = torch.from_numpy(targets[rows].mean(axis=0)).float()  # (C,)
    limits = class_thresholds(shares, decoding.stop_scale)
    return union_of_views(paths, limits, views.shape[1]).numpy()


def build_head(
    recipe: Recipe, train: Arrays, targets: np.ndarray, rows: np.ndarray, epochs: int
) -> nn.Module:
    """Make an untrained head; the frozen classifier of the poster's is trained first."""
    dims = {name: train[name].shape[-1] for name in recipe.inputs}
    model = recipe.build(dims, targets.shape[1], len(rows), recipe.config.seed)
    if recipe.layers.frozen:
        first = RECIPES[recipe.layers.frozen]
        config = replace(first.config, epochs=epochs, learning_rate=1e-3, train_views="random")
        first = replace(first, config=config)
        build = partial(first.build, dims, targets.shape[1], len(rows))
        trained = train_recipe(first, build, train, targets, rows)
        model.classifier.load_state_dict(trained.state_dict())
    return model


def train_recipe(
    recipe: Recipe, build: partial, train: Arrays, targets: np.ndarray, rows: np.ndarray
) -> nn.Module:
    """Train a head by its recipe on some rows, to its last epoch."""
    config, loss = recipe.config, recipe.loss
    if config.max_weight:
        weights = positive_weights(torch.from_numpy(targets[rows]), config.max_weight)
        loss = partial(loss, pos_weight=weights)
    spread = view_targets(targets, np.zeros(targets.shape[1], dtype=bool))  # (N, V, C)
    batches = FeatureBatches(
        {name: train[name] for name in recipe.inputs},
        spread,
        config.batch_size,
        config.train_views,
        seed=config.seed,
    )
    return train_to_the_end(build, batches.of_images(rows), loss, config)


def decide(found: np.ndarray, rule: str, targets: np.ndarray, fold_of: np.ndarray) -> np.ndarray:
    """Choose the labels, bool (N, C); a threshold is fitted to the other folds, two at least."""
    if rule == "beam":
        return found.astype(bool)
    if rule == "expected F2":
        return best_expected_sets(found)
    preds, folds = np.empty_like(targets), np.unique(fold_of)
    if len(folds) < 2:
        raise ValueError("wanted two folds at least: a threshold is fitted to the others")
    for fold in folds:
        mine = fold_of == fold
        preds[mine] = decide_by_threshold(found[mine], best_cut(found[~mine], targets[~mine]))
    return preds


def tabulate(scores: Mapping[str, np.ndarray]) -> str:
    """Write mean F2 with its interval, and the paired difference to the row above, as Markdown."""
    rows, before = [], None
    for name, values in scores.items():
        mean = bootstrap_mean(values)
        gap = "" if before is None else describe_gap(values - before)
        rows.append([name, f"{mean.mean:.3f}", f"{mean.low:.3f} to {mean.high:.3f}", gap])
        before = values
    return format_table(["changed", "F2", "95 % interval", "difference to the row above"], rows)


def plot_steps(scores: Mapping[str, np.ndarray], path: Path) -> None:
    """Draw mean F2 of each row with its interval, from the poster's model down to ours."""
    means = [bootstrap_mean(values) for values in scores.values()]
    figure = Figure(figsize=(7, 0.35 * len(means) + 0.8), layout="constrained")
    axes = figure.add_subplot(xlabel="F2, mean and 95 % interval")
    ends = np.array([[mean.mean - mean.low, mean.high - mean.mean] for mean in means]).T  # (2, R)
    axes.errorbar([mean.mean for mean in means], range(len(means)), xerr=ends, fmt="o-", capsize=3)
    axes.set_yticks(range(len(means)), scores)
    axes.invert_yaxis()
    axes.grid(axis="x", alpha=0.3)
    with atomic_path(path) as temporary:
        figure.savefig(temporary, dpi=120)


def main() -> None:
    """Train what is not there, score all, print the table, draw the figure."""
    parser = make_parser(__doc__, "ablation")
    parser.add_argument("--data", type=Path, required=True, help="a collection in iMet's layout")
    parser.add_argument("--work", type=Path, required=True, help="features and predictions go here")
    parser.add_argument("--epochs", type=int, default=25, help="of every head")
    parser.add_argument("--images", type=int, help="to learn from at most, in each fold")
    parser.add_argument("--folds", type=int, default=5, help="of five that are predicted")
    arguments = parser.parse_args()
    tables = load_tables(arguments.data)
    train, evaluation = open_store(tables, arguments.work, SQUEEZED)
    fold_of, targets = draw_folds(tables), tables.targets
    judged = fold_of < arguments.folds
    part_of = fold_of if arguments.folds > 1 else np.arange(len(targets)) % 2  # fit a threshold
    scores = {}
    for number, (name, step) in enumerate(list_steps(arguments.epochs).items()):
        found = np.empty(targets.shape, dtype=np.float32)
        for fold in range(arguments.folds):
            kind = f"{arguments.epochs}_{arguments.images or 'all'}"
            path = arguments.work / "ablation" / kind / f"{number}_{fold}.npy"
            if not path.exists():
                start = time.perf_counter()
                rows = np.flatnonzero(fold_of != fold)
                rows = np.sort(np.random.default_rng(0).permutation(rows)[: arguments.images])
                mine = np.flatnonzero(fold_of == fold)
                unseen = {name: array[mine] for name, array in evaluation.items()}
                save_array(predict_fold(step, train, unseen, targets, rows, arguments.epochs), path)
                seconds = time.perf_counter() - start
                sys.stdout.write(f"{name}, fold {fold + 1}: {seconds:.0f} s\n")
                sys.stdout.flush()
            found[fold_of == fold] = np.load(path)
        preds = decide(found[judged], step.rule, targets[judged], part_of[judged])
        scores[name] = f2_per_image(preds, targets[judged])
    name = arguments.page or "ablation"
    plot_steps(scores, (RESULTS if arguments.page else arguments.work) / f"{name}.png")
    publish(
        arguments.page,
        f"# From the poster's AttnCNN-RNN to ours: `{arguments.data.name}`",
        "`python benchmarks/ablation.py --data DIR --work DIR --page [SECTION]`",
        f"{judged.sum():,} images and {tables.num_classes:,} labels, predicted in "
        f"{arguments.folds} of 5 folds by heads that learned from "
        f"{arguments.images or 'all'} images of the others for {arguments.epochs} epochs of one "
        "view. Each row keeps the changes of the rows above it.",
        f"![F2 of each row]({name}.png)",
        tabulate(scores),
    )


if __name__ == "__main__":
    main()
