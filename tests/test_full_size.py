import subprocess
import sys
import time

import numpy as np
import pytest


@pytest.fixture
def growth(load):
    return load("growth")


@pytest.fixture
def measured(load):
    return load("measured_run")


def test_a_cost_with_a_fixed_part_grows_along_a_line(growth):
    costs = [(10, 5.0), (20, 6.0)]
    assert growth.reckon(*costs, 100) == pytest.approx(14)
    assert growth.exponent(*costs) < 1


def test_a_quadratic_cost_grows_along_a_power_law(growth):
    assert growth.reckon((10, 1.0), (20, 4.0), 40) == pytest.approx(16)


def test_a_cost_that_fell_stays(growth):
    assert growth.reckon((10, 4.0), (20, 3.0), 1000) == 3


def test_what_was_not_measured_is_marked(growth):
    costs = {10: {"train": 1.0}, 100: {"train": 10.0}}
    reckoned = growth.format_growth(costs, 1000).splitlines()
    assert reckoned[0] == "| Step | 10 images | 100 images | 1,000 (reckoned) | Exponent |"
    assert reckoned[2] == "| train | 1.00 | 10 | 100 | 1.00 |"
    assert "reckoned" not in growth.format_growth(costs, 100)


def test_memory_is_that_of_the_descendants_too(measured):
    code = "import time; held = bytearray(b'1' * 100_000_000); print(flush=True); time.sleep(60)"
    parent = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {code!r}])"
    with subprocess.Popen([sys.executable, "-c", parent], stdout=subprocess.PIPE) as process:
        process.stdout.readline()
        held = measured.tree_memory(process.pid)
        for child in measured.psutil.Process(process.pid).children(recursive=True):
            child.kill()
    assert 100e6 < held < 150e6
    assert measured.tree_memory(process.pid) == 0


def test_mapped_files_are_not_counted(measured, tmp_path):
    np.save(tmp_path / "store.npy", np.ones(20_000_000))
    before = measured.own_memory("self")
    mapped = np.load(tmp_path / "store.npy", mmap_mode="r")
    assert mapped.sum() == len(mapped)
    assert measured.own_memory("self") - before < 40e6  # of 160 MB


def test_time_and_memory_go_to_the_notebook_that_took_them(measured, monkeypatch):
    lines = ["[1/2] 01_small", "01_small: 0.5 s", "", "[2/2] 02_large", "02_large: 1.5 s", "done"]
    waits = [0.6, 0, 0, 1.0, 0.6, 0]
    program = "import time\nheld = []\n"
    for line, wait in zip(lines, waits, strict=True):
        program += f"print({line!r}, flush=True)\n"
        program += "held = bytearray(b'1' * 80_000_000)\n" if line.startswith("[2") else ""
        program += f"del held; held = []\ntime.sleep({wait})\n" if line.startswith("02") else ""
        program += f"time.sleep({wait})\n"
    fake = [sys.executable, "-c", program]
    popen = subprocess.Popen
    monkeypatch.setattr(
        measured.subprocess, "Popen", lambda command, **options: popen(fake, **options)
    )
    found = measured.run_pipeline([])
    assert {name: spent for name, (spent, _) in found.items() if name != "report"} == {
        "01_small": 0.5,
        "02_large": 1.5,
    }
    assert found["report"][0] == pytest.approx(1.2, abs=0.5)
    assert found["01_small"][1] < 60e6 < found["02_large"][1]
    assert found["report"][1] < 60e6


def test_a_failing_pipeline_is_told_with_its_last_lines(measured):
    start = time.perf_counter()
    with pytest.raises(RuntimeError, match=r"pipeline failed:\n.*There is no profile"):
        measured.run_pipeline(["--profile", "no such profile"])
    assert time.perf_counter() - start < 30


def test_table_steps_are_measured_on_a_share(load, tmp_path):
    rows = [f"i{n},{n % 3} 3" for n in range(60)]
    (tmp_path / "train.csv").write_text("\n".join(["id,attribute_ids", *rows]) + "\n")
    labels = "\n".join(f"{k},tag::label{k}" for k in range(4))
    (tmp_path / "labels.csv").write_text(f"attribute_id,attribute_name\n{labels}\n")
    number, steps = load("full_size").time_tables(tmp_path, 0.5)
    assert number == 30
    assert len(steps) == 4
    assert min(steps.values()) > 0


def test_a_benchmark_without_its_folder_is_left_out(load, tmp_path):
    everything = load("measure_all")
    folders = {"tables": tmp_path / "a b", "work": tmp_path, "data": None}
    command = everything.fill_in(everything.BENCHMARKS["full_size"], folders)
    assert command == ["full_size.py", "--tables", f"{tmp_path}/a b", "--work", str(tmp_path)]
    assert everything.fill_in(everything.BENCHMARKS["cross_validation"], folders) is None


def test_every_benchmark_is_there_and_can_write_the_page(load):
    everything = load("measure_all")
    for command in everything.BENCHMARKS.values():
        assert '"--page"' in (everything.FOLDER / command.split()[0]).read_text()
