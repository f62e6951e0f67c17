import math

import numpy as np
import pytest
import torch
from reference_decoder import ReferenceDecoder, sigmoid
from scipy.stats import rankdata
from scipy.stats.contingency import odds_ratio

from imet_utils.dependence import cooccurrence_lift, influence_agreement, label_influence
from imet_utils.feature_batches import FeatureBatches
from imet_utils.models import AttnDecoder

pytestmark = pytest.mark.usefixtures("own_random_state")

NUM_CLASSES, POSITIONS, DIM = 7, 4, 6


@pytest.fixture
def decoder():
    """A decoder whose steps differ clearly: the default weights give nearly equal logits."""
    decoder = AttnDecoder(NUM_CLASSES, DIM, attn_dim=5, decoder_dim=4)
    with torch.no_grad():
        for weights in decoder.parameters():
            weights.mul_(3.0)
    return decoder


def make_batches(images=5, views=2, batch_size=4):
    arrays = {
        "maps": torch.rand(images, views, POSITIONS, DIM).numpy(),
        "probs": torch.rand(images, views, NUM_CLASSES).numpy(),
    }
    return FeatureBatches(arrays, None, batch_size, "all", shuffle=False)


def loop_over_views(decoder, batches, labels):
    """The definition, one view and one pair of labels at a time, in float64."""
    reference = ReferenceDecoder(decoder)
    log_odds, probs = np.zeros((2, len(labels), len(labels)))
    maps = batches.arrays["maps"].reshape(-1, POSITIONS, DIM).astype(float)
    first = batches.arrays["probs"].reshape(-1, NUM_CLASSES).astype(float)
    for view in range(len(maps)):
        start = reference.start(maps[view])
        logits, _, hidden, cell = reference.step(maps[view], *start, first[view], [])
        step = (maps[view], hidden, cell, sigmoid(logits))
        none = reference.step(*step, [])[0]
        for a, fed_on in enumerate(labels):
            moved = reference.step(*step, [fed_on])[0]
            for b, other in enumerate(labels):
                log_odds[a, b] += (moved[other] - none[other]) / len(maps)
                change = sigmoid(moved[other]) - sigmoid(none[other])
                probs[a, b] += change / len(maps)
    np.fill_diagonal(log_odds, np.nan)
    np.fill_diagonal(probs, np.nan)
    return log_odds, probs


@pytest.mark.parametrize("labels", [[5, 0, 3], [6, 2], list(range(NUM_CLASSES))])
def test_influence_equals_the_definition_view_by_view(decoder, labels):
    batches = make_batches()
    log_odds, probs = loop_over_views(decoder, batches, labels)
    found = label_influence(decoder, batches, np.array(labels))
    np.testing.assert_allclose(found.log_odds, log_odds, atol=1e-5)
    np.testing.assert_allclose(found.probs, probs, atol=1e-5)
    assert np.nanmax(np.abs(log_odds)) > 0.1
    assert np.nanmax(np.abs(found.log_odds - found.log_odds.T)) > 0.1  # it has a direction


def test_influence_does_not_depend_on_batches_mode_or_order_of_labels(decoder):
    batches = make_batches(batch_size=3)
    labels, back = [4, 1, 6], [2, 1, 0]
    found = label_influence(decoder.eval(), batches, labels)
    batches.batch_size = 100
    decoder.train()
    again = label_influence(decoder, batches, [labels[k] for k in back])
    np.testing.assert_allclose(again.log_odds, found.log_odds[np.ix_(back, back)], atol=1e-6)
    np.testing.assert_allclose(again.probs, found.probs[np.ix_(back, back)], atol=1e-6)
    assert decoder.training


def test_a_decoder_that_is_blind_to_what_was_predicted_moves_nothing(decoder):
    with torch.no_grad():
        decoder.lstm.weight_ih[:, -NUM_CLASSES:] = 0
    found = label_influence(decoder, make_batches(), [0, 1, 2])
    nothing = np.where(np.eye(3, dtype=bool), np.nan, 0.0)
    np.testing.assert_allclose(found.log_odds, nothing, atol=1e-6)
    np.testing.assert_allclose(found.probs, nothing, atol=1e-6)


def test_influence_builds_no_graph(decoder):
    label_influence(decoder, make_batches(), [0, 1])
    assert all(weights.grad is None for weights in decoder.parameters())
    assert torch.is_grad_enabled()


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_influence_is_the_same_on_a_gpu(decoder):
    batches = make_batches()
    wanted = label_influence(decoder, batches, [0, 4, 2])
    batches.device = torch.device("cuda")
    found = label_influence(decoder.cuda(), batches, [0, 4, 2])
    np.testing.assert_allclose(found.log_odds, wanted.log_odds, atol=1e-4)


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ([3], r"two or more different classes, got \[3\]"),
        ([3, 3], r"two or more different classes, got \[3, 3\]"),
        ([0, 7], r"in 0\.\.6, got \[0, 7\]"),
        ([-1, 0], r"in 0\.\.6, got \[-1, 0\]"),
    ],
)
def test_labels_that_are_no_classes_are_refused(decoder, labels, message):
    with pytest.raises(ValueError, match=message):
        label_influence(decoder, make_batches(), labels)
    with pytest.raises(ValueError, match=message):
        cooccurrence_lift(np.eye(NUM_CLASSES, dtype=bool), labels)


def test_batches_that_are_none_are_refused(decoder):
    with pytest.raises(ValueError, match="at least one batch"):
        label_influence(decoder, [], [0, 1])
    wrong = {"maps": torch.rand(2, POSITIONS, DIM), "probs": torch.rand(2, NUM_CLASSES + 1)}
    with pytest.raises(ValueError, match=r"probs must be floats \(2, 7\)"):
        label_influence(decoder, [wrong], [0, 1])


def test_lift_by_hand():
    # A with B on 3 images, A alone on 1, B alone on 2, neither on 4.
    rows = [(1, 1, 0)] * 3 + [(1, 0, 0)] + [(0, 1, 0)] * 2 + [(0, 0, 0)] * 4
    lift = cooccurrence_lift(np.array(rows, dtype=bool), [0, 1, 2])
    assert lift[0, 1] == lift[1, 0] == pytest.approx(math.log(3.5 * 4.5 / (1.5 * 2.5)))
    assert lift[0, 2] == pytest.approx(math.log(0.5 * 6.5 / (4.5 * 0.5)))  # no image has label 2
    assert np.isnan(np.diag(lift)).all()


def test_lift_equals_scipy_pair_by_pair():
    targets = np.random.default_rng(0).random((60, 6)) < 0.4
    targets[:, 5] = ~targets[:, 0]  # never together
    labels = [5, 2, 0, 3]
    lift = cooccurrence_lift(targets, labels)
    for a, one in enumerate(labels):
        for b, other in enumerate(labels):
            if a == b:
                continue
            pair = targets[:, one], targets[:, other]
            counts = [[np.sum((pair[0] == i) & (pair[1] == j)) for j in (1, 0)] for i in (1, 0)]
            doubled = 2 * np.array(counts) + 1  # whole numbers of the same ratio
            assert lift[a, b] == pytest.approx(
                math.log(odds_ratio(doubled, kind="sample").statistic)
            )
    assert lift[0, 2] == np.nanmin(lift) < -5


def test_agreement_is_the_correlation_of_ranks_off_the_diagonal():
    random = np.random.default_rng(0)
    influence, lift = random.normal(size=(2, 5, 5))
    lift[:, 3] = lift[:, 2]  # with ties
    pairs = [(a, b) for a in range(5) for b in range(5) if a != b]
    ranks = [rankdata([values[pair] for pair in pairs]) for values in (influence, lift)]
    for values in (influence, lift):
        np.fill_diagonal(values, np.nan)
    found = influence_agreement(influence, lift)
    assert found.pairs == 20
    assert found.correlation == pytest.approx(np.corrcoef(*ranks)[0, 1])
    assert influence_agreement(lift**3, lift).correlation == pytest.approx(1)
    assert influence_agreement(-lift, lift).correlation == pytest.approx(-1)


def test_agreement_with_a_constant_is_undefined():
    assert math.isnan(influence_agreement(np.ones((3, 3)), np.arange(9).reshape(3, 3)).correlation)


@pytest.mark.parametrize(
    ("influence", "lift", "message"),
    [
        (np.ones((2, 2)), np.ones((3, 3)), r"got \(2, 2\) and \(3, 3\)"),
        (np.ones((2, 3)), np.ones((2, 3)), r"must both be \(L, L\)"),
        (np.ones(4), np.ones(4), r"must both be \(L, L\)"),
        (np.full((2, 2), np.nan), np.ones((2, 2)), "finite values"),
        (np.ones((1, 1)), np.ones((1, 1)), "at least two labels"),
    ],
)
def test_matrices_that_do_not_fit_are_refused(influence, lift, message):
    with pytest.raises(ValueError, match=message):
        influence_agreement(influence, lift)
