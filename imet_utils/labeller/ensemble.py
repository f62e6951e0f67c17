"""Encoder, HOG and heads as one model, from the pixels of a view to label probabilities."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import isqrt
from typing import Any

import torch
from torch import Tensor, nn

from imet_utils.decoding import Paths, beam_search, head_probs
from imet_utils.encoders import OUTPUTS, build_encoder, encode_images, mixed_precision
from imet_utils.hog import hog
from imet_utils.models import EndToEnd, Rnn
from imet_utils.training import RECIPES, find_recipe


@dataclass(frozen=True)
class Settings:
    """How images are labelled, in types that JSON has."""

    encoder: str
    encoder_weights: str  # "imagenet", "none" or a file
    mean: list[float]  # of the images, RGB in [0, 1]
    std: list[float]
    seed: int  # of the views
    size: int  # of a view, pixels
    num_views: int
    hog: dict[str, Any]  # settings of HOG
    dims: dict[str, int]  # the last dimension of each input of a head
    num_images: int  # in training, which decides the sizes of the heads
    weights: dict[str, float]  # of the heads, by names of `RECIPES`, and of `neighbours`; of sum 1
    layers: dict[str, dict[str, Any]]  # of each head, see `Recipe`
    unfrozen_stages: dict[str, int]  # of each head's own encoder; 0 where it takes the shared one
    thresholds: dict[float, float]  # the lowest that reached each precision on validation
    strength: float  # of the influence of known labels, see `revise_probs`
    has_ids: bool = True  # whether the collection has attribute ids, or names numbered by us
    own_code: dict[str, str] = field(default_factory=dict)  # of readers' heads, see `Recipe`


class Ensemble(nn.Module):
    """The weighted mean of several heads on one encoder.

    Features are rounded to 16 bits, like those in the store that the heads were trained on.
    """

    def __init__(self, settings: Settings, num_classes: int) -> None:
        super().__init__()
        self.settings = settings
        self.num_classes = num_classes
        self.encoder = build_encoder(settings.encoder, settings.encoder_weights, settings.size)
        names = list(settings.unfrozen_stages)
        self.heads = nn.ModuleDict({name: self._build_head(name) for name in names})
        rnns = [name for name in names if isinstance(RECIPES[name].layers, Rnn)]
        self.attending = max(rnns, key=lambda name: settings.weights[name], default="")
        self.by_label = settings.layers.get(self.attending, {}).get("attention") == "labels"

    @property
    def device(self) -> torch.device:
        """Where it computes."""
        return next(self.encoder.parameters()).device

    @torch.inference_mode()
    def forward(self, views: Tensor, attend: bool = False) -> dict[str, Tensor]:
        """Map uint8 views (B, 3, H, W) to probabilities and features, and attention if wanted.

        Returns:
            `probs` (B, C), the heads' part of the mean; `pooled` (B, E); `style` (B, S); with
            `attend` and an RNN that attends by labels, `attention` (B, C, h, w), of sum 1 for each.
        """
        inputs = self._compute_inputs(views)
        found = {"probs": torch.zeros(len(views), self.num_classes, device=views.device)}
        with mixed_precision(views.device):
            for name, head in self.heads.items():
                logits = head(**self._select_inputs(name, inputs))
                found["probs"] += self.settings.weights[name] * head_probs(logits)
        if attend and self.by_label:
            rnn: Any = self.heads[self.attending]
            attention = rnn.label_attention(**self._select_inputs(self.attending, inputs))
            found["attention"] = attention.unflatten(2, (isqrt(attention.shape[2]), -1))
        return found | {name: inputs[name] for name in ("pooled", "style")}

    @torch.inference_mode()
    def search(self, views: Tensor, max_steps: int) -> Paths:
        """Search the RNN's best path for each view, uint8 (B, 3, H, W)."""
        rnn: Any = self.heads[self.attending]
        inputs = self._select_inputs(self.attending, self._compute_inputs(views))
        maps, probs = rnn.decoder_inputs(**inputs)
        return beam_search(rnn.decoder, maps, probs, max_steps=max_steps).best().cpu()

    def _build_head(self, name: str) -> nn.Module:
        settings, own_code = self.settings, self.settings.own_code.get(name, "")
        recipe = find_recipe(name, {"layers": settings.layers[name], "own_code": own_code})
        head = recipe.build(settings.dims, self.num_classes, settings.num_images)
        if not (unfrozen := settings.unfrozen_stages[name]):
            return head
        encoder = build_encoder(settings.encoder, "none", settings.size)
        outputs = [key for key in recipe.inputs if key in OUTPUTS]
        return EndToEnd(encoder, head, outputs, unfrozen, settings.mean, settings.std)

    def _compute_inputs(self, views: Tensor) -> dict[str, Tensor]:
        found = encode_images(self.encoder, views, self.settings.mean, self.settings.std)
        if any("hog" in RECIPES[name].inputs for name in self.heads):
            found["hog"] = hog(views, **self.settings.hog)
        return {key: values.half().float() for key, values in found.items()} | {"images": views}

    def _select_inputs(self, name: str, inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Select the inputs of a head; one with an encoder of its own takes the images."""
        keys = list(RECIPES[name].inputs)
        if self.settings.unfrozen_stages[name]:
            keys = ["images", *(key for key in keys if key not in OUTPUTS)]
        return {key: inputs[key] for key in keys}
