"""Measure how well wrong and missing labels are found, where it is known which they are.

    python benchmarks/label_faults.py --output DIR [DIR ...] [--no-network] [--page [NAME]]

Each folder holds a finished run. Of the rendered sample it is known what was drawn and not
annotated: its tags that the vocabulary has, and the culture of an image without one, if the style
shows it. Wrong labels are planted: a share of those annotated is exchanged for random others; of
other collections these exchanges are all that is known, so what they have removed counts as
missing. All is the mean of five such draws. The network is trained anew for each fold and draw:
four minutes for 1,200 images; `--no-network` leaves it out.
"""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
from heads import as_notebooks, cross_predict
from page import format_table, make_parser, publish
from scipy.special import logit

from imet_tools.labelling import leave_one_out, predict_from_others
from imet_tools.sample import draw_records, image_id
from imet_tools.sample.vocabulary import CULTURES
from imet_utils.decoding import NeighbourIndex
from imet_utils.features import JoinedArray
from imet_utils.files import load_json
from imet_utils.runs import read_run
from imet_utils.tables import SPLITS, Tables, take_split
from imet_utils.training import index_images, join_splits, open_inputs

NUM_FOLDS = 5
PLANTED = 0.02  # of the annotated labels
DRAWS = 5  # of planted labels
FIRST = (50, 200)  # pairs that a person looks at
LEAST = 1e-4  # probability that is told from 0
RIDGES_SHARE = {"vote": 0.0, "ridge": 1.0, "vote and ridge": 0.5}
NETWORK = "MLP, five folds"
REVISED = "vote and ridge, revised by known labels"

Probs = Mapping[str, np.ndarray]


def find_overlooked(tables: Tables, data_dir: Path) -> np.ndarray | None:
    """Tell which labels of the sample were drawn and not annotated, bool (N, C); None of others."""
    path = data_dir / "sample.json"
    if not path.is_file():
        return None
    made_with = load_json(path)
    records = draw_records(made_with["num_images"], made_with["seed"])
    record_of = {image_id(made_with["seed"], n): record for n, record in enumerate(records)}
    class_of = {name: k for k, name in enumerate(tables.labels["attribute_name"])}
    overlooked = np.zeros(tables.targets.shape, dtype=bool)
    for row, name in enumerate(tables.images["id"]):
        record = record_of[name]
        shown = [f"tag::{tag}" for tag in record.drawn]
        bare = not any(label.startswith("culture::") for label in record.labels)
        if bare and record.style in CULTURES:
            shown.append(f"culture::{record.style}")
        missing = [label for label in shown if label in class_of and label not in record.labels]
        overlooked[row, [class_of[label] for label in missing]] = True
    return overlooked


def plant(targets: np.ndarray, share: float = PLANTED, seed: int = 0) -> np.ndarray:
    """Exchange a share of the annotated labels for random ones that the image does not have."""
    rng = np.random.default_rng(seed)
    planted = targets.copy()
    rows, labels = np.nonzero(targets)
    for k in rng.choice(len(rows), round(share * len(rows)), replace=False):
        free = np.flatnonzero(~(targets | planted)[rows[k]])
        planted[rows[k], labels[k]] = False
        planted[rows[k], rng.choice(free)] = True
    return planted


def predict(
    known: NeighbourIndex,
    arrays: Mapping[str, JoinedArray],
    targets: np.ndarray,
    strength: float,
    network: bool,
) -> Probs:
    """Predict every image without its own labels in all ways: probabilities (N, C)."""
    known = replace(known, targets=targets)
    ways = {name: leave_one_out(known, share) for name, share in RIDGES_SHARE.items()}
    ways[REVISED] = predict_from_others(known, strength)
    probs = {name: np.concatenate([found for _, found in way]) for name, way in ways.items()}
    if network:
        fold_of = np.random.default_rng(0).permutation(len(targets)) % NUM_FOLDS
        mlp = as_notebooks("mlp", len(targets))
        probs[NETWORK] = cross_predict(mlp, arrays, arrays, targets, fold_of)
        probs[f"{NETWORK}, and vote"] = (probs[NETWORK] + probs["vote"]) / 2
    return probs


def rankings(probs: np.ndarray, targets: np.ndarray) -> dict[str, np.ndarray]:
    """Rank pairs in three ways: those with the highest values (N, C) are present most surely."""
    usual = (probs * targets).sum(axis=0) / np.maximum(targets.sum(axis=0), 1)  # (C,)
    odds, usual_odds = (logit(np.clip(values, LEAST, 1 - LEAST)) for values in (probs, usual))
    return {
        "probability": probs,
        "less the label's threshold": probs - usual,
        "odds to the label's usual ones": odds - usual_odds,
    }


def precision(values: np.ndarray, truth: np.ndarray, among: np.ndarray) -> list[float]:
    """Return the share that is true of the first pairs by their values, among some."""
    order = np.argsort(-values[among], kind="stable")
    return [float(truth[among][order[:count]].mean()) for count in FIRST]


def score(
    probs: Probs, annotated: np.ndarray, faults: np.ndarray, are_present: bool
) -> dict[tuple[str, str], list[float]]:
    """Score every way to find faults, bool (N, C), by its name and that of its ranking.

    They are among the annotated labels, or where labels that are not annotated are present.
    """
    among, sign = (~annotated, 1) if are_present else (annotated, -1)
    scores = {
        (name, ranking): precision(sign * values, faults, among)
        for name, found in probs.items()
        for ranking, values in rankings(found, annotated).items()
    }
    return scores | {("chance", ""): [faults[among].mean()] * len(FIRST)}


def measure(output_dir: Path, network: bool) -> str:
    """Measure one run, with the network or without; return its table as Markdown."""
    run = read_run(output_dir)
    tables = run.tables
    encoder = run.setting("ENCODER")
    stores = open_inputs(tables, output_dir, encoder, ("pooled", "style")).arrays
    known, arrays = index_images(tables, stores), join_splits(stores)
    targets = known.targets
    strength = load_json(output_dir / "labeller" / "labeller.json")["settings"]["strength"]
    way = {"strength": strength, "network": network}
    parts = [find_overlooked(take_split(tables, split), run.data_dir) for split in SPLITS]
    truth = None if parts[0] is None else np.concatenate(parts)
    missing, wrong = [], []
    if truth is not None:
        missing = [score(predict(known, arrays, targets, **way), targets, truth, True)]
    for seed in range(DRAWS):
        planted = plant(targets, seed=seed)
        probs = predict(known, arrays, planted, **way)
        wrong.append(score(probs, planted, planted & ~targets, are_present=False))
        if truth is None:
            missing.append(score(probs, planted, targets & ~planted, are_present=True))
    rows = []
    for name, ranking in wrong[0]:
        digits = ".4f" if name == "chance" else ".2f"
        means = [np.mean([draw[name, ranking] for draw in kind], 0) for kind in (missing, wrong)]
        rows.append([name, ranking, *(f"{mean:{digits}}" for mean in np.concatenate(means))])
    head = [f"{kind}, first {count}" for kind in ("missing", "wrong") for count in FIRST]
    table = format_table(["probabilities", "ranked by", *head], rows)
    number = np.count_nonzero(plant(targets) & ~targets)
    lacking = f"{number:,} removed" if truth is None else f"{truth.sum():,} drawn and not annotated"
    counts = (
        f"{len(targets):,} images, {tables.num_classes:,} labels of `{run.data_dir.name}`: "
        f"{targets.sum():,} annotated, {lacking}, {number:,} planted; strength {strength:.2g}."
    )
    return f"{counts}\n\n{table}"


INTRODUCTION = f"""Share of the first pairs of image and label that are truly missing, or truly
wrong. Missing from the rendered sample are motifs that were drawn and not annotated, and the
culture of an image without one, if its style shows it; of other collections only labels that were
removed count, not those that have always been missing. Wrong labels are planted: {PLANTED:.0%} of
those annotated, exchanged for random others; all is the mean of {DRAWS} draws. The probabilities of
an image come from the labels of other images alone; *revised by known labels* revises them by the
labels that the image has, with the strength that the run has chosen. A label's *threshold* is its
mean probability where it is annotated, as in confident learning; its *usual odds* are those of that
mean. Notebook 10 takes *revised by known labels*, missing labels by their probability, wrong ones
by their odds."""


def main() -> None:
    """Measure every run, print the tables."""
    parser = make_parser(__doc__, "label_faults")
    parser.add_argument("--output", type=Path, nargs="+", required=True, help="finished runs")
    parser.add_argument("--no-network", action="store_true", help="without the MLP")
    arguments = parser.parse_args()
    tables = [measure(output, not arguments.no_network) for output in arguments.output]
    publish(arguments.page, "Faults in the labels", INTRODUCTION, *tables)


if __name__ == "__main__":
    main()
