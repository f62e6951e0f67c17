"""Progress of a loop: a bar for people at a screen, plain lines for logs and executed notebooks."""

import os
import re
import sys
from collections.abc import Iterable, Iterator
from time import monotonic
from typing import TypeVar

from tqdm import tqdm

Item = TypeVar("Item")

SECONDS_BETWEEN_LINES = 10.0
LINE = re.compile(
    r"(?P<description>.+): (?P<done>[\d,]+)(/[\d,]+ \(\d+ %\)| \S+), \d+ (s|min|h)\b.*"
)


def progress(
    iterable: Iterable[Item], description: str, total: int | None = None, unit: str = "it"
) -> Iterable[Item]:
    r"""Iterate over `iterable` and show how far it is.

    Interactively this is a tqdm bar on standard output. With the environment variable
    `IMET_HEADLESS` set (as `run_all.sh` does), it is a full line at most every ten seconds and one
    at the end, since a bar that redraws itself fills a log with fragments.

    Args:
        iterable: anything to loop over, with or without a length.
        description: what is being done.
        total: number of items, where `len(iterable)` does not tell it.
        unit: what an item is, in the singular.

    >>> os.environ["IMET_HEADLESS"] = "1"
    >>> sum(progress([1, 2, 3], "adding"))
    adding: 3/3 (100 %), 0 s
    6
    >>> del os.environ["IMET_HEADLESS"]
    """
    if os.environ.get("RANK", "0") != "0":  # of several processes the first one tells
        return iterable
    if total is None:
        total = len(iterable) if hasattr(iterable, "__len__") else None
    if os.environ.get("IMET_HEADLESS", "0") not in ("", "0"):
        return _with_lines(iterable, description, total, unit)
    return tqdm(iterable, description, total=total, unit=unit, file=sys.stdout, mininterval=0.5)


def _with_lines(
    iterable: Iterable[Item], description: str, total: int | None, unit: str
) -> Iterator[Item]:
    """Yield the items; write a line after one when the last line is long enough ago."""
    start = last = monotonic()
    count = 0
    try:
        for count, item in enumerate(iterable, start=1):
            yield item
            if monotonic() - last >= SECONDS_BETWEEN_LINES and count != total:
                last = monotonic()
                _write_line(format_line(description, count, total, last - start, unit))
    finally:  # a loop that is left early has most likely done its work on the item at hand
        _write_line(format_line(description, count, total, monotonic() - start, unit, ended=True))


def _write_line(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def format_line(
    description: str,
    done: int,
    total: int | None,
    seconds: float,
    unit: str = "it",
    ended: bool = False,
) -> str:
    """Say in one line how many items are done and how long the rest will take.

    >>> format_line("views", 1200, 7200, 12.0)
    'views: 1,200/7,200 (17 %), 12 s, about 60 s left'
    >>> format_line("views", 1200, None, 200.0, unit="image")
    'views: 1,200 images, 3 min 20 s'
    """
    if total is None:
        many = unit if unit == "it" or done == 1 else plural(unit)
        return f"{description}: {done:,} {many}, {format_seconds(seconds)}"
    share = 100 if done >= total else min(99, round(100 * done / total))  # never 100 too early
    line = f"{description}: {done:,}/{total:,} ({share} %), {format_seconds(seconds)}"
    if ended or not done or done >= total:
        return line
    return f"{line}, about {format_seconds(seconds / done * (total - done))} left"


def last_lines(text: str) -> str:
    r"""Drop the lines of a loop's progress that a later line of it follows, and redrawn bars.

    >>> last_lines("a: 1/3 (33 %), 9 s, about 18 s left\na: 3/3 (100 %), 26 s\nDone.")
    'a: 3/3 (100 %), 26 s\nDone.'
    >>> last_lines("0%|  |\r50%|# |\r100%|##|\nDone.")
    '100%|##|\nDone.'
    """
    lines = [line.rstrip("\r").rpartition("\r")[2] for line in text.split("\n")]
    kept: list[str] = []
    for line in lines:
        if kept and _goes_on(kept[-1], line):
            kept.pop()
        kept.append(line)
    return "\n".join(kept)


def _goes_on(before: str, after: str) -> bool:
    """Say whether `after` tells of the same loop as `before`, further on."""
    first, second = LINE.fullmatch(before), LINE.fullmatch(after)
    if not first or not second or "(100 %)" in before:
        return False
    counts = [int(match["done"].replace(",", "")) for match in (first, second)]
    return first["description"] == second["description"] and counts[0] <= counts[1]


def plural(unit: str) -> str:
    """Write a unit in the plural.

    >>> plural("batch"), plural("image")
    ('batches', 'images')
    """
    return unit + ("es" if unit.endswith(("ch", "sh", "s", "x")) else "s")


def format_seconds(seconds: float) -> str:
    """Write a duration in its two largest units; up to 99 s in seconds.

    >>> format_seconds(60.4), format_seconds(200), format_seconds(3725)
    ('60 s', '3 min 20 s', '1 h 2 min')
    """
    whole = round(seconds)
    if whole < 100:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"
