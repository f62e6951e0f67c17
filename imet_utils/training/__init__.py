"""One training loop, the recipes of the heads, and the heads that it trains by them."""

from imet_utils.training.cross_fitting import choose_share, cross_fit
from imet_utils.training.heads import (
    TrainedHead,
    configure_recipe,
    index_images,
    join_splits,
    join_targets,
    load_head,
    open_inputs,
    refit_head,
    train_head,
)
from imet_utils.training.loop import TrainConfig, Training, evaluate, fit, train_to_the_end
from imet_utils.training.recipes import (
    AVERAGED,
    ENSEMBLE,
    NEIGHBOURS,
    POSTER,
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
