"""Heads over features, and their losses."""

from imet_utils.models.attncnn_rnn import AttnCnnRnn, Rnn
from imet_utils.models.classifiers import (
    HOG_COMPONENTS,
    Components,
    Linear,
    LinearClassifier,
    Mlp,
    MlpClassifier,
    Standardise,
    fit_statistics,
)
from imet_utils.models.decoder import AttnDecoder, candidate_logits
from imet_utils.models.end_to_end import EndToEnd
from imet_utils.models.losses import order_free_loss, positive_weights, weighted_bce
