"""The labeller of a run: the same labels as the run's, from a folder that stands on its own."""

import json
import re
import shutil
import stat
import textwrap
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from sklearn.metrics import fbeta_score
from small_data import copy_run

from imet_tools.labelling import compare_known
from imet_tools.labelling.__main__ import main
from imet_utils.decoding import Decision, average_probs, best_expected_sets
from imet_utils.files import load_json, save_json
from imet_utils.labeller import Labeller, make_labeller
from imet_utils.provenance import collection_of, find_product
from imet_utils.runs import PROJECT_DIR, open_run, read_run
from imet_utils.tables import find_images, take_split
from imet_utils.training import train_head

WEIGHTS = {"baseline_hog": 0.2, "mlp": 0.2, "attncnn_rnn": 0.3, "neighbours": 0.3}
pytestmark = pytest.mark.slow


def open_notebook(output_dir, **parameters):
    """Open a reader's own notebook on a finished run."""
    own = {"OUTPUT_DIR": str(output_dir), **parameters}
    return open_run("20_my_labeller", ["06_train_attncnn_rnn"], parameters=own)


@pytest.fixture(scope="module")
def run(smoke, module_path):
    """A reader's own notebook on a copy of a finished run."""
    copy_run(smoke[0], module_path / "run")
    return open_notebook(module_path / "run")


@pytest.fixture(scope="module")
def probs_of(run):
    return {head: run.probs(head) for head in WEIGHTS}


@pytest.fixture(scope="module")
def labeller(run, probs_of):
    return make_labeller(run, WEIGHTS, Decision(beta=2.0), average_probs(probs_of, WEIGHTS)["val"])


@pytest.fixture(scope="module")
def files(run):
    """The files of the test part."""
    return find_images(run.data_dir / "train", take_split(run.tables, "test").images["id"])


@pytest.fixture
def saved(labeller, tmp_path):
    labeller.save(tmp_path / "saved")
    return tmp_path / "saved"


def probs(labeller, images, known=None):
    return np.stack([found.probs for found in labeller.explain_all(images, 0, known)])


@pytest.fixture(scope="module")
def own_probs(labeller, files):
    """The labeller's probabilities of the test part."""
    return probs(labeller, files)


def test_images_have_the_probabilities_of_the_run_in_any_company(
    labeller, files, probs_of, own_probs
):
    assert own_probs.dtype == np.float32
    np.testing.assert_allclose(own_probs, average_probs(probs_of, WEIGHTS)["test"], atol=2e-3)
    for number in (1, len(files) - 1):
        found = probs(labeller, files[number:])  # a product may round a row by its place
        np.testing.assert_allclose(found, own_probs[number:], rtol=0, atol=1e-6)


def test_a_saved_labeller_labels_alike_anywhere(labeller, saved, files, own_probs, tmp_path):
    saved.rename(tmp_path / "elsewhere")
    loaded = Labeller.load(tmp_path / "elsewhere")
    np.testing.assert_array_equal(probs(loaded, files), own_probs)
    pd.testing.assert_frame_equal(loaded.label(files[:2], top=4), labeller.label(files[:2], top=4))
    assert loaded.train_images.equals(labeller.train_images)
    assert loaded.settings == labeller.settings
    sharper = replace(loaded.index, temperature=0.06)
    replace(loaded, index=sharper).save(tmp_path / "elsewhere")  # over itself
    assert Labeller.load(tmp_path / "elsewhere").index.temperature == 0.06
    written = {path.name: path for path in tmp_path.rglob("*") if path.is_file()}
    assert sorted(written) == ["labeller.json", "tensors.safetensors"]
    assert len({stat.S_IMODE(path.stat().st_mode) for path in written.values()}) == 1


def test_a_finished_run_has_the_labeller_that_made_its_submission(smoke):
    _, record = find_product(smoke[0], "images.csv")
    submission = pd.read_csv(smoke[0] / "submission.csv", dtype=str)
    paths = find_images(collection_of(smoke[0], record) / "test", submission["id"])
    found = Labeller.load(smoke[0]).submit(submission["id"], paths)
    pd.testing.assert_frame_equal(found, submission)


def test_the_final_labeller_knows_all_images_and_the_tested_one_scored(smoke, run, files):
    final, tested = (Labeller.load(path.parent) for path in smoke[0].rglob("labeller.json"))
    if len(final.train_images) < len(tested.train_images):
        final, tested = tested, final
    assert len(final.train_images) == len(final.index.targets) == len(run.tables.images)
    assert len(tested.train_images) == len(run.targets["train"])
    assert final.settings.thresholds == tested.settings.thresholds
    scored = np.load(smoke[0] / "08_evaluate_test/probs_test.npy")
    np.testing.assert_allclose(probs(tested, files), scored, atol=2e-3)
    assert np.abs(probs(final, files) - scored).max() > 0.01


def test_an_image_without_a_file_gets_the_best_guess(labeller, run, files):
    table = labeller.submit(["a", "b"], [None, files[0]])
    guess = best_expected_sets(run.targets["train"].mean(axis=0, keepdims=True))
    assert table["attribute_ids"][0] == labeller.join_ids(guess[0])
    assert table["attribute_ids"][1] == labeller.submit(["b"], files[:1])["attribute_ids"][0]


def test_a_table_lists_the_chosen_labels_best_first(labeller, files):
    chosen = best_expected_sets(probs(labeller, files[:1]))[0]
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
    with Image.open(files[0]) as image:
        numbered = labeller.label([image, image.convert("L")], top=1)
    assert numbered["image"].unique().tolist() == ["0", "1"]
    none = labeller.label([])
    assert list(none) == list(table)
    assert none.empty


def test_known_labels_revise_the_others(labeller, files):
    some, names = files[:3], labeller.names
    labeller = replace(labeller, settings=replace(labeller.settings, strength=1.0))
    before, after = probs(labeller, some), probs(labeller, some, [[1], [], [0, 2]])
    assert after[0, 1] == after[2, 0] == after[2, 2] == 1
    np.testing.assert_allclose(after[1], before[1], atol=1e-6)
    change = np.delete(np.abs(after[0] - before[0]), 1)
    assert change.max() > 1e-3
    explained = labeller.explain(some[0], known=[names[1]])
    np.testing.assert_allclose(explained.probs, after[0], atol=1e-6)
    found = labeller.label(some, top=2, known=[[names[1]], [], [names[0], names[2]]])
    assert found[found["image"] == some[2].name]["attribute_name"].tolist()[:2] == [*names[[0, 2]]]
    compared = compare_known(labeller, some[0], [names[1]], most=3)
    gaps = (compared["after"] - compared["before"]).abs()
    np.testing.assert_allclose(gaps, np.sort(change)[:-4:-1], rtol=1e-5)
    with pytest.raises(ValueError, match=f"'{names[0]}s'.*{names[0]}"):
        labeller.label(files[:1], known=[[f"{names[0]}s"]])
    with pytest.raises(ValueError, match="1 images, got 2"):
        labeller.label(files[:2], known=[[names[0]]])


def test_a_target_precision_is_reached_on_validation(labeller, run, probs_of):
    val = average_probs(probs_of, WEIGHTS)["val"]
    preds = labeller.with_precision(0.3).decision(val)
    assert run.targets["val"][preds].mean() >= 0.3
    for precision in (0.0, 1.0):
        with pytest.raises(ValueError, match=f"precision.* got {precision}"):
            labeller.with_precision(precision)


def test_an_explanation_has_attention_path_and_neighbours(labeller, run):
    train = take_split(run.tables, "train")
    path = find_images(run.data_dir / "train", train.images["id"][:1])[0]
    found = labeller.explain(path, num_neighbours=3)
    steps = labeller.path(path, max_steps=4)
    assert found.attention.shape == (len(labeller.labels), 7, 7)
    np.testing.assert_allclose(found.attention.sum(axis=(1, 2)), 1, rtol=1e-5)
    assert len(steps) == steps.index.isin(labeller.names).sum() == steps.index.nunique() == 4
    assert steps.between(0, 1).all()
    assert len(found.neighbours) == 3
    assert found.neighbours["similarity"].is_monotonic_decreasing
    assert found.neighbours["id"][0] == train.images["id"][0]  # the image itself
    assert found.neighbours["labels"][0] == train.images["labels"][0]
    np.testing.assert_array_equal(found.probs, probs(labeller, [path])[0])


def test_without_an_rnn_there_is_no_attention(run, probs_of, files):
    val = probs_of["baseline_hog"]["val"]
    alone = make_labeller(run, {"baseline_hog": 1.0}, Decision(threshold=0.5), val)
    found = alone.explain(files[0])
    assert found.attention is None
    assert alone.path(files[0]).empty
    np.testing.assert_array_equal(found.chosen, found.probs >= 0.5)


def test_a_head_with_an_encoder_of_its_own_is_saved_whole(smoke, probs_of, files, tmp_path):
    copy_run(smoke[0], tmp_path / "run")
    own = {"EPOCHS": 1, "UNFROZEN_STAGES": 1, "ENCODER": "efficientnet_lite0"}
    first = open_notebook(tmp_path / "run", **own)
    train_head(first, "attncnn_rnn")
    first.finish({})
    parameters = {"OUTPUT_DIR": str(tmp_path / "run")}
    later = open_run("21_later", ["20_my_labeller"], parameters=parameters)
    made = make_labeller(later, {"attncnn_rnn": 1.0}, Decision(beta=2.0), probs_of["mlp"]["val"])
    made.save(tmp_path / "saved")
    found = probs(Labeller.load(tmp_path / "saved"), files)
    np.testing.assert_array_equal(found, probs(made, files))
    assert np.abs(found - probs_of["attncnn_rnn"]["test"]).max() > 1e-3


def test_labellers_are_averaged_and_saved_together(
    run, labeller, probs_of, files, own_probs, tmp_path
):
    other = make_labeller(run, {"mlp": 1.0}, Decision(beta=2.0), probs_of["mlp"]["val"])
    parts = {"others": (other,), "decision": Decision(threshold=0.05)}
    others = probs(other, files)
    mean = (own_probs + others) / 2
    np.testing.assert_array_equal(probs(replace(labeller, **parts), files), mean)
    both = replace(labeller, **parts, shares=(0.75, 0.25))
    found = [*both.explain_all(files, 1)]
    mean = (0.75 * own_probs.astype(float) + 0.25 * others.astype(float)).astype(np.float32)
    np.testing.assert_array_equal([each.probs for each in found], mean)
    np.testing.assert_array_equal([each.chosen for each in found], mean >= 0.05)
    assert found[0].attention.shape[0] == len(labeller.names)
    both.save(tmp_path / "both")
    np.testing.assert_array_equal(probs(Labeller.load(tmp_path / "both"), files), mean)


def test_the_command_averages_runs_of_one_split(smoke, tmp_path, capsys):
    runs, made = [tmp_path / "a", tmp_path / "b"], tmp_path / "made"
    for folder in runs:
        copy_run(smoke[0], folder)
    for _ in range(2):  # also over itself
        assert main(["ensemble", *map(str, runs), "--output", str(made)]) == 0
    results = pd.read_csv(made / "results.csv")
    own = pd.read_csv(smoke[0] / "results.csv").query("model == 'heads and neighbours'")
    assert len(results) == 6
    for _, rows in results.groupby("model"):
        np.testing.assert_array_equal(rows.iloc[:, 1:], own.iloc[:, 1:])
    assert (made / "submission.csv").read_bytes() == (smoke[0] / "submission.csv").read_bytes()
    _, record = find_product(smoke[0], "images.csv")
    image = next((collection_of(smoke[0], record) / "test").iterdir())
    assert main(["label", str(image), "--output", str(made)]) == 0
    assert main(["ensemble", *map(str, runs), "--output", str(made)]) == 2
    assert "holds labels of images in labelled" in capsys.readouterr().err
    made = tmp_path / "new"
    assert main(["ensemble", str(runs[0]), "--output", str(made)]) == 2
    assert "at least two runs" in capsys.readouterr().err
    path = runs[0] / "08_evaluate_test/provenance.json"
    record = json.loads(path.read_text())
    record["parameters"]["DECISION"] = "0.5"  # which the second run does not reach, but the mean
    path.write_text(json.dumps(record))
    path = runs[1] / "08_evaluate_test/probs_val.npy"
    np.save(path, np.full_like(np.load(path), 0.6))
    precise = ["--output", str(tmp_path / "precise"), "--weights", "fitted"]
    assert main(["ensemble", *map(str, runs), *precise]) == 0
    labeller = Labeller.load(tmp_path / "precise")
    assert labeller.decision.beta is None
    assert labeller.shares == pytest.approx((1, 0), abs=1e-3)  # the second is right on nothing
    path = runs[1] / "02_preprocess_images/images.csv"
    path.write_text(path.read_text().replace(",val", ",test", 1))
    assert main(["ensemble", *map(str, runs), "--output", str(made)]) == 2
    assert f"{runs[1]} has other images of val than {runs[0]}" in capsys.readouterr().err


def test_folds_are_scored_on_all_their_test_images_out_of_fold(smoke, tmp_path, capsys):
    """Two runs: the second tests on what the first validates on."""
    runs, made = [tmp_path / "a", tmp_path / "b"], tmp_path / "made"
    for fold, folder in enumerate(runs):
        copy_run(smoke[0], folder)
        path = folder / "02_preprocess_images/provenance.json"
        record = json.loads(path.read_text())
        record["parameters"]["FOLD"] = fold
        path.write_text(json.dumps(record))
    arguments = ["ensemble", *map(str, runs), "--output", str(made), "--weights"]
    assert main([*arguments, "fitted"]) == 2
    assert "images are in test of several of these folds" in capsys.readouterr().err
    path = runs[1] / "02_preprocess_images/images.csv"
    swap = {",val": ",test", ",test": ",val"}
    path.write_text(re.sub(r",(val|test)\b", lambda found: swap[found[0]], path.read_text()))
    for name in ("probs", "preds"):
        paths = [runs[1] / f"08_evaluate_test/{name}_{split}.npy" for split in ("val", "test")]
        arrays = [np.load(path) for path in paths]
        for path, array in zip(paths, reversed(arrays), strict=True):
            np.save(path, array)
    assert main([*arguments, "0.5", "0"]) == 2
    assert "a weight above 0 for each of 2 runs, got [0.5, 0.0]" in capsys.readouterr().err
    assert main([*arguments, "3", "1"]) == 0
    assert capsys.readouterr().out.splitlines()[-2] == "weights 0.750 0.250"
    labeller = Labeller.load(made)
    assert labeller.shares == (0.75, 0.25)
    run = read_run(smoke[0])
    targets = np.concatenate([run.targets[split] for split in ("test", "val")])
    folder = smoke[0] / "08_evaluate_test"
    preds = np.concatenate([np.load(folder / f"preds_{split}.npy") for split in ("test", "val")])
    row = pd.read_csv(made / "results.csv").iloc[-1]
    assert (row["model"], row["split"]) == (f"out of fold, {len(targets)} images", "test")
    wanted = fbeta_score(targets, preds, beta=2, average="samples", zero_division=0)
    assert row["f2"] == pytest.approx(wanted)


def test_what_is_no_labeller_or_of_former_results_is_refused(smoke, saved, tmp_path):
    (tmp_path / "full").mkdir()
    (tmp_path / "full/notes.txt").touch()
    with pytest.raises(FileNotFoundError, match=r"labeller\.json"):
        Labeller.load(tmp_path / "full")
    with pytest.raises(ValueError, match="full holds other files"):
        Labeller.load(saved).save(tmp_path / "full")
    tensors = (saved / "tensors.safetensors").read_bytes()
    (saved / "tensors.safetensors").write_bytes(tensors[:-9])
    with pytest.raises(ValueError, match="saved is damaged"):
        Labeller.load(saved)
    save_json(load_json(saved / "labeller.json") | {"format": 0}, saved / "labeller.json")
    with pytest.raises(ValueError, match="saved has format 0"):
        Labeller.load(saved)
    copy_run(smoke[0], tmp_path / "run")
    record = tmp_path / "run/06_train_attncnn_rnn/provenance.json"
    record.write_text(json.dumps(load_json(record) | {"id": "another"}))
    with pytest.raises(ValueError, match="06_train_attncnn_rnn has run"):
        Labeller.load(tmp_path / "run")


def test_the_command_labels_what_can_be_read_and_lists_the_rest(smoke, tmp_path, files, capsys):
    output_dir, given = tmp_path / "run", tmp_path / "given"
    copy_run(smoke[0], output_dir)
    before = {path: path.stat().st_mtime_ns for path in output_dir.rglob("*") if path.is_file()}
    given.mkdir()
    for file in files[:3]:
        shutil.copy(file, given)
    names = sorted(file.name for file in files[:3])
    (given / "cut.jpg").write_bytes(files[0].read_bytes()[:200])
    (given / "notes.txt").write_text("no image")
    assert main(["label", str(given), "--output", str(output_dir), "--top", "2"]) == 0
    written = {path for path in output_dir.rglob("*") if path.is_file()} - before.keys()
    assert {path.name for path in written} == {
        "labels.csv", "submission.csv", "skipped_images.csv", "review.html", "source.json", ".lock",
    }  # fmt: skip
    assert all(path.stat().st_mtime_ns == time for path, time in before.items())
    [results] = {path.parent for path in written}
    assert results == output_dir / "labelled/given"
    assert set(pd.read_csv(results / "skipped_images.csv")["file"]) == {"cut.jpg", "notes.txt"}
    labels, labeller = pd.read_csv(results / "labels.csv"), Labeller.load(output_dir)
    wanted = labeller.label([given / name for name in names], top=2)
    wanted = wanted.rename(columns={"image": "file"})
    pd.testing.assert_frame_equal(labels, wanted, rtol=1e-6, check_dtype=False)
    submission = pd.read_csv(results / "submission.csv", dtype=str)
    wanted = labeller.submit([name[:-4] for name in names], [given / name for name in names])
    pd.testing.assert_frame_equal(submission, wanted)
    page = (results / "review.html").read_text()
    assert page.count("data:image/jpeg") >= 3 * 6  # each with its five nearest
    assert "2 files skipped" in capsys.readouterr().out
    label = str(labeller.labels["attribute_id"][0])
    reviewed = submission.assign(id=["new a", "new b", "new c"], attribute_ids=label)
    reviewed.to_csv(tmp_path / "reviewed.csv", index=False)
    assert main(["add", str(tmp_path / "reviewed.csv"), "--output", str(output_dir)]) == 0
    extended = pd.read_csv(output_dir / "train_extended.csv", dtype=str).tail(3)
    assert extended.values.tolist() == reviewed.values.tolist()


def test_the_command_uses_known_labels_and_an_exported_labeller(smoke, tmp_path, files, capsys):
    labeller, small = Labeller.load(smoke[0]), str(tmp_path / "small")
    ids = labeller.labels["attribute_id"]
    rows = f"{files[0].stem},{ids[1]} 99999\n{files[1].stem},\nanother,{ids[0]}\n"
    (tmp_path / "known.csv").write_text(f"id,attribute_ids\n{rows}")
    assert main(["export", small, "--output", str(smoke[0])]) == 0
    given = [str(file) for file in files[:3]]
    known = ["--known", str(tmp_path / "known.csv")]
    assert main(["label", *given, "--output", small, *known]) == 0
    message = capsys.readouterr().out
    assert "1 of 3 images" in message
    assert "1 labels that the run does not have: 99999" in message
    results = tmp_path / "small/labelled" / files[0].stem
    found = pd.read_csv(results / "labels.csv")
    wanted = labeller.label(files[:3], known=[[labeller.names[1]], [], []])
    wanted = wanted.rename(columns={"image": "file"})
    pd.testing.assert_frame_equal(found, wanted, rtol=1e-5, check_dtype=False)
    assert found.loc[0, ["attribute_id", "probability"]].tolist() == [ids[1], 1]
    page = (results / "review.html").read_text(encoding="utf-8")
    assert page.count('"known": [[1, 1]]') == 1
    assert page.count('"known": []') == 2
    assert main(["export", small, "--output", str(smoke[0])]) == 2  # it would replace the labels
    assert (results / "review.html").read_text(encoding="utf-8") == page


def test_the_command_refuses_with_a_sentence(smoke, tmp_path, files, capsys):
    def refused(*arguments):
        assert main(arguments) == 2
        return capsys.readouterr().err

    output = ["--output", str(smoke[0])]
    assert "absent" in refused("label", str(tmp_path / "absent"), *output)
    assert "no file in" in refused("label", str(tmp_path), *output)
    assert "labeller" in refused("label", str(files[0]), "--output", str(tmp_path))
    assert "precision" in refused("label", str(files[0]), *output, "--precision", "2")
    assert "--top must be 0 or more" in refused("label", str(files[0]), *output, "--top", "-3")
    (tmp_path / "a.png").touch()
    assert "none of the 1 files can be used: a.png" in refused("label", str(tmp_path), *output)


def test_the_lines_of_the_readme_run(smoke, files, tmp_path, monkeypatch, capsys):
    (tmp_path / "outputs").mkdir()
    (tmp_path / "outputs/mine").symlink_to(smoke[0])
    with Image.open(files[0]) as image:
        (tmp_path / "photos").mkdir()
        image.save(tmp_path / "photos/vase.jpg")
    monkeypatch.chdir(tmp_path)
    readme = (PROJECT_DIR / "README.md").read_text()
    start = readme.index("    from imet_utils.labeller import Labeller")
    block = re.match(r"(?:    .*\n|\n)+", readme[start:])[0]
    assert "culture::greek" in block
    known = Labeller.load(smoke[0]).names[0]  # of the few labels of this run
    exec(textwrap.dedent(block).replace("culture::greek", known), {})
    assert "vase.jpg" in capsys.readouterr().out
