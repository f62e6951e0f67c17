"""Test and measure all that a GPU speeds up, in at most nine minutes on one GPU.

    python benchmarks/gpu.py

The tests marked `gpu` first; then HOG, the order-free RNN's training step and beam search, and the
extraction of features from image files to a store, each by its own benchmark, which writes its
page: `hog_gpu`, `decoder_gpu` and so on. The first that fails, or that time is too short for, ends
it.
"""

import subprocess
import sys
import time

import torch

from imet_utils.processes import num_cores
from imet_utils.progress import say
from imet_utils.runs import PROJECT_DIR

SECONDS = 520  # for all
EXTRACTION = f"benchmarks/bench_extraction.py --rounds 2 --images 480 --workers {num_cores()}"
COMMANDS = (
    "-m pytest -q -m gpu tests",
    "benchmarks/bench_hog.py --rounds 3 --page hog_gpu",
    "benchmarks/bench_decoder.py --rounds 3 --page decoder_gpu",
    f"{EXTRACTION} --page extraction_gpu",
    f"{EXTRACTION} --encoder resnet50 --page extraction_resnet50_gpu",
)


def main() -> None:
    """Run the commands one after the other."""
    if not torch.cuda.is_available():
        raise SystemExit("there is no GPU")
    end = time.monotonic() + SECONDS
    for command in COMMANDS:
        say(command)
        words = [sys.executable, *command.split()]
        subprocess.run(words, cwd=PROJECT_DIR, check=True, timeout=end - time.monotonic())


if __name__ == "__main__":
    main()
