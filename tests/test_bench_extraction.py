import itertools

import numpy as np
import pytest
import torch
from PIL import Image

from imet_utils.encoders import build_encoder


@pytest.fixture
def path(tmp_path):
    levels = np.random.default_rng(0).integers(0, 256, (300, 420, 3), dtype=np.uint8)
    Image.fromarray(levels).save(tmp_path / "a.png")
    return tmp_path / "a.png"


def test_ways_take_turns_and_the_first_turn_is_not_counted(load):
    bench = load("bench_extraction")
    ticks, calls = itertools.count(), []
    ways = {"slow": lambda: [calls.append("slow"), next(ticks)], "fast": lambda: calls.append("f")}
    times = bench.time_in_turns(ways, lambda: next(ticks), rounds=2)
    assert times == {"slow": 2, "fast": 1}
    assert calls == ["slow", "f"] * 3


def test_rates_and_shares(load):
    text = load("extraction_tables").format_rates({"alone": 2.0, "ours": 2.5}, "alone", 50)
    assert text.splitlines()[2:] == ["| alone | 25.0 | 100% |", "| ours | 20.0 | 80% |"]


def test_cores_that_read_limit_an_accelerator(load):
    text = load("extraction_tables").format_limit(0.004, cores=16)
    assert "250 images a second" in text
    assert "24,000 views a second" in text


def test_what_a_billion_images_take(load):
    text = load("scale_estimate").format_scale(0.036, 40_000, dim=1000, style_dim=500)
    row = [cell.strip() for cell in text.splitlines()[-1].strip("|").split("|")]
    assert row[0] == "1 billion"
    assert row[1] == "10,000"  # hours: 10^9 x 0.036 s
    assert row[3:6] == ["40.00", "588.00", "18.00"]  # TB of files, maps, vectors


def test_other_ways_see_as_many_views_of_the_same_size(load, path):
    plain = load("plain_extraction")
    encoder = build_encoder("efficientnet_lite0", "none")
    views = plain.PilViews([path, path], encoder)
    assert len(views) == 12
    assert {views[index].shape for index in range(12)} == {(3, 224, 224)}
    seen = []
    plain.run_tensor_views(seen.append, [torch.zeros(3, 300, 420, dtype=torch.uint8)] * 3, 12)
    assert [batch.shape for batch in seen] == [(12, 3, 224, 224), (6, 3, 224, 224)]


def test_our_ways_run_from_files_to_a_store(load, path, tmp_path):
    ways = load("extraction_ways")
    setting = ways.Setting("efficientnet_lite0", torch.device("cpu"), batch=6, workers=0)
    found = ways.extraction_ways(setting, [path], tmp_path)
    assert found[ways.OURS]()["maps"] == (1, 6, 49, 1280)
    assert not any(folder.is_dir() for folder in tmp_path.iterdir())  # to be computed again
    assert ways.DECODING in ways.part_ways(setting, [path])
