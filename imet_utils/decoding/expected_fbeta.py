"""Label sets of the highest expected F-beta, by a model's probabilities.

F-beta of k predicted labels, h of them among the S true ones, is (1 + b) h / (k + b S) with
b = beta^2. Where labels are independent, the best set of k labels is that of the k most probable
ones (Lewis, SIGIR 1995; Ye et al., ICML 2012), and 1 / (k + b S) = int_0^1 u^(k - 1 + b S) du makes
its expected F-beta an integral over a polynomial: (1 + b) int_0^1 u^(k - 1) E[h t^S] du, t = u^b,

    E[h t^S] = prod_j (1 - p_j + p_j t) * sum_(i among the k) p_i t / (1 - p_i + p_i t).

Gauss-Legendre quadrature takes it without cancellation, for every term is positive.
"""

import math

import numpy as np
import torch
from torch import Tensor

EXPONENT = math.log(4 / 1e-13)  # of the largest error of an expected F-beta, before rounding
TIE = 1e-12  # sizes whose expected F-beta differ by a smaller share count as equally good
CHUNK_CELLS = 1 << 18  # images times classes at once: 2 MiB, which stay in the cache


def best_expected_sets(probs: np.ndarray, beta: float = 2.0) -> np.ndarray:
    """Find the label set of each image with the highest expected F-beta, for independent labels.

    It is never empty. Among equally good sets the smallest is taken, then the one of the lowest
    labels.

    Args:
        probs: probabilities (N, C), calibrated.
        beta: its square must be a whole number, at least 1.

    Returns:
        preds (N, C) bool.

    >>> best_expected_sets(np.array([[0.9, 0.2, 0.1], [0.3, 0.3, 0.3], [0.0, 0.0, 0.0]]))
    array([[ True, False, False],
           [ True,  True,  True],
           [ True, False, False]])
    """
    squared = round(beta**2)
    if beta <= 0 or squared < 1 or not math.isclose(beta**2, squared):
        raise ValueError(f"beta squared must be a whole number, at least 1, got beta {beta}")
    if not (probs.min() >= 0 and probs.max() <= 1):
        raise ValueError(f"probs must be in 0..1, got {probs.min()}..{probs.max()}")
    rows, preds = max(1, CHUNK_CELLS // probs.shape[1]), []
    for start in range(0, len(probs), rows):
        part = torch.from_numpy(probs[start : start + rows].astype(np.float64))
        ranked, labels = part.sort(dim=1, descending=True, stable=True)  # (B, C)
        values = _expected_fbeta(ranked, squared)  # (B, K)
        good = values >= (1 - TIE) * values.amax(dim=1, keepdim=True)
        sizes = good.int().argmax(dim=1, keepdim=True) + 1  # (B, 1), of the first
        first = torch.arange(probs.shape[1]) < sizes  # (B, C), by rank
        preds.append(torch.zeros_like(first).scatter(1, labels, first))
    return torch.cat(preds).numpy()


def _expected_fbeta(ranked: Tensor, squared: int) -> Tensor:
    """Compute the expected F-beta (B, K) of the first 1..K of `ranked` (B, C), highest first.

    No best set has more than K labels: by Jensen's inequality, with m = E[S], the k most probable
    have an E[F] / (1 + b) of at least sum_i p_i / (k + b (1 + m)), no k more than m / (k + b m).

    More than m + x labels are true with a probability of exp(-x^2 / (2 m + 2 x / 3)) at the most
    (Bernstein), which leaves powers of u up to a degree d. Half as many nodes are exact; fewer do,
    for u^d has the Chebyshev coefficients 2^(-2d) binom(2d, d + j), whose part beyond the degree 2n
    of n nodes errs by 4 exp(-4 n^2 / d) at the most (Hoeffding).
    """
    mean = ranked.sum(dim=1, keepdim=True)  # (B, 1)
    sizes = torch.arange(1, ranked.shape[1] + 1)  # (C,)
    reached = (ranked.cumsum(dim=1) / (sizes + squared * (1 + mean))).amax(dim=1, keepdim=True)
    limits = (mean / reached).nan_to_num() - squared * mean  # (B, 1), 0 where the mean is
    max_size = min(len(sizes), int(limits.max().item()) + 1)
    most = mean.max().item()
    most += EXPONENT / 3 + math.sqrt(EXPONENT**2 / 9 + 2 * EXPONENT * most)
    degree = max_size - 1 + squared * min(len(sizes), math.ceil(most))
    number = min(degree // 2 + 1, math.ceil(math.sqrt(degree * EXPONENT) / 2))
    top, absent = ranked[:, :max_size], 1 - ranked
    values = torch.zeros_like(top)
    for node, weight in zip(*np.polynomial.legendre.leggauss(number), strict=True):
        u = (1 + node) / 2  # from (-1, 1) to (0, 1)
        factors = torch.add(absent, ranked, alpha=u**squared)  # (B, C), 1 - p + p t
        lower = factors[:, :max_size].clamp_min(torch.finfo(torch.float64).tiny)
        hits = (u**squared * top / lower).cumsum(dim=1)  # (B, K)
        powers = torch.from_numpy(u ** np.arange(max_size))  # (K,), of k - 1
        values += weight / 2 * powers * factors.prod(dim=1, keepdim=True) * hits
    return (1 + squared) * values
