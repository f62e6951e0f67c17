"""Encoders through OpenVINO: equal to torch by rounding, from several threads, or refused."""

import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
import torch

from imet_tools.sample import write_sample_data
from imet_utils.encoders import build_encoder, check_engine, compile_encoder, encode_images
from imet_utils.features import EncoderSettings, encode_collection
from imet_utils.tables import load_tables, split_tables

STATISTICS = (0.5, 0.4, 0.3), (0.2, 0.3, 0.4)


def draw(number=3, size=224):
    generator = torch.Generator().manual_seed(number)
    return torch.randint(0, 256, (number, 3, size, size), dtype=torch.uint8, generator=generator)


def assert_close(found, wanted):
    """Compare to a twentieth of each output's spread: eight bits of a bfloat16, many layers."""
    assert found.keys() == wanted.keys()
    for name, values in wanted.items():
        spread = values.float().std().item()
        assert found[name].shape == values.shape
        assert (found[name] - values.float()).abs().mean().item() < 0.05 * spread, name


@pytest.mark.slow
@pytest.mark.parametrize("name", ["efficientnet_lite0", "test_vit"])
def test_outputs_are_those_of_torch_in_any_batch_and_thread(name):
    pytest.importorskip("openvino")
    encoder = build_encoder(name, "imagenet" if name == "efficientnet_lite0" else "none", 64)
    outputs = ["pooled", "style", "maps"]
    compute = compile_encoder(encoder, 64, *STATISTICS, outputs)
    batches = [draw(number, 64) for number in (2, 3, 5)]
    alone = [compute(images) for images in batches]
    for images, found in zip(batches, alone, strict=True):
        with torch.inference_mode():
            assert_close(found, encode_images(encoder, images, *STATISTICS, outputs))
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(compute, batches * 4))
    torch.testing.assert_close(together, alone * 4, rtol=0, atol=0)


@pytest.mark.slow
def test_a_store_is_made_anew_by_another_engine(tmp_path):
    pytest.importorskip("openvino")
    write_sample_data(tmp_path / "data", 24)
    tables = split_tables(load_tables(tmp_path / "data"))
    settings = EncoderSettings("test_vit", "none", image_size=64)
    wanted = encode_collection(tables, tmp_path / "torch", settings)["val"]
    for engine in ("openvino", "torch"):
        stores = encode_collection(tables, tmp_path / "run", replace(settings, engine=engine))
        found = {k: torch.tensor(array).float() for k, array in stores["val"].items()}
        assert_close(found, {k: torch.tensor(array) for k, array in wanted.items()})
    assert (stores["val"]["pooled"] == wanted["pooled"]).all()


def test_an_engine_that_cannot_be_had_is_refused(monkeypatch):
    assert check_engine("torch", "cuda") == ""
    for engine, device, fault in (("tpu", "cpu", "'tpu'"), ("openvino", "cuda", "GPU")):
        with pytest.raises(ValueError, match=fault):
            check_engine(engine, device)
    monkeypatch.setitem(sys.modules, "openvino", None)
    with pytest.raises(ValueError, match="pip install openvino"):
        check_engine("openvino", "cpu")
