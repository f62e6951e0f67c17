"""What a notebook is given, and that it is refused on results that are stale or incomplete."""

import json
import os
import shutil

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from PIL import Image

from imet_utils import provenance, runs
from imet_utils.files import save_csv
from imet_utils.provenance import data_fingerprint, is_current, list_upstream, stale_reason
from imet_utils.runs import (
    PROJECT_DIR,
    find_data_dir,
    find_output_dir,
    list_predictions,
    open_run,
    read_predictions,
)
from imet_utils.tables import load_tables, save_tables, split_tables, take_split
from imet_utils.training import TrainConfig

CHAIN = ["02_preprocess_images", "03_visualize_hog", "04_train_baseline", "05_fuse_hog"]
UPSTREAM = {
    CHAIN[1]: CHAIN[:1],
    CHAIN[2]: CHAIN[:1],
    CHAIN[3]: CHAIN[1:3],
    "06_train_attncnn_rnn": CHAIN[3:],
    "08_evaluate_test": ["06_train_attncnn_rnn"],
}


@pytest.fixture
def collection(tmp_path):
    """Ten images with a label or two each, and two in `test/`."""
    folder = tmp_path / "collection"
    for part, count in (("train", 10), ("test", 2)):
        (folder / part).mkdir(parents=True)
        for number in range(count):
            Image.new("RGB", (8, 8), (number, 0, 0)).save(folder / part / f"{number}.bmp")
    rows = [(number, "1 2" if number % 2 else "1") for number in range(10)]
    pd.DataFrame(rows, columns=["id", "attribute_ids"]).to_csv(folder / "train.csv", index=False)
    labels = [(1, "tag::men"), (2, "tag::boats")]
    labels = pd.DataFrame(labels, columns=["attribute_id", "attribute_name"])
    labels.to_csv(folder / "labels.csv", index=False)
    return folder


@pytest.fixture
def output(tmp_path):
    return tmp_path / "output"


def begin(notebook, collection, output, **parameters):
    """Open a run as a notebook does."""
    places = {"DATA_DIR": str(collection), "OUTPUT_DIR": str(output)}
    parts = ["train", "test"] if notebook == "08_evaluate_test" else ["train"]
    return open_run(notebook, UPSTREAM.get(notebook, ()), parts, parameters=places | parameters)


def play(notebook, collection, output, **parameters):
    """Do what a notebook does: begin, leave results, finish."""
    run = begin(notebook, collection, output, **parameters)
    if notebook == CHAIN[0]:
        tables = split_tables(load_tables(run.data_dir), seed=parameters.get("SEED", 0))
        save_tables(tables, run.folder)
    row = {"model": notebook, "split": "val", "f2": 0.5}
    run.finish({"scores": [row]})
    return run


def play_all(collection, output, notebooks=CHAIN, **parameters):
    for notebook in notebooks:
        play(notebook, collection, output, **parameters)


def reason(output, notebook="06_train_attncnn_rnn"):
    return stale_reason(output, notebook, UPSTREAM[notebook])


# --- folders --------------------------------------------------------------------------------------


def test_data_come_from_what_is_given_then_kaggle_then_the_sample(tmp_path, monkeypatch):
    assert find_data_dir(str(tmp_path)) == tmp_path
    monkeypatch.setattr(runs, "KAGGLE_INPUTS", [tmp_path / "absent", tmp_path / "input"])
    assert find_data_dir("") == PROJECT_DIR / "data" / "sample"
    assert find_data_dir("", limit=60) == PROJECT_DIR / "data" / "sample_60"
    (tmp_path / "input").mkdir()
    assert find_data_dir("", limit=60) == tmp_path / "input"


def test_results_go_to_what_is_given_then_kaggle_then_outputs(tmp_path, monkeypatch):
    monkeypatch.setattr(runs, "KAGGLE_WORKING", tmp_path / "absent")
    assert find_output_dir() == PROJECT_DIR / "outputs"
    monkeypatch.setattr(runs, "KAGGLE_WORKING", tmp_path)
    assert find_output_dir() == tmp_path / "outputs"
    assert find_output_dir(str(tmp_path / "mine")) == tmp_path / "mine"


def test_an_installed_package_works_in_the_folder_of_notebooks_or_the_current_one(
    tmp_path, monkeypatch
):
    """None of its data and results go into site-packages."""
    monkeypatch.setattr(runs, "KAGGLE_WORKING", tmp_path / "absent")
    monkeypatch.setattr(runs, "KAGGLE_INPUTS", [])
    monkeypatch.setattr(runs, "PROJECT_DIR", tmp_path / "site-packages")
    (tmp_path / "copy/notebooks/profiles").mkdir(parents=True)
    for current in ("copy", "copy/notebooks"):  # of the command, and of a notebook
        monkeypatch.chdir(tmp_path / current)
        assert find_output_dir() == tmp_path / "copy/outputs"
        assert find_data_dir() == tmp_path / "copy/data/sample"
    monkeypatch.chdir(tmp_path)
    assert (find_output_dir(), find_data_dir()) == (tmp_path / "outputs", tmp_path / "data/sample")


# --- a run ----------------------------------------------------------------------------------------


def test_a_notebook_sees_what_those_before_it_left(collection, output):
    play_all(collection, output, CHAIN[:2], SEED=3)
    run = begin("04_train_baseline", collection, output)
    assert run.setting("SEED") == run.setting("SEED", of="images.csv") == 3
    assert list(run.label_names) == ["tag::men", "tag::boats"]
    assert {split: len(targets) for split, targets in run.targets.items()} == {
        "train": 8, "val": 1, "test": 1,
    }  # fmt: skip
    assert run.targets["train"].dtype == bool
    own = {"model": "own", "split": "test", "f2": 0.7}
    models = run.results([own, own | {"split": "val"}])["model"]
    assert list(models) == ["02_preprocess_images", "own", "own"]  # validation first


def test_the_collection_is_the_one_that_was_preprocessed(collection, output):
    play(CHAIN[0], collection, output)
    assert begin("03_visualize_hog", "", output).data_dir == collection


def test_a_figure_is_saved_under_the_notebook_s_number(collection, output):
    run = begin("01_explore_data", collection, output)
    figure = Figure()
    figure.subplots().plot([1, 2])
    run.show(figure, "line")
    with Image.open(output / "figures/01_line.png") as picture:
        assert len(picture.convert("L").getcolors()) > 2


# --- nothing stale --------------------------------------------------------------------------------


def test_a_whole_chain_is_sound(collection, output):
    play_all(collection, output)
    assert reason(output) == ""
    play_all(collection, output)  # the same again changes nothing
    assert reason(output) == ""


def test_nothing_yet_names_the_notebooks_to_run(collection, output):
    assert reason(output).startswith("05_fuse_hog has not run to its end: run 05 again, then 06")
    play_all(collection, output, CHAIN[:2])
    assert stale_reason(output, CHAIN[3], UPSTREAM[CHAIN[3]]).startswith("04_train_baseline has")


def test_a_notebook_that_was_left_early_counts_as_unfinished(collection, output):
    play_all(collection, output)
    begin(CHAIN[2], collection, output)  # begun, never finished
    assert reason(output).startswith("04_train_baseline has not run to its end: run 04 and 05")


def test_the_first_notebook_may_be_the_unfinished_one(collection, output):
    play_all(collection, output)
    begin(CHAIN[0], collection, output)  # begun, never finished
    assert reason(output).startswith("02_preprocess_images has not run to its end: run 02, 03, 04")


def test_another_seed_makes_all_that_stands_on_it_stale(collection, output):
    play_all(collection, output, SEED=0)
    play_all(collection, output, CHAIN[:3], SEED=1)
    said = reason(output)
    assert said.startswith("02_preprocess_images was run anew with SEED 1")
    assert "run 05 again" in said
    play(CHAIN[3], collection, output, SEED=1)
    assert reason(output) == ""


def test_a_setting_of_hog_does_not_touch_the_baseline(collection, output):
    play_all(collection, output)
    play(CHAIN[1], collection, output, ORIENTATIONS=9)
    assert stale_reason(output, "04_train_baseline", UPSTREAM.get("04_train_baseline", ())) == ""
    assert reason(output).startswith("03_visualize_hog was run anew with ORIENTATIONS 9")
    assert "run 05 again" in reason(output)


def test_a_deleted_product_is_named_with_the_notebook_that_makes_it(collection, output):
    run = begin(CHAIN[0], collection, output)
    save_tables(split_tables(load_tables(collection)), run.folder)
    run.finish({})
    (output / "02_preprocess_images/images.csv").unlink()
    said = stale_reason(output, CHAIN[1], UPSTREAM.get(CHAIN[1], ()))
    assert said.startswith("02_preprocess_images/images.csv, which 02_preprocess_images made, is")


@pytest.mark.parametrize("change", ["a corrected row", "another image", "a label"])
def test_changed_data_are_seen(collection, output, change):
    play_all(collection, output)
    if change == "a corrected row":
        text = (collection / "train.csv").read_text()
        (collection / "train.csv").write_text(text.replace("3,1 2", "3,2"))
    elif change == "another image":  # of the same name and size
        before = (collection / "train/3.bmp").stat().st_size
        Image.new("RGB", (8, 8), "white").save(collection / "train/3.bmp")
        assert (collection / "train/3.bmp").stat().st_size == before
    else:
        text = (collection / "labels.csv").read_text()
        (collection / "labels.csv").write_text(text.replace("boats", "ships"))
    said = reason(output)
    assert said.startswith("train/ or ")
    assert "has changed since 02_preprocess_images ran: run 02, 03, 04 and 05 again" in said
    with pytest.raises(RuntimeError, match="run 02"):
        begin("05_fuse_hog", collection, output)
    play_all(collection, output)
    assert reason(output) == ""


def test_a_copied_collection_is_the_same_one(collection, output, tmp_path):
    play_all(collection, output)
    copy = tmp_path / "copy"
    shutil.copytree(collection, copy, copy_function=shutil.copyfile)  # with times of its own
    for path in (copy / "train").iterdir():
        os.utime(path, (1, 1))
    assert stale_reason(output, "05_fuse_hog", UPSTREAM.get("05_fuse_hog", ()), copy) == ""
    assert data_fingerprint(copy, "train") == data_fingerprint(collection, "train")


def test_data_that_change_while_a_notebook_runs_are_not_taken_for_its_own(collection, output):
    run = begin(CHAIN[0], collection, output)
    save_tables(split_tables(load_tables(collection)), run.folder)
    (collection / "train.csv").write_text(
        "id,attribute_ids\n" + "\n".join(f"{n},1" for n in range(10))
    )
    run.finish({})
    assert "has changed since 02" in stale_reason(output, CHAIN[1], UPSTREAM.get(CHAIN[1], ()))


def test_a_notebook_is_not_stopped_by_what_it_does_not_read(collection, output):
    play_all(collection, output, CHAIN[:1])
    save_csv(pd.DataFrame({"a": [1]}), output / "01_explore_data/other.csv")
    assert stale_reason(output, CHAIN[1], UPSTREAM.get(CHAIN[1], ())) == ""
    assert list_upstream(output, []) == {}


def test_a_damaged_record_counts_as_none(collection, output):
    play(CHAIN[0], collection, output)
    (output / CHAIN[0] / "provenance.json").write_text("{")
    assert "has not run to its end" in stale_reason(output, CHAIN[1], UPSTREAM.get(CHAIN[1], ()))


def test_numbers_of_numpy_are_told_as_numbers(collection, output):
    run = begin(CHAIN[0], collection, output, SHARE=np.float64(0.5))
    run.finish({})
    provenance = json.loads((output / CHAIN[0] / "provenance.json").read_text())
    assert provenance["parameters"] == {"SHARE": 0.5}


def test_a_notebook_is_current_until_something_changes(collection, output, monkeypatch):
    play_all(collection, output, EPOCHS=3)

    def current(**values):
        return is_current(output, CHAIN[3], {"EPOCHS": 3, "NUM_WORKERS": 2} | values)

    assert current()
    assert current(NUM_WORKERS=8)  # does not count
    assert not current(EPOCHS=4)
    assert not is_current(output, "06_train_attncnn_rnn", {})  # was never run
    monkeypatch.setattr(provenance, "code_digest", lambda: "other")
    assert not current()
    monkeypatch.undo()
    play(CHAIN[1], collection, output, EPOCHS=5)
    assert not current()
    play_all(collection, output, EPOCHS=3)
    assert current()
    (collection / "labels.csv").write_text("attribute_id,attribute_name\n1,tag::men\n2,tag::sea\n")
    assert not current()
    assert not is_current(output, CHAIN[0], {"EPOCHS": 3})


def test_new_images_in_test_concern_the_notebook_that_labels_them_alone(collection, output):
    last = "08_evaluate_test"
    everything = [*CHAIN, "06_train_attncnn_rnn", last]
    play_all(collection, output, everything)
    shutil.copy(collection / "test/1.bmp", collection / "test/9.bmp")
    assert [is_current(output, name, {}) for name in everything] == [True] * 5 + [False]
    assert stale_reason(output, last, UPSTREAM.get(last, ())) == ""
    play(last, collection, output)
    assert is_current(output, last, {})


def test_a_reader_s_own_notebook_opens_a_run_and_is_guarded_like_the_others(collection, output):
    play_all(collection, output)
    namespace = {
        "OUTPUT_DIR": str(output),
        "TREES": 3,
        "note": "no parameter",
        "open_run": open_run,
    }
    cell = 'run = open_run("10_my_idea", upstream=["04_train_baseline"])'
    exec(cell, namespace)
    run = namespace["run"]
    assert run.data_dir == collection
    assert run.parameters == {"OUTPUT_DIR": str(output), "TREES": 3}
    assert list(run.upstream) == [CHAIN[0], CHAIN[2]]
    assert run.find("images.csv") == output / CHAIN[0] / "images.csv"
    run.finish({"scores": []})
    assert is_current(output, "10_my_idea", {"TREES": 3})
    assert not is_current(output, "10_my_idea", {"TREES": 4})
    play(CHAIN[2], collection, output, EPOCHS=9)
    assert not is_current(output, "10_my_idea", {"TREES": 3})
    play(CHAIN[0], collection, output, SEED=5)
    with pytest.raises(RuntimeError, match="run 04 again, then 10"):
        exec(cell, namespace)


def test_a_parameter_that_changes_under_way_is_refused(collection, output):
    namespace = {"DATA_DIR": str(collection), "OUTPUT_DIR": str(output), "EPOCHS": 30}
    names = namespace | {"open_run": open_run}
    exec('run = open_run("01_explore_data")', names)
    run = names["run"]
    assert run.configure(TrainConfig(learning_rate=0.5)) == TrainConfig(30, 0.5)
    names["EPOCHS"] = 6
    for use in (lambda: run.configure(TrainConfig()), lambda: run.finish({})):
        with pytest.raises(RuntimeError, match="EPOCHS is now 6, and was 30"):
            use()


def test_other_results_of_the_same_settings_count_downstream(collection, output):
    """As after an edit to a cell that trains."""
    play_all(collection, output)
    run = begin(CHAIN[2], collection, output)
    run.finish({"scores": [{"model": "edited", "split": "val", "f2": 0.9}]})
    assert reason(output).startswith("04_train_baseline was run anew with other results after 05")
    play(CHAIN[2], collection, output)  # as it was
    assert reason(output) == ""


def test_both_folders_may_move_together(collection, output, tmp_path):
    play_all(collection, output)
    (tmp_path / "moved").mkdir()
    for folder in (collection, output):
        shutil.move(folder, tmp_path / "moved")
    moved = tmp_path / "moved/output"
    assert stale_reason(moved, "06_train_attncnn_rnn", CHAIN[3:]) == ""
    assert is_current(moved, CHAIN[3], {})


COLUMNS = ["id", "split", "attribute_id", "attribute_name", "true", "predicted", "probability"]


@pytest.fixture
def judged(collection, output):
    """A run whose evaluation has kept what it predicted, all labels of one image among it."""
    run = begin(CHAIN[0], collection, output)
    tables = split_tables(load_tables(collection))
    save_tables(tables, run.folder)
    run.finish({})
    play_all(collection, output, [*CHAIN[1:], "06_train_attncnn_rnn"])
    run = begin("08_evaluate_test", collection, output)
    for split in ("val", "test"):
        probs = np.full((len(take_split(tables, split).images), 2), [0.005, 0.4], np.float32)
        run.folder.mkdir(exist_ok=True)
        np.save(run.folder / f"probs_{split}.npy", probs)
        np.save(run.folder / f"preds_{split}.npy", probs > 0.5)
    run.finish({})
    return run


def test_predictions_have_ids_as_text_and_labels_by_number_and_name(judged):
    table = judged.predictions(least=0)
    assert table.columns.tolist() == COLUMNS
    assert table["split"].tolist() == ["val", "val", "test", "test"]
    assert [type(value) for value in table.loc[0, ["id", "attribute_name"]]] == [str, str]
    assert pd.api.types.is_integer_dtype(table["attribute_id"])
    assert [table[name].dtype for name in ("true", "predicted")] == [bool, bool]
    names = dict(zip(table["attribute_id"], table["attribute_name"], strict=True))
    assert names == {1: "tag::men", 2: "tag::boats"}
    assert table["probability"].tolist() == pytest.approx([0.4, 0.005] * 2)  # best first


def test_predictions_meet_the_collection_by_id(judged, collection):
    given = pd.read_csv(collection / "train.csv", dtype=str).set_index("id")["attribute_ids"]
    true = judged.predictions().query("true")
    found = true.groupby("id")["attribute_id"].agg(lambda ids: " ".join(map(str, sorted(ids))))
    assert found.to_dict() == given[found.index].to_dict()


def test_what_was_missed_is_one_query(judged):
    table = judged.predictions()
    missed = table.query("split == 'test' and attribute_name == 'tag::men' and true")
    assert missed["predicted"].tolist() == [False]


def test_improbable_labels_are_listed_only_where_they_are_true_or_predicted(collection):
    part = take_split(split_tables(load_tables(collection)), "train")
    probs = np.zeros((len(part.images), 2), np.float32)
    preds = np.zeros(probs.shape, bool)
    assert len(list_predictions(part, probs, preds)) == part.targets.sum()
    preds[0] = True
    listed = list_predictions(part, probs, preds)
    assert len(listed) == part.targets[1:].sum() + 2
    assert len(list_predictions(part, probs, preds, least=0)) == probs.size


def test_a_run_that_was_not_evaluated_has_no_predictions(judged, output):
    (output / "08_evaluate_test/provenance.json").unlink()
    with pytest.raises(FileNotFoundError, match=r"preds_test\.npy"):
        read_predictions(output)
