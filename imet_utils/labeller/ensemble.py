"""Encoder, HOG and heads as one model, from the pixels of a view to label probabilities."""

from collections.abc import Mapping
from math import isqrt
from typing import Any

import torch
from torch import Tensor, nn

from imet_utils.decoding import Paths, beam_search, head_probs, mixed_precision
from imet_utils.encoders import OUTPUTS, build_encoder, encode_images
from imet_utils.hog import hog
from imet_utils.models import EndToEnd
from imet_utils.training import RECIPES, build_head


class Ensemble(nn.Module):
    """The mean of several heads, each with its share, over what one encoder says of a view.

    What the heads are given is rounded as in a feature store, by which they were trained.

    Args:
        settings: `encoder`, `weights`, `mean` and `std`; `size` of the views; `hog`, the settings
            of HOG; `dims` of the heads' inputs; `num_images` that they learned from; `shares` of
            the heads, by their names in `RECIPES`, others left out; `unfrozen_stages` of each head,
            whose encoder is its own if there are any.
        num_classes: C.
    """

    def __init__(self, settings: Mapping[str, Any], num_classes: int) -> None:
        super().__init__()
        self.settings = settings
        self.num_classes = num_classes
        self.encoder = build_encoder(settings["encoder"], settings["weights"], settings["size"])
        self.statistics = (settings["mean"], settings["std"])
        self.shares = {name: settings["shares"][name] for name in settings["unfrozen_stages"]}
        self.heads = nn.ModuleDict({name: self._build(name) for name in self.shares})
        rnns = [name for name in self.shares if "maps" in RECIPES[name].inputs]
        self.attending = max(rnns, key=self.shares.get, default="")

    @property
    def device(self) -> torch.device:
        """Where it computes."""
        return next(self.encoder.parameters()).device

    @torch.inference_mode()
    def forward(self, views: Tensor, attend: bool = False) -> dict[str, Tensor]:
        """Map uint8 views (B, 3, H, W) to probabilities and features, and attention if wanted.

        Returns:
            `probs` (B, C), the heads' part of them; `pooled` (B, E); `style` (B, S); with `attend`,
            and if a head does, `attention` (B, C, h, w): where it sees each label, each of sum 1.
        """
        inputs = self._inputs(views)
        found = {"probs": torch.zeros(len(views), self.num_classes, device=views.device)}
        with mixed_precision(views.device):
            for name, share in self.shares.items():
                logits = self.heads[name](**self._taken(name, inputs))
                found["probs"] += share * head_probs(logits)
        if attend and self.attending:
            taken = self._taken(self.attending, inputs)
            attention = self.heads[self.attending].label_attention(**taken)  # (B, C, P)
            found["attention"] = attention.unflatten(2, (isqrt(attention.shape[2]), -1))
        return found | {name: inputs[name] for name in ("pooled", "style")}

    @torch.inference_mode()
    def search(self, views: Tensor, max_steps: int) -> Paths:
        """Search the best path of each view, uint8 (B, 3, H, W), by the head that attends."""
        head, inputs = self.heads[self.attending], self._inputs(views)
        maps, probs = head.decoder_inputs(**self._taken(self.attending, inputs))
        return beam_search(head.decoder, maps, probs, max_steps=max_steps).best().cpu()

    def _build(self, name: str) -> nn.Module:
        dims, num_images = self.settings["dims"], self.settings["num_images"]
        head = build_head(name, dims, self.num_classes, num_images)
        if not (unfrozen := self.settings["unfrozen_stages"][name]):
            return head
        encoder = build_encoder(self.settings["encoder"], "none", self.settings["size"])
        outputs = [key for key in RECIPES[name].inputs if key in OUTPUTS]
        return EndToEnd(encoder, head, outputs, unfrozen, *self.statistics)

    def _inputs(self, views: Tensor) -> dict[str, Tensor]:
        """Compute all that heads take of views."""
        found = encode_images(self.encoder, views, *self.statistics)
        if any("hog" in RECIPES[name].inputs for name in self.shares):
            found["hog"] = hog(views, **self.settings["hog"])
        return {key: values.half().float() for key, values in found.items()} | {"images": views}

    def _taken(self, name: str, inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Choose the inputs of a head; one with an encoder of its own takes the images."""
        keys = RECIPES[name].inputs
        if self.settings["unfrozen_stages"][name]:
            keys = ["images", *(key for key in keys if key not in OUTPUTS)]
        return {key: inputs[key] for key in keys}
