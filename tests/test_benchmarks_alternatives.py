from itertools import permutations

import numpy as np
import pytest
import torch
from PIL import Image
from torch.nn import functional

from imet_utils.decoding import beam_search
from imet_utils.models.attncnn_rnn import build_attncnn_rnn
from imet_utils.models.decoder import AttnDecoder
from imet_utils.models.losses import weighted_bce
from imet_utils.views.dataset import ViewDataset

pytestmark = pytest.mark.usefixtures("own_random_state")


@pytest.fixture
def alternatives(load):
    return load("alternatives")


def draw(seed=0, batch=3, steps=4, num_classes=6):
    """Logits (B, 1 + T, C) and targets (B, C)."""
    random = np.random.default_rng(seed)
    logits = random.normal(scale=2, size=(batch, 1 + steps, num_classes))
    return torch.from_numpy(logits), torch.from_numpy(random.random((batch, num_classes)) < 0.5)


def greedy_labels(steps):
    """The most probable label of each step (T, C) that no step before named."""
    named = []
    for logits in steps.tolist():
        named.append(max((c for c in range(len(logits)) if c not in named), key=logits.__getitem__))
    return named


def least_cost(costs, kept=()):
    """The least total cost over all orders of the labels that leave the kept (step, label) be."""
    return min(
        sum(costs[step, label] for step, label in enumerate(order))
        for order in permutations(range(costs.shape[1]), min(costs.shape))
        if all(order[step] == label for step, label in kept)
    )


def reference_loss(logits, targets, keep_predicted):
    totals, count = 0.0, 0
    for steps, row in zip(logits[:, 1:], targets, strict=True):
        labels = row.nonzero().flatten().tolist()
        costs = -steps.log_softmax(dim=-1)[:, labels].numpy()
        named = enumerate(greedy_labels(steps)[: len(labels)])
        kept = [(step, labels.index(label)) for step, label in named if label in labels]
        totals += least_cost(costs, kept if keep_predicted else ())
        count += min(costs.shape)
    classifier = weighted_bce(logits[:, 0], targets).item()
    return classifier + totals / max(count, 1) / targets.shape[1]


@pytest.mark.parametrize("keep_predicted", [True, False])
@pytest.mark.parametrize("seed", range(8))
def test_loss_is_the_least_over_all_orders(alternatives, seed, keep_predicted):
    logits, targets = draw(seed, steps=1 + seed % 4)
    loss = alternatives.aligned_loss(logits, targets, keep_predicted).item()
    assert loss == pytest.approx(reference_loss(logits, targets, keep_predicted), rel=1e-9)


def test_alignments_by_hand(alternatives):
    steps = torch.tensor([[[1.0, 3.0, 0.0, 2.0], [3.5, 0.0, 0.0, 3.0], [0.0, 0.0, 0.0, 1.0]]])
    targets = torch.tensor([[True, True, False, False]])
    assert alternatives.predicted_labels(steps).tolist() == [[1, 0, 3]]
    assert alternatives.align_batch(steps, targets, True).tolist() == [[1, 0, -1]]
    targets = torch.tensor([[True, False, False, True]])  # 0 was named at step 1; 3 is left over
    assert alternatives.align_batch(steps, targets, True).tolist() == [[3, 0, -1]]
    steps[0, :2, 3] = torch.tensor([-9.0, 3.4])  # so that 3 costs less at step 1 than 0 does
    assert alternatives.align_batch(steps, targets, True).tolist() == [[3, 0, -1]]
    assert alternatives.align_batch(steps, targets, False).tolist() == [[0, 3, -1]]


def test_predicted_labels_are_those_of_greedy_decoding(alternatives):
    decoder = AttnDecoder(9, 6, attn_dim=5, decoder_dim=4, dropout=0.0).eval()
    maps, probs = torch.rand(4, 9, 6), torch.rand(4, 9)
    wanted = beam_search(decoder, maps, probs, 1, 5).labels[:, 0]
    assert torch.equal(alternatives.predicted_labels(decoder(maps, probs, 5)), wanted)


@pytest.mark.parametrize("keep_predicted", [True, False])
def test_gradient_is_that_of_cross_entropy_at_the_first_steps_only(alternatives, keep_predicted):
    logits, _ = draw(batch=2)
    targets = torch.tensor([[False, True, False, False, True, False], [False] * 6])
    logits.requires_grad_()
    alternatives.aligned_loss(logits, targets, keep_predicted).backward()
    assert not logits.grad[1, 1:].any()
    assert not logits.grad[0, 3:].any()
    steps = logits[0, 1:3].detach()
    labels = alternatives.align_batch(steps[None], targets[:1], keep_predicted)[0]
    assert sorted(labels.tolist()) == [1, 4]
    wanted = (steps.softmax(dim=-1) - functional.one_hot(labels, 6)) / 2 / 6
    torch.testing.assert_close(logits.grad[0, 1:3], wanted)


def test_a_batch_without_labels_has_the_classifiers_loss_alone(alternatives):
    logits, targets = draw()
    nothing = torch.zeros_like(targets)
    loss = alternatives.aligned_loss(logits, nothing, True)
    torch.testing.assert_close(loss, weighted_bce(logits[:, 0], nothing))


def test_named_probs_by_hand(alternatives):
    logits = torch.tensor([[[0.0, 0.0], [0.0, 0.0], [np.log(3.0), 0.0]]]).double()
    # The steps give label 0 a half and three quarters: 1 - 1/2 * 1/4 = 7/8; label 1 5/8.
    wanted = torch.tensor([[(0.5 + 7 / 8) / 2, (0.5 + 5 / 8) / 2]]).double()
    torch.testing.assert_close(alternatives.named_probs(logits), wanted)


def make_rnn():
    return build_attncnn_rnn({"maps": 5, "pooled": 4}, 7, width=4, attend_by_labels=False)


def test_aligned_rnn_gives_steps_in_training_and_one_answer_after(alternatives):
    model = alternatives.AlignedRnn(make_rnn(), 6)
    inputs = {"maps": torch.rand(3, 9, 5), "pooled": torch.rand(3, 4)}
    assert model(**inputs).shape == (3, 7, 7)
    answer = model.eval()(**inputs)
    wanted = alternatives.named_probs(model.rnn(**inputs))
    torch.testing.assert_close(answer.sigmoid(), wanted)


def test_padding_keeps_the_pixels_in_the_middle(alternatives):
    tall = Image.fromarray(np.random.default_rng(0).integers(0, 255, (40, 20, 3), dtype=np.uint8))
    padded = np.asarray(alternatives.pad_to_square(tall))
    assert padded.shape == (40, 40, 3)
    assert (padded[:, 10:30] == np.asarray(tall)).all()
    assert (padded[:, :10] == 127).all()
    assert (padded[:, 30:] == 127).all()


@pytest.mark.parametrize(
    ("size", "kept"), [((100, 80), (100, 80)), ((200, 80), (120, 80)), ((50, 300), (50, 75))]
)
def test_only_long_images_are_cropped(alternatives, size, kept):
    image = Image.linear_gradient("L").resize(size).convert("RGB")
    cropped = alternatives.crop_if_long(image)
    assert cropped.size == kept
    left, top = (size[0] - kept[0]) // 2, (size[1] - kept[1]) // 2
    box = (left, top, left + kept[0], top + kept[1])
    assert cropped.tobytes() == image.crop(box).tobytes()


@pytest.mark.parametrize(
    ("train", "has_culture", "changed"), [(True, False, 6), (True, True, 1), (False, False, 1)]
)
def test_only_views_of_the_whole_image_are_reshaped(
    alternatives, tmp_path, train, has_culture, changed
):
    pixels = np.random.default_rng(0).integers(0, 255, (90, 40, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    given = ([tmp_path / "a.png"], ["a"], [has_culture], train)
    usual = ViewDataset(*given)
    reshaped = alternatives.ReshapedDataset(alternatives.pad_to_square, *given)
    same = [torch.equal(*pair) for pair in zip(usual[0], reshaped[0], strict=True)]
    assert same == [False] * changed + [True] * (6 - changed)
    assert reshaped.fingerprint() != usual.fingerprint()
