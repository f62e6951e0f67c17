"""The plan of the package: rooms on one way, imports that only look back, one address a thing."""

import ast
import importlib
import re
import subprocess
import sys

import pytest

from imet_utils.runs import PROJECT_DIR

PACKAGE = PROJECT_DIR / "imet_utils"
ROOMS = [
    "code", "files", "progress", "processes", "distributed", "provenance",  # the ground floor
    "tables", "plots", "runs", "views", "hog", "encoders", "features", "models", "metrics",
    "decoding", "training", "labeller",
]  # fmt: skip
# These stand on nothing else; figures tell a label's kind by its name.
ALONE = {"metrics": (), "plots": ("tables",)}

# Python as Windows and other C libraries have it.
BARE = """
import os, platform, sys
sys.modules["fcntl"] = None
del os.sched_getaffinity
platform.libc_ver = lambda *given: ("", "")
import importlib
for name in sys.argv[1:]:
    importlib.import_module(name)
"""


def room_of(path):
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imports():
    """Yield every import of ours: room, file, and the address and names that it takes."""
    for path in sorted(PACKAGE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("imet_utils."):
                names = [alias.name for alias in node.names]
                yield room_of(path), path, node.module.split(".")[1:], names


def test_every_file_is_in_a_room_and_imports_look_back_and_enter_a_room_by_its_door():
    found = {room_of(path) for path in PACKAGE.rglob("*.py")} - {"__init__"}
    assert found == set(ROOMS)
    for room, path, (taken, *inner), names in imports():
        if taken != room:
            before = ALONE.get(room, ROOMS[: ROOMS.index(room)])
            assert taken in before, f"{path.name} imports {taken}"
            assert not inner, f"{path.name} imports {taken}.{'.'.join(inner)}"
            assert all(hasattr(importlib.import_module(f"imet_utils.{taken}"), n) for n in names)


def test_the_package_imports_no_tool_and_names_no_notebook_and_the_painter_needs_it_not():
    for path in PACKAGE.rglob("*.py"):
        source = path.read_text(encoding="utf-8")
        assert not re.search(r"^\s*(from|import) imet_tools", source, re.MULTILINE), path.name
        assert not re.search(r"\b0\d_[a-z]+_[a-z]+", source), path.name
    painter = [path.read_text() for path in (PROJECT_DIR / "imet_tools/sample").glob("*.py")]
    assert painter
    assert not any("imet_utils" in source for source in painter)


@pytest.mark.slow
def test_every_room_can_be_imported_without_fcntl_affinity_and_a_c_library():
    paths = [p.relative_to(PROJECT_DIR).with_suffix("") for p in PACKAGE.rglob("*.py")]
    names = [".".join(p.parts) for p in paths if p.stem not in ("__init__", "__main__")]
    result = subprocess.run([sys.executable, "-c", BARE, *names], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr[-2000:]
