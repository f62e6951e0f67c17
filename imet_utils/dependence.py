"""Which labels go together: in what the RNN has learned, and in the data that it learned from."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from scipy.stats import spearmanr
from torch import Tensor
from torch.nn import functional

from imet_utils.metric_inputs import as_labels
from imet_utils.models import AttnDecoder, check_probs


@dataclass(frozen=True, eq=False)
class LabelInfluence:
    """How labels move one another: row A is fed on, column B moves; NaN on the diagonal.

    Attributes:
        log_odds: (L, L) mean change of B's log odds.
        probs: (L, L) mean change of B's probability.
    """

    log_odds: np.ndarray
    probs: np.ndarray


class Agreement(NamedTuple):
    """Spearman's rank correlation, and the number of ordered pairs of labels behind it."""

    correlation: float
    pairs: int


@torch.no_grad()
def label_influence(
    decoder: AttnDecoder, batches: Iterable[Mapping[str, Tensor]], labels: Sequence[int]
) -> LabelInfluence:
    """Measure how the prediction of label A moves label B in the step after it.

    Each view takes its first step, and then two kinds of second step that share state and the
    probabilities fed on. One is told that A was predicted, the other that nothing was: the
    difference is the work of A's mark alone, by the LSTM and, in a decoder that attends by labels,
    by looking elsewhere. It is averaged over all views. In float32, because bfloat16 would round a
    small difference away.

    Args:
        decoder: the trained decoder; no dropout, in either mode.
        batches: maps (B, P, E) and probs (B, C), such as `FeatureBatches` yields. The decoder takes
            L + 1 beams of each row, so that many labels ask for small batches.
        labels: the L classes to relate, at least two, none twice.

    Raises:
        ValueError: if the labels are no such classes, or there is no batch.
    """
    labels = _check_labels(labels, decoder.num_classes)
    totals, num_views = torch.zeros(2, len(labels), len(labels), dtype=torch.float64), 0
    for batch in batches:
        logits = _second_logits(decoder, batch["maps"], batch["probs"], labels).cpu().double()
        values = torch.stack([logits, logits.sigmoid()])  # (2, B, L + 1, L)
        totals += (values[:, :, :-1] - values[:, :, -1:]).sum(dim=1)  # (2, L, L)
        num_views += len(logits)
    if num_views == 0:
        raise ValueError("batches is empty; wanted at least one batch of maps and probs")
    log_odds, probs = (totals / num_views).numpy()
    return LabelInfluence(_without_diagonal(log_odds), _without_diagonal(probs))


def _second_logits(decoder: AttnDecoder, maps: Tensor, probs: Tensor, labels: list[int]) -> Tensor:
    """Take two steps: the labels' logits (B, L + 1, L) after each of them, and after none."""
    state = decoder.start(maps)
    check_probs(probs, maps, decoder.num_classes)
    nothing = torch.zeros_like(probs, dtype=torch.bool).unsqueeze(1)  # (B, 1, C)
    first, _, state = decoder.step(state, probs.unsqueeze(1), nothing)
    fed_on = functional.one_hot(torch.tensor(labels, device=maps.device), decoder.num_classes)
    fed_on = functional.pad(fed_on.bool(), (0, 0, 0, 1))  # (L + 1, C), the last row empty
    parents = torch.zeros(len(maps), len(fed_on), dtype=torch.long, device=maps.device)
    previous = first.sigmoid().expand(-1, len(fed_on), -1)  # (B, L + 1, C)
    chosen = fed_on.expand(len(maps), -1, -1)  # (B, L + 1, C)
    return decoder.step(state.select(parents), previous, chosen)[0][..., labels]


def cooccurrence_lift(targets: np.ndarray, labels: Sequence[int]) -> np.ndarray:
    """Give each pair of labels its log odds ratio over the images.

    It is how much higher the log odds of one label are on images with the other than on images
    without: 0 for independent labels, below 0 for labels that shun each other. Half an image more
    in each of the four counts (Haldane, 1956; Anscombe, 1956) keeps it finite.

    Args:
        targets: true labels, bool (N, C).
        labels: the L classes to relate, at least two, none twice.

    Returns:
        (L, L), symmetric, NaN on the diagonal.

    >>> targets = np.array([[1, 1], [1, 1], [0, 0], [0, 1]])
    >>> cooccurrence_lift(targets, [0, 1]).round(3)  # log(2.5 * 1.5 / (0.5 * 1.5))
    array([[  nan, 1.609],
           [1.609,   nan]])
    """
    targets = as_labels(targets, "targets")
    chosen = targets[:, _check_labels(labels, targets.shape[1])].astype(np.float64)  # (N, L)
    both = chosen.T @ chosen  # (L, L)
    first = np.diag(both)[:, None] - both  # images with the row's label alone
    neither = len(chosen) - both - first - first.T
    odds_ratio = (both + 0.5) * (neither + 0.5) / ((first + 0.5) * (first.T + 0.5))
    return _without_diagonal(np.log(odds_ratio))


def influence_agreement(influence: np.ndarray, lift: np.ndarray) -> Agreement:
    """Correlate the ranks of what the RNN learned and of what the data hold, without the diagonal.

    Args:
        influence: (L, L), such as `LabelInfluence.log_odds`.
        lift: (L, L), of `cooccurrence_lift`, for the same labels.

    Returns:
        The correlation, NaN where one side is the same for all pairs, and L * (L - 1) pairs.
    """
    influence, lift = np.asarray(influence), np.asarray(lift)
    if influence.shape != lift.shape or lift.ndim != 2 or len(lift) != lift.shape[1]:
        raise ValueError(
            f"influence and lift must both be (L, L), got {influence.shape} and {lift.shape}"
        )
    pairs = ~np.eye(len(lift), dtype=bool)
    sides = influence[pairs], lift[pairs]
    if not all(np.isfinite(side).all() and side.size for side in sides):
        raise ValueError("wanted at least two labels, and finite values off the diagonal")
    varied = all(np.ptp(side) > 0 for side in sides)
    correlation = float(spearmanr(*sides).statistic) if varied else float("nan")
    return Agreement(correlation, int(pairs.sum()))


def _check_labels(labels: Sequence[int], num_classes: int) -> list[int]:
    labels = [int(label) for label in labels]
    if len(labels) < 2 or len(set(labels)) < len(labels):
        raise ValueError(f"labels must be two or more different classes, got {labels}")
    if not 0 <= min(labels) <= max(labels) < num_classes:
        raise ValueError(f"labels must be in 0..{num_classes - 1}, got {labels}")
    return labels


def _without_diagonal(values: np.ndarray) -> np.ndarray:
    values = values.copy()
    np.fill_diagonal(values, np.nan)
    return values
