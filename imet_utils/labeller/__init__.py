"""A trained run as one object: load, label, save."""

from imet_utils.labeller.labeller import Labeller, Look, Picture, name_of, rank_labels
from imet_utils.labeller.making import make_labeller
