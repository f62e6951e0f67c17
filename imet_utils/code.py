"""The code that a result depends on, as one hash."""

import ast
import hashlib
import sys
from collections.abc import Iterator
from dataclasses import is_dataclass
from dis import get_instructions
from functools import cache, partial
from pathlib import Path
from types import BuiltinFunctionType, CodeType, FunctionType, MethodType
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
    its compiled code and by what this uses of the reader's own: functions, classes, constants. The
    arguments of a `partial` and the attributes of an object count.
    """
    return _describe(thing, set())


def _describe(thing: Any, seen: set[Any]) -> Any:  # noqa: ANN401
    """Describe as `describe_code` does; of the functions and classes `seen` only the name."""
    if isinstance(thing, CodeType):  # whatever its place in the file
        constants = [_describe(value, seen) for value in thing.co_consts]
        return [thing.co_code.hex(), thing.co_names, constants]
    if isinstance(thing, frozenset):  # whose order differs between processes
        return sorted(map(repr, thing))
    if isinstance(thing, staticmethod | classmethod | property):
        return _describe(thing.fget if isinstance(thing, property) else thing.__func__, seen)
    if not callable(thing):
        return thing.tolist() if hasattr(thing, "tolist") else repr(thing)
    if isinstance(thing, partial):
        keywords = {name: _describe(value, seen) for name, value in thing.keywords.items()}
        return [_describe(thing.func, seen), [_describe(v, seen) for v in thing.args], keywords]
    if isinstance(thing, MethodType):
        return [_describe(thing.__func__, seen), _describe_object(thing.__self__, seen)]
    if not isinstance(thing, FunctionType | BuiltinFunctionType | type):
        return _describe_object(thing, seen)
    name = f"{thing.__module__}.{thing.__qualname__}"
    if is_ours(str(thing.__module__)):
        return [name, code_digest(thing.__module__)]
    if isinstance(thing, BuiltinFunctionType) or _is_of_library(thing):
        return [name]
    name = thing.__qualname__  # alike in a notebook and in a file
    if thing in seen:
        return [name]
    seen.add(thing)
    if isinstance(thing, type):
        named = sorted(vars(thing).items())  # a copy in another process may have another order
        parts = [part for key, part in named if _is_code(part) or key[:2] != "__"]
        bases = [base for base in thing.__bases__ if base is not object]
        return [name, *(_describe(part, seen) for part in bases + parts if _is_kept(part))]
    used = [thing.__globals__[n] for n in _globals(thing.__code__) if n in thing.__globals__]
    used += [cell.cell_contents for cell in thing.__closure__ or ()]
    own = [_describe(value, seen) for value in used if _is_kept(value)]
    return [name, _describe(thing.__code__, seen), repr(thing.__defaults__), own]


def _describe_object(thing: Any, seen: set[Any]) -> Any:  # noqa: ANN401
    """Describe an object by its class, its plain settings, and its arrays, also of a module."""
    state = vars(thing) if hasattr(thing, "__dict__") else {}
    state = state | (thing.state_dict() if hasattr(thing, "state_dict") else {})
    arrays = {name: value.tolist() for name, value in state.items() if hasattr(value, "tolist")}
    return [_describe(type(thing), seen), plain_attributes(thing), arrays]


def _is_of_library(thing: FunctionType | type) -> bool:
    module = thing.__module__
    file = Path(getattr(sys.modules.get(module), "__file__", None) or "")
    known = module.partition(".")[0] in sys.stdlib_module_names
    return module != "__main__" and (known or bool(LIBRARIES.intersection(file.parts)))


def _globals(code: CodeType) -> list[str]:
    """List the global names that a function and those within it look up, in their order."""
    names = [each.argval for each in get_instructions(code) if each.opname == "LOAD_GLOBAL"]
    parts = [part for part in code.co_consts if isinstance(part, CodeType)]
    return [*dict.fromkeys(names), *(name for part in parts for name in _globals(part))]


def _is_code(value: object) -> bool:
    return isinstance(value, FunctionType | staticmethod | classmethod | property)


def _is_kept(value: object) -> bool:
    """Tell whether a value that code uses describes it: code, plain settings, arrays."""
    if isinstance(value, dict):
        return all(map(_is_plain, value.values()))
    settings = _is_plain(value) or is_dataclass(value) or hasattr(value, "tolist")
    return settings or callable(value) or _is_code(value)


def plain_attributes(thing: object) -> dict[str, Any]:
    """Return an object's public attributes that are numbers, texts, or tuples of these."""
    found = getattr(thing, "__dict__", {})
    return {k: v for k, v in found.items() if not k.startswith("_") and _is_plain(v)}


def _is_plain(value: object) -> bool:
    if isinstance(value, tuple | list):
        return all(map(_is_plain, value))
    return isinstance(value, str | int | float | None)
