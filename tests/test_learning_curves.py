"""The benchmarks of growing parts: what they train on, what they keep, what they print."""

import re
from dataclasses import replace

import known_labels
import learning_curves as curves
import numpy as np
import pytest
import stores
import torch
from small_data import write_collection

from imet_utils.tables import load_tables

DIMS = {"maps": (4, 6), "pooled": (5,), "style": (4,), "hog": (8,)}


@pytest.fixture
def collection(tmp_path):
    """Sixty images with some of twelve labels."""
    targets = np.random.default_rng(0).random((60, 12)) < 0.25
    rows = [" ".join(map(str, np.flatnonzero(row))) or "0" for row in targets]
    names = [f"{'culture' if number < 2 else 'tag'}::{number}" for number in range(12)]
    ids = [f"i{number:02}" for number in range(60)]
    return write_collection(tmp_path / "data", dict(zip(ids, rows, strict=True)), names, (1, 1))


@pytest.fixture
def command(collection, tmp_path, monkeypatch):
    """Run a benchmark's command on features drawn at random, one epoch a head."""

    def draw(tables, folder, kind, views):
        random, shape = np.random.default_rng(len(views)), (len(tables.images), 6)
        if kind == stores.PIXELS:
            return {"images": random.integers(256, size=(*shape, 3, 32, 32), dtype=np.uint8)}
        return {k: random.random((*shape, *dims), dtype=np.float32) for k, dims in DIMS.items()}

    monkeypatch.setattr(stores, "open_views", draw)
    monkeypatch.setattr(curves, "SIZES", (12,))
    rows = curves.list_rows()
    short = {k: replace(row, config=replace(row.config, epochs=1)) for k, row in rows.items()}
    monkeypatch.setattr(curves, "list_rows", lambda: short)

    def run(module, *options):
        given = ["--data", str(collection), "--work", str(tmp_path / "work"), *options]
        monkeypatch.setattr("sys.argv", [module.__name__, *given])
        module.main()

    return run


def test_parts_grow_and_none_is_judged_on_what_it_learned(collection, command, tmp_path):
    halves = stores.hold_back(collection, tmp_path)
    assert (len(halves.known.images), len(halves.judged.images)) == (48, 12)
    assert not set(halves.known.images["id"]) & set(halves.judged.images["id"])
    everything = load_tables(collection).images.set_index("id")["labels"]
    for part in (halves.known, halves.judged):
        assert part.images["labels"].tolist() == everything[part.images["id"]].tolist()
    small, large = halves.first(12), halves.first(24)
    assert len(small) == 12
    assert set(small) < set(large)
    assert (np.diff(large) > 0).all()


@pytest.mark.slow
def test_every_head_is_scored_and_kept(command, tmp_path, capsys):
    command(curves, "--sizes", "48")
    printed, work = capsys.readouterr().out, tmp_path / "work/learning_curves/48"
    rows = curves.list_rows()
    for name in rows:
        probs = np.load(work / f"{name}.npy")
        assert probs.shape == (12, 12)
        assert probs.std() > 0
    both, beam = "heads and neighbours", "AttnCNN-RNN, beam, the poster's stop"
    for name in (*rows, "constant guess", "nearest neighbours", both, beam):
        assert re.search(re.escape(f"| {name} ") + r"\| 0\.\d{3} \|", printed), name
    command(curves, "--sizes", "48")
    again = capsys.readouterr().out
    assert "images, MLP:" in printed
    assert "images, MLP:" not in again
    assert again in printed


def test_a_head_learns_from_its_part_alone(command, collection, tmp_path):
    command(curves, "--only", "MLP", "--sizes", "12")
    first = np.load(tmp_path / "work" / "learning_curves" / "12" / "MLP.npy")
    halves = stores.hold_back(collection, tmp_path)
    left_out = np.setdiff1d(halves.order, halves.first(12))
    for array in halves.train.values():
        array[left_out] = np.nan
    again = curves.learn(curves.list_rows()["MLP"], halves, 12)
    np.testing.assert_array_equal(again, first)


def test_labels_are_known_or_rejected_only_where_others_are_left():
    targets = np.array([[1, 1, 1, 0], [0, 1, 0, 0], [1, 0, 1, 1]], dtype=bool)
    known = known_labels.choose_known(targets, 1)
    assert known.sum(axis=1).tolist() == [1, 0, 1]
    assert not (known & ~targets).any()
    assert known_labels.choose_known(targets, 2).sum(axis=1).tolist() == [2, 0, 2]
    probs = np.full((3, 4), 0.01)
    probs[known] = 0.99
    probs[0, 3] = 0.9  # wrong
    probs[2][targets[2] & ~known[2]] = 0.9  # all right
    assert known_labels.judge_rest(probs, targets, known).tolist() == [0, 1]
    targets = np.array([[1, 0, 0, 0], [1, 1, 0, 0]], dtype=bool)
    probs = np.array([[0.9, 0.8, 0.85, 0.01], [0.9, 0.9, 0.7, 0.01]])
    surest = [np.argwhere(known_labels.reject_wrong(probs, targets, k)).tolist() for k in (1, 2)]
    assert surest == [[[0, 2], [1, 2]], [[0, 1], [0, 2]]]  # of the second image too few


@pytest.mark.parametrize("name", ["MLP", "AttnCNN-RNN"])
def test_a_head_with_a_known_label_is_certain_of_it_and_revises_the_others(name):
    dims = {"pooled": 5, "style": 4, "truth": 7} | ({"maps": 6} if "RNN" in name else {})
    model = known_labels.KNOWING[name].build(dims, 7).eval()
    inputs = {"maps": torch.randn(2, 4, 6), "pooled": torch.randn(2, 5), "style": torch.randn(2, 4)}
    inputs = {key: inputs[key] for key in dims.keys() - {"truth"}}
    truth = torch.zeros(2, 7)
    before = model(truth=truth, **inputs).sigmoid()
    truth[0, 3] = 1
    after = model(truth=truth, **inputs).sigmoid()
    assert after[0, ..., 3].min() > 0.99
    assert (after[0, ..., :3] - before[0, ..., :3]).abs().max() > 0
    torch.testing.assert_close(after[1], before[1])
    truth = (torch.rand(2_000, 5) < 0.5).float()
    known = known_labels.draw_known(truth)
    assert not (known & ~truth.bool()).any()
    assert 0.2 < (known.sum(dim=1) > 0).float().mean() < 0.5  # some of the half draw none


@pytest.mark.slow
def test_the_table_of_known_labels_compares_heads_and_neighbours(command, monkeypatch, capsys):
    monkeypatch.setattr(known_labels, "SIZES", (12,))
    for name, row in known_labels.KNOWING.items():
        short = replace(row, config=replace(row.config, epochs=1))
        monkeypatch.setitem(known_labels.KNOWING, name, short)
    command(curves, "--only", "MLP", "AttnCNN-RNN", "--sizes", "12", "48")
    command(known_labels)
    rows = re.findall(
        r"\| (\d+) \| ([^(|]+)(?: \(strength 0[^|]*\))? \| (\d (?:known|rejected)) \| 0\.\d{3}",
        capsys.readouterr().out,
    )
    trained, by_neighbours = "trained with known labels", "by neighbours"
    wanted = [("MLP", trained, 3), ("AttnCNN-RNN", trained, 3)]
    wanted += [("MLP", by_neighbours, 5), ("heads and neighbours", by_neighbours, 5)]
    heads_known = [head for _, head, _ in rows]
    assert heads_known == 2 * [f"{name}, {way}" for name, way, n in wanted for _ in range(n)]
