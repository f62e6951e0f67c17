"""Suspect labels: planted errors come first, and a person's verdicts are never lost."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import Ridge
from small_data import write_collection

from imet_tools.labelling import find_suspects, leave_one_out, predict_from_others, suspect_labels
from imet_tools.labelling.__main__ import main
from imet_tools.labelling.corrections import SUSPECT_COLUMNS, read_reviewed
from imet_utils.decoding import Neighbours, build_neighbour_index
from imet_utils.files import save_json
from imet_utils.tables import load_tables, split_tables, take_split

IDS = [f"{n:04}" for n in range(90)]
KINDS = np.arange(90) % 3  # of the images, far from one another
WRONG, MISSING = (4, 0), (8, 2)  # image and label


def gather(parts):
    return np.concatenate([probs for _, probs in parts])


def test_leave_one_out_is_ridge_and_vote_fitted_without_the_image(monkeypatch):
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(60, 7)).astype(np.float32)
    index = build_neighbour_index(vectors, rng.random((60, 4)) < 0.3)
    monkeypatch.setattr(suspect_labels, "CHUNK", 25)  # a few images at a time
    ridges, votes = (gather(leave_one_out(index, weight)) for weight in (1.0, 0.0))
    for image, own in enumerate(index.embeddings):
        vectors = np.delete(index.embeddings, image, axis=0)
        targets = np.delete(index.targets, image, axis=0)
        ridge = Ridge(suspect_labels.PENALTY).fit(vectors, targets.astype(float))
        wanted = ridge.predict(own[np.newaxis])[0].clip(0, 1)
        np.testing.assert_allclose(ridges[image], wanted, atol=1e-5)
        cosines = vectors @ own
        order = np.argsort(-cosines, kind="stable")[np.newaxis]
        others = replace(index, embeddings=vectors, targets=targets)
        wanted = Neighbours(others, order, cosines[order]).vote()
        np.testing.assert_allclose(votes[image], wanted[0], atol=1e-6)
    halves = list(leave_one_out(index, 0.5))
    assert [(part.start, len(probs)) for part, probs in halves] == [(0, 25), (25, 25), (50, 10)]
    np.testing.assert_allclose(gather(halves), (ridges + votes) / 2)


def test_of_the_same_image_twice_the_other_one_counts():
    vectors = np.random.default_rng(0).normal(size=(60, 7))
    twice = build_neighbour_index(np.concatenate([vectors, vectors]), np.zeros((120, 1)))
    assert (twice.nearest(None, 1).indices[:, 0] == np.roll(np.arange(120), 60)).all()


def make_index(targets):
    rng = np.random.default_rng(0)
    vectors = 8 * np.eye(6)[KINDS] + rng.normal(size=(90, 6))
    return build_neighbour_index(vectors.astype(np.float32), targets)


@pytest.fixture
def targets():
    """Each kind has its label, one label is anywhere; two errors are planted."""
    found = np.zeros((90, 4), dtype=bool)
    found[range(90), KINDS] = True
    found[:, 3] = np.random.default_rng(1).random(90) < 0.5
    found[WRONG], found[MISSING] = True, False
    found[MISSING[0], 3] = True
    return found


def test_planted_errors_lead_and_all_pairs_are_ranked_together(targets, monkeypatch):
    index = make_index(targets)
    probs = gather(leave_one_out(index))
    monkeypatch.setattr(suspect_labels, "CHUNK", 20)
    pairs = find_suspects(index, 12)
    assert pairs["annotated"].tolist() == [False, True] * 12
    assert pairs.loc[:1, ["image", "label"]].to_numpy().tolist() == [[*MISSING], [*WRONG]]
    missing, annotated = pairs[~pairs["annotated"]], pairs[pairs["annotated"]]
    wanted = np.sort(probs[~targets])[::-1][:12]
    np.testing.assert_allclose(missing["probability"], wanted, atol=1e-6)
    usual = (probs * targets).sum(axis=0) / targets.sum(axis=0)
    odds = (usual / (1 - usual)) / np.maximum(probs / (1 - probs), 1e-4)
    found = odds[annotated["image"], annotated["label"]]
    np.testing.assert_allclose(found, np.sort(odds[targets])[::-1][:12], rtol=1e-2)


def test_fewer_pairs_than_asked_for_are_all_listed():
    targets = np.array([[True, False], [False, True], [True, False]])
    pairs = find_suspects(build_neighbour_index(np.eye(3, dtype=np.float32), targets), 200)
    assert pairs["annotated"].sum() == 3
    assert (pairs.loc[~pairs["annotated"], "probability"] > 0).all()
    full = build_neighbour_index(np.eye(3, dtype=np.float32), np.ones((3, 1), bool))
    assert find_suspects(full, 9)["annotated"].tolist() == [True] * 3  # nothing can be missing


def test_annotated_labels_revise_the_missing_ones():
    rng = np.random.default_rng(3)
    first = rng.random(200) < 0.3
    targets = np.stack([first, first, rng.random(200) < 0.3], axis=1)  # the first two together
    missing = np.flatnonzero(first)[:5]
    targets[missing, 1] = False
    index = build_neighbour_index(rng.normal(size=(200, 6)).astype(np.float32), targets)
    plain, revised = (gather(predict_from_others(index, strength)) for strength in (0.0, 1.0))
    rise = (revised - plain)[:, 1]
    assert rise[missing].min() > 0.05
    assert rise[~first].mean() < 0.01  # of those that rightly lack both
    np.testing.assert_array_equal(revised[targets], plain[targets])
    np.testing.assert_allclose(plain, gather(leave_one_out(index)), atol=1e-6)


@pytest.fixture
def run(tmp_path, targets):
    """A run of 90 images, and the index of them."""
    names = ["culture::french", "culture::dutch", "tag::men", "=tag"]
    rows = [" ".join(map(str, np.flatnonzero(row))) for row in targets]
    data = write_collection(tmp_path / "data", dict(zip(IDS, rows, strict=True)), names, (8, 8))
    tables = split_tables(load_tables(data))
    splits = tables.images["split"].map({"train": 0, "val": 1, "test": 2})
    order, index = np.argsort(splits, kind="stable"), make_index(targets)
    index = build_neighbour_index(index.embeddings[order], index.targets[order])
    folder = tmp_path / "output/10_suspect_labels"
    record = {"data_dir": str(data), "data_dir_from_here": "../data", "upstream": {}}
    record["products"] = ["10_suspect_labels/suspect_labels.csv"]
    save_json(record, folder / "provenance.json")
    fields = {"folder": folder, "output_dir": folder.parent, "data_dir": data, "tables": tables}
    return SimpleNamespace(**fields, label_names=np.array(names), index=index)


def write(run, most=6):
    """Write the table; return what is listed, the path and the rows of the file."""
    listed = suspect_labels.write_suspect_labels(run, run.index, most, 0.5)
    path = run.folder / "suspect_labels.csv"
    return listed, path, pd.read_csv(path, dtype=str, keep_default_na=False)


def test_the_table_has_ids_and_names_and_keeps_verdicts(run, targets):
    assert len(write(run, 200)[0]) == 2 * (targets.sum() // 10)  # of few labels a tenth
    first, path, table = write(run)
    assert list(table) == list(SUSPECT_COLUMNS)
    assert table.loc[0].tolist()[:4] == ["0008", "2", "tag::men", "no"]
    assert table.loc[1].tolist()[:4] == ["0004", "0", "culture::french", "yes"]
    assert set(table["attribute_name"]) <= {*run.label_names, "'=tag"}
    assert len(first) == len(table) == 12
    table.loc[[0, 3], "verdict"] = ["yes", "perhaps"]
    table.to_csv(path, index=False, sep=";")  # as a spreadsheet may
    again, _, after = write(run)
    assert after.tail(2).equals(table.loc[[0, 3]].set_index(after.index[-2:]))
    assert len(again) == len(after) - 2 == 12
    first, again = (set(rows["id"] + rows["attribute_id"].astype(str)) for rows in (first, again))
    kept = {row[0] + row[1] for row in read_reviewed(path)}
    assert (len(kept), len(kept & again), len(first & again)) == (2, 0, 10)
    last = take_split(run.tables, "test").images["id"].iloc[-1]
    images = run.tables.images
    run.tables = replace(run.tables, images=images[images["id"] != last])  # as with a lower LIMIT
    run.index = build_neighbour_index(run.index.embeddings[:-1], run.index.targets[:-1])
    after.loc[after.index[-2:], "id"] = [last, "gone"]
    after.to_csv(path, index=False)
    write(run)
    assert [row[0] for row in read_reviewed(path)] == [last]


def test_the_command_finds_the_table_of_the_run_and_corrects_the_collection_s(run, capsys):
    command = ["correct", "--output", str(run.output_dir)]
    assert main(command) == 2
    assert "suspect_labels.csv" in capsys.readouterr().err
    (run.folder / "suspect_labels.csv").write_text("a,b\n1,2\n")  # is not overwritten
    with pytest.raises(ValueError, match=r"suspect_labels\.csv.*columns id"):
        write(run)
    (run.folder / "suspect_labels.csv").unlink()
    _, path, table = write(run)
    table.loc[[0, 1], "verdict"] = ["yes", "no"]
    table.to_csv(path, index=False)
    assert main(command) == 0
    assert "1 labels added, 1 removed" in capsys.readouterr().out
    rows = pd.read_csv(run.output_dir / "train_corrected.csv", dtype=str).set_index("id")
    assert rows["attribute_ids"].loc[["0004", "0008"]].tolist() == ["1 3", "2 3"]
