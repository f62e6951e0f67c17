"""Many images, labelled in parts: by several processes as by one, and resumed after an end."""

import numpy as np
import pandas as pd
import pytest
import torch
from small_data import launch, write_noise

from imet_tools.labelling import label_files
from imet_tools.labelling.__main__ import main
from imet_utils.decoding import Decision, NeighbourIndex
from imet_utils.labeller import Labeller
from imet_utils.labeller.ensemble import Ensemble, Settings

TABLES = ("labels.csv", "submission.csv", "skipped_images.csv")
SMALL_PARTS = """\
import sys
from imet_tools.labelling import label_files
from imet_tools.labelling.__main__ import main
from imet_utils.distributed import num_processes
label_files.PART = 2
code = main(sys.argv[1:])
print(f"one of {num_processes()}")
sys.exit(code)
"""


@pytest.fixture(scope="module")
def folder(module_path):
    """A folder with a small labeller, and photos: five images and a text."""
    layers = {"weights": {"baseline": 0.5, "neighbours": 0.5}, "layers": {"baseline": {}}}
    settings = Settings(
        "efficientnet_lite0", "imagenet", [0.5] * 3, [0.2] * 3, seed=0, size=64, num_views=3,
        hog={}, dims={"pooled": 1280}, num_images=6, unfrozen_stages={"baseline": 0},
        thresholds={}, strength=1.0, **layers,
    )  # fmt: skip
    labels = pd.DataFrame({"attribute_id": range(4), "attribute_name": ["a", "=b", "c,d", "e"]})
    rng = np.random.default_rng(0)
    axes = rng.normal(size=(1280 + 1536, 3)).astype(np.float32)
    centre, embeddings = axes[:, 0].copy(), np.eye(3, dtype=np.float32)[[0, 1, 2, 0, 1, 2]]
    index = NeighbourIndex(centre, axes, embeddings, rng.random((6, 4)) < 0.5)
    train = pd.DataFrame({"id": [*"uvwxyz"], "labels": [()] * 6})
    with torch.random.fork_rng():
        ensemble = Ensemble(settings, 4).eval()
    labeller = Labeller(settings, labels, Decision(threshold=0.4), ensemble, index, train)
    labeller.save(module_path / "labeller")
    write_noise(module_path / "photos", range(5))
    (module_path / "photos/notes.txt").write_text("no image")
    return module_path


def label(folder, *options):
    """Label the photos in this process; return the tables' bytes."""
    given = ["label", str(folder / "photos"), "--output", str(folder / "labeller"), "--top", "2"]
    assert main([*given, *options]) == 0
    return read(folder)


def read(folder):
    results = folder / "labeller/labelled/photos"
    assert not (results / "parts").exists()
    return {name: (results / name).read_bytes() for name in TABLES}


@pytest.mark.slow
def test_two_processes_write_the_tables_of_one(folder):
    wanted = label(folder)
    assert wanted["submission.csv"].count(b"\n") == 6
    results = folder / "labeller/labelled/photos"
    for name in TABLES:
        (results / name).unlink()
    script = folder / "small_parts.py"
    script.write_text(SMALL_PARTS)
    arguments = ["label", folder / "photos", "--output", folder / "labeller", "--top", "2"]
    result = launch(script, *arguments)
    assert result.returncode == 0, result.stderr[-3000:]
    assert read(folder) == wanted
    assert result.stdout.count("one of 2") == 2
    assert result.stdout.count("5 images labelled, 1 files skipped") == 1


@pytest.mark.slow
def test_what_has_ended_goes_on_with_what_is_done_for_the_same_images(folder, monkeypatch):
    wanted, explain, labelled = label(folder), Labeller.explain_all, []

    def explain_two_parts(labeller, paths, *arguments):
        if len(labelled) == 2:
            raise OSError("the power fails")
        labelled.append([path.stem for path in paths])
        return explain(labeller, paths, *arguments)

    monkeypatch.setattr(label_files, "PART", 2)
    monkeypatch.setattr(Labeller, "explain_all", explain_two_parts)
    given = ["label", str(folder / "photos"), "--output", str(folder / "labeller"), "--top", "2"]
    assert main([*given, "--no-review"]) == 2
    assert labelled == [["0", "1"], ["2", "3"]]
    write_noise(folder / "photos", [1], (30, 50))  # another image of the same name
    labelled.clear()
    found = label(folder, "--no-review")
    assert labelled == [["0", "1"], ["4"]]
    monkeypatch.undo()
    assert found == label(folder)
    assert found["labels.csv"] != wanted["labels.csv"]
