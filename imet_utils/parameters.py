"""What the notebooks declare as parameters, and the values that a profile or a user sets."""

import ast
import json
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

NUMBERED = "[0-9][0-9]_*.ipynb"
CASTS = {"int": int, "float": float, "str": str, "bool": bool}  # annotations that are checked

Value = object  # what a YAML scalar or list can be
Values = dict[str, Value]
Declared = dict[str, dict[str, "Parameter"]]  # parameters by name, by notebook


@dataclass(frozen=True)
class Parameter:
    """One line of a notebook's parameters cell."""

    name: str
    annotation: str
    default: Value
    comment: str

    def convert(self, value: Value) -> Value:
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


def find_notebooks(folder: Path) -> dict[str, Path]:
    """Map the stems of the numbered notebooks of a folder to their paths, in running order."""
    return {path.stem: path for path in sorted(folder.glob(NUMBERED))}


def declared_parameters(notebook: Path) -> dict[str, Parameter]:
    """Read the annotated literals of the cell tagged `parameters`.

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


def read_profile(profile: str, folder: Path, stems: Iterable[str]) -> tuple[Values, dict]:
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


def parse_value(text: str) -> Value:
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
    declared: Declared,
    common: Mapping[str, Value],
    single: Mapping[str, Mapping[str, Value]],
    overrides: Mapping[str, Value],
) -> dict[str, Values]:
    """Give every notebook those values that it declares; a later source wins.

    Args:
        declared: what each notebook declares.
        common: a profile's values for every notebook.
        single: a profile's values for one notebook, by its stem.
        overrides: the user's own values.

    Raises:
        ValueError: for a name that no notebook declares, or a value of the wrong type.
    """
    everything = set().union(*declared.values())
    check_names(sorted({**common, **overrides}), everything, "No notebook declares")
    for stem, values in single.items():
        check_names(values, set(declared[stem]), f"{stem} does not declare")
    return {
        stem: {
            name: parameters[name].convert(value)
            for name, value in {**common, **single.get(stem, {}), **overrides}.items()
            if name in parameters
        }
        for stem, parameters in declared.items()
    }


def check_names(names: Iterable[str], known: set[str], complaint: str) -> None:
    """Refuse a name that is not known, with those that are spelled like it.

    Raises:
        ValueError: starting with `complaint`.
    """
    for name in names:
        if name not in known:
            close = get_close_matches(str(name).upper(), known, n=3)
            hint = f" Did you mean {' or '.join(close)}?" if close else ""
            raise ValueError(f"{complaint} {name}.{hint} Declared are {', '.join(sorted(known))}.")
