"""The benchmarks of whole runs: collections of any size, time and memory as they grow."""

import mmap
import subprocess
import sys
import time

import bench_memory as bench
import full_size
import measure_all as everything
import measured_run as measured
import numpy as np
import pandas as pd
import pytest
import render_collection as rendering

from imet_utils.files import save_json
from imet_utils.tables import load_collection

SIZES = (500, 2500)  # images


def test_steps_of_a_run_have_seconds_and_a_peak_where_it_was_measured(tmp_path):
    notebooks = {"01_a": {"seconds": 3.2}, "02_b": {"seconds": 9.4}, "03_c": {}}
    assert full_size.list_steps(tmp_path, notebooks) == {"01_a": (3.2, 0), "02_b": (9.4, 0)}
    save_json({"02_b": 2e9}, tmp_path / "peaks.json")
    assert full_size.list_steps(tmp_path, notebooks)["02_b"] == (9.4, 2e9)


def test_only_a_whole_run_has_a_total():
    runs = {"few": {"01_a": (3.0, 1e9), "02_b": (4.0, 0)}, "many": {"01_a": (3000.0, 2e9)}}
    assert full_size.tabulate_steps(runs).splitlines()[2:] == [
        "| 01_a | 3 | 1.0 | 3,000 | 2.0 |",
        "| 02_b | 4 |  |  |  |",
        "| all | 7 |  |  |  |",
    ]


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


@pytest.fixture
def instead(monkeypatch):
    """Let a program run instead of the pipeline."""
    popen = subprocess.Popen

    def instead(program):
        command = [sys.executable, "-c", program]
        fake = lambda _, **options: popen(command, **options)  # noqa: E731
        monkeypatch.setattr(measured.subprocess, "Popen", fake)

    return instead


@pytest.mark.slow
def test_memory_goes_to_the_notebook_that_took_it(instead):
    instead("""if True:
        import time
        print("[1/2] 01_small", flush=True)
        time.sleep(0.6)
        print("01_small: 0.6 s", "", "[2/2] 02_large", sep="\\n", flush=True)
        held = bytearray(b"1" * 80_000_000)
        time.sleep(1)
        print("02_large: 1.0 s", "done", sep="\\n", flush=True)
    """)
    names, peaks = zip(*measured.run_pipeline([]), strict=True)
    assert names == ("01_small", "02_large")
    assert [peak > 60e6 for peak in peaks] == [False, True]


def test_a_failing_pipeline_is_told(instead):
    instead("raise SystemExit(2)")
    with pytest.raises(subprocess.CalledProcessError, match="exit status 2"):
        list(measured.run_pipeline([]))


def test_a_benchmark_without_its_folder_is_left_out(tmp_path):
    folders = {"output": tmp_path / "a b", "work": tmp_path}
    command = everything.fill_in(everything.BENCHMARKS["neighbours"], folders)
    assert command == ["bench_neighbours.py", "--output", f"{tmp_path}/a b"]
    with pytest.raises(KeyError, match="data"):
        everything.fill_in(everything.BENCHMARKS["cross_validation"], folders)
    for command in everything.BENCHMARKS.values():
        assert "publish(" in (everything.FOLDER / command.split()[0]).read_text()


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
def test_memory_grows_by_the_rows_of_the_tables_alone(tmp_path):
    """Five times the images: each step may take 4 kB more an image, where the store has 25."""
    steps = ["check and split", "store features", "train and predict"]
    few, many = (bench.measure_collection(n, tmp_path / str(n), steps) for n in SIZES)
    growth = {step: (many[step] - few[step]) * 1e3 / (SIZES[1] - SIZES[0]) for step in steps}
    assert max(growth.values()) < 4, growth  # kB an image


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
def test_what_a_step_takes_is_seen(tmp_path, monkeypatch):

    def hold(folder):
        """Take memory from the system, whatever the process has kept of what it freed."""
        with mmap.mmap(-1, 50_000_000, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS) as pages:
            pages.write(b"1" * len(pages))
            time.sleep(0.5)  # for the watcher, where other processes keep the cores busy

    monkeypatch.setitem(bench.STEPS, "hold", hold)
    assert bench.measure_step("hold", tmp_path) > 45


def test_a_rendered_share_has_the_rows_and_sizes_of_the_tables(tmp_path):
    tables = tmp_path / "tables"
    tables.mkdir()
    (tables / "labels.csv").write_text("attribute_id,attribute_name\n0,a::b\n7,tag::men\n")
    rows = ["12e5,0 7", "0011,7", "a3,0", "a4,7", "a5,0 7"]
    (tables / "train.csv").write_text("\n".join(["id,attribute_ids", *rows]) + "\n")
    sizes = ["12e5,300,410", "0011,150,30", "a3,30,30", "a4,30,35", "a5,30,200"]
    (tables / "image_sizes.csv").write_text("\n".join(["id,height,width", *sizes]) + "\n")
    out = rendering.render_collection(tables, tmp_path / "out", 1.0)
    assert (out / "train.csv").read_text() == (tables / "train.csv").read_text()
    collection = load_collection(out, tmp_path / "results")
    assert collection.tables.images["id"].tolist() == [row.split(",")[0] for row in rows]
    assert collection.sizes[:2].tolist() == [[410, 300], [30, 150]]
    assert len(list((out / "test").iterdir())) == 1
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []
    some, whole = (rendering.take_rows(tables, share, seed=0) for share in (0.6, 1.0))
    assert len(some) == 3
    pd.testing.assert_frame_equal(some, whole.loc[some.index])
    with pytest.raises(ValueError, match=r"share must be .* got 1\.1"):
        rendering.render_collection(tables, tmp_path / "new", 1.1)
    with pytest.raises(FileExistsError, match="another folder"):
        rendering.render_collection(tables, tmp_path, 1.0)
