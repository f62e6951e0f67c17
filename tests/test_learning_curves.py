"""The benchmarks of growing parts: what they train on, what they keep, what they print."""

import re
from dataclasses import replace
from itertools import pairwise

import ablation
import heads
import learning_curves as curves
import numpy as np
import pytest
import stores
from small_data import write_collection

from imet_utils.tables import load_tables

POSTER = "the poster's"
DIMS = {"maps": (4, 6), "pooled": (5,), "style": (4,), "hog": (8,)}


@pytest.fixture
def tables(tmp_path):
    """Sixty images with some of twelve labels."""
    targets = np.random.default_rng(0).random((60, 12)) < 0.25
    rows = [" ".join(map(str, np.flatnonzero(row))) or "0" for row in targets]
    names = [f"{'culture' if number < 2 else 'tag'}::{number}" for number in range(12)]
    rows = {f"i{number:02}": row for number, row in enumerate(rows)}
    return load_tables(write_collection(tmp_path / "data", rows, names, (1, 1)))


@pytest.fixture
def command(tables, tmp_path, monkeypatch, capsys):
    """Run a benchmark's command on features drawn at random, one epoch a head: what it prints."""

    def draw(tables, folder, kind, views):
        random, shape = np.random.default_rng(len(views)), (len(tables.images), 6)
        if kind == stores.PIXELS:
            return {"images": random.integers(256, size=(*shape, 3, 32, 32), dtype=np.uint8)}
        return {k: random.random((*shape, *dims), dtype=np.float32) for k, dims in DIMS.items()}

    monkeypatch.setattr(stores, "open_views", draw)
    rows = curves.list_rows() | {POSTER: ablation.list_rows(1)[POSTER]}  # has a classifier before
    short = {k: replace(row, config=replace(row.config, epochs=1)) for k, row in rows.items()}
    monkeypatch.setattr(curves, "list_rows", lambda: short)

    def run(module, *options):
        given = ["--data", str(tables.data_dir), "--work", str(tmp_path / "work"), *options]
        monkeypatch.setattr("sys.argv", [module.__name__, *given])
        module.main()
        return capsys.readouterr().out

    return run


@pytest.mark.slow
def test_every_head_is_scored_and_kept(command, tmp_path):
    printed, work = command(curves, "--sizes", "48"), tmp_path / "work/learning_curves/48"
    rows = curves.list_rows()
    kept = np.stack([np.load(work / f"{name}.npy") for name in rows])
    assert kept.shape == (len(rows), 12, 12)
    assert kept.std(axis=(1, 2)).min() > 0
    both = [f"heads and neighbours, temperature {k}" for k in curves.TEMPERATURES]
    names = [*rows, *both, "constant guess", "AttnCNN-RNN", "MLP"]  # the last of three seeds
    found = re.findall(r"^\| ([^|]+) \| 0\.\d{3} \|", printed, flags=re.M)
    assert sorted(found) == sorted(names)
    assert found[0] == "AttnCNN-RNN"  # that the others are compared with
    again = command(curves, "--sizes", "48", "--only", "MLP")
    assert again[again.index("48 images:") :] == printed[printed.index("48 images:") :]


@pytest.mark.parametrize("name", ["MLP", POSTER])
def test_a_head_learns_from_its_part_alone(command, tables, tmp_path, name):
    command(curves, "--only", name, "--sizes", "12")
    first = np.load(tmp_path / f"work/learning_curves/12/{name}.npy")
    others, judged = stores.hold_back(tables)
    assert (len(judged), sorted([*others, *judged])) == (12, [*range(60)])
    train, evaluation = stores.open_store(tables, tmp_path, stores.SQUEEZED)
    known = np.sort(others[:12])
    for arrays, seen in ((train, known), (evaluation, judged)):
        for array in arrays.values():
            array[np.setdiff1d(np.arange(60), seen)] = np.nan
    tables.targets[judged] ^= True
    given = (train, evaluation, tables.targets, known, judged)
    np.testing.assert_array_equal(heads.predict_row(curves.list_rows()[name], *given), first)


def test_the_way_leads_from_the_posters_recipe_to_ours_and_no_row_repeats_another():
    found = [
        (row.build.__self__, row.inputs, row.config, row.rule, row.first and row.first.inputs)
        for row in ablation.list_rows(epochs=1).values()
    ]
    ends = (ablation.POSTER, "beam", ("pooled",)), (ablation.OURS, "expected F2", None)
    for row, (recipe, *decoded) in zip((found[0], found[-1]), ends, strict=True):
        config = replace(recipe.config, epochs=1, train_views="random")
        assert row == (recipe.layers, recipe.inputs, config, *decoded)
    assert all(one != other for one, other in pairwise(found))
    assert [rule for *_, rule, _ in found[:3]] == ["beam", "one threshold", "expected F2"]
