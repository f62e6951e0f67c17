"""The benchmarks of whole runs: collections of any size, time and memory as they grow."""

import subprocess
import sys

import bench_memory as bench
import finished_runs
import measured_run as measured
import numpy as np
import pandas as pd
import pytest
import render_collection as rendering
from small_data import noise

from imet_utils.files import save_csv, save_json
from imet_utils.tables import load_collection


def test_steps_have_seconds_a_peak_where_it_was_measured_and_a_total_in_whole_runs(tmp_path):
    notebooks = {"01_a": {"seconds": 3.2}, "02_b": {"seconds": 3900.4}, "03_c": {}}
    few = finished_runs.list_steps(tmp_path, notebooks)
    save_json({"01_a": 2e9}, tmp_path / "peaks.json")
    cut = finished_runs.list_steps(tmp_path, {"01_a": {"seconds": 9.4}})
    assert finished_runs.tabulate_steps({"few": few, "cut": cut}).splitlines()[2:] == [
        "| 01_a | 3 |  | 9 | 2.0 |",
        "| 02_b | 3,900 |  |  |  |",
        "| all | 3,904 |  |  |  |",
    ]


def test_scores_of_several_runs_are_means_and_ranges(tmp_path):
    runs = {"seed 0": tmp_path / "0", "seed 1": tmp_path / "1"}
    for f2, folder in zip((0.25, 0.75), runs.values(), strict=True):
        table = pd.DataFrame({"model": [*"aabb"], "split": ["val", "test"] * 2, "f2": f2})
        save_csv(table, folder / "results.csv")
    cells = " | ".join(["0.500 (0.250 to 0.750)"] * 2)
    rows = finished_runs.tabulate_scores(runs).splitlines()[2:]
    assert rows == [f"| a | {cells} |", f"| b | {cells} |"]


def test_memory_is_that_of_the_descendants_too_and_not_of_mapped_files(tmp_path):
    np.save(tmp_path / "store.npy", np.ones(5_000_000))
    before = measured.own_memory("self")
    mapped = np.load(tmp_path / "store.npy", mmap_mode="r")
    assert mapped.sum() == len(mapped)
    assert measured.own_memory("self") - before < 10e6  # of 40 MB
    code = "import time; held = bytearray(b'1' * 100_000_000); print(flush=True); time.sleep(60)"
    parent = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {code!r}])"
    with subprocess.Popen([sys.executable, "-c", parent], stdout=subprocess.PIPE) as process:
        process.stdout.readline()
        held = measured.tree_memory(process.pid)
        for child in measured.psutil.Process(process.pid).children(recursive=True):
            child.kill()
    assert 100e6 < held < 150e6
    assert measured.tree_memory(process.pid) == 0


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
def test_memory_grows_by_the_rows_of_the_tables_alone(tmp_path):
    """Five times the images: each step may take 4 kB more an image, where the store has 25."""
    steps = ["check and split", "store features", "train and predict"]
    few, many = (bench.measure_collection(n, tmp_path / f"{n}", steps) for n in (500, 2500))
    growth = {step: (many[step] - few[step]) * 1e3 / 2000 for step in steps}
    assert max(growth.values()) < 4, growth  # kB an image
    assert min(few.values()) > 0.3  # MB, so that it is seen


def test_a_rendered_share_has_the_rows_and_sizes_of_the_tables(tmp_path):
    tables = tmp_path / "tables"
    tables.mkdir()
    (tables / "labels.csv").write_text("attribute_id,attribute_name\n0,a::b\n7,tag::men\n")
    rows = ["12e5,0 7", "0011,7", "a3,0", "a4,7", "a5,0 7"]
    (tables / "train.csv").write_text("\n".join(["id,attribute_ids", *rows]) + "\n")
    sizes = ["12e5,300,410", "0011,150,30", "a3,30,30", "a4,30,35", "a5,30,200"]
    (tables / "image_sizes.csv").write_text("\n".join(["id,height,width", *sizes]) + "\n")
    noise().save(tables / "thumbnail.jpg")
    out = rendering.render_collection(tables, tables, tmp_path / "out", 1.0)
    assert (out / "train.csv").read_text() == (tables / "train.csv").read_text()
    collection = load_collection(out, tmp_path / "results")
    assert collection.tables.images["id"].tolist() == [row.split(",")[0] for row in rows]
    assert collection.sizes[:2].tolist() == [[410, 300], [30, 150]]
    assert len(list((out / "test").iterdir())) == 1
    some, whole = (rendering.take_rows(tables, share) for share in (0.6, 1.0))
    assert len(some) == 3
    pd.testing.assert_frame_equal(some, whole.loc[some.index])
