"""From a decoder to label sets: greedy and beam search over labels, and where a path stops."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields

import torch
from torch import Tensor
from torch.nn import functional

from imet_utils.models import AttnDecoder, candidate_logits, check_probs

STOP_SCALES = (0.1, 0.25, 0.5, 1.0, 1.5, 2.0, 2.5, 3.5, 5.0, 7.5, 10.0, 15.0, 25.0, 50.0, 100.0)


@dataclass(frozen=True)
class Paths:
    """Labels predicted one after the other, in K beams an image, the most probable beam first.

    Attributes:
        labels: (B, K, T) long, no label twice on a path.
        step_probs: (B, K, T) probability of each label at its step.
        path_probs: (B, K, T) geometric mean of the step probabilities up to each step.
        attention: (B, K, T, P) over the positions of the maps, of the step that gave the label.
    """

    labels: Tensor
    step_probs: Tensor
    path_probs: Tensor
    attention: Tensor

    def best(self) -> "Paths":
        """Keep the most probable beam alone: K = 1."""
        return self._map(lambda values: values[:, :1])

    def cpu(self) -> "Paths":
        """Move everything to the CPU."""
        return self._map(Tensor.cpu)

    def _map(self, change: Callable[[Tensor], Tensor]) -> "Paths":
        return Paths(*(change(getattr(self, field.name)) for field in fields(self)))

    @staticmethod
    def concatenate(parts: Sequence["Paths"]) -> "Paths":
        """Join paths of equal K and T over the images."""
        return Paths(
            *(torch.cat([getattr(part, field.name) for part in parts]) for field in fields(Paths))
        )


def greedy_decode(decoder: AttnDecoder, maps: Tensor, probs: Tensor, max_steps: int = 10) -> Paths:
    """Follow the most probable label of each step: one beam. Arguments as in `beam_search`."""
    return beam_search(decoder, maps, probs, beam_size=1, max_steps=max_steps)


@torch.no_grad()
def beam_search(
    decoder: AttnDecoder, maps: Tensor, probs: Tensor, beam_size: int = 5, max_steps: int = 10
) -> Paths:
    """Search the label sequences of greatest probability, all images and beams at once.

    A step's candidates are the labels not yet on a beam; a path's score is the sum of the logs of
    its sigmoid probabilities. There is one live beam at first, then as many as there are
    sequences, up to `beam_size`: no beam is dead or a copy of another. Ties go to the better
    parent, then to the lower label. No dropout, in either mode of the decoder.

    Args:
        decoder: the trained decoder.
        maps: (B, P, E).
        probs: (B, C) in [0, 1], of the classifier beside the decoder.
        beam_size: K at the most.
        max_steps: T is this or C, whichever is less.

    Returns:
        Paths with K = min(beam_size, number of label sequences of length T).
    """
    if beam_size < 1 or max_steps < 1:
        raise ValueError(f"beam_size and max_steps must be >= 1, got {beam_size}, {max_steps}")
    state = decoder.start(maps)
    check_probs(probs, maps, decoder.num_classes)
    rows = torch.arange(len(maps), device=maps.device).unsqueeze(1)  # (B, 1)
    previous = probs.unsqueeze(1)  # (B, 1, C)
    chosen = torch.zeros_like(previous, dtype=torch.bool)  # (B, 1, C)
    scores = previous.new_zeros(len(maps), 1)  # (B, 1)
    paths = None
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
        paths = _extend(
            paths, rows, parents, (label, step_prob, path_prob, attention[rows, parents])
        )
        state = state.select(parents)
        previous = logits.sigmoid()[rows, parents]  # (B, K', C)
        chosen = chosen[rows, parents].scatter(-1, label.unsqueeze(-1), True)
    return paths


def _best_labels(logits: Tensor, width: int) -> tuple[Tensor, Tensor]:
    """Take the `width` best labels of each beam and their log-probabilities, (B, K, W) both.

    Equal logits go by the lowest label: `topk` alone leaves their order open, and a stable sort of
    all labels takes several times as long. So the bits of a float32, turned into an integer of the
    same order, are ranked together with the label.
    """
    bits = (logits.float() + 0.0).view(torch.int32)  # + 0.0 makes -0.0 equal to 0.0
    ranks = torch.where(bits < 0, bits ^ 0x7FFFFFFF, bits).long() << 32  # (B, K, C)
    order = torch.arange(logits.shape[-1], 0, -1, device=logits.device)  # (C,) low label, high key
    labels = (ranks + order).topk(width).indices  # (B, K, W)
    dtype = torch.promote_types(logits.dtype, torch.float32)
    return labels, functional.logsigmoid(logits.gather(-1, labels).to(dtype))


def _extend(
    paths: Paths | None, rows: Tensor, parents: Tensor, values: tuple[Tensor, ...]
) -> Paths:
    """Set a step's values (B, K', ...), in the order of `Paths`, behind those of the parents."""
    values = [value.unsqueeze(2) for value in values]  # (B, K', 1, ...)
    if paths is not None:
        past = (paths.labels, paths.step_probs, paths.path_probs, paths.attention)
        values = [
            torch.cat([old[rows, parents], new], dim=2)
            for old, new in zip(past, values, strict=True)
        ]
    return Paths(*values)


def class_thresholds(frequencies: Tensor, scale: float = 2.5) -> Tensor:
    """Set each class's path threshold to `scale` times the share of training images with it.

    Args:
        frequencies: (C,) in [0, 1].
        scale: above 0.

    Returns:
        (C,) floats; above 1, where no path goes on, for classes with a share above 1 / scale.

    >>> class_thresholds(torch.tensor([0.0, 0.1]))
    tensor([0.0000, 0.2500])
    """
    if frequencies.ndim != 1 or not ((frequencies >= 0) & (frequencies <= 1)).all():
        raise ValueError(f"frequencies must be (C,) in [0, 1], got {tuple(frequencies.shape)}")
    if not scale > 0:
        raise ValueError(f"scale must be above 0, got {scale}")
    return scale * frequencies


def stop_paths(paths: Paths, thresholds: Tensor) -> Tensor:
    """Cut each path at the first step whose path probability is below the step's threshold.

    The threshold of a step is the geometric mean of those of the labels on the path up to it. What
    comes after the first failed step never comes back; the first label always stays.

    Args:
        paths: of `greedy_decode` or `beam_search`.
        thresholds: (C,) at least 0, see `class_thresholds`.

    Returns:
        keep (B, K, T) bool.
    """
    keep = paths.path_probs >= path_thresholds(paths, thresholds)
    keep[..., 0] = True
    return keep.long().cumprod(dim=-1).bool()


def path_thresholds(paths: Paths, thresholds: Tensor) -> Tensor:
    """Average the thresholds (C,) of the labels up to each step, geometrically: (B, K, T)."""
    if thresholds.ndim != 1 or not (thresholds >= 0).all():
        raise ValueError(f"thresholds must be (C,) and >= 0, got {tuple(thresholds.shape)}")
    logs = thresholds.to(paths.labels.device, torch.float64).log()[paths.labels]  # (B, K, T)
    lengths = torch.arange(1, logs.shape[-1] + 1, device=logs.device)  # (T,)
    return (logs.cumsum(dim=-1) / lengths).exp().to(paths.path_probs.dtype)


def label_sets(paths: Paths, keep: Tensor, num_classes: int, beam: int = 0) -> Tensor:
    """Collect the kept labels of one beam of each image.

    Args:
        paths: of `greedy_decode` or `beam_search`.
        keep: (B, K, T) bool, of `stop_paths`.
        num_classes: C.
        beam: which beam, 0 for the best.

    Returns:
        preds (B, C) bool.
    """
    labels = paths.labels
    if keep.shape != labels.shape or keep.dtype != torch.bool:
        wanted, given = tuple(labels.shape), f"{keep.dtype} {tuple(keep.shape)}"
        raise ValueError(f"keep must be bool {wanted}, got {given}")
    if not 0 <= beam < labels.shape[1]:
        raise ValueError(f"beam must be in 0..{labels.shape[1] - 1}, got {beam}")
    preds = torch.zeros(len(labels), num_classes, dtype=torch.bool, device=labels.device)
    return preds.scatter(1, labels[:, beam], keep[:, beam])  # (B, C)


def sets_of_views(paths: Paths, thresholds: Tensor, num_views: int) -> Tensor:
    """Collect the labels that the best path of each view names before it stops.

    Args:
        paths: of N * V views, those of an image one after another.
        thresholds: (C,) of `class_thresholds`.
        num_views: V.

    Returns:
        sets (N, V, C) bool.
    """
    if num_views < 1 or len(paths.labels) % num_views:
        raise ValueError(f"{len(paths.labels)} views are not a multiple of {num_views}")
    sets = label_sets(paths, stop_paths(paths, thresholds), len(thresholds))  # (N * V, C)
    return sets.unflatten(0, (-1, num_views))  # (N, V, C)


def union_of_views(paths: Paths, thresholds: Tensor, num_views: int) -> Tensor:
    """Unite the views' label sets, as on the poster: (N, C) bool. Arguments as `sets_of_views`."""
    return sets_of_views(paths, thresholds, num_views).any(dim=1)  # (N, C)


def vote_of_views(paths: Paths, thresholds: Tensor, num_views: int) -> Tensor:
    """Keep the labels that at least half of the views name. Arguments as `sets_of_views`."""
    return sets_of_views(paths, thresholds, num_views).float().mean(dim=1) >= 0.5  # (N, C)


def distinct_sets(paths: Paths, keep: Tensor, num_classes: int) -> tuple[Tensor, Tensor]:
    """Merge the beams of an image that name the same labels in another order.

    Args:
        paths: of `beam_search`.
        keep: (B, K, T) bool, of `stop_paths`.
        num_classes: C.

    Returns:
        sets (B, K, C) bool and their shares (B, K) of the kept paths' probability, which add up to
        1. A set counts for all its orders at its first, most probable beam; the share of the
        others is 0. Beams that differ only after their stop are one path and count once.
    """
    sets = torch.stack(
        [label_sets(paths, keep, num_classes, beam) for beam in range(keep.shape[1])], dim=1
    )  # (B, K, C)
    logs = (paths.step_probs.clamp_min(torch.finfo(torch.float32).tiny).log() * keep).sum(dim=-1)
    kept = paths.labels.masked_fill(~keep, -1)  # (B, K, T)
    copies = _first_equal(kept) != torch.arange(kept.shape[1], device=kept.device)  # (B, K)
    shares = logs.masked_fill(copies, -torch.inf).softmax(dim=1)  # (B, K)
    return sets, torch.zeros_like(shares).scatter_add(1, _first_equal(sets), shares)


def _first_equal(rows: Tensor) -> Tensor:
    """Find for each of K rows (B, K, ...) the first one that equals it: indices (B, K)."""
    same = (rows.unsqueeze(1) == rows.unsqueeze(2)).all(dim=-1)  # (B, K, K)
    return same.int().argmax(dim=2)


def best_path_scale(
    paths: Paths,
    frequencies: Tensor,
    targets: Tensor,
    num_views: int,
    scales: Sequence[float] = STOP_SCALES,
) -> float:
    """Find the scale of `class_thresholds` with the highest sample-averaged F2 of `union_of_views`.

    Args:
        paths: of N * V views of validation images.
        frequencies: (C,) in [0, 1].
        targets: (N, C) bool.
        num_views: V.
        scales: to try; among equals the first is taken.
    """
    scores = []
    for scale in scales:
        preds = union_of_views(paths, class_thresholds(frequencies, scale), num_views)  # (N, C)
        hits = (preds & targets).sum(dim=1)
        scores.append((5 * hits / (4 * targets.sum(dim=1) + preds.sum(dim=1))).mean().item())
    return scales[scores.index(max(scores))]


def mean_step_probs(logits: Tensor) -> Tensor:
    """Average the probabilities of all steps: logits (B, T, C) to probs (B, C)."""
    if logits.ndim != 3:
        raise ValueError(f"logits must be (B, T, C), got {tuple(logits.shape)}")
    return logits.sigmoid().mean(dim=1)  # (B, C)
