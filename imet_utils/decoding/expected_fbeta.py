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

ERROR = 1e-13  # of an expected F-beta, at the most; rounding comes on top
TIE = 1e-12  # sizes whose expected F-beta differ by a smaller share count as equally good
CHUNK_CELLS = 1 << 18  # images times classes at once: 2 MiB, which stay in the cache


def best_expected_sets(probs: np.ndarray, beta: float = 2.0) -> np.ndarray:
    """Find the label set of each image with the highest expected F-beta, for independent labels.

    The empty set is never the answer: its F-beta is 0, whatever is true. Among equally good sets
    the smallest is taken, then the one of the lowest labels.

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
        part = probs[start : start + rows].astype(np.float64)
        preds.append(_best_sets(torch.from_numpy(part), squared))
    return torch.cat(preds).numpy()


def _best_sets(probs: Tensor, squared: int) -> Tensor:
    """Find the best sets of a chunk, (B, C) bool: the first size of the highest value."""
    ranked, labels = probs.sort(dim=1, descending=True, stable=True)  # (B, C)
    values = _expected_of_ranked(ranked, _largest_size(ranked, squared), squared)  # (B, K)
    good = values >= (1 - TIE) * values.amax(dim=1, keepdim=True)
    sizes = good.int().argmax(dim=1, keepdim=True) + 1  # (B, 1)
    first = torch.arange(probs.shape[1], device=probs.device) < sizes  # (B, C), by rank
    return torch.zeros_like(first).scatter(1, labels, first)


def _expected_of_ranked(ranked: Tensor, max_size: int, squared: int) -> Tensor:
    """Integrate the expected F-beta (B, K) of the first 1..K of `ranked` (B, C), highest first."""
    mean = ranked.sum(dim=1).max().item()
    nodes, weights = _quadrature(mean, ranked.shape[1], max_size, squared)
    powers = torch.arange(max_size, dtype=torch.float64, device=ranked.device)  # (K,), k - 1
    absent, values = 1 - ranked, ranked.new_zeros(len(ranked), max_size)
    for node, weight in zip(nodes.tolist(), weights.tolist(), strict=True):
        t = node**squared
        factors = torch.add(absent, ranked, alpha=t)  # (B, C), 1 - p + p t
        top = factors[:, :max_size].clamp_min(torch.finfo(torch.float64).tiny)
        hits = (t * ranked[:, :max_size] / top).cumsum(dim=1)  # (B, K)
        values += weight * node**powers * factors.prod(dim=1, keepdim=True) * hits
    return (1 + squared) * values


def _quadrature(
    mean: float, num_classes: int, max_size: int, squared: int
) -> tuple[np.ndarray, np.ndarray]:
    """Choose nodes and weights on (0, 1) for images of at most `mean` expected labels.

    More than mean + x labels are true with a probability of exp(-x^2 / (2 mean + 2 x / 3)) at the
    most (Bernstein). That leaves powers of u up to some degree d. Half as many nodes are exact;
    fewer do, for u^d has the Chebyshev coefficients 2^(-2d) binom(2d, d + j), whose part beyond
    the degree 2n of n nodes errs by 4 exp(-4 n^2 / d) at the most (Hoeffding).
    """
    exponent = math.log(4 / ERROR)
    most_true = mean + exponent / 3 + math.sqrt(exponent**2 / 9 + 2 * exponent * mean)
    degree = max_size - 1 + squared * min(num_classes, math.ceil(most_true))
    number = min(degree // 2 + 1, math.ceil(math.sqrt(degree * exponent) / 2))
    nodes, weights = np.polynomial.legendre.leggauss(number)  # on (-1, 1)
    return (1 + nodes) / 2, weights / 2


def _largest_size(ranked: Tensor, squared: int) -> int:
    """Bound the size of the best sets, for all images at once.

    By Jensen's inequality, with m = E[S], the k most probable labels have an E[F] / (1 + b) of at
    least sum_i p_i / (k + b (1 + m)), and no set of k labels has more than m / (k + b m).
    """
    mean = ranked.sum(dim=1)  # (B,)
    sizes = torch.arange(1, ranked.shape[1] + 1, device=ranked.device)  # (C,)
    reached = (ranked.cumsum(dim=1) / (sizes + squared * (1 + mean[:, None]))).amax(dim=1)  # (B,)
    limits = (mean / reached).nan_to_num() - squared * mean  # (B,), 0 where mean is
    return min(ranked.shape[1], int(limits.max().item()) + 1)
