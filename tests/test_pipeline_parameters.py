"""What a command line asks for, checked against tiny notebooks."""

import pytest
from tiny_notebooks import write_chain, write_notebook

from imet_tools.pipeline.parameters import Parameter, declared_parameters, make_plan, select

STEMS = ["01_make_number", "02_use_number", "10_look_back"]


@pytest.fixture
def folder(tmp_path):
    return write_chain(tmp_path / "notebooks")


def test_steps_are_the_numbered_notebooks_in_their_order(tmp_path):
    """Neither the first page nor what JupyterLab's *Duplicate* makes."""
    with pytest.raises(ValueError, match="holds no notebooks"):
        make_plan(tmp_path)
    names = ["10_end_it", "02_go_on", "01_start_it"]
    for name in [*names, "notes", "00_start_here", "02_go_on-Copy1", "Untitled"]:
        write_notebook(tmp_path / f"{name}.ipynb")
    assert list(make_plan(tmp_path).notebooks) == sorted(names)


def test_declarations_with_defaults_and_comments(tmp_path):
    source = 'WEIGHTS: str = "a#b"  # a path, x = y\n'
    source += "RATIOS: list[int] = [8, 1, 1]\nLOW: float | None = -1.5  # may be negative"
    found = declared_parameters(write_notebook(tmp_path / "01_a_b.ipynb", "# Title", source))
    assert list(found.values()) == [
        Parameter("WEIGHTS", "str", "a#b", "a path, x = y"),
        Parameter("RATIOS", "list[int]", [8, 1, 1], ""),
        Parameter("LOW", "float | None", -1.5, "may be negative"),
    ]


@pytest.mark.parametrize(
    "line", ["B = 3", "B: int = A * 2", "B: int", "print(A)", "b.c: int = 3", "%matplotlib inline"]
)
def test_a_line_of_another_form_is_refused_by_name(tmp_path, line):
    path = write_notebook(tmp_path / "01_a_b.ipynb", f"A: int = 3\n{line}")
    with pytest.raises(ValueError, match=r"01_a_b.ipynb.*(literal, not|is not Python)") as error:
        declared_parameters(path)
    assert repr(line) in str(error.value)


@pytest.mark.parametrize(
    ("annotation", "default", "cases", "wrong"),
    [
        ("float", 0.1, {"1e-3": 1e-3, "3": 3.0, 3: 3.0}, ["fast", "true"]),
        ("int", 0, {"12": 12}, ["3.5", "many", True, None]),
        ("int", None, {"None": None, "null": None}, []),
        ("int | None", 3, {None: None}, []),
        ("bool", False, {"true": True}, ["1"]),
        ("str", "", {"12": "12", "1e-3": "1e-3", "true": "true", 12: "12"}, [None, ["a"]]),
        ("str", None, {"None": None}, []),
        ("list[int]", [1], {"[3, 4]": [3, 4]}, []),
    ],
)
def test_the_annotation_decides_what_a_value_means(annotation, default, cases, wrong):
    parameter = Parameter("NAME", annotation, default, "")
    for given, wanted in cases.items():
        found = parameter.convert(given)
        assert (found, type(found)) == (wanted, type(wanted))
    for given in wrong:
        with pytest.raises(ValueError, match=f"NAME is an? {annotation}; .* is not"):
            parameter.convert(given)


def test_every_notebook_gets_what_it_declares_and_no_value_is_without_effect(folder):
    assert make_plan(folder).values == {"01_make_number": {}, "02_use_number": {}}
    first, second = {"STEPS": 1, "RATE": 7.0}, {"STEPS": 1, "NAME": "vase"}
    for profile in ("fast", str(folder / "profiles/fast.yaml")):
        plan = make_plan(folder, profile=profile, overrides={"RATE": "7", "NAME": "vase"})
        assert list(plan.values.values()) == [first, second]
    with pytest.raises(ValueError, match=r"RATE belongs to 01_make_number, which .* not run"):
        make_plan(folder, first="02", overrides={"RATE": "1"})
    assert list(make_plan(folder, first="02", profile="fast").notebooks) == ["02_use_number"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("step: 2\n", r"No notebook declares step.*mean STEPS.*LIMIT, NAME"),
        ("- STEPS\n", "holds no NAME: value"),
        ("STEPS: [1\n", "is not YAML"),
        ("03_gone: {STEPS: 1}\n", "03_gone, but there is no such notebook"),
        ("02_use_number: {RATE: 1}\n", "02_use_number does not declare RATE"),
        (None, r"no profile 'odd'\. Profiles: fast;"),
    ],
)
def test_a_wrong_profile_is_refused(folder, text, message):
    if text:
        (folder / "profiles/odd.yaml").write_text(text)
    with pytest.raises(ValueError, match=message):
        make_plan(folder, profile="odd")


def test_a_notebook_is_found_by_number_or_name():
    for wanted in ("2", "02", "02_use_number.ipynb"):
        assert select(STEMS, wanted, None) == STEMS[1:]
        assert select(STEMS, None, wanted) == STEMS[:2]
    assert select(STEMS, "10", None) == ["10_look_back"]  # two digits are one number
    for first, last in (("3", None), ("0", None), ("", None), ("002", None), ("2", "1")):
        with pytest.raises(ValueError, match=r"none of the notebooks 01_|2 comes after"):
            select(STEMS, first, last)


def test_paths_become_absolute_from_where_the_user_stands(folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    values = make_plan(folder, overrides={"OUTPUT_DIR": "out", "NAME": "notebooks/profiles"}).values
    paths = {"OUTPUT_DIR": str(tmp_path / "out"), "NAME": str(tmp_path / "notebooks/profiles")}
    assert values["02_use_number"] == paths
    values = make_plan(folder, overrides={"NAME": "oil/canvas"}).values
    assert values["02_use_number"] == {"NAME": "oil/canvas"}  # no path
