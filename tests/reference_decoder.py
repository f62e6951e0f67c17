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
    """Has the weights of an `AttnDecoder`; the equations are of Xu et al. and the poster."""

    def __init__(self, decoder):
        self.weights = dict(decoder.named_parameters())
        self.num_classes = len(self.weights["fc2.bias"])
        self.residual = decoder.residual
        self.by_labels = "attention.sharpness" in self.weights

    def linear(self, name, values):
        product = self.weights[f"{name}.weight"] @ values
        return product + self.weights.get(f"{name}.bias", 0.0)

    def start(self, maps):
        mean = sum(maps) / len(maps)
        return self.linear("init_hidden", mean), self.linear("init_cell", mean)

    def attend(self, maps, hidden, previous, labels):
        if self.by_labels:
            expected = self.expect(previous.detach(), labels)
            sharpness = self.weights["attention.sharpness"]
            evidence = [self.linear("attention.keys", position) for position in maps]
            energies = torch.stack([sharpness * (expected @ each) for each in evidence])
        else:
            energies = torch.stack([self.additive_energy(position, hidden) for position in maps])
        powers = (energies - energies.max()).exp()
        return powers / powers.sum()

    def additive_energy(self, position, hidden):
        both = self.linear("attention.keys", position) + self.linear("attention.query", hidden)
        return self.linear("attention.energy", both.clamp(min=0))[0]

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
        context = self.linear("gate", hidden).sigmoid() * attended
        predicted = torch.tensor([float(k in labels) for k in range(self.num_classes)]).to(maps)
        inputs = torch.cat([previous, context, predicted])
        gates = self.weights["lstm.weight_ih"] @ inputs + self.weights["lstm.bias_ih"]
        gates = gates + self.weights["lstm.weight_hh"] @ hidden + self.weights["lstm.bias_hh"]
        i, f, g, o = gates.split(len(hidden))
        cell = f.sigmoid() * cell + i.sigmoid() * g.tanh()
        hidden = o.sigmoid() * cell.tanh()
        logits = self.linear("fc2", self.linear("fc1", hidden))
        if self.residual:
            clamped = previous.clamp(SMALLEST_PROB, 1 - SMALLEST_PROB)
            logits = logits + (clamped / (1 - clamped)).log()
        return logits, attention, hidden, cell

    def run(self, maps, probs, num_steps):
        """Feed on the most probable label, from maps (P, E) and probs (C,) to logits (T, C)."""
        hidden, cell = self.start(maps)
        previous, labels, steps = probs, [], []
        for _ in range(min(num_steps, self.num_classes)):
            logits, _, hidden, cell = self.step(maps, hidden, cell, previous, labels)
            pool = [k for k in range(self.num_classes) if k not in labels]
            labels.append(max(pool, key=lambda k: logits[k]))
            previous = logits.sigmoid()
            steps.append(logits)
        return torch.stack(steps)

    @torch.no_grad()
    def beam_search(self, maps, probs, beam_size, num_steps):
        """Beam search for one image with lists: [(labels, probs and attention of each)]."""
        beams = [(0.0, [], [], *self.start(maps), probs)]
        for _ in range(min(num_steps, self.num_classes)):
            grown = []
            for score, labels, steps, hidden, cell, previous in beams:
                logits, attention, h, c = self.step(maps, hidden, cell, previous, labels)
                p = logits.sigmoid()
                grown += [
                    (score + math.log(p[k]), [*labels, k], [*steps, (p[k], attention)], h, c, p)
                    for k in range(self.num_classes)
                    if k not in labels
                ]
            beams = sorted(grown, key=lambda beam: -beam[0])[:beam_size]
        kept = [(labels, zip(*steps, strict=True)) for _, labels, steps, *_ in beams]
        return [(labels, *map(torch.stack, steps)) for labels, steps in kept]
