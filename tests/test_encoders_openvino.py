"""Encoders through OpenVINO: what torch says, by rounding, from several threads, or a refusal."""

import sys
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch

from imet_tools.sample import write_sample_data
from imet_utils.encoders import build_encoder, check_engine, compile_encoder, encode_images
from imet_utils.features import encode_datasets
from imet_utils.tables import load_tables, split_tables
from imet_utils.views import split_dataset

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


@pytest.mark.parametrize("name", ["efficientnet_lite0", "test_vit", "test_convnext"])
def test_outputs_are_those_of_torch(name):
    pytest.importorskip("openvino")
    encoder = build_encoder(name, "imagenet" if name == "efficientnet_lite0" else "none")
    compute = compile_encoder(encoder, 224, *STATISTICS)
    for images in (draw(3), draw(5)):  # batches of any size
        with torch.inference_mode():
            assert_close(compute(images), encode_images(encoder, images, *STATISTICS))
    pooled = compile_encoder(encoder, 224, *STATISTICS, ["pooled"])(images)
    torch.testing.assert_close(pooled, {"pooled": compute(images)["pooled"]}, rtol=0.05, atol=0.05)


def test_threads_do_not_disturb_one_another():
    pytest.importorskip("openvino")
    compute = compile_encoder(build_encoder("test_vit", "none"), 64, *STATISTICS)
    batches = [draw(number, 64) for number in (1, 2, 3, 4)] * 4
    alone = [compute(images) for images in batches]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(compute, batches))
    torch.testing.assert_close(together, alone, rtol=0, atol=0)


def test_a_store_says_by_what_engine_it_was_made(tmp_path):
    pytest.importorskip("openvino")
    write_sample_data(tmp_path / "data", 24)
    tables = split_tables(load_tables(tmp_path / "data"))
    datasets = {"val": split_dataset(tables, "val")}
    stores = {
        engine: encode_datasets(datasets, tmp_path / engine, "test_vit", "none", engine=engine)
        for engine in ("torch", "openvino")
    }
    found, wanted = (
        {
            name: torch.from_numpy(array.astype("float32"))
            for name, array in stores[engine]["val"].items()
        }
        for engine in ("openvino", "torch")
    )
    assert_close(found, wanted)
    again = encode_datasets(datasets, tmp_path / "openvino", "test_vit", "none", engine="torch")
    assert (again["val"]["pooled"] == stores["torch"]["val"]["pooled"]).all()  # made anew


def test_an_engine_that_cannot_be_had_is_refused(monkeypatch):
    assert check_engine("torch", "cuda") == ""
    with pytest.raises(ValueError, match="ENGINE must be one of torch, openvino, got 'tpu'"):
        check_engine("tpu", "cpu")
    with pytest.raises(ValueError, match="openvino is for CPUs"):
        check_engine("openvino", "cuda")
    monkeypatch.setitem(sys.modules, "openvino", None)
    with pytest.raises(ValueError, match="pip install openvino"):
        check_engine("openvino", "cpu")
