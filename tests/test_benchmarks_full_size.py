"""The benchmarks of whole runs: collections of any size, time and memory as they grow."""

import mmap
import subprocess
import sys
import time

import bench_memory as bench
import full_size as growth
import measure_all as everything
import measured_run as measured
import numpy as np
import pandas as pd
import pytest
import render_collection as rendering
from PIL import Image
from small_data import SHARED, needs

from imet_utils.tables import load_collection, load_tables

IMET = SHARED / "imet2019"
SIZES = (1000, 5000)  # images


def test_costs_grow_along_a_line_or_a_power_law():
    assert growth.extrapolate((10, 5.0), (20, 6.0), 100) == pytest.approx(14)  # a fixed part
    assert growth.extrapolate((10, 1.0), (20, 4.0), 40) == pytest.approx(16)  # quadratic
    assert growth.extrapolate((10, 4.0), (20, 3.0), 1000) == 3  # it fell


def test_what_was_not_measured_is_marked():
    costs = {10: {"train": 1.0}, 100: {"train": 10.0}}
    extrapolated = growth.format_growth(costs, 1000).splitlines()
    assert extrapolated[0] == "| Step | 10 images | 100 images | 1,000 (extrapolated) | Exponent |"
    assert extrapolated[2] == "| train | 1.00 | 10 | 100 | 1.00 |"
    assert "extrapolated" not in growth.format_growth(costs, 100)


def test_memory_is_that_of_the_descendants_too():
    code = "import time; held = bytearray(b'1' * 100_000_000); print(flush=True); time.sleep(60)"
    parent = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {code!r}])"
    with subprocess.Popen([sys.executable, "-c", parent], stdout=subprocess.PIPE) as process:
        process.stdout.readline()
        held = measured.tree_memory(process.pid)
        for child in measured.psutil.Process(process.pid).children(recursive=True):
            child.kill()
    assert 100e6 < held < 150e6
    assert measured.tree_memory(process.pid) == 0


def test_mapped_files_are_not_counted(tmp_path):
    np.save(tmp_path / "store.npy", np.ones(20_000_000))
    before = measured.own_memory("self")
    mapped = np.load(tmp_path / "store.npy", mmap_mode="r")
    assert mapped.sum() == len(mapped)
    assert measured.own_memory("self") - before < 40e6  # of 160 MB


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
def test_time_and_memory_go_to_the_notebook_that_took_them(instead):
    lines = ["[1/2] 01_small", "01_small: 0.5 s", "", "[2/2] 02_large", "02_large: 1.5 s", "done"]
    waits = [0.6, 0, 0, 1.0, 0.6, 0]
    program = "import time\nheld = []\n"
    for line, wait in zip(lines, waits, strict=True):
        program += f"print({line!r}, flush=True)\n"
        program += "held = bytearray(b'1' * 80_000_000)\n" if line.startswith("[2") else ""
        program += f"del held; held = []\ntime.sleep({wait})\n" if line.startswith("02") else ""
        program += f"time.sleep({wait})\n"
    instead(program)
    found = measured.run_pipeline([])
    spent = {name: seconds for name, (seconds, _) in found.items()}
    assert spent.pop("report") == pytest.approx(1.2, abs=0.5)
    assert spent == {"01_small": 0.5, "02_large": 1.5}
    assert found["01_small"][1] < 60e6 < found["02_large"][1]
    assert found["report"][1] < 60e6


def test_a_failing_pipeline_is_told_with_its_last_lines(instead):
    instead("print('There is no profile'); raise SystemExit(2)")
    with pytest.raises(RuntimeError, match=r"pipeline failed:\n.*There is no profile"):
        measured.run_pipeline([])


def test_table_steps_are_measured_on_a_share(tmp_path):
    rows = [f"i{n},{n % 3} 3" for n in range(60)]
    (tmp_path / "train.csv").write_text("\n".join(["id,attribute_ids", *rows]) + "\n")
    labels = "\n".join(f"{k},tag::label{k}" for k in range(4))
    (tmp_path / "labels.csv").write_text(f"attribute_id,attribute_name\n{labels}\n")
    number, steps = growth.time_tables(tmp_path, 0.5)
    assert number == 30
    assert len(steps) == 4
    assert min(steps.values()) > 0


def test_a_benchmark_without_its_folder_is_left_out(tmp_path):
    folders = {"tables": tmp_path / "a b", "work": tmp_path, "data": None}
    command = everything.fill_in(everything.BENCHMARKS["full_size"], folders)
    assert command == ["full_size.py", "--tables", f"{tmp_path}/a b", "--work", str(tmp_path)]
    assert everything.fill_in(everything.BENCHMARKS["cross_validation"], folders) is None


def test_every_benchmark_is_there_and_can_write_the_page():
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


@pytest.fixture
def tables(tmp_path):
    """Five rows: a style and a motif of the sample, a culture and a tag that nobody has drawn."""
    folder = tmp_path / "tables"
    folder.mkdir()
    (folder / "labels.csv").write_text(
        "attribute_id,attribute_name\n0,culture::french\n1,culture::nobody\n2,tag::horses\n"
        "700,tag::oddities\n"
    )
    rows = ["12e5,0 2", "0011,1 700", "a3,2", "a4,0 1 2 700", "a5,700"]
    (folder / "train.csv").write_text("\n".join(["id,attribute_ids", *rows]) + "\n")
    sizes = ["12e5,300,410", "0011,1500,300", "a3,300,300", "a4,300,350", "a5,300,2000"]
    (folder / "image_sizes.csv").write_text("\n".join(["id,height,width", *sizes]) + "\n")
    return folder


def test_a_whole_collection_has_the_rows_sizes_and_labels_of_the_tables(tables, tmp_path):
    out = rendering.render_collection(tables, tmp_path / "out", 1.0)
    assert (out / "train.csv").read_text() == (tables / "train.csv").read_text()
    with Image.open(out / "train/0011.jpg") as image:
        assert image.size == (300, 1500)
    collection = load_collection(out, tmp_path / "results")
    assert collection.tables.images["id"].tolist() == ["12e5", "0011", "a3", "a4", "a5"]
    assert not len(collection.skipped)
    assert len(list((out / "test").iterdir())) == 1
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_a_share_is_of_rows_as_they_are_and_the_same_again(tables):
    rows = rendering.take_rows(tables, 0.6, seed=0)
    whole = rendering.take_rows(tables, 1.0, seed=0)
    assert len(rows) == 3
    pd.testing.assert_frame_equal(rows, whole.loc[rows.index])
    pd.testing.assert_frame_equal(rows, rendering.take_rows(tables, 0.6, seed=0))


def test_labels_show_in_the_picture(tmp_path):
    def paint(*labels):
        job = rendering.Job(tmp_path / "a.png", labels, 300, 300)
        return np.asarray(rendering.paint(job, np.random.default_rng(0))).astype(int)

    pictures = [
        paint((0, "culture::french")),
        paint((0, "culture::french"), (2, "tag::horses")),
        paint((0, "culture::french"), (700, "tag::oddities")),
        paint((0, "culture::french"), (701, "tag::others")),
    ]
    for number, picture in enumerate(pictures):
        for other in pictures[number + 1 :]:
            assert (abs(picture - other).max(axis=-1) > 60).mean() > 0.01  # of the pixels


def test_motifs_differ_for_every_label_of_imet():
    kinds = rendering.KINDS
    assert len({rendering.motif_of(number) for number in range(kinds)}) == kinds > 1103


@needs("imet2019")
def test_the_true_tables_can_be_drawn_from(tmp_path):
    rows = rendering.take_rows(IMET, 0.001, seed=0)
    assert len(rows) == 109
    assert rows[["height", "width"]].min(axis=1).eq(300).mean() > 0.9
    names = load_tables(IMET).labels.set_index("attribute_id")["attribute_name"]
    for job in rendering.make_jobs(rows[:3], names, tmp_path, ".png"):
        rendering.render_job(job, seed=0)
        with Image.open(job.path) as image:
            assert image.size == (job.width, job.height)


def test_another_share_and_a_folder_that_is_there_are_refused(tables, tmp_path):
    for share in (0, 1.1):
        with pytest.raises(ValueError, match="share must be"):
            rendering.render_collection(tables, tmp_path / "out", share)
    with pytest.raises(FileExistsError, match="another folder"):
        rendering.render_collection(tables, tmp_path, 1.0)
