"""What can be wrong with a collection: the form of a case, the sound collection, the page of cases.

`python tests/test_faults.py` writes them to the section "Bad input" of `README.md` here.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

PAGE = Path(__file__).with_name("README.md")
IDS = "abcdefghijklmnopqrst"
LABELS = "attribute_id,attribute_name\n7,culture::french\n3,tag::men\n10,portrait\n"
TRAIN = "id,attribute_ids\n" + "".join(f"{i},{'3 7' if n % 2 else 10}\n" for n, i in enumerate(IDS))

INTRODUCTION = """
{count} faults, each done by a test (`test_faults.py`) to a sound collection of twenty images,
which is then loaded, stripped of rare labels and split as notebooks 1 and 2 do it. What is refused
is refused before any work, with the whole message shown; `(…)` is what Pillow says of the file.
Faults of images end with the line *Or leave such images out: set ON_BAD_IMAGE = "skip".* Those of
`train/` are tried with `skip` too: the image is left out, and listed in `skipped_images.csv`.

Beside these, hypothesis writes tables in random spellings, which must read alike, and damages
tables at random, which must be read or be refused with the name of the file.

Not found are bytes changed within a JPEG, WebP or BMP that still decodes, to other pixels: these
formats have no checksums.
"""

Damage = Callable[[Path], None]
Check = Callable[[Path, object], None]  # of the folder and what `load_collection` returned


@dataclass(frozen=True)
class BadInput:
    """One thing that can be wrong, how a test does it to a sound collection, and what happens.

    Attributes:
        fault: what is wrong.
        how: what the test does.
        damage: does it to the collection in a folder.
        happens: the whole message of a refusal, paths as seen from the folder, with `(…)` for what
            a library says; or, with a `check`, what is right about the outcome.
        check: asserts it; None for a refusal.
        min_count: labels on fewer images are dropped.
    """

    fault: str
    how: str
    damage: Damage
    happens: str
    check: Check | None = None
    min_count: int = 3

    def matches(self, message: str, folder: Path) -> bool:
        """Say whether a message is the one that the case tells."""
        pattern = re.escape(self.happens).replace(re.escape("(…)"), r"\(.*\)")
        return re.fullmatch(pattern, message.replace(f"{folder}/", "")) is not None

    def row(self) -> str:
        """Write the case as a row of a Markdown table."""
        happens = self.happens if self.check else f"refused: `{self.happens}`"
        cells = [self.fault, self.how, happens]
        return "| " + " | ".join(_cell(text) for text in cells) + " |"


def write_sound_collection(folder: Path) -> None:
    """Write twenty small images of noise with three labels."""
    (folder / "labels.csv").write_text(LABELS, encoding="utf-8")
    (folder / "train.csv").write_text(TRAIN, encoding="utf-8")
    (folder / "train").mkdir()
    for number, image_id in enumerate(IDS):
        levels = np.random.default_rng(number).integers(0, 256, (30, 40, 3), dtype=np.uint8)
        Image.fromarray(levels).save(folder / f"train/{image_id}.png")


def give(name: str, content: str | bytes) -> Damage:
    """Return what writes `content` to a file of the collection."""

    def damage(folder: Path) -> None:
        (folder / name).parent.mkdir(exist_ok=True)
        data = content if isinstance(content, bytes) else content.encode()
        (folder / name).write_bytes(data)

    return damage


def render_section(groups: dict[str, list[BadInput]]) -> str:
    """Write the section of the page: a table for each group."""
    parts = ["## Bad input", INTRODUCTION.strip().format(count=sum(map(len, groups.values())))]
    for title, cases in groups.items():
        head = ["what is wrong | what the test does | what happens", "--- | --- | ---"]
        rows = [f"| {line} |" for line in head] + [case.row() for case in cases]
        parts += [f"### {title}", "\n".join(rows)]
    return "\n\n".join(parts) + "\n"


def replace_section(page: str, section: str) -> str:
    """Put a section in the place of the one on the page with its heading."""
    heading = section.partition("\n")[0]
    pattern = rf"^{re.escape(heading)}\n.*?(?=^## |\Z)"
    found = re.search(pattern, page, re.DOTALL | re.MULTILINE)
    if not found:
        raise ValueError(f"the page has no section {heading!r}")
    rest = page[found.end() :]
    return page[: found.start()] + section + "\n" * bool(rest) + rest


def _cell(text: str) -> str:
    """Escape what would break a table row; text in code spans may hold no line breaks."""
    return text.replace("|", r"\|").replace("\n", " ⏎ ")
