"""Doubted labels: planted faults come first, and a person's verdicts are never lost."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from imet_tools.labelling import doubt_pairs, judge_pairs, write_label_faults
from imet_tools.labelling.__main__ import main
from imet_tools.labelling.corrections import FAULT_COLUMNS, read_judged
from imet_tools.labelling.leave_one_out import leave_one_out
from imet_utils.decoding import build_neighbour_index
from imet_utils.tables import load_tables, split_tables

IDS = [f"{n:04}" for n in range(90)]
KINDS = np.arange(90) % 3  # of the images, far from one another
WRONG, MISSING = (4, 0), (8, 2)  # image and label
LABELLER = SimpleNamespace(neighbours=None, settings={"strength": 0.5})  # what is asked of one


def place(targets):
    rng = np.random.default_rng(0)
    vectors = 8 * np.eye(6)[KINDS] + rng.normal(size=(90, 6))
    return build_neighbour_index(vectors.astype(np.float32), targets)


@pytest.fixture
def targets():
    """Each kind has its label, and one label is anywhere; two faults are planted."""
    found = np.zeros((90, 4), dtype=bool)
    found[range(90), KINDS] = True
    found[:, 3] = np.random.default_rng(1).random(90) < 0.5
    found[WRONG], found[MISSING] = True, False
    found[MISSING[0], 3] = True
    return found


def test_planted_faults_lead(targets):
    pairs = doubt_pairs(place(targets), 5)
    assert pairs["noted"].tolist() == [False, True] * 5
    assert pairs.loc[0, ["image", "label"]].tolist() == list(MISSING)
    assert pairs.loc[1, ["image", "label"]].tolist() == list(WRONG)
    assert pairs.loc[0, "probability"] > 0.8
    assert pairs.loc[1, "probability"] < 0.1


def test_pairs_are_ranked_as_over_all_images_at_once(targets, monkeypatch):
    known = place(targets)
    probs = np.concatenate([found for _, found in leave_one_out(known)])
    monkeypatch.setitem(leave_one_out.__globals__, "CHUNK", 20)
    pairs = doubt_pairs(known, 12)
    missing = pairs[~pairs["noted"]]
    wanted = np.sort(probs[~targets])[::-1][:12]
    np.testing.assert_allclose(missing["probability"], wanted, atol=1e-6)
    noted = pairs[pairs["noted"]]
    usual = (probs * targets).sum(axis=0) / targets.sum(axis=0)
    odds = (usual / (1 - usual)) / np.maximum(probs / (1 - probs), 1e-4)
    doubt = [
        odds[image, label] for image, label in zip(noted["image"], noted["label"], strict=True)
    ]
    np.testing.assert_allclose(doubt, np.sort(odds[targets])[::-1][:12], rtol=1e-2)


def test_fewer_pairs_than_asked_for_are_all_listed():
    targets = np.array([[True, False], [False, True], [True, False]])
    known = build_neighbour_index(
        np.random.default_rng(0).random((3, 4), dtype=np.float32), targets
    )
    pairs = doubt_pairs(known, 200)
    assert pairs["noted"].sum() == 3
    assert (pairs.loc[~pairs["noted"], "probability"] > 0).all()
    assert len(pairs) <= 6
    everything = doubt_pairs(
        build_neighbour_index(np.eye(3, dtype=np.float32), np.ones((3, 1), bool)), 9
    )
    assert everything["noted"].tolist() == [True] * 3  # nothing can be missing


def test_what_an_image_has_tells_of_what_it_lacks():
    rng = np.random.default_rng(3)
    first = rng.random(200) < 0.3
    targets = np.stack([first, first, rng.random(200) < 0.3], axis=1)  # the first two together
    missing = np.flatnonzero(first)[:5]
    targets[missing, 1] = False
    known = build_neighbour_index(rng.normal(size=(200, 6)).astype(np.float32), targets)

    alone, told = (
        np.concatenate([probs for _, probs in judge_pairs(known, strength)])
        for strength in (0.0, 1.0)
    )
    rise = (told - alone)[:, 1]
    assert rise[missing].min() > 0.05
    assert rise[~first].mean() < 0.01  # of those that lack both rightly
    np.testing.assert_array_equal(told[targets], alone[targets])  # what is noted is judged alike
    alone_of_all = np.concatenate([probs for _, probs in leave_one_out(known)])
    np.testing.assert_allclose(alone, alone_of_all, atol=1e-6)


@pytest.fixture
def run(tmp_path, targets, monkeypatch):
    """What `write_label_faults` needs of a run, here of 90 images."""
    data = tmp_path / "data"
    data.mkdir()
    names = ["culture::french", "culture::dutch", "tag::men", "=tag"]
    pd.DataFrame({"attribute_id": range(4), "attribute_name": names}).to_csv(
        data / "labels.csv", index=False
    )
    rows = [" ".join(map(str, np.flatnonzero(row))) for row in targets]
    pd.DataFrame({"id": IDS, "attribute_ids": rows}).to_csv(data / "train.csv", index=False)
    tables = split_tables(load_tables(data))
    order = pd.concat(
        [tables.images[tables.images["split"] == s] for s in ("train", "val", "test")]
    )
    known = place(targets)
    rows = order.index.to_numpy()
    placed = build_neighbour_index(known.embeddings[rows], known.targets[rows])
    monkeypatch.setattr("imet_tools.labelling.faults.place_images", lambda *_: placed)
    folder = tmp_path / "output/08_evaluate_test"
    return SimpleNamespace(
        folder=folder, output_dir=folder.parent, data_dir=data, tables=tables,
        setting=lambda *_: "efficientnet_lite0",
    )  # fmt: skip


def read(run):
    path = run.folder / "label_faults.csv"
    return path, pd.read_csv(path, dtype=str, keep_default_na=False)


def test_the_table_names_what_it_doubts(run, targets):
    faults = write_label_faults(run, LABELLER, 6)
    _, table = read(run)
    assert list(table) == list(FAULT_COLUMNS)
    assert table.loc[0, ["id", "attribute_name", "noted"]].tolist() == ["0008", "tag::men", "no"]
    assert table.loc[1, ["id", "attribute_id", "noted"]].tolist() == ["0004", "0", "yes"]
    assert (table["verdict"] == "").all()
    noted = [
        targets[int(i), int(k)] for i, k in zip(table["id"], table["attribute_id"], strict=True)
    ]
    assert (table["noted"] == np.where(noted, "yes", "no")).all()
    assert set(table["attribute_name"]) <= {*run.tables.labels["attribute_name"], "'=tag"}
    assert len(faults) == len(table) == 12


def test_of_few_labels_a_tenth_is_doubted(run, targets):
    faults = write_label_faults(run, LABELLER, 200)
    assert (faults["noted"] == "yes").sum() == targets.sum() // 10
    assert (faults["noted"] == "no").sum() == targets.sum() // 10


def test_verdicts_are_kept_and_not_asked_for_again(run):
    first = write_label_faults(run, LABELLER, 6)
    path, table = read(run)
    table.loc[[0, 3], "verdict"] = ["yes", "perhaps"]
    table.to_csv(path, index=False, sep=";")  # as a spreadsheet may
    again = write_label_faults(run, LABELLER, 6)
    _, after = read(run)
    kept = table.loc[[0, 3]].values.tolist()
    assert after.tail(2).values.tolist() == kept == read_judged(path)
    assert len(again) == len(after) - 2 == 12
    asked = set(zip(again["id"], again["attribute_name"], strict=True))
    assert not asked & {(row[0], row[2]) for row in kept}
    assert len(asked & set(zip(first["id"], first["attribute_name"], strict=True))) == 10
    before = path.read_bytes()
    write_label_faults(run, LABELLER, 6)
    assert path.read_bytes() == before
    after.loc[after.index[-2:], "id"] = ["gone", kept[1][0]]
    after.to_csv(path, index=False)
    write_label_faults(run, LABELLER, 6)
    assert read_judged(path) == kept[1:]


def test_what_is_no_table_of_doubts_any_more_is_not_overwritten(run):
    path = run.folder / "label_faults.csv"
    path.parent.mkdir(parents=True)
    path.write_text("a,b\n1,2\n")
    with pytest.raises(ValueError, match=r"label_faults\.csv: the header must have the columns id"):
        write_label_faults(run, LABELLER, 6)
    assert path.read_text() == "a,b\n1,2\n"


def test_the_command_corrects_the_collection_s_table(run, monkeypatch, capsys):
    write_label_faults(run, LABELLER, 6)
    path, table = read(run)
    table.loc[[0, 1], "verdict"] = ["yes", "no"]
    table.to_csv(path, index=False)
    provenance = {"data_dir": str(run.data_dir)}
    monkeypatch.setattr("imet_tools.labelling.__main__.read_provenance", lambda *_: provenance)
    assert main(["correct", "--output", str(run.output_dir)]) == 0
    shown = capsys.readouterr().out
    assert "1 labels added, 1 removed" in shown
    assert f"keep {run.data_dir / 'train.csv'} elsewhere" in shown
    rows = pd.read_csv(run.output_dir / "train_corrected.csv", dtype=str).set_index("id")
    assert rows["attribute_ids"].loc[["0004", "0008"]].tolist() == ["1 3", "2 3"]
    path.write_text(path.read_text().replace("yes\n", "what?\n"))
    assert main(["correct", str(path), "--output", str(run.output_dir)]) == 2
    assert "verdict 'what?' must be yes" in capsys.readouterr().err
    monkeypatch.undo()
    assert main(["correct", "--output", str(run.output_dir / "none")]) == 2
    assert "has no run: name its folder by --output" in capsys.readouterr().err


@pytest.fixture
def bench(load):
    return load("label_faults")


def test_the_benchmark_knows_what_the_sample_overlooks(bench, tmp_path):
    from imet_tools.sample import draw_records, image_id, write_sample_data

    folder = write_sample_data(tmp_path / "sample", 30, num_test=0)
    tables = load_tables(folder)
    overlooked = bench.find_overlooked(tables, folder)
    assert overlooked.any()
    assert not (overlooked & tables.targets).any()
    records = dict(zip([image_id(0, n) for n in range(30)], draw_records(30), strict=True))
    for row, name in enumerate(tables.images["id"]):
        record = records[name]
        shown = {*(f"tag::{tag}" for tag in record.drawn), f"culture::{record.style}"}
        found = set(tables.labels["attribute_name"][overlooked[row]])
        assert found <= shown - set(record.labels)
    assert bench.find_overlooked(tables, Path(tmp_path)) is None


def test_the_benchmark_plants_and_counts(bench, targets):
    planted = bench.plant(targets, 0.2)
    assert (planted.sum(axis=1) == targets.sum(axis=1)).all()
    assert (planted & ~targets).sum() == round(0.2 * targets.sum())
    values, truth = np.array([0.1, 0.9, 0.5]), np.array([True, True, False])
    shares = bench.precision(values, truth, np.array([True, True, True]))
    assert shares == [pytest.approx(2 / 3)] * 2


@pytest.mark.slow
def test_the_benchmark_scores_every_way_on_a_run(smoke, bench, monkeypatch):
    monkeypatch.setattr(bench, "DRAWS", 2)
    monkeypatch.setattr(bench, "STRONG", replace(bench.STRONG, epochs=1))
    rows = [line.strip("| ").split(" | ") for line in bench.measure(smoke[0], True).splitlines()]
    ways = dict.fromkeys(row[0] for row in rows[4:])
    assert list(ways) == [
        bench.VOTE, bench.LINE, bench.MEAN, bench.TOLD, bench.NETWORK,
        f"{bench.NETWORK}, and vote", "chance",
    ]  # fmt: skip
    shares = np.array([[float(cell) for cell in row[2:6]] for row in rows[4:]])
    assert shares.min() >= 0
    assert shares.max() <= 1
    chance = shares[-1]
    assert (shares[:-1].max(axis=0) > chance).all()
