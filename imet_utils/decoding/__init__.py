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
    choose_candidate,
    choose_decision,
    precision_thresholds,
)
from imet_utils.decoding.expected_fbeta import best_expected_sets
from imet_utils.decoding.leave_one_out import leave_one_out
from imet_utils.decoding.neighbours import (
    TEMPERATURE,
    VOTERS,
    ImageVectors,
    Nearest,
    Neighbours,
    find_neighbours,
    neighbour_votes,
)
from imet_utils.decoding.prediction import (
    head_inputs,
    head_probs,
    mix_probs,
    predict,
    predict_splits,
    search_views,
    short_floats,
)
from imet_utils.decoding.stated_labels import (
    CANDIDATES,
    FARTHER,
    NEARER,
    PRIOR,
    choose_strength,
    revise_probs,
)
