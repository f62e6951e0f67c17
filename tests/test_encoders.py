"""Encoders: maps, pooled features and style of any network, folded, by torch and by OpenVINO."""

import copy
from concurrent.futures import ThreadPoolExecutor

import pytest
import timm
import torch
from timm.layers import Conv2dSame
from torch import nn

from imet_utils.encoders import (
    Encoder,
    autocast_dtype,
    build_encoder,
    choose_engine,
    compile_encoder,
    encode_images,
    normalise,
    speed_up,
    style_statistics,
)
from imet_utils.encoders import openvino as openvino_engine
from imet_utils.models import EndToEnd, LinearClassifier

# Of timm's own tests: CNNs, a ConvNeXt, a network whose maps have their channels last, a ViT with a
# class token, one with a register, one that pools by attention; with the stages that tell style.
TINY = {
    "test_resnet": ["act1", "layer1", "layer2", "layer3"],  # with the pooling in act1
    "test_efficientnet": ["blocks.1", "blocks.2", "blocks.3", "blocks.4"],
    "test_convnext": ["stages.0", "stages.1", "stages.2"],
    "test_mambaout": ["stages.0", "stages.1", "stages.2"],
    "test_vit": ["blocks.0", "blocks.2", "blocks.3"],
    "test_vit2": ["blocks.1", "blocks.3", "blocks.5"],
    "test_vit3": ["blocks.1", "blocks.3", "blocks.5"],
}


def random_images(*shape, seed=0):
    return torch.randint(0, 256, shape, dtype=torch.uint8, generator=torch.manual_seed(seed))


@pytest.fixture(scope="module")
def lite():
    return build_encoder("efficientnet_lite0")


def build_tiny(name, size):
    """Make a network, and an encoder that shares its weights."""
    settings = {"img_size": size} if "vit" in name else {}
    net = as_trained(timm.create_model(name, num_classes=0, **settings))
    return net, Encoder(name, net, (0.5,) * 3, (0.25,) * 3, size).requires_grad_(False)


def as_trained(net):
    """Give batch norm something to do, as training does."""
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.5, 1.0)
            nn.init.normal_(module.bias, std=0.1)
            nn.init.normal_(module.running_mean, std=0.1)
            nn.init.uniform_(module.running_var, 0.5, 2.0)
    return net.eval()


@pytest.mark.parametrize(
    ("name", "dim", "num_stages"), [("resnet50", 2048, 5), ("efficientnet_lite0", 1280, 8)]
)
def test_shapes_state_and_stages(name, dim, num_stages):
    encoder = build_encoder(name, "none")
    assert encoder(torch.randn(2, 3, 64, 96))["maps"].shape == (2, 2 * 3, dim)
    assert (encoder.name, encoder.dim, encoder.pooled_dim) == (name, dim, dim)
    assert not encoder.training
    assert not any(parameter.requires_grad for parameter in encoder.parameters())
    assert not any(isinstance(module, nn.BatchNorm2d) for module in encoder.modules())
    stages = encoder.stages()
    assert len(stages) == num_stages
    assert [weights.shape[1] for weights in stages[0] if weights.ndim == 4] == [3]
    found = [id(weights) for stage in stages for weights in stage]
    assert sorted(found) == sorted(map(id, encoder.parameters()))


def test_lite_equals_the_network_of_its_weights(lite, float32):
    """The numbers are those of the package efficientnet-lite-pytorch 0.1.0."""
    row = torch.arange(224)
    image = torch.stack([(row[:, None] + 2 * row + 60 * c) // 3 % 256 for c in range(3)])
    found = encode_images(lite, image.to(torch.uint8)[None])
    pooled = torch.tensor([5.617477, 4.002863, 3.432520, 3.275544, 3.111245, 2.774074])
    style = [-5.399582, 3.342139, -6.585919, -0.294530, 0.866087, 1.794112, 1.040938, 0.745137]
    strongest = [897, 113, 689, 468, 1006, 747]
    torch.testing.assert_close(found["pooled"][0, strongest], pooled, rtol=1e-4, atol=0)
    torch.testing.assert_close(found["style"][0, ::192], torch.tensor(style), rtol=1e-4, atol=1e-4)


def test_a_class_token_stands_beside_the_mean_that_a_network_pools(float32):
    settings = {"num_classes": 0, "img_size": 64, "global_pool": "avg"}
    images = random_images(2, 3, 64, 64)
    for normed, number in ((False, 2), (True, 1)):
        net = timm.create_model("test_vit", **settings, fc_norm=normed).eval()
        encoder = Encoder("small", net, (0.5,) * 3, (0.25,) * 3, 64)
        with torch.no_grad():
            tokens = net.forward_features(normalise(images, encoder.mean, encoder.std))
            mean = net.fc_norm(tokens[:, 1:].mean(dim=1))
            pooled = encode_images(encoder, images)["pooled"]
        wanted = torch.cat([tokens[:, 0], mean][-number:], dim=1)
        torch.testing.assert_close(pooled, wanted)
        assert encoder.pooled_dim == number * 64


@pytest.mark.parametrize("name", TINY)
def test_outputs_are_final_features_their_pooling_and_statistics_of_stages(name, float32):
    """The stages are found by hooks."""

    def lay_out(features):
        if features.ndim == 3:
            return features[:, 1:]  # after a class token or a register
        last = features if name == "test_mambaout" else features.permute(0, 2, 3, 1)
        return last.flatten(1, 2)

    net, encoder = build_tiny(name, 96)
    seen = []
    for stage in TINY[name]:
        hook = net.get_submodule(stage).register_forward_hook
        hook(lambda module, given, maps: seen.append(maps))
    images = random_images(2, 3, 96, 96)
    found = encode_images(encoder, images)
    stages = [lay_out(net.norm(maps) if "vit" in name else maps) for maps in seen]
    with torch.no_grad():
        final = net.forward_features(normalise(images, encoder.mean, encoder.std))
        pooled = net.forward_head(final, pre_logits=True)
    maps = lay_out(final)
    if name == "test_vit":
        assert torch.equal(pooled, final[:, 0])
        pooled = torch.cat([final[:, 0], maps.mean(dim=1)], dim=1)
    pairs = [torch.std_mean(part, dim=1, correction=0) for part in stages]
    style = torch.cat([mean for _, mean in pairs] + [std for std, _ in pairs], dim=1)
    torch.testing.assert_close(found["maps"], maps)
    torch.testing.assert_close(found["pooled"], pooled)
    torch.testing.assert_close(found["style"], style, atol=1e-4, rtol=1e-4)
    assert found["pooled"].dtype == torch.float32
    assert (encoder.num_positions, encoder.dim) == maps.shape[1:]
    assert (encoder.pooled_dim, encoder.style_dim) == (pooled.shape[1], style.shape[1])
    assert encode_images(encoder, images, outputs=["pooled"]).keys() == {"pooled"}


def test_short_floats_are_close_to_full_precision_and_other_statistics_are_taken(lite):
    images = nn.functional.interpolate(random_images(2, 3, 8, 8), size=224)
    encoded = encode_images(lite, images)
    with torch.no_grad():
        expected = lite(normalise(images, lite.mean, lite.std))
    for name, values in expected.items():
        found = encoded[name].float().flatten(1)
        assert nn.functional.cosine_similarity(found, values.flatten(1)).min() > 0.99
    other = encode_images(lite, images, mean=(0.2,) * 3, std=(0.1,) * 3)
    assert not torch.allclose(other["pooled"], encoded["pooled"], rtol=0.1)
    with pytest.raises(ValueError, match="float32"):
        encode_images(lite, torch.rand(1, 3, 32, 32))


@pytest.mark.parametrize("name", TINY)
def test_unfreezing_the_last_stage_reaches_its_weights_alone(name):
    _, encoder = build_tiny(name, 64)
    head = LinearClassifier(encoder.pooled_dim, 3)
    model = EndToEnd(encoder, head, ["pooled"], unfrozen_stages=1)
    model(random_images(2, 3, 64, 64)).square().mean().backward()
    moved = [weights for weights in encoder.parameters() if weights.grad is not None]
    assert len(encoder.stages()) > 3
    assert [*map(id, moved)] == [*map(id, encoder.stages()[-1])]


@pytest.mark.parametrize(
    "name",
    ["test_resnet", "test_efficientnet", "hgnetv2_b0", "repvgg_a0", "repvit_m0_9", "test_coatnet"],
)
def test_folding_changes_values_by_rounding_only(name):
    """RepViT sums up after a convolution; what feeds a batch norm in CoAtNet feeds others too."""
    settings = {"img_size": 64} if "coat" in name else {}
    net = as_trained(timm.create_model(name, num_classes=0, **settings))
    folded = copy.deepcopy(net)
    images = torch.randn(2, 3, 64, 64)
    speed_up(folded, images)
    with torch.no_grad():
        expected, found = (part.forward_features(images) for part in (net, folded))
    assert (found - expected).abs().max() < 1e-4 * expected.abs().max()
    norms = [sum(isinstance(m, nn.BatchNorm2d) for m in part.modules()) for part in (net, folded)]
    assert norms[1] < norms[0] / 2


@pytest.mark.parametrize("size", [(8, 8), (9, 9), (8, 9), (1, 2)])
@pytest.mark.parametrize(
    ("kernel", "stride", "groups"), [(3, 2, 4), (5, 2, 1), (7, 4, 1), (2, 2, 1)]
)
def test_padding_is_folded_into_convolutions(kernel, stride, groups, size):
    conv = Conv2dSame(4, 4, kernel, stride, groups=groups)
    module = nn.Sequential(conv)
    images = torch.randn(2, 4, *size)
    expected = conv(images)
    speed_up(module, images)
    assert module[0] is not conv
    torch.testing.assert_close(module(images), expected)
    # Other devices pad in another way; `meta` tells the shape alone.
    assert module.to("meta")(images.to("meta")).shape == expected.shape


def test_style_by_hand_and_in_full_precision_from_short_floats():
    stage = torch.tensor([1.0, 3.0, 5.0, 7.0]).view(1, 1, 2, 2)
    flat = torch.full((1, 1, 1, 3), 1000.0)
    style = style_statistics([stage.bfloat16(), flat.bfloat16()])
    assert style.dtype == torch.float32
    torch.testing.assert_close(style, torch.tensor([[4.0, 1000.0, 5**0.5, 0.0]]))
    same = torch.zeros(2, 2, 3, 3, requires_grad=True)  # has a gradient, too
    style_statistics([same]).sum().backward()
    torch.testing.assert_close(same.grad, torch.full_like(same, 1 / 9))


def test_autocast_dtype_is_full_precision_where_short_types_are_slow(monkeypatch):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx2": True}, raising=False)
    assert autocast_dtype("cpu") is None
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_bf16": True})
    assert autocast_dtype("cpu") == torch.bfloat16


@pytest.mark.gpu
@pytest.mark.parametrize("name", ["resnet50", "efficientnet_lite0", "test_vit", "test_convnext"])
def test_a_gpu_equals_a_cpu(name):
    size = 64 if name == "test_vit" else 65
    encoder = build_encoder(name, weights="none", image_size=size)
    images = normalise(random_images(2, 3, size, size), encoder.mean, encoder.std)
    expected = encoder(images)
    found = encoder.to("cuda")(images.to("cuda"))
    for output, values in expected.items():
        assert (found[output].cpu() - values).abs().max() < 0.01 * values.abs().max()


STATISTICS = (0.5, 0.4, 0.3), (0.2, 0.3, 0.4)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["efficientnet_lite0", "test_vit"])
def test_outputs_are_those_of_torch_in_any_batch_and_thread(name):
    pytest.importorskip("openvino")
    encoder = build_encoder(name, "imagenet" if name == "efficientnet_lite0" else "none", 64)
    outputs = ["pooled", "style", "maps"]
    compute = compile_encoder(encoder, 64, *STATISTICS, outputs)
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (10, 3, 64, 64), dtype=torch.uint8, generator=generator)
    batches = images.split([2, 3, 5])
    alone = [compute(batch) for batch in batches]
    for batch, found in zip(batches, alone, strict=True):
        with torch.inference_mode():
            wanted = encode_images(encoder, batch, *STATISTICS, outputs)
        assert found.keys() == wanted.keys()
        for key, values in wanted.items():  # eight bits of a bfloat16, many layers
            assert found[key].shape == values.shape
            error = (found[key] - values.float()).abs().mean()
            assert error < 0.05 * values.float().std(), key
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(compute, batches * 4))
    torch.testing.assert_close(together, alone * 4, rtol=0, atol=0)


def test_an_engine_that_cannot_be_had_is_refused(monkeypatch):
    assert choose_engine("torch", "cuda") == ""
    for engine, device, fault in (("tpu", "cpu", "'tpu'"), ("openvino", "cuda", "GPU")):
        with pytest.raises(ValueError, match=fault):
            choose_engine(engine, device)
    monkeypatch.setattr(openvino_engine, "find_spec", lambda _: None)
    with pytest.raises(ValueError, match="pip install openvino"):
        choose_engine("openvino", "cpu")


def test_openvino_is_chosen_where_it_is_installed_and_pays(monkeypatch):
    monkeypatch.setattr(openvino_engine, "version", lambda _: "2026.4.1-1234")
    for installed, device, num_images, chosen in (
        (True, "cpu", openvino_engine.PAYS_FROM, "openvino 2026.4.1"),
        (True, "cpu", openvino_engine.PAYS_FROM - 1, ""),
        (True, "cuda", openvino_engine.PAYS_FROM, ""),
        (False, "cpu", openvino_engine.PAYS_FROM, ""),
    ):
        monkeypatch.setattr(openvino_engine, "find_spec", lambda _, there=installed: there or None)
        assert choose_engine("auto", device, "tf_efficientnet_lite1", num_images) == chosen
        assert choose_engine("auto", device, "resnet50", num_images) == ""
