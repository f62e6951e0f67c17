"""Multi-label stratification: share out images so that each label is shared out alike.

Iterative stratification (Sechidis, Tsoumakas and Vlahavas, ECML PKDD 2011), with two things
added: the sizes of the parts are met exactly, and part 0 gets every label.
"""

from collections.abc import Sequence

import numpy as np

SPLITS = ("train", "val", "test")

Rows = Sequence[tuple[int, ...]]  # the class indices of each image


def stratify(labels: Rows, num_classes: int, ratios: Sequence[float], seed: int = 0) -> list[int]:
    """Assign each image to a part, so that the parts share the images of each label in `ratios`.

    A few images that together carry every label go to part 0 first. Only where these alone are
    more than its share does part 0 get larger than its ratio says.

    Args:
        labels: the class indices of each image, N tuples.
        num_classes: C; labels that no image carries are allowed.
        ratios: relative sizes of the parts, positive; part 0 is the one to hold every label.
        seed: of the order within a label and of ties.

    Returns:
        The part of each image.

    Raises:
        ValueError: if the images do not suffice for part 0 to hold every label and the others at
            least one image.
    """
    shares, rng = np.array(ratios) / sum(ratios), np.random.default_rng(seed)
    members: list[list[int]] = [[] for _ in range(num_classes)]
    for image in rng.permutation(len(labels)).tolist():
        for label in labels[image]:
            members[label].append(image)
    cover = cover_labels(labels, members)
    room = part_sizes(len(labels), shares, len(cover))
    left = np.array([len(images) for images in members])
    wanted = np.outer(left, shares).tolist()  # (C, parts)
    ties = rng.random((len(labels), len(room))).tolist()
    parts = [-1] * len(labels)

    def put(image: int, part: int) -> None:
        parts[image] = part
        room[part] -= 1
        for label in labels[image]:
            wanted[label][part] -= 1
            left[label] -= 1

    for image in cover:
        put(image, 0)
    while left.any():
        rarest = int(np.where(left > 0, left, len(labels) + 1).argmin())
        for image in members[rarest]:
            if parts[image] < 0:
                # The part that lacks most of this label; among equals, the one with most room.
                keys = [
                    (wanted[rarest][part], room[part], ties[image][part], part)
                    for part in range(len(room))
                    if room[part]
                ]
                put(image, max(keys)[-1])
    return parts


def cover_labels(labels: Rows, members: Sequence[Sequence[int]]) -> list[int]:
    """Choose few images that carry every label: for each, rarest first, the one that adds most.

    Between equals the order of `members`, the images of each class, decides.
    """
    uncovered = {label for label, images in enumerate(members) if images}
    cover = []
    for label in sorted(uncovered, key=lambda label: len(members[label])):
        if label in uncovered:
            cover.append(max(members[label], key=lambda i: len(uncovered.intersection(labels[i]))))
            uncovered.difference_update(labels[cover[-1]])
    return cover


def part_sizes(num_images: int, shares: np.ndarray, num_cover: int) -> list[int]:
    """Share out images by largest remainder; part 0 holds the cover and no part is empty.

    >>> part_sizes(12, np.array([0.8, 0.1, 0.1]), 4)
    [10, 1, 1]
    """
    least = np.array([max(num_cover, 1)] + [1] * (len(shares) - 1))
    if num_images < least.sum():
        raise ValueError(
            f"{num_images} images are too few to split in {len(shares)}: the first part needs "
            f"{least[0]} to have every label once, the others one each. Give more images or drop "
            "the rare labels first"
        )
    sizes = np.floor(shares * num_images + 1e-9).astype(int)
    remainders = shares * num_images - sizes
    sizes[np.argsort(-remainders, kind="stable")[: num_images - sizes.sum()]] += 1
    while (sizes < least).any():
        sizes[np.argmin(sizes - least)] += 1
        sizes[np.argmax(sizes - least)] -= 1
    return sizes.tolist()
