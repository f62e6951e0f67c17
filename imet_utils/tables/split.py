"""A stratified multi-label split in which the part of an image hardly depends on other images.

As in iterative stratification (Sechidis, Tsoumakas and Vlahavas, ECML PKDD 2011) labels are
assigned from the rarest on, each in the ratios. What that method leaves to the order of the images
and to ties is drawn here from the seed and the image's own id, and a label corrects what rarer ones
have done to it only where it deviates by more than `SLACK`. So one corrected row moves an image or
two, where a sequential rule moves a tenth.
"""

import hashlib
import math
from collections.abc import Sequence

import numpy as np

SPLITS = ("train", "val", "test")
SLACK = (0.5, 0.05)  # tolerated deviation of a label: images, or share of those due

Rows = Sequence[tuple[int, ...]]  # the class indices of each image


class _Parts:
    """The part of each image, at first 0, and how many images of each label a part has."""

    def __init__(self, labels: Rows, counts: np.ndarray, num_parts: int) -> None:
        self.labels = labels
        self.of = [0] * len(labels)
        self.have = np.zeros((num_parts, len(counts)), dtype=int)
        self.have[0] = counts

    def move(self, images: Sequence[int], source: int, target: int, number: int) -> None:
        """Move up to `number` of the images from one part to another; part 0 keeps every label."""
        for image in images:
            row = list(self.labels[image])
            if number <= 0:
                return
            if self.of[image] == source and (source or (self.have[0, row] > 1).all()):
                self.of[image] = target
                self.have[source, row] -= 1
                self.have[target, row] += 1
                number -= 1


def stratify(
    labels: Rows, ids: Sequence[str], names: Sequence[str], ratios: Sequence[float], seed: int = 0
) -> list[int]:
    """Assign each image to a part, so that the parts share the images of each label in `ratios`.

    The sizes of the parts are met to the image, unless part 0, which has every label, needs more.
    `labels` are the class indices of each image; its id and `seed` determine its draw. `names` are
    of all classes, with or without images.

    Raises:
        ValueError: if there are too few images for that, or for one in each other part.
    """
    shares = np.asarray(ratios, dtype=float) / sum(ratios)
    counts, groups = _group_by_rarest(labels, ids, len(names), seed)
    parts = _Parts(labels, counts, len(shares))
    for label, group in groups.items():
        for part in range(1, len(shares)):
            due = counts[label] * shares[part] - parts.have[part, label]
            wanted = len(group) * shares[part] + _draw(seed, f"{part}:{names[label]}")
            slack = max(SLACK[0], SLACK[1] * counts[label] * shares[part])
            number = min(max(math.floor(wanted), math.ceil(due - slack)), math.floor(due + slack))
            parts.move(group, 0, part, number)
    _meet_sizes(shares, [image for label in reversed(groups) for image in groups[label]], parts)
    return parts.of


def stratify_folds(
    labels: Rows, ids: Sequence[str], names: Sequence[str], ratios: Sequence[float], seed: int = 0
) -> list[int]:
    """Assign each image to the part that lacks most images of its rarest label, one by one.

    As `stratify`, but all parts are alike: none has to have every label, and none is what others
    leave. Sizes are met to two images; a corrected row may move many.
    """
    shares = np.asarray(ratios, dtype=float) / sum(ratios)
    counts, groups = _group_by_rarest(labels, ids, len(names), seed)
    lacking = np.outer(shares, counts)  # (parts, C)
    room = shares * len(labels)
    part_of = [0] * len(labels)
    for label, group in groups.items():
        for image in group:
            part = int(np.lexsort((room, lacking[:, label], room > 0))[-1])
            part_of[image] = part
            lacking[part, list(labels[image])] -= 1
            room[part] -= 1
    return part_of


def _group_by_rarest(
    labels: Rows, ids: Sequence[str], num_classes: int, seed: int
) -> tuple[np.ndarray, dict[int, list[int]]]:
    """Count each label, and group the images, in a drawn order, by the rarest of their labels.

    Returns:
        Counts (C,), and the images by label, the rarest first.
    """
    counts = np.bincount([label for row in labels for label in row], minlength=num_classes)
    groups: dict[int, list[int]] = {k: [] for k in np.argsort(counts, kind="stable").tolist()}
    rank = {label: place for place, label in enumerate(groups)}
    for image in np.argsort([_draw(seed, image_id) for image_id in ids]).tolist():
        groups[min(labels[image], key=rank.__getitem__)].append(image)
    return counts, groups


def _draw(seed: int, name: str) -> float:
    """Draw a number in [0, 1) from the seed and a name alone."""
    digest = hashlib.blake2b(f"{seed}:{name}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little") / 2**64


def part_sizes(num_images: int, shares: np.ndarray) -> list[int]:
    """Share out images by largest remainder; no part is empty.

    >>> part_sizes(12, np.array([0.8, 0.1, 0.1]))
    [10, 1, 1]
    """
    if num_images < len(shares):
        raise ValueError(f"{num_images} images are too few to split in {len(shares)}")
    sizes = np.floor(shares * num_images + 1e-9).astype(int)
    remainders = shares * num_images - sizes
    sizes[np.argsort(-remainders, kind="stable")[: num_images - sizes.sum()]] += 1
    while (sizes < 1).any():
        sizes[np.argmin(sizes)] += 1
        sizes[np.argmax(sizes)] -= 1
    return sizes.tolist()


def _meet_sizes(shares: np.ndarray, order: Sequence[int], parts: _Parts) -> None:
    """Move images, in this order, from parts that are too large to those that are too small."""
    sizes = part_sizes(len(order), shares)
    for source in range(len(sizes)):
        for target in range(len(sizes)):
            room = np.array(sizes) - np.bincount(parts.of, minlength=len(sizes))
            parts.move(order, source, target, min(-room[source], room[target]))
    found = np.bincount(parts.of, minlength=len(sizes))
    for empty in np.flatnonzero(found == 0).tolist():  # part 0 needs more than its size
        richest = 1 + int(found[1:].argmax())
        if found[richest] > 1:
            parts.move(order, richest, empty, 1)
    if len(set(parts.of)) < len(sizes):
        raise ValueError(
            f"{len(order)} images are too few to split in {len(sizes)}: the first part needs "
            "almost all of them to have every label once. Give more images or drop the rare labels"
        )
