"""One training loop, the recipes of the heads, and the heads that it trains by them."""

from imet_utils.training.heads import (
    HeadJob,
    TrainedHead,
    calibrated_candidates,
    configure_recipe,
    load_head,
    open_inputs,
    train_head,
    train_job,
)
from imet_utils.training.loop import (
    Loss,
    TrainConfig,
    evaluate,
    fit,
    own_random_state,
    start_training,
    train_one_epoch,
)
from imet_utils.training.recipes import (
    AVERAGED,
    NEIGHBOURS,
    POSTER,
    POSTER_LAYERS,
    POSTER_RNN,
    RECIPES,
    SIZES,
    USUAL,
    Decoding,
    Recipe,
    candidate_weights,
    choose_size,
    describe_size,
)
