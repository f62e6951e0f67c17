import pytest
import torch
from torch import nn

from imet_utils.models import Components, MlpClassifier, Rnn, Standardise, fit_statistics

DIMS = {"pooled": 4, "hog": 3}
NUM_CLASSES, POSITIONS, DIM = 5, 6, 7


def make_vectors(batch=8):
    return {"pooled": torch.randn(batch, 4), "hog": 100 + 20 * torch.randn(batch, 3)}


def make_model():
    """An AttnCNN-RNN with statistics, whose steps differ clearly."""
    model = Rnn(width=4).build({"maps": DIM, **DIMS}, NUM_CLASSES)
    with torch.no_grad():
        for weights in model.decoder.parameters():
            weights.mul_(3)
    fit_statistics(model, [{"maps": make_maps(), **make_vectors()} for _ in range(3)])
    return model.eval()


def make_maps(batch=8):
    return 3 + 2 * torch.randn(batch, POSITIONS, DIM)


def test_classifier_equals_a_computation_by_hand():
    model = MlpClassifier(DIMS, NUM_CLASSES, hidden_dim=6)
    fit_statistics(model, [make_vectors()])
    vectors = make_vectors(2)
    norms = model.standardise
    rows = [(vectors[name] - norms[name].mean) / norms[name].std for name in DIMS]
    _, first, _, _, last = model.layers
    hidden = (torch.cat(rows, dim=1) @ first.weight.T + first.bias).clamp(min=0)
    torch.testing.assert_close(model.eval()(**vectors), hidden @ last.weight.T + last.bias)


def test_components_are_whitened_principal_components():
    rows = torch.randn(40, 6) @ torch.randn(6, 9) + 5
    model = MlpClassifier({"hog": 9}, NUM_CLASSES, components={"hog": 3})
    fit_statistics(model, [{"hog": rows[:25]}, {"hog": rows[25:]}])
    found = model.standardise["hog"](rows)
    centred = (rows - rows.mean(dim=0)).double()
    wanted = torch.linalg.svd(centred)[0][:, :3] * 39**0.5
    torch.testing.assert_close(found.abs(), wanted.abs().float(), rtol=1e-3, atol=1e-3)
    assert model.layers[1].in_features == 3


def test_components_beyond_the_rank_are_zero():
    part = Components(4, 3)
    part.fit(torch.tensor([[1.0, 2, 3, 4], [3.0, 2, 1, 4]]))
    found = part(torch.tensor([[1.0, 2, 3, 4], [2.0, 2, 2, 9]]))
    torch.testing.assert_close(found.abs(), torch.tensor([[0.5**0.5, 0, 0], [0, 0, 0]]))


def test_logits_are_those_of_the_classifier_the_steps_and_the_evidence():
    model, maps, vectors = make_model(), make_maps(), make_vectors()
    logits = model(maps, **vectors)
    assert logits.shape == (8, 1 + 3 + 1, NUM_CLASSES)
    first = model.classifier(**vectors)
    assert torch.equal(logits[:, 0], first)
    inputs = model.decoder_inputs(maps, **vectors)
    norm = model.standardise
    torch.testing.assert_close(inputs[0], (maps - norm.mean) / norm.std)
    torch.testing.assert_close(inputs[1], first.sigmoid())
    assert torch.equal(logits[:, 1:-1], model.decoder(*inputs, 3))
    attention = model.decoder.attention
    assert torch.equal(logits[:, -1], attention.label_logits(attention.keys(inputs[0])))


def test_additive_attention_gives_no_evidence_of_its_own():
    dims = {"maps": DIM, **DIMS}
    model = Rnn(width=4, attention="additive").build(dims, NUM_CLASSES).eval()
    maps, vectors = make_maps(), make_vectors()
    inputs = model.decoder_inputs(maps, **vectors)
    wanted = [model.classifier(**vectors).unsqueeze(1), model.decoder(*inputs, model.num_steps)]
    assert torch.equal(model(maps, **vectors), torch.cat(wanted, dim=1))
    with pytest.raises(ValueError, match="attends by labels"):
        model.label_attention(maps, **vectors)


@pytest.mark.parametrize("training", [True, False])
def test_statistics_are_those_of_all_rows_whatever_the_batches_and_the_mode(training):
    model = Rnn(width=4).build({"maps": DIM, "pooled": 4}, NUM_CLASSES).train(training)
    batches = [{"maps": 1000 + make_maps(size), "pooled": torch.randn(size, 4)} for size in (5, 1)]
    fit_statistics(model, batches)
    assert model.training == training
    parts = {"maps": model.standardise, "pooled": model.classifier.standardise["pooled"]}
    model(maps=make_maps(), pooled=torch.randn(8, 4))  # which changes none
    for name, part in parts.items():
        rows = torch.cat([batch[name].flatten(0, -2) for batch in batches]).double()
        torch.testing.assert_close(part.mean, rows.mean(dim=0).float())
        torch.testing.assert_close(part.std, rows.std(dim=0, correction=0).float())


def test_a_channel_that_never_changes_stays_small():
    model = nn.Sequential(Standardise(3))
    fit_statistics(model, [{"input": torch.full((2, 6, 3), 5.0)}])
    assert torch.equal(model(torch.full((1, 3), 5.0)), torch.zeros(1, 3))
