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


class Head(nn.Module):
    """Two inputs, of which one has positions."""

    def __init__(self):
        super().__init__()
        self.maps = Standardise(3)
        self.pooled = Standardise(2)
        self.dropout = nn.Dropout(0.5)

    def forward(self, maps, pooled):
        return self.dropout(self.maps(maps)).sum() + self.pooled(pooled).sum()


def make_batches(sizes=(5, 1, 4), shift=1000.0):
    generator = torch.Generator().manual_seed(0)
    return [
        {
            "maps": shift + torch.randn(size, 6, 3, generator=generator),
            "pooled": 7 * torch.randn(size, 2, generator=generator),
        }
        for size in sizes
    ]


def test_statistics_are_those_of_all_rows_whatever_the_batches():
    head, batches = Head(), make_batches()
    fit_statistics(head, batches)
    for name, dim in (("maps", 3), ("pooled", 2)):
        rows = torch.cat([batch[name].reshape(-1, dim) for batch in batches]).double()
        part = getattr(head, name)
        torch.testing.assert_close(part.mean, rows.mean(dim=0).float())
        torch.testing.assert_close(part.std, rows.std(dim=0, correction=0).float())


def test_a_channel_that_never_changes_stays_small():
    head = Head()
    fit_statistics(head, [{"maps": torch.full((2, 6, 3), 5.0), "pooled": torch.ones(2, 2)}])
    assert torch.equal(head.maps(torch.full((1, 3), 5.0)), torch.zeros(1, 3))


@pytest.mark.parametrize("training", [True, False])
def test_fitting_statistics_leaves_mode_and_hooks_as_they_were(training):
    head = Head().train(training)
    fit_statistics(head, make_batches())
    assert head.training == training
    before = head.maps.mean.clone()
    head(**make_batches(shift=-5.0)[0])
    assert torch.equal(head.maps.mean, before)
