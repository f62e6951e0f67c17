"""What a command line asks for, checked against the notebooks before anything runs."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from imet_utils.parameters import (
    Declared,
    Values,
    assign,
    declared_parameters,
    find_notebooks,
    read_profile,
)

FOLDERS = ("DATA_DIR", "OUTPUT_DIR")  # parameters that hold a path
DATA_FILES = ("train.csv", "labels.csv", "train")  # what a collection consists of


@dataclass(frozen=True)
class Plan:
    """What to run: notebooks in order, the values to set in each, and the profile they are from."""

    notebooks: dict[str, Path]
    values: dict[str, Values]
    declared: Declared
    profile: str | None


def make_plan(
    folder: Path,
    first: str | None = None,
    last: str | None = None,
    profile: str | None = None,
    overrides: Mapping[str, object] = MappingProxyType({}),
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
            a data folder that lacks a part.
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
    for data_dir in {found["DATA_DIR"] for found in values.values() if found.get("DATA_DIR")}:
        check_data_dir(Path(data_dir))
    return Plan({stem: notebooks[stem] for stem in chosen}, values, declared, profile)


def select(stems: Sequence[str], first: str | None, last: str | None) -> list[str]:
    """Take the notebooks from one to another, each given as `6`, `06` or its name.

    Raises:
        ValueError: if one matches no notebook, or nothing is left.

    >>> select(["01_explore", "02_train", "03_test"], "2", None)
    ['02_train', '03_test']
    """

    def position(wanted: str, option: str) -> int:
        for index, stem in enumerate(stems):
            if wanted.removesuffix(".ipynb") in (stem, stem[:2], stem[:2].lstrip("0")):
                return index
        raise ValueError(f"{option} {wanted} is none of the notebooks {', '.join(stems)}.")

    start = 0 if first is None else position(first, "--from")
    stop = len(stems) if last is None else position(last, "--to") + 1
    if start >= stop:
        raise ValueError(f"--from {first} comes after --to {last}.")
    return list(stems[start:stop])


def resolve_paths(values: Mapping[str, object]) -> Values:
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


def check_data_dir(data_dir: Path) -> None:
    """Refuse a folder that is no collection.

    Raises:
        ValueError: naming the parts that are missing.
    """
    if not data_dir.is_dir():
        raise ValueError(f"There is no data folder {data_dir}.")
    if missing := [name for name in DATA_FILES if not (data_dir / name).exists()]:
        raise ValueError(
            f"{data_dir} has no {' and no '.join(missing)}. A collection is train.csv "
            "(id,attribute_ids), labels.csv (attribute_id,attribute_name) and train/<id>.png."
        )
