"""What a notebook is given, and that it is refused on results that are stale or incomplete."""

import os
import shutil

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from small_data import write_collection, write_noise

from imet_utils import provenance, runs
from imet_utils.files import save_csv
from imet_utils.provenance import current_data, data_state, is_current, list_upstream, stale_reason
from imet_utils.runs import find_data_dir, find_output_dir, open_run, read_run
from imet_utils.tables import load_tables, save_tables, split_tables, take_split
from imet_utils.training import TrainConfig

CHAIN = ["02_preprocess_images", "03_visualize_hog", "04_train_baseline", "05_fuse_hog"]
RNN, LAST = "06_train_attncnn_rnn", "08_evaluate_test"
LABELS = ["tag::men", "tag::boats"]
UPSTREAM = {CHAIN[1]: CHAIN[:1], CHAIN[2]: CHAIN[:1], CHAIN[3]: CHAIN[1:3], RNN: CHAIN[3:]}
UPSTREAM[LAST] = [RNN]


@pytest.fixture
def collection(tmp_path):
    """Ten images with a label or two each, and two in `test/`."""
    rows = {str(number): "0 1" if number % 2 else "0" for number in range(10)}
    folder = write_collection(tmp_path / "project/collection", rows, LABELS, (8, 8))
    write_noise(folder / "test", "01", (8, 8))
    return folder


@pytest.fixture
def output(tmp_path):
    return tmp_path / "project/output"


def begin(notebook, collection, output, **parameters):
    places = {"DATA_DIR": str(collection), "OUTPUT_DIR": str(output)}
    parts = ["train", "test"] if notebook == LAST else ["train"]
    return open_run(notebook, UPSTREAM.get(notebook, ()), parts, parameters=places | parameters)


def play(notebook, collection, output, scores=(), **parameters):
    """Do what a notebook does: begin, leave results, finish."""
    run = begin(notebook, collection, output, **parameters)
    if notebook == CHAIN[0]:
        save_tables(split_tables(load_tables(run.data_dir)), run.folder)
    run.finish({"scores": [{"model": notebook, "split": "val", "f2": 0.5}, *scores]})


def play_all(collection, output, notebooks=CHAIN):
    for notebook in notebooks:
        play(notebook, collection, output)


def reason(output, notebook=RNN, data_dir=None):
    records = list_upstream(output, UPSTREAM.get(notebook, ()))
    return stale_reason(output, notebook, records, current_data(output, records, data_dir))


def test_folders_are_the_given_ones_then_kaggle_s_then_the_repository_s(tmp_path, monkeypatch):
    monkeypatch.setattr(runs, "KAGGLE_WORKING", tmp_path / "working")
    monkeypatch.setattr(runs, "KAGGLE_INPUTS", [tmp_path / "absent", tmp_path / "input"])
    assert find_data_dir() == runs.PROJECT_DIR / "data/sample"
    assert find_data_dir(limit=60) == runs.PROJECT_DIR / "data/sample_60"
    assert find_output_dir() == runs.PROJECT_DIR / "outputs"
    for name in ("input", "working"):
        (tmp_path / name).mkdir()
    assert find_data_dir(limit=60) == tmp_path / "input"
    assert find_output_dir() == tmp_path / "working/outputs"
    assert find_data_dir(str(tmp_path)) == find_output_dir(str(tmp_path)) == tmp_path


def test_an_installed_package_works_beside_notebooks_or_where_one_is(tmp_path, monkeypatch):
    """None of its data and results go into site-packages."""
    monkeypatch.setattr(runs, "PROJECT_DIR", tmp_path / "site-packages")
    (tmp_path / "copy/notebooks/profiles").mkdir(parents=True)
    for current, home in ((".", "."), ("copy", "copy"), ("copy/notebooks", "copy")):
        monkeypatch.chdir(tmp_path / current)
        assert find_output_dir() == tmp_path / home / "outputs"
        assert find_data_dir() == tmp_path / home / "data/sample"


def test_a_notebook_sees_what_those_before_it_left(collection, output, monkeypatch):
    play(CHAIN[0], collection, output, SPLIT_SEED=3)
    play(CHAIN[1], collection, output)
    listed = []
    list_files = provenance._list_files
    monkeypatch.setattr(provenance, "_list_files", lambda *a: listed.append(a) or list_files(*a))
    run = begin(CHAIN[2], "", output)
    assert listed == [(collection, "train")]  # once, which takes seconds for many images
    assert run.data_dir == collection  # the one that was preprocessed
    assert run.setting("SPLIT_SEED") == 3
    assert list(run.label_names) == LABELS
    assert {split: targets.shape for split, targets in run.targets.items()} == {
        "train": (8, 2), "val": (1, 2), "test": (1, 2),
    }  # fmt: skip
    own = {"model": "own", "split": "test", "f2": 0.7}
    models = run.results([own, own | {"split": "val"}])["model"]
    assert list(models) == [CHAIN[0], "own", "own"]  # validation first


def test_a_parameter_that_changes_under_way_is_refused(collection, output):
    names = {"DATA_DIR": str(collection), "OUTPUT_DIR": str(output), "EPOCHS": 30}
    names["open_run"] = open_run
    exec('run = open_run("01_explore_data")', names)
    run = names["run"]
    assert run.configure(TrainConfig(learning_rate=0.5)) == TrainConfig(30, 0.5)
    names["EPOCHS"] = 6
    for use in (lambda: run.configure(TrainConfig()), lambda: run.finish({})):
        with pytest.raises(RuntimeError, match="EPOCHS is now 6, and was 30"):
            use()


def test_a_reader_s_own_notebook_opens_a_run_and_is_guarded_like_the_others(collection, output):
    play_all(collection, output)
    parameters = {"OUTPUT_DIR": str(output), "TREES": 3, "NUM_WORKERS": 2, "SHARE": np.float64(0.5)}
    names = {**parameters, "note": "no parameter", "open_run": open_run}
    exec('run = open_run("10_my_idea", upstream=["04_train_baseline"])', names)
    run = names["run"]
    assert run.parameters == parameters
    assert list(run.upstream) == [CHAIN[0], CHAIN[2]]
    run.finish({"scores": []})
    assert is_current(output, "10_my_idea", {"TREES": 3, "SHARE": 0.5, "NUM_WORKERS": 8})
    assert not is_current(output, "10_my_idea", {"TREES": 4})
    play(CHAIN[2], collection, output, EPOCHS=9)
    assert not is_current(output, "10_my_idea", {"TREES": 3})


def replace_text(path, old, new):
    path.write_text(path.read_text().replace(old, new))


def test_a_table_counts_whole(collection):
    contents = []
    for text in ("val,test", "test,val"):
        (collection / "labels.csv").write_text("x" * 5000 + text + "x" * 15000)
        contents.append(data_state(collection, ["train"])["train"]["content"])
    assert contents[0] != contents[1]


def reverse(path):
    path.write_bytes(path.read_bytes()[::-1])


EDITED = {"model": "edited", "split": "val", "f2": 0.9}
OTHER_DATA = "train/ or train.csv or labels.csv has changed since 02_preprocess_images ran"
CHANGES = {  # of data or results; the first of the chain that has to run again; what is said
    "a parameter": (lambda *run: play(CHAIN[1], *run, ORIENTATIONS=9), 3,
        "03_visualize_hog was run anew with ORIENTATIONS 9 after 05_fuse_hog"),
    "a cell that trains": (lambda *run: play(CHAIN[2], *run, [EDITED]), 3,
        "04_train_baseline was run anew with other results after 05_fuse_hog"),
    "the end of a notebook": (lambda *run: begin(CHAIN[2], *run), 2,
        "04_train_baseline has not run to its end"),
    "a product": (lambda _, output: (output / CHAIN[0] / "images.csv").unlink(), 0,
        "02_preprocess_images/images.csv, which 02_preprocess_images made, is gone"),
    "a record": (lambda _, output: (output / CHAIN[0] / "provenance.json").write_text("{"), 0,
        "02_preprocess_images has not run to its end"),
    "a row": (lambda data, _: replace_text(data / "train.csv", "3,0 1", "3,1"), 0, OTHER_DATA),
    "an image of the same name and size": (
        lambda data, _: reverse(data / "train/3.png"), 0, OTHER_DATA),
}  # fmt: skip


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_concerns_what_depends_on_it_until_that_has_run_again(collection, output, change):
    make, first, said = CHANGES[change]
    assert reason(output).startswith("05_fuse_hog has not run to its end: run 05 again, then 06")
    for _ in range(2):  # the same again changes nothing, nor what a tracker writes
        play_all(collection, output)
        assert reason(output) == ""
        save_csv(pd.DataFrame({"a": [1]}), output / CHAIN[2] / "mlp/tracker/imet/events.csv")
    make(collection, output)
    stale = [name for name in CHAIN if not is_current(output, name, {})]
    assert stale == CHAIN[first:]
    numbers = " and ".join(", ".join(name[:2] for name in stale).rsplit(", ", 1))
    assert reason(output).startswith(f"{said}: run {numbers} again, then 06")
    with pytest.raises(RuntimeError, match=f"run {numbers} again"):
        begin(RNN, collection, output)
    play_all(collection, output, stale)
    assert reason(output) == ""


def test_data_that_change_while_a_notebook_runs_are_not_taken_for_its_own(collection, output):
    run = begin(CHAIN[0], collection, output)
    (collection / "train.csv").write_text("id,attribute_ids\n0,0\n")
    run.finish({})
    assert "has changed since 02" in reason(output, CHAIN[1])


def test_new_images_in_test_concern_the_notebook_that_labels_them_alone(collection, output):
    everything = [*CHAIN, RNN, LAST]
    play_all(collection, output, everything)
    shutil.copy(collection / "test/1.png", collection / "test/9.png")
    assert [is_current(output, name, {}) for name in everything] == [True] * 5 + [False]
    assert reason(output, LAST) == ""
    play(LAST, collection, output)
    assert is_current(output, LAST, {})


def test_a_copied_collection_is_the_same_one(collection, output, tmp_path):
    play_all(collection, output)
    copy = shutil.copytree(collection, tmp_path / "copy", copy_function=shutil.copyfile)
    os.utime(copy / "train/3.png", (1, 1))
    assert reason(output, CHAIN[3], copy) == ""


@pytest.mark.parametrize("how", [shutil.move, shutil.copytree])
def test_collection_and_results_may_move_together(collection, output, tmp_path, how):
    play_all(collection, output)
    moved = how(output.parent, tmp_path / "moved")
    assert reason(moved / "output") == ""
    assert is_current(moved / "output", CHAIN[0], {}, moved / "collection")
    assert begin(RNN, "", moved / "output").data_dir == moved / "collection"


def test_after_a_move_of_the_collection_what_reads_it_runs_again(collection, output, tmp_path):
    play_all(collection, output)
    moved = shutil.move(collection, tmp_path / "elsewhere")
    assert "has changed since 02_preprocess_images ran" in reason(output)
    assert not is_current(output, CHAIN[0], {}, moved)
    play(CHAIN[0], moved, output)
    assert is_current(output, CHAIN[0], {}, moved)
    assert all(is_current(output, name, {}) for name in CHAIN)


def test_a_run_is_read_without_a_change_and_without_what_is_outdated(collection, output):
    play_all(collection, output, [*CHAIN, RNN])
    judged = begin(LAST, collection, output)
    shapes = {split: judged.targets[split].shape for split in ("val", "test")}
    probs = {split: np.full(shape, [0.005, 0.4], np.float32) for split, shape in shapes.items()}
    judged.save_predictions(probs, lambda found: found > 0.5)
    judged.finish({})
    before = {path: path.stat().st_mtime_ns for path in output.rglob("*")}
    run = read_run(output)
    listed = run.predictions(least=0)
    assert listed["split"].tolist() == ["val", "val", "test", "test"]
    assert listed["probability"].tolist() == pytest.approx([0.4, 0.005] * 2)
    for write in (lambda: run.folder, lambda: run.finish({}), lambda: run.show(Figure(), "x")):
        with pytest.raises(RuntimeError, match="read_run"):
            write()
    assert before == {path: path.stat().st_mtime_ns for path in output.rglob("*")}
    begin(CHAIN[2], collection, output, EPOCHS=5).finish({})
    with pytest.raises(FileNotFoundError, match="preds_test"):
        read_run(output).find("preds_test.npy")
    with pytest.raises(FileNotFoundError, match="no notebook has run"):
        read_run(collection)


@pytest.mark.parametrize("least", [0, 0.6, np.inf])
def test_labels_that_are_true_predicted_or_probable_are_listed_best_first(collection, least):
    part = take_split(split_tables(load_tables(collection)), "train")
    rng = np.random.default_rng(0)
    probs = rng.random((len(part.images), 2)).astype(np.float32)
    preds = np.arange(len(probs))[:, None] % 4 < [1, 3]  # most of the second are predicted
    wanted = []
    for image, image_id in enumerate(part.images["id"]):
        for k in np.argsort(-probs[image]):
            true, pred, prob = part.targets[image, k], preds[image, k], probs[image, k]
            if true or pred or prob >= least:
                wanted.append([image_id, "train", k, LABELS[k], true, pred, prob])
    columns = ["id", "split", "attribute_id", "attribute_name", "true", "predicted", "probability"]
    wanted = pd.DataFrame(wanted, columns=columns).astype({"probability": np.float32})
    pd.testing.assert_frame_equal(runs.list_predictions(part, probs, preds, least), wanted)
