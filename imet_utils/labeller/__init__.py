"""A trained run as one object: load, label, save."""

from imet_utils.labeller.labeller import (
    PRECISIONS,
    Explanation,
    Labeller,
    Picture,
    make_labeller,
    rank_labels,
    refit_labeller,
)
