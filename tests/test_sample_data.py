import hashlib
import json
import os
import subprocess
import sys
from collections import Counter

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from small_data import SHARED, needs

from imet_tools.sample import collection as writer
from imet_tools.sample import draw_records, image_id, render_image, write_sample_data
from imet_tools.sample.motifs import MOTIFS
from imet_tools.sample.pen import SUPERSAMPLE, Canvas
from imet_tools.sample.styles import STYLES
from imet_tools.sample.vocabulary import CULTURES, UNNOTED, VOCABULARY

TAGS = [name.removeprefix("tag::") for name in VOCABULARY if name.startswith("tag::")]


@pytest.fixture(scope="module")
def records():
    return draw_records(1200, seed=0)


def read_rows(path):
    return pd.read_csv(path, dtype=str).to_dict("records")


@pytest.fixture(scope="module")
def collection(module_path):
    return write_sample_data(module_path / "data", 12, seed=3, num_test=3)


def contents(folder):
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_labels_are_as_many_as_in_the_competition_and_some_are_not_annotated(records):
    assert list(VOCABULARY) == sorted(set(VOCABULARY))
    assert set(CULTURES) <= set(STYLES)
    counts = [len(record.labels) for record in records]
    assert 1 <= min(counts) <= max(counts) <= 8
    assert 3.0 <= np.mean(counts) <= 3.5
    without = np.mean([not any(n.startswith("culture::") for n in r.labels) for r in records])
    assert 0.08 <= without <= 0.14
    annotated = 0
    for record in records:
        tags = {n.removeprefix("tag::") for n in record.labels if n.startswith("tag::")}
        assert tags <= set(record.drawn) - UNNOTED
        annotated += len(tags)
    assert 0.08 <= 1 - annotated / sum(len(record.drawn) for record in records) <= 0.18


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_label_frequencies_are_long_tailed_with_a_few_rare_ones(seed):
    counts = Counter(name for record in draw_records(1200, seed) for name in record.labels)
    every = np.array([counts[name] for name in VOCABULARY])
    assert set(counts) <= set(VOCABULARY)
    assert 3 <= (every < 3).sum() <= 12
    assert (every[every >= 3] >= 8).mean() > 0.8
    assert every.max() > 10 * np.median(every)
    kept = [name for name in VOCABULARY if counts[name] >= 3]
    assert sum(name.startswith("culture::") for name in kept) >= 12
    assert sum(name.startswith("tag::") for name in kept) >= 40


@pytest.mark.parametrize(
    ("wanted", "given", "lift"),
    [
        ("tag::bodies of water", "bridges", 2),
        ("tag::men", "horse riding", 2),
        ("culture::egyptian", "hieroglyphs", 3),
    ],
)
def test_labels_depend_on_each_other(records, wanted, given, lift):
    """P(wanted | given) is so many times that of any image."""
    found = np.array([wanted in record.labels for record in records])
    chosen = np.array([f"tag::{given}" in record.labels for record in records])
    assert found[chosen].mean() > lift * found.mean()


@needs("imet2019")
def test_all_names_are_of_the_competition():
    rows = read_rows(SHARED / "imet2019/labels.csv")
    assert {row["attribute_name"] for row in rows} >= set(VOCABULARY)


def test_every_tag_is_drawn_within_the_picture():
    for number, tag in enumerate(TAGS):
        style = list(STYLES)[number % len(STYLES)]
        image, boxes = render_image([tag], style, np.random.default_rng(number))
        assert tag in {name for name, _ in boxes}, (tag, style)
        width, height = image.size
        for name, (left, top, right, bottom) in boxes:
            assert 0 <= left < right <= width, (name, style)
            assert 0 <= top < bottom <= height, (name, style)
        largest = max((r - x) * (b - y) for name, (x, y, r, b) in boxes if name == tag)
        assert largest >= 0.001 * width * height, (tag, style)


def test_a_box_is_where_the_motif_is():
    """A motif drawn alone in bright ink lies in its frame's extent, to the pixel."""
    canvas = Canvas(120, 90, STYLES["italian"], np.random.default_rng(0))
    blank = np.asarray(canvas.image.reduce(SUPERSAMPLE)).astype(int)
    frame = canvas.frame(30, 20, 50, 40, flip=True, tilt=0.2)
    MOTIFS["horses"][0](frame)
    changed = np.abs(np.asarray(canvas.image.reduce(SUPERSAMPLE)).astype(int) - blank).sum(2) > 60
    rows, columns = np.nonzero(changed)
    found = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
    assert np.abs(np.array(found) - frame.extent).max() <= 2.5


def test_the_layout_is_the_competitions_and_boxes_are_of_labels_that_the_image_has(collection):
    train, labels = read_rows(collection / "train.csv"), read_rows(collection / "labels.csv")
    assert list(train[0]) == ["id", "attribute_ids"]
    assert [row["attribute_name"] for row in labels] == list(VOCABULARY)
    assert [int(row["attribute_id"]) for row in labels] == list(range(len(VOCABULARY)))
    ids = [row["id"] for row in train]
    assert ids == sorted(set(ids))
    assert all(len(name) == 16 and set(name) <= set("0123456789abcdef") for name in ids)
    assert {path.stem for path in (collection / "train").glob("*.png")} == set(ids)
    submission = {row["id"] for row in read_rows(collection / "sample_submission.csv")}
    assert submission == {path.stem for path in (collection / "test").iterdir()}
    assert len(submission - set(ids)) == 3
    named = {
        tuple(labels[int(number)]["attribute_name"] for number in row["attribute_ids"].split())
        for row in train
    }
    assert named == {record.labels for record in draw_records(12, seed=3)}
    boxes = json.loads((collection / "boxes.json").read_text())
    for row in train:
        numbers = map(int, row["attribute_ids"].split())
        tags = {number for number in numbers if [*VOCABULARY][number].startswith("tag")}
        assert {entry["label"] for entry in boxes[row["id"]]} == tags
        with Image.open(collection / "train" / f"{row['id']}.png") as image:
            assert (image.mode, min(image.size)) == ("RGB", 300)


def test_a_seed_gives_the_same_bytes_whatever_the_number_and_the_processes(
    collection, tmp_path, monkeypatch
):
    monkeypatch.setattr(writer, "FEW", 0)  # in processes of their own
    fewer = write_sample_data(tmp_path / "fewer", 4, seed=3, num_test=1)
    first, second = contents(collection), contents(fewer)
    images = [name for name in second if name.endswith(".png")]
    assert len(images) == 5
    assert all(second[name] == first[name] for name in images)
    assert second["labels.csv"] == first["labels.csv"]
    boxes = [json.loads(files["boxes.json"]) for files in (first, second)]
    assert all(boxes[1][name] == boxes[0][name] for name in boxes[1])
    assert image_id(3, 0) != image_id(4, 0) != image_id(4, 0, "test")


OTHER_MACHINES = [  # the last two choose BLAS kernels of other CPUs
    {"PYTHONHASHSEED": "1"},
    {"PYTHONHASHSEED": "2", "OPENBLAS_CORETYPE": "Prescott"},
    {"PYTHONHASHSEED": "3", "OPENBLAS_CORETYPE": "SkylakeX"},
]
DRAW = """
import hashlib, numpy as np
from imet_tools.sample.collection import draw_record, render_image
digest = hashlib.sha256()
for number in (0, 19, 38, 41):
    rng = np.random.default_rng([9, number])
    record = draw_record(rng)
    image, boxes = render_image(record.drawn, record.style, rng)
    digest.update(image.tobytes() + repr((record, boxes)).encode())
print(digest.hexdigest())
"""


@pytest.mark.slow
def test_hash_seed_and_cpu_change_nothing():
    """Matrix products of these three records once differed between kernels of BLAS."""
    command = [sys.executable, "-c", DRAW]
    digests = {subprocess.check_output(command, env=os.environ | own) for own in OTHER_MACHINES}
    assert len(digests) == 1
    assert len(digests.pop().strip()) == hashlib.sha256().digest_size * 2


def test_a_complete_collection_is_kept_and_another_one_replaced(tmp_path):
    folder = write_sample_data(tmp_path / "data", 2, seed=1, num_test=0)
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    assert write_sample_data(folder, 2, seed=1, num_test=0) == folder
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*")} == before
    next((folder / "train").iterdir()).unlink()  # no longer complete
    write_sample_data(folder, 2, seed=1, num_test=0)
    assert len(list((folder / "train").iterdir())) == 2
    write_sample_data(folder, 3, seed=2)
    assert len(list((folder / "train").iterdir())) == 3
    assert [path.name for path in tmp_path.iterdir()] == ["data"]


def test_other_folders_are_refused_and_left_alone_and_a_crash_leaves_nothing(tmp_path, monkeypatch):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(FileExistsError, match="no sample collection"):
        write_sample_data(tmp_path, 2)
    with pytest.raises(FileExistsError, match="is a file"):
        write_sample_data(tmp_path / "notes.txt", 2)
    folder = write_sample_data(tmp_path / "data", 1, num_test=0)
    (folder / "my predictions.csv").write_text("mine")
    with pytest.raises(FileExistsError, match="my predictions"):
        write_sample_data(folder, 2)
    assert (folder / "my predictions.csv").read_text() == "mine"
    with pytest.raises(ValueError, match="wanted at least"):
        write_sample_data(tmp_path / "new", 0)
    monkeypatch.setattr(writer, "render_image", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        write_sample_data(tmp_path / "new", 2)
    assert {path.name for path in tmp_path.iterdir()} == {"notes.txt", "data"}
