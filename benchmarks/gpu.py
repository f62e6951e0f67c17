"""Measure all that a GPU speeds up, in at most nine minutes on one GPU: results/gpu.md.

    python benchmarks/gpu.py

The tests marked `gpu` first; then HOG, the order-free RNN's training step and beam search, and the
extraction of features from image files to a store, each by its own benchmark. The page is written
anew after each; what was skipped for lack of time is listed. Without a GPU nothing is written.
"""

import re
import subprocess
import sys
import time
from pathlib import Path

import torch
from page import write_page

from imet_utils.processes import num_cores
from imet_utils.progress import say

SECONDS = 520  # for all
FOLDER = Path(__file__).parent
TESTS = FOLDER.parent / "tests"
EXTRACTION = f"bench_extraction.py --rounds 2 --images 24 --copies 20 --workers {num_cores()}"
STEPS = (
    "bench_hog.py --rounds 3",
    "bench_decoder.py --rounds 3",
    EXTRACTION,
    f"{EXTRACTION} --encoder resnet50",
)


def run_python(*words: str, seconds: float = SECONDS) -> str:
    """Run Python and return what it prints.

    Raises:
        SystemExit: with what it prints, if it fails.
        subprocess.TimeoutExpired: if it takes longer than so many seconds.
    """
    options = {"cwd": FOLDER.parent, "capture_output": True, "text": True, "timeout": seconds}
    result = subprocess.run([sys.executable, *words], **options)
    if result.returncode:
        raise SystemExit(result.stdout + result.stderr)
    return result.stdout.strip()


def run_tests() -> str:
    """Run the tests marked `gpu`, and return pytest's last line."""
    paths = sorted(TESTS.glob("test_*.py"))
    files = [str(path) for path in paths if "mark.gpu" in path.read_text()]
    printed = run_python("-m", "pytest", "-q", "-m", "gpu", *files)
    return re.sub(r" in .*", "", printed.splitlines()[-1])


def main() -> None:
    """Run the tests, measure, and write the page."""
    end = time.monotonic() + SECONDS
    parts = [f"# On a GPU\n\nTests marked `gpu`: {run_tests()}."]
    for step in STEPS:
        script, *options = step.split()
        try:
            left = end - time.monotonic()
            parts.append("#" + run_python(str(FOLDER / script), *options, seconds=left))
        except subprocess.TimeoutExpired:
            parts.append(f"Left out, as time was up: `{step}`.")
        if torch.cuda.is_available():
            write_page("gpu", "\n\n".join(parts))
    say("\n\n".join(parts))


if __name__ == "__main__":
    main()
