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
OWN = "OpenVINO"
WAYS = ("torch", "contiguous", "torch.compile", OWN)


@torch.inference_mode()
def encode(compute: Callable, images: torch.Tensor, _: int = 0) -> None:
    """Compute all outputs of a batch."""
    compute(images)


def encode_floats(
    network: Callable, encoder: Encoder, layout: torch.memory_format, images: torch.Tensor
) -> None:
    """Do as `encode_images` with the encoder's network, compiled or not, in another layout."""
    floats = normalise(images, encoder.mean, encoder.std).contiguous(memory_format=layout)
    with mixed_precision(images.device):
        network(floats)


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
    return partial(encode_floats, torch.compile(encoder), encoder, torch.channels_last)


def measure(name: str, weights: str, size: int, batch: int, more: bool) -> list[str]:
    """Measure an encoder: a row of the table, with `more` of torch's other ways, too."""
    images = torch.randint(0, 256, (batch, 3, size, size), dtype=torch.uint8)
    encoder = build_encoder(name, weights, size)
    ways: dict[str, Callable] = {"torch": partial(encode_images, encoder)}
    compilers = {OWN: partial(compile_encoder, encoder, size, encoder.mean, encoder.std)}
    if more:
        ways["contiguous"] = partial(encode_floats, encoder, encoder, torch.contiguous_format)
        compilers = {"torch.compile": partial(compile_by_torch, encoder), **compilers}
    spent: dict[str, float] = {}
    for way, compile_it in compilers.items():
        start = perf_counter()
        ways[way] = compile_it()
        encode(ways[way], images)
        spent[way] = perf_counter() - start
    best = dict.fromkeys(ways, 0.0)
    for _ in range(ROUNDS):
        best |= {k: max(best[k], views_per_second(way, images)) for k, way in ways.items()}
    speeds = [f"{best[way]:.0f}" if way in best else "" for way in WAYS]
    seconds = [f"{spent[way]:.0f}" if way in spent else "" for way in WAYS[2:]]
    return [name, f"{size}", f"{batch}", *speeds, *seconds]


def main() -> None:
    """Print the table."""
    arguments = make_parser(__doc__, "engines").parse_args()
    version = choose_engine("openvino", "cpu")
    batches = [(*given, BATCH, given == ENCODERS[0]) for given in ENCODERS]
    batches += [(*ENCODERS[0], batch, False) for batch in OTHER_BATCHES]
    compiled = [f"{way}: compiled in, s" for way in WAYS[2:]]
    publish(
        arguments.page,
        "# Engines",
        "`python benchmarks/bench_engines.py --page`",
        f"Views a second, all outputs; OpenVINO is {version.split()[1]}.",
        format_table(
            ["encoder", "pixels", "batch", *WAYS, *compiled],
            [measure(*given) for given in batches],
        ),
    )


if __name__ == "__main__":
    main()
