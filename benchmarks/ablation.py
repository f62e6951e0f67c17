"""From the poster's AttnCNN-RNN to ours, one change at a time, by cross-validation.

    python benchmarks/ablation.py --data DIR --work DIR [--epochs 25] [--folds 5] [--page [NAME]]

Each row keeps the changes of the rows above it; the first is the recipe `poster_rnn`, the last
`attncnn_rnn`. All are trained for equally many epochs of one random view of each image. What a head
predicts is kept in the work folder, so that an interrupted command goes on where it was.
"""

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
from decision_rules import score_f2
from heads import Row, predict_row
from page import RESULTS, make_parser, publish, tabulate_f2
from stores import NUM_FOLDS, SQUEEZED, draw_folds, keep, open_store

from imet_utils.files import atomic_path
from imet_utils.metrics import bootstrap_mean
from imet_utils.plots import save_figure, style
from imet_utils.plots.models import draw_intervals
from imet_utils.tables import load_tables
from imet_utils.training import RECIPES

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


def list_rows(epochs: int) -> dict[str, Row]:
    """List the models on the way from the poster's to ours, by what has changed last."""
    same = {"epochs": epochs, "train_views": "random"}
    baseline, layers = RECIPES[POSTER.layers.frozen], POSTER.layers
    config = replace(baseline.config, learning_rate=1e-3, **same)
    first = Row(baseline.inputs, baseline.layers.build, baseline.loss, config)
    config = replace(POSTER.config, **same)
    row = Row(POSTER.inputs, layers.build, POSTER.loss, config, rule="beam", first=first)
    rows = {"the poster's": row, "one threshold": replace(row, rule="one threshold")}
    row = replace(row, rule="expected F2")
    for name, (trained, built) in CHANGES.items():
        config = replace(row.config, **{k: getattr(OURS.config, k) for k in trained})
        layers = replace(layers, **{k: getattr(OURS.layers, k) for k in built})
        row = replace(row, build=layers.build, config=config)
        if "frozen" in built:
            row = replace(row, inputs=OURS.inputs, first=None)
        rows[name] = row
    return rows


@style.use()
def plot_steps(scores: Mapping[str, np.ndarray], path: Path) -> None:
    """Draw mean F2 of each row with its interval, from the poster's model down to ours."""
    means = pd.DataFrame([bootstrap_mean(values) for values in scores.values()])
    figure, axes = style.subplots(0.8 + 0.35 * len(means), width=8.0)
    draw_intervals(axes, means, [*scores], [f"{mean:.3f}" for mean in means["mean"]])
    axes.set_xlabel("F2, mean and 95 % interval")
    with atomic_path(path) as temporary:
        save_figure(figure, temporary)


def main() -> None:
    """Train what is not there, score all, print the table, draw the figure."""
    parser = make_parser(__doc__, "ablation", is_of_scores=True)
    parser.add_argument("--epochs", type=int, default=25, help="of every head")
    parser.add_argument("--folds", type=int, default=NUM_FOLDS, help="of five that are predicted")
    arguments = parser.parse_args()
    tables = load_tables(arguments.data)
    fold_of, stores = draw_folds(tables), open_store(tables, arguments.work, SQUEEZED)
    parts = {k: np.flatnonzero(fold_of == k) for k in range(arguments.folds)}
    judged = np.concatenate([*parts.values()])
    halves = np.arange(len(judged)) % 2  # for the threshold, where there are no other folds
    part_of = fold_of[judged] if arguments.folds > 1 else halves
    scores = {}
    for number, (name, row) in enumerate(list_rows(arguments.epochs).items()):
        predict = partial(predict_row, row, *stores, tables.targets)
        found = []
        for fold, unseen in parts.items():
            path = arguments.work / f"ablation/{arguments.epochs}_{number}_{fold}.npy"
            known = np.flatnonzero(fold_of != fold)
            found.append(keep(path, f"{name}, fold {fold}", partial(predict, known, unseen)))
        given = (tables.targets[judged], tables.is_culture, part_of)
        scores[name] = score_f2(row.rule, np.concatenate(found), *given)
    name = arguments.page or "ablation"
    plot_steps(scores, (RESULTS if arguments.page else arguments.work) / f"{name}.png")
    publish(
        arguments.page,
        f"From the poster's AttnCNN-RNN to ours: `{arguments.data.name}`",
        f"{len(judged):,} images and {tables.num_classes:,} labels, predicted in "
        f"{arguments.folds} of {NUM_FOLDS} folds by heads that learned from the other folds for "
        f"{arguments.epochs} epochs of one view. Each row keeps the changes of the rows above it.",
        f"![F2 of each row]({name}.png)",
        tabulate_f2(scores, "changed", to_above=True),
    )


if __name__ == "__main__":
    main()
