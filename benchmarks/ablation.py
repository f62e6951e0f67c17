"""From the poster's AttnCNN-RNN to ours, one change at a time, by cross-validation.

`python benchmarks/ablation.py --data DIR --work DIR --page [SECTION]`

Each row keeps the changes of the rows above it; the first is the recipe `poster_rnn`, the last
`attncnn_rnn`. All are trained for equally many epochs of one random view of each image. What a head
predicts is kept in the work folder, so that an interrupted command goes on where it was.
"""

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
from decision_rules import decide_unseen
from heads import Dims, Row, all_views, search_sets, train_row
from matplotlib.figure import Figure
from page import RESULTS, make_parser, publish, tabulate_f2
from stores import NUM_FOLDS, SQUEEZED, Arrays, draw_folds, keep, open_store
from torch import nn

from imet_utils.decoding import predict
from imet_utils.files import atomic_path
from imet_utils.metrics import bootstrap_mean, f2_per_image
from imet_utils.tables import load_tables
from imet_utils.training import RECIPES, Decoding, Recipe

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


def list_steps(epochs: int) -> dict[str, Recipe]:
    """List the models on the way from the poster's to ours, by what has changed last."""
    config = replace(POSTER.config, epochs=epochs, train_views="random")
    recipe = replace(POSTER, config=config)
    by_threshold = replace(recipe, decoding=Decoding("one threshold"))
    steps = {"the poster's": recipe, "one threshold": by_threshold}
    recipe = replace(recipe, decoding=OURS.decoding)
    for name, (trained, built) in CHANGES.items():
        recipe = replace(
            recipe,
            inputs=OURS.inputs if "frozen" in built else recipe.inputs,
            config=replace(recipe.config, **{k: getattr(OURS.config, k) for k in trained}),
            layers=replace(recipe.layers, **{k: getattr(OURS.layers, k) for k in built}),
        )
        steps[name] = recipe
    return steps


def predict_fold(
    recipe: Recipe,
    train: Arrays,
    evaluation: Arrays,
    targets: np.ndarray,
    known: np.ndarray,
    unseen: np.ndarray,
) -> np.ndarray:
    """Train on some images and predict others: probabilities (M, C), or label sets of a beam.

    The poster's frozen classifier is trained before.
    """

    def build(dims: Dims, num_classes: int) -> nn.Module:
        model = recipe.build(dims, num_classes, len(known), recipe.config.seed)
        if recipe.layers.frozen:
            first = RECIPES[recipe.layers.frozen]
            settings = {"epochs": recipe.config.epochs, "learning_rate": 1e-3}
            config = replace(first.config, train_views="random", **settings)
            layers = partial(first.build, num_images=len(known))
            classifier = train_row(
                Row(first.inputs, layers, first.loss, config), train, targets, known
            )
            model.classifier.load_state_dict(classifier.state_dict())
        return model

    row = Row(recipe.inputs, build, recipe.loss, recipe.config)
    model = train_row(row, train, targets, known)
    views = all_views(row, evaluation, unseen, batch_size=32)
    if recipe.decoding.rule == "beam":
        return search_sets(model, views, recipe.decoding, targets[known])
    return predict(model, views)


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
    parser = make_parser(__doc__, "ablation", is_of_scores=True)
    parser.add_argument("--epochs", type=int, default=25, help="of every head")
    parser.add_argument("--images", type=int, help="to learn from at most, in each fold")
    parser.add_argument("--folds", type=int, default=NUM_FOLDS, help="of five that are predicted")
    arguments = parser.parse_args()
    tables = load_tables(arguments.data)
    targets, fold_of = tables.targets, draw_folds(tables)
    stores = open_store(tables, arguments.work, SQUEEZED)
    folder = arguments.work / "ablation" / f"{arguments.epochs}_{arguments.images or 'all'}"
    judged = fold_of < arguments.folds
    part_of = fold_of if arguments.folds > 1 else np.arange(len(targets)) % 2  # fit a threshold
    truth, given = targets[judged], (tables.is_culture, part_of[judged])
    scores = {}
    for number, (name, recipe) in enumerate(list_steps(arguments.epochs).items()):
        found = np.empty(targets.shape, dtype=np.float32)
        for fold in range(arguments.folds):
            known, unseen = np.flatnonzero(fold_of != fold), np.flatnonzero(fold_of == fold)
            known = np.sort(np.random.default_rng(0).permutation(known)[: arguments.images])
            found[unseen] = keep(
                folder / f"{number}_{fold}.npy",
                f"{name}, fold {fold + 1}",
                partial(predict_fold, recipe, *stores, targets, known, unseen),
            )
        found, rule = found[judged], recipe.decoding.rule
        preds = found > 0 if rule == "beam" else decide_unseen(rule, found, truth, *given)
        scores[name] = f2_per_image(preds, truth)
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
        tabulate_f2(scores, "changed", to_above=True),
    )


if __name__ == "__main__":
    main()
