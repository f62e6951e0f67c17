"""The code that a result depends on, as one hash."""

import ast
import hashlib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("imet_utils", "imet_tools")


@cache
def code_digest(*modules: str) -> str:
    """Hash the sources of modules and of everything of these packages that they import.

    What a package's `__init__` re-exports leads to the module that defines it, so that an edit to
    a neighbour in the same package changes nothing. Sources are read once in a process, since
    later edits are not what it runs.

    Args:
        modules: dotted names, such as `imet_utils.hog`.

    Returns:
        64 hexadecimal digits.

    Raises:
        FileNotFoundError: if there is no such module.

    >>> code_digest("imet_utils.progress") == code_digest("imet_utils.files")
    False
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
def _imports(module: str) -> tuple[str, ...]:
    """List the modules that define what a module imports; a package's `__init__` imports nothing.

    An `__init__` that only re-exports is looked through, not depended on.
    """
    path = _source_path(module)
    if path.name == "__init__.py":
        return ()
    found = [_definer(source, name) for source, name in _imported_names(path)]
    return tuple(dict.fromkeys(found))


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
