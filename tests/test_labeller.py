"""The labeller of a run: the same labels as the run's, from a folder that stands on its own."""

import json
import re
import shutil
import textwrap
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from imet_tools.labelling import compare_named
from imet_tools.labelling.__main__ import main
from imet_utils.decoding import Decision, average_probs, best_expected_sets
from imet_utils.files import load_json, save_json
from imet_utils.labeller import Labeller, make_labeller
from imet_utils.runs import PROJECT_DIR, open_run
from imet_utils.tables import find_images, take_split
from imet_utils.training import HeadJob, train_head

MAKER = "08_evaluate_test"
SHARES = {"baseline_hog": 0.2, "mlp": 0.2, "attncnn_rnn": 0.3, "neighbours": 0.3}
FOLDERS = {
    "baseline_hog": "05_fuse_hog",
    "mlp": "04_train_baseline/mlp",
    "attncnn_rnn": "06_train_attncnn_rnn/attncnn_rnn",
    "neighbours": "06_train_attncnn_rnn/neighbours",
}
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def run(smoke, module_path):
    """A copy of a finished run, at its last notebook."""
    folder = module_path / "run"
    shutil.copytree(smoke[0], folder)
    return open_run(MAKER, "", str(folder))


@pytest.fixture(scope="module")
def probs_of(run):
    return {
        head: {
            split: np.load(run.output_dir / folder / f"probs_{split}.npy")
            for split in ("val", "test")
        }
        for head, folder in FOLDERS.items()
    }


@pytest.fixture(scope="module")
def labeller(run, probs_of):
    return make_labeller(run, SHARES, Decision(beta=2.0), average_probs(probs_of, SHARES)["val"])


@pytest.fixture(scope="module")
def files(run):
    """The files of the test part."""
    return find_images(run.data_dir / "train", take_split(run.tables, "test").images["id"])


@pytest.fixture
def saved(labeller, tmp_path):
    labeller.save(tmp_path / "kept")
    return tmp_path / "kept"


def stack(probs):
    return np.stack(list(probs))


def test_images_have_the_probabilities_of_the_run(labeller, files, probs_of):
    found = stack(labeller.probs(files))
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, average_probs(probs_of, SHARES)["test"], atol=2e-3)


def test_an_image_is_labelled_alike_in_any_company(labeller, files):
    together = stack(labeller.probs(files))
    for number in (0, len(files) - 1):
        np.testing.assert_array_equal(stack(labeller.probs(files[number:])), together[number:])


def test_a_folder_that_is_handed_on_labels_alike(labeller, saved, files, tmp_path):
    saved.rename(tmp_path / "elsewhere")
    loaded = Labeller.load(tmp_path / "elsewhere")
    np.testing.assert_array_equal(stack(loaded.probs(files)), stack(labeller.probs(files)))
    pd.testing.assert_frame_equal(loaded.label(files[:2], top=4), labeller.label(files[:2], top=4))
    assert loaded.known.equals(labeller.known)
    assert loaded.settings["thresholds"].keys() == {str(p) for p in labeller.settings["thresholds"]}
    sharper = replace(loaded.neighbours, temperature=0.06)
    replace(loaded, neighbours=sharper).save(tmp_path / "elsewhere")  # over itself
    assert Labeller.load(tmp_path / "elsewhere").neighbours.temperature == 0.06
    assert sorted(path.name for path in tmp_path.rglob("*") if path.is_file()) == [
        "labeller.json", "tensors.safetensors",
    ]  # fmt: skip


def test_a_finished_run_has_a_labeller_that_made_its_submission(smoke):
    output_dir, _ = smoke
    loaded = Labeller.load(output_dir)
    submission = pd.read_csv(output_dir / "submission.csv", dtype=str)
    data_dir = load_json(output_dir / MAKER / "provenance.json")["data_dir"]
    paths = find_images(f"{data_dir}/test", submission["id"])
    pd.testing.assert_frame_equal(loaded.submit(submission["id"], paths), submission)


def test_a_table_lists_the_chosen_labels_best_first(labeller, files):
    probs = next(labeller.probs(files[:1]))
    chosen = best_expected_sets(probs[np.newaxis])[0]
    table = labeller.label(files[:1])
    assert table["image"].unique().tolist() == [files[0].name]
    assert sorted(table["attribute_name"]) == sorted(labeller.names[chosen])
    assert table["chosen"].all()
    assert table["probability"].is_monotonic_decreasing
    names = dict(labeller.labels.itertuples(index=False))
    assert [names[number] for number in table["attribute_id"]] == table["attribute_name"].tolist()
    more = labeller.label(files[:1], top=len(names))
    assert len(more) == len(names)
    assert more["chosen"].sum() == chosen.sum()


def test_named_labels_move_the_others(labeller, files):
    some, names = files[:3], labeller.names
    labeller = replace(labeller, settings=labeller.settings | {"strength": 1.0})
    named = [[names[1]], [], [names[0], names[2]]]
    before = stack(labeller.probs(some))
    after = stack(labeller.probs(some, named=[labeller.find_classes(row) for row in named]))
    assert after[0, 1] == 1
    assert (after[2, [0, 2]] == 1).all()
    np.testing.assert_allclose(after[1], before[1], atol=1e-6)
    assert np.abs(np.delete(after[0] - before[0], 1)).max() > 1e-3
    np.testing.assert_allclose(labeller.look(some[0], named=named[0]).probs, after[0], atol=1e-6)
    found = labeller.label(some, top=2, named=named)
    assert found[found["image"] == some[2].name]["attribute_name"].tolist()[:2] == [*named[2]]
    assert found[found["attribute_name"] == names[1]]["chosen"].iloc[0]
    moved = compare_named(labeller, some[0], named[0], most=3)
    assert len(moved) == 3
    assert names[1] not in moved.index
    gaps = (moved["after"] - moved["before"]).abs()
    assert gaps.is_monotonic_decreasing
    np.testing.assert_allclose(gaps.max(), np.abs(np.delete(after[0] - before[0], 1)).max())


def test_what_cannot_be_named_is_refused(labeller, files):
    near = labeller.names[0]
    with pytest.raises(ValueError, match=f"no label is called '{near}s'; near names are {near}"):
        labeller.label(files[:1], named=[[f"{near}s"]])
    with pytest.raises(ValueError, match="labels are named of 1 images, and 2 given"):
        labeller.label(files[:2], named=[[near]])


def test_images_of_pillow_are_numbered(labeller, files):
    with Image.open(files[0]) as image:
        table = labeller.label([image, image.convert("L")], top=1)
    assert table["image"].unique().tolist() == ["0", "1"]


def test_reviewers_wish_for_a_precision(labeller, run, probs_of):
    val = average_probs(probs_of, SHARES)["val"]
    wished = labeller.wish(0.3)
    assert run.targets["val"][wished(val)].mean() >= 0.3
    for precision in (0.0, 1.0):
        with pytest.raises(ValueError, match=f"a precision is above 0.* got {precision}"):
            labeller.wish(precision)


def test_a_close_look_shows_attention_path_and_neighbours(labeller, run):
    train = take_split(run.tables, "train")
    path = find_images(run.data_dir / "train", train.images["id"][:1])[0]
    seen = labeller.look(path, num_nearest=3)
    steps = labeller.path(path, max_steps=4)
    num_classes = len(labeller.labels)
    assert seen.attention.shape == (num_classes, 7, 7)
    np.testing.assert_allclose(seen.attention.sum(axis=(1, 2)), 1, rtol=1e-5)
    assert steps["label"].nunique() == 4
    assert steps["probability"].between(0, 1).all()
    assert seen.nearest["similarity"].is_monotonic_decreasing
    assert seen.nearest["id"][0] == train.images["id"][0]  # the image itself
    assert seen.nearest["labels"][0] == train.images["labels"][0]
    np.testing.assert_array_equal(seen.probs, next(labeller.probs([path])))


def test_without_an_rnn_there_is_no_attention(run, probs_of, files):
    val = probs_of["baseline_hog"]["val"]
    alone = make_labeller(run, {"baseline_hog": 1.0}, Decision(threshold=0.5), val)
    seen = alone.look(files[0])
    assert seen.attention is None
    assert alone.path(files[0]).empty
    np.testing.assert_array_equal(seen.chosen, seen.probs >= 0.5)


def test_a_head_with_an_encoder_of_its_own_is_kept_whole(run, probs_of, files, tmp_path):
    shutil.copytree(run.output_dir, tmp_path / "run")
    unfrozen = open_run(MAKER, "", str(tmp_path / "run"))
    job = HeadJob("attncnn_rnn", run.data_dir, unfrozen.output_dir, epochs=1, unfrozen_stages=1)
    train_head(job)
    made = make_labeller(unfrozen, {"attncnn_rnn": 1.0}, Decision(beta=2.0), probs_of["mlp"]["val"])
    made.save(tmp_path / "kept")
    found = stack(Labeller.load(tmp_path / "kept").probs(files))
    np.testing.assert_array_equal(found, stack(made.probs(files)))
    assert np.abs(found - probs_of["attncnn_rnn"]["test"]).max() > 1e-3


def test_an_image_that_is_missing_gets_the_best_guess(labeller, run, files):
    table = labeller.submit(["a", "b"], [None, files[0]])
    guess = best_expected_sets(run.targets["train"].mean(axis=0, keepdims=True))
    ids = run.tables.labels["attribute_id"][guess[0]]
    assert table["attribute_ids"][0] == " ".join(map(str, ids))
    assert table["attribute_ids"][1] == labeller.submit(["b"], files[:1])["attribute_ids"][0]


def test_what_is_no_labeller_is_refused(run, saved, tmp_path):
    with pytest.raises(FileNotFoundError, match=f"has no labeller. Run {MAKER} to its end"):
        Labeller.load(run.output_dir)  # whose last notebook has begun again
    (tmp_path / "full").mkdir()
    (tmp_path / "full/notes.txt").touch()
    with pytest.raises(ValueError, match="holds other files"):
        Labeller.load(saved).save(tmp_path / "full")
    tensors = (saved / "tensors.safetensors").read_bytes()
    (saved / "tensors.safetensors").write_bytes(tensors[:-9])
    with pytest.raises(ValueError, match=r"is damaged .* Make it anew"):
        Labeller.load(saved)
    (saved / "tensors.safetensors").write_bytes(tensors)
    settings = load_json(saved / "labeller.json")
    for key, value, message in (("format", 0, "has format 0"), ("encoder", "resnet50", "encoder")):
        weights = {"weights": "none"} if key == "encoder" else {}
        save_json(settings | {key: value} | weights, saved / "labeller.json")
        with pytest.raises(ValueError, match=message):
            Labeller.load(saved)


def test_a_labeller_of_former_results_is_refused(smoke, tmp_path):
    shutil.copytree(smoke[0], tmp_path / "run")
    provenance = tmp_path / "run/06_train_attncnn_rnn/provenance.json"
    provenance.write_text(json.dumps(load_json(provenance) | {"id": "another"}))
    with pytest.raises(ValueError, match=f"06_train_attncnn_rnn was run anew after {MAKER}"):
        Labeller.load(tmp_path / "run")


def test_the_command_labels_what_can_be_read_and_lists_the_rest(smoke, tmp_path, files, capsys):
    output_dir = tmp_path / "run"
    shutil.copytree(smoke[0], output_dir)
    before = {path: path.stat().st_mtime_ns for path in output_dir.rglob("*") if path.is_file()}
    given = tmp_path / "given"
    given.mkdir()
    for file in files[:3]:
        shutil.copy(file, given)
    (given / "cut.jpg").write_bytes(files[0].read_bytes()[:200])
    (given / "notes.txt").write_text("no image")
    assert main(["label", str(given), "--output", str(output_dir), "--top", "2"]) == 0
    after = {path for path in output_dir.rglob("*") if path.is_file()}
    results = output_dir / "09_label_new_images"
    assert {path.name for path in after - before.keys()} == {
        "labels.csv", "submission.csv", "skipped_images.csv", "review.html",
    }  # fmt: skip
    assert all(path.stat().st_mtime_ns == time for path, time in before.items())
    assert set(pd.read_csv(results / "skipped_images.csv")["file"]) == {"cut.jpg", "notes.txt"}
    names = sorted(file.name for file in files[:3])
    labels, labeller = pd.read_csv(results / "labels.csv"), Labeller.load(output_dir)
    wanted = labeller.label([given / name for name in names], top=2).rename(
        columns={"image": "file"}
    )
    pd.testing.assert_frame_equal(labels, wanted, rtol=1e-6, check_dtype=False)
    submission = pd.read_csv(results / "submission.csv", dtype=str)
    pd.testing.assert_frame_equal(
        submission, labeller.submit([name[:-4] for name in names], [given / n for n in names])
    )
    page = (results / "review.html").read_text()
    assert page.count("data:image/jpeg") >= 3 * 6  # each with its five nearest
    assert "2 files skipped" in capsys.readouterr().out


def test_the_command_takes_what_a_catalogue_knows(smoke, tmp_path, files, capsys):
    labeller = Labeller.load(smoke[0])
    ids = labeller.labels["attribute_id"]
    rows = f"{files[0].stem},{ids[1]} 99999\n{files[1].stem},\nanother,{ids[0]}\n"
    (tmp_path / "known.csv").write_text(f"id,attribute_ids\n{rows}")
    output_dir = tmp_path / "run"
    shutil.copytree(smoke[0], output_dir)
    given = [str(file) for file in files[:3]]
    known = str(tmp_path / "known.csv")
    assert main(["label", *given, "--output", str(output_dir), "--known", known]) == 0
    said = capsys.readouterr().out
    assert "labels are known of 1 of 3 images" in said
    assert "1 labels in it that this run has not learned" in said
    assert "99999" in said
    found = pd.read_csv(output_dir / "09_label_new_images/labels.csv")
    wanted = labeller.label(files[:3], named=[[labeller.names[1]], [], []])
    wanted = wanted.rename(columns={"image": "file"})
    pd.testing.assert_frame_equal(found, wanted, rtol=1e-5, check_dtype=False)
    assert found.loc[0, ["attribute_id", "probability"]].tolist() == [ids[1], 1]
    page = (output_dir / "09_label_new_images/review.html").read_text(encoding="utf-8")
    assert page.count('"known": [[1, 1]]') == 1
    assert page.count('"known": []') == 2


def test_the_command_refuses_with_a_sentence(smoke, tmp_path, files, capsys):
    def refused(*arguments):
        assert main(arguments) == 2
        return capsys.readouterr().err

    output = ["--output", str(smoke[0])]
    assert "there is no" in refused("label", str(tmp_path / "absent"), *output)
    assert "no file in" in refused("label", str(tmp_path), *output)
    assert "has no labeller" in refused("label", str(files[0]), "--output", str(tmp_path))
    assert "a precision is above 0" in refused("label", str(files[0]), *output, "--precision", "2")
    (tmp_path / "a.png").touch()
    assert "none of the 1 files can be used: a.png" in refused("label", str(tmp_path), *output)
    (tmp_path / "a.tif").touch()
    assert "several images are called a" in refused("label", str(tmp_path), *output)


def test_an_exported_labeller_is_enough_to_label(smoke, tmp_path, files, capsys):
    assert main(["export", str(tmp_path / "small"), "--output", str(smoke[0])]) == 0
    assert "MB" in capsys.readouterr().out
    assert main(["label", str(files[0]), "--output", str(tmp_path / "small")]) == 0
    table = pd.read_csv(tmp_path / "small/09_label_new_images/labels.csv")
    assert len(table) == len(Labeller.load(smoke[0]).label(files[:1]))


def test_the_lines_of_the_readme_run(smoke, files, tmp_path, monkeypatch, capsys):
    (tmp_path / "outputs").mkdir()
    (tmp_path / "outputs/mine").symlink_to(smoke[0])
    with Image.open(files[0]) as image:
        (tmp_path / "photos").mkdir()
        image.save(tmp_path / "photos/vase.jpg")
    monkeypatch.chdir(tmp_path)
    readme = (PROJECT_DIR / "README.md").read_text()
    start = readme.index("    from imet_tools.labelling import Labeller")
    block = re.match(r"(?:    .*\n|\n)+", readme[start:])[0]
    assert "culture::greek" in block
    known = Labeller.load(smoke[0]).names[0]  # of the few labels of this run
    exec(textwrap.dedent(block).replace("culture::greek", known), {})
    assert "vase.jpg" in capsys.readouterr().out
