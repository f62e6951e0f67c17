import mmap
import sys

import pytest

SIZES = (300, 3000)


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
def test_memory_grows_by_the_rows_of_the_tables_alone(load, tmp_path):
    """Ten times the images: each step may take 4 kB more an image, where the store has 25."""
    bench = load("bench_memory")
    steps = ["check and split", "store features", "train and predict"]
    few, many = (bench.measure_collection(n, tmp_path / str(n), steps) for n in SIZES)
    growth = {step: (many[step] - few[step]) * 1e3 / (SIZES[1] - SIZES[0]) for step in steps}
    assert max(growth.values()) < 4, growth  # kB an image


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
def test_what_a_step_takes_is_seen(load, tmp_path, monkeypatch):
    bench = load("bench_memory")

    def hold(folder):
        """Take memory from the system, whatever the process has kept of what it freed."""
        with mmap.mmap(-1, 50_000_000, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS) as pages:
            pages.write(b"1" * len(pages))

    monkeypatch.setitem(bench.STEPS, "hold", hold)
    assert bench.measure_step("hold", tmp_path) > 45
