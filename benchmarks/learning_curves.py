"""What more images teach: heads trained on growing parts of a collection, judged on the same part.

    python benchmarks/learning_curves.py --data DIR --work DIR [--only NAME ...] [--kept] [--page]

A fifth of the labelled images is held back, stratified by all labels. Of the rest each head is
trained on 1,000, on 4,000 and on all, a smaller part within the larger, with a fixed number of
epochs; nothing is chosen on the part held back. Features and each row's predictions are kept in the
work folder: what is there is not trained again, so that the command may be stopped and repeated;
`--kept` trains nothing and shows what is there.
The intervals are bootstrapped over the images held back.
"""

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
from cross_validate import choose_rows
from decision_rules import decide_unseen
from heads import (
    BASELINE,
    MLP,
    MORE_SEEDS,
    NEIGHBOURS,
    NEIGHBOURS_SHARE,
    RNN,
    STRONG,
    Dims,
    Row,
    all_views,
    as_notebooks,
    build_end_to_end,
    search_sets,
    train_row,
)
from page import RESULTS, describe_gap, format_table, make_parser, publish
from stores import PIXELS, Halves, hold_back, keep

from imet_utils.decoding import ImageVectors, build_neighbour_index, predict
from imet_utils.files import atomic_path, save_array
from imet_utils.metrics import bootstrap_mean, constant_guess, f2_per_image
from imet_utils.models import MlpClassifier, Rnn
from imet_utils.plots import save_figure, style
from imet_utils.training import SIZES as TRAINING_SIZES
from imet_utils.training import Decoding, choose_size

SIZES = (1_000, 4_000)  # beside all
GUESS, BEAM, BOTH = "constant guess", "beam, the poster's stop", "heads and neighbours"
SEEDS = "mean of three seeds"
SHOWN = (BOTH, RNN, MLP, NEIGHBOURS, "linear", f"{RNN}, {BEAM}", GUESS)  # in the figure
FIGURE = RESULTS / "learning_curves.png"
TEMPERATURES = sorted({size.temperature for size in TRAINING_SIZES})
WIDE = {"width": 512, "dropout": 0.5}
MLPS = {  # what else the heads of the notebooks might be
    "dropout 0.3": {"dropout": 0.3},
    "dropout 0.5": {"dropout": 0.5},
    "dropout 0.8": {"dropout": 0.8},
    "2,048 hidden": {"hidden_dim": 2048},
}
RNNS = {
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
EPOCHS = (12, 50)  # beside 25
SHORT = {"10 epochs": (10, {}), "2,048 hidden, 8 epochs": (8, {"hidden_dim": 2048})}


def list_rows() -> dict[str, Row]:
    """List the heads by name; those of the notebooks, then what else they might be at a size."""
    mlp, rnn = as_notebooks("mlp"), as_notebooks("attncnn_rnn")
    weighted = replace(BASELINE, max_weight=10.0)  # as the poster weighs positives up
    linear, reduced = (
        replace(as_notebooks(head), config=weighted, rule="one threshold")
        for head in ("baseline", "baseline_components")
    )
    rows = {
        "linear": linear,
        "linear + HOG components": reduced,
        MLP: mlp,
        f"{MLP} + HOG": replace(mlp, inputs=(*mlp.inputs, "hog"), build=build_mlp_with_hog),
        RNN: rnn,
        f"{RNN} + HOG": replace(rnn, inputs=(*rnn.inputs, "hog")),
    }
    for name, changed in MLPS.items():
        rows[f"{MLP}, {name}"] = replace(mlp, build=partial(MlpClassifier, **changed))
    for k in EPOCHS:
        rows[f"{MLP}, {k} epochs"] = replace(mlp, config=replace(STRONG, epochs=k))
    for name, (k, changed) in SHORT.items():
        short = replace(mlp, config=replace(STRONG, epochs=k))
        rows[f"{MLP}, {name}"] = replace(short, build=partial(MlpClassifier, **changed))
        rows[f"{MLP}, {name}, four stages of the encoder unfrozen"] = replace(
            short, inputs=("images",), build=partial(build_end_to_end, 4, **changed), store=PIXELS
        )
    for name, changed in RNNS.items():
        rows[f"{RNN}, {name}"] = replace(rnn, build=Rnn(**changed).build)
    rows[f"{RNN}, 12 epochs"] = replace(rnn, config=replace(STRONG, epochs=12))
    for k in MORE_SEEDS:
        for name in (MLP, RNN):
            rows[f"{name}, seed {k}"] = replace(rows[name], config=replace(STRONG, seed=k))
    return rows


def build_mlp_with_hog(dims: Dims, num_classes: int) -> MlpClassifier:
    """Make the MLP with components of HOG beside its inputs."""
    return Rnn().build({**dims, "maps": 1}, num_classes).classifier


def learn(row: Row, halves: Halves, size: int, beam: Path | None = None) -> np.ndarray:
    """Train a head on so many images and predict those held back: probabilities (M, C).

    Label sets by beam search, bool (M, C), are saved at `beam`.
    """
    train, evaluation = halves.open(row.store)
    targets, images = halves.known.targets, halves.first(size)
    model, views = train_row(row, train, targets, images), all_views(row, evaluation)
    if beam:
        save_array(search_sets(model, views, Decoding("beam"), targets[images]), beam)
    return predict(model, views)


def score_size(
    rows: Mapping[str, Row], halves: Halves, size: int, folder: Path
) -> dict[str, np.ndarray]:
    """Score all that the folder has of a size on the images held back: F2 (M,) by name."""
    images, truth = halves.first(size), halves.judged.targets
    known = halves.known.targets[images]
    kept = {name: folder / f"{name}.npy" for name in rows}
    probs = {name: np.load(path) for name, path in kept.items() if path.exists()}
    neighbours = build_neighbour_index(ImageVectors(halves.train)[images], known)
    nearest = neighbours.nearest(ImageVectors(halves.evaluation))
    for temperature in TEMPERATURES:
        votes = replace(nearest, index=replace(neighbours, temperature=temperature)).vote()
        usual = temperature == choose_size(size).temperature
        note = "" if usual else f", temperature {temperature}"
        probs[NEIGHBOURS + note] = votes
        if {MLP, RNN} <= probs.keys():
            share = (1 - NEIGHBOURS_SHARE) / 2
            probs[BOTH + note] = share * (probs[MLP] + probs[RNN]) + NEIGHBOURS_SHARE * votes
    found = {GUESS: np.broadcast_to(constant_guess(known, known), truth.shape)}
    given = (halves.judged.is_culture, np.arange(len(truth)) % 2)
    for name, values in probs.items():
        rule = rows[name].rule if name in rows else "expected F2"
        found[name] = decide_unseen(rule, values, truth, *given)
        if (beam := folder / f"{name}, {BEAM}.npy").exists():
            found[f"{name}, {BEAM}"] = np.load(beam)
    scores = {name: f2_per_image(preds, truth) for name, preds in found.items()}
    for name in (MLP, RNN):
        drawn = [name, *(f"{name}, seed {number}" for number in MORE_SEEDS)]
        if scores.keys() >= set(drawn):
            scores[f"{name}, {SEEDS}"] = np.mean([scores[seed] for seed in drawn], axis=0)
    return scores


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
    parser = make_parser(__doc__, "learning_curves", is_of_scores=True)
    parser.add_argument("--only", nargs="+", metavar="NAME", help="rows instead of all")
    parser.add_argument("--sizes", nargs="+", type=int, help="instead of 1,000, 4,000 and all")
    parser.add_argument("--kept", action="store_true", help="train nothing, show what is there")
    arguments = parser.parse_args()
    rows = choose_rows(list_rows(), arguments.only)
    halves = hold_back(arguments.data, arguments.work)
    scores = {}
    for size in arguments.sizes or [*SIZES, len(halves.known.images)]:
        folder = halves.folder / f"{size}"
        for name, row in {} if arguments.kept else rows.items():
            beam = folder / f"{name}, {BEAM}.npy" if name == RNN else None
            path, description = folder / f"{name}.npy", f"{size:,} images, {name}"
            keep(path, description, partial(learn, row, halves, size, beam))
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
