"""Every figure of the notebooks: each function takes data and returns a `Figure`.

Nothing stays open and no global is changed; `%matplotlib inline` makes a returned figure show
itself in a notebook.
"""

from imet_utils.plots.attention import plot_attention, plot_attention_rows
from imet_utils.plots.curves import plot_auc_distribution, plot_roc, plot_threshold_curve
from imet_utils.plots.decisions import plot_paths, plot_predictions
from imet_utils.plots.dependence import plot_label_influence
from imet_utils.plots.images import plot_hog, plot_image_grid, plot_views
from imet_utils.plots.labels import (
    plot_cooccurrence,
    plot_label_frequencies,
    plot_labels_per_image,
)
from imet_utils.plots.pixels import plot_channel_stats, plot_image_sizes
from imet_utils.plots.pointing import plot_pointing
from imet_utils.plots.scores import plot_decodings, plot_model_scores, plot_scores_by_group
from imet_utils.plots.training import plot_history, plot_timing

__all__ = [
    "plot_attention",
    "plot_attention_rows",
    "plot_auc_distribution",
    "plot_channel_stats",
    "plot_cooccurrence",
    "plot_decodings",
    "plot_history",
    "plot_hog",
    "plot_image_grid",
    "plot_image_sizes",
    "plot_label_frequencies",
    "plot_label_influence",
    "plot_labels_per_image",
    "plot_model_scores",
    "plot_paths",
    "plot_pointing",
    "plot_predictions",
    "plot_roc",
    "plot_scores_by_group",
    "plot_threshold_curve",
    "plot_timing",
    "plot_views",
]
