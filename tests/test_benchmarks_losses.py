"""The losses that were measured and lost: their formulas, entry by entry."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from imet_utils.models import weighted_bce
from imet_utils.runs import PROJECT_DIR


@pytest.fixture(scope="module", autouse=True)
def losses():
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(PROJECT_DIR / "benchmarks")
        import lost_losses
    return lost_losses


def draw(seed=0, shape=(4, 5)):
    random = np.random.default_rng(seed)
    logits = torch.from_numpy(random.normal(scale=3, size=shape))
    targets = torch.from_numpy(random.random(shape) < 0.4)
    return logits, targets


def average(formula, logits, targets):
    """The mean of formula(p, y) over all entries, one at a time."""
    p = [1 / (1 + math.exp(-value)) for value in logits.flatten().tolist()]
    terms = [formula(*pair) for pair in zip(p, targets.flatten().tolist(), strict=True)]
    return sum(terms) / len(terms)


@given(
    seed=st.integers(0, 1000), alpha=st.none() | st.floats(0, 1), gamma=st.sampled_from([0, 0.5, 2])
)
@settings(max_examples=40, deadline=None, derandomize=True)
def test_focal_loss_equals_the_formula(losses, seed, alpha, gamma):
    def formula(p, y):
        p_t = p if y else 1 - p
        alpha_t = 1 if alpha is None else alpha if y else 1 - alpha
        return -alpha_t * (1 - p_t) ** gamma * math.log(p_t)

    logits, targets = draw(seed)
    wanted = average(formula, logits, targets)
    assert losses.focal_loss(logits, targets, alpha, gamma).item() == pytest.approx(
        wanted, rel=1e-9
    )


@given(
    seed=st.integers(0, 1000),
    gamma_neg=st.sampled_from([0, 0.5, 1, 4]),
    gamma_pos=st.sampled_from([0, 0.5, 1]),
    clip=st.sampled_from([0, 0.05, 0.2]),
)
@settings(max_examples=60, deadline=None, derandomize=True)
def test_asymmetric_loss_equals_the_formula(losses, seed, gamma_neg, gamma_pos, clip):
    def formula(p, y):
        if y:
            return -((1 - p) ** gamma_pos) * math.log(p)
        shifted = max(p - clip, 0)
        return -(shifted**gamma_neg) * math.log(1 - shifted)

    logits, targets = draw(seed)
    loss = losses.asymmetric_loss(logits, targets, gamma_neg, gamma_pos, clip)
    assert loss.item() == pytest.approx(average(formula, logits, targets), rel=1e-9)


def test_special_cases_are_cross_entropy(losses):
    logits, targets = draw()
    plain = weighted_bce(logits, targets)
    torch.testing.assert_close(losses.focal_loss(logits, targets, alpha=None, gamma=0), plain)
    torch.testing.assert_close(losses.asymmetric_loss(logits, targets, 0, 0, 0), plain)


def test_asymmetric_loss_drops_easy_negatives(losses):
    logits = torch.tensor([[math.log(0.04 / 0.96)]], requires_grad=True)  # p = 0.04 < 0.05
    loss = losses.asymmetric_loss(logits, torch.zeros(1, 1))
    loss.backward()
    assert loss.item() == 0
    assert logits.grad.item() == 0
