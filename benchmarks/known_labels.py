"""Do known labels of an image help to find its others? By neighbours, and by heads.

    python benchmarks/known_labels.py --data DIR --work DIR [--folds] [--kept] [--page SECTION]

One, two or three random true labels of each image are known, and it is judged by the labels that
are left. The package revises the probabilities of any heads by the nearest labelled images
(`revise_probs`), with a strength that is chosen on other images than those judged: other folds, or
the other half. Labels may be rejected, too, here the most probable ones that are chosen and wrong.

A head can take known labels itself, if it is trained with a random part of each image's true labels
as inputs, none of them in half of the draws. It is judged beside itself without any, and beside the
same head that takes none, on the same labels.

Folders, parts and sizes are those of `learning_curves`, which is to be run before, on the same
collection; what is there is not trained again, and with `--kept` nothing is. With `--folds` they
are those of `cross_validate`, and no head is trained.
"""

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from heads import MLP, NEIGHBOURS_SHARE, RNN, Dims, Row, all_views, as_notebooks, spread, train_row
from learning_curves import BOTH, SIZES
from page import describe_gap, format_table, make_parser, publish
from stores import SQUEEZED, Halves, draw_folds, hold_back, open_store
from torch import Tensor, nn

from imet_utils import decoding
from imet_utils.files import save_array
from imet_utils.metrics import f2_per_image
from imet_utils.models import MlpClassifier, Rnn, candidate_logits
from imet_utils.progress import say
from imet_utils.tables import load_tables
from imet_utils.training import choose_size

SURE = 15.0  # the logit of a known label
NUM_KNOWN = (1, 2, 3)
NUM_REJECTED = (1, 2)
HEAD = ["learned from", "head", "known of an image", "revised", "not revised", "difference"]

Part = tuple[np.ndarray, decoding.Neighbours]  # images to judge by, their nearest others
Cells = list[list[str]]


def draw_known(truth: Tensor) -> Tensor:
    """Draw which of the true labels (B, C) are known: for half of the images none, bool (B, C)."""
    shares = torch.rand(len(truth), 1, device=truth.device)
    shares = shares * (torch.rand_like(shares) < 0.5)
    return (torch.rand_like(truth) < shares) & truth.bool()


class KnowingMlp(nn.Module):
    """The MLP with the known labels as further inputs."""

    def __init__(self, dims: Dims, num_classes: int) -> None:
        super().__init__()
        vectors = {name: dim for name, dim in dims.items() if name != "truth"}
        self.mlp = MlpClassifier(vectors | {"known": num_classes}, num_classes)
        self.mlp.standardise["known"] = nn.Identity()

    def forward(self, truth: Tensor, **vectors: Tensor) -> Tensor:
        """Map vectors and labels that may be known (B, C), all of them where it is not trained."""
        known = draw_known(truth) if self.training else truth.bool()
        return self.mlp(known=known.float(), **vectors).masked_fill(known, SURE)


class KnowingRnn(nn.Module):
    """The AttnCNN-RNN with known labels before its first step: they are chosen, and certain."""

    def __init__(self, dims: Dims, num_classes: int) -> None:
        super().__init__()
        self.rnn = Rnn().build({k: v for k, v in dims.items() if k != "truth"}, num_classes)

    def forward(self, truth: Tensor, maps: Tensor, **vectors: Tensor) -> Tensor:
        """Do as `AttnCnnRnn.forward`: logits (B, 2 + T, C), those of known labels certain."""
        known = (draw_known(truth) if self.training else truth.bool()).unsqueeze(1)  # (B, 1, C)
        rnn, chosen = self.rnn, known
        logits = rnn.classifier(**vectors).unsqueeze(1).masked_fill(known, SURE)  # (B, 1, C)
        state = rnn.decoder.start(rnn.standardise(maps))
        evidence = rnn.decoder.attention.label_logits(state.keys).unsqueeze(1)
        opinions = [logits, evidence.masked_fill(known, SURE)]
        for _ in range(rnn.num_steps):
            previous = logits.float().sigmoid()
            logits, _, state = rnn.decoder.step(state, previous, chosen, drop=self.training)
            logits = logits.masked_fill(known, SURE)
            label = candidate_logits(logits, chosen).argmax(dim=-1, keepdim=True)
            chosen = chosen.scatter(-1, label, True)
            opinions.append(logits)
        return torch.cat(opinions, dim=1)


def add_known(head: str, build: Callable[[Dims, int], nn.Module]) -> Row:
    """Take a head of the notebooks, with known labels as a further input."""
    row = as_notebooks(head)
    return replace(row, inputs=(*row.inputs, "truth"), build=build)


KNOWING = {MLP: add_known("mlp", KnowingMlp), RNN: add_known("attncnn_rnn", KnowingRnn)}


def learn(name: str, halves: Halves, size: int, folder: Path) -> None:
    """Train a head that takes known labels; keep its outputs with 0, 1, 2 or 3 of them."""
    row, targets = KNOWING[name], halves.known.targets
    arrays = {**halves.train, "truth": spread(targets)}
    model = train_row(row, arrays, targets, halves.first(size))
    for count in (0, *NUM_KNOWN):
        known = choose_known(halves.judged.targets, count)
        views = all_views(row, {**halves.evaluation, "truth": spread(known)})
        save_array(decoding.predict(model, views), folder / f"{name}, {count} known.npy")
    say(f"{size:,} images, {name}: trained with known labels")


def is_kept(folder: Path, name: str) -> bool:
    """Tell whether a head that takes known labels has been trained and evaluated."""
    return (folder / f"{name}, {NUM_KNOWN[-1]} known.npy").exists()


def choose_known(targets: np.ndarray, count: int) -> np.ndarray:
    """Draw so many true labels of each image, bool (N, C); none where no other would be left."""
    keys = np.random.default_rng(count).random(targets.shape)
    return _take_highest(keys, targets, count, least=count + 1)


def reject_wrong(probs: np.ndarray, targets: np.ndarray, count: int) -> np.ndarray:
    """Find the surest wrong labels of those that are chosen, bool (N, C); none of too few."""
    return _take_highest(probs, decoding.best_expected_sets(probs) & ~targets, count, least=count)


def _take_highest(keys: np.ndarray, labels: np.ndarray, count: int, least: int) -> np.ndarray:
    """Take the labels (N, C) of the highest keys of each image that has `least` labels or more."""
    ranked = np.argsort(-keys * labels, axis=1)[:, :count]
    taken = np.zeros_like(labels)
    np.put_along_axis(taken, ranked, True, axis=1)
    return taken & (labels.sum(axis=1, keepdims=True) >= least)


def parts_of_size(halves: Halves, size: int) -> list[Part]:
    """Find the neighbours of the images held back among so many others, in two halves."""
    known = halves.first(size)
    vectors, temperature = decoding.ImageVectors(halves.train)[known], choose_size(size).temperature
    neighbours = decoding.build_neighbour_index(vectors, halves.known.targets[known], temperature)
    nearest = neighbours.nearest(decoding.ImageVectors(halves.evaluation), decoding.CANDIDATES)
    every = np.arange(len(halves.judged.images))
    return [(half, nearest[half]) for half in (every[0::2], every[1::2])]


def parts_of_folds(data_dir: Path, work: Path) -> tuple[list[Part], np.ndarray]:
    """Find the neighbours of each fold's images among the other folds'; return targets, too."""
    tables = load_tables(data_dir)
    fold_of, targets = draw_folds(tables), tables.targets
    references, queries = map(decoding.ImageVectors, open_store(tables, work, SQUEEZED))
    parts = []
    for fold in np.unique(fold_of):
        images, others = np.flatnonzero(fold_of == fold), fold_of != fold
        neighbours = decoding.build_neighbour_index(references[others], targets[others])
        parts.append((images, neighbours.nearest(queries[images], decoding.CANDIDATES)))
    return parts, targets


def load_probs(folder: Path, parts: Sequence[Part]) -> dict[str, np.ndarray]:
    """Load the MLP's probabilities, and add the mean of heads and neighbours of the notebooks."""
    mlp, rnn = (np.load(folder / f"{name}.npy") for name in (MLP, RNN))
    both = np.mean([mlp, rnn], axis=0)
    for images, nearest in parts:
        votes = nearest.vote()
        both[images] = (1 - NEIGHBOURS_SHARE) * both[images] + NEIGHBOURS_SHARE * votes
    return {MLP: mlp, BOTH: both}


def judge_rest(probs: np.ndarray, targets: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Score the labels that are not known, F2 (M',) of the images with some that are."""
    asked = known.any(axis=1)
    probs = np.where(known, 0, probs)[asked]
    return f2_per_image(decoding.best_expected_sets(probs), (targets & ~known)[asked])


def tabulate_revised(
    probs_of: Mapping[str, np.ndarray], parts: Sequence[Part], targets: np.ndarray, size: str
) -> Cells:
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
        statements = {f"{n} known": (1, choose_known(targets, n)) for n in NUM_KNOWN}
        statements |= {f"{n} rejected": (-1, reject_wrong(probs, targets, n)) for n in NUM_REJECTED}
        for what, (sign, labels) in statements.items():
            revised = np.empty_like(probs)
            for (images, nearest), strength in zip(parts, strengths, strict=True):
                known = sign * labels[images].astype(int)
                revised[images] = decoding.revise_probs(probs[images], nearest, known, strength)
            scores = (judge_rest(some, targets, labels) for some in (revised, probs))
            head = f"{name}, by neighbours (strength {powers})"
            rows.append([size, head, what, *_compare(*scores)])
    return rows


def tabulate_heads(folder: Path, targets: np.ndarray, size: str) -> Cells:
    """Write a row for each head that takes known labels, and number of known labels."""
    rows = []
    for name, count in itertools.product(KNOWING, NUM_KNOWN):
        if is_kept(folder, name):
            known = choose_known(targets, count)
            given, none, without = (
                judge_rest(np.load(folder / f"{file}.npy"), targets, known)
                for file in (f"{name}, {count} known", f"{name}, 0 known", name)
            )
            cells = _compare(given, without, f" (with none {none.mean():.3f})")
            rows.append([size, f"{name}, trained with known labels", f"{count} known", *cells])
    return rows


def _compare(given: np.ndarray, without: np.ndarray, note: str = "") -> list[str]:
    """Write two means and their difference as cells."""
    return [f"{given.mean():.3f}{note}", f"{without.mean():.3f}", describe_gap(given - without)]


def compare_folds(data_dir: Path, work: Path) -> tuple[Cells, np.ndarray]:
    """Revise what `cross_validate` has kept of both heads; return rows, and targets."""
    parts, targets = parts_of_folds(data_dir, work)
    size = f"{len(targets):,}, 5 folds"
    return tabulate_revised(load_probs(work, parts), parts, targets, size), targets


def compare_sizes(data_dir: Path, work: Path, kept: bool) -> tuple[Cells, np.ndarray]:
    """Revise, and train the heads that take known labels unless `kept`; rows, and targets."""
    halves = hold_back(data_dir, work)
    targets, rows = halves.judged.targets, []
    for size in [*SIZES, len(halves.known.images)]:
        folder = halves.folder / f"{size}"
        for name in KNOWING:
            if not kept and not is_kept(folder, name):
                learn(name, halves, size, folder)
        parts = parts_of_size(halves, size)
        rows += tabulate_heads(folder, targets, f"{size:,}")
        rows += tabulate_revised(load_probs(folder, parts), parts, targets, f"{size:,}")
    return rows, targets


def main() -> None:
    """Train what is not there, print the table."""
    parser = make_parser(__doc__, "", is_of_scores=True)
    parser.add_argument("--folds", action="store_true", help="those of `cross_validate`")
    parser.add_argument("--kept", action="store_true", help="train nothing, show what is there")
    arguments = parser.parse_args()
    if arguments.folds:
        rows, targets = compare_folds(arguments.data, arguments.work)
    else:
        rows, targets = compare_sizes(arguments.data, arguments.work, arguments.kept)
    folds = " --folds" if arguments.folds else ""
    usual = "known_labels_folds" if arguments.folds else "known_labels"
    publish(
        usual if arguments.page == "" else arguments.page,
        f"# Known labels and the others of an image: `{arguments.data.name}`",
        f"`python benchmarks/known_labels.py --data DIR --work DIR{folds} --page [SECTION]`",
        f"F2 of the labels that are not known, on {len(targets):,} images: those with more "
        "labels than are known, or with as many wrong ones chosen as were rejected. 95 % "
        "intervals of the difference. What is not there was not trained.",
        format_table(HEAD, rows),
    )


if __name__ == "__main__":
    main()
