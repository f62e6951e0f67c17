"""The house rules of the notebooks, and one run of all of them on the smoke profile."""

import ast
import json
import re
import runpy
import subprocess
import sys
from dataclasses import fields

import nbformat
import numpy as np
import papermill
import pytest
from PIL import Image
from sklearn.metrics import fbeta_score
from small_data import copy_run, read_rows

from imet_tools.pipeline.execution import execute
from imet_tools.pipeline.parameters import declared_parameters, find_notebooks, make_plan
from imet_utils.decoding import Decision
from imet_utils.features import EncoderSettings
from imet_utils.labeller import Labeller, make_labeller
from imet_utils.models import Rnn
from imet_utils.runs import PROJECT_DIR, RESULT_COLUMNS, find_data_dir, open_run, read_run
from imet_utils.training import RECIPES, Decoding, TrainConfig, load_head, train_head

FOLDER = PROJECT_DIR / "notebooks"
NOTEBOOKS = find_notebooks(FOLDER)
FIRST_PARAMETERS = ["DATA_DIR", "OUTPUT_DIR", "ENCODER", "SPLIT_SEED", "SEED", "LIMIT"]
SETTINGS = (TrainConfig, EncoderSettings, Rnn, Decoding)  # that a run fills from parameters


@pytest.fixture(params=NOTEBOOKS, scope="module")
def stem(request):
    return request.param


@pytest.fixture(scope="module")
def notebook(stem):
    return nbformat.read(NOTEBOOKS[stem], as_version=4)


@pytest.fixture(scope="module")
def prose(notebook):
    return [cell.source for cell in notebook.cells if cell.cell_type == "markdown"]


@pytest.fixture(scope="module")
def code(notebook):
    """Return the code cells, imports first, then parameters, then the work, as plain Python."""
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def test_no_outputs_and_only_what_a_reader_needs(stem, notebook, code):
    nbformat.validate(notebook)
    raw = json.loads(NOTEBOOKS[stem].read_text(encoding="utf-8"))  # nbformat would add missing ids
    ids = [cell["id"] for cell in raw["cells"]]
    assert len(set(ids)) == len(ids)
    assert all(cell.outputs == [] and cell.execution_count is None for cell in code)
    assert set(notebook.metadata) <= {"kernelspec", "language_info"}
    assert notebook.metadata.kernelspec.name == "python3"
    assert all(set(cell.metadata) <= {"tags"} for cell in notebook.cells)


def test_size(notebook, prose, code):
    assert 18 <= len(notebook.cells) <= 40
    assert len(prose) >= 0.4 * len(notebook.cells)
    lines = [len(re.findall(r"^\s*[^#\s]", cell.source, re.MULTILINE)) for cell in code]
    assert sum(lines) <= 110
    assert max(lines) <= 15
    assert all(cell.source.strip() for cell in notebook.cells)


def test_order_of_the_opening(stem, notebook, prose, code):
    title, *opening = prose[0].splitlines()
    assert re.fullmatch(r"# \d+\. \w.*", title)
    for word in ("Reads", "Writes", "Time"):
        assert sum(line.startswith(f"**{word}** ") for line in opening) == 1
    assert notebook.cells[0].cell_type == "markdown"
    assert notebook.cells[1] is code[0]
    tree = ast.parse(code[0].source).body
    assert all(isinstance(node, ast.Import | ast.ImportFrom) for node in tree)
    taken = {node.module for node in tree if isinstance(node, ast.ImportFrom)}
    ours = {name for name in taken if name.startswith("imet_utils")}
    assert len(ours) <= 8  # rooms, each by its door
    assert all(name.count(".") == 1 for name in ours)
    tagged = [cell for cell in code if "parameters" in cell.metadata.get("tags", [])]
    opened = [cell for cell in code if re.search(rf'open_run\(\s*"{stem}"', cell.source)]
    finished = [cell for cell in code if "run.finish(" in cell.source]
    assert (tagged, opened, finished) == ([code[1]], [code[2]], [code[-1]])
    later = [ast.parse(cell.source) for cell in code[1:]]
    nodes = [node for tree in later for node in ast.walk(tree)]
    assert not any(isinstance(node, ast.Import | ast.ImportFrom) for node in nodes)


@pytest.mark.parametrize("path", [*NOTEBOOKS.values(), *(PROJECT_DIR / "docs").glob("*.ipynb")])
def test_imports_in_their_order(path):
    """Ours before other packages: torch reads, when it is loaded, what `imet_utils` has set."""
    cells = nbformat.read(path, as_version=4).cells
    code = next(cell.source for cell in cells if cell.cell_type == "code")
    modules, names = [], {}
    for node in ast.parse(code).body:
        is_from = isinstance(node, ast.ImportFrom)
        module = node.module if is_from else node.names[0].name
        standard, ours = module in sys.stdlib_module_names, module.startswith("imet_")
        modules.append((not standard, not ours, is_from, module))
        names.setdefault((is_from, module), []).extend(alias.name for alias in node.names)
    assert modules == sorted(modules)
    for found in names.values():
        assert found == sorted(found, key=lambda n: (not n.isupper(), n[0].islower(), n))


def test_numbered_sections_then_a_summary_and_references(stem, prose):
    titles = re.findall(r"^## (.*)$", "\n".join(prose), re.MULTILINE)
    assert titles[-2:] == ["Summary", "References"]
    number = int(stem[:2])
    wanted = [f"{number}.{place} " for place in range(1, len(titles) - 1)]
    assert [title[: len(start)] for title, start in zip(titles, wanted, strict=False)] == wanted
    summary = next(source for source in prose if source.startswith("## Summary"))
    assert 3 <= len(re.findall(r"^- ", summary, re.MULTILINE)) <= 5
    assert prose[-1].startswith("## References")
    assert len(prose[-1].splitlines()) > 1


def test_the_parameters_cell(stem, code):
    lines = code[1].source.splitlines()
    assert all(line.count("=") == 1 for line in lines)
    assert all(re.fullmatch(r"[A-Z][A-Z_]+: \w+ = \S.*  # \S.*", line) for line in lines)
    found = declared_parameters(NOTEBOOKS[stem])
    first = [name for name in FIRST_PARAMETERS if name in found]
    assert list(found)[: len(first)] == first
    assert len(found) <= 12
    assert found.keys() == papermill.inspect_notebook(NOTEBOOKS[stem]).keys()
    for parameter in found.values():
        assert parameter.convert(parameter.default) == parameter.default


def test_every_parameter_is_used(stem, code):
    """By a cell, or by the run, which fills settings of the same names."""
    used = "\n".join(cell.source for cell in code[2:])
    filled = {field.name.upper() for kind in SETTINGS for field in fields(kind)}
    filled |= {"DATA_DIR", "OUTPUT_DIR", "LIMIT", "NUM_PROCESSES"}
    names = [n for n in declared_parameters(NOTEBOOKS[stem]) if not re.search(rf"\b{n}\b", used)]
    later = "".join(path.read_text() for other, path in NOTEBOOKS.items() if other > stem)
    assert [n for n in names if n not in filled and f'setting(\\"{n}\\"' not in later] == []


def test_a_parameter_means_the_same_everywhere():
    declared = [declared_parameters(path) for path in NOTEBOOKS.values()]
    for name in set().union(*declared):
        found = [parameters[name] for parameters in declared if name in parameters]
        assert len({(parameter.annotation, parameter.comment) for parameter in found}) == 1, name
        assert name not in FIRST_PARAMETERS or len(set(found)) == 1


def test_notebooks_define_nothing_and_change_nothing_global(code):
    for cell in code:
        kinds = {type(node).__name__ for node in ast.walk(ast.parse(cell.source))}
        assert not kinds & {"FunctionDef", "AsyncFunctionDef", "ClassDef", "Global", "Try"}
        assert not re.search(r"sys\.path|filterwarnings|rcParams|tqdm", cell.source)


def test_one_figure_a_cell_shown_once_and_explained(stem, notebook, code):
    names = []
    for cell, following in zip(notebook.cells, notebook.cells[1:], strict=False):
        if cell in code:
            shown = len(re.findall(r"run\.show\(", cell.source))
            assert shown == len(re.findall(r"\bplot\w*\(", cell.source)) <= 1
            if shown:
                names += re.findall(r"\"(\w+)\"\)$", cell.source, re.MULTILINE)[:1]
                assert following.cell_type == "markdown", f"{names[-1]}: no sentence after it"
    assert "run.show(" not in notebook.cells[-1].source
    assert len(set(names)) == len(names) > 0


def test_a_missing_input_is_told_at_once_with_the_notebook_that_makes_it(
    stem, code, tmp_path, monkeypatch
):
    if int(stem[:2]) < 3:
        pytest.skip("reads the collection only")
    monkeypatch.chdir(FOLDER)
    names = {}
    for cell in code[:2]:
        exec(cell.source, names)
    names |= {"OUTPUT_DIR": str(tmp_path)}
    wanted = rf"\d\d_\w+ has not run to its end: run .*again, then {stem[:2]}"
    with pytest.raises(RuntimeError, match=wanted):
        exec(code[2].source, names)


def test_names_are_numbered_without_a_gap_and_profiles_set_only_what_is_declared():
    assert [stem[:2] for stem in NOTEBOOKS] == [f"{n:02}" for n in range(1, len(NOTEBOOKS) + 1)]
    for name in ("smoke", "imet", "kaggle"):
        assert any(make_plan(FOLDER, profile=name).values.values())


def test_smoke_every_cell_ran_and_every_notebook_left_its_metrics_and_figures(smoke):
    output_dir, _ = smoke
    assert sorted(path.stem for path in (output_dir / "notebooks").iterdir()) == list(NOTEBOOKS)
    for stem in NOTEBOOKS:
        copy = nbformat.read(output_dir / f"notebooks/{stem}.ipynb", as_version=4)
        cells = [cell for cell in copy.cells if cell.cell_type == "code"]
        assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
        kinds = {(out.output_type, out.get("name")) for cell in cells for out in cell.outputs}
        assert not kinds & {("error", None), ("stream", "stderr")}, stem
        assert "widgets" not in copy.metadata  # nobody could use them
        assert json.loads((output_dir / stem / "metrics.json").read_text())
        figures = list((output_dir / "figures").glob(f"{stem[:2]}_*.png"))
        assert figures, stem
        for path in figures:
            with Image.open(path) as picture:
                assert len(picture.convert("L").getcolors()) > 2, f"{path.name} is blank"


def test_smoke_results_for_every_model_on_both_splits(smoke):
    output_dir, console = smoke
    rows = read_rows(output_dir / "results.csv")
    assert list(rows[0]) == RESULT_COLUMNS
    val, test = ([row["model"] for row in rows if row["split"] == s] for s in ("val", "test"))
    assert val == test
    assert len(set(val)) == len(val) >= 4
    for row in rows:
        scores = {score: float(row[score] or 0) for score in RESULT_COLUMNS[2:]}
        assert all(0 <= score <= 1 for score in scores.values())
        assert all(row[score] for score in scores if score != "map")  # which too few classes lack
        assert scores["f2_low"] - 1e-9 <= scores["f2"] <= scores["f2_high"] + 1e-9
        assert row["model"] in console


def test_smoke_submission_in_the_competition_s_format(smoke):
    plan = make_plan(FOLDER, profile="smoke")
    collection = find_data_dir("", plan.values["01_explore_data"]["LIMIT"])
    rows = read_rows(smoke[0] / "submission.csv")
    assert list(rows[0]) == ["id", "attribute_ids"]
    wanted = sorted(path.stem for path in (collection / "test").glob("*"))
    assert sorted(row["id"] for row in rows) == wanted
    known = {row["attribute_id"] for row in read_rows(collection / "labels.csv")}
    assert {name for row in rows for name in row["attribute_ids"].split()} <= known


def test_smoke_report_shows_every_figure_and_nothing_unfinished_is_left(smoke):
    output_dir, console = smoke
    page = (output_dir / "report.html").read_text(encoding="utf-8")
    shown = len(re.findall("<figure><img src=.data:image/webp", page))
    assert shown == len(list((output_dir / "figures").glob("*.png")))
    assert page.count("<h2 ") == len(NOTEBOOKS)
    assert "<script" not in page
    assert "no test score can be given" in page  # for what has learned from all images
    assert console.splitlines()[-1].endswith(f"{output_dir}/report.html")
    left = [path for path in output_dir.rglob("*") if ".tmp" in path.name or path.name[0] == "."]
    assert left == [output_dir / ".lock"]
    assert {path.name for path in output_dir.iterdir()} <= {
        ".lock", "run.json", "notebooks", "report.html", "results.csv", "submission.csv",
        "figures", "features", "checked_images", "labeller", *NOTEBOOKS,
    }  # fmt: skip


def results_of(output_dir):
    """Return what a run says: its tables and probabilities, by their paths."""
    patterns = ("*.csv", "0*/**/*.csv", "0*/**/*.npy")
    paths = [path for pattern in patterns for path in output_dir.glob(pattern)]
    return {path.relative_to(output_dir): path.read_bytes() for path in paths}


TWICE = """
import sys
from pathlib import Path
import nbformat
from imet_tools.pipeline.parameters import make_plan
plan = make_plan(Path.cwd(), profile="smoke", overrides={"OUTPUT_DIR": sys.argv[1]})
for stem, path in plan.notebooks.items():
    names = {"__name__": "__main__"}
    for cell in nbformat.read(path, as_version=4).cells:
        if cell.cell_type == "code":
            exec(cell.source, names)
            if "parameters" in cell.metadata.get("tags", []):
                names.update(plan.values[stem])
            else:
                exec(cell.source, names)
"""


def test_a_second_run_of_cells_run_twice_leaves_the_same(smoke, tmp_path):
    """In a copy of a finished run, whose heads are loaded where that one trained them."""
    again = copy_run(smoke[0], tmp_path / "output")
    for path in [*again.glob("*.csv"), *again.glob("0*/**/*.npy"), *again.glob("0*/*.csv")]:
        path.unlink()
    command = [sys.executable, "-c", TWICE, str(again)]
    result = subprocess.run(command, cwd=FOLDER, capture_output=True, text=True, timeout=600)
    assert result.returncode == 0, result.stderr[-4000:]
    once, twice = results_of(smoke[0]), results_of(again)
    assert once.keys() == twice.keys()
    assert [path for path in once if once[path] != twice[path]] == []


def test_a_readers_head_loss_and_data_in_a_notebook_of_their_own(smoke, tmp_path):
    """The example on a copy of a finished run: nothing of it changes, and the scores are right."""
    example = PROJECT_DIR / "docs/own_head.ipynb"
    cells = nbformat.read(example, as_version=4).cells
    assert [cell for cell in cells if cell.cell_type == "code" and cell.outputs] == []
    output_dir = copy_run(smoke[0], tmp_path / "run")
    before = {path: path.stat().st_mtime_ns for path in output_dir.rglob("*")}
    values = {"OUTPUT_DIR": str(output_dir), "EPOCHS": 2}
    assert execute(example, tmp_path / "a.ipynb", values) is None
    now = {path: path.stat().st_mtime_ns for path in before}
    assert {path for path in before if now[path] != before[path]} <= {output_dir}
    run = read_run(output_dir)
    table = run.results().set_index(["model", "split"])["f2"]
    mean = 0.3 * run.probs("cosine")["test"] + 0.4 * run.probs("mlp")["test"]
    mean += 0.3 * run.probs("neighbours")["test"]
    path = run.find("preds_test.npy")
    np.testing.assert_allclose(np.load(path.with_name("probs_test.npy")), mean, atol=1e-6)
    f2 = fbeta_score(run.targets["test"], np.load(path), beta=2, average="samples", zero_division=0)
    assert table["mean with cosine", "test"] == pytest.approx(f2)
    assert ("Cosine (own)", "val") in table.index
    assert ("heads and neighbours", "test") in table.index
    refused = r"'cosine' is registered, .* register\('cosine', ...\)"
    with pytest.raises(ValueError, match=refused):
        load_head(run, "cosine")
    with pytest.raises(ValueError, match=refused):
        Labeller.load(output_dir / "11_own_head/own_labeller")
    labeller, mine = tmp_path / "labeller", tmp_path / "mine.py"
    starts = ("from imet_utils", "class CosineHead", "def asymmetric_loss")
    own = [cell.source for cell in cells if cell.source.startswith(starts)]
    mine.write_text("\n".join([own[0], "SCALE: float = 20.0", *own[1:]]))
    runpy.run_path(str(mine))
    parameters = {"OUTPUT_DIR": str(output_dir), "EPOCHS": 1}
    own_run = open_run("12_mine", ["06_train_attncnn_rnn"], parameters=parameters)
    probs = train_head(own_run, "cosine").predict()["val"]
    make_labeller(own_run, {"cosine": 1.0}, Decision(threshold=0.3), probs).save(labeller)
    RECIPES.pop("cosine")
    image = next((run.data_dir / "train").glob("*.png"))
    command = [sys.executable, "-m", "imet_tools.labelling", "label", image, "--output", labeller]
    command += ["--no-review", "--heads", mine]
    result = subprocess.run(command, cwd=PROJECT_DIR, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    assert [*labeller.glob("labelled/*/labels.csv")], result.stdout
