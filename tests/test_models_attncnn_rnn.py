import pytest
import torch

from imet_utils.models import Components, MlpClassifier, Rnn, fit_statistics

DIMS = {"pooled": 4, "hog": 3}
NUM_CLASSES, POSITIONS, DIM = 5, 6, 7


def make_vectors(batch=8):
    return {"pooled": torch.randn(batch, 4), "hog": 100 + 20 * torch.randn(batch, 3)}


def make_maps(batch=8):
    return 3 + 2 * torch.randn(batch, POSITIONS, DIM)


def test_classifier_equals_a_computation_by_hand_with_whitened_principal_components():
    model = MlpClassifier({"pooled": 4, "hog": 9}, NUM_CLASSES, 6, components={"hog": 3})
    pooled, hog = torch.randn(40, 4), torch.randn(40, 6) @ torch.randn(6, 9) + 5
    parts = zip(pooled.split(25), hog.split(25), strict=True)
    fit_statistics(model, [{"pooled": some, "hog": others} for some, others in parts])
    found = model.standardise["hog"](hog)
    wanted = torch.linalg.svd((hog - hog.mean(dim=0)).double())[0][:, :3] * 39**0.5
    torch.testing.assert_close(found.abs(), wanted.abs().float(), rtol=1e-3, atol=1e-3)
    pairs = [((pooled - pooled.mean(dim=0)) / pooled.std(dim=0, correction=0)), found]
    _, first, _, _, last = model.layers
    hidden = (torch.cat(pairs, dim=1) @ first.weight.T + first.bias).clamp(min=0)
    logits = model.eval()(pooled=pooled, hog=hog)
    torch.testing.assert_close(logits, hidden @ last.weight.T + last.bias)


def test_components_beyond_the_rank_are_zero():
    part = Components(4, 3)
    part.fit(torch.tensor([[1.0, 2, 3, 4], [3.0, 2, 1, 4]]))
    found = part(torch.tensor([[1.0, 2, 3, 4], [2.0, 2, 2, 9]]))
    torch.testing.assert_close(found.abs(), torch.tensor([[0.5**0.5, 0, 0], [0, 0, 0]]))


@pytest.mark.parametrize("attention", ["labels", "additive"])
def test_logits_are_those_of_the_classifier_the_steps_and_the_evidence(attention):
    model = Rnn(width=4, attention=attention).build({"maps": DIM, **DIMS}, NUM_CLASSES)
    fit_statistics(model, [{"maps": make_maps(), **make_vectors()} for _ in range(3)])
    if attention == "labels":
        torch.nn.init.constant_(model.decoder.attention.sharpness, 1.5)
    maps, vectors = make_maps(), make_vectors()
    first, norm = model.eval().classifier(**vectors), model.standardise
    inputs = model.decoder_inputs(maps, **vectors)
    torch.testing.assert_close(inputs, ((maps - norm.mean) / norm.std, first.sigmoid()))
    wanted = [first.unsqueeze(1), model.decoder(*inputs, 3)]
    if attention == "labels":
        keys = model.decoder.attention.keys(inputs[0])
        attended = ((model.decoder.attention.sharpness * keys).softmax(dim=1) * keys).sum(dim=1)
        wanted.append((keys.mean(dim=1) + attended).unsqueeze(1) / 2)
    else:
        with pytest.raises(ValueError, match="attends by labels"):
            model.label_attention(maps, **vectors)
    torch.testing.assert_close(model(maps, **vectors), torch.cat(wanted, dim=1))


@pytest.mark.parametrize("training", [True, False])
def test_statistics_are_those_of_all_rows_whatever_the_batches_and_the_mode(training):
    model = Rnn(width=4).build({"maps": DIM, "pooled": 4}, NUM_CLASSES).train(training)
    batches = [{"maps": 1000 + make_maps(size), "pooled": torch.randn(size, 4)} for size in (5, 1)]
    for batch in batches:
        batch["pooled"][:, 0] = 7.0  # never changes, and must stay small
    fit_statistics(model, batches)
    assert model.training == training
    parts = {"maps": model.standardise, "pooled": model.classifier.standardise["pooled"]}
    model(maps=make_maps(), pooled=torch.randn(8, 4))  # which changes none
    for name, part in parts.items():
        rows = torch.cat([batch[name].flatten(0, -2) for batch in batches]).double()
        torch.testing.assert_close(part.mean, rows.mean(dim=0).float())
        std = rows.std(dim=0, correction=0).clamp(min=1e-5**0.5)
        torch.testing.assert_close(part.std, std.float())
