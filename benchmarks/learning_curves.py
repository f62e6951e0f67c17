"""What more images teach: heads trained on growing parts of a collection, judged on the same part.

    python benchmarks/learning_curves.py --data DIR --work DIR [--only NAME ...] [--kept] [--page]

A fifth of the labelled images is held back, stratified by all labels. Of the rest each head is
trained on 1,000, on 4,000 and on all, a smaller part within the larger, with a fixed number of
epochs; nothing is chosen on the part held back. Features and each row's predictions are kept in the
work folder: what is there is not trained again, so that the command may be stopped and repeated;
`--kept` trains nothing and shows what is there.
The intervals are bootstrapped over the images held back.
"""

import sys
import time
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import torch
from cross_validate import choose_rows
from decision_rules import best_cut, decide_by_threshold
from heads import (
    BASELINE,
    MLP,
    MORE_SEEDS,
    NEIGHBOURS,
    NEIGHBOURS_SHARE,
    RNN,
    STRONG,
    Row,
    as_notebooks,
    build_end_to_end,
)
from held_back import Halves, hold_back
from page import RESULTS, describe_gap, format_table, make_parser, publish
from stores import PIXELS

from imet_utils.decoding import (
    ImageVectors,
    best_expected_sets,
    build_neighbour_index,
    class_thresholds,
    predict,
    search_views,
    union_of_views,
)
from imet_utils.features import FeatureBatches, view_targets
from imet_utils.files import atomic_path, save_array, save_json
from imet_utils.metrics import bootstrap_mean, constant_guess, f2_per_image
from imet_utils.models import MlpClassifier, Rnn, positive_weights, weighted_bce
from imet_utils.plots import save_figure, style
from imet_utils.training import SIZES as TRAINING_SIZES
from imet_utils.training import choose_size, train_to_the_end

SIZES = (1_000, 4_000)  # beside all
GUESS, BEAM, BOTH = "constant guess", "beam, the poster's stop", "heads and neighbours"
SEEDS = "mean of three seeds"
SHOWN = (BOTH, RNN, MLP, NEIGHBOURS, "linear", f"{RNN}, {BEAM}", GUESS)  # in the figure
FIGURE = RESULTS / "learning_curves.png"
BEAMED = (RNN,)  # read off by beam search, too
WIDE = {"width": 512, "dropout": 0.5}
EPOCHS = (12, 50)  # beside 25
SHORT = {"10 epochs": (10, {}), "2,048 hidden, 8 epochs": (8, {"hidden_dim": 2048})}
TEMPERATURES = sorted({size.temperature for size in TRAINING_SIZES})
STOP_SCALE, BEAM_SIZE, MAX_STEPS = 2.5, 5, 10  # as in notebook 6


def list_rows() -> dict[str, Row]:
    """List the heads by name; those of the notebooks, then what else they might be at a size."""
    mlp, rnn = as_notebooks("mlp"), as_notebooks("attncnn_rnn")
    linear, reduced = (
        replace(as_notebooks(head), config=BASELINE, rule="one threshold")
        for head in ("baseline", "baseline_components")
    )
    mlps = {
        "dropout 0.3": {"dropout": 0.3},
        "dropout 0.5": {"dropout": 0.5},
        "dropout 0.8": {"dropout": 0.8},
        "2,048 hidden": {"hidden_dim": 2048},
    }
    rnns = {
        "classifier's dropout 0.5": {"classifier_dropout": 0.5},
        "classifier's 2,048 hidden": {"hidden_dim": 2048},
        "width 512, dropout 0.5": WIDE,
        "6 steps": {"num_steps": 6},
        "10 steps": {"num_steps": 10},
        "the poster's attention": {"attention": "additive"},
        "the poster's attention and sizes": {
            "attention": "additive",
            "attention_dim": 256,
            "num_steps": 10,
            **WIDE,
        },
    }
    unfrozen = {}
    for name, (number, changed) in SHORT.items():
        short = replace(mlp, config=replace(STRONG, epochs=number))
        unfrozen[f"{MLP}, {name}"] = replace(short, build=partial(MlpClassifier, **changed))
        unfrozen[f"{MLP}, {name}, four stages of the encoder unfrozen"] = replace(
            short, inputs=("images",), build=partial(build_end_to_end, 4, **changed), store=PIXELS
        )
    rows = {
        "linear": linear,
        "linear + HOG components": reduced,
        MLP: mlp,
        f"{MLP} + HOG": replace(mlp, inputs=(*mlp.inputs, "hog"), build=build_mlp_with_hog),
        RNN: rnn,
        f"{RNN} + HOG": replace(rnn, inputs=(*rnn.inputs, "hog")),
    }
    for name, changed in mlps.items():
        rows[f"{MLP}, {name}"] = replace(mlp, build=partial(MlpClassifier, **changed))
    for k in EPOCHS:
        rows[f"{MLP}, {k} epochs"] = replace(mlp, config=replace(STRONG, epochs=k))
    rows |= unfrozen
    for name, changed in rnns.items():
        rows[f"{RNN}, {name}"] = replace(rnn, build=Rnn(**changed).build)
    rows[f"{RNN}, 12 epochs"] = replace(rnn, config=replace(STRONG, epochs=12))
    for k in MORE_SEEDS:
        for name in (MLP, RNN):
            rows[f"{name}, seed {k}"] = replace(rows[name], config=replace(STRONG, seed=k))
    return rows


def build_mlp_with_hog(dims: Mapping[str, int], num_classes: int) -> MlpClassifier:
    """Make the MLP with components of HOG beside its inputs."""
    return Rnn().build({**dims, "maps": 1}, num_classes).classifier


def learn(row: Row, halves: Halves, size: int, folder: Path, name: str) -> None:
    """Train a head on so many images and keep what it predicts, and the time that it took.

    Writes `<name>.npy`, probabilities (M, C) of the images held back; for those of `BEAMED` also
    `<name>, <BEAM>.npy`, bool (M, C); and `<name>.json`.
    """
    numbers, targets = halves.first(size), halves.known.targets
    loss = row.loss
    if row.rule == "one threshold":  # the poster's, which weighs positives up
        weights = positive_weights(torch.from_numpy(targets[numbers]))
        loss = partial(weighted_bce, pos_weight=weights)
    train, evaluation = halves.open(row.store)
    seen, unseen = ({k: some[k] for k in row.inputs} for some in (train, evaluation))
    spread = view_targets(targets, np.zeros(targets.shape[1], dtype=bool))  # (N, V, C)
    batches = FeatureBatches(seen, spread, 64, row.views, seed=row.config.seed)
    build = partial(row.build, {k: array.shape[-1] for k, array in seen.items()}, targets.shape[1])
    start = time.perf_counter()
    model = train_to_the_end(build, batches.of_images(numbers), loss, row.config)
    seconds = time.perf_counter() - start
    views = FeatureBatches(unseen, None, 64, "all", shuffle=False)
    probs = predict(model, views)
    if name in BEAMED:
        paths = search_views(model, views, BEAM_SIZE, MAX_STEPS)
        shares = torch.from_numpy(targets[numbers].mean(axis=0)).float()  # (C,)
        limits = class_thresholds(shares, STOP_SCALE)
        preds = union_of_views(paths, limits, views.shape[1]).numpy()
        save_array(preds, folder / f"{name}, {BEAM}.npy")
    save_json({"seconds": seconds}, folder / f"{name}.json")
    save_array(probs, folder / f"{name}.npy")
    sys.stdout.write(f"{size:,} images, {name}: {seconds:.0f} s\n")
    sys.stdout.flush()


def score_size(
    rows: Mapping[str, Row], halves: Halves, size: int, folder: Path
) -> dict[str, np.ndarray]:
    """Score all that the folder has of a size on the images held back: F2 (M,) by name."""
    numbers, truth = halves.first(size), halves.judged.targets
    known = halves.known.targets[numbers]
    found = {GUESS: np.broadcast_to(constant_guess(known, known), truth.shape)}
    kept = {name: folder / f"{name}.npy" for name in rows}
    probs = {name: np.load(path) for name, path in kept.items() if path.exists()}
    neighbours = build_neighbour_index(ImageVectors(halves.train)[numbers], known)
    nearest = neighbours.nearest(ImageVectors(halves.evaluation))
    for temperature in TEMPERATURES:
        votes = replace(nearest, index=replace(neighbours, temperature=temperature)).vote()
        usual = temperature == choose_size(size).temperature
        note = "" if usual else f", temperature {temperature}"
        probs[NEIGHBOURS + note] = votes
        if {MLP, RNN} <= probs.keys():
            share = (1 - NEIGHBOURS_SHARE) / 2
            probs[BOTH + note] = share * (probs[MLP] + probs[RNN]) + NEIGHBOURS_SHARE * votes
    for name, values in probs.items():
        found[name] = decide(values, truth, name in rows and rows[name].rule == "one threshold")
        if (beam := folder / f"{name}, {BEAM}.npy").exists():
            found[f"{name}, {BEAM}"] = np.load(beam)
    scores = {name: f2_per_image(preds, truth) for name, preds in found.items()}
    for name in (MLP, RNN):
        drawn = [name, *(f"{name}, seed {number}" for number in MORE_SEEDS)]
        if scores.keys() >= set(drawn):
            scores[f"{name}, {SEEDS}"] = np.mean([scores[seed] for seed in drawn], axis=0)
    return scores


def decide(probs: np.ndarray, truth: np.ndarray, by_threshold: bool) -> np.ndarray:
    """Choose labels by expected F2, or by a threshold fitted to the other half of the images."""
    if not by_threshold:
        return best_expected_sets(probs)
    second = np.arange(len(probs)) % 2 == 1
    preds = np.empty_like(truth)
    for half in (second, ~second):
        preds[half] = decide_by_threshold(probs[half], best_cut(probs[~half], truth[~half]))
    return preds


def tabulate(scores: Mapping[int, Mapping[str, np.ndarray]]) -> str:
    """Write F2 at each size, and its difference to the AttnCNN-RNN of that size, as Markdown.

    The mean of three seeds is compared with that of three AttnCNN-RNNs.
    """
    sizes = [f"{size:,} images" for size in scores]
    rows = []
    for name in dict.fromkeys(name for found in scores.values() for name in found):
        means, gaps = [], []
        reference = f"{RNN}, {SEEDS}" if name.endswith(SEEDS) else RNN
        for found in scores.values():
            means.append(f"{found[name].mean():.3f}" if name in found else "")
            compared = name != reference and {name, reference} <= found.keys()
            gaps.append(describe_gap(found[name] - found[reference]) if compared else "")
        rows.append([name, *means, *gaps])
    return format_table(["", *sizes, *(f"difference, {size}" for size in sizes)], rows)


@style.use()
def plot_curves(scores: Mapping[int, Mapping[str, np.ndarray]], path: Path) -> None:
    """Draw F2 over the number of training images, with 95 % intervals."""
    fig, ax = style.subplots(5.0, width=8.0)
    sizes = list(scores)
    for name in SHOWN:
        if any(name not in found for found in scores.values()):
            continue
        found = [bootstrap_mean(scores[size][name]) for size in sizes]
        (line,) = ax.plot(sizes, [k.mean for k in found], marker="o", label=name)
        low, high = [k.low for k in found], [k.high for k in found]
        ax.fill_between(sizes, low, high, alpha=0.12, color=line.get_color())
    ax.set_xscale("log")
    ax.set_xticks(sizes, [f"{size:,}" for size in sizes])
    ax.minorticks_off()
    ax.set(title="What more images teach", xlabel="training images")
    ax.set_ylabel("F2 on the images held back")
    fig.legend(loc="outside right center")
    with atomic_path(path) as temporary:
        save_figure(fig, temporary)


def main() -> None:
    """Train what is not there, score all, print the table."""
    parser = make_parser(__doc__, "learning_curves")
    parser.add_argument("--data", type=Path, required=True, help="a collection in iMet's layout")
    parser.add_argument("--work", type=Path, required=True, help="features and predictions go here")
    parser.add_argument("--only", nargs="+", metavar="NAME", help="rows instead of all")
    parser.add_argument("--sizes", nargs="+", type=int, help="instead of 1,000, 4,000 and all")
    parser.add_argument("--kept", action="store_true", help="train nothing, show what is there")
    arguments = parser.parse_args()
    rows = choose_rows(list_rows(), arguments.only)
    halves = hold_back(arguments.data, arguments.work)
    scores = {}
    for size in arguments.sizes or [*SIZES, len(halves.known.images)]:
        folder = halves.folder / f"{size}"
        for name, row in rows.items():
            if not arguments.kept and not (folder / f"{name}.npy").exists():
                learn(row, halves, size, folder, name)
        scores[size] = score_size(rows, halves, size, folder)
    if arguments.page:
        plot_curves(scores, FIGURE)
    publish(
        arguments.page,
        "# What more images teach",
        "`python benchmarks/learning_curves.py --data DIR --work DIR --page`",
        f"F2 on {len(halves.judged.images):,} images of `{arguments.data.name}` held back, "
        f"{halves.judged.num_classes:,} labels. Decided by the set of highest expected F2, "
        "linear heads by one threshold. The differences are to the AttnCNN-RNN that was "
        "trained on as many images, with their 95 % intervals. Empty cells were not trained.",
        f"![F2 over the number of training images]({FIGURE.name})",
        tabulate(scores),
    )


if __name__ == "__main__":
    main()
