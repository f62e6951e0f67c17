"""Suspect labels: planted errors come first, and a person's verdicts are never lost."""

from dataclasses import replace
from types import SimpleNamespace

import heads
import label_faults as bench
import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import Ridge
from small_data import write_collection

from imet_tools.labelling import (
    find_suspects,
    leave_one_out,
    predict_from_others,
    read_reviewed,
    write_suspect_labels,
)
from imet_tools.labelling.__main__ import main
from imet_tools.labelling.corrections import SUSPECT_COLUMNS
from imet_tools.labelling.suspect_labels import PENALTY
from imet_tools.sample import draw_records, image_id, write_sample_data
from imet_utils.decoding import NeighbourIndex, Neighbours, build_neighbour_index
from imet_utils.files import save_json
from imet_utils.tables import load_tables, split_tables, take_split

IDS = [f"{n:04}" for n in range(90)]
KINDS = np.arange(90) % 3  # of the images, far from one another
WRONG, MISSING = (4, 0), (8, 2)  # image and label


@pytest.fixture
def random_index():
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(60, 7)).astype(np.float32)
    return build_neighbour_index(vectors, rng.random((60, 4)) < 0.3)


def gather(parts):
    return np.concatenate([probs for _, probs in parts])


def without(index, image):
    others = np.arange(len(index.embeddings)) != image
    return NeighbourIndex(index.centre, index.axes, index.embeddings[others], index.targets[others])


def test_leave_one_out_is_ridge_regression_and_vote_fitted_without_the_image(
    random_index, monkeypatch
):
    monkeypatch.setitem(leave_one_out.__globals__, "CHUNK", 25)  # a few images at a time
    ridges = gather(leave_one_out(random_index, 1.0))
    votes = gather(leave_one_out(random_index, 0.0))
    nearest = random_index.nearest(None, 5)
    assert not (nearest.indices == np.arange(60)[:, np.newaxis]).any()
    for image in range(60):
        others = without(random_index, image)
        own = random_index.embeddings[image]
        fitted = Ridge(PENALTY).fit(others.embeddings, others.targets.astype(float))
        wanted = fitted.predict(own[np.newaxis])[0].clip(0, 1)
        np.testing.assert_allclose(ridges[image], wanted, atol=1e-5)
        cosines = others.embeddings @ own
        order = np.argsort(-cosines, kind="stable")[np.newaxis]
        found = Neighbours(others, order, cosines[order])
        np.testing.assert_allclose(votes[image], found.vote()[0], atol=1e-6)
        np.testing.assert_allclose(nearest.cosines[image], found.cosines[0, :5], atol=1e-6)
    halves = list(leave_one_out(random_index, 0.5))
    assert [(part.start, len(probs)) for part, probs in halves] == [(0, 25), (25, 25), (50, 10)]
    np.testing.assert_allclose(gather(halves), (ridges + votes) / 2)


def test_of_the_same_image_twice_the_other_one_counts(random_index):
    copies = random_index.embeddings / 1e3 @ np.linalg.pinv(random_index.axes)
    vectors = np.concatenate([copies, copies]) + random_index.centre
    twice = build_neighbour_index(vectors, np.tile(random_index.targets, (2, 1)))
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
    monkeypatch.setitem(leave_one_out.__globals__, "CHUNK", 20)
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
    vectors = np.random.default_rng(0).random((3, 4), dtype=np.float32)
    pairs = find_suspects(build_neighbour_index(vectors, targets), 200)
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
    splits = [tables.images[tables.images["split"] == s] for s in ("train", "val", "test")]
    order, index = pd.concat(splits).index.to_numpy(), make_index(targets)
    index = build_neighbour_index(index.embeddings[order], index.targets[order])
    folder = tmp_path / "output/10_suspect_labels"
    record = {"data_dir": str(data), "data_dir_from_here": "../data", "upstream": {}}
    record["products"] = ["10_suspect_labels/suspect_labels.csv"]
    save_json(record, folder / "provenance.json")
    fields = {"folder": folder, "tables": tables, "label_names": np.array(names)}
    return SimpleNamespace(**fields, output_dir=folder.parent, data_dir=data, index=index)


def write(run, most=6):
    """Write the table; return what is listed, the path and the rows of the file."""
    listed = write_suspect_labels(run, run.index, most, 0.5)
    path = run.folder / "suspect_labels.csv"
    return listed, path, pd.read_csv(path, dtype=str, keep_default_na=False)


def test_the_table_has_ids_names_and_the_annotation(run, targets):
    listed, _, table = write(run)
    assert list(table) == list(SUSPECT_COLUMNS)
    first = table.loc[:1, ["id", "attribute_id", "attribute_name", "annotated"]]
    assert first.loc[0].tolist() == ["0008", "2", "tag::men", "no"]
    assert first.loc[1].tolist() == ["0004", "0", "culture::french", "yes"]
    assert set(table["attribute_name"]) <= {*run.label_names, "'=tag"}
    assert len(listed) == len(table) == 12
    assert len(write(run, 200)[0]) == 2 * (targets.sum() // 10)  # of few labels a tenth


def test_verdicts_are_kept_and_not_asked_for_again(run):
    first, path, table = write(run)
    table.loc[[0, 3], "verdict"] = ["yes", "perhaps"]
    table.to_csv(path, index=False, sep=";")  # as a spreadsheet may
    again, _, after = write(run)
    kept = table.loc[[0, 3]].values.tolist()
    assert after.tail(2).values.tolist() == kept == read_reviewed(path)
    assert len(again) == len(after) - 2 == 12
    listed = set(zip(again["id"], again["attribute_name"], strict=True))
    assert not listed & {(row[0], row[2]) for row in kept}
    assert len(listed & set(zip(first["id"], first["attribute_name"], strict=True))) == 10
    tables, index = run.tables, run.index
    last = take_split(tables, "test").images["id"].iloc[-1]
    images = tables.images[tables.images["id"] != last]  # as with a lower LIMIT
    run.tables = replace(tables, images=images)
    run.index = build_neighbour_index(index.embeddings[:-1], index.targets[:-1])
    after.loc[after.index[-1], "id"] = last
    after.to_csv(path, index=False)
    write(run)
    assert [row[0] for row in read_reviewed(path)] == [kept[0][0], last]
    after.loc[after.index[-2:], "id"] = ["gone", kept[1][0]]
    after.to_csv(path, index=False)
    write(run)
    assert read_reviewed(path) == kept[1:]


def test_another_table_is_not_overwritten(run):
    path = run.folder / "suspect_labels.csv"
    path.write_text("a,b\n1,2\n")
    with pytest.raises(ValueError, match=r"suspect_labels\.csv.*columns id"):
        write(run)
    assert path.read_text() == "a,b\n1,2\n"


def test_the_command_finds_the_table_of_the_run_and_corrects_the_collection_s(run, capsys):
    output = ["--output", str(run.output_dir)]
    assert main(["correct", *output]) == 2
    assert "suspect_labels.csv" in capsys.readouterr().err
    _, path, table = write(run)
    table.loc[[0, 1], "verdict"] = ["yes", "no"]
    table.to_csv(path, index=False)
    assert main(["correct", *output]) == 0
    shown = capsys.readouterr().out
    assert "1 labels added, 1 removed" in shown
    assert str(run.data_dir / "train.csv") in shown
    rows = pd.read_csv(run.output_dir / "train_corrected.csv", dtype=str).set_index("id")
    assert rows["attribute_ids"].loc[["0004", "0008"]].tolist() == ["1 3", "2 3"]
    assert main(["correct", str(path), "--output", str(run.output_dir / "none")]) == 2
    assert "no notebook has run to its end here" in capsys.readouterr().err


def test_the_benchmark_knows_what_the_sample_overlooks_and_plants(tmp_path, targets):
    folder = write_sample_data(tmp_path / "sample", 12, num_test=0)
    tables = load_tables(folder)
    shown = {image_id(0, number): record for number, record in enumerate(draw_records(12))}
    for name, row in zip(tables.images["id"], bench.find_overlooked(tables, folder), strict=True):
        names = {*(f"tag::{tag}" for tag in shown[name].drawn), f"culture::{shown[name].style}"}
        assert set(tables.labels["attribute_name"][row]) <= names - set(shown[name].labels)
    planted = bench.plant(targets, 0.2)
    assert (planted.sum(axis=1) == targets.sum(axis=1)).all()
    assert (planted & ~targets).sum() == round(0.2 * targets.sum())
    values, truth = np.array([0.1, 0.9, 0.5]), np.array([True, True, False])
    assert bench.precision(values, truth, np.ones(3, bool)) == [pytest.approx(2 / 3)] * 2


@pytest.mark.slow
def test_the_benchmark_scores_every_way_on_a_run(smoke, monkeypatch):
    monkeypatch.setattr(bench, "DRAWS", 2)
    row = heads.as_notebooks("mlp")
    row = replace(row, config=replace(row.config, epochs=1))
    monkeypatch.setattr(bench, "as_notebooks", lambda *_: row)
    rows = [line.strip("| ").split(" | ") for line in bench.measure(smoke[0], True).splitlines()]
    shares = np.array([[float(cell) for cell in row[2:6]] for row in rows[4:]])
    assert 0 <= shares.min() <= shares.max() <= 1
    assert (shares[:-1].max(axis=0) > shares[-1]).all()  # than chance
