import pytest
from tiny_notebooks import write_chain, write_collection

from imet_utils.plan import check_data_dir, make_plan, select

STEMS = ["01_make_number", "02_use_number", "10_look_back"]


@pytest.fixture
def folder(tmp_path):
    return write_chain(tmp_path / "notebooks")


@pytest.mark.parametrize("wanted", ["2", "02", "02_use_number", "02_use_number.ipynb"])
def test_a_notebook_is_found_by_number_or_name(wanted):
    assert select(STEMS, wanted, None) == STEMS[1:]
    assert select(STEMS, None, wanted) == STEMS[:2]
    assert select(STEMS, wanted, wanted) == [STEMS[1]]


def test_two_digits_are_one_number():
    assert select(STEMS, "10", None) == ["10_look_back"]


@pytest.mark.parametrize("wanted", ["3", "0", "", "use", "002"])
def test_a_number_that_no_notebook_has_is_refused(wanted):
    with pytest.raises(ValueError, match="is none of the notebooks 01_make_number, 02_use_number"):
        select(STEMS, wanted, None)


def test_an_order_that_leaves_nothing_is_refused():
    with pytest.raises(ValueError, match="--from 2 comes after --to 1"):
        select(STEMS, "2", "1")


def test_without_arguments_all_run_with_their_own_defaults(folder):
    plan = make_plan(folder)
    assert plan.values == {"01_make_number": {}, "02_use_number": {}}
    assert plan.notebooks["02_use_number"] == folder / "02_use_number.ipynb"


def test_overrides_win_over_the_profile(folder):
    plan = make_plan(folder, profile="fast", overrides={"STEPS": "7"})
    assert plan.values == {
        "01_make_number": {"STEPS": 7, "RATE": 0.1},
        "02_use_number": {"STEPS": 7},
    }


def test_paths_become_absolute_from_where_the_user_stands(folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_collection(tmp_path / "mine")
    overrides = {"DATA_DIR": "mine", "OUTPUT_DIR": "out", "NAME": "mine/labels.csv"}
    plan = make_plan(folder, overrides=overrides)
    assert plan.values["01_make_number"]["DATA_DIR"] == str(tmp_path / "mine")
    assert plan.values["02_use_number"] == {
        "OUTPUT_DIR": str(tmp_path / "out"),
        "NAME": str(tmp_path / "mine/labels.csv"),
    }


def test_a_text_with_a_slash_that_is_no_path_stays_as_it_is(folder):
    plan = make_plan(folder, overrides={"NAME": "oil/canvas"})
    assert plan.values["02_use_number"]["NAME"] == "oil/canvas"


def test_a_value_that_would_have_no_effect_is_refused(folder):
    with pytest.raises(ValueError, match=r"RATE belongs to 01_make_number, which .* not run"):
        make_plan(folder, first="02", overrides={"RATE": "1"})
    assert list(make_plan(folder, first="02", profile="fast").notebooks) == ["02_use_number"]


@pytest.mark.parametrize("name", ["train.csv", "labels.csv", "train"])
def test_a_collection_with_a_part_missing_is_refused_by_its_name(tmp_path, name):
    collection = write_collection(tmp_path / "mine")
    check_data_dir(collection)
    (collection / name).rename(collection / "moved")
    with pytest.raises(ValueError, match=f"has no {name}. A collection is"):
        check_data_dir(collection)


def test_a_missing_data_folder_is_refused(folder, tmp_path):
    with pytest.raises(ValueError, match=r"There is no data folder .*/nowhere"):
        make_plan(folder, overrides={"DATA_DIR": str(tmp_path / "nowhere")})


def test_a_folder_without_notebooks_is_refused(tmp_path):
    with pytest.raises(ValueError, match="holds no notebooks"):
        make_plan(tmp_path)
