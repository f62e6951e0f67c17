"""The labeller of a run: the same labels as the run's, from a folder that stands on its own."""

import re
import shutil
import stat
import textwrap
from dataclasses import replace
from pathlib import Path

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
from imet_utils.runs import PROJECT_DIR, open_run
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


def probs(labeller, images, known=None):
    return np.stack([found.probs for found in labeller.explain_all(images, 0, known)])


@pytest.fixture(scope="module")
def own_probs(labeller, files):
    """The labeller's probabilities of the test part."""
    return probs(labeller, files)


def test_images_have_the_probabilities_of_the_run(labeller, files, probs_of, own_probs):
    assert own_probs.dtype == np.float32
    np.testing.assert_allclose(own_probs, average_probs(probs_of, WEIGHTS)["test"], atol=2e-3)
    for number in (1, len(files) - 1):
        found = probs(labeller, files[number:])  # a product may round a row by its place
        np.testing.assert_allclose(found, own_probs[number:], rtol=0, atol=1e-6)


def test_a_saved_labeller_labels_alike_anywhere(labeller, files, own_probs, tmp_path):
    labeller.save(tmp_path / "saved")
    (tmp_path / "saved").rename(tmp_path / "elsewhere")
    loaded = Labeller.load(tmp_path / "elsewhere")
    np.testing.assert_array_equal(probs(loaded, files), own_probs)
    pd.testing.assert_frame_equal(loaded.label(files[:2], top=4), labeller.label(files[:2], top=4))
    assert loaded.train_images.equals(labeller.train_images)
    assert loaded.settings == labeller.settings
    written = {path.name: path for path in tmp_path.rglob("*") if path.is_file()}
    assert sorted(written) == ["labeller.json", "tensors.safetensors"]
    assert len({stat.S_IMODE(path.stat().st_mode) for path in written.values()}) == 1


def test_the_final_labeller_knows_all_images_and_the_tested_one_scored(smoke, run, files):
    found = [Labeller.load(path.parent) for path in smoke[0].rglob("labeller.json")]
    tested, final = sorted(found, key=lambda each: len(each.train_images))
    assert len(final.train_images) == len(final.index.targets) == len(run.tables.images)
    assert len(tested.train_images) == len(run.targets["train"])
    assert final.settings.thresholds == tested.settings.thresholds
    scored = np.load(smoke[0] / "08_evaluate_test/probs_test.npy")
    np.testing.assert_allclose(probs(tested, files), scored, atol=2e-3)
    assert np.abs(probs(final, files) - scored).max() > 0.01


def test_a_table_lists_the_chosen_labels_best_first(labeller, run, files):
    found = next(labeller.explain_all(files[:1], 0))
    np.testing.assert_array_equal(found.chosen, best_expected_sets(found.probs[np.newaxis])[0])
    wanted = labeller.labels.assign(probability=found.probs, chosen=found.chosen)
    wanted = wanted.sort_values("probability", ascending=False, kind="stable")
    wanted.insert(0, "image", files[0].name)
    for top, listed in ((0, wanted[wanted["chosen"]]), (len(wanted), wanted)):
        table = labeller.label(files[:1], top=top)
        pd.testing.assert_frame_equal(table, listed.reset_index(drop=True))
    with Image.open(files[0]) as image:
        numbered = labeller.label([image, image.convert("L")], top=1)
    assert numbered["image"].unique().tolist() == ["0", "1"]
    pd.testing.assert_frame_equal(labeller.label([]), table[:0], check_dtype=False)
    guess = best_expected_sets(run.targets["train"].mean(axis=0, keepdims=True))[0]
    submitted = labeller.submit(["a", "b"], [None, files[0]])["attribute_ids"]
    assert submitted.tolist() == [labeller.join_ids(guess), labeller.join_ids(found.chosen)]


def test_known_labels_revise_the_others(labeller, files):
    some, names = files[:3], labeller.names
    labeller = replace(labeller, settings=replace(labeller.settings, strength=1.0))
    before, after = probs(labeller, some), probs(labeller, some, [[1], [], [0, 2]])
    assert after[0, 1] == after[2, 0] == after[2, 2] == 1
    np.testing.assert_allclose(after[1], before[1], atol=1e-6)
    change = np.delete(np.abs(after[0] - before[0]), 1)
    assert change.max() > 1e-3
    compared = compare_known(labeller, some[0], [names[1]], most=3)
    gaps = (compared["after"] - compared["before"]).abs()
    np.testing.assert_allclose(gaps, np.sort(change)[:-4:-1], rtol=1e-5)
    with pytest.raises(ValueError, match=f"'{names[0]}s'.*{names[0]}"):
        labeller.label(files[:1], known=[[f"{names[0]}s"]])
    with pytest.raises(ValueError, match="1 images, got 2"):
        labeller.label(files[:2], known=[[names[0]]])


def test_a_target_precision_is_reached_on_validation(labeller, run, probs_of):
    preds = labeller.with_precision(0.3).decision(average_probs(probs_of, WEIGHTS)["val"])
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
    itself = train.images.loc[0, ["id", "labels"]]
    assert found.neighbours.loc[0, ["id", "labels"]].tolist() == itself.tolist()
    np.testing.assert_array_equal(found.probs, probs(labeller, [path])[0])


def test_a_head_with_an_encoder_of_its_own_is_saved_whole(smoke, probs_of, files, tmp_path):
    copy_run(smoke[0], tmp_path / "run")
    own = {"EPOCHS": 1, "UNFROZEN_STAGES": 1, "ENCODER": "efficientnet_lite0"}
    first = open_notebook(tmp_path / "run", **own)
    train_head(first, "attncnn_rnn")
    first.finish({})
    later = open_run("21_later", ["20_my_labeller"], parameters={"OUTPUT_DIR": f"{tmp_path}/run"})
    made = make_labeller(later, {"attncnn_rnn": 1.0}, Decision(beta=2.0), probs_of["mlp"]["val"])
    made.save(tmp_path / "saved")
    found = probs(Labeller.load(tmp_path / "saved"), files)
    np.testing.assert_array_equal(found, probs(made, files))
    assert np.abs(found - probs_of["attncnn_rnn"]["test"]).max() > 1e-3


def test_labellers_are_averaged(run, labeller, probs_of, files, own_probs, tmp_path):
    other = make_labeller(run, {"mlp": 1.0}, Decision(beta=2.0), probs_of["mlp"]["val"])
    assert other.explain(files[0]).attention is None  # without an RNN
    assert other.path(files[0]).empty
    both = replace(labeller, others=(other,), decision=Decision(threshold=0.05))
    np.testing.assert_array_equal(probs(both, files), (own_probs + probs(other, files)) / 2)
    both = replace(both, shares=(0.75, 0.25))
    found = [*both.explain_all(files, 1)]
    mean = np.average([own_probs, probs(other, files)], axis=0, weights=both.shares)
    mean = mean.astype(np.float32)
    np.testing.assert_array_equal([each.probs for each in found], mean)
    np.testing.assert_array_equal([each.chosen for each in found], mean >= 0.05)
    both.save(tmp_path / "both")
    np.testing.assert_array_equal(probs(Labeller.load(tmp_path / "both"), files), mean)


def change_parameters(folder, **parameters):
    """Change what a notebook that has run was given."""
    record = load_json(folder / "provenance.json")
    record["parameters"] |= parameters
    save_json(record, folder / "provenance.json")


@pytest.fixture
def runs(smoke, tmp_path):
    return [copy_run(smoke[0], tmp_path / name) for name in "ab"]


@pytest.fixture
def command(capsys):
    """Run a command and return what it prints; with another code than 0, why it refuses."""

    def run(*arguments, code=0):
        assert main([*map(str, arguments)]) == code
        printed = capsys.readouterr()
        return printed.err if code else printed.out

    return run


def test_the_command_averages_runs_of_one_split(smoke, runs, command, tmp_path):
    made = tmp_path / "made"
    for _ in range(2):  # also over itself
        command("ensemble", *runs, "--output", made)
    results = pd.read_csv(made / "results.csv")
    own = pd.read_csv(smoke[0] / "results.csv").query("model == 'heads and neighbours'")
    assert len(results) == 6
    for _, rows in results.groupby("model"):
        np.testing.assert_array_equal(rows.iloc[:, 1:], own.iloc[:, 1:])
    assert (made / "submission.csv").read_bytes() == (smoke[0] / "submission.csv").read_bytes()
    change_parameters(runs[0] / "08_evaluate_test", DECISION="0.5")
    path = runs[1] / "08_evaluate_test/probs_val.npy"  # of what does not reach this precision
    np.save(path, np.full_like(np.load(path), 0.6))
    command("ensemble", *runs, "--output", made, "--weights", "fitted")
    labeller = Labeller.load(made)
    assert labeller.decision.beta is None
    assert labeller.shares == pytest.approx((1, 0), abs=1e-3)  # the second is right on nothing
    path = runs[1] / "02_preprocess_images/images.csv"
    path.write_text(path.read_text().replace(",val", ",test", 1))
    refusal = command("ensemble", *runs, "--output", made, code=2)
    assert f"{runs[1]} has other images of val than {runs[0]}" in refusal


def test_folds_are_scored_on_all_their_test_images_out_of_fold(run, runs, command, tmp_path):
    """Two runs: the second tests on what the first validates on."""
    for fold, folder in enumerate(runs):
        change_parameters(folder / "02_preprocess_images", FOLD=fold)
    arguments = ["ensemble", *runs, "--output", tmp_path / "made", "--weights"]
    refusal = command(*arguments, "fitted", code=2)
    assert "images are in test of several of these folds" in refusal
    path, swap = runs[1] / "02_preprocess_images/images.csv", {"val": "test", "test": "val"}
    path.write_text(re.sub(r"\b(val|test)\b", lambda found: swap[found[0]], path.read_text()))
    found = {path: np.load(path) for path in (runs[1] / "08_evaluate_test").glob("pr*_*.npy")}
    for path, array in found.items():
        name, split = path.stem.split("_")
        np.save(path.with_name(f"{name}_{swap[split]}.npy"), array)
    refusal = command(*arguments, 0.5, 0, code=2)
    assert "a weight above 0 for each of 2 runs, got [0.5, 0.0]" in refusal
    assert command(*arguments, 3, 1).splitlines()[-2] == "weights 0.750 0.250"
    targets = np.concatenate([run.targets[split] for split in ("test", "val")])
    paths = [runs[0] / f"08_evaluate_test/preds_{split}.npy" for split in ("test", "val")]
    preds = np.concatenate([np.load(path) for path in paths])
    row = pd.read_csv(tmp_path / "made/results.csv").iloc[-1]
    assert (row["model"], row["split"]) == (f"out of fold, {len(targets)} images", "test")
    wanted = fbeta_score(targets, preds, beta=2, average="samples", zero_division=0)
    assert row["f2"] == pytest.approx(wanted)


def test_what_is_no_labeller_or_of_former_results_is_refused(smoke, labeller, tmp_path):
    saved = tmp_path / "saved"
    labeller.save(saved)
    (tmp_path / "full").mkdir()
    (tmp_path / "full/notes.txt").touch()
    with pytest.raises(ValueError, match="full holds other files"):
        labeller.save(tmp_path / "full")
    tensors = (saved / "tensors.safetensors").read_bytes()
    (saved / "tensors.safetensors").write_bytes(tensors[:-9])
    with pytest.raises(ValueError, match="saved is damaged"):
        Labeller.load(saved)
    save_json(load_json(saved / "labeller.json") | {"format": 0}, saved / "labeller.json")
    with pytest.raises(ValueError, match="saved has format 0"):
        Labeller.load(saved)
    copy_run(smoke[0], tmp_path / "run")
    record = tmp_path / "run/06_train_attncnn_rnn/provenance.json"
    save_json(load_json(record) | {"id": "another"}, record)
    with pytest.raises(ValueError, match="06_train_attncnn_rnn has run"):
        Labeller.load(tmp_path / "run")


def test_the_command_labels_what_can_be_read_with_what_is_known(smoke, tmp_path, files, command):
    """By an exported labeller; the table of the run is then extended by the images."""
    run, small, given = (tmp_path / name for name in ("run", "small", "given"))
    command("export", small, "--output", copy_run(smoke[0], run))
    before = {path: path.stat().st_mtime_ns for path in small.rglob("*")}
    given.mkdir()
    paths = sorted(Path(shutil.copy(file, given)) for file in files[:3])
    (given / "cut.jpg").write_bytes(files[0].read_bytes()[:200])
    (given / "notes.txt").write_text("no image")
    labeller, ids = Labeller.load(run), [path.stem for path in paths]
    label, other = labeller.labels["attribute_id"][:2]
    rows = f"{ids[0]},{other} 99999\n{ids[1]},\nanother,{label}\n"
    (tmp_path / "known.csv").write_text(f"id,attribute_ids\n{rows}")
    options = ["--output", small, "--top", 2, "--known", tmp_path / "known.csv"]
    message = command("label", given, *options)
    assert "3 images labelled, 2 files skipped" in message
    assert "1 of 3 images" in message
    assert "1 labels that the run does not have: 99999" in message
    results = small / "labelled/given"
    written = {path for path in small.rglob("*") if path.is_file()} - before.keys()
    assert {path.relative_to(results).as_posix() for path in written} == {
        "labels.csv", "submission.csv", "skipped_images.csv", "review.html", "source.json", ".lock",
    }  # fmt: skip
    assert all(path.stat().st_mtime_ns == time for path, time in before.items() if path.is_file())
    assert set(pd.read_csv(results / "skipped_images.csv")["file"]) == {"cut.jpg", "notes.txt"}
    labels = pd.read_csv(results / "labels.csv").rename(columns={"file": "image"})
    wanted = labeller.label(paths, top=2, known=[[labeller.names[1]], [], []])
    pd.testing.assert_frame_equal(labels, wanted, rtol=1e-5, check_dtype=False)
    submission = pd.read_csv(results / "submission.csv", dtype=str)
    assert submission["id"].tolist() == ids
    wanted = labeller.submit(ids[1:], paths[1:])["attribute_ids"]
    assert submission["attribute_ids"].tolist()[1:] == wanted.tolist()
    assert (results / "review.html").read_text(encoding="utf-8").count('"known": [[1, 1]]') == 1
    assert "holds labels of images" in command("export", small, "--output", run, code=2)
    reviewed = submission.assign(id=["new a", "new b", "new c"], attribute_ids=str(label))
    reviewed.to_csv(tmp_path / "reviewed.csv", index=False)
    command("add", tmp_path / "reviewed.csv", "--output", run)
    extended = pd.read_csv(run / "train_extended.csv", dtype=str).tail(3)
    assert extended.values.tolist() == reviewed.values.tolist()


def test_the_command_refuses_with_a_sentence(smoke, tmp_path, files, command):
    output, image = ["--output", smoke[0]], files[0]
    assert "absent" in command("label", tmp_path / "absent", *output, code=2)
    assert "no file in" in command("label", tmp_path, *output, code=2)
    assert "labeller" in command("label", image, "--output", tmp_path, code=2)
    assert "precision" in command("label", image, *output, "--precision", 2, code=2)
    assert "--top must be 0 or more" in command("label", image, *output, "--top", -3, code=2)
    (tmp_path / "a.png").touch()
    refusal = command("label", tmp_path, *output, code=2)
    assert "none of the 1 files can be used: a.png" in refusal
    refusal = command("ensemble", smoke[0], "--output", tmp_path / "new", code=2)
    assert "at least two runs" in refusal


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
