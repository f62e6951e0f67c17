"""How many views a second an encoder describes by torch and by OpenVINO, on all cores.

    python benchmarks/bench_engines.py [--page]

Each of torch's threads has batches of its own, as in the package; the best of four rounds in turns.
Beside torch as the package has it, with channels last: contiguous channels, and `torch.compile`.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from time import perf_counter

import torch
from page import format_table, make_parser, publish

from imet_utils.encoders import (
    Encoder,
    build_encoder,
    choose_engine,
    compile_encoder,
    encode_images,
    mixed_precision,
    normalise,
)

ENCODERS = (  # weights, and the side of their views in pixels
    ("efficientnet_lite0", "imagenet", 224),
    ("tf_efficientnet_lite1", "none", 240),
    ("tf_efficientnet_lite2", "none", 260),
    ("resnet50", "none", 224),
)
BATCH, VIEWS, ROUNDS = 30, 240, 4
OTHER_BATCHES = (6, 120)  # of the first encoder


@torch.inference_mode()
def encode(compute: Callable, images: torch.Tensor, _: int = 0) -> None:
    """Compute all outputs of a batch."""
    compute(images)


def encode_contiguous(encoder: Encoder, images: torch.Tensor) -> None:
    """Do as `encode_images` with contiguous channels."""
    floats = normalise(images, encoder.mean, encoder.std).contiguous()
    with mixed_precision(images.device):
        encoder(floats)


def views_per_second(compute: Callable, images: torch.Tensor) -> float:
    """Time one round."""
    threads, batches = torch.get_num_threads(), VIEWS // len(images)
    start = perf_counter()
    with ThreadPoolExecutor(threads, initializer=torch.set_num_threads, initargs=(1,)) as pool:
        list(pool.map(partial(encode, compute, images), range(batches)))
    torch.set_num_threads(threads)
    return VIEWS / (perf_counter() - start)


def compile_by_torch(encoder: Encoder) -> Callable:
    """Compile the network itself."""
    compiled = torch.compile(encoder)

    def compute(images: torch.Tensor) -> None:
        floats = normalise(images, encoder.mean, encoder.std)
        with mixed_precision(images.device):
            compiled(floats)

    return compute


def measure(name: str, weights: str, size: int, batch: int) -> list[str]:
    """Measure an encoder in all ways: a row of the table, with the seconds of both compilations."""
    images = torch.randint(0, 256, (batch, 3, size, size), dtype=torch.uint8)
    encoder = build_encoder(name, weights, size)
    ways = [partial(encode_images, encoder), partial(encode_contiguous, encoder)]
    spent = []
    for compile_it in (
        partial(compile_by_torch, encoder),
        partial(compile_encoder, encoder, size, encoder.mean, encoder.std),
    ):
        start = perf_counter()
        ways.append(compile_it())
        encode(ways[-1], images)
        spent.append(perf_counter() - start)
    best = [0.0] * len(ways)
    for _ in range(ROUNDS):
        best = [max(b, views_per_second(w, images)) for b, w in zip(best, ways, strict=True)]
    figures = [f"{value:.0f}" for value in [*best, *spent]]
    return [name, f"{size}", f"{batch}", *figures]


def main() -> None:
    """Print the table."""
    arguments = make_parser(__doc__, "engines").parse_args()
    version = choose_engine("openvino", "cpu", 0)
    batches = [(*given, BATCH) for given in ENCODERS]
    batches += [(*ENCODERS[0], batch) for batch in OTHER_BATCHES]
    compiled = [f"{way}: compiled in, s" for way in ("torch.compile", "OpenVINO")]
    ways = ["torch", "torch, contiguous", "torch.compile", version]
    publish(
        arguments.page,
        "# Engines",
        "`python benchmarks/bench_engines.py --page`",
        "Views a second, all outputs.",
        format_table(
            ["encoder", "pixels", "batch", *ways, *compiled],
            [measure(*given) for given in batches],
        ),
    )


if __name__ == "__main__":
    main()
