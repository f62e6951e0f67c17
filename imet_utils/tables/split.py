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


def stratify(
    labels: Rows,
    ids: Sequence[str],
    names: Sequence[str],
    ratios: Sequence[float],
    seed: int = 0,
) -> list[int]:
    """Assign each image to a part, so that the parts share the images of each label in `ratios`.

    The sizes of the parts are met to the image, unless part 0, which has every label, needs more.

    Args:
        labels: class indices of each of the N images.
        ids: of the images, which determine their draws.
        names: of the C classes, with or without images.
        ratios: relative sizes of the parts, positive.
        seed: of the draws.

    Raises:
        ValueError: if there are too few images for that, or for one in each other part.
    """
    shares = np.asarray(ratios, dtype=float) / sum(ratios)
    counts = np.bincount([label for row in labels for label in row], minlength=len(names))
    rarest_first = np.argsort(counts, kind="stable").tolist()
    rank = {label: place for place, label in enumerate(rarest_first)}
    groups: list[list[int]] = [[] for _ in names]  # images by their rarest label
    draws = [_draw(seed, image_id) for image_id in ids]
    for image in np.argsort(draws).tolist():
        groups[min(labels[image], key=rank.__getitem__)].append(image)
    parts = [0] * len(labels)
    have = np.zeros((len(shares), len(names)), dtype=int)  # images of each label in each part
    have[0] = counts
    for label in rarest_first:
        for part in range(1, len(shares)):
            due = counts[label] * shares[part] - have[part, label]
            wanted = len(groups[label]) * shares[part] + _draw(seed, f"{part}:{names[label]}")
            slack = max(SLACK[0], SLACK[1] * counts[label] * shares[part])
            number = min(max(math.floor(wanted), math.ceil(due - slack)), math.floor(due + slack))
            _move(groups[label], 0, part, number, labels, parts, have)
    commonest_first = [image for label in rarest_first[::-1] for image in groups[label]]
    _meet_sizes(part_sizes(len(labels), shares), commonest_first, labels, parts, have)
    return parts


def _draw(seed: int, name: str) -> float:
    """Draw a number in [0, 1) from the seed and a name alone."""
    digest = hashlib.blake2b(f"{seed}:{name}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little") / 2**64


def _move(
    images: Sequence[int],
    source: int,
    target: int,
    number: int,
    labels: Rows,
    parts: list[int],
    have: np.ndarray,
) -> None:
    """Move up to `number` of the images from one part to another; part 0 keeps every label."""
    for image in images:
        row = list(labels[image])
        if number <= 0:
            return
        if parts[image] == source and (source or (have[0, row] > 1).all()):
            parts[image] = target
            have[source, row] -= 1
            have[target, row] += 1
            number -= 1


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


def _meet_sizes(
    sizes: Sequence[int], order: Sequence[int], labels: Rows, parts: list[int], have: np.ndarray
) -> None:
    """Move images, in this order, from parts that are too large to those that are too small."""
    for source in range(len(sizes)):
        for target in range(len(sizes)):
            room = np.array(sizes) - np.bincount(parts, minlength=len(sizes))
            _move(order, source, target, min(-room[source], room[target]), labels, parts, have)
    found = np.bincount(parts, minlength=len(sizes))
    for empty in np.flatnonzero(found == 0).tolist():  # part 0 needs more than its size
        richest = 1 + int(found[1:].argmax())
        if found[richest] > 1:
            _move(order, richest, empty, 1, labels, parts, have)
    if len(set(parts)) < len(sizes):
        raise ValueError(
            f"{len(parts)} images are too few to split in {len(sizes)}: the first part needs "
            "almost all of them to have every label once. Give more images or drop the rare labels"
        )
