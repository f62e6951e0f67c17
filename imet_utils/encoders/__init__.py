"""Networks of timm, frozen, as `images -> maps, pooled, style`."""

from imet_utils.encoders.encoder import (
    OUTPUTS,
    Encoder,
    autocast_dtype,
    encode_images,
    mixed_precision,
    normalise,
    style_statistics,
)
from imet_utils.encoders.networks import build_encoder, speed_up
from imet_utils.encoders.openvino import choose_engine, compile_encoder
