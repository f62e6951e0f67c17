"""What more images teach: heads trained on growing parts of a collection, judged on the same part.

    python benchmarks/learning_curves.py --data DIR --work DIR [--only NAME ...] [--page [NAME]]

A fifth of the labelled images is held back, stratified by all labels. Of the rest each head is
trained on 1,000, on 4,000 and on all, a smaller part within the larger, with a fixed number of
epochs; nothing is chosen on the part held back. Features and each row's predictions are kept in the
work folder: what is there is not trained again, so that the command may be stopped and repeated;
with `--only` the other rows are shown where they are there. The intervals are bootstrapped over the
images held back.
"""

from collections.abc import Mapping
from dataclasses import replace
from functools import cache, partial
from pathlib import Path

import numpy as np
import stores
from cross_validate import add_means, choose_rows
from decision_rules import score_f2
from heads import (
    BASELINE,
    MLP,
    NEIGHBOURS,
    RNN,
    SEEDED,
    STRONG,
    VOTE,
    Row,
    as_notebooks,
    build_end_to_end,
    predict_row,
    with_seeds,
    with_votes,
)
from page import make_parser, publish, tabulate_f2

from imet_utils.metrics import constant_guess, f2_per_image
from imet_utils.models import MlpClassifier, Rnn
from imet_utils.tables import Tables, load_tables
from imet_utils.training import SIZES as TRAINING_SIZES

SIZES = (1_000, 4_000)  # beside all
GUESS, BEAM, BOTH = "constant guess", "beam, the poster's stop", "heads and neighbours"
TEMPERATURES = sorted({size.temperature for size in TRAINING_SIZES})
SIZES_OF_POSTER = {"attention_dim": 256, "num_steps": 10, "width": 512, "dropout": 0.5}
LARGER = {"hidden_dim": 2048}
RNNS = {  # what else the heads of the notebooks might be
    "6 steps": {"num_steps": 6},
    "10 steps": {"num_steps": 10},
    "the poster's attention": {"attention": "additive"},
    "the poster's attention and sizes": {"attention": "additive", **SIZES_OF_POSTER},
}
SHORT = {"10 epochs": (10, {}), "2,048 hidden, 8 epochs": (8, LARGER)}


def list_rows() -> dict[str, Row]:
    """List the heads by name; those of the notebooks, then what else they might be at a size."""
    mlp, rnn = as_notebooks("mlp"), as_notebooks("attncnn_rnn")
    weighted = replace(BASELINE, max_weight=10.0)  # as the poster weighs positives up
    linear = replace(as_notebooks("baseline"), config=weighted, rule="one threshold")
    rows = {
        **with_seeds(RNN, rnn),
        **with_seeds(MLP, mlp),
        "linear": linear,
        f"{RNN} + HOG": replace(rnn, inputs=(*rnn.inputs, "hog")),
        f"{RNN}, {BEAM}": replace(rnn, rule="beam"),
        f"{MLP}, 2,048 hidden": replace(mlp, build=partial(MlpClassifier, **LARGER)),
    }
    for name, (k, changed) in SHORT.items():
        short = replace(mlp, config=replace(STRONG, epochs=k))
        rows[f"{MLP}, {name}"] = replace(short, build=partial(MlpClassifier, **changed))
        rows[f"{MLP}, {name}, four stages of the encoder unfrozen"] = replace(
            short,
            inputs=("images",),
            build=partial(build_end_to_end, 4, **changed),
            store=stores.PIXELS,
        )
    for name, changed in RNNS.items():
        rows[f"{RNN}, {name}"] = replace(rnn, build=Rnn(**changed).build)
    return rows | {
        f"{NEIGHBOURS}, temperature {k}": replace(VOTE, temperature=k) for k in TEMPERATURES
    }


def list_means() -> dict[str, dict[str, float]]:
    """List the means of both heads with neighbours, by temperature: the weights of their rows."""
    notes = [f", temperature {k}" for k in TEMPERATURES]
    return {BOTH + note: with_votes([MLP, RNN], NEIGHBOURS + note) for note in notes}


def score_size(
    rows: Mapping[str, Row], tables: Tables, known: np.ndarray, judged: np.ndarray, folder: Path
) -> dict[str, np.ndarray]:
    """Score all rows that the folder has of a size on the images held back: F2 (M,) by name."""
    targets, truth = tables.targets[known], tables.targets[judged]
    kept = {name: folder / f"{name}.npy" for name in rows}
    probs = {name: np.load(path) for name, path in kept.items() if path.exists()}
    given = (truth, tables.is_culture, np.arange(len(truth)) % 2)
    scores = {}
    for name, values in add_means(probs, list_means()).items():
        rule = rows[name].rule if name in rows else "expected F2"
        scores[name] = score_f2(rule, values, *given)
    guess = np.broadcast_to(constant_guess(targets, targets), truth.shape)
    return {**scores, GUESS: f2_per_image(guess, truth)}


def average_seeds(scores: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Average F2 of the heads over three seeds, of those of which all are there."""
    there = {name: rows for name, rows in SEEDED.items() if scores.keys() >= set(rows)}
    return {name: np.mean([scores[row] for row in rows], axis=0) for name, rows in there.items()}


def main() -> None:
    """Train what is not there, score all, print the tables."""
    parser = make_parser(__doc__, "learning_curves", is_of_scores=True)
    parser.add_argument("--only", nargs="+", metavar="NAME", help="rows to train instead of all")
    parser.add_argument("--sizes", nargs="+", type=int, help="instead of 1,000, 4,000 and all")
    arguments = parser.parse_args()
    rows, tables = list_rows(), load_tables(arguments.data)
    others, judged = stores.hold_back(tables)
    open_kind = cache(partial(stores.open_store, tables, arguments.work))
    parts = []
    for size in arguments.sizes or [*SIZES, len(others)]:
        folder, known = arguments.work / f"learning_curves/{size}", np.sort(others[:size])
        for name, row in choose_rows(rows, arguments.only).items():
            given = (*open_kind(row.store), tables.targets, known, judged)
            path, description = folder / f"{name}.npy", f"{size:,} images, {name}"
            stores.keep(path, description, partial(predict_row, row, *given))
        scores = score_size(rows, tables, known, judged, folder)
        parts += [f"{size:,} images:", tabulate_f2(scores)]
        if means := average_seeds(scores):
            parts += [f"{size:,} images, means of three seeds:", tabulate_f2(means)]
    publish(
        arguments.page,
        "What more images teach",
        f"F2 on {len(judged):,} images of `{arguments.data.name}` held back, "
        f"{tables.num_classes:,} labels. Decided by the set of highest expected F2, linear heads "
        "by one threshold.",
        *parts,
    )


if __name__ == "__main__":
    main()
