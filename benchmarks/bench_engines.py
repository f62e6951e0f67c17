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

from imet_utils import encoders

LITE0 = ("efficientnet_lite0", "imagenet", 224)  # weights, and the side of its views in pixels
OTHERS = (
    ("tf_efficientnet_lite1", "none", 240),
    ("tf_efficientnet_lite2", "none", 260),
    ("resnet50", "none", 224),
)
BATCH, VIEWS, ROUNDS = 30, 240, 4
OTHER_BATCHES = (6, 120)  # of the first encoder
WAYS = ("torch", "contiguous", "torch.compile", "OpenVINO")
COMPILED = WAYS[2:]


@torch.inference_mode()
def encode(compute: Callable, images: torch.Tensor) -> None:
    """Compute all outputs of a batch."""
    compute(images)


def encode_floats(
    network: Callable, encoder: encoders.Encoder, layout: torch.memory_format, images: torch.Tensor
) -> None:
    """Do as `encode_images` with the encoder's network, compiled or not, in another layout."""
    floats = encoders.normalise(images, encoder.mean, encoder.std).contiguous(memory_format=layout)
    with encoders.mixed_precision(images.device):
        network(floats)


def views_per_second(compute: Callable, images: torch.Tensor) -> float:
    """Time one round."""
    threads, batches = torch.get_num_threads(), VIEWS // len(images)
    start = perf_counter()
    with ThreadPoolExecutor(threads, initializer=torch.set_num_threads, initargs=(1,)) as pool:
        list(pool.map(partial(encode, compute), [images] * batches))
    torch.set_num_threads(threads)
    return VIEWS / (perf_counter() - start)


def measure(
    name: str, weights: str, size: int, batch: int = BATCH, more: bool = False
) -> list[str]:
    """Measure an encoder: a row of the table, with `more` of torch's other ways, too."""
    images = torch.randint(0, 256, (batch, 3, size, size), dtype=torch.uint8)
    encoder = encoders.build_encoder(name, weights, size)

    def in_layout(network: Callable, layout: torch.memory_format) -> Callable:
        return partial(encode_floats, network, encoder, layout)

    make = {
        "torch": lambda: partial(encoders.encode_images, encoder),
        "contiguous": lambda: in_layout(encoder, torch.contiguous_format),
        "torch.compile": lambda: in_layout(torch.compile(encoder), torch.channels_last),
        "OpenVINO": lambda: encoders.compile_encoder(encoder, size, encoder.mean, encoder.std),
    }
    ways, spent = {}, {}
    for way in WAYS if more else ("torch", "OpenVINO"):
        start = perf_counter()
        ways[way] = make[way]()
        encode(ways[way], images)
        spent[way] = perf_counter() - start
    best = dict.fromkeys(ways, 0.0)
    for _ in range(ROUNDS):
        best |= {k: max(best[k], views_per_second(way, images)) for k, way in ways.items()}
    speeds = [f"{best[way]:.0f}" if way in best else "" for way in WAYS]
    seconds = [f"{spent[way]:.0f}" if way in spent else "" for way in COMPILED]
    return [name, f"{size}", f"{batch}", *speeds, *seconds]


def main() -> None:
    """Print the table."""
    arguments = make_parser(__doc__, "engines").parse_args()
    version = encoders.choose_engine("openvino", "cpu").split()[1]
    rows = [measure(*LITE0, more=True), *(measure(*encoder) for encoder in OTHERS)]
    rows += [measure(*LITE0, batch) for batch in OTHER_BATCHES]
    compiled = [f"{way}: compiled in, s" for way in COMPILED]
    publish(
        arguments.page,
        "Engines",
        f"Views a second, all outputs; OpenVINO is {version}. *Compiled in* is the time to the end "
        "of a first batch; what torch compiles in its other threads is part of the first round.",
        format_table(["encoder", "pixels", "batch", *WAYS, *compiled], rows),
    )


if __name__ == "__main__":
    main()
