"""The first page: what it says of the notebooks, of a run, and of a changed parameter."""

import json
import re

import papermill

from imet_tools.pipeline.overview import list_notebooks, list_parameters
from imet_tools.pipeline.parameters import find_notebooks
from imet_utils.runs import PROJECT_DIR, open_run

FOLDER = PROJECT_DIR / "notebooks"
STEMS = list(find_notebooks(FOLDER))


def test_it_tells_what_can_be_run_and_what_has_to_come_first(tmp_path):
    (tmp_path / "data/train").mkdir(parents=True)
    run = open_run(STEMS[0], str(tmp_path / "data"), str(tmp_path / "out"))
    run.finish({})
    record = {"notebooks": {STEMS[0]: {"seconds": 12.6}}}
    (tmp_path / "out/run.json").write_text(json.dumps(record))
    table = list_notebooks(FOLDER, str(tmp_path / "out")).set_index("notebook")
    assert list(table.index) == STEMS
    assert table.loc[STEMS[0], "state"] == "done"
    assert table["seconds"].tolist() == ["13", *[""] * (len(STEMS) - 1)]
    assert table.loc[STEMS[1], "state"] == "can be run"
    assert table.loc[STEMS[3], "state"] == (
        "02_preprocess_images has not run to its end: run 02 again, then 04"
    )
    assert table["about"].str.len().min() > 20


def test_a_parameter_is_followed_by_all_that_stands_on_it():
    table = list_parameters(FOLDER).set_index("parameter")
    assert table.loc["SEED", "run again"].split() == [stem[:2] for stem in STEMS]
    assert table.loc["ORIENTATIONS", "run again"] == "03 05 06 07 08 09"
    assert table.loc["DECISION", "run again"] == "08 09"
    assert not table.index.has_duplicates


def test_the_page_leads_to_every_notebook_and_runs(tmp_path):
    page = FOLDER / "00_start_here.ipynb"
    cells = json.loads(page.read_text(encoding="utf-8"))["cells"]
    links = re.findall(r"\]\((\w+)\.ipynb\)", "".join(cells[0]["source"]))
    assert links == STEMS
    parameters = {"OUTPUT_DIR": str(tmp_path)}
    papermill.execute_notebook(
        page, tmp_path / "page.ipynb", parameters, cwd=FOLDER, progress_bar=False
    )
    assert "04_train_baseline" in (tmp_path / "page.ipynb").read_text()
