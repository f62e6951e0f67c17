"""The same encoder through OpenVINO, which some CPUs compute much faster; an extra to install."""

import threading
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from imet_utils.encoders.encoder import OUTPUTS, Encoder, autocast_dtype, normalise


def check_engine(engine: str, device: torch.device | str) -> str:
    """Return the version of an engine, which changes its results; "" for torch.

    A ValueError if there is no such engine, or it is not installed or not for the device.
    """
    if engine not in ("torch", "openvino"):
        raise ValueError(f"ENGINE must be torch or openvino, got {engine!r}")
    if engine == "torch":
        return ""
    if torch.device(device).type != "cpu":
        raise ValueError("ENGINE openvino is for CPUs; here is a GPU: set ENGINE to torch")
    try:
        import openvino  # here, as it is an extra
    except ImportError as error:
        raise ValueError("ENGINE openvino needs a package: pip install openvino") from error
    return f"openvino {openvino.__version__.split('-')[0]}"


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
    import openvino
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
