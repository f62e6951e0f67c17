"""An encoder and a head in one graph: for maps that are not stored, and for fine-tuning."""

from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Any

from torch import Tensor, nn

from imet_utils.encoders import OUTPUTS, Encoder, encode_images
from imet_utils.models.decoder import AttnDecoder

ENCODER_RATE = 0.1  # learning rate of the encoder's last stage, as a share of the head's
STAGE_DECAY = 0.3  # of the rate, with each stage before it


class EndToEnd(nn.Module):
    """A head over an encoder of images, in place of a head over stored features.

    The head takes some `outputs` of `encode_images`; its other inputs come with the images. Of the
    encoder so many last stages are trained, -1 for all; the poster's `nlayers_to_freeze` counts
    from the other end. It stays in evaluation mode: its batch norm is folded into its convolutions.
    `mean` and `std` of the images, RGB in [0, 1], are the encoder's own where they are not given.
    """

    head: Any  # one that has what is asked of it here

    def __init__(
        self,
        encoder: Encoder,
        head: nn.Module,
        outputs: Sequence[str] = OUTPUTS,
        unfrozen_stages: int = 0,
        mean: Sequence[float] | None = None,
        std: Sequence[float] | None = None,
    ) -> None:
        super().__init__()
        last_first = encoder.stages()[::-1]
        if not -1 <= unfrozen_stages <= len(last_first):
            raise ValueError(
                f"unfrozen_stages must be -1 for all, or 0 to {len(last_first)} for "
                f"{encoder.name}, got {unfrozen_stages}"
            )
        self.encoder = encoder.eval().requires_grad_(False)
        self.head = head
        self.outputs = tuple(outputs)
        self.statistics = (mean, std)
        self.unfrozen = last_first if unfrozen_stages == -1 else last_first[:unfrozen_stages]
        self.unfrozen_stages = len(self.unfrozen)
        for weights in chain(*self.unfrozen):
            weights.requires_grad_(True)

    @property
    def decoder(self) -> AttnDecoder:
        """The decoder of a head that has one."""
        return self.head.decoder

    def train(self, mode: bool = True) -> "EndToEnd":
        """Switch the head; the encoder stays in evaluation mode."""
        super().train(mode)
        self.encoder.eval()
        return self

    def rate_factors(self) -> Iterator[tuple[float, Iterator[nn.Parameter]]]:
        """Yield groups of trainable parameters, each with its share of the learning rate.

        Early stages are the most general and need to change least (discriminative fine-tuning,
        Howard and Ruder, ACL 2018).
        """
        yield 1.0, self.head.parameters()
        for depth, stage in enumerate(self.unfrozen):
            yield ENCODER_RATE * STAGE_DECAY**depth, iter(stage)

    def forward(self, images: Tensor, **stored: Tensor) -> Tensor:
        """Map uint8 images (B, 3, H, W) and stored features of them to the head's logits."""
        return self.head(**self._encode(images), **stored)

    def decoder_inputs(self, images: Tensor, **stored: Tensor) -> tuple[Tensor, Tensor]:
        """Compute the decoder's inputs for `beam_search`: maps (B, P, E) and probs (B, C)."""
        return self.head.decoder_inputs(**self._encode(images), **stored)

    def label_attention(self, images: Tensor, **stored: Tensor) -> Tensor:
        """Locate the evidence for each label, (B, C, P)."""
        return self.head.label_attention(**self._encode(images), **stored)

    def _encode(self, images: Tensor) -> dict[str, Tensor]:
        found = encode_images(self.encoder, images, *self.statistics, self.outputs)
        return {name: values.float() for name, values in found.items()}
