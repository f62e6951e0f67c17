"""The benchmarks of single steps, and the page that all of them write."""

import itertools
import re

import bench_decoder as bench
import bench_extraction as extraction
import bench_hog
import gpu
import page as pages
import pytest
import torch
from small_data import write_noise


@pytest.fixture
def page(monkeypatch, tmp_path):
    monkeypatch.setattr(pages, "RESULTS", tmp_path / "results")
    return pages


@pytest.fixture
def gpu_steps(monkeypatch, tmp_path, page):
    """Let the benchmark of a GPU take a test with the mark, one without, and a short step."""
    tests = tmp_path / "tests"
    tests.mkdir()
    (tests / "test_other.py").write_text("assert False\n")
    (tmp_path / "step.py").write_text("print('# A step')\n")
    monkeypatch.setattr(gpu, "TESTS", tests)
    monkeypatch.setattr(gpu, "FOLDER", tmp_path)
    monkeypatch.setattr(gpu, "STEPS", ["step.py"])
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)

    def write_test(line):
        text = f"import pytest\n\n@pytest.mark.gpu\ndef test_it():\n    {line}\n"
        (tests / "test_some.py").write_text(text)

    return write_test


@pytest.mark.slow
def test_a_failing_test_ends_the_measurement(gpu_steps, page):
    gpu_steps("assert 1 == 2")
    with pytest.raises(SystemExit, match="assert 1 == 2"):
        gpu.main()
    assert not page.RESULTS.exists()


@pytest.mark.slow
def test_the_page_of_a_gpu_has_its_tests_its_steps_and_what_time_was_too_short_for(
    monkeypatch, gpu_steps, page
):
    gpu_steps("assert True")
    gpu.main()
    text = (page.RESULTS / "gpu.md").read_text()
    assert text.startswith("# On a GPU\n\nTests marked `gpu`: 1 passed")
    assert text.endswith("\n\n## A step\n")
    monkeypatch.setattr(gpu, "run_tests", lambda: "1 passed")
    monkeypatch.setattr(gpu, "SECONDS", -1)
    gpu.main()
    assert "Left out, as time was up: `step.py`.\n" in (page.RESULTS / "gpu.md").read_text()


def test_ours_are_timed_beside_the_references_that_they_equal(monkeypatch):
    monkeypatch.setattr(bench_hog, "BATCH", 2)
    for name, size in {"BATCH": 2, "POSITIONS": 4, "CHANNELS": 8, "CLASSES": 12}.items():
        monkeypatch.setattr(bench, name, size)
    found = bench_hog.time_hog(bench_hog.draw_images(), rounds=1)
    assert [name for name, _, _ in found[:3]] == ["scikit-image", "one-hot port", "imet_utils.hog"]
    assert found[2][2] < 1e-6
    step, search, *_ = bench.time_cases(torch.device("cpu"), rounds=1)
    assert (step[0], search[0]) == ("training step", "beam search")
    assert float(step[-1].removeprefix("logits ")) < 1e-5
    assert search[-1].startswith("100.0% of labels equal")


def test_ways_take_turns_and_the_first_turn_is_not_counted():
    ticks, calls = itertools.count(), []
    ways = {"slow": lambda: [calls.append("slow"), next(ticks)], "fast": lambda: calls.append("f")}
    times = pages.time_in_turns(ways, lambda: next(ticks), rounds=2)
    assert times == {"slow": 2, "fast": 1}
    assert calls == ["slow", "f"] * 3


def test_extraction_tables_by_hand():
    text = extraction.format_rates({"alone": 2.0, "ours": 2.5}, "alone", 50)
    assert text.splitlines()[2:] == ["| alone | 25.0 | 100% |", "| ours | 20.0 | 80% |"]
    assert "24,000 views a second" in extraction.format_limit(0.004, cores=16)
    text = extraction.format_scale(0.036, 40_000, map_size=49_000, vector_size=1500)
    row = [cell.strip() for cell in text.splitlines()[-1].strip("|").split("|")]
    assert row[:2] == ["1 billion", "10,000"]  # hours: 10^9 x 0.036 s
    assert row[3:6] == ["40.00", "588.00", "18.00"]  # TB of files, maps, vectors


def test_every_way_runs_from_files_to_a_store(tmp_path):
    setting = extraction.Setting("efficientnet_lite0", torch.device("cpu"), batch=6, workers=0)
    paths = write_noise(tmp_path, "a", (420, 300))
    found = extraction.extraction_ways(setting, paths, tmp_path)
    assert found.pop(extraction.OURS)()["maps"].shape == (1, 6, 49, 1280)
    assert not list(tmp_path.rglob("*.npy"))  # to be computed again
    for way in (found | extraction.part_ways(setting, paths)).values():
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
