"""The AttnCNN-RNN as one model: a classifier gives the first probabilities, a decoder revises."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from imet_utils.models.classifiers import HOG_COMPONENTS, Linear, MlpClassifier, Standardise
from imet_utils.models.decoder import AttnDecoder, LabelAttention


class AttnCnnRnn(nn.Module):
    """A classifier and an order-free RNN (Chen et al., AAAI 2018).

    The decoder's first "previous probabilities" are those of the classifier, which takes vectors.
    One that is trained along learns from the same loss: its logits count as step 0. One whose
    weights are frozen is taken as trained. T is `num_steps` in training.
    """

    def __init__(
        self,
        classifier: nn.Module,
        decoder: AttnDecoder,
        num_steps: int = 3,
        standardise: bool = True,
    ) -> None:
        super().__init__()
        self.classifier = classifier
        self.decoder = decoder
        self.num_steps = num_steps
        self.standardise = Standardise(decoder.encoder_dim) if standardise else nn.Identity()

    def forward(self, maps: Tensor, **vectors: Tensor) -> Tensor:
        """Map maps (B, P, E) and vectors to the logits of the steps.

        Returns:
            Logits (B, T, C); before them those of a classifier that is trained along, and behind
            them, where the decoder attends by labels, the evidence of the maps, so that the
            attention learns from targets.
        """
        first = self.classifier(**vectors)  # (B, C)
        state = self.decoder.start(self.standardise(maps))
        logits = [self.decoder.run(state, first.float().sigmoid(), self.num_steps)]
        if any(weights.requires_grad for weights in self.classifier.parameters()):
            logits.insert(0, first.unsqueeze(1))
        if isinstance(self.decoder.attention, LabelAttention):
            logits.append(self.decoder.attention.label_logits(state.keys).unsqueeze(1))
        return torch.cat(logits, dim=1)

    def decoder_inputs(self, maps: Tensor, **vectors: Tensor) -> tuple[Tensor, Tensor]:
        """Compute the decoder's inputs for `beam_search`: maps (B, P, E) and probs (B, C)."""
        return self.standardise(maps), self.classifier(**vectors).float().sigmoid()

    def label_attention(self, maps: Tensor, **_: Tensor) -> Tensor:
        """Locate the evidence for each label: maps (B, P, E) to (B, C, P), each of sum 1."""
        attention = self.decoder.attention
        if not isinstance(attention, LabelAttention):
            raise ValueError("only a decoder that attends by labels has a map for each label")
        return attention.by_label(attention.keys(self.standardise(maps)))


@dataclass(frozen=True)
class Rnn:
    """What an AttnCNN-RNN is made of. The defaults do best on small collections.

    The first probabilities are those of an MLP that is trained along; or of a head of the recipes,
    one linear layer, that is named by `frozen`, is trained before, and stays as it is.
    """

    attention: str = "labels"  # see `LabelAttention`; or additive, see `AdditiveAttention`
    attention_dim: int = 128  # A of an additive attention
    width: int = 256  # D of the LSTM
    dropout: float = 0.8  # of the decoder
    num_steps: int = 3  # T in training
    residual: bool = True  # whether a step revises the probabilities of the step before
    standardise: bool = True  # the maps
    frozen: str = ""
    hidden_dim: int = 1024  # of the MLP
    classifier_dropout: float = 0.7  # of the MLP

    def __post_init__(self) -> None:
        """Check what may come from a parameter."""
        if self.attention not in ("labels", "additive"):
            raise ValueError(f"attention must be 'labels' or 'additive', got {self.attention!r}")
        if min(self.width, self.num_steps) < 1 or not 0 <= self.dropout < 1:
            raise ValueError(f"width and num_steps must be >= 1, dropout in [0, 1), got {self}")

    def build(self, dims: Mapping[str, int], num_classes: int) -> AttnCnnRnn:
        """Make an untrained AttnCNN-RNN from the last dimension of each input, by its name, and C.

        The attention takes `maps`, the classifier all others, which are vectors.
        """
        vectors = {name: dim for name, dim in dims.items() if name != "maps"}
        decoder = AttnDecoder(
            num_classes,
            dims["maps"],
            attn_dim=self.attention_dim,
            decoder_dim=self.width,
            dropout=self.dropout,
            residual=self.residual,
            attend_by_labels=self.attention == "labels",
        )
        classifier: nn.Module
        if self.frozen:
            classifier = Linear().build(vectors, num_classes).requires_grad_(False)
        else:
            components = {"hog": min(HOG_COMPONENTS, dims["hog"])} if "hog" in dims else {}
            classifier = MlpClassifier(
                vectors, num_classes, self.hidden_dim, self.classifier_dropout, components
            )
        return AttnCnnRnn(classifier, decoder, self.num_steps, self.standardise)
