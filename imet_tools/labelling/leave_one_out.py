"""Probabilities of labelled images by all the others: nothing of an image's own labels is in them.

Two ways that need no training anew. The *vote* of an image's neighbours leaves the image itself
out. The *line* is a ridge regression of the labels on an image's place among the others, whose
value for an image, had it been fitted without it, follows from the fit with it: with x the place,
H = x (X'X + penalty)^-1 x', it is (fit - H y) / (1 - H) (Allen's PRESS, 1974). Their mean is better
than either at finding wrong and missing labels. A network that is trained anew for each fold finds
as many missing ones and more of the wrong ones, in hundreds of times the time
(`benchmarks/label_faults.py`).
"""

from collections.abc import Iterator

import numpy as np

from imet_utils.decoding.neighbours import NeighbourIndex, Neighbours

PENALTY = 3.0  # of the ridge regression, on places of length 1
LINE_SHARE = 0.5  # of the line, beside the vote
CHUNK = 4096  # images at once: 18 MB of probabilities for 1,103 labels


def leave_one_out(
    known: NeighbourIndex,
    line_share: float = LINE_SHARE,
    nearest: Neighbours | None = None,
) -> Iterator[tuple[slice, np.ndarray]]:
    """Predict each labelled image by all the others, a part of them after the other.

    Args:
        known: the labelled images, at least two.
        line_share: of the line in the mean of both, from 0 to 1.
        nearest: what `nearest_others` found, if that is at hand.

    Yields:
        Which images, and their probabilities (B, C).
    """
    nearest = nearest or known.nearest_others()
    constant = np.ones(len(known.embeddings), dtype=np.float32)
    places = np.column_stack([known.embeddings, constant])  # (M, D)
    penalty = np.diag([PENALTY] * known.embeddings.shape[1] + [0.0])  # none on the constant
    inverse = np.linalg.inv(places.T @ places + penalty).astype(np.float32)  # (D, D)
    weights = inverse @ (known.labels.T @ places).T  # (D, C)
    for start in range(0, len(places), CHUNK):
        part = slice(start, start + CHUNK)
        some, targets = places[part], known.targets[part]
        own = np.einsum("nd,nd->n", some @ inverse, some)[:, np.newaxis]  # (B, 1), H
        line = (some @ weights - own * targets) / (1 - own)
        votes = nearest[part].vote()
        yield part, line_share * line.clip(0, 1) + (1 - line_share) * votes
