"""The order-free RNN with visual attention as its description reads, for `bench_decoder`.

It computes what `imet_utils.models.AttnDecoder` and `imet_utils.decoding.beam_search` compute, with
the same weights, the way the poster's authors did, written anew:

- the 7 x 7 maps are blown up to 14 x 14, so that attention runs over 196 positions;
- the maps' side of the attention energies is computed at every step, and for every beam;
- NumPy on the host chooses the labels, in loops over the images, the beams and the classes;
- the beams take their steps one after the other and wait on the host between the steps;
- the loss is computed step by step and averaged at the end.

Where that leaves a choice, the faster one is taken. Three faults of the authors' code, which change
its results, are not in it: the labels of one beam do not leak into the next at the first step, each
beam keeps its own attention, and the stop, after which labels came back, is no part of the search.
"""

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from imet_utils.decoding import Paths
from imet_utils.models import AttnDecoder


class DirectDecoder(AttnDecoder):
    """The decoder step by step, with the layers of `AttnDecoder`."""

    @classmethod
    def from_decoder(cls, decoder: AttnDecoder) -> "DirectDecoder":
        """Copy the weights, the mode, the type and the device of a decoder."""
        sizes = decoder.attention.query.weight.shape  # (A, D)
        direct = cls(decoder.num_classes, decoder.encoder_dim, *sizes, decoder.dropout)
        direct.load_state_dict(decoder.state_dict())
        return direct.to(decoder.fc1.weight).train(decoder.training)

    def forward(
        self, maps: Tensor, probs: Tensor, num_steps: int = 10
    ) -> tuple[list[Tensor], np.ndarray]:
        """Run freely from maps (B, P, E) and a classifier's probs (B, C)."""
        maps = enlarge(maps)  # (B, 4P, E)
        hidden, cell = self.start(maps)
        previous, chosen = probs, torch.zeros_like(probs)
        all_logits, all_attention = [], []
        for _ in range(min(num_steps, self.num_classes)):
            logits, attention, hidden, cell = self.step(maps, hidden, cell, previous, chosen)
            previous = logits.sigmoid()  # (B, C)
            choose_labels(to_host(previous), chosen)
            all_logits.append(logits)
            all_attention.append(to_host(attention))
        return all_logits, np.stack(all_attention, axis=1)

    def start(self, maps: Tensor) -> tuple[Tensor, Tensor]:
        """Compute the LSTM's first state (B, D), (B, D) from the mean of the maps (B, 4P, E)."""
        mean = maps.mean(dim=1)  # (B, E)
        return self.init_hidden(mean), self.init_cell(mean)

    def step(
        self, maps: Tensor, hidden: Tensor, cell: Tensor, previous: Tensor, chosen: Tensor
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Take a step on every image."""
        layers = self.attention
        both = layers.keys(maps) + layers.query(hidden).unsqueeze(1)  # (B, 4P, A)
        attention = layers.energy(functional.relu(both)).squeeze(-1).softmax(dim=1)  # (B, 4P)
        attended = (maps * attention.unsqueeze(-1)).sum(dim=1)  # (B, E)
        context = self.gate(hidden).sigmoid() * attended
        hidden, cell = self.lstm(torch.cat([previous, context, chosen], dim=1), (hidden, cell))
        features = self.fc1(functional.dropout(hidden, self.dropout, self.training))
        logits = self.fc2(functional.dropout(features, self.dropout, self.training))  # (B, C)
        return logits, attention, hidden, cell


def enlarge(maps: Tensor) -> Tensor:
    """Blow square maps (B, P, E) up to twice their height and width: (B, 4P, E)."""
    side = round(maps.shape[1] ** 0.5)
    planes = maps.transpose(1, 2).unflatten(2, (side, side))  # (B, E, side, side)
    planes = functional.adaptive_avg_pool2d(planes, 2 * side)  # (B, E, 2 side, 2 side)
    return planes.permute(0, 2, 3, 1).flatten(1, 2)


def to_host(values: Tensor) -> np.ndarray:
    """Copy a tensor of any float type and device to NumPy; the copy has its own memory."""
    return values.detach().to("cpu", torch.float64, copy=True).numpy()


def choose_labels(probs: np.ndarray, chosen: Tensor) -> None:
    """Mark in `chosen` (B, C) each image's most probable label that is not yet marked."""
    pool = np.where(to_host(chosen) > 0, -1.0, probs)  # (B, C)
    for image in range(len(pool)):
        chosen[image, int(np.argmax(pool[image]))] = 1


def direct_loss(logits: list[Tensor], targets: Tensor, pos_weight: Tensor) -> Tensor:
    """Average over the steps the cross-entropy of logits, T of (B, C), and targets (B, C)."""
    loss = functional.binary_cross_entropy_with_logits
    return sum(loss(step, targets, pos_weight=pos_weight) for step in logits) / len(logits)


@torch.no_grad()
def direct_beam_search(
    decoder: DirectDecoder, maps: Tensor, probs: Tensor, beam_size: int = 5, max_steps: int = 10
) -> Paths:
    """Search as `imet_utils.decoding.beam_search` does; the attention is over 4P positions."""
    maps, num_steps = enlarge(maps), min(max_steps, decoder.num_classes)
    beams = _first_beam(decoder, maps, probs, num_steps)
    for step in range(num_steps):
        beams = _grow(beams, _take_step(decoder, maps, beams, step), step, beam_size)
    names = ("labels", "step_probs", "path_probs", "attention")
    return Paths(*(torch.from_numpy(beams[name].swapaxes(0, 1).copy()) for name in names))


def _first_beam(
    decoder: DirectDecoder, maps: Tensor, probs: Tensor, num_steps: int
) -> dict[str, np.ndarray]:
    """Lay out one beam for each image; every array starts with (K, B)."""
    hidden, cell = decoder.start(maps)
    steps = (1, len(maps), num_steps)
    return {
        "hidden": to_host(hidden)[np.newaxis],
        "cell": to_host(cell)[np.newaxis],
        "previous": to_host(probs)[np.newaxis],
        "chosen": np.zeros((1, *probs.shape)),
        "scores": np.ones((1, len(maps))),  # products of the probabilities
        "labels": np.zeros(steps, dtype=np.int64),
        "step_probs": np.zeros(steps),
        "path_probs": np.zeros(steps),
        "attention": np.zeros((*steps, maps.shape[1])),
    }


def _take_step(
    decoder: DirectDecoder, maps: Tensor, beams: dict[str, np.ndarray], step: int
) -> np.ndarray:
    """Take a step on one beam after the other and score every label on it: (K, B, C)."""
    scores = np.empty_like(beams["previous"])
    for beam in range(len(scores)):
        names = ("hidden", "cell", "previous", "chosen")
        inputs = [torch.from_numpy(beams[name][beam]).to(maps) for name in names]
        logits, attention, hidden, cell = decoder.step(maps, *inputs)
        beams["hidden"][beam], beams["cell"][beam] = to_host(hidden), to_host(cell)
        beams["previous"][beam] = to_host(logits.sigmoid())
        beams["attention"][beam, :, step] = to_host(attention)
        for label in range(decoder.num_classes):
            scores[beam, :, label] = beams["scores"][beam] * beams["previous"][beam, :, label]
    return np.where(beams["chosen"] > 0, -1.0, scores)


def _grow(
    beams: dict[str, np.ndarray], scores: np.ndarray, step: int, beam_size: int
) -> dict[str, np.ndarray]:
    """Go on from the beams with the best of their scores (K, B, C), image after image."""
    grown = {name: np.zeros((beam_size, *old.shape[1:]), old.dtype) for name, old in beams.items()}
    for image in range(scores.shape[1]):
        ranking = np.argsort(scores[:, image], axis=None)[::-1]  # (K * C,)
        for beam in range(beam_size):
            parent, label = divmod(int(ranking[beam]), scores.shape[2])
            for name, old in beams.items():
                grown[name][beam, image] = old[parent, image]
            score = grown["scores"][beam, image] = scores[parent, image, label]
            grown["chosen"][beam, image, label] = 1
            grown["labels"][beam, image, step] = label
            grown["step_probs"][beam, image, step] = beams["previous"][parent, image, label]
            grown["path_probs"][beam, image, step] = score ** (1 / (step + 1))
    return grown
