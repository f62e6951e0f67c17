"""What all benchmarks share: the command line, turns, tables, and the pages in `results`."""

import argparse
import datetime
import platform
import re
import shlex
import statistics
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
import torch

from imet_utils.files import atomic_path
from imet_utils.metrics import bootstrap_mean

RESULTS = Path(__file__).with_name("results")


def make_parser(doc: str, section: str, is_of_scores: bool = False) -> argparse.ArgumentParser:
    """Make a command line that can write its page: `--page`, or `--page NAME`.

    Benchmarks of scores also need a collection and a folder for what takes long.
    """
    parser = argparse.ArgumentParser(description=doc.splitlines()[0])
    page = {"nargs": "?", "const": section, "metavar": "NAME"}
    parser.add_argument("--page", help="also write the page results/NAME.md", **page)
    if is_of_scores:
        folder = {"type": Path, "required": True}
        parser.add_argument("--data", help="a collection in iMet's layout", **folder)
        parser.add_argument("--work", help="features and predictions go here", **folder)
    return parser


def command_line() -> str:
    """Return the command that is being run, as from the project's folder; a path is DIR in it."""
    words = [re.sub(r"[^=]*/.*", "DIR", word) for word in sys.argv[1:]]
    return shlex.join(["python", f"benchmarks/{Path(sys.argv[0]).name}", *words])


def publish(section: str | None, title: str, *parts: str) -> None:
    """Print a page, and write it if it is named: title, command, parts, and last the machine.

    A name has small letters, digits and underscores only.
    """
    text = "\n\n".join([f"# {title}", f"`{command_line()}`", *parts, describe_machine()]) + "\n"
    sys.stdout.write(text)
    if section is None:
        return
    if not re.fullmatch(r"[a-z0-9_]+", section):
        raise ValueError(f"a page needs a name of small letters, digits and _, got {section!r}")
    RESULTS.mkdir(exist_ok=True)
    with atomic_path(RESULTS / f"{section}.md") as temporary:
        temporary.write_text(text, encoding="utf-8")


def format_table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Write a table as Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def tabulate_f2(scores: Mapping[str, np.ndarray], title: str = "", to_above: bool = False) -> str:
    """Write mean F2 with its interval, and paired differences to the first row, as Markdown.

    `scores` are F2 of each image (N,) by row; `to_above` compares each row with the one above it.
    """
    names, rows = list(scores), []
    for number, (name, f2) in enumerate(scores.items()):
        mean = bootstrap_mean(f2)
        other = scores[names[number - 1 if to_above else 0]]
        gap = describe_gap(f2 - other) if number else ""
        rows.append([name, f"{mean.mean:.3f}", f"{mean.low:.3f} to {mean.high:.3f}", gap])
    compared = "the row above" if to_above else names[0]
    return format_table([title, "F2", "95 % interval", f"difference to {compared}"], rows)


def find_devices() -> list[torch.device]:
    """List the CPU and, where there is one, a GPU."""
    names = ["cpu", "cuda"] if torch.cuda.is_available() else ["cpu"]
    return [*map(torch.device, names)]


def clock_of(device: torch.device, alone: bool = True) -> Callable[[], float]:
    """Choose processor time where one thread of the CPU does all, else the time on the clock."""
    if device.type == "cpu":
        only_one = alone and torch.get_num_threads() == 1
        return time.process_time if only_one else time.perf_counter

    def clock() -> float:
        torch.cuda.synchronize()
        return time.perf_counter()

    return clock


def time_in_turns(
    ways: Mapping[str, Callable[[], object]], clock: Callable[[], float], rounds: int
) -> dict[str, float]:
    """Take the median seconds of each way, the ways taking turns; the first turn warms up."""
    times: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds + 1):
        for name, way in ways.items():
            start = clock()
            way()
            times[name].append(clock() - start)
    return {name: statistics.median(spent[1:]) for name, spent in times.items()}


def describe_gap(differences: np.ndarray) -> str:
    """Write the mean of paired differences (N,) with its 95 % interval."""
    gap = bootstrap_mean(differences)
    return f"{gap.mean:+.3f} ({gap.low:+.3f} to {gap.high:+.3f})"


def describe_machine() -> str:
    """Name the system, the processor, the threads, the CUDA device if any, torch and the date."""
    parts = [platform.platform(), _processor(), f"{torch.get_num_threads()} thread(s)"]
    if torch.cuda.is_available():
        parts.append(torch.cuda.get_device_name())
    return ", ".join([*parts, f"torch {torch.__version__}", datetime.date.today().isoformat()])


def _processor() -> str:
    """Read the processor's model where Linux keeps it; `platform` often knows the kind alone."""
    path = Path("/proc/cpuinfo")
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    found = re.search(r"^model name\s*:\s*(.+)$", text, flags=re.MULTILINE)
    return found.group(1).strip() if found else platform.processor() or platform.machine()
