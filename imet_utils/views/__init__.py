"""The six views of an image, made on a CPU or in batches on a device."""

from imet_utils.views.compute import (
    Compute,
    ViewArray,
    channel_stats,
    compute_views,
    load_rows,
    make_device_views,
)
from imet_utils.views.dataset import (
    ViewDataset,
    make_views,
    open_datasets,
    plan_views,
    split_dataset,
)
