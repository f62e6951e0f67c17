"""The page of results, `benchmarks/README.md`: each benchmark rewrites its own section of it."""

import datetime
import platform
import re
from pathlib import Path

import numpy as np
import torch

from imet_utils.files import atomic_path
from imet_utils.metrics import bootstrap_mean

PAGE = Path(__file__).with_name("README.md")
INTRODUCTION = """# Benchmarks

Each table below is written by the command named above it, between two marks that the command finds
again; nothing in them is typed by hand. The last line of each section names the machine. To write
them all anew: `python benchmarks/measure_all.py --help`.
"""


def write_section(name: str, text: str) -> None:
    """Replace what stands between the marks of a section, or put the section at the page's end.

    Args:
        name: small letters, digits and underscores; the marks are `<!-- name:begin -->` and
            `<!-- name:end -->`.
        text: Markdown without those marks.

    Raises:
        ValueError: for another kind of name, a mark in the text, or a section without its end.
    """
    begin, end = f"<!-- {name}:begin -->", f"<!-- {name}:end -->"
    if not re.fullmatch(r"[a-z0-9_]+", name) or begin in text or end in text:
        raise ValueError(f"a section needs a plain name and a text without its marks: {name!r}")
    page = PAGE.read_text(encoding="utf-8") if PAGE.exists() else INTRODUCTION
    if begin not in page:
        page = f"{page.rstrip()}\n\n{begin}{end}\n"
    before, _, rest = page.partition(begin)
    _, closed, after = rest.partition(end)
    if not closed:
        raise ValueError(f"{PAGE} has {begin} without {end} behind it")
    with atomic_path(PAGE) as temporary:
        section = f"{begin}\n\n{text.strip()}\n\n{end}"
        temporary.write_text(f"{before}{section}{after}", encoding="utf-8")


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
