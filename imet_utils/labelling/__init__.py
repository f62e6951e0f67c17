"""Labels for new images: suggested by what a run has trained, reviewed by a person."""

from imet_utils.labelling.review import ReviewImage, Suggestion, write_review
