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
from imet_utils.decoding.decisions import (
    Decision,
    choose_decision,
    precision_thresholds,
)
from imet_utils.decoding.expected_fbeta import best_expected_sets
from imet_utils.decoding.known_labels import CANDIDATES, REVISION, fit_strength, revise_probs
from imet_utils.decoding.neighbours import (
    TEMPERATURE,
    ImageVectors,
    NeighbourIndex,
    Neighbours,
    build_neighbour_index,
)
from imet_utils.decoding.prediction import (
    average_probs,
    head_inputs,
    head_probs,
    predict,
    predict_splits,
    search_views,
)
