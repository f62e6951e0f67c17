"""A trained run as one object: load, label, save."""

from imet_utils.labeller.labeller import (
    Explanation,
    Labeller,
    Picture,
    find_labeller,
    make_labeller,
    rank_labels,
    refit_labeller,
)
