"""Labels for new images: by one object, on the command line, on a page for review."""

from imet_utils.labelling.labeller import Labeller, Look, make_labeller
from imet_utils.labelling.review import ReviewImage, Suggestion, write_review
