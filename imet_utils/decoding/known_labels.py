"""What is stated of some labels of an image tells of its others: by neighbours that agree."""

import numpy as np

from imet_utils.decoding.expected_fbeta import best_expected_sets
from imet_utils.decoding.neighbours import Neighbours
from imet_utils.features import spread_rows
from imet_utils.metrics import f2_per_image

CANDIDATES = 200  # nearest labelled images, among which those that agree are looked for
NEARER, FARTHER = 0.2, 0.1  # in cosine, an image with a label that was named, or was rejected
PRIOR = 0.03  # votes for and against every label that are there from the start
STRENGTHS = (0.0, 0.25, 0.5, 0.75, 1.0)  # that `fit_strength` tries
TRIED_IMAGES = 500  # on which it does, at the most


def revise_probs(
    probs: np.ndarray,
    nearest: Neighbours,
    stated: np.ndarray,
    strength: float = 1.0,
) -> np.ndarray:
    """Revise the probabilities of images by what is stated of some of their labels.

    Among the nearest labelled images those with a named label come nearer, those with a rejected
    one move away, and the odds of every label change by the factor by which they change in their
    vote: Bayes' rule, where the neighbours say how likely the statement is with and without the
    label. It suits any heads and needs no training; heads that were trained to be told labels
    gained less (`benchmarks/named_labels.py`).

    Args:
        probs: (N, C) in [0, 1], of any heads.
        nearest: labelled images, `CANDIDATES` each if there are as many.
        stated: (N, C), 1 for a label that the image has, -1 for one that it has not, else 0.
        strength: power of the factor, from 0, at which nothing moves, to 1, see `fit_strength`.

    Returns:
        (N, C) float32, 1 and 0 where a label is stated.
    """
    revised = probs
    if strength:
        revised = _multiply_odds(probs, _odds_factor(nearest, stated) ** strength)
    return np.select([stated > 0, stated < 0], [1, 0], revised).astype(np.float32)


def fit_strength(probs: np.ndarray, nearest: Neighbours, targets: np.ndarray) -> float:
    """Choose how far a statement moves the other labels, by naming known ones.

    Each true label of some images is named in turn, and the strength taken that finds the others
    best, by mean F2. Where labels do not go together, that is 0.

    Args:
        probs: (N, C) in [0, 1], of images that are none of the neighbours.
        nearest: as for `revise_probs`.
        targets: what these images have, bool (N, C).

    Returns:
        One of `STRENGTHS`; 0 if no image has two labels.
    """
    several = np.flatnonzero(targets.sum(axis=1) > 1)
    if not len(several):
        return 0.0
    tried = several[spread_rows(len(several), TRIED_IMAGES)]
    images, labels = np.nonzero(targets[tried])
    images = tried[images]  # (R,), one for each label that is named
    named = np.zeros((len(images), targets.shape[1]), dtype=np.int8)
    named[np.arange(len(images)), labels] = 1
    factor = _odds_factor(nearest[images], named)
    rest = targets[images] & (named == 0)
    scores = []
    for strength in STRENGTHS:
        revised = np.where(named, 0, _multiply_odds(probs[images], factor**strength))
        scores.append(f2_per_image(best_expected_sets(revised), rest).mean())
    return STRENGTHS[int(np.argmax(scores))]


def _multiply_odds(probs: np.ndarray, factor: np.ndarray) -> np.ndarray:
    return probs * factor / (1 - probs + probs * factor)


def _odds_factor(nearest: Neighbours, stated: np.ndarray) -> np.ndarray:
    """Divide the odds of each label in the vote after statements by those before, (N, C)."""
    shifts = np.select([stated > 0, stated < 0], [NEARER, -FARTHER], 0.0).astype(np.float32)
    before, after = nearest.vote(), nearest.shift(shifts).vote()
    return (after + PRIOR) * (1 - before + PRIOR) / ((1 - after + PRIOR) * (before + PRIOR))
