"""What a command line asks for, checked against the notebooks before anything runs."""

import ast
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from types import MappingProxyType
from typing import Any

NUMBERED = "[0-9][0-9]_*.ipynb"
CASTS = {"int": int, "float": float, "str": str, "bool": bool}  # annotations that are checked
FOLDERS = ("DATA_DIR", "OUTPUT_DIR")  # parameters that hold a path
NOTHING: Mapping[str, Any] = MappingProxyType({})

Values = dict[str, Any]  # of parameters, by name


@dataclass(frozen=True)
class Parameter:
    """One line of a notebook's parameters cell."""

    name: str
    annotation: str
    default: Any
    comment: str

    def convert(self, value: Any) -> Any:  # noqa: ANN401
        """Turn a value read from YAML or a command line into the annotated type.

        The annotation decides what a text means: `1e-3` is a number for a `float`, though YAML
        has it as text, and `12` stays text for a `str`. Other annotations take any value.

        Raises:
            ValueError: if the value does not fit the annotation.
        """
        kind = self.annotation.split("|")[0].strip()
        if isinstance(value, str) and kind != "str":
            value = parse_value(value)
        if value in (None, "None") and (self.default is None or "None" in self.annotation):
            return None
        if kind not in CASTS or type(value).__name__ == kind:
            return value
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if number and kind in ("float", "str"):
            return CASTS[kind](value)
        if kind == "float" and isinstance(value, str):  # 1e-3 is text in YAML 1.1
            with suppress(ValueError):
                return float(value)
        article = "an" if kind == "int" else "a"
        raise ValueError(f"{self.name} is {article} {kind}; {value!r} is not.")


Declared = dict[str, dict[str, Parameter]]  # parameters by name, by notebook


@dataclass(frozen=True)
class Plan:
    """What to run.

    Attributes:
        notebooks: paths by stem, in running order.
        values: what is set in each of them, by stem.
        declared: the parameters of all notebooks that there are, also of those not to be run.
        profile: that the values are from, if any.
    """

    notebooks: dict[str, Path]
    values: dict[str, Values]
    declared: Declared
    profile: str | None

    def find(self, name: str) -> str:
        """Return the path that was set for a parameter, or "" where none was."""
        return max(values.get(name, "") for values in self.values.values())


def make_plan(
    folder: Path,
    first: str | None = None,
    last: str | None = None,
    profile: str | None = None,
    overrides: Mapping[str, Any] = NOTHING,
) -> Plan:
    """Check what the user asks for against the notebooks before anything runs.

    Args:
        folder: where the notebooks and their profiles are.
        first: number or name of the first notebook to run.
        last: number or name of the last.
        profile: name or path of a profile.
        overrides: values that the user sets, by parameter.

    Raises:
        ValueError: for an unknown notebook, profile or parameter, a value of the wrong type, or
            one that no chosen notebook takes.
    """
    notebooks = find_notebooks(folder)
    if not notebooks:
        raise ValueError(f"{folder} holds no notebooks named NN_verb_object.ipynb.")
    chosen = select(list(notebooks), first, last)
    declared = {stem: declared_parameters(path) for stem, path in notebooks.items()}
    common, single = {}, {}
    if profile is not None:
        common, single = read_profile(profile, folder / "profiles", notebooks)
    values = assign(declared, common, single, overrides)
    for name in overrides:
        if not any(name in declared[stem] for stem in chosen):
            where = ", ".join(stem for stem in declared if name in declared[stem])
            raise ValueError(f"{name} belongs to {where}, which this command does not run.")
    values = {stem: resolve_paths(values[stem]) for stem in chosen}
    return Plan({stem: notebooks[stem] for stem in chosen}, values, declared, profile)


def find_notebooks(folder: Path) -> dict[str, Path]:
    """Map the stems of the numbered notebooks of a folder to their paths, in running order.

    Number 0 is the first page, which leads to them and is not run.
    """
    paths = sorted(folder.glob(NUMBERED))
    return {path.stem: path for path in paths if not path.stem.startswith("00")}


def select(stems: Sequence[str], first: str | None, last: str | None) -> list[str]:
    """Take the notebooks from one to another, each given as `6`, `06` or its name.

    Raises:
        ValueError: if one matches no notebook, or nothing is left.

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


def declared_parameters(notebook: Path) -> dict[str, Parameter]:
    """Read the annotated literals of the cell tagged `parameters`.

    papermill's own reading has defaults and types as text only.

    Raises:
        ValueError: if the cell holds a line of another form.
    """
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    tagged = [cell for cell in cells if "parameters" in cell["metadata"].get("tags", [])]
    source = "".join("".join(cell["source"]) + "\n" for cell in tagged)
    lines = source.splitlines()
    found = {}
    for node in ast.parse(source).body:
        try:
            name, annotation = node.target.id, ast.unparse(node.annotation)
            default = ast.literal_eval(node.value)
        except (AttributeError, ValueError):
            wanted = f"{notebook.name}, parameters: each line is NAME: type = literal"
            raise ValueError(f"{wanted}, not {lines[node.lineno - 1]!r}") from None
        comment = lines[node.end_lineno - 1][node.end_col_offset :].strip(" #")
        found[name] = Parameter(name, annotation, default, comment)
    return found


def declared_upstream(notebook: Path) -> list[str]:
    """Read which notebooks one depends on, from the literal `upstream` of its `open_run`."""
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    for cell in cells:
        if cell["cell_type"] == "code" and "open_run(" in (source := "".join(cell["source"])):
            for node in ast.walk(ast.parse(source)):
                if isinstance(node, ast.keyword) and node.arg == "upstream":
                    return list(ast.literal_eval(node.value))
    return []


def read_profile(
    profile: str, folder: Path, stems: Iterable[str]
) -> tuple[Values, dict[str, Values]]:
    """Read a profile: values for all notebooks, and values for single ones by their stem.

    Args:
        profile: a name in `folder`, or a path of a YAML file.
        folder: where the named profiles are.
        stems: of the notebooks that there are.

    Raises:
        ValueError: if there is no such profile, or it is not of that form.
    """
    import yaml  # here, so that a look at --help works before anything is installed

    named = folder / f"{profile}.yaml"
    path = named if named.is_file() else Path(profile).expanduser()
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


def parse_value(text: str) -> Any:  # noqa: ANN401
    """Read one value as YAML; what is not YAML is text.

    >>> parse_value("8"), parse_value("true"), parse_value("[3, 4]"), parse_value("resnet50")
    (8, True, [3, 4], 'resnet50')
    """
    import yaml

    try:
        return yaml.safe_load(text)
    except yaml.YAMLError:
        return text


def assign(
    declared: Declared, common: Values, single: Mapping[str, Values], overrides: Values
) -> dict[str, Values]:
    """Give every notebook those values that it declares; a later source wins.

    Args:
        declared: what each notebook declares.
        common: a profile's values for every notebook.
        single: a profile's values for one notebook, by its stem.
        overrides: the user's own values.

    Raises:
        ValueError: for a name that is not declared, with those that are spelled like it, or a
            value of the wrong type.
    """
    everything = sorted(set().union(*declared.values()))
    wanted = [("No notebook declares", name, everything) for name in {**common, **overrides}]
    for stem, values in single.items():
        wanted += [(f"{stem} does not declare", name, declared[stem]) for name in values]
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


def resolve_paths(values: Values) -> Values:
    """Make paths absolute, since a notebook runs in its own folder and not in the caller's.

    `DATA_DIR` and `OUTPUT_DIR` are paths; any other text is one if it has a slash and exists.
    """
    resolved = dict(values)
    for name, value in values.items():
        if isinstance(value, str) and value:
            path = Path(value).expanduser()
            if name in FOLDERS or (os.sep in value and path.exists()):
                resolved[name] = str(path.resolve())
    return resolved
