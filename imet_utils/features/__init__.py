"""What encoder and HOG say of every view: computed once, stored, read in batches."""

from imet_utils.features.batches import FeatureBatches, spread_rows, view_targets
from imet_utils.features.encoding import encode_collection, encode_datasets
from imet_utils.features.store import (
    extract_features,
    open_features,
    read_fingerprint,
    views_at_once,
)
