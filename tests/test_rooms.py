"""The plan of the package: rooms on one way, imports that only look back, one address a thing."""

import ast
import re

from imet_utils.runs import PROJECT_DIR

PACKAGE = PROJECT_DIR / "imet_utils"
ROOMS = [
    "code", "files", "progress", "processes", "distributed", "provenance",  # the ground floor
    "tables", "plots", "runs", "views", "hog", "encoders", "features", "models", "metrics",
    "decoding", "training", "labeller",
]  # fmt: skip
# These stand on nothing else; figures tell a label's kind by its name.
ALONE = {"metrics": (), "plots": ("tables",)}


def room_of(path):
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imports():
    """Yield every import of ours: room, file, and the address that it takes from."""
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("imet_utils."):
                yield room_of(path), path, node.module.split(".")[1:]


def test_every_file_is_in_a_room_and_imports_look_back_and_enter_a_room_by_its_door():
    found = {room_of(path) for path in PACKAGE.rglob("*.py")} - {"__init__"}
    assert found == set(ROOMS)
    for room, path, (taken, *inner) in imports():
        if taken != room:
            before = ALONE.get(room, ROOMS[: ROOMS.index(room)])
            assert taken in before, f"{path.name} imports {taken}"
            assert not inner, f"{path.name} imports {taken}.{'.'.join(inner)}"


def test_the_package_imports_no_tool_and_names_no_notebook_and_the_painter_needs_it_not():
    for path in PACKAGE.rglob("*.py"):
        source = path.read_text(encoding="utf-8")
        assert not re.search(r"^\s*(from|import) imet_tools", source, re.MULTILINE), path.name
        assert not re.search(r"\b0\d_[a-z]+_[a-z]+", source), path.name
    painter = [path.read_text() for path in (PROJECT_DIR / "imet_tools/sample").glob("*.py")]
    assert painter
    assert not any("imet_utils" in source for source in painter)
