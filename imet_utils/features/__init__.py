"""Outputs of encoder and HOG for every view: computed once, stored, read in batches."""

from imet_utils.features.batches import (
    Array,
    FeatureBatches,
    JoinedArray,
    spread_rows,
    view_targets,
)
from imet_utils.features.encoding import EncoderSettings, encode_collection
from imet_utils.features.store import (
    extract_features,
    open_features,
    read_fingerprint,
    views_at_once,
)
