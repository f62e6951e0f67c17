"""The decoder from its equations: float64, one image at a time, loops; slow and plain."""

import math

import torch

from imet_utils.models import AttnDecoder

SMALLEST_PROB = 1e-6  # and 1 - this is the greatest that a residual step revises


def make_decoder(num_classes=7, dim=6, spread=3.0, **sizes):
    """A decoder whose steps differ clearly: the default weights give nearly equal logits."""
    decoder = AttnDecoder(num_classes, dim, **{"attn_dim": 5, "decoder_dim": 4, **sizes})
    with torch.no_grad():
        for weights in decoder.parameters():
            weights.mul_(spread)
    return decoder.eval()


def make_inputs(batch=3, positions=4, dim=6, num_classes=7):
    return torch.rand(batch, positions, dim), torch.rand(batch, num_classes)


def count_kept(labels, path_probs, thresholds):
    """Count the labels of a path (T,) before it stops, one at least."""
    for step in range(1, len(labels)):
        limit = thresholds[labels[: step + 1]].prod() ** (1 / (step + 1))
        if path_probs[step] < limit:
            return step
    return len(labels)


class ReferenceDecoder:
    """Has the layers of an `AttnDecoder`; the equations are of Xu et al. and the poster."""

    def __init__(self, decoder):
        self.layers = decoder

    def start(self, maps):
        mean = sum(maps) / len(maps)
        return self.layers.init_hidden(mean), self.layers.init_cell(mean)

    def attend(self, maps, hidden, previous, labels):
        layers, keys = self.layers.attention, [self.layers.attention.keys(each) for each in maps]
        if hasattr(layers, "sharpness"):
            expected = layers.sharpness * self.expect(previous.detach(), labels)
            energies = [expected @ evidence for evidence in keys]
        else:
            query = layers.query(hidden)
            energies = [layers.energy((key + query).relu())[0] for key in keys]
        return torch.stack(energies).softmax(dim=0)

    def expect(self, previous, labels):
        """Share (C,) of each label not in `labels` in the squared odds of what comes next."""
        clamped = previous.clamp(SMALLEST_PROB, 1 - SMALLEST_PROB)
        odds = (clamped / (1 - clamped)) ** 2
        odds[labels] = 0
        return odds / odds.sum().clamp(min=1e-300)

    def step(self, maps, hidden, cell, previous, labels):
        """One step after `labels`: returns logits (C,), attention (P,), hidden, cell."""
        attention = self.attend(maps, hidden, previous, labels)
        attended = sum(share * position for share, position in zip(attention, maps, strict=True))
        context = self.layers.gate(hidden).sigmoid() * attended
        predicted = torch.tensor([float(k in labels) for k in range(len(previous))]).to(maps)
        inputs = torch.cat([previous, context, predicted])
        hidden, cell = self.layers.lstm(inputs, (hidden, cell))
        logits = self.layers.fc2(self.layers.fc1(hidden))
        if self.layers.residual:
            clamped = previous.clamp(SMALLEST_PROB, 1 - SMALLEST_PROB)
            logits = logits + (clamped / (1 - clamped)).log()
        return logits, attention, hidden, cell

    def search(self, maps, probs, beam_size, num_steps):
        """Beam search for one image: [(labels, logits, probability, attention of each step)]."""
        beams = [(0.0, [], [], *self.start(maps), probs)]
        for _ in range(min(num_steps, len(probs))):
            grown = []
            for score, labels, steps, hidden, cell, previous in beams:
                logits, attention, h, c = self.step(maps, hidden, cell, previous, labels)
                p = logits.sigmoid()
                for k in {*range(len(p))}.difference(labels):
                    so_far = [*labels, k], [*steps, (logits, p[k], attention)]
                    grown.append((score + math.log(p[k].item()), *so_far, h, c, p))
            beams = sorted(grown, key=lambda beam: -beam[0])[:beam_size]
        kept = [(labels, zip(*steps, strict=True)) for _, labels, steps, *_ in beams]
        return [(labels, *map(torch.stack, steps)) for labels, steps in kept]

    def run(self, maps, probs, num_steps):
        """Feed on the most probable label, from maps (P, E) and probs (C,) to logits (T, C)."""
        return self.search(maps, probs, 1, num_steps)[0][1]

    @torch.no_grad()
    def beam_search(self, maps, probs, beam_size, num_steps):
        """Return the labels, probabilities and attention of each path."""
        found = self.search(maps, probs, beam_size, num_steps)
        return [(labels, *steps) for labels, _, *steps in found]
