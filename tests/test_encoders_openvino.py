"""Encoders through OpenVINO: equal to torch by rounding, from several threads, or refused."""

import sys
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch

from imet_utils.encoders import build_encoder, check_engine, compile_encoder, encode_images

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
    assert check_engine("torch", "cuda") == ""
    for engine, device, fault in (("tpu", "cpu", "'tpu'"), ("openvino", "cuda", "GPU")):
        with pytest.raises(ValueError, match=fault):
            check_engine(engine, device)
    monkeypatch.setitem(sys.modules, "openvino", None)
    with pytest.raises(ValueError, match="pip install openvino"):
        check_engine("openvino", "cpu")
