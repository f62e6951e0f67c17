"""Label sets of the highest expected F-beta, by a model's probabilities or by its sampled sets.

F-beta of k predicted labels, h of them among the S true ones, is (1 + b) h / (k + b S) with
b = beta^2. Where labels are independent, the best set of k labels is that of the k most probable
ones (Lewis, SIGIR 1995; Ye et al., ICML 2012), and 1 / (k + b S) = int_0^1 u^(k - 1 + b S) du makes
its expected F-beta an integral over a polynomial: (1 + b) int_0^1 u^(k - 1) E[h t^S] du, t = u^b,

    E[h t^S] = prod_j (1 - p_j + p_j t) * sum_(i among the k) p_i t / (1 - p_i + p_i t).

Gauss-Legendre quadrature takes it without cancellation, for every term is positive. Where labels
depend on one another, sampled label sets say how (Waegeman et al., JMLR 2014).
"""

import math
from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

ERROR = 1e-13  # of an expected F-beta, at the most; rounding comes on top
TIE = 1e-12  # sizes whose expected F-beta differ by a smaller share count as equally good
CHUNK_CELLS = 1 << 18  # images times classes at once: 2 MiB, which stay in the cache


def best_expected_sets(
    probs: np.ndarray, beta: float = 2.0, device: str | torch.device = "cpu"
) -> np.ndarray:
    """Find the label set of each image with the highest expected F-beta, for independent labels.

    The empty set is never the answer: its F-beta is 0, whatever is true. Among equally good sets
    the smallest is taken, then the one of the lowest labels.

    Args:
        probs: probabilities (N, C), calibrated.
        beta: its square must be a whole number, at least 1.
        device: computes in float64.

    Returns:
        preds (N, C) bool.

    >>> best_expected_sets(np.array([[0.9, 0.2, 0.1], [0.3, 0.3, 0.3], [0.0, 0.0, 0.0]]))
    array([[ True, False, False],
           [ True,  True,  True],
           [ True, False, False]])
    """
    probs, squared = _as_probs(probs), _whole_square(beta)
    parts = [_best_sets(part, squared).cpu() for part in _chunks(probs, device)]
    return torch.cat(parts).numpy()


def expected_fbeta(
    probs: np.ndarray, max_size: int, beta: float = 2.0, device: str | torch.device = "cpu"
) -> np.ndarray:
    """Compute the expected F-beta of the k most probable labels, k = 1..K, if independent.

    Args:
        probs: probabilities (N, C).
        max_size: K, in 1..C.
        beta: its square must be a whole number, at least 1.
        device: computes in float64.

    Returns:
        Expected F-beta (N, K) in 0..1, with an absolute error of about 1e-13.

    >>> expected_fbeta(np.array([[0.5, 0.0]]), max_size=2).round(4)
    array([[0.5   , 0.4167]])
    """
    probs, squared = _as_probs(probs), _whole_square(beta)
    if not 1 <= max_size <= probs.shape[1]:
        raise ValueError(f"max_size must be in 1..{probs.shape[1]}, got {max_size}")
    parts = []
    for part in _chunks(probs, device):
        ranked = part.sort(dim=1, descending=True).values
        parts.append(_expected_of_ranked(ranked, max_size, squared).cpu())
    return torch.cat(parts).numpy()


def best_sampled_sets(
    paths: np.ndarray,
    keep: np.ndarray,
    weights: np.ndarray,
    num_classes: int,
    beta: float = 2.0,
    device: str | torch.device = "cpu",
) -> np.ndarray:
    """Find the label set of each image with the highest mean F-beta against weighted label sets.

    The truth may be any of the M sets, with a probability in proportion to its weight. A label i
    of k predicted ones earns the sum of w (1 + b) / (k + b s) over the sets of s labels with it;
    the best k labels are those that earn most, and the best k the one of the highest sum
    (Waegeman et al., JMLR 2014). Ties as in `best_expected_sets`.

    Args:
        paths: label indices (N, M, T), of sampled or beam paths; no label twice on a path.
        keep: bool (N, M, T), which labels of a path are in its set.
        weights: (N, M), not negative; each image has a set of positive weight with a label.
        num_classes: C.
        beta: above 0.
        device: computes in float64.

    Returns:
        preds (N, C) bool.
    """
    paths, keep, weights = _check_sampled(paths, keep, weights, num_classes)
    if not 0 < beta < math.inf:
        raise ValueError(f"beta must be above 0, got {beta}")
    preds = []
    rows = max(1, CHUNK_CELLS // num_classes)
    for start in range(0, len(paths), rows):
        part = slice(start, start + rows)
        chunk = [torch.from_numpy(given[part]).to(device) for given in (paths, keep, weights)]
        preds.append(_best_of_samples(*chunk, num_classes, beta**2).cpu())
    return torch.cat(preds).numpy()


def _best_sets(probs: Tensor, squared: int) -> Tensor:
    """Find the best sets of a chunk, (B, C) bool."""
    ranked, labels = probs.sort(dim=1, descending=True, stable=True)  # (B, C)
    values = _expected_of_ranked(ranked, _largest_size(ranked, squared), squared)  # (B, K)
    return _first_ranks(labels, _best_sizes(values))


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


def _best_of_samples(
    paths: Tensor, keep: Tensor, weights: Tensor, num_classes: int, squared: float
) -> Tensor:
    """Find the best sets of a chunk against its samples, (B, C) bool.

    An image's labels are numbered anew, by rank among the labels of its own sets: U at the most.
    """
    votes = keep.double()  # (B, M, T)
    named = votes.new_zeros(len(paths), num_classes)
    named = named.scatter_add_(1, paths.flatten(1), votes.flatten(1)) > 0  # (B, C)
    numbers = (named.cumsum(dim=1) - 1).clamp_min(0)  # (B, C)
    most = int(named.sum(dim=1).max().item())  # U
    numbered = numbers.gather(1, paths.flatten(1)).view_as(paths)  # (B, M, T)
    member = votes.new_zeros(*paths.shape[:2], most).scatter_add_(2, numbered, votes)  # (B, M, U)
    sizes = torch.arange(1, most + 1, device=paths.device)  # (U,)
    shares = weights[..., None] / (sizes + squared * votes.sum(dim=-1, keepdim=True))  # (B, M, U)
    earned, order = (member.mT @ shares).sort(dim=1, descending=True, stable=True)  # (B, U, U)
    best = _best_sizes(earned.cumsum(dim=1).diagonal(dim1=1, dim2=2))  # (B, 1)
    order = order.gather(2, (best - 1)[:, None].expand(-1, most, 1)).squeeze(2)  # (B, U)
    return named & _first_ranks(order, best).gather(1, numbers)


def _best_sizes(values: Tensor) -> Tensor:
    """Find the first size of the highest value: values (B, K) of the sizes 1..K to (B, 1)."""
    best = values >= (1 - TIE) * values.amax(dim=1, keepdim=True)
    return best.int().argmax(dim=1, keepdim=True) + 1


def _first_ranks(order: Tensor, sizes: Tensor) -> Tensor:
    """Mark the first `sizes` (B, 1) of the labels in `order` (B, C), (B, C) bool."""
    first = torch.arange(order.shape[1], device=order.device) < sizes  # (B, C)
    return torch.zeros_like(first).scatter(1, order, first)


def _chunks(probs: np.ndarray, device: str | torch.device) -> Iterator[Tensor]:
    """Yield the images in chunks, float64 (B, C)."""
    rows = max(1, CHUNK_CELLS // probs.shape[1])
    for start in range(0, len(probs), rows):
        yield torch.from_numpy(probs[start : start + rows].astype(np.float64)).to(device)


def _as_probs(probs: np.ndarray) -> np.ndarray:
    """Check probabilities (N, C)."""
    probs = np.asarray(probs)
    if probs.ndim != 2 or probs.size == 0 or probs.dtype.kind != "f":
        raise ValueError(
            f"probs must be floating-point numbers (N, C), not empty, got {probs.dtype} "
            f"{probs.shape}"
        )
    if not (probs.min() >= 0 and probs.max() <= 1):
        raise ValueError(f"probs must be in 0..1, got {probs.min()}..{probs.max()}")
    return probs


def _whole_square(beta: float) -> int:
    """Square beta, which must give a whole number, as 1, 2 and sqrt(2) do."""
    squared = round(beta**2) if math.isfinite(beta) else 0
    if beta <= 0 or squared < 1 or not math.isclose(beta**2, squared):
        raise ValueError(f"beta squared must be a whole number, at least 1, got beta {beta}")
    return squared


def _check_sampled(
    paths: np.ndarray, keep: np.ndarray, weights: np.ndarray, num_classes: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Check the arguments of `best_sampled_sets`, and return copies: int64, bool, float64."""
    paths, keep, weights = np.asarray(paths), np.asarray(keep), np.asarray(weights, dtype=float)
    if paths.ndim != 3 or paths.size == 0 or paths.dtype.kind not in "iu":
        raise ValueError(f"paths must be integers (N, M, T), got {paths.dtype} {paths.shape}")
    if keep.shape != paths.shape or keep.dtype != bool:
        raise ValueError(f"keep must be bool {paths.shape}, got {keep.dtype} {keep.shape}")
    if not 0 <= paths.min() <= paths.max() < num_classes:
        raise ValueError(
            f"paths must be labels in 0..{num_classes - 1}, got {paths.min()}..{paths.max()}"
        )
    if weights.shape != paths.shape[:2] or not ((weights >= 0) & (weights < np.inf)).all():
        raise ValueError(f"weights must be {paths.shape[:2]}, finite and >= 0, got {weights.shape}")
    if not (weights * keep.any(axis=2)).any(axis=1).all():
        raise ValueError("each image must have a set of positive weight with a label in it")
    return paths.astype(np.int64), np.array(keep), np.array(weights)
