import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from reference_decoder import ReferenceDecoder, make_decoder, make_inputs

from imet_utils.models import order_free_loss


def run_both(decoder, maps, probs, num_steps):
    """Run the decoder, and the reference on each image."""
    pairs = zip(maps, probs, strict=True)
    wanted = [ReferenceDecoder(decoder).run(*pair, num_steps) for pair in pairs]
    return decoder(maps, probs, num_steps), torch.stack(wanted)


@given(
    sizes=st.tuples(*(st.integers(1, most) for most in (9, 12, 3, 5, 6, 5))),
    residual=st.booleans(),
    by_labels=st.booleans(),
    seed=st.integers(0, 1000),
)
def test_logits_and_gradients_equal_the_equations(sizes, residual, by_labels, seed):
    num_classes, num_steps, batch, positions, dim, decoder_dim = sizes
    torch.manual_seed(seed)
    options = {"residual": residual, "attend_by_labels": by_labels}
    decoder = make_decoder(num_classes, dim, decoder_dim=decoder_dim, **options).double()
    data = make_inputs(batch, positions, dim, num_classes)
    maps, probs = (values.double().requires_grad_() for values in data)
    targets = torch.rand(batch, num_classes) > 0.5
    found, wanted = run_both(decoder, maps, probs, num_steps)
    torch.testing.assert_close(found, wanted)
    inputs = [maps, probs, *decoder.parameters()]
    losses = (order_free_loss(logits, targets) for logits in (found, wanted))
    gradients = [torch.autograd.grad(loss, inputs, allow_unused=True) for loss in losses]
    torch.testing.assert_close(*gradients)


def test_residual_steps_clamp_probabilities_of_nought_and_one():
    decoder, maps = make_decoder(residual=True), torch.rand(2, 4, 6)
    probs = torch.tensor([[0.0, 1.0, 1e-9, 1 - 1e-9, 0.5, 1e-6, 1.0]] * 2)
    assert decoder(maps, probs, 5).isfinite().all()
    torch.testing.assert_close(*run_both(decoder.double(), maps.double(), probs.double(), 5))


def test_dropout_acts_in_training_and_never_in_step():
    decoder, (maps, probs) = make_decoder().train(), make_inputs()
    assert not torch.equal(decoder(maps, probs, 2), decoder(maps, probs, 2))
    chosen = torch.zeros(3, 1, 7, dtype=torch.bool)
    step = decoder.step(decoder.start(maps), probs.unsqueeze(1), chosen)[0]
    torch.testing.assert_close(step, decoder.eval()(maps, probs, 1))


def test_mixed_precision_stays_near():
    decoder, (maps, probs) = make_decoder(spread=1.0), make_inputs()
    plain = decoder(maps, probs, 1)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        mixed = decoder(maps, probs, 1)
    torch.testing.assert_close(mixed.float(), plain, atol=0.03, rtol=0.03)
    mixed.sum().backward()
    assert decoder.lstm.weight_ih.grad.isfinite().all()


@pytest.mark.parametrize(
    ("maps", "probs", "named"),
    [((4, 6), (4, 7), "maps"), ((3, 4, 5), (3, 7), "maps"), ((3, 4, 6), (2, 7), "probs")],
)
def test_wrong_shapes_are_refused(maps, probs, named):
    with pytest.raises(ValueError, match=named):
        make_decoder()(torch.rand(maps), torch.rand(probs))
