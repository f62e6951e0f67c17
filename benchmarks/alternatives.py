"""What was tried for training and did not win on validation, kept so that it can be run again.

- Order by alignment: each step of the decoder is held to the label of the image that suits it best
  (Yazici et al., "Orderless recurrent models for multi-label classification", CVPR 2020).
- Long images padded, or cropped where they are too long, instead of squeezed.

`cross_validate` compares them with what the package does.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps
from scipy.optimize import linear_sum_assignment
from torch import Tensor, nn
from torch.nn import functional

from imet_utils.models import AttnCnnRnn, candidate_logits, weighted_bce
from imet_utils.tables import read_image
from imet_utils.views import ViewDataset, make_views, plan_views

NO_LABEL = -1  # a step without a label
SMALLEST_PROB = 1e-6  # that has a logit
GREY = (127, 127, 127)  # next to 0 once the encoder's images are normalised
LONGEST = 1.5  # ratio of the sides from which on an image is cropped


def aligned_loss(logits: Tensor, targets: Tensor, keep_predicted: bool) -> Tensor:
    """Cross-entropy of the classifier, and of each step against the label aligned with it.

    The classifier has the sigmoid's cross-entropy, the steps the softmax's, both over C so that
    they weigh alike. Unlike in the paper there is no end token: an image's n labels go to its first
    n steps, the later ones carry no loss. The alignment itself has no gradient.

    Args:
        logits: (B, 1 + T, C) of the classifier and of T steps.
        targets: (B, C) bool or 0/1.
        keep_predicted: a step that predicted a label of the image keeps it, and the total loss of
            the others is the least (predicted-label alignment); otherwise the loss of all is the
            least (minimal-loss alignment).
    """
    first, steps = logits[:, 0], logits[:, 1:]  # (B, C), (B, T, C)
    labels = align_batch(steps, targets, keep_predicted)  # (B, T)
    total = functional.cross_entropy(
        steps.flatten(0, 1), labels.flatten(), ignore_index=NO_LABEL, reduction="sum"
    )
    num_aligned = (labels != NO_LABEL).sum().clamp(min=1)
    return weighted_bce(first, targets) + total / num_aligned / targets.shape[1]


def align_batch(steps: Tensor, targets: Tensor, keep_predicted: bool) -> Tensor:
    """Give the steps of each image its labels: (B, T), NO_LABEL where a step has none.

    Arguments as of `aligned_loss`, `steps` (B, T, C) without the classifier.
    """
    costs = -steps.detach().double().log_softmax(dim=-1).cpu().numpy()  # (B, T, C)
    kept = np.zeros(costs.shape, dtype=bool)
    if keep_predicted:
        np.put_along_axis(kept, predicted_labels(steps).cpu().numpy()[..., None], True, axis=2)
    aligned = np.full(costs.shape[:2], NO_LABEL)
    for image, row in enumerate(targets.bool().cpu().numpy()):
        labels = np.flatnonzero(row)  # (n,)
        order = labels[align_labels(costs[image][:, labels], kept[image][:, labels])]
        aligned[image, : len(order)] = order
    return torch.from_numpy(aligned).to(steps.device)


def align_labels(costs: np.ndarray, kept: np.ndarray) -> np.ndarray:
    """Give each of the first n steps a label of its own, at the least total cost.

    Args:
        costs: (T, n) finite, of label j at step t. Where n exceeds T, the labels that fit worst
            stay without a step.
        kept: (T, n) bool, the label that a step keeps whatever its cost; none or one a step, and
            each label at one step at the most.

    Returns:
        (min(T, n),) the label of each step, in 0 to n - 1.
    """
    used = slice(costs.shape[1])
    dearest = 1 + 2 * np.abs(costs).sum()  # no exchange of costs outweighs it
    return linear_sum_assignment(costs[used] - dearest * kept[used])[1]


def predicted_labels(steps: Tensor) -> Tensor:
    """Find the label (B, T) that each step of logits (B, T, C) named, as the decoder chose it."""
    chosen = torch.zeros_like(steps[:, 0], dtype=torch.bool)  # (B, C)
    labels = []
    for logits in steps.unbind(dim=1):
        labels.append(candidate_logits(logits, chosen).argmax(dim=-1, keepdim=True))  # (B, 1)
        chosen = chosen.scatter(-1, labels[-1], True)
    return torch.cat(labels, dim=1)


class AlignedRnn(nn.Module):
    """An AttnCNN-RNN for `aligned_loss`, whose steps name one label each."""

    def __init__(self, rnn: AttnCnnRnn, num_steps: int) -> None:
        """Take a model, to be run for `num_steps` steps."""
        super().__init__()
        self.rnn = rnn
        self.rnn.num_steps = num_steps

    def forward(self, **inputs: Tensor) -> Tensor:
        """Return the logits (B, 1 + T, C) in training and those of `named_probs` (B, C) else."""
        logits = self.rnn(**inputs)
        return logits if self.training else named_probs(logits).logit(eps=SMALLEST_PROB)


def named_probs(logits: Tensor) -> Tensor:
    """Average the classifier's probability and that of being named at any step, (B, C)."""
    unnamed = (1 - logits[:, 1:].softmax(dim=-1)).prod(dim=1)  # (B, C)
    return (logits[:, 0].sigmoid() + 1 - unnamed) / 2


def pad_to_square(image: Image.Image) -> Image.Image:
    """Set an image in the middle of a grey square."""
    return ImageOps.pad(image, (max(image.size),) * 2, color=GREY)


def crop_if_long(image: Image.Image) -> Image.Image:
    """Cut both ends off an image whose longer side is beyond `LONGEST` times the shorter one."""
    longest = round(LONGEST * min(image.size))
    width, height = (min(side, longest) for side in image.size)
    left, top = (image.width - width) // 2, (image.height - height) // 2
    return image.crop((left, top, left + width, top + height))


class ReshapedDataset(ViewDataset):
    """Views whose whole image has another shape before it is squeezed; crops are as they were."""

    def __init__(
        self,
        reshape: Callable[[Image.Image], Image.Image],
        paths: Sequence[Path],
        ids: Sequence[str],
        cropped: np.ndarray,
        train: bool,
    ) -> None:
        """Keep `reshape`, a function of this module, and what makes the other views."""
        super().__init__(paths, ids, cropped, train)
        self.reshape = reshape

    def __getitem__(self, index: int) -> Tensor:
        """Make all views, then those of the whole image anew."""
        views = super().__getitem__(index)  # (V, 3, size, size)
        is_cropped = not self.train or self.cropped[index]
        image = self.reshape(read_image(self.paths[index]))
        plan = plan_views(
            image.size,
            self.ids[index],
            crop=False,
            augment=self.train,
            seed=self.seed,
            size=self.size,
            views=range(1 if is_cropped else self.num_views),
        )
        wholes = make_views(image, plan, self.size)
        return torch.cat([wholes, views[len(wholes) :]])

    def fingerprint(self) -> dict:
        """Add the name of the reshaping."""
        return super().fingerprint() | {"reshape": self.reshape.__name__}
