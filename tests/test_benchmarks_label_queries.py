import pytest
import torch
from torch.nn import functional

pytestmark = pytest.mark.usefixtures("own_random_state")


@pytest.fixture
def make_model(load):
    """Return a function that makes a model in eval mode, no weight of which is 0 or 1."""
    classifier = load("label_queries").LabelQueryClassifier

    def make(num_classes=5, encoder_dim=6, **settings):
        model = classifier(num_classes, encoder_dim, **{"dim": 8, "num_heads": 2, **settings})
        with torch.no_grad():
            for weights in model.parameters():
                weights.add_(0.2 * torch.randn_like(weights))
        model.standardise.mean.normal_()
        model.standardise.std.uniform_(0.5, 2)
        return model.eval()

    return make


def attend(attention, query, memory):
    """Multi-head attention of one query (D,) to memory (P, D), a head at a time."""
    weights, biases = attention.in_proj_weight.chunk(3), attention.in_proj_bias.chunk(3)
    q, k, v = (
        rows @ weight.T + bias
        for rows, weight, bias in zip((query, memory, memory), weights, biases, strict=True)
    )
    size = len(query) // attention.num_heads
    context = []
    for start in range(0, len(query), size):
        head = slice(start, start + size)
        shares = (k[:, head] @ q[head] / size**0.5).softmax(dim=0)  # (P,)
        context.append(shares @ v[:, head])
    return attention.out_proj.weight @ torch.cat(context) + attention.out_proj.bias


def reference_logit(model, maps, label):
    """The logit of one label on the maps (P, E) of one image, step by step."""
    rows = (maps - model.standardise.mean) / model.standardise.std
    memory = rows @ model.project.weight.T + model.project.bias
    query = model.queries[label]
    output = model.attention_norm(query + attend(model.attention, query, memory))
    enter, _, _, leave = model.feed_forward
    hidden = (enter.weight @ output + enter.bias).clamp(min=0)
    output = model.output_norm(output + leave.weight @ hidden + leave.bias)
    return output @ model.fc.weight[label] + model.fc.bias[label]


@pytest.mark.parametrize("settings", [{}, {"num_heads": 1}, {"num_heads": 4, "dim": 12}])
def test_forward_equals_a_loop_over_images_and_labels(make_model, settings):
    model = make_model(**settings)
    maps = torch.randn(3, 4, 6)
    with torch.no_grad():
        wanted = [[reference_logit(model, image, label) for label in range(5)] for image in maps]
    torch.testing.assert_close(model(maps), torch.tensor(wanted), atol=1e-5, rtol=1e-5)


def test_images_do_not_touch_one_another_in_eval_mode(make_model):
    model = make_model()
    maps = torch.randn(3, 4, 6)
    alone = torch.cat([model(image.unsqueeze(0)) for image in maps])
    torch.testing.assert_close(model(maps), alone)
    assert torch.equal(model(maps), model(maps))


def test_a_logit_depends_on_its_own_query_alone(make_model):
    model = make_model()
    maps = torch.randn(2, 4, 6)
    before = model(maps)
    with torch.no_grad():
        model.queries[2] += 1
    moved = model(maps) != before
    assert moved[:, 2].all()
    torch.testing.assert_close(model(maps)[:, [0, 1, 3, 4]], before[:, [0, 1, 3, 4]])
    model(maps)[:, 2].sum().backward()
    for weights in (model.queries, model.fc.weight):
        assert weights.grad.any(dim=1).tolist() == [False, False, True, False, False]


def draw_marked_maps(batch, positions=9, dim=6, num_classes=4):
    """Noise with the sign of each label at one random position: dimension c says label c."""
    maps = 0.3 * torch.randn(batch, positions, dim)
    targets = torch.rand(batch, num_classes) < 0.4
    places = torch.rand(batch, positions).argsort(dim=1)[:, :num_classes]  # (B, C) all different
    image, label = targets.nonzero(as_tuple=True)
    maps[image, places[image, label], label] += 4
    return maps, targets


def test_learns_labels_that_one_position_each_gives(make_model):
    model = make_model(num_classes=4, dim=16, dropout=0.0).train()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    for _ in range(150):
        maps, targets = draw_marked_maps(64)
        loss = functional.binary_cross_entropy_with_logits(model(maps), targets.float())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    maps, targets = draw_marked_maps(200)
    assert ((model.eval()(maps) > 0) == targets).float().mean() > 0.98
