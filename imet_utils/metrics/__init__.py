"""Metrics of probabilities, label sets and attention."""

from imet_utils.metrics.calibration import calibration_bins, calibration_table
from imet_utils.metrics.pointing import pointing_game
from imet_utils.metrics.results import (
    bootstrap_mean,
    compare_decodings,
    prediction_warnings,
    score_row,
    score_rule,
    score_splits,
    score_table,
    scores_by_group,
)
from imet_utils.metrics.scores import (
    average_precision_per_class,
    best_threshold,
    constant_guess,
    f2_per_image,
    frequency_bands,
    mean_average_precision,
    precision_recall_curves,
    proportion_thresholds,
    roc_averages,
    roc_per_class,
    sample_scores,
    threshold_curve,
)
