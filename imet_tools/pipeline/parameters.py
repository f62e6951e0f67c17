"""What a command line asks for, checked against the notebooks before anything runs."""

import ast
import json
import os
import re
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import yaml

STEM = re.compile(r"(?!00)\d\d(_[a-z0-9]+)+")  # of a notebook that is a step of the pipeline
CHECKED = ("int", "float", "str", "bool")  # annotations
FOLDERS = ("DATA_DIR", "OUTPUT_DIR")  # parameters that hold a path

Values = dict[str, Any]  # of parameters, by name


@dataclass(frozen=True)
class Parameter:
    """One line of a notebook's parameters cell."""

    name: str
    annotation: str
    default: Any
    comment: str

    def convert(self, value: Any) -> Any:  # noqa: ANN401
        """Turn a value of YAML or of a command line into the annotated type, else a ValueError.

        `1e-3` becomes a number for a `float`, though YAML has it as text, and `12` stays text for a
        `str`. Annotations other than those of `CHECKED` take any value. A path becomes absolute,
        since a notebook runs in its own folder and not in the caller's; a text is one if it is of
        `FOLDERS`, or has a slash and exists.
        """
        kind = self.annotation.split("|")[0].strip()
        if isinstance(value, str) and kind != "str":
            with suppress(yaml.YAMLError):  # what is not YAML is text
                value = yaml.safe_load(value)
        if value in (None, "None") and (self.default is None or "None" in self.annotation):
            return None
        number = type(value) in (int, float)
        if kind == "str" and number:
            value = str(value)
        elif kind == "float" and (number or isinstance(value, str)):  # 1e-3 is text in YAML 1.1
            with suppress(ValueError):
                value = float(value)
        if kind in CHECKED and type(value).__name__ != kind:
            article = "an" if kind == "int" else "a"
            raise ValueError(f"{self.name} is {article} {kind}; {value!r} is not.")
        if isinstance(value, str) and value:
            path = Path(value).expanduser()
            if self.name in FOLDERS or (os.sep in value and path.exists()):
                return str(path.resolve())
        return value


Declared = dict[str, dict[str, Parameter]]  # parameters by name, by notebook


@dataclass(frozen=True)
class Plan:
    """What to run."""

    notebooks: dict[str, Path]  # by stem, in running order
    values: dict[str, Values]  # that are set in each of them
    declared: Declared  # also of the notebooks that are not to be run
    profile: str | None  # that the values are from

    def find(self, name: str) -> str:
        """Return the path that was set for a parameter, or "" where none was."""
        return max(values.get(name, "") for values in self.values.values())

    def defaults(self, stem: str) -> Values:
        """Return the default of every parameter of a notebook."""
        return {name: found.default for name, found in self.declared[stem].items()}


def make_plan(
    folder: Path,
    first: str | None = None,
    last: str | None = None,
    profile: str | None = None,
    overrides: Values | None = None,
) -> Plan:
    """Check what the user asks for against the notebooks of a folder before anything runs.

    The `first` and the `last` notebook are given by number or name, the profile by name or path;
    `overrides` are values that the user sets, by parameter. A ValueError for an unknown notebook,
    profile or parameter, a value of the wrong type, or one that no chosen notebook takes.
    """
    notebooks = find_notebooks(folder)
    if not notebooks:
        raise ValueError(f"{folder} holds no notebooks named NN_lower_case_words.ipynb.")
    chosen = select(list(notebooks), first, last)
    declared = {stem: declared_parameters(path) for stem, path in notebooks.items()}
    overrides = overrides or {}
    common, single = read_profile(profile, folder / "profiles", notebooks)
    values = assign(declared, common, single, overrides)
    for name in overrides:
        if not any(name in declared[stem] for stem in chosen):
            where = ", ".join(stem for stem in declared if name in declared[stem])
            raise ValueError(f"{name} belongs to {where}, which this command does not run.")
    values = {stem: values[stem] for stem in chosen}
    return Plan({stem: notebooks[stem] for stem in chosen}, values, declared, profile)


def find_notebooks(folder: Path) -> dict[str, Path]:
    """Map the stems of the numbered notebooks of a folder to their paths, in running order.

    Number 0 is the first page, which leads to them and is not run; a copy such as
    `04_train-Copy1.ipynb` is no step either.
    """
    paths = sorted(folder.glob("*.ipynb"))
    return {path.stem: path for path in paths if STEM.fullmatch(path.stem)}


def select(stems: Sequence[str], first: str | None, last: str | None) -> list[str]:
    """Take the notebooks from one to another, each given as `6`, `06` or its name.

    A ValueError if one matches no notebook, or nothing is left.

    >>> select(["01_explore", "02_train", "03_test"], "2", None)
    ['02_train', '03_test']
    """
    ends = []
    for option, wanted, default in (("--from", first, stems[0]), ("--to", last, stems[-1])):
        wanted = default if wanted is None else wanted.removesuffix(".ipynb")
        found = [s for s in stems if wanted in (s, s[:2], s[:2].lstrip("0"))]
        if not found:
            raise ValueError(f"{option} {wanted} is none of the notebooks {', '.join(stems)}.")
        ends.append(stems.index(found[0]))
    if ends[0] > ends[1]:
        raise ValueError(f"--from {first} comes after --to {last}.")
    return list(stems[ends[0] : ends[1] + 1])


def read_code(notebook: Path) -> list[tuple[str, list[str]]]:
    """Read the source and the tags of each code cell but the one that papermill put in."""
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    code = [cell for cell in cells if cell["cell_type"] == "code"]
    found = [("".join(cell["source"]), cell["metadata"].get("tags", [])) for cell in code]
    return [(source, tags) for source, tags in found if "injected-parameters" not in tags]


def _parse(source: str, notebook: Path) -> ast.Module:
    """Parse a cell; a ValueError if it is not Python, as with a magic."""
    try:
        return ast.parse(source)
    except SyntaxError as error:
        raise ValueError(f"{notebook.name}: {(error.text or '').strip()!r} is not Python") from None


def declared_parameters(notebook: Path) -> dict[str, Parameter]:
    """Read the annotated literals of the cell tagged `parameters`; a ValueError for any other line.

    papermill's `inspect_notebook` misreads `"a#b"` and drops `"a=b"` and types like `int | None`.
    """
    source = "\n".join(source for source, tags in read_code(notebook) if "parameters" in tags)
    lines = source.splitlines()
    found = {}
    for node in _parse(source, notebook).body:
        text = ast.get_source_segment(source, node) or ""
        try:
            if not (isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name)):
                raise ValueError
            name, annotation = node.target.id, ast.unparse(node.annotation)
            default = ast.literal_eval(node.value or ast.Name(""))
        except ValueError:
            wanted = f"{notebook.name}, parameters: each line is NAME: type = literal"
            raise ValueError(f"{wanted}, not {text!r}") from None
        comment = lines[node.lineno - 1].removeprefix(text).strip(" #")
        found[name] = Parameter(name, annotation, default, comment)
    return found


def declared_upstream(notebook: Path) -> list[str]:
    """Read which notebooks one depends on, from the literal `upstream` of its `open_run`."""
    for source, _ in read_code(notebook):
        if "open_run(" in source:
            for node in ast.walk(_parse(source, notebook)):
                if isinstance(node, ast.keyword) and node.arg == "upstream":
                    return list(ast.literal_eval(node.value))
    return []


def find_profile(profile: str, folder: Path) -> Path:
    """Return the file of a profile, which is a name in `folder` or a path."""
    named = folder / f"{profile}.yaml"
    return named if named.is_file() else Path(profile).expanduser()


def read_profile(
    profile: str | None, folder: Path, stems: Iterable[str]
) -> tuple[Values, dict[str, Values]]:
    """Read values for all notebooks, and values for single ones by their stem.

    A profile is a name in `folder`, or a path of a YAML file; None sets nothing. A ValueError if
    there is no such profile, or it is not of that form.
    """
    if profile is None:
        return {}, {}
    path = find_profile(profile, folder)
    if not path.is_file():
        names = ", ".join(sorted(found.stem for found in folder.glob("*.yaml"))) or "none"
        raise ValueError(f"There is no profile {profile!r}. Profiles: {names}; or give a path.")
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    except yaml.YAMLError as error:
        raise ValueError(f"{path} is not YAML: {' '.join(str(error).split())}") from None
    if not isinstance(content, dict):
        raise ValueError(f"{path} holds no NAME: value lines.")
    single = {key: value for key, value in content.items() if isinstance(value, dict)}
    if unknown := sorted(set(single) - set(stems)):
        raise ValueError(f"{path} sets values for {unknown[0]}, but there is no such notebook.")
    return {key: value for key, value in content.items() if key not in single}, single


def assign(
    declared: Declared, common: Values, single: dict[str, Values], overrides: Values
) -> dict[str, Values]:
    """Give every notebook those values that it declares: common, single, then the user's own.

    A ValueError for a name that is not declared, with those that are spelled like it, or a value of
    the wrong type.
    """
    everything = sorted(set().union(*declared.values()))
    wanted = [("No notebook declares", name, everything) for name in {**common, **overrides}]
    for stem, values in single.items():
        wanted += [(f"{stem} does not declare", name, list(declared[stem])) for name in values]
    for complaint, name, known in wanted:
        if name not in known:
            close = get_close_matches(str(name).upper(), known)
            hint = f" Did you mean {' or '.join(close)}?" if close else ""
            raise ValueError(f"{complaint} {name}.{hint} Declared are {', '.join(known)}.")
    return {
        stem: {
            name: parameters[name].convert(value)
            for name, value in {**common, **single.get(stem, {}), **overrides}.items()
            if name in parameters
        }
        for stem, parameters in declared.items()
    }


def describe(declared: Declared) -> str:
    """List the notebooks with their parameters, defaults and meanings."""
    lines = []
    for stem, parameters in declared.items():
        shown = (f"  {p.name:16} {p.default!r:22} {p.comment}" for p in parameters.values())
        lines += [stem, *shown]
    return "\n".join(lines)
