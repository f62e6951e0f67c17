"""The pages that people read: their lengths, their links, and the commands that they show."""

import importlib
import re
import shlex
from contextlib import redirect_stdout
from io import StringIO

import pytest

from imet_tools.pipeline.parameters import find_notebooks
from imet_utils.runs import PROJECT_DIR

LIMITS = {"README.md": 150, "benchmarks/README.md": 60, "tests/README.md": 40}
PATTERNS = ["*.md", *(f"{room}/**/*.md" for room in ("docs", "benchmarks", "tests"))]
FOUND = [path for pattern in [*PATTERNS, "*/README.md"] for path in PROJECT_DIR.glob(pattern)]
PAGES = sorted({path.relative_to(PROJECT_DIR).as_posix() for path in FOUND})
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
GALLERY = ("docs/gallery.md", "docs/notebooks/")
IMAGE = re.compile(r'<img src="([^"]+)"')
TOOL = r"\./run_all\.sh|python[\d.]* |pytest |pip |kaggle |torchrun |\S+/bin/\w+ |\.venv/"
COMMAND = re.compile(rf"(?:^ {{4}}[!%]?|`)((?:{TOOL})[^`\n]*)", re.M)
# modules of subcommands
TOOLS = {"collect": "museums", "gallery": "pipeline.gallery", "kaggle": "kaggle"}
TOOLS |= dict.fromkeys(["add", "correct", "ensemble", "export", "label"], "labelling")


def read(page):
    return (PROJECT_DIR / page).read_text(encoding="utf-8")


def anchors(page):
    """The anchors of a page's headings, as GitHub makes them."""
    text = re.sub(r"^```.*?^```", "", read(page), flags=re.M | re.S)
    found = re.findall(r"^#+ (.+)$", text, flags=re.M)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in found}


@pytest.mark.parametrize("page", PAGES)
def test_pages_are_short_and_their_links_lead_somewhere(page):
    limit = LIMITS.get(page, 180 if page.startswith("docs/") and page.count("/") == 1 else 400)
    assert len(read(page).splitlines()) <= limit
    for address in LINK.findall(read(page)) + IMAGE.findall(read(page)):
        if re.match(r"https?://", address):
            continue
        name, _, anchor = address.partition("#")
        target = ((PROJECT_DIR / page).parent / name if name else PROJECT_DIR / page).resolve()
        assert target.exists(), address
        if anchor:
            assert anchor in anchors(target.relative_to(PROJECT_DIR).as_posix()), address


def test_every_notebook_and_document_is_linked_from_the_readme():
    linked = set(LINK.findall(read("README.md")))
    notebooks = set(find_notebooks(PROJECT_DIR / "notebooks")) - {"00_start_here"}
    assert {f"docs/notebooks/{stem}.md" for stem in notebooks} <= linked
    pages = {page for page in PAGES if re.fullmatch(r"docs/[^/]+", page)}
    assert pages <= {address.partition("#")[0] for address in linked}


def test_the_gallery_is_small_and_whole():
    """A dozen figures of 2 MB, all of it 8 MB; each picture is used, and no path is left."""
    docs, pages = PROJECT_DIR / "docs", [page for page in PAGES if page.startswith(GALLERY)]
    figures = {path.name: path.stat().st_size for path in (docs / "notebooks/figures").iterdir()}
    used = {name for page in pages for name in re.findall(r"figures/([\w.]+)\)", read(page))}
    assert used == set(figures)
    shown = re.findall(r"!\[[^]]*\]\(notebooks/figures/([\w.]+)\)", read("docs/gallery.md"))
    assert 10 <= len(shown) == len(set(shown))
    assert sum(figures[name] for name in shown) <= 2e6
    texts = [(PROJECT_DIR / page).stat().st_size for page in pages]
    assert sum(texts) + sum(figures.values()) <= 8e6
    assert "CC0 1.0" in read("docs/gallery.md")
    assert all("painted by code" in read(page).splitlines()[2] for page in pages)
    local = re.compile(r"(?<![\w.])/(tmp|work|root|home|Users|mnt|var)/|0x[0-9a-f]{6}|\d\d:\d\d<")
    assert [page for page in pages if local.search(read(page))] == []


def commands():
    """Each command on the pages, once, also those within a sentence."""
    pages = [page for page in PAGES if not page.startswith(GALLERY)]
    found = {line for page in pages for line in COMMAND.findall(read(page))}
    return sorted({line.split("  #")[0].strip() for line in found})


def help_of(tool):
    """The help of a command, as its module prints it."""
    name, kinds = f"imet_tools.{TOOLS[tool] if tool else 'pipeline'}", []
    module = importlib.import_module(name if tool in ("gallery", "kaggle") else f"{name}.__main__")
    if TOOLS.get(tool) == "labelling":
        kinds = [tool]
    with redirect_stdout(StringIO()) as told, pytest.raises(SystemExit):
        module.main([*kinds, "--help"])
    return told.getvalue()


@pytest.mark.parametrize("line", commands())
def test_scripts_and_options_of_commands_exist(line):
    """Every option that a page shows is one that the command's help names."""
    for script in re.findall(r"benchmarks/\w+\.py", line):
        assert (PROJECT_DIR / script).is_file()
    if not line.startswith("./run_all.sh"):
        return
    words = shlex.split(line)[1:]
    tool = words[0] if words and not words[0].startswith("-") else ""
    if tool in ("test", "lint", "lab", "setup"):
        assert re.search(rf"^  (.*\| )?{tool}\)", read("run_all.sh"), flags=re.M)
        return
    options = {word for word in words if re.match(r"--?[a-z]", word)}
    assert options <= set(re.findall(r"(?<![\w-])--?[a-z][a-z-]*", help_of(tool)))
