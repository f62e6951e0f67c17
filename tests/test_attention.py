import pytest
import torch

from imet_utils.attention import LabelAttention
from imet_utils.decoding import beam_search
from imet_utils.losses import weighted_bce
from imet_utils.models import AttnDecoder

pytestmark = pytest.mark.usefixtures("own_random_state")

DIM, NUM_CLASSES = 6, 4


def put_label(maps, image, position, label):
    """Set what speaks for a label, its own channel, at one position."""
    maps[image, position, label] = 1.0


def make_attention(sharpness=10.0):
    """An attention whose evidence for label k is channel k."""
    attention = LabelAttention(DIM, NUM_CLASSES)
    with torch.no_grad():
        attention.evidence.weight.copy_(torch.eye(NUM_CLASSES, DIM))
        attention.evidence.bias.zero_()
        attention.sharpness.fill_(sharpness)
    return attention


def test_it_looks_where_the_expected_label_is():
    attention, maps = make_attention(), torch.zeros(1, 9, DIM)
    put_label(maps, 0, 2, label=1)
    put_label(maps, 0, 7, label=3)
    sure = torch.full((1, 2, NUM_CLASSES), -10.0)
    sure[0, 0, 1] = sure[0, 1, 3] = 10.0
    weights = attention(attention.keys(maps), sure)  # (1, 2, 9)
    assert weights.argmax(dim=-1).tolist() == [[2, 7]]
    torch.testing.assert_close(weights.sum(dim=-1), torch.ones(1, 2))


def test_without_evidence_it_looks_everywhere_alike():
    attention = make_attention()
    weights = attention(attention.keys(torch.zeros(2, 4, DIM)), torch.randn(2, 3, NUM_CLASSES))
    torch.testing.assert_close(weights, torch.full((2, 3, 4), 0.25))


def test_beams_look_for_their_next_label_when_the_first_is_named():
    decoder = AttnDecoder(NUM_CLASSES, DIM, decoder_dim=4, residual=True, attend_by_labels=True)
    decoder.attention = make_attention()
    with torch.no_grad():
        decoder.fc2.weight.zero_()
        decoder.fc2.bias.zero_()  # steps leave the probabilities as they are
    maps = torch.zeros(1, 9, DIM)
    for label, position in enumerate((4, 0, 8, 6)):
        put_label(maps, 0, position, label)
    probs = torch.tensor([[0.999, 0.05, 0.0001, 0.9]])
    paths = beam_search(decoder, maps, probs, beam_size=1, max_steps=3)
    assert paths.labels[0, 0].tolist() == [0, 3, 1]
    assert paths.attention[0, 0].argmax(dim=-1).tolist() == [4, 6, 0]


def test_label_logits_are_half_mean_half_attended_evidence():
    attention, maps = make_attention(sharpness=1.5), torch.randn(2, 5, DIM)
    keys = attention.keys(maps)
    for b in range(2):
        for c in range(NUM_CLASSES):
            evidence = keys[b, :, c]
            weights = (1.5 * evidence).exp() / (1.5 * evidence).exp().sum()
            wanted = (evidence.mean() + weights @ evidence) / 2
            torch.testing.assert_close(attention.label_logits(keys)[b, c], wanted)


def test_it_learns_where_labels_are_from_targets_alone():
    attention = LabelAttention(DIM, NUM_CLASSES)
    optimizer = torch.optim.Adam(attention.parameters(), 0.05)
    targets = torch.rand(64, NUM_CLASSES) > 0.5
    places = torch.randint(9, (64, NUM_CLASSES))
    maps = 0.1 * torch.randn(64, 9, DIM)
    for image, label in targets.nonzero().tolist():
        put_label(maps, image, places[image, label], label)
    for _ in range(100):
        loss = weighted_bce(attention.label_logits(attention.keys(maps)), targets)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    expected = torch.eye(NUM_CLASSES).expand(64, -1, -1) * 20  # beam k waits for label k
    peaks = attention(attention.keys(maps), expected).argmax(dim=-1)  # (64, C)
    assert (peaks == places)[targets].float().mean() > 0.9
