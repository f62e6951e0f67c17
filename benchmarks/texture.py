"""Texture beside style: which channels of a middle stage are strong in the same places.

What `cross_validate` gives to the neighbours and to the MLP, and the package does not.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from imet_utils.encoders import Encoder, encode_images, mixed_precision, normalise

NUM_MIXTURES = 64
SMALLEST_DEVIATION = 1e-3  # that a channel is divided by


def texture_products(stages: Sequence[Tensor], num_mixtures: int = NUM_MIXTURES) -> Tensor:
    """Describe the last stage with at least a quarter of the first one's resolution.

    The correlations of its channels tell textures apart (Gatys et al., NIPS 2015), but there are
    thousands of them. So the channels, standardised, are first added up to ensembles with random
    signs, always the same: the products of ensembles keep the distances that images have by their
    correlations (Johnson and Lindenstrauss, 1984).
    """
    stage = [stage for stage in stages if 4 * stage.shape[2] >= stages[0].shape[2]][-1]
    rows = stage.float().flatten(2).transpose(1, 2)  # (B, H W, E)
    rows = rows - rows.mean(dim=1, keepdim=True)
    deviation = rows.square().mean(dim=1, keepdim=True).sqrt()
    rows = rows / deviation.clamp_min(SMALLEST_DEVIATION)
    generator = torch.Generator().manual_seed(0)
    signs = torch.randint(2, (rows.shape[2], num_mixtures), generator=generator) * 2.0 - 1
    ensembles = rows @ (signs / len(signs) ** 0.5).to(rows)  # (B, H W, M)
    products = ensembles.transpose(1, 2) @ ensembles / ensembles.shape[1]  # (B, M, M)
    first, second = torch.triu_indices(num_mixtures, num_mixtures)
    return products[:, first, second]


@torch.no_grad()
def encode_texture(encoder: Encoder, images: Tensor) -> dict[str, Tensor]:
    """Compute pooled features, and style with texture behind it, of uint8 images."""
    found = encode_images(encoder, images, outputs=("pooled", "style"))
    with mixed_precision(images.device):
        floats = normalise(images, encoder.mean, encoder.std)
        _, stages = encoder.features(floats, encoder.style_stages)
    style = torch.cat([found["style"], texture_products(stages)], dim=1)
    return {"pooled": found["pooled"], "style": style}
