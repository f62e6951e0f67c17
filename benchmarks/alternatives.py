"""What was measured and did not win, so that it can be run again: `cross_validate` has its scores.

Images padded, or cropped where they are too long, instead of squeezed; texture beside style; losses
for rare labels.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
from PIL import Image, ImageOps
from torch import Tensor
from torch.nn import functional

from imet_utils.encoders import Encoder, encode_images, mixed_precision, normalise
from imet_utils.views import ViewDataset, make_views

GREY = (127, 127, 127)  # next to 0 once the encoder's images are normalised
LONGEST = 1.5  # ratio of the sides from which on an image is cropped
NUM_MIXTURES = 64  # of the channels of a stage, for the texture
SMALLEST_DEVIATION = 1e-3  # that a channel is divided by


def pad_to_square(image: Image.Image) -> Image.Image:
    """Set an image in the middle of a grey square."""
    return ImageOps.pad(image, (max(image.size),) * 2, color=GREY)


def crop_if_long(image: Image.Image) -> Image.Image:
    """Cut both ends off an image whose longer side is beyond `LONGEST` times the shorter one."""
    longest = round(LONGEST * min(image.size))
    width, height = (min(side, longest) for side in image.size)
    left, top = (image.width - width) // 2, (image.height - height) // 2
    return image.crop((left, top, left + width, top + height))


@dataclass(eq=False)
class ReshapedDataset(ViewDataset):
    """Views whose whole image has another shape before it is squeezed; crops are as they were."""

    reshape: Callable[[Image.Image], Image.Image] = pad_to_square  # or another function of here

    def __getitem__(self, index: int) -> Tensor:
        """Make the views of the whole image, which are the first or all, and the crops."""
        image, plan = self.read(index)
        reshaped, whole = self.reshape(image), (0, 0, *image.size)
        wholes = [replace(view, box=(0, 0, *reshaped.size)) for view in plan if view.box == whole]
        crops = make_views(image, plan[len(wholes) :], self.size)
        return torch.cat([make_views(reshaped, wholes, self.size), crops])  # (V, 3, size, size)

    def fingerprint(self) -> dict:
        """Add the name of the reshaping."""
        return super().fingerprint() | {"reshape": self.reshape.__name__}


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


def focal_loss(
    logits: Tensor, targets: Tensor, alpha: float | None = 0.25, gamma: float = 2.0
) -> Tensor:
    """Focal loss: -mean alpha_t (1 - p_t)^gamma log(p_t) (Lin et al., ICCV 2017, equation 5).

    p_t is the probability given to what is true, alpha_t is alpha for positives and 1 - alpha for
    negatives.
    """
    targets = targets.to(logits.dtype)
    signed = logits * (2 * targets - 1)  # log p_t = logsigmoid(signed), safe at any size
    loss = -functional.logsigmoid(signed) * (gamma * functional.logsigmoid(-signed)).exp()
    if alpha is not None:
        loss = loss * (alpha * targets + (1 - alpha) * (1 - targets))
    return loss.mean()


def asymmetric_loss(
    logits: Tensor,
    targets: Tensor,
    gamma_neg: float = 4.0,
    gamma_pos: float = 1.0,
    clip: float = 0.05,
) -> Tensor:
    """Asymmetric loss (Ridnik et al., ICCV 2021, equations 4 to 7), averaged instead of summed.

    -mean [ y (1 - p)^gamma_pos log(p) + (1 - y) q^gamma_neg log(1 - q) ] with
    p = sigmoid(logits) and q = max(p - clip, 0): a negative below `clip` costs nothing. The
    gradient flows through all of it.
    """
    targets = targets.to(logits.dtype)
    log_p, log_not_p = functional.logsigmoid(logits), functional.logsigmoid(-logits)
    positive = (gamma_pos * log_not_p).exp() * log_p
    # log(1 - q) as log(1 - p + clip), in log space so that p = 1 without a clip stays finite. The
    # floor under q keeps the slope of its power finite at 0.
    log_clip = torch.full_like(logits, clip).log()
    log_not_q = torch.logaddexp(log_not_p, log_clip).clamp(max=0)
    shifted = (logits.sigmoid() - clip).clamp(min=torch.finfo(logits.dtype).tiny)
    negative = shifted.pow(gamma_neg) * log_not_q
    return -torch.where(targets > 0, positive, negative).mean()


def hill_loss(logits: Tensor, targets: Tensor, peak: float = 1.5) -> Tensor:
    """Hill loss (Zhang et al., 2021, arXiv 2112.07368, equations 6 and 10), averaged.

    A negative costs (peak - p) p^2, so that one that is found very probable, and so may be a label
    that was forgotten, pulls the less; positives as in `_focal_margin`.
    """
    p = logits.sigmoid()
    return torch.where(targets > 0, _focal_margin(logits), (peak - p) * p.square()).mean()


def self_paced_loss(logits: Tensor, targets: Tensor, trusted: float = 0.6) -> Tensor:
    """Self-paced loss correction, SPLC (Zhang et al., 2021, arXiv 2112.07368, equation 12).

    A negative that the head finds more probable than `trusted` counts as a label that was
    forgotten; others cost -log(1 - p), positives as in `_focal_margin`. The paper believes the head
    from the second epoch on, this from the first step, when few probabilities are as high.
    """
    believed = (targets > 0) | (logits.detach().sigmoid() > trusted)
    return torch.where(believed, _focal_margin(logits), -functional.logsigmoid(-logits)).mean()


def _focal_margin(logits: Tensor, margin: float = 1.0, gamma: float = 2.0) -> Tensor:
    """-(1 - q)^gamma log(q) with q = sigmoid(logits - margin): the hard positives count most."""
    moved = logits - margin
    return -(gamma * functional.logsigmoid(-moved)).exp() * functional.logsigmoid(moved)
