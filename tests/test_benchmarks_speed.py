"""The benchmarks of single steps, and the page that all of them write."""

import itertools
import re
import sys

import bench_decoder as bench
import bench_extraction as tables
import extraction_ways as ways
import gpu
import page as pages
import pytest
import torch
from small_data import write_noise


@pytest.fixture
def page(monkeypatch, tmp_path):
    monkeypatch.setattr(pages, "RESULTS", tmp_path / "results")
    return pages


def write_gpu_test(folder, line):
    """Write a file with one test marked `gpu`, and one without the mark."""
    folder.mkdir()
    text = f"import pytest\n\n@pytest.mark.gpu\ndef test_it():\n    {line}\n"
    (folder / "test_some.py").write_text(text)
    (folder / "test_other.py").write_text("assert False\n")


@pytest.mark.slow
def test_a_failing_test_ends_the_measurement(monkeypatch, tmp_path):
    monkeypatch.setattr(gpu, "TESTS", tmp_path / "tests")
    write_gpu_test(gpu.TESTS, "assert 1 == 2")
    with pytest.raises(SystemExit, match="assert 1 == 2"):
        gpu.run_tests()


@pytest.mark.slow
def test_without_a_gpu_the_cpu_is_measured_and_no_page_written(monkeypatch, page, capsys, tmp_path):
    monkeypatch.setattr(gpu, "TESTS", tmp_path / "tests")
    write_gpu_test(gpu.TESTS, "assert True")
    monkeypatch.setattr(gpu.bench_hog, "BATCH", 2)
    for name, size in {"BATCH": 2, "POSITIONS": 4, "CHANNELS": 8, "CLASSES": 12}.items():
        monkeypatch.setattr(bench, name, size)
    monkeypatch.setattr(gpu, "ENCODERS", ["efficientnet_lite0"])
    monkeypatch.setattr(sys, "argv", ["gpu.py", "--rounds", "1", "--images", "1"])
    gpu.main()
    text = capsys.readouterr().out
    rows = [line.strip("| ").split(" | ") for line in text.splitlines() if line.startswith("|")]
    differences = {(row[0], row[2]): row[-1] for row in rows[2:] if row[1] == "CPU"}
    assert float(differences["HOG", "float32"]) < 1e-6
    assert float(differences["training step", "float32"].removeprefix("logits ")) < 1e-5
    assert differences["beam search", "float32"].startswith("100.0% of labels equal")
    [alone, stored] = (value for (task, _), value in differences.items() if "lite0" in task)
    assert float(alone) < 0.1
    assert float(stored) < 0.1
    assert "Tests marked `gpu`: 1 passed" in text
    assert page.RESULTS.exists() == torch.cuda.is_available()


def test_what_a_gpu_has_no_time_for_is_named_on_its_page(monkeypatch, page):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda: "a GPU")
    monkeypatch.setattr(gpu, "run_tests", lambda: "3 passed")
    monkeypatch.setattr(gpu, "find_paths", lambda *_: [])
    monkeypatch.setattr(gpu, "LATEST", -1)
    monkeypatch.setattr(sys, "argv", ["gpu.py"])
    gpu.main()
    text = (page.RESULTS / "gpu.md").read_text()
    assert "Tests marked `gpu`: 3 passed.\n" in text
    steps = [f"{name} on {{0}}" for name in ("HOG", "the RNN", *gpu.ENCODERS)]
    names = [step.format(device) for device in ("cuda", "cpu") for step in steps]
    assert f"Left out, as time was up: {', '.join(names)}.\n" in text
    assert "a GPU, torch" in text


def test_ways_take_turns_and_the_first_turn_is_not_counted():
    ticks, calls = itertools.count(), []
    ways = {"slow": lambda: [calls.append("slow"), next(ticks)], "fast": lambda: calls.append("f")}
    times = pages.time_in_turns(ways, lambda: next(ticks), rounds=2)
    assert times == {"slow": 2, "fast": 1}
    assert calls == ["slow", "f"] * 3


def test_extraction_tables_by_hand():
    text = tables.format_rates({"alone": 2.0, "ours": 2.5}, "alone", 50)
    assert text.splitlines()[2:] == ["| alone | 25.0 | 100% |", "| ours | 20.0 | 80% |"]
    assert "24,000 views a second" in tables.format_limit(0.004, cores=16)
    text = tables.format_scale(0.036, 40_000, map_size=49_000, vector_size=1500)
    row = [cell.strip() for cell in text.splitlines()[-1].strip("|").split("|")]
    assert row[:2] == ["1 billion", "10,000"]  # hours: 10^9 x 0.036 s
    assert row[3:6] == ["40.00", "588.00", "18.00"]  # TB of files, maps, vectors


def test_every_way_runs_from_files_to_a_store(tmp_path):
    setting = ways.Setting("efficientnet_lite0", torch.device("cpu"), batch=6, workers=0)
    paths = write_noise(tmp_path, "a", (420, 300))
    found = ways.extraction_ways(setting, paths, tmp_path)
    assert found.pop(ways.OURS)()["maps"].shape == (1, 6, 49, 1280)
    assert not list(tmp_path.rglob("*.npy"))  # to be computed again
    for way in (found | ways.part_ways(setting, paths)).values():
        way()


def test_a_page_is_replaced_alone(page):
    page.publish("hog", "# HOG")
    page.publish("decoder", "# Old")
    page.publish("decoder", "# New", "| a |")
    machine = page.describe_machine()
    pages = {path.name: path.read_text() for path in page.RESULTS.iterdir()}
    hog, decoder = f"# HOG\n\n{machine}\n", f"# New\n\n| a |\n\n{machine}\n"
    assert pages == {"hog.md": hog, "decoder.md": decoder}
    assert f"torch {torch.__version__}" in machine
    assert re.search(r"\d+ thread\(s\), .*\d{4}-\d\d-\d\d$", machine)


@pytest.mark.parametrize("name", ["a b", "", "../hog", "HOG"])
def test_a_page_of_another_kind_of_name_is_refused(page, name):
    with pytest.raises(ValueError, match="small letters"):
        page.write_page(name, "text")
    assert not page.RESULTS.exists()
