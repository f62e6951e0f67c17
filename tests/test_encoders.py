"""Encoders: maps, pooled features and style of any network, folded, by torch and by OpenVINO."""

import copy
from concurrent.futures import ThreadPoolExecutor
from itertools import chain

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
    speed_up,
    style_statistics,
)
from imet_utils.encoders import openvino as openvino_engine

# Of timm's own tests: CNNs, a ConvNeXt, a network whose maps have their channels last, ViTs with a
# class token that pool it or the mean, also normalised, a ViT with a register, one that pools by
# attention; with the stages that tell style.
TINY = {
    "test_resnet": ["act1", "layer1", "layer2", "layer3"],  # with the pooling in act1
    "test_efficientnet": ["blocks.1", "blocks.2", "blocks.3", "blocks.4"],
    "test_convnext": ["stages.0", "stages.1", "stages.2"],
    "test_mambaout": ["stages.0", "stages.1", "stages.2"],
    "test_vit": ["blocks.0", "blocks.2", "blocks.3"],
    "test_vit mean": ["blocks.0", "blocks.2", "blocks.3"],
    "test_vit mean normed": ["blocks.0", "blocks.2", "blocks.3"],
    "test_vit2": ["blocks.1", "blocks.3", "blocks.5"],
    "test_vit3": ["blocks.1", "blocks.3", "blocks.5"],
}
STATISTICS = (0.5, 0.4, 0.3), (0.2, 0.3, 0.4)


def random_images(*shape, seed=0):
    return torch.randint(0, 256, shape, dtype=torch.uint8, generator=torch.manual_seed(seed))


@pytest.fixture(scope="module")
def lite():
    return build_encoder("efficientnet_lite0")


def as_trained(net):
    """Give batch norm something to do, as training does."""
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.5, 1.0)
            nn.init.normal_(module.bias, std=0.1)
            nn.init.normal_(module.running_mean, std=0.1)
            nn.init.uniform_(module.running_var, 0.5, 2.0)
    return net.eval()


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
    assert len(lite.stages()) == 8
    assert not lite.training
    assert not any(parameter.requires_grad for parameter in lite.parameters())
    assert not any(isinstance(module, nn.BatchNorm2d) for module in lite.modules())


@pytest.mark.parametrize("name", TINY)
def test_outputs_are_final_features_their_pooling_and_statistics_of_stages(name, float32):
    """The stages are found by hooks."""

    def lay_out(features):
        if features.ndim == 3:
            return features[:, 1:]  # after a class token or a register
        last = features if name == "test_mambaout" else features.permute(0, 2, 3, 1)
        return last.flatten(1, 2)

    settings = {"img_size": 96} if "vit" in name else {}
    if "mean" in name:
        settings |= {"global_pool": "avg", "fc_norm": "normed" in name}
    net = as_trained(timm.create_model(name.split()[0], num_classes=0, **settings))
    encoder = Encoder(name, net, (0.5,) * 3, (0.25,) * 3, 96).requires_grad_(False)
    seen = []
    for stage in TINY[name]:
        hook = net.get_submodule(stage).register_forward_hook
        hook(lambda module, given, maps: seen.append(maps))
    images = random_images(2, 3, 96, 96)
    found = encode_images(encoder, images)
    stages = [lay_out(net.norm(maps) if "vit" in name else maps) for maps in seen]
    with torch.no_grad():
        final = net.forward_features((images / 255 - 0.5) / 0.25)
        pooled = net.forward_head(final, pre_logits=True)
    maps = lay_out(final)
    if name in ("test_vit", "test_vit mean"):
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
    groups = encoder.stages()
    assert len(groups) > 3
    assert sorted(map(id, chain(*groups))) == sorted(map(id, encoder.parameters()))


def test_images_are_normalised_by_given_statistics_and_encoded_in_a_short_float(lite, monkeypatch):
    monkeypatch.setattr("imet_utils.encoders.encoder.autocast_dtype", lambda _: torch.bfloat16)
    images = nn.functional.interpolate(random_images(2, 3, 8, 8), size=224)
    encoded = encode_images(lite, images, *STATISTICS)
    mean, std = (torch.tensor(values).view(3, 1, 1) for values in STATISTICS)
    for name, values in lite((images / 255 - mean) / std).items():
        found = encoded[name].float().flatten(1)
        similarity = nn.functional.cosine_similarity(found, values.flatten(1))
        assert (similarity.min() > 0.99) & (similarity < 1 - 1e-6).all()
    with pytest.raises(ValueError, match="float32"):
        encode_images(lite, torch.rand(1, 3, 32, 32))


@pytest.mark.parametrize("name", ["hgnetv2_b0", "repvgg_a0", "repvit_m0_9", "test_coatnet"])
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


@pytest.mark.parametrize("size", [(8, 8), (8, 9), (1, 2)])
@pytest.mark.parametrize(("kernel", "stride", "groups"), [(3, 2, 4), (5, 2, 1), (7, 4, 1)])
def test_padding_is_folded_into_convolutions(kernel, stride, groups, size):
    conv = Conv2dSame(4, 4, kernel, stride, groups=groups)
    module, images = nn.Sequential(conv), torch.randn(2, 4, *size)
    expected = conv(images)
    speed_up(module, images)
    assert module[0] is not conv
    torch.testing.assert_close(module(images), expected)
    # Other devices pad in another way; `meta` tells the shape alone.
    assert module.to("meta")(images.to("meta")).shape == expected.shape


def test_style_of_short_floats_is_in_full_precision_and_has_a_gradient_where_nothing_varies():
    stage = torch.tensor([1.0, 3.0, 5.0, 7.0]).view(1, 1, 2, 2).bfloat16()
    flat = torch.full((1, 1, 1, 3), 1000.0, requires_grad=True)
    style = style_statistics([stage, flat.bfloat16()])
    torch.testing.assert_close(style, torch.tensor([[4.0, 1000.0, 5**0.5, 0.0]]))
    style.sum().backward()
    torch.testing.assert_close(flat.grad, torch.full_like(flat, 1 / 3), rtol=0.01, atol=0)


def test_autocast_dtype_is_full_precision_where_short_types_are_slow(monkeypatch):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx2": True}, raising=False)
    assert autocast_dtype("cpu") is None
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_bf16": True})
    assert autocast_dtype("cpu") == torch.bfloat16


@pytest.mark.slow
@pytest.mark.parametrize("name", ["efficientnet_lite0", "test_vit"])
def test_outputs_are_those_of_torch_in_any_batch_and_thread(name):
    pytest.importorskip("openvino")
    encoder = build_encoder(name, "imagenet" if name == "efficientnet_lite0" else "none", 64)
    outputs = ["pooled", "style", "maps"]
    compute = compile_encoder(encoder, 64, *STATISTICS, outputs)
    batches = random_images(10, 3, 64, 64).split([2, 3, 5])
    alone = [compute(batch) for batch in batches]
    for batch, found in zip(batches, alone, strict=True):
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
