"""Do known labels of an image help to find its others? Heads revised by neighbours.

    python benchmarks/known_labels.py --data DIR --work DIR [--folds] [--page [NAME]]

One, two or three random true labels of each image are known, and it is judged by the labels that
are left. The package revises the probabilities of any heads by the nearest labelled images
(`revise_probs`), with a strength that is chosen on other images than those judged: other folds, or
the other half.

The heads are those that `learning_curves` has trained on the same collection, before, in the same
work folder; with `--folds` those of `cross_validate`.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from heads import MLP, NEIGHBOURS_SHARE, RNN
from learning_curves import BOTH, SIZES
from page import describe_gap, format_table, make_parser, publish
from stores import SQUEEZED, draw_folds, hold_back, open_store

from imet_utils import decoding
from imet_utils.metrics import f2_per_image
from imet_utils.tables import Tables, load_tables
from imet_utils.training import choose_size

NUM_KNOWN = (1, 2, 3)
HEAD = ["learned from", "head", "known of an image", "revised", "not revised", "difference"]

Part = tuple[np.ndarray, decoding.Neighbours]  # images to judge by, their nearest others


def choose_known(targets: np.ndarray, count: int) -> np.ndarray:
    """Draw so many true labels of each image, bool (N, C); none where no other would be left."""
    keys = np.random.default_rng(count).random(targets.shape)
    ranked = np.argsort(-keys * targets, axis=1)[:, :count]
    taken = np.zeros_like(targets)
    np.put_along_axis(taken, ranked, True, axis=1)
    return taken & (targets.sum(axis=1, keepdims=True) > count)


def list_cases(
    tables: Tables, work: Path, by_folds: bool
) -> dict[str, tuple[Path, list[np.ndarray], list[np.ndarray]]]:
    """List by size where its predictions are, and of each part those known and those judged."""
    if by_folds:
        fold_of = draw_folds(tables)
        judged = [np.flatnonzero(fold_of == fold) for fold in np.unique(fold_of)]
        known = [np.flatnonzero(fold_of != fold) for fold in np.unique(fold_of)]
        return {f"{len(fold_of):,}, {len(judged)} folds": (work, known, judged)}
    others, judged = hold_back(tables)
    return {
        f"{size:,}": (
            work / f"learning_curves/{size}",
            [np.sort(others[:size])] * 2,
            [judged[0::2], judged[1::2]],
        )
        for size in (*SIZES, len(others))
    }


def load_probs(folder: Path, parts: Sequence[Part]) -> dict[str, np.ndarray]:
    """Load the MLP's probabilities, and add the mean of heads and neighbours of the notebooks."""
    mlp, rnn = (np.load(folder / f"{name}.npy") for name in (MLP, RNN))
    both = np.mean([mlp, rnn], axis=0)
    for rows, nearest in parts:
        both[rows] = (1 - NEIGHBOURS_SHARE) * both[rows] + NEIGHBOURS_SHARE * nearest.vote()
    return {MLP: mlp, BOTH: both}


def judge_rest(probs: np.ndarray, targets: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Score the labels that are not known, F2 (M',) of the images with some that are."""
    asked = known.any(axis=1)
    probs = np.where(known, 0, probs)[asked]
    return f2_per_image(decoding.best_expected_sets(probs), (targets & ~known)[asked])


def tabulate_revised(
    probs_of: Mapping[str, np.ndarray], parts: Sequence[Part], targets: np.ndarray, size: str
) -> list[list[str]]:
    """Write a row for each of the heads and number of known labels, revised by neighbours.

    The strength for each part is chosen on the next one's images.
    """
    rows = []
    for name, probs in probs_of.items():
        strengths = [
            decoding.fit_strength(probs[images], nearest, targets[images])
            for images, nearest in (*parts[1:], parts[0])
        ]
        powers = " and ".join(f"{strength:.2g}" for strength in sorted(set(strengths)))
        for count in NUM_KNOWN:
            known, revised = choose_known(targets, count), np.empty_like(probs)
            for (images, nearest), strength in zip(parts, strengths, strict=True):
                given = (probs[images], nearest, known[images].astype(int), strength)
                revised[images] = decoding.revise_probs(*given)
            given, without = (judge_rest(some, targets, known) for some in (revised, probs))
            head = f"{name}, by neighbours (strength {powers})"
            cells = [f"{given.mean():.3f}", f"{without.mean():.3f}", describe_gap(given - without)]
            rows.append([size, head, f"{count} known", *cells])
    return rows


def main() -> None:
    """Revise what the other benchmarks have kept, print the table."""
    parser = make_parser(__doc__, "known_labels", is_of_scores=True)
    parser.add_argument("--folds", action="store_true", help="those of `cross_validate`")
    arguments = parser.parse_args()
    tables = load_tables(arguments.data)
    references, queries = map(decoding.ImageVectors, open_store(tables, arguments.work, SQUEEZED))
    rows = []
    for size, (folder, known, judged) in list_cases(
        tables, arguments.work, arguments.folds
    ).items():
        images = np.sort(np.concatenate(judged))  # those that the folder has predictions of
        parts = []
        for others, part in zip(known, judged, strict=True):
            temperature = choose_size(len(others)).temperature
            index = decoding.build_neighbour_index(
                references[others], tables.targets[others], temperature
            )
            nearest = index.nearest(queries[part], decoding.CANDIDATES)
            parts.append((np.searchsorted(images, part), nearest))
        rows += tabulate_revised(load_probs(folder, parts), parts, tables.targets[images], size)
    publish(
        arguments.page,
        f"Known labels and the others of an image: `{arguments.data.name}`",
        f"F2 of the labels that are not known, on {len(images):,} images: those with more labels "
        "than are known. 95 % intervals of the difference.",
        format_table(HEAD, rows),
    )


if __name__ == "__main__":
    main()
