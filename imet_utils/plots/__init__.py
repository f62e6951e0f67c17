"""Every figure of the notebooks: each function takes data and returns a `Figure`."""

from imet_utils.plots.collection import (
    plot_cooccurrence,
    plot_image_sizes,
    plot_label_frequencies,
    plot_labels_per_image,
)
from imet_utils.plots.curves import (
    plot_auc_distribution,
    plot_calibration,
    plot_precision_recall,
    plot_roc,
)
from imet_utils.plots.decoder import (
    plot_architecture,
    plot_attention_rows,
    plot_paths,
    plot_pointing,
)
from imet_utils.plots.images import plot_hog, plot_image_grid, plot_predictions, plot_views
from imet_utils.plots.models import (
    plot_decodings,
    plot_history,
    plot_model_scores,
    plot_scores_by_group,
    plot_threshold_curve,
)
from imet_utils.plots.style import save_figure
