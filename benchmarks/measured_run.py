"""Run the pipeline in a process of its own and measure the peak memory of each notebook. Linux.

    python benchmarks/measured_run.py --output DIR [options of the pipeline]

The peaks go to `peaks.json` in that folder, also for a resumed run.
"""

import re
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from threading import Event, Thread

import psutil

from imet_utils.files import save_json, try_json
from imet_utils.runs import PROJECT_DIR

INTERVAL = 0.5  # seconds between two looks at the memory
START, END = re.compile(r"\[\d+/\d+\] (\w+)$"), re.compile(r"(\w+): [\d.]+ s$")
PEAKS = "peaks.json"  # in the folder of a run: bytes by notebook


def run_pipeline(arguments: Sequence[str]) -> Iterator[tuple[str, float]]:
    """Run `imet_tools.pipeline`, whose output is shown: name and peak bytes of each notebook.

    Raises:
        subprocess.CalledProcessError: if the pipeline fails.
    """
    command = [sys.executable, "-P", "-m", "imet_tools.pipeline", *arguments]
    name = ""
    with (
        subprocess.Popen(command, cwd=PROJECT_DIR, stdout=subprocess.PIPE, text=True) as process,
        watching(partial(tree_memory, process.pid), INTERVAL) as peaks,
    ):
        for line in process.stdout:
            sys.stderr.write(line)
            if found := START.match(line.rstrip()):
                name = found[1]
                peaks.append(0.0)
            elif (found := END.match(line.rstrip())) and found[1] == name:
                yield name, peaks[-1]
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)


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
    """Run, and keep the highest peak of each notebook."""
    path = Path(sys.argv[sys.argv.index("--output") + 1], PEAKS)
    for name, peak in run_pipeline(sys.argv[1:]):
        peaks = try_json(path) or {}
        save_json({**peaks, name: max(peak, peaks.get(name, 0))}, path)


if __name__ == "__main__":
    main()
