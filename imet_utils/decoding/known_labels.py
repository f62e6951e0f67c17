"""Known labels of an image change the probabilities of its others, by neighbours that agree."""

import numpy as np

from imet_utils.decoding.expected_fbeta import best_expected_sets
from imet_utils.decoding.neighbours import VOTERS, Neighbours
from imet_utils.features import spread_rows
from imet_utils.metrics import f2_per_image

CANDIDATES = 200  # nearest labelled images, among which those that agree are sought
NEARER, FARTHER = 0.2, 0.1  # shift in cosine of an image with a present, or an absent label
PRIOR = 0.03  # votes for and against every label, so that no odds are 0
REVISION = {"voters": VOTERS, "nearer": NEARER, "farther": FARTHER, "prior": PRIOR}  # for pages
STRENGTHS = (0.0, 0.25, 0.5, 0.75, 1.0)  # that `fit_strength` tries
FITTED_IMAGES = 500  # on which it does, at the most


def revise_probs(
    probs: np.ndarray, nearest: Neighbours, known: np.ndarray, strength: float = 1.0
) -> np.ndarray:
    """Revise the probabilities (N, C) of images, of any heads, by their known labels.

    Among the nearest labelled images those with a label that is present come nearer, those with an
    absent one move away, and the odds of every label change by the factor by which they change in
    the vote: Bayes' rule, where the neighbours estimate the likelihoods. Heads that were trained on
    known labels gained less (`benchmarks/results/known_labels.md`).

    Args:
        probs: (N, C) in [0, 1].
        nearest: `CANDIDATES` each if there are as many.
        known: (N, C), 1 for a label that is present, -1 for one that is absent, else 0.
        strength: power of the factor, from 0 to 1, see `fit_strength`.

    Returns:
        (N, C) float32, 1 and 0 where a label is known.
    """
    revised = probs
    if strength:
        revised = _multiply_odds(probs, _odds_factor(nearest, known) ** strength)
    return np.select([known > 0, known < 0], [1, 0], revised).astype(np.float32)


def fit_strength(probs: np.ndarray, nearest: Neighbours, targets: np.ndarray) -> float:
    """Find the strength of `revise_probs` by images that are none of the neighbours.

    Each true label of some images is taken as known in turn, and the strength chosen of the best
    mean F2 of the others. Where labels do not go together, or no image has two, that is 0. The
    probabilities and the targets, bool, are (N, C).
    """
    several = np.flatnonzero(targets.sum(axis=1) > 1)
    if not len(several):
        return 0.0
    tried = several[spread_rows(len(several), FITTED_IMAGES)]
    images, labels = np.nonzero(targets[tried])
    images = tried[images]  # (R,), one for each label
    known = np.zeros((len(images), targets.shape[1]), dtype=np.int8)
    known[np.arange(len(images)), labels] = 1
    factor = _odds_factor(nearest[images], known)
    rest = targets[images] & (known == 0)

    def score(strength: float) -> float:
        revised = np.where(known, 0, _multiply_odds(probs[images], factor**strength))
        return f2_per_image(best_expected_sets(revised), rest).mean()

    return max(STRENGTHS, key=score)


def _multiply_odds(probs: np.ndarray, factor: np.ndarray) -> np.ndarray:
    return probs * factor / (1 - probs + probs * factor)


def _odds_factor(nearest: Neighbours, known: np.ndarray) -> np.ndarray:
    """Divide the odds of each label in the vote with known labels by those without, (N, C)."""
    shifts = np.select([known > 0, known < 0], [NEARER, -FARTHER], 0.0).astype(np.float32)
    before, after = nearest.vote(), nearest.shift(shifts).vote()
    return (after + PRIOR) * (1 - before + PRIOR) / ((1 - after + PRIOR) * (before + PRIOR))
