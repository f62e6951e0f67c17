"""What is stated of some labels of an image tells of its others: by neighbours that agree."""

import numpy as np

from imet_utils.decoding.neighbours import VOTERS, Neighbours

CANDIDATES = 200  # nearest labelled images, among which those that agree are looked for
NEARER, FARTHER = 0.2, 0.1  # in cosine, an image with a label that was named, or was rejected
PRIOR = 0.03  # votes for and against every label that are there from the start


def revise_probs(
    probs: np.ndarray,
    neighbours: Neighbours,
    numbers: np.ndarray,
    cosines: np.ndarray,
    stated: np.ndarray,
) -> np.ndarray:
    """Revise the probabilities of images by what is stated of some of their labels.

    Among the nearest labelled images those with a named label come nearer, those with a rejected
    one move away, and the odds of every label change by the factor by which they change in their
    vote: Bayes' rule, where the neighbours say how likely the statement is with and without the
    label. It suits any heads and needs no training; heads that were trained to be told labels
    gained less (`benchmarks/named_labels.py`).

    Args:
        probs: (N, C) in [0, 1], of any heads.
        neighbours: the labelled images.
        numbers: (N, K) of the nearest of them, `CANDIDATES` if there are as many, see `nearest`.
        cosines: (N, K) of these.
        stated: (N, C), 1 for a label that the image has, -1 for one that it has not, else 0.

    Returns:
        (N, C) float32, 1 and 0 where a label is stated.
    """
    before = neighbours.tally(numbers[:, :VOTERS], cosines[:, :VOTERS])
    after = _tally_agreeing(neighbours, numbers, cosines, stated)
    factor = (after + PRIOR) * (1 - before + PRIOR) / ((1 - after + PRIOR) * (before + PRIOR))
    revised = probs * factor / (1 - probs + probs * factor)
    return np.select([stated > 0, stated < 0], [1, 0], revised).astype(np.float32)


def _tally_agreeing(
    neighbours: Neighbours, numbers: np.ndarray, cosines: np.ndarray, stated: np.ndarray
) -> np.ndarray:
    """Count the votes of the candidates nearest after statements have moved them, (N, C)."""
    moves = np.select([stated > 0, stated < 0], [NEARER, -FARTHER], 0.0).astype(np.float32)
    moved = (neighbours.labels @ moves.T).T  # (N, M)
    closeness = cosines + np.take_along_axis(moved, numbers, axis=1)  # (N, K)
    order = np.argsort(-closeness, axis=1, kind="stable")[:, :VOTERS]
    numbers, closeness = (np.take_along_axis(a, order, axis=1) for a in (numbers, closeness))
    return neighbours.tally(numbers, closeness)
