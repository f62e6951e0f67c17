"""The AttnCNN-RNN as one model: a classifier gives the first probabilities, a decoder revises."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional

from imet_utils.models.classifiers import HOG_COMPONENTS, MlpClassifier, Standardise
from imet_utils.models.decoder import AttnDecoder, LabelAttention


class AttnCnnRnn(nn.Module):
    """A classifier and an order-free RNN trained together (Chen et al., AAAI 2018).

    The decoder's first "previous probabilities" are the classifier's own. Both learn from one loss:
    the classifier's logits count as step 0. `num_steps` is T, `map_dropout` that of the
    standardised maps.
    """

    def __init__(
        self,
        classifier: nn.Module,
        decoder: AttnDecoder,
        num_steps: int = 3,
        map_dropout: float = 0.5,
    ) -> None:
        super().__init__()
        self.classifier = classifier
        self.decoder = decoder
        self.num_steps = num_steps
        self.map_dropout = map_dropout
        self.standardise = Standardise(decoder.encoder_dim)

    def forward(self, maps: Tensor, **vectors: Tensor) -> Tensor:
        """Map maps (B, P, E) and vectors to the logits of classifier, steps and evidence.

        Returns:
            Logits (B, 1 + T, C), or (B, 2 + T, C) where the decoder attends by labels: then the
            last are the evidence of the maps, so that the attention learns from targets.
        """
        first = self.classifier(**vectors)  # (B, C)
        state = self.decoder.start(self._prepare(maps))
        steps = self.decoder.run(state, first.float().sigmoid(), self.num_steps)
        logits = [first.unsqueeze(1), steps]
        if isinstance(self.decoder.attention, LabelAttention):
            logits.append(self.decoder.attention.label_logits(state.keys).unsqueeze(1))
        return torch.cat(logits, dim=1)

    def decoder_inputs(self, maps: Tensor, **vectors: Tensor) -> tuple[Tensor, Tensor]:
        """Compute the decoder's inputs for `beam_search`: maps (B, P, E) and probs (B, C)."""
        return self._prepare(maps), self.classifier(**vectors).float().sigmoid()

    def label_attention(self, maps: Tensor, **_: Tensor) -> Tensor:
        """Locate the evidence for each label: maps (B, P, E) to (B, C, P), each of sum 1."""
        attention = self.decoder.attention
        if not isinstance(attention, LabelAttention):
            raise ValueError("only a decoder that attends by labels has a map for each label")
        return attention.by_label(attention.keys(self._prepare(maps)))

    def _prepare(self, maps: Tensor) -> Tensor:
        return functional.dropout(self.standardise(maps), self.map_dropout, self.training)


def build_attncnn_rnn(
    dims: Mapping[str, int],
    num_classes: int,
    width: int = 256,
    dropout: float = 0.8,
    num_steps: int = 3,
    attend_by_labels: bool = True,
    hidden_dim: int = 1024,
    classifier_dropout: float = 0.7,
) -> AttnCnnRnn:
    """Make an untrained AttnCNN-RNN of the sizes that do best on small collections.

    With the poster's 512 and a dropout of 0.5 the decoder overfits two thousand images.

    Args:
        dims: last dimension of each input by its name: `maps` for the attention; all others are
            vectors for the classifier.
        num_classes: C.
        width: of the LSTM; of an additive attention half of it.
        dropout: of the decoder.
        num_steps: T.
        attend_by_labels: see `AttnDecoder`.
        hidden_dim: of the classifier.
        classifier_dropout: see `MlpClassifier`.
    """
    vectors = {name: dim for name, dim in dims.items() if name != "maps"}
    components = {"hog": min(HOG_COMPONENTS, dims["hog"])} if "hog" in dims else {}
    decoder = AttnDecoder(
        num_classes,
        dims["maps"],
        attn_dim=max(1, width // 2),
        decoder_dim=width,
        dropout=dropout,
        residual=True,
        attend_by_labels=attend_by_labels,
    )
    mlp = MlpClassifier(vectors, num_classes, hidden_dim, classifier_dropout, components)
    return AttnCnnRnn(mlp, decoder, num_steps)
