"""Time a training that has the machine for itself, and two side by side.

    python benchmarks/bench_side_by_side.py [--seconds 15] [--page]

Threads of OpenMP that wait for one another spin: beside another job they take the time of those
that they wait for. Prints a Markdown table: milliseconds on the clock for a step of a small
AttnCNN-RNN on all cores, alone and two at once, with GNU OpenMP's own spinning (GOMP_SPINCOUNT
unset) and with the little that `imet_utils` sets. Each training is a process of its own. With
`--page` the table also replaces the one in `benchmarks/results`.
"""

import os
import subprocess
import sys
import time

import numpy as np
import torch
from page import format_table, make_parser, publish

from imet_utils.features import FeatureBatches
from imet_utils.models import Rnn, order_free_loss
from imet_utils.training import TrainConfig, start_training, train_one_epoch

POSITIONS, CHANNELS, CLASSES, BATCH, STEPS = 49, 320, 100, 64, 2
COMMAND = "python benchmarks/bench_side_by_side.py --page"


def time_step(seconds: float) -> float:
    """Train for so long, after two steps to warm up: milliseconds a step."""
    torch.manual_seed(0)
    rng = np.random.default_rng(0)
    maps = rng.random((BATCH * STEPS, 1, POSITIONS, CHANNELS)).astype(np.float16)
    pooled = maps.mean(axis=2)
    targets = rng.random((*pooled.shape[:2], CLASSES)) < 0.03
    model = Rnn().build({"maps": CHANNELS, "pooled": CHANNELS}, CLASSES)
    batches = FeatureBatches({"maps": maps, "pooled": pooled}, targets, BATCH)
    config = TrainConfig(epochs=10_000)
    training = start_training(model, config, batches)
    train_one_epoch(training, batches, order_free_loss, config, 0)
    start, epochs = time.perf_counter(), 0
    while time.perf_counter() < start + seconds:
        epochs += 1
        train_one_epoch(training, batches, order_free_loss, config, epochs)
    return 1000 * (time.perf_counter() - start) / (epochs * STEPS)


def measure(count: int, spins: str, seconds: float) -> float:
    """Run so many trainings at once and return the mean of their milliseconds a step."""
    environment = {key: value for key, value in os.environ.items() if key != "GOMP_SPINCOUNT"}
    environment |= {"GOMP_SPINCOUNT": spins} if spins else {}  # else torch, loaded first, decides
    command = [sys.executable, __file__, "--train", "--seconds", str(seconds)]
    options = {"stdout": subprocess.PIPE, "text": True, "env": environment}
    running = [subprocess.Popen(command, **options) for _ in range(count)]
    return float(np.mean([float(process.communicate()[0]) for process in running]))


def main() -> None:
    """Print the table, or train and print a time."""
    parser = make_parser(__doc__, "side_by_side")
    parser.add_argument("--seconds", type=float, default=15, help="that a training lasts")
    parser.add_argument("--train", action="store_true", help="train once, on what is given")
    arguments = parser.parse_args()
    if arguments.train:
        sys.stdout.write(f"{time_step(arguments.seconds)}\n")
        return
    rows = []
    for spins in ("", "1000"):
        times = [f"{measure(count, spins, arguments.seconds):,.0f}" for count in (1, 2)]
        rows.append([spins or "unset", *times])
    title = f"# Two trainings side by side\n\n`{COMMAND}`"
    table = format_table(["GOMP_SPINCOUNT", "Alone (ms)", "Two at once (ms)"], rows)
    publish(arguments.page, title, table)


if __name__ == "__main__":
    main()
