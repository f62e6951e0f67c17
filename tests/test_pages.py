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
PATTERNS = ("*.md", "*/README.md", "docs/**/*.md", "benchmarks/**/*.md")
FOUND = {path for pattern in PATTERNS for path in PROJECT_DIR.glob(pattern)}
PAGES = sorted(path.relative_to(PROJECT_DIR).as_posix() for path in FOUND)
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
IMAGE = re.compile(r'<img src="([^"]+)"')
GALLERY = ("docs/gallery.md", "docs/notebooks/")
TOOL = r"\./run_all\.sh|python[\d.]* |pytest |pip |kaggle |torchrun |\S+/bin/\w+ |\.venv/"
COMMAND = re.compile(rf"(?:^ {{4}}[!%]?|`)((?:{TOOL})[^`\n]*)", re.M)
TOOLS = {"": "pipeline.__main__", "gallery": "pipeline.gallery", "kaggle": "kaggle"}
TOOLS |= {"collect": "museums.__main__"}
TOOLS |= dict.fromkeys(["add", "correct", "ensemble", "export", "label"], "labelling.__main__")


def read(page):
    return (PROJECT_DIR / page).read_text(encoding="utf-8")


def anchors(path):
    """The anchors of a page's headings, as GitHub makes them."""
    text = re.sub(r"^```.*?^```", "", read(path), flags=re.M | re.S)
    titles = re.findall(r"^#+ (.+)$", text.lower(), flags=re.M)
    return {re.sub(r"[^\w\- ]", "", title).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", PAGES)
def test_pages_are_short_and_their_links_lead_somewhere(page):
    limit = LIMITS.get(page, 180 if page.startswith("docs/") and page.count("/") == 1 else 400)
    assert len(read(page).splitlines()) <= limit
    for address in LINK.findall(read(page)) + IMAGE.findall(read(page)):
        if not re.match(r"https?://", address):
            name, _, anchor = address.partition("#")
            target = (PROJECT_DIR / page).parent / name if name else PROJECT_DIR / page
            assert target.exists(), address
            assert not anchor or anchor in anchors(target), address


def test_every_notebook_and_document_is_linked_from_the_readme():
    linked = set(LINK.findall(read("README.md")))
    notebooks = set(find_notebooks(PROJECT_DIR / "notebooks")) - {"00_start_here"}
    assert {f"docs/notebooks/{stem}.md" for stem in notebooks} <= linked
    pages = {page for page in PAGES if re.fullmatch(r"docs/[^/]+", page)}
    assert pages <= {address.partition("#")[0] for address in linked}


def test_the_gallery_is_small_and_whole():
    """A dozen figures of 2 MB, all of it 8 MB; each picture is used, and no path is left."""
    pages, folder = [page for page in PAGES if page.startswith(GALLERY)], "docs/notebooks/figures"
    figures = {path.name: path.stat().st_size for path in (PROJECT_DIR / folder).iterdir()}
    used = {name for page in pages for name in re.findall(r"figures/([\w.]+)\)", read(page))}
    assert used == set(figures)
    shown = re.findall(r"!\[[^]]*\]\(notebooks/figures/([\w.]+)\)", read("docs/gallery.md"))
    assert 10 <= len(shown) == len(set(shown))
    assert sum(figures[name] for name in shown) <= 2e6
    assert sum(len(read(page)) for page in pages) + sum(figures.values()) <= 8e6
    assert all("painted by code (CC0 1.0)" in read(page).splitlines()[2] for page in pages)
    local = re.compile(r"(?<![\w.])/(tmp|work|root|home|Users|mnt|var)/|0x[0-9a-f]{6}|\d\d:\d\d<")
    assert [page for page in pages if local.search(read(page))] == []


def commands():
    """Each command on the pages, once, also those within a sentence."""
    pages = [page for page in PAGES if not page.startswith(GALLERY)]
    found = {line for page in pages for line in COMMAND.findall(read(page))}
    return sorted({line.split("  #")[0].strip() for line in found})


def help_of(tool):
    """The help of a command, as its module prints it."""
    module = importlib.import_module(f"imet_tools.{TOOLS[tool]}")
    kinds = [tool] if TOOLS[tool] == "labelling.__main__" else []
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
    if tool not in TOOLS:
        assert f"\n  {tool})" in read("run_all.sh")
        return
    options = {word for word in words if re.match(r"--?[a-z]", word)}
    assert options <= set(re.findall(r"(?<![\w-])--?[a-z][a-z-]*", help_of(tool)))
