"""Does naming some labels of an image help to find the others? Heads told, and heads not told.

    python benchmarks/named_labels.py --data DIR --work DIR [--kept] [--page]

A head that can be told is trained with a random part of each image's true labels given to it, none
of them in half of the draws. Then one, two or three random true labels of each image held back are
named to it, and it is judged by the labels that are left: beside itself, told nothing, and beside
the same head that cannot be told. From the predictions of those the named labels are taken, too, so
that all have the same labels to find. Folders, parts and sizes are those of `learning_curves`,
which is to be run before, on the same collection; what is there is not trained again, and with
`--kept` nothing is.
"""

import argparse
import itertools
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import torch
from cross_fitting import train_to_the_end
from heads import MLP, RNN, Row, as_notebooks
from held_back import Halves, hold_back
from learning_curves import SIZES
from page import describe_machine, write_section
from torch import Tensor, nn

from imet_utils.decoding import best_expected_sets, predict
from imet_utils.features import FeatureBatches, view_targets
from imet_utils.files import save_array
from imet_utils.metrics import bootstrap_mean, f2_per_image
from imet_utils.models import MlpClassifier, build_attncnn_rnn, candidate_logits

SURE = 15.0  # the logit of a label that was named
NUM_NAMED = (1, 2, 3)


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
        self.rnn = build_attncnn_rnn({k: v for k, v in dims.items() if k != "truth"}, num_classes)

    def forward(self, truth: Tensor, maps: Tensor, **vectors: Tensor) -> Tensor:
        """Do as `AttnCnnRnn.forward`: logits (B, 2 + T, C), those of named labels certain."""
        named = (draw_named(truth) if self.training else truth.bool()).unsqueeze(1)  # (B, 1, C)
        rnn, chosen = self.rnn, named
        logits = rnn.classifier(**vectors).unsqueeze(1).masked_fill(named, SURE)  # (B, 1, C)
        state = rnn.decoder.start(rnn._prepare(maps))
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
    return predict(model, FeatureBatches(arrays, None, 64, "all", shuffle=False)).probs


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
    batches = FeatureBatches(arrays, targets, 64, seed=row.config.seed, images=numbers)
    dims = {k: array.shape[-1] for k, array in arrays.items()}
    model = train_to_the_end(partial(build, dims, targets.shape[2]), batches, row.loss, row.config)
    for count in (0, *NUM_NAMED):
        probs = ask(model, row, halves, name_labels(halves.judged.targets, count))
        save_array(probs, folder / f"{name}, told {count}.npy")
    sys.stdout.write(f"{size:,} images, {name}: told\n")


def is_kept(folder: Path, name: str) -> bool:
    """Tell whether a head that can be told has been trained and asked."""
    return (folder / f"{name}, told {NUM_NAMED[-1]}.npy").exists()


def judge_rest(probs: np.ndarray, targets: np.ndarray, named: np.ndarray) -> np.ndarray:
    """Score the labels that were not named, F2 (M',) of the images of which some were."""
    asked = named.any(axis=1)
    probs = np.where(named, 0, probs)[asked]
    return f2_per_image(best_expected_sets(probs), (targets & ~named)[asked])


def tabulate(sizes: list[int], folder: Path, targets: np.ndarray) -> str:
    """Write a row a size, head and number of labels named."""
    lines = [
        "| images | head | named | told | told nothing | cannot be told | told against cannot |",
        "|---|---|---|---|---|---|---|",
    ]
    for size, name, count in itertools.product(sizes, TOLD, NUM_NAMED):
        if not is_kept(folder / f"{size}", name):
            continue
        named = name_labels(targets, count)
        files = (f"{name}, told {count}", f"{name}, told 0", name)
        scores = [
            judge_rest(np.load(folder / f"{size}" / f"{file}.npy"), targets, named)
            for file in files
        ]
        gap = bootstrap_mean(scores[0] - scores[2])
        means = " | ".join(f"{part.mean():.3f}" for part in scores)
        difference = f"{gap.mean:+.3f} ({gap.low:+.3f} to {gap.high:+.3f})"
        lines.append(f"| {size:,} | {name} | {count} | {means} | {difference} |")
    return "\n".join(lines)


def main() -> None:
    """Train what is not there, print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="a collection in iMet's layout")
    parser.add_argument("--work", type=Path, required=True, help="that of `learning_curves`")
    parser.add_argument("--kept", action="store_true", help="train nothing, show what is there")
    parser.add_argument("--page", action="store_true", help="write the table into README.md")
    arguments = parser.parse_args()
    halves = hold_back(arguments.data, arguments.work)
    sizes = [*SIZES, len(halves.known.images)]
    for size in sizes:
        folder = halves.folder / f"{size}"
        for name in TOLD:
            if not arguments.kept and not is_kept(folder, name):
                learn(name, halves, size, folder)
    num_images = len(halves.judged.images)
    text = "\n\n".join(
        [
            "## Does naming a label help to find the others?",
            "`python benchmarks/named_labels.py --data DIR --work DIR --page`",
            f"F2 of the labels that were not named, on {num_images:,} images of "
            f"`{arguments.data.name}` held back, those with more labels than were named; "
            "95 % intervals of the difference. What is not there was not trained.",
            tabulate(sizes, halves.folder, halves.judged.targets),
            describe_machine(),
        ]
    )
    sys.stdout.write(text + "\n")
    if arguments.page:
        write_section("named_labels", text)


if __name__ == "__main__":
    main()
