"""What was measured and lost: still what its papers say, so that the figures mean something."""

import math

import alternatives
import numpy as np
import pytest
import torch
from PIL import Image
from small_data import write_noise

from imet_utils.views import ViewDataset


def draw(seed, shape):
    """Logits, and targets of its images and classes."""
    random = np.random.default_rng(seed)
    logits = torch.from_numpy(random.normal(scale=2, size=shape))
    return logits, torch.from_numpy(random.random((shape[0], shape[-1])) < 0.5)


def focal(p, y, alpha, gamma):
    p_t = p if y else 1 - p
    alpha_t = 1 if alpha is None else alpha if y else 1 - alpha
    return -alpha_t * (1 - p_t) ** gamma * math.log(p_t)


def asymmetric(p, y, gamma_neg, gamma_pos, clip):
    q = max(p - clip, 0)
    return -((1 - p) ** gamma_pos) * math.log(p) if y else -(q**gamma_neg) * math.log(1 - q)


def focal_margin(p):
    odds = p / (1 - p) * math.exp(-1)
    q = odds / (1 + odds)
    return -((1 - q) ** 2) * math.log(q)


def hill(p, y, peak):
    return focal_margin(p) if y else (peak - p) * p**2


def self_paced(p, y, trusted):
    return focal_margin(p) if y or p > trusted else -math.log(1 - p)


@pytest.mark.parametrize(
    ("formula", "options"),
    [
        *((focal, (alpha, gamma)) for alpha in (None, 0, 0.3, 1) for gamma in (0, 0.5, 2)),
        *((asymmetric, (neg, pos, 0.15)) for neg in (0, 0.5, 4) for pos in (0, 1)),
        (asymmetric, (4, 1, 0.0)),
        *((hill, (peak,)) for peak in (1.0, 1.5)),
        *((self_paced, (trusted,)) for trusted in (0.6, 0.9)),
    ],
)
def test_losses_equal_their_formulas(formula, options):
    for seed in range(10):
        logits, targets = draw(seed, (4, 5))
        pairs = zip(logits.sigmoid().flatten().tolist(), targets.flatten().tolist(), strict=True)
        wanted = np.mean([formula(p, y, *options) for p, y in pairs])
        loss = getattr(alternatives, f"{formula.__name__}_loss")(logits, targets, *options)
        assert loss.item() == pytest.approx(wanted, rel=1e-9)


def reference_logit(model, maps, label):
    """The logit of one label on the maps (P, E) of one image, step by step."""
    query, memory = model.queries[label], model.project(model.standardise(maps))
    attended, _ = model.attention(query[None], memory, memory)
    output = model.attention_norm(query + attended[0])
    output = model.output_norm(output + model.feed_forward(output))
    return output @ model.fc.weight[label] + model.fc.bias[label]


@pytest.mark.parametrize("num_heads", [1, 4])
def test_label_queries_equal_a_loop_over_images_and_labels(num_heads):
    model = alternatives.LabelQueryClassifier(5, 6, dim=12, num_heads=num_heads).eval()
    model.standardise.std.uniform_(0.5, 2)
    maps = torch.randn(3, 4, 6)
    with torch.no_grad():
        wanted = [[reference_logit(model, image, label) for label in range(5)] for image in maps]
    torch.testing.assert_close(model(maps), torch.tensor(wanted), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(("size", "kept"), [((100, 80), (100, 80)), ((50, 300), (50, 75))])
def test_images_are_padded_or_cropped_around_their_middle(size, kept):
    image = Image.linear_gradient("L").resize(size).convert("RGB")
    cropped, padded = alternatives.crop_if_long(image), alternatives.pad_to_square(image)
    left, top = (size[0] - kept[0]) // 2, (size[1] - kept[1]) // 2
    assert cropped.tobytes() == image.crop((left, top, left + kept[0], top + kept[1])).tobytes()
    left, top = ((max(size) - side) // 2 for side in size)
    assert padded.crop((left, top, left + size[0], top + size[1])).tobytes() == image.tobytes()


@pytest.mark.parametrize(
    ("train", "has_culture", "changed"), [(True, False, 6), (True, True, 1), (False, False, 1)]
)
def test_only_views_of_the_whole_image_are_reshaped(tmp_path, train, has_culture, changed):
    given = (write_noise(tmp_path, "a", (40, 90)), ["a"], [has_culture], train)
    usual = ViewDataset(*given)
    reshaped = alternatives.ReshapedDataset(*given)
    same = [torch.equal(*pair) for pair in zip(usual[0], reshaped[0], strict=True)]
    assert same == [False] * changed + [True] * (6 - changed)
    assert reshaped.fingerprint() != usual.fingerprint()
