"""The same encoder through OpenVINO, which some CPUs compute much faster; an extra to install."""

import threading
import warnings
from collections.abc import Callable, Sequence
from importlib.metadata import version
from importlib.util import find_spec
from typing import Any

import torch
from torch import Tensor

from imet_utils.encoders.encoder import OUTPUTS, Encoder, autocast_dtype, normalise

ENGINES = ("auto", "openvino", "torch")
PAYS_WITH = "efficientnet_lite"  # in the name of an encoder: ResNet50 is slower
PAYS_FROM = 2_000  # images: with fewer, compiling takes much of what is saved


def choose_engine(
    engine: str, device: torch.device | str, encoder: str = "", num_images: int = 0
) -> str:
    """Return the version of the engine that encodes, which changes its results; "" for torch.

    `auto` is OpenVINO on a CPU where it is installed, for `PAYS_FROM` images or more and an encoder
    that it is known to be faster with (`benchmarks/bench_engines.py`).

    Raises:
        ValueError: if there is no such engine, or it is not installed or not for the device.
    """
    if engine not in ENGINES:
        raise ValueError(f"ENGINE must be one of {', '.join(ENGINES)}, got {engine!r}")
    is_cpu, installed = torch.device(device).type == "cpu", find_spec("openvino") is not None
    if engine == "auto":
        pays = PAYS_WITH in encoder and num_images >= PAYS_FROM
        engine = "openvino" if is_cpu and installed and pays else "torch"
    if engine == "torch":
        return ""
    if not is_cpu:
        raise ValueError("ENGINE openvino is for CPUs; here is a GPU: set ENGINE to auto or torch")
    if not installed:
        raise ValueError("ENGINE openvino needs a package: pip install openvino")
    return f"openvino {version('openvino').split('-')[0]}"


def compile_encoder(
    encoder: Encoder,
    size: int,
    mean: Sequence[float],
    std: Sequence[float],
    outputs: Sequence[str] = OUTPUTS,
) -> Callable[[Tensor], dict[str, Tensor]]:
    """Compile `encode_images` on a CPU, in bfloat16 where the CPU has it; equal by rounding.

    Takes some seconds. The function returned maps uint8 images (B, 3, size, size) to the outputs by
    name, float32; it may be called from as many threads as torch has.
    """
    import openvino  # here, as it is an extra
    from openvino import properties

    def encode(images: Tensor) -> tuple[Tensor, ...]:
        return tuple(encoder(normalise(images, mean, std), outputs).values())

    example = torch.zeros(2, 3, size, size, dtype=torch.uint8)
    with warnings.catch_warnings():  # of the tracer: sizes become constants, as they are
        warnings.simplefilter("ignore")
        traced = torch.jit.trace(encode, example, check_trace=False)
    model = openvino.convert_model(traced, input=[-1, 3, size, size])
    short = autocast_dtype("cpu") == torch.bfloat16
    settings = {
        properties.hint.inference_precision: openvino.Type.bf16 if short else openvino.Type.f32,
        properties.inference_num_threads: torch.get_num_threads(),
        properties.num_streams: torch.get_num_threads(),
    }
    core, lock = openvino.Core(), threading.Lock()
    compiled: dict[int, Any] = {}  # a graph for each size of batch is faster than one for all

    def compute(images: Tensor) -> dict[str, Tensor]:
        with lock:
            if len(images) not in compiled:
                model.reshape([len(images), 3, size, size])
                compiled[len(images)] = core.compile_model(model, "CPU", settings)
        request = compiled[len(images)].create_infer_request()  # serves one thread
        found = request.infer({0: images.contiguous().numpy()})
        return {name: torch.from_numpy(found[k].copy()) for k, name in enumerate(outputs)}

    return compute
