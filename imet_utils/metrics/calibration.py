"""Whether probabilities can be taken at their word: what was expected against what was observed."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from scipy.stats import binomtest

FIRST = 10  # labels of an image, the most probable ones, among which a decision falls
MOST_BINS, LEAST_PAIRS = 10, 20  # bins of a group; pairs in a bin


def calibration_bins(
    probs: np.ndarray, targets: np.ndarray, groups: Mapping[str, np.ndarray], first: int = FIRST
) -> pd.DataFrame:
    """Compare probabilities with shares, bin by bin, in groups of classes.

    Most of an image's labels are nearly impossible, and would hide the few that are decided on. So
    its `first` most probable labels, of all groups together, are binned by their probabilities,
    about as many pairs of image and label a bin, equal ones in the same; the others are one bin.

    Args:
        probs: probabilities (N, C).
        targets: true labels, bool (N, C).
        groups: the classes of each group by its name, bool (C,).
        first: labels of an image that are binned.

    Returns:
        Columns group, first (bool), pairs (in the bin), expected (mean probability), observed
        (share of true ones), and low and high, the 95 % interval of that share (Wilson's, for
        independent pairs; those of an image are not quite); the lowest bin first.
    """
    first = min(first, probs.shape[1])
    least = -np.partition(-probs, first - 1, axis=1)[:, first - 1 : first]  # (N, 1)
    leads = probs >= least  # equal ones, too
    rows = []
    for name, members in groups.items():
        for leading in (True, False):
            chosen = leads[:, members] == leading
            found, true = probs[:, members][chosen], targets[:, members][chosen]
            for some in _bin_evenly(found, MOST_BINS if leading else 1):
                rows.append([name, leading, *_describe(found[some], true[some])])
    columns = ["group", "first", "pairs", "expected", "observed", "low", "high"]
    return pd.DataFrame(rows, columns=columns)


def _bin_evenly(values: np.ndarray, most: int) -> list[np.ndarray]:
    """Part values (K,) into bins, bool (K,) each, none of them empty."""
    count = min(most, max(1, len(values) // LEAST_PAIRS))
    inner = np.linspace(0, 1, count + 1)[1:-1]
    edges = np.quantile(values, inner) if len(values) else []
    bin_of = np.searchsorted(edges, values, side="right")
    return [bin_of == number for number in np.unique(bin_of)]


def _describe(probs: np.ndarray, true: np.ndarray) -> list[float]:
    hits = int(np.count_nonzero(true))
    interval = binomtest(hits, len(true)).proportion_ci(method="wilson")
    return [len(true), float(probs.mean(dtype=float)), hits / len(true), *map(float, interval)]


def calibration_table(bins: pd.DataFrame) -> pd.DataFrame:
    """Sum the bins of `calibration_bins` up.

    Returns:
        Columns group, first, pairs, expected, observed and gap, the mean over all pairs of how far
        expected and observed are apart in their bin (expected calibration error).
    """
    weights = bins["pairs"]
    sums = bins[["group", "first", "pairs"]].assign(
        expected=weights * bins["expected"],
        observed=weights * bins["observed"],
        gap=weights * (bins["expected"] - bins["observed"]).abs(),
    )
    table = sums.groupby(["group", "first"], sort=False).sum().reset_index()
    shares = ["expected", "observed", "gap"]
    return table.assign(**{name: table[name] / table["pairs"] for name in shares})
