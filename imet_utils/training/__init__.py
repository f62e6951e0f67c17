"""One training loop, and the heads that it trains."""

from imet_utils.training.heads import (
    AVERAGED,
    RECIPES,
    HeadJob,
    build_head,
    load_head,
    open_inputs,
    train_head,
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
from imet_utils.training.sizes import SIZES, choose_size, describe_size
