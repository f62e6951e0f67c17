"""Calibration: predicted against observed frequency."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from scipy.stats import binomtest

FIRST = 10  # most probable labels of an image, among which a decision falls
MOST_BINS, LEAST_PAIRS = 10, 20  # bins of a group; pairs in a bin


def calibration_bins(
    probs: np.ndarray, targets: np.ndarray, groups: Mapping[str, np.ndarray], first: int = FIRST
) -> pd.DataFrame:
    """Compare expected with observed frequencies, bin by bin, in groups of classes, bool (C,).

    Most of an image's labels are nearly impossible, and would hide the few that are decided on. So
    its `first` most probable labels, of all groups together, are binned by their probabilities,
    about as many pairs of image and label a bin, equal ones in the same; the others are one bin.

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
            count = min(MOST_BINS, len(found) // LEAST_PAIRS) if leading else 1
            edges = np.quantile(found, np.linspace(0, 1, count + 1)[1:-1]) if count > 1 else []
            bin_of = np.searchsorted(edges, found, side="right")
            for number in np.unique(bin_of):
                some = bin_of == number
                hits, pairs = np.count_nonzero(true[some]), np.count_nonzero(some)
                interval = binomtest(hits, pairs).proportion_ci(method="wilson")
                expected = float(found[some].mean(dtype=float))
                rows.append([name, leading, pairs, expected, hits / pairs, *map(float, interval)])
    columns = ["group", "first", "pairs", "expected", "observed", "low", "high"]
    return pd.DataFrame(rows, columns=columns)


def calibration_table(bins: pd.DataFrame) -> pd.DataFrame:
    """Aggregate the bins of `calibration_bins`.

    Returns:
        Columns group, first, pairs, expected, observed and gap, the mean over all pairs of the
        difference of expected and observed in their bin (expected calibration error).
    """
    gaps = bins.assign(gap=(bins["expected"] - bins["observed"]).abs())
    rates = ["expected", "observed", "gap"]
    gaps[rates] = gaps[rates].mul(gaps["pairs"], axis=0)
    table = gaps.groupby(["group", "first"], sort=False)[["pairs", *rates]].sum()
    table[rates] = table[rates].div(table["pairs"], axis=0)
    return table.reset_index()
