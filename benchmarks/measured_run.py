"""Run the pipeline in a process of its own and measure each notebook: time, peak memory. Linux.

    python benchmarks/measured_run.py --output DIR [options of the pipeline]

The peaks go to `peaks.json` in that folder, of a run that was interrupted and goes on as of others.
"""

import re
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from threading import Event, Thread
from time import perf_counter

import psutil

from imet_utils.files import load_json, save_json
from imet_utils.runs import PROJECT_DIR

INTERVAL = 0.5  # seconds between two looks at the memory
START, END = re.compile(r"\[\d+/\d+\] (\w+)$"), re.compile(r"(\w+): ([\d.]+) s$")
REPORT, LAST_LINES = "report", 15
PEAKS = "peaks.json"  # in the folder of a run: bytes by step


def run_pipeline(arguments: Sequence[str]) -> Iterator[tuple[str, float, float]]:
    """Run `imet_tools.pipeline`: name, seconds and peak bytes of each notebook and the report.

    What it prints goes to this process's errors, as it comes.
    """
    command = [sys.executable, "-P", "-m", "imet_tools.pipeline", *arguments]
    options = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    name, lines, end = REPORT, deque(maxlen=LAST_LINES), perf_counter()  # the last step is at work
    with (
        subprocess.Popen(command, cwd=PROJECT_DIR, **options) as process,
        watching(partial(tree_memory, process.pid), INTERVAL) as peaks,
    ):
        for line in process.stdout:
            sys.stderr.write(line)
            lines.append(line.rstrip())
            if found := START.match(lines[-1]):
                name = found[1]
                peaks.append(0.0)
            elif (found := END.match(lines[-1])) and found[1] == name:
                yield name, float(found[2]), peaks[-1]
                name, end = REPORT, perf_counter()
                peaks.append(0.0)
    if process.returncode:
        raise RuntimeError("the pipeline failed:\n" + "\n".join(lines))
    yield REPORT, perf_counter() - end, peaks[-1]


@contextmanager
def watching(memory: Callable[[], float], seconds: float) -> Iterator[list[float]]:
    """Look at a memory again and again, and raise the last of the peaks to what is seen."""
    peaks, over = [0.0], Event()

    def watch() -> None:
        while not over.wait(seconds):
            peaks[-1] = max(peaks[-1], memory())

    watcher = Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield peaks
    finally:
        over.set()
        watcher.join()


def tree_memory(pid: int) -> float:
    """Add up the bytes that a process and its descendants hold and that no file could give back.

    What several share counts once, and pages of memory-mapped files not at all: the system drops
    those when memory runs short.
    """
    try:
        family = [pid, *(child.pid for child in psutil.Process(pid).children(recursive=True))]
    except psutil.NoSuchProcess:
        return 0.0
    return float(sum(map(own_memory, family)))


def own_memory(pid: int | str) -> int:
    """Return a process's share of anonymous and shared memory in bytes; 0 if it has ended."""
    try:
        text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return 1024 * sum(map(int, re.findall(r"^Pss_(?:Anon|Shmem):\s+(\d+) kB", text, re.M)))


def main() -> None:
    """Run, and keep the highest peak of each step."""
    path = Path(sys.argv[sys.argv.index("--output") + 1], PEAKS)
    for name, _, peak in run_pipeline(sys.argv[1:]):
        peaks = load_json(path) if path.exists() else {}
        save_json({**peaks, name: max(peak, peaks.get(name, 0))}, path)


if __name__ == "__main__":
    main()
