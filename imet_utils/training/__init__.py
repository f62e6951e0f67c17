"""One training loop, the recipes of the heads, and the heads that it trains by them."""

from imet_utils.training.cross_fitting import (
    choose_share,
    cross_fit,
    cross_fit_head,
    cross_fit_votes,
    train_to_the_end,
)
from imet_utils.training.heads import (
    HeadJob,
    TrainedHead,
    configure_recipe,
    index_images,
    join_splits,
    join_targets,
    load_head,
    open_inputs,
    refit_head,
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
    ENSEMBLE,
    NEIGHBOURS,
    POSTER,
    POSTER_LAYERS,
    POSTER_RNN,
    RECIPES,
    SIZES,
    Decoding,
    Recipe,
    choose_size,
    describe_size,
    find_recipe,
    mean_weights,
    register,
)
