"""The code that a result depends on, as one hash."""

import ast
import hashlib
import sys
from collections.abc import Iterator
from dataclasses import is_dataclass
from dis import get_instructions
from functools import cache, cached_property, partial
from pathlib import Path
from types import BuiltinFunctionType, CodeType, FunctionType, MethodType, ModuleType
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
LIBRARIES = {"site-packages", "dist-packages"}
PACKAGES = ("imet_utils", "imet_tools")
WRAPPED = {  # by what holds a function in a class, its attribute
    property: "fget",
    cached_property: "func",
    staticmethod: "__func__",
    classmethod: "__func__",
}


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
        digest.update(f"{module}\t".encode() + _source(module))
    return digest.hexdigest()


def is_ours(module: str) -> bool:
    """Tell whether a module belongs to one of the two packages."""
    return module.split(".")[0] in PACKAGES


def _source_path(module: str) -> Path:
    path = ROOT.joinpath(*module.split("."))
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


@cache
def _source(module: str) -> bytes:
    return _source_path(module).read_bytes()


@cache
def _imports(module: str) -> set[str]:
    """List the modules that define what a module imports; an `__init__` only re-exports."""
    if _source_path(module).name == "__init__.py":
        return set()
    return {_definer(source, name) for source, name in _imported_names(module)}


def _imported_names(module: str) -> Iterator[tuple[str, str]]:
    """Yield (module, name) of each name that a module imports from the two packages."""
    for node in ast.walk(ast.parse(_source(module))):
        if isinstance(node, ast.ImportFrom) and node.module and is_ours(node.module):
            yield from ((node.module, alias.name) for alias in node.names)


def _definer(module: str, name: str) -> str:
    """Find the module that defines a name which `module` offers."""
    if _source_path(module).name == "__init__.py":
        if _source_path(f"{module}.{name}").is_file():
            return f"{module}.{name}"
        for source, exported in _imported_names(module):
            if exported == name:
                return _definer(source, name)
    return module


def describe_code(thing: Any) -> Any:  # noqa: ANN401
    """Describe a function, a class or a callable object by its code and its settings, for a hash.

    What is defined in these packages is described by its module and all that this imports; what
    comes from an installed library, by its name; what a reader wrote, in a notebook or a file, by
    its compiled code, its defaults, and by what this uses of the reader's own: functions, classes,
    constants, also of other files. The arguments of a `partial` and the attributes of an object
    count.
    """
    return _describe(thing, set())


def _describe(thing: Any, seen: set[Any]) -> Any:  # noqa: ANN401
    """Describe as `describe_code` does; of the functions and classes `seen` only the name."""
    if isinstance(thing, CodeType):  # whatever its place in the file
        constants = [_describe(value, seen) for value in thing.co_consts]
        return [thing.co_code.hex(), thing.co_names, constants]
    if isinstance(thing, set | frozenset):  # whose order differs between processes
        return sorted(map(repr, thing))
    if isinstance(thing, dict):
        return {repr(key): _describe(value, seen) for key, value in thing.items()}
    if isinstance(thing, tuple | list):
        return [_describe(value, seen) for value in thing]
    if type(thing) in WRAPPED:
        return _describe(getattr(thing, WRAPPED[type(thing)]), seen)
    if not callable(thing):
        return thing.tolist() if hasattr(thing, "tolist") else repr(thing)
    if isinstance(thing, partial):
        return [_describe(part, seen) for part in (thing.func, thing.args, thing.keywords)]
    if isinstance(thing, MethodType):
        return [_describe(thing.__func__, seen), _describe_object(thing.__self__, seen)]
    if not isinstance(thing, FunctionType | BuiltinFunctionType | type):
        return _describe_object(thing, seen)
    name = f"{thing.__module__}.{thing.__qualname__}"
    if is_ours(str(thing.__module__)):
        return [name, code_digest(thing.__module__)]
    if isinstance(thing, BuiltinFunctionType) or _is_of_library(str(thing.__module__)):
        return [name]
    name = thing.__qualname__  # whether its file is imported or run
    if thing in seen:
        return [name]
    seen.add(thing)
    if isinstance(thing, type):
        named = sorted(vars(thing).items())  # a copy in another process may have another order
        parts = [part for key, part in named if _is_code(part) or key[:2] != "__"]
        bases = [base for base in thing.__bases__ if base is not object]
        return [name, *(_describe(part, seen) for part in bases + parts if _is_kept(part))]
    parts = [thing.__code__, thing.__defaults__, thing.__kwdefaults__, _list_used(thing)]
    return [name, *(_describe(part, seen) for part in parts)]


def _describe_object(thing: Any, seen: set[Any]) -> Any:  # noqa: ANN401
    """Describe an object by its class, its plain settings, and its arrays, also of a module."""
    state = vars(thing) if hasattr(thing, "__dict__") else {}
    state = state | (thing.state_dict() if hasattr(thing, "state_dict") else {})
    arrays = {name: value.tolist() for name, value in state.items() if hasattr(value, "tolist")}
    return [_describe(type(thing), seen), plain_attributes(thing), arrays]


def _is_of_library(module: str) -> bool:
    file = Path(getattr(sys.modules.get(module), "__file__", None) or "")
    known = module.partition(".")[0] in sys.stdlib_module_names
    return module != "__main__" and (known or bool(LIBRARIES.intersection(file.parts)))


def _list_used(function: FunctionType) -> list[Any]:
    """List the globals that a function looks up, what it takes of a reader's modules, its cells."""
    codes = [*_nested_codes(function.__code__)]
    steps = [step for code in codes for step in get_instructions(code)]
    names = dict.fromkeys(step.argval for step in steps if step.opname == "LOAD_GLOBAL")
    found = [function.__globals__[name] for name in names if name in function.__globals__]
    taken = dict.fromkeys(name for code in codes for name in code.co_names)
    for module in [part for part in found if isinstance(part, ModuleType)]:
        if not _is_of_library(module.__name__):
            found += [getattr(module, name) for name in taken if hasattr(module, name)]
    found += [cell.cell_contents for cell in function.__closure__ or ()]
    return [value for value in found if _is_kept(value)]


def _nested_codes(code: CodeType) -> Iterator[CodeType]:
    """Yield the code of a function, and of those within it."""
    yield code
    for part in code.co_consts:
        if isinstance(part, CodeType):
            yield from _nested_codes(part)


def _is_code(value: object) -> bool:
    return isinstance(value, (FunctionType, *WRAPPED))


def _is_kept(value: object) -> bool:
    """Tell whether a value that code uses describes it: code, plain settings, arrays."""
    if isinstance(value, dict | tuple | list | set | frozenset):
        return all(map(_is_kept, value.values() if isinstance(value, dict) else value))
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
