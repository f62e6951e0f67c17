"""Bootstrap intervals of mean scores: how far another draw of the images might move them.

Images are drawn anew, with replacement (the percentile bootstrap of Efron and Tibshirani, 1993).
The intervals know nothing of another training run.
"""

from dataclasses import dataclass

import numpy as np

CHUNK_CELLS = 1 << 20  # images drawn at once: 8 MiB of indices


@dataclass(frozen=True)
class Interval:
    """A mean and the interval in which it lies at the given level of confidence."""

    mean: float
    low: float
    high: float


def bootstrap_mean(
    values: np.ndarray, num_samples: int = 10_000, level: float = 0.95, seed: int = 0
) -> Interval:
    """Bound the mean of one value per image.

    Args:
        values: finite (N,), such as `f2_per_image`.
        num_samples: draws of N images.
        level: share of the draws in the interval, in (0, 1).
        seed: of the draws.

    >>> bootstrap_mean(np.array([0.5, 0.5, 0.5]))
    Interval(mean=0.5, low=0.5, high=0.5)
    """
    values = _as_values(values, "values")
    if num_samples < 1 or not 0 < level < 1:
        raise ValueError(
            f"num_samples must be >= 1 and level in (0, 1), got {num_samples} and {level}"
        )
    rng, rows, means = np.random.default_rng(seed), max(1, CHUNK_CELLS // len(values)), []
    for start in range(0, num_samples, rows):
        shape = (min(rows, num_samples - start), len(values))
        means.append(values[rng.integers(len(values), size=shape)].mean(axis=1))
    low, high = np.quantile(np.concatenate(means), [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(values.mean()), float(low), float(high))


def bootstrap_difference(
    first: np.ndarray,
    second: np.ndarray,
    num_samples: int = 10_000,
    level: float = 0.95,
    seed: int = 0,
) -> Interval:
    """Bound the mean of `first` less that of `second`, both drawn for the same images.

    What makes an image hard for both cancels out: the interval may clear 0 where the intervals of
    the two means overlap.

    Args:
        first: finite (N,), such as `f2_per_image` of one rule.
        second: of another rule, for the same images in the same order.
        num_samples: draws of N images.
        level: share of the draws in the interval, in (0, 1).
        seed: of the draws.
    """
    first, second = _as_values(first, "first"), _as_values(second, "second")
    if first.shape != second.shape:
        raise ValueError(f"both must be of the same images, got {first.shape} and {second.shape}")
    return bootstrap_mean(first - second, num_samples, level, seed)


def _as_values(values: np.ndarray, name: str) -> np.ndarray:
    """Check one finite number per image, and return them as float64 (N,)."""
    values = np.asarray(values, dtype=float)
    if values.ndim != 1 or values.size == 0 or not np.isfinite(values).all():
        raise ValueError(f"{name} must be finite (N,) and not empty, got shape {values.shape}")
    return values
