"""Sines and products whose last bit is the same on every CPU.

NumPy's and BLAS's own differ there between processors, and many points of a drawing lie just on
the border between two pixels, where the last bit decides.
"""

from __future__ import annotations

from typing import overload

import numpy as np


@overload
def sin(angle: float) -> float: ...
@overload
def sin(angle: np.ndarray) -> np.ndarray: ...
def sin(angle: float | np.ndarray) -> float | np.ndarray:
    """Return the sine, computed with more digits and then rounded.

    >>> float(sin(0.0))
    0.0
    """
    return np.sin(angle, dtype="longdouble").astype("float64")


@overload
def cos(angle: float) -> float: ...
@overload
def cos(angle: np.ndarray) -> np.ndarray: ...
def cos(angle: float | np.ndarray) -> float | np.ndarray:
    """Return the cosine, computed with more digits and then rounded."""
    return np.cos(angle, dtype="longdouble").astype("float64")


def product(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Return `left @ right` of (..., N, K) and (..., K, M), summed in the order of K."""
    terms = [left[..., k, None] * right[..., None, k, :] for k in range(right.shape[-2])]
    return sum(terms[1:], start=terms[0])
