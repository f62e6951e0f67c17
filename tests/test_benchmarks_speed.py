"""The benchmarks of single steps, and the page that all of them write."""

import itertools
import re
import subprocess

import bench_decoder as decoder
import bench_extraction as extraction
import bench_hog
import gpu
import page as pages
import pytest
import torch
from small_data import write_noise


def test_the_commands_of_a_gpu_run_until_one_fails_or_time_is_up(monkeypatch, capfd):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(gpu, "COMMANDS", ["-c print('done')", "-c 1/0", "-c print('never')"])
    for seconds, error in ((0, subprocess.TimeoutExpired), (60, subprocess.CalledProcessError)):
        monkeypatch.setattr(gpu, "SECONDS", seconds)
        with pytest.raises(error):
            gpu.main()
    assert {"done", "never"} & {*capfd.readouterr().out.splitlines()} == {"done"}


def test_ours_are_timed_beside_the_references_that_they_equal(monkeypatch):
    monkeypatch.setattr(bench_hog, "BATCH", 2)
    for name, size in {"BATCH": 2, "POSITIONS": 4, "CHANNELS": 8, "CLASSES": 12}.items():
        monkeypatch.setattr(decoder, name, size)
    found = bench_hog.time_hog(bench_hog.draw_images(), rounds=1)
    assert [name for name, _, _ in found[:2]] == ["scikit-image", "imet_utils.hog"]
    assert found[1][2] < 1e-6
    step, search = decoder.time_case(torch.device("cpu"), rounds=1)
    assert (step[0], search[0]) == ("training step", "beam search")
    assert float(step[-1].removeprefix("logits ")) < 1e-5
    assert search[-1].startswith("100.0% of labels equal")


def test_ways_take_turns_and_the_first_turn_is_not_counted():
    ticks, calls = itertools.count(), []
    ways = {"slow": lambda: [calls.append("slow"), next(ticks)], "fast": lambda: calls.append("f")}
    times = pages.time_in_turns(ways, lambda: next(ticks), rounds=2)
    assert times == {"slow": 2, "fast": 1}
    assert calls == ["slow", "f"] * 3


def test_every_way_runs_from_files_to_a_store(tmp_path):
    setting = extraction.Setting("efficientnet_lite0", torch.device("cpu"), batch=6, workers=0)
    paths = write_noise(tmp_path, "a", (420, 300))
    found = extraction.extraction_ways(setting, paths, tmp_path)
    assert found.pop(extraction.OURS)()["maps"].shape == (1, 6, 49, 1280)
    assert not list(tmp_path.rglob("*.npy"))  # to be computed again
    for way in (found | extraction.part_ways(setting, paths)).values():
        way()


def test_a_page_is_replaced_alone_and_has_its_command(monkeypatch, tmp_path):
    monkeypatch.setattr(pages, "RESULTS", tmp_path / "results")
    monkeypatch.setattr(
        "sys.argv", ["/b/bench.py", "--data", "/a/b", "seed 0=c/d", "--rounds", "3"]
    )
    for name, *parts in (("hog", "HOG"), ("decoder", "Old"), ("decoder", "New", "| a |")):
        pages.publish(name, *parts)
    machine = pages.describe_machine()
    command = "`python benchmarks/bench.py --data DIR 'seed 0=DIR' --rounds 3`"
    found = {path.name: path.read_text() for path in pages.RESULTS.iterdir()}
    hog = f"# HOG\n\n{command}\n\n{machine}\n"
    assert found == {"hog.md": hog, "decoder.md": f"# New\n\n{command}\n\n| a |\n\n{machine}\n"}
    assert re.search(rf"torch {re.escape(torch.__version__)}, \d{{4}}-\d\d-\d\d$", machine)
    for name in ("a b", "", "../hog", "HOG"):
        with pytest.raises(ValueError, match="small letters"):
            pages.publish(name, "Title")
    assert {path.name for path in tmp_path.rglob("*.md")} == found.keys()
