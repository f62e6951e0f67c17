"""From a decoder to label sets: beam search over labels, and where a path stops."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from imet_utils.metrics import f2_per_image
from imet_utils.models import AttnDecoder, candidate_logits

# Factors to try. With 0 no path stops; at the other end nearly all do after their first label.
STOP_SCALES = (
    0.0, 0.1, 0.25, 0.5, 1.0, 1.5, 2.0, 2.5, 3.5, 5.0, 7.5, 10.0, 15.0, 25.0, 50.0, 100.0, 250.0,
    1000.0,
)  # fmt: skip


class Paths(NamedTuple):
    """Labels predicted one after the other, in K beams an image, the most probable beam first."""

    labels: Tensor  # (B, K, T) long, no label twice on a path
    step_probs: Tensor  # (B, K, T), probability of each label at its step
    path_probs: Tensor  # (B, K, T), geometric mean of the step probabilities up to each step
    attention: Tensor  # (B, K, T, P) over the maps' positions, of the step that gave the label

    def best(self) -> "Paths":
        """Keep the most probable beam alone: K = 1."""
        return Paths(*(values[:, :1] for values in self))

    def cpu(self) -> "Paths":
        """Move everything to the CPU."""
        return Paths(*(values.cpu() for values in self))


@torch.no_grad()
def beam_search(
    decoder: AttnDecoder, maps: Tensor, probs: Tensor, beam_size: int = 5, max_steps: int = 10
) -> Paths:
    """Search the label sequences of greatest probability, all images and beams at once.

    A step's candidates are the labels not yet on a beam; a path's score is the sum of the logs of
    its sigmoid probabilities. There is one live beam at first, then as many as there are sequences,
    up to `beam_size`, K: no beam is dead or a copy of another. Ties go to the better parent, then
    to the lower label. There is no dropout. T is `max_steps` or C, whichever is less.

    Args:
        decoder: trained, in either mode.
        maps: (B, P, E).
        probs: (B, C) in [0, 1], of the classifier beside the decoder.
        beam_size: at least 1.
        max_steps: at least 1.
    """
    if beam_size < 1 or max_steps < 1:
        raise ValueError(f"beam_size and max_steps must be >= 1, got {beam_size}, {max_steps}")
    state = decoder.start(maps)
    rows = torch.arange(len(maps), device=maps.device).unsqueeze(1)  # (B, 1)
    previous = probs.unsqueeze(1)  # (B, 1, C)
    chosen = torch.zeros_like(previous, dtype=torch.bool)  # (B, 1, C)
    scores = previous.new_zeros(len(maps), 1)  # (B, 1)
    paths: list[Tensor] = []  # in the order of `Paths`
    for step in range(min(max_steps, decoder.num_classes)):
        logits, attention, state = decoder.step(state, previous, chosen)  # (B, K, ...)
        width = min(beam_size, decoder.num_classes - step)
        labels, log_probs = _best_labels(candidate_logits(logits, chosen), width)  # (B, K, W)
        totals = (scores.unsqueeze(-1) + log_probs).flatten(1)  # (B, K * W)
        totals, order = totals.sort(dim=1, descending=True, stable=True)
        scores, order = totals[:, :beam_size], order[:, :beam_size]  # (B, K')
        parents = order // width  # (B, K')
        label = labels.flatten(1).gather(1, order)  # (B, K')
        step_prob = log_probs.flatten(1).gather(1, order).exp()
        path_prob = (scores / (step + 1)).exp()
        ends = [label, step_prob, path_prob, attention[rows, parents]]
        ends = [end.unsqueeze(2) for end in ends]  # (B, K', 1, ...)
        if paths:
            pairs = zip(paths, ends, strict=True)
            ends = [torch.cat([past[rows, parents], end], dim=2) for past, end in pairs]
        paths = ends  # (B, K', step + 1, ...)
        state = state.select(parents)
        previous = logits.sigmoid()[rows, parents]  # (B, K', C)
        chosen = chosen[rows, parents].scatter(-1, label.unsqueeze(-1), True)
    return Paths(*paths)


def _best_labels(logits: Tensor, width: int) -> tuple[Tensor, Tensor]:
    """Take the `width` best labels of each beam and their log-probabilities, (B, K, W) both."""
    # Equal logits go by the lowest label: `topk` alone leaves their order open, and a stable sort
    # takes several times as long. So a float32's bits, as an integer of the same order, are ranked.
    bits = (logits.float() + 0.0).view(torch.int32)  # + 0.0 makes -0.0 equal to 0.0
    ranks = torch.where(bits < 0, bits ^ 0x7FFFFFFF, bits).long() << 32  # (B, K, C)
    order = torch.arange(logits.shape[-1], 0, -1, device=logits.device)  # (C,) low label, high key
    labels = (ranks + order).topk(width).indices  # (B, K, W)
    dtype = torch.promote_types(logits.dtype, torch.float32)
    return labels, functional.logsigmoid(logits.gather(-1, labels).to(dtype))


def class_thresholds(frequencies: Tensor, scale: float = 2.5) -> Tensor:
    """Set each class's path threshold to `scale`, 0 or more, times its training frequency (C,)."""
    if not scale >= 0:
        raise ValueError(f"scale must be 0 or more, got {scale}")
    return scale * frequencies


def path_thresholds(paths: Paths, thresholds: Tensor) -> Tensor:
    """Average the thresholds (C,) of the labels up to each step, geometrically: (B, K, T)."""
    logs = thresholds.to(paths.labels.device, torch.float64).log()[paths.labels]  # (B, K, T)
    lengths = torch.arange(1, logs.shape[-1] + 1, device=logs.device)  # (T,)
    return (logs.cumsum(dim=-1) / lengths).exp().to(paths.path_probs.dtype)


def stop_paths(paths: Paths, thresholds: Tensor) -> Tensor:
    """Cut each path at the first step whose path probability is below `path_thresholds`.

    The first label always stays: keep (B, K, T) bool.
    """
    keep = paths.path_probs >= path_thresholds(paths, thresholds)
    keep[..., 0] = True
    return keep.long().cumprod(dim=-1).bool()


def union_of_views(paths: Paths, thresholds: Tensor, num_views: int) -> Tensor:
    """Unite the labels that the best path of each view has before it stops, as on the poster.

    From paths of N * V views, those of an image one after another, and thresholds (C,) of
    `class_thresholds` to preds (N, C) bool.
    """
    best = paths.best()
    keep = stop_paths(best, thresholds)  # (N * V, 1, T)
    sets = torch.zeros(len(keep), len(thresholds), dtype=torch.bool, device=keep.device)
    sets = sets.scatter(1, best.labels[:, 0], keep[:, 0])  # (N * V, C)
    return sets.unflatten(0, (-1, num_views)).any(dim=1)  # (N, C)


def best_path_scale(
    paths: Paths,
    frequencies: Tensor,
    targets: Tensor,
    num_views: int,
    scales: Sequence[float] = STOP_SCALES,
) -> float:
    """Find the scale of `class_thresholds` with the highest sample-averaged F2 of `union_of_views`.

    The paths are of validation images, their targets (N, C) bool; the frequencies (C,), in [0, 1],
    are of training. Among equal `scales` the first is taken; 0 means that no path should stop.
    """

    def score(scale: float) -> float:
        preds = union_of_views(paths, class_thresholds(frequencies, scale), num_views)  # (N, C)
        return f2_per_image(preds.numpy(), targets.numpy()).mean()

    return max(scales, key=score)
