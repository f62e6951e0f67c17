"""How many views a second an encoder describes by torch and by OpenVINO, on all cores.

    python benchmarks/bench_engines.py [--page]

Each of torch's threads has batches of its own, as in the package; the best of four rounds in turns.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from time import perf_counter

import torch
from page import format_table, make_parser, publish

from imet_utils.encoders import build_encoder, check_engine, compile_encoder, encode_images

ENCODERS = {  # and their weights, and the side of their views in pixels
    "efficientnet_lite0": ("imagenet", 224),
    "tf_efficientnet_lite1": ("none", 240),
    "tf_efficientnet_lite2": ("none", 260),
    "resnet50": ("none", 224),
}
BATCH, BATCHES, ROUNDS = 30, 8, 4


@torch.inference_mode()
def encode(compute: Callable, images: torch.Tensor, _: int) -> None:
    """Compute all outputs of a batch."""
    compute(images)


def views_per_second(compute: Callable, images: torch.Tensor) -> float:
    """Time one round."""
    threads = torch.get_num_threads()
    start = perf_counter()
    with ThreadPoolExecutor(threads, initializer=torch.set_num_threads, initargs=(1,)) as pool:
        list(pool.map(partial(encode, compute, images), range(BATCHES)))
    torch.set_num_threads(threads)
    return BATCHES * BATCH / (perf_counter() - start)


def main() -> None:
    """Measure every encoder with both engines and print the table."""
    arguments = make_parser(__doc__, "engines").parse_args()
    version = check_engine("openvino", "cpu")
    rows = []
    for name, (weights, size) in ENCODERS.items():
        images = torch.randint(0, 256, (BATCH, 3, size, size), dtype=torch.uint8)
        encoder = build_encoder(name, weights, size)
        engines = {
            "torch": partial(encode_images, encoder),
            "openvino": compile_encoder(encoder, size, encoder.mean, encoder.std),
        }
        best = dict.fromkeys(engines, 0.0)
        for _ in range(ROUNDS):
            for engine, compute in engines.items():
                best[engine] = max(best[engine], views_per_second(compute, images))
        rows.append([name, f"{size}", *(f"{speed:.0f}" for speed in best.values())])
    publish(
        arguments.page,
        "# Engines",
        "`python benchmarks/bench_engines.py --page`",
        f"Views a second, all outputs, in batches of {BATCH}.",
        format_table(["encoder", "pixels", "torch", version], rows),
    )


if __name__ == "__main__":
    main()
