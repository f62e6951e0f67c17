import pytest
import torch

from imet_utils.attncnn_rnn import AttnCnnRnn, MlpClassifier, build_attncnn_rnn
from imet_utils.losses import order_free_loss
from imet_utils.models import AttnDecoder
from imet_utils.standardise import calibrate

pytestmark = pytest.mark.usefixtures("own_random_state")

DIMS = {"pooled": 4, "hog": 3}
NUM_CLASSES, POSITIONS, DIM = 5, 6, 7


def make_vectors(batch=8):
    return {"pooled": torch.randn(batch, 4), "hog": 100 + 20 * torch.randn(batch, 3)}


def make_model(num_steps=3, by_labels=True, **options):
    """A calibrated AttnCNN-RNN whose steps differ clearly."""
    classifier = MlpClassifier(DIMS, NUM_CLASSES, hidden_dim=6)
    sizes = {"attn_dim": 5, "decoder_dim": 4, "residual": True, "attend_by_labels": by_labels}
    decoder = AttnDecoder(NUM_CLASSES, DIM, **sizes)
    with torch.no_grad():
        for weights in decoder.parameters():
            weights.mul_(3)
    model = AttnCnnRnn(classifier, decoder, num_steps, **options)
    calibrate(model, [{"maps": make_maps(), **make_vectors()} for _ in range(3)])
    return model.eval()


def make_maps(batch=8):
    return 3 + 2 * torch.randn(batch, POSITIONS, DIM)


def test_classifier_equals_a_computation_by_hand():
    model = MlpClassifier(DIMS, NUM_CLASSES, hidden_dim=6)
    calibrate(model, [make_vectors()])
    model.eval()
    vectors = make_vectors(2)
    rows = []
    for name in DIMS:
        norm = model.standardise[name]
        rows.append((vectors[name] - norm.mean) / norm.std)
    _, first, _, _, last = model.layers
    hidden = (torch.cat(rows, dim=1) @ first.weight.T + first.bias).clamp(min=0)
    torch.testing.assert_close(model(**vectors), hidden @ last.weight.T + last.bias)


def test_classifier_takes_vectors_of_any_scale():
    model = MlpClassifier(DIMS, NUM_CLASSES).eval()
    pooled, hog = make_vectors(32).values()
    logits = []
    for vectors in ({"pooled": pooled, "hog": hog}, {"pooled": 99 * pooled - 30, "hog": hog / 7}):
        calibrate(model, [vectors])
        logits.append(model(**vectors))
    torch.testing.assert_close(logits[1], logits[0], atol=1e-3, rtol=1e-3)


def test_order_of_the_vectors_is_irrelevant_and_their_names_are_not():
    model = MlpClassifier(DIMS, NUM_CLASSES).eval()
    pooled, hog = make_vectors().values()
    assert torch.equal(model(hog=hog, pooled=pooled), model(pooled=pooled, hog=hog))
    for wrong in ({"pooled": pooled}, {"pooled": pooled, "hog": hog, "style": hog}):
        with pytest.raises(ValueError, match=r"wanted the vectors \('pooled', 'hog'\)"):
            model(**wrong)


def test_logits_are_those_of_the_classifier_the_steps_and_the_evidence():
    model, maps, vectors = make_model(), make_maps(), make_vectors()
    logits = model(maps, **vectors)
    assert logits.shape == (8, 1 + 3 + 1, NUM_CLASSES)
    first = model.classifier(**vectors)
    assert torch.equal(logits[:, 0], first)
    inputs = model.decoder_inputs(maps, **vectors)
    torch.testing.assert_close(inputs[1], first.sigmoid())
    assert torch.equal(logits[:, 1:-1], model.decoder(*inputs, 3))
    attention = model.decoder.attention
    assert torch.equal(logits[:, -1], attention.label_logits(attention.keys(inputs[0])))


def test_the_poster_s_attention_gives_no_evidence_of_its_own():
    model, maps, vectors = make_model(by_labels=False), make_maps(), make_vectors()
    logits = model(maps, **vectors)
    assert logits.shape == (8, 1 + 3, NUM_CLASSES)
    assert torch.equal(logits[:, 1:], model.decoder(*model.decoder_inputs(maps, **vectors), 3))


def test_maps_are_standardised_by_channel():
    model = make_model(map_dropout=0.0)
    maps, norm = make_maps(), model.standardise
    torch.testing.assert_close(model.prepare_maps(maps), (maps - norm.mean) / norm.std)


def test_evaluation_is_deterministic_and_does_not_depend_on_batch_mates():
    model, maps, vectors = make_model(), make_maps(), make_vectors()
    together = model(maps, **vectors)
    assert torch.equal(model(maps, **vectors), together)
    for b in range(8):
        alone = model(maps[b : b + 1], **{name: v[b : b + 1] for name, v in vectors.items()})
        torch.testing.assert_close(alone, together[b : b + 1], atol=1e-5, rtol=1e-4)
    model.train()
    assert not torch.equal(model(maps, **vectors), model(maps, **vectors))


def test_the_loss_teaches_classifier_and_decoder():
    model = make_model().train()
    targets = torch.rand(8, NUM_CLASSES) > 0.5
    order_free_loss(model(make_maps(), **make_vectors()), targets).backward()
    for name, weights in model.named_parameters():
        assert weights.grad is not None, name
        assert weights.grad.isfinite().all(), name
    for part in (model.classifier.layers[1], model.classifier.layers[-1], model.decoder.fc2):
        assert part.weight.grad.abs().max() > 0


def test_the_classifier_learns_from_the_decoder_s_steps_too():
    model = make_model()
    model(make_maps(), **make_vectors())[:, 1:-1].square().mean().backward()
    assert model.classifier.layers[-1].weight.grad.abs().max() > 0


def test_build_makes_a_classifier_of_all_inputs_but_the_maps():
    model = build_attncnn_rnn({"maps": DIM, **DIMS}, NUM_CLASSES, width=4)
    assert model.classifier.names == ("pooled", "hog")
    assert model.decoder.residual
    assert (model.decoder.encoder_dim, model.decoder.lstm.hidden_size) == (DIM, 4)
    with torch.no_grad():
        logits = model.eval()(make_maps(), **make_vectors())
    assert logits.shape == (8, 1 + model.num_steps + 1, NUM_CLASSES)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: MlpClassifier({}, 2), "sizes"),
        (lambda: MlpClassifier({"pooled": 0}, 2), "sizes"),
        (lambda: MlpClassifier(DIMS, 0), "0 classes"),
        (lambda: MlpClassifier(DIMS, 2, hidden_dim=0), "sizes"),
        (lambda: make_model(num_steps=0), "num_steps"),
        (lambda: make_model(map_dropout=1.0), "map_dropout"),
        (lambda: make_model()(make_maps()[0], **make_vectors()), "maps"),
        (lambda: build_attncnn_rnn({"maps": DIM}, NUM_CLASSES), "sizes"),
    ],
)
def test_wrong_arguments_are_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
