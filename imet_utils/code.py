"""The code that a result depends on, as one hash."""

import ast
import hashlib
import sys
from collections.abc import Iterator
from functools import cache, partial
from pathlib import Path
from types import CodeType, FunctionType
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
LIBRARIES = {"site-packages", "dist-packages"}
PACKAGES = ("imet_utils", "imet_tools")


@cache
def code_digest(*modules: str) -> str:
    """Hash the sources of modules and of everything of these packages that they import.

    What a package's `__init__` re-exports leads to the module that defines it, so that an edit to
    a neighbour in the same package changes nothing. Sources are read once in a process, since
    later edits are not what it runs. FileNotFoundError if there is no such module.
    """
    found: set[str] = set()
    waiting = list(modules)
    while waiting:
        module = waiting.pop()
        if module not in found:
            found.add(module)
            waiting += _imports(module)
    digest = hashlib.sha256()
    for module in sorted(found):
        digest.update(f"{module}\t".encode() + _source_path(module).read_bytes())
    return digest.hexdigest()


def is_ours(module: str) -> bool:
    """Tell whether a module belongs to one of the two packages."""
    return module.split(".")[0] in PACKAGES


def _source_path(module: str) -> Path:
    path = ROOT.joinpath(*module.split("."))
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


@cache
def _imports(module: str) -> set[str]:
    """List the modules that define what a module imports; an `__init__` only re-exports."""
    path = _source_path(module)
    if path.name == "__init__.py":
        return set()
    return {_definer(source, name) for source, name in _imported_names(path)}


def _imported_names(path: Path) -> Iterator[tuple[str, str]]:
    """Yield (module, name) of each name that a source file imports from the two packages."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module and is_ours(node.module):
            yield from ((node.module, alias.name) for alias in node.names)


def _definer(module: str, name: str) -> str:
    """Find the module that defines a name which `module` offers."""
    path = _source_path(module)
    if path.name == "__init__.py":
        if _source_path(f"{module}.{name}").is_file():
            return f"{module}.{name}"
        for source, exported in _imported_names(path):
            if exported == name:
                return _definer(source, name)
    return module


def describe_code(thing: Any) -> Any:  # noqa: ANN401
    """Describe a function, a class or a callable object by its code and its settings, for a hash.

    What is defined in these packages is described by its module and all that this imports; what
    comes from an installed library, by its name; what a reader wrote, in a notebook or a file, by
    its compiled code. The arguments of a `partial` and the attributes of an object count.
    """
    if isinstance(thing, CodeType):  # whatever its place in the file
        return [thing.co_code.hex(), thing.co_names, [describe_code(c) for c in thing.co_consts]]
    if isinstance(thing, frozenset):  # whose order differs between processes
        return sorted(map(repr, thing))
    if not callable(thing):
        return thing.tolist() if hasattr(thing, "tolist") else repr(thing)
    if isinstance(thing, partial):
        keywords = {name: describe_code(value) for name, value in thing.keywords.items()}
        return [describe_code(thing.func), [describe_code(value) for value in thing.args], keywords]
    if not isinstance(thing, FunctionType | type):
        return [describe_code(type(thing)), plain_attributes(thing)]
    name = f"{thing.__module__}.{thing.__qualname__}"
    if is_ours(thing.__module__):
        return [name, code_digest(thing.__module__)]
    file = Path(getattr(sys.modules.get(thing.__module__), "__file__", None) or "")
    if thing.__module__ != "__main__" and LIBRARIES.intersection(file.parts):
        return [name]
    if isinstance(thing, type):
        functions = [v for v in vars(thing).values() if isinstance(v, FunctionType)]
        bases = [base for base in thing.__bases__ if base is not object]
        return [name, *(describe_code(part) for part in [*bases, *functions])]
    cells = [describe_code(cell.cell_contents) for cell in thing.__closure__ or ()]
    return [name, describe_code(thing.__code__), repr(thing.__defaults__), cells]


def plain_attributes(thing: object) -> dict[str, Any]:
    """Return an object's public attributes that are numbers, texts, or tuples of these."""
    found = getattr(thing, "__dict__", {})
    return {k: v for k, v in found.items() if not k.startswith("_") and _is_plain(v)}


def _is_plain(value: object) -> bool:
    if isinstance(value, tuple | list):
        return all(map(_is_plain, value))
    return isinstance(value, str | int | float | None)
