import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from reference_decoder import ReferenceDecoder, make_decoder, make_inputs
from torch import nn

from imet_utils.models import order_free_loss
from imet_utils.models.decoder import LabelAttention


def assert_equals_reference(decoder, maps, probs, num_steps):
    logits = decoder(maps, probs, num_steps).detach().numpy()
    reference = ReferenceDecoder(decoder)
    for b in range(len(maps)):
        wanted, _, _ = reference.run(maps[b].double().numpy(), probs[b].double().numpy(), num_steps)
        assert logits[b].shape == wanted.shape
        np.testing.assert_allclose(logits[b], wanted, atol=1e-5, rtol=1e-5)


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
def test_forward_equals_the_equations(
    num_classes, num_steps, batch, positions, dim, decoder_dim, residual, by_labels, seed
):
    torch.manual_seed(seed)
    options = {"residual": residual, "attend_by_labels": by_labels}
    decoder = make_decoder(num_classes, dim, decoder_dim=decoder_dim, **options)
    maps, probs = make_inputs(batch, positions, dim, num_classes)
    assert_equals_reference(decoder.double(), maps.double(), probs.double(), num_steps)


def test_residual_steps_clamp_probabilities_of_nought_and_one():
    decoder = make_decoder(residual=True).double()
    maps = torch.rand(2, 4, 6).double()
    probs = torch.tensor([[0.0, 1.0, 1e-9, 1 - 1e-9, 0.5, 1e-6, 1.0]] * 2).double()
    assert_equals_reference(decoder, maps, probs, 5)
    assert decoder.float()(maps.float(), probs.float(), 5).isfinite().all()


@pytest.mark.parametrize("options", [{}, {"residual": True}, {"attend_by_labels": True}])
def test_gradient_is_that_of_the_steps_taken_one_by_one(options):
    decoder = make_decoder(**options).double()
    maps, probs = (values.double().requires_grad_() for values in make_inputs())
    targets = torch.rand(3, 7) > 0.5
    inputs = [maps, probs, *decoder.parameters()]
    fast = torch.autograd.grad(order_free_loss(decoder(maps, probs, 5), targets), inputs)

    state, previous, steps = decoder.start(maps), probs.unsqueeze(1), []
    chosen = torch.zeros(3, 1, 7, dtype=torch.bool)
    for _ in range(5):
        logits, _, state = decoder.step(state, previous, chosen)
        steps.append(logits)
        label = logits.masked_fill(chosen, -torch.inf).argmax(-1, keepdim=True)
        chosen, previous = chosen.scatter(-1, label, True), logits.sigmoid()
    plain = torch.autograd.grad(order_free_loss(torch.cat(steps, 1), targets), inputs)
    for ours, theirs in zip(fast, plain, strict=True):
        torch.testing.assert_close(ours, theirs)


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
    for b in range(2):
        for c in range(4):
            evidence = keys[b, :, c]
            weights = (1.5 * evidence).exp() / (1.5 * evidence).exp().sum()
            wanted = (evidence.mean() + weights @ evidence) / 2
            torch.testing.assert_close(attention.label_logits(keys)[b, c], wanted)
