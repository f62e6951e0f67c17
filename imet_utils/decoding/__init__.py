"""From a trained head to label sets: probabilities, paths, decisions."""

from imet_utils.decoding.beam_search import (
    Paths,
    beam_search,
    best_path_scale,
    class_thresholds,
    path_thresholds,
    stop_paths,
    union_of_views,
)
from imet_utils.decoding.decisions import choose_decision
from imet_utils.decoding.expected_fbeta import best_expected_sets
from imet_utils.decoding.neighbours import (
    ImageVectors,
    neighbour_probs,
    neighbour_votes,
    similarity_space,
)
from imet_utils.decoding.prediction import (
    head_inputs,
    predict,
    predict_splits,
    search_views,
    short_floats,
)
