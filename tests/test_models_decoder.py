import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from reference_decoder import ReferenceDecoder, make_decoder, make_inputs
from torch import nn

from imet_utils.models import order_free_loss
from imet_utils.models.decoder import LabelAttention


def run_reference(decoder, maps, probs, num_steps):
    pairs = zip(maps, probs, strict=True)
    return torch.stack([ReferenceDecoder(decoder).run(*pair, num_steps) for pair in pairs])


@given(
    num_classes=st.integers(1, 9),
    num_steps=st.integers(1, 12),
    batch=st.integers(1, 3),
    positions=st.integers(1, 5),
    dim=st.integers(1, 6),
    decoder_dim=st.integers(1, 5),
    residual=st.booleans(),
    by_labels=st.booleans(),
    seed=st.integers(0, 1000),
)
def test_logits_and_gradients_equal_the_equations(
    num_classes, num_steps, batch, positions, dim, decoder_dim, residual, by_labels, seed
):
    torch.manual_seed(seed)
    options = {"residual": residual, "attend_by_labels": by_labels}
    decoder = make_decoder(num_classes, dim, decoder_dim=decoder_dim, **options).double()
    data = make_inputs(batch, positions, dim, num_classes)
    maps, probs = (values.double().requires_grad_() for values in data)
    targets = torch.rand(batch, num_classes) > 0.5
    found, wanted = decoder(maps, probs, num_steps), run_reference(decoder, maps, probs, num_steps)
    torch.testing.assert_close(found, wanted)
    inputs = [maps, probs, *decoder.parameters()]
    losses = order_free_loss(found, targets), order_free_loss(wanted, targets)
    gradients = (torch.autograd.grad(loss, inputs, allow_unused=True) for loss in losses)
    for ours, theirs in zip(*gradients, strict=True):
        torch.testing.assert_close(ours, theirs)


def test_residual_steps_clamp_probabilities_of_nought_and_one():
    decoder = make_decoder(residual=True).double()
    maps = torch.rand(2, 4, 6).double()
    probs = torch.tensor([[0.0, 1.0, 1e-9, 1 - 1e-9, 0.5, 1e-6, 1.0]] * 2).double()
    torch.testing.assert_close(decoder(maps, probs, 5), run_reference(decoder, maps, probs, 5))
    assert decoder.float()(maps.float(), probs.float(), 5).isfinite().all()


def test_dropout_acts_in_training_and_never_in_step():
    decoder = make_decoder().train()
    maps, probs = make_inputs()
    assert not torch.equal(decoder(maps, probs, 2), decoder(maps, probs, 2))
    chosen = torch.zeros(3, 1, 7, dtype=torch.bool)
    trained = decoder.step(decoder.start(maps), probs.unsqueeze(1), chosen)[0]
    decoder.eval()
    assert torch.equal(decoder(maps, probs, 2), decoder(maps, probs, 2))
    assert torch.equal(trained, decoder.step(decoder.start(maps), probs.unsqueeze(1), chosen)[0])
    torch.testing.assert_close(trained, decoder(maps, probs, 1))


def test_mixed_precision_stays_near():
    decoder = make_decoder(spread=1.0)
    maps, probs = make_inputs()
    plain = decoder(maps, probs, 1)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        mixed = decoder(maps, probs, 1)
        loss = order_free_loss(decoder(maps, probs, 4), torch.rand(3, 7) > 0.5)
    loss.backward()
    torch.testing.assert_close(mixed.float(), plain, atol=0.03, rtol=0.03)
    assert decoder.lstm.weight_ih.grad.isfinite().all()


@pytest.mark.parametrize(
    ("maps", "probs", "named"),
    [((4, 6), (4, 7), "maps"), ((3, 4, 5), (3, 7), "maps"), ((3, 4, 6), (2, 7), "probs")],
)
def test_wrong_shapes_are_refused(maps, probs, named):
    with pytest.raises(ValueError, match=named):
        make_decoder()(torch.rand(maps), torch.rand(probs))


def test_label_logits_are_half_mean_half_attended_evidence():
    attention, maps = LabelAttention(6, 4), torch.randn(2, 5, 6)
    nn.init.constant_(attention.sharpness, 1.5)
    keys = attention.keys(maps)
    powers = (1.5 * keys).exp()
    attended = (powers * keys).sum(dim=1) / powers.sum(dim=1)
    wanted = (keys.mean(dim=1) + attended) / 2
    torch.testing.assert_close(attention.label_logits(keys), wanted)
