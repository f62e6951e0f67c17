"""Does naming some labels of an image help to find the others? By neighbours, and by heads.

    python benchmarks/named_labels.py --data DIR --work DIR [--folds] [--kept] [--page SECTION]

One, two or three random true labels of each image are named, and it is judged by the labels that
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
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import torch
from cross_validate import draw_folds
from heads import MLP, NEIGHBOURS_SHARE, RNN, Row, as_notebooks
from held_back import Halves, hold_back
from learning_curves import BOTH, SIZES
from page import describe_gap, format_table, make_parser, publish
from stores import SQUEEZED, open_store
from torch import Tensor, nn

from imet_utils.decoding import (
    CANDIDATES,
    ImageVectors,
    Neighbours,
    best_expected_sets,
    build_neighbour_index,
    fit_strength,
    predict,
    revise_probs,
)
from imet_utils.features import FeatureBatches, view_targets
from imet_utils.files import save_array
from imet_utils.metrics import f2_per_image
from imet_utils.models import MlpClassifier, Rnn, candidate_logits
from imet_utils.tables import load_tables
from imet_utils.training import choose_size, train_to_the_end

SURE = 15.0  # the logit of a label that was named
NUM_NAMED = (1, 2, 3)
HEAD = ["learned from", "head", "stated of an image", "revised", "not revised", "difference"]


def draw_named(truth: Tensor) -> Tensor:
    """Draw which of the true labels (B, C) are named: for half of the images none, bool (B, C)."""
    shares = torch.rand(len(truth), 1, device=truth.device)
    shares = shares * (torch.rand_like(shares) < 0.5)
    return (torch.rand_like(truth) < shares) & truth.bool()


class ToldMlp(nn.Module):
    """The MLP with the labels that were named as further inputs."""

    def __init__(self, dims: Mapping[str, int], num_classes: int) -> None:
        super().__init__()
        vectors = {name: dim for name, dim in dims.items() if name != "truth"}
        self.mlp = MlpClassifier(vectors | {"named": num_classes}, num_classes)
        self.mlp.standardise["named"] = nn.Identity()

    def forward(self, truth: Tensor, **vectors: Tensor) -> Tensor:
        """Map vectors and the labels that may be named (B, C), all where it is not trained."""
        named = draw_named(truth) if self.training else truth.bool()
        return self.mlp(named=named.float(), **vectors).masked_fill(named, SURE)


class ToldRnn(nn.Module):
    """The AttnCNN-RNN with labels named before its first step: they are chosen, and certain."""

    def __init__(self, dims: Mapping[str, int], num_classes: int) -> None:
        super().__init__()
        self.rnn = Rnn().build({k: v for k, v in dims.items() if k != "truth"}, num_classes)

    def forward(self, truth: Tensor, maps: Tensor, **vectors: Tensor) -> Tensor:
        """Do as `AttnCnnRnn.forward`: logits (B, 2 + T, C), those of named labels certain."""
        named = (draw_named(truth) if self.training else truth.bool()).unsqueeze(1)  # (B, 1, C)
        rnn, chosen = self.rnn, named
        logits = rnn.classifier(**vectors).unsqueeze(1).masked_fill(named, SURE)  # (B, 1, C)
        state = rnn.decoder.start(rnn.standardise(maps))
        evidence = rnn.decoder.attention.label_logits(state.keys).unsqueeze(1)
        opinions = [logits, evidence.masked_fill(named, SURE)]
        for _ in range(rnn.num_steps):
            previous = logits.float().sigmoid()
            logits, _, state = rnn.decoder.step(state, previous, chosen, drop=self.training)
            logits = logits.masked_fill(named, SURE)
            label = candidate_logits(logits, chosen).argmax(dim=-1, keepdim=True)
            chosen = chosen.scatter(-1, label, True)
            opinions.append(logits)
        return torch.cat(opinions, dim=1)


TOLD: dict[str, tuple[str, Callable]] = {MLP: ("mlp", ToldMlp), RNN: ("attncnn_rnn", ToldRnn)}


def name_labels(targets: np.ndarray, count: int) -> np.ndarray:
    """Draw so many true labels of each image, bool (N, C); none where no other would be left."""
    keys = np.random.default_rng(count).random(targets.shape) * targets
    ranked = np.argsort(-keys, axis=1)[:, :count]
    named = np.zeros_like(targets)
    np.put_along_axis(named, ranked, True, axis=1)
    named[targets.sum(axis=1) <= count] = False
    return named


def ask(model: nn.Module, row: Row, halves: Halves, named: np.ndarray) -> np.ndarray:
    """Predict the images held back by a head that is told these labels, (M, C)."""
    arrays = {name: halves.evaluation[name] for name in row.inputs if name != "truth"}
    arrays["truth"] = spread(named)
    return predict(model, FeatureBatches(arrays, None, 64, "all", shuffle=False))


def spread(labels: np.ndarray) -> np.ndarray:
    """Give every view the labels of its image, (N, V, C)."""
    return view_targets(labels, np.zeros(labels.shape[1], dtype=bool))


def learn(name: str, halves: Halves, size: int, folder: Path) -> None:
    """Train a head that can be told; keep what it says when told 0, 1, 2 or 3 labels."""
    recipe, build = TOLD[name]
    row = as_notebooks(recipe)
    row = replace(row, inputs=(*row.inputs, "truth"), build=build)
    targets, numbers = spread(halves.known.targets), halves.first(size)
    arrays = {**{k: halves.train[k] for k in row.inputs if k != "truth"}, "truth": targets}
    batches = FeatureBatches(arrays, targets, 64, seed=row.config.seed).of_images(numbers)
    dims = {k: array.shape[-1] for k, array in arrays.items()}
    model = train_to_the_end(partial(build, dims, targets.shape[2]), batches, row.loss, row.config)
    for count in (0, *NUM_NAMED):
        probs = ask(model, row, halves, name_labels(halves.judged.targets, count))
        save_array(probs, folder / f"{name}, told {count}.npy")
    sys.stdout.write(f"{size:,} images, {name}: told\n")


def is_kept(folder: Path, name: str) -> bool:
    """Tell whether a head that can be told has been trained and asked."""
    return (folder / f"{name}, told {NUM_NAMED[-1]}.npy").exists()


@dataclass(frozen=True, eq=False)
class Part:
    """Images to judge by, by their numbers, and those nearest to them among the others."""

    images: np.ndarray
    nearest: Neighbours


def parts_of_size(halves: Halves, size: int) -> list[Part]:
    """Look for the neighbours of the images held back among so many others, in two halves."""
    known = halves.first(size)
    vectors, temperature = ImageVectors(halves.train)[known], choose_size(size).temperature
    neighbours = build_neighbour_index(vectors, halves.known.targets[known], temperature)
    nearest = neighbours.nearest(ImageVectors(halves.evaluation), CANDIDATES)
    every = np.arange(len(halves.judged.images))
    halved = (every[0::2], every[1::2])
    return [Part(half, nearest[half]) for half in halved]


def parts_of_folds(data_dir: Path, work: Path) -> tuple[list[Part], np.ndarray]:
    """Look for the neighbours of each fold's images among the other folds'; return targets, too."""
    tables = load_tables(data_dir)
    fold_of, targets = draw_folds(tables), tables.targets
    references, queries = map(ImageVectors, open_store(tables, work, SQUEEZED))
    parts = []
    for fold in np.unique(fold_of):
        images, others = np.flatnonzero(fold_of == fold), fold_of != fold
        neighbours = build_neighbour_index(references[others], targets[others])
        parts.append(Part(images, neighbours.nearest(queries[images], CANDIDATES)))
    return parts, targets


def load_probs(folder: Path, parts: list[Part]) -> dict[str, np.ndarray]:
    """Load what the MLP says, and add the mean of heads and neighbours, as the notebooks do."""
    mlp, rnn = (np.load(folder / f"{name}.npy") for name in (MLP, RNN))
    probs = np.mean([mlp, rnn], axis=0)
    for part in parts:
        votes = part.nearest.vote()
        mine = (1 - NEIGHBOURS_SHARE) * probs[part.images] + NEIGHBOURS_SHARE * votes
        probs[part.images] = mine
    return {MLP: mlp, BOTH: probs}


def choose_strengths(parts: list[Part], probs: np.ndarray, targets: np.ndarray) -> list[float]:
    """Choose the strength of each part on the next one's images."""
    ahead = [*parts[1:], parts[0]]
    return [fit_strength(probs[part.images], part.nearest, targets[part.images]) for part in ahead]


def revise(
    parts: list[Part], strengths: list[float], probs: np.ndarray, stated: np.ndarray
) -> np.ndarray:
    """Do as `revise_probs`, part by part."""
    revised = np.empty_like(probs)
    for part, strength in zip(parts, strengths, strict=True):
        at = part.images
        revised[at] = revise_probs(probs[at], part.nearest, stated[at], strength)
    return revised


def reject_wrong(probs: np.ndarray, targets: np.ndarray, count: int) -> np.ndarray:
    """Find the surest wrong labels of those that are chosen, bool (N, C); none of too few."""
    wrong = best_expected_sets(probs) & ~targets
    ranked = np.argsort(-probs * wrong, axis=1)[:, :count]
    rejected = np.zeros_like(targets)
    np.put_along_axis(rejected, ranked, True, axis=1)
    rejected[wrong.sum(axis=1) < count] = False
    return rejected


def judge_rest(probs: np.ndarray, targets: np.ndarray, stated: np.ndarray) -> np.ndarray:
    """Score the labels that nothing was said of, F2 (M',) of the images of which some were said."""
    asked = stated.any(axis=1)
    probs = np.where(stated, 0, probs)[asked]
    return f2_per_image(best_expected_sets(probs), (targets & ~stated)[asked])


def tabulate_revised(
    probs_of: Mapping[str, np.ndarray], parts: list[Part], targets: np.ndarray, images: str
) -> list[list[str]]:
    """Write a row for each of the heads and number of labels stated, revised by neighbours."""
    rows = []
    for name, probs in probs_of.items():
        strengths = choose_strengths(parts, probs, targets)
        powers = " and ".join(f"{strength:.2g}" for strength in sorted(set(strengths)))
        stated = [(name_labels(targets, count), f"{count} named", 1) for count in NUM_NAMED]
        for count in NUM_NAMED[:2]:
            stated.append((reject_wrong(probs, targets, count), f"{count} rejected", -1))
        for labels, what, sign in stated:
            revised = revise(parts, strengths, probs, sign * labels.astype(int))
            head = [images, f"{name}, by neighbours (strength {powers})", what]
            rows.append(
                head + _compare(*(judge_rest(k, targets, labels) for k in (revised, probs)))
            )
    return rows


def tabulate_told(size: int, folder: Path, targets: np.ndarray) -> list[list[str]]:
    """Write a row for each head that takes known labels, and number of labels named."""
    rows = []
    for name, count in itertools.product(TOLD, NUM_NAMED):
        if is_kept(folder, name):
            named = name_labels(targets, count)
            told, nothing, untold = (
                judge_rest(np.load(folder / f"{file}.npy"), targets, named)
                for file in (f"{name}, told {count}", f"{name}, told 0", name)
            )
            head = [f"{size:,}", f"{name}, trained with known labels", f"{count} named"]
            rows.append(head + _compare(told, untold, f" (without any {nothing.mean():.3f})"))
    return rows


def _compare(told: np.ndarray, untold: np.ndarray, note: str = "") -> list[str]:
    """Write two means and their difference as cells."""
    return [f"{told.mean():.3f}{note}", f"{untold.mean():.3f}", describe_gap(told - untold)]


def compare_folds(data_dir: Path, work: Path) -> tuple[list[list[str]], np.ndarray]:
    """Revise what `cross_validate` has kept of both heads; return rows, and targets."""
    parts, targets = parts_of_folds(data_dir, work)
    images = f"{len(targets):,}, 5 folds"
    return tabulate_revised(load_probs(work, parts), parts, targets, images), targets


def compare_sizes(data_dir: Path, work: Path, kept: bool) -> tuple[list[list[str]], np.ndarray]:
    """Revise, and train the heads that take known labels unless `kept`; rows, and targets."""
    halves = hold_back(data_dir, work)
    targets, rows = halves.judged.targets, []
    for size in [*SIZES, len(halves.known.images)]:
        folder = halves.folder / f"{size}"
        for name in TOLD:
            if not kept and not is_kept(folder, name):
                learn(name, halves, size, folder)
        parts = parts_of_size(halves, size)
        rows += tabulate_told(size, folder, targets)
        rows += tabulate_revised(load_probs(folder, parts), parts, targets, f"{size:,}")
    return rows, targets


def main() -> None:
    """Train what is not there, print the table."""
    parser = make_parser(__doc__, "")
    parser.add_argument("--data", type=Path, required=True, help="a collection in iMet's layout")
    parser.add_argument("--work", type=Path, required=True, help="where the predictions are kept")
    parser.add_argument("--folds", action="store_true", help="those of `cross_validate`")
    parser.add_argument("--kept", action="store_true", help="train nothing, show what is there")
    arguments = parser.parse_args()
    if arguments.folds:
        rows, targets = compare_folds(arguments.data, arguments.work)
    else:
        rows, targets = compare_sizes(arguments.data, arguments.work, arguments.kept)
    folds = " --folds" if arguments.folds else ""
    usual = "named_labels_folds" if arguments.folds else "named_labels"
    publish(
        usual if arguments.page == "" else arguments.page,
        f"# What naming labels tells of the others: `{arguments.data.name}`",
        f"`python benchmarks/named_labels.py --data DIR --work DIR{folds} --page [SECTION]`",
        f"F2 of the labels that nothing was stated of, on {len(targets):,} images: those with more "
        "labels than were named, or with as many wrong ones chosen as were rejected. 95 % "
        "intervals of the difference. What is not there was not trained.",
        format_table(HEAD, rows),
    )


if __name__ == "__main__":
    main()
