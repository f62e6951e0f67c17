import json
import os
import subprocess
import sys
from collections import Counter

import numpy as np
import pytest
from PIL import Image
from small_data import SHARED, needs, read_rows

from imet_tools.sample import collection as writer
from imet_tools.sample import draw_records, image_id, render_image, write_sample_data
from imet_tools.sample.motifs import MOTIFS
from imet_tools.sample.pen import SUPERSAMPLE, Canvas
from imet_tools.sample.styles import STYLES
from imet_tools.sample.vocabulary import UNNOTED, VOCABULARY

TAGS = [name.removeprefix("tag::") for name in VOCABULARY if name.startswith("tag::")]


@pytest.fixture(scope="module")
def collection(module_path):
    return write_sample_data(module_path / "data", 12, seed=3, num_test=3)


def contents(folder):
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_labels_are_long_tailed_as_in_the_competition_and_some_are_not_annotated(seed):
    assert list(VOCABULARY) == sorted(set(VOCABULARY))
    records = draw_records(1200, seed)
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
    images = Counter(name for record in records for name in record.labels)
    assert images.keys() <= set(VOCABULARY)
    every = np.array([images[name] for name in VOCABULARY])
    assert 3 <= (every < 3).sum() <= 12
    assert (every[every >= 3] >= 8).mean() > 0.8
    assert every.max() > 10 * np.median(every)
    kept = Counter(name.split("::")[0] for name in VOCABULARY if images[name] >= 3)
    assert kept["culture"] >= 12
    assert kept["tag"] >= 40


def test_labels_depend_on_each_other():
    """P(wanted | given) is so many times that of any image."""
    records = draw_records(1200, seed=0)
    pairs = {"tag::bridges": "tag::bodies of water", "tag::horse riding": "tag::men"}
    for given, wanted in pairs.items():
        found, chosen = np.array([[k in own.labels for own in records] for k in (wanted, given)])
        assert found[chosen].mean() > 2 * found.mean()


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
    frame = canvas.frame(30, 20, 50, 40, flip=True, tilt=0.2)
    blank = np.asarray(canvas.image.reduce(SUPERSAMPLE)).astype(int)
    MOTIFS["horses"][0](frame)
    changes = np.asarray(canvas.image.reduce(SUPERSAMPLE)) - blank
    rows, columns = np.nonzero(np.abs(changes).sum(2) > 60)
    found = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
    assert np.abs(np.array(found) - frame.extent).max() <= 2.5


def test_the_layout_is_the_competitions_and_boxes_are_of_labels_that_the_image_has(collection):
    train, labels = read_rows(collection / "train.csv"), read_rows(collection / "labels.csv")
    assert [int(row["attribute_id"]) for row in labels] == [*range(len(VOCABULARY))]
    assert [row["attribute_name"] for row in labels] == [*VOCABULARY]
    labels_of = {
        row["id"]: tuple([*VOCABULARY][int(number)] for number in row["attribute_ids"].split())
        for row in train
    }
    assert [row["id"] for row in train] == sorted(labels_of)
    assert all(len(name) == 16 and set(name) <= set("0123456789abcdef") for name in labels_of)
    assert {path.stem for path in (collection / "train").glob("*.png")} == labels_of.keys()
    submission = {row["id"] for row in read_rows(collection / "sample_submission.csv")}
    assert submission == {path.stem for path in (collection / "test").iterdir()}
    assert len(submission - labels_of.keys()) == 3
    assert set(labels_of.values()) == {record.labels for record in draw_records(12, seed=3)}
    boxes = json.loads((collection / "boxes.json").read_text())
    for name, shown in labels_of.items():
        found = {[*VOCABULARY][entry["label"]] for entry in boxes[name]}
        assert found == {label for label in shown if label.startswith("tag")}
        with Image.open(collection / "train" / f"{name}.png") as image:
            assert (image.mode, min(image.size)) == ("RGB", 300)


def test_a_seed_gives_the_same_bytes_however_many(collection, tmp_path, monkeypatch):
    monkeypatch.setattr(writer, "FEW", 0)  # in processes of their own
    fewer = write_sample_data(tmp_path / "fewer", 4, seed=3, num_test=1)
    first, second = contents(collection), contents(fewer)
    same = [name for name in second if name.endswith(".png")] + ["labels.csv"]
    assert len(same) == 6
    assert all(second[name] == first[name] for name in same)
    boxes = [json.loads(files["boxes.json"]) for files in (first, second)]
    assert boxes[1].items() <= boxes[0].items()
    assert image_id(3, 0) != image_id(4, 0) != image_id(4, 0, "test")
    assert draw_records(4, seed=3) != draw_records(4, seed=4)


@pytest.mark.slow
def test_hash_seed_and_cpu_change_nothing():
    """Matrix products of these records once differed between kernels of BLAS."""
    draw = """if True:
        import hashlib, numpy as np
        from imet_tools.sample.collection import draw_record, render_image
        for number in (0, 19, 38, 41):
            rng = np.random.default_rng([9, number])
            record = draw_record(rng)
            image, boxes = render_image(record.drawn, record.style, rng)
            print(hashlib.sha256(image.tobytes()).hexdigest(), record, boxes)
    """
    kernels = ["Prescott", "SkylakeX"]  # of BLAS, of other CPUs
    others = [{"PYTHONHASHSEED": "1"}, *({"OPENBLAS_CORETYPE": kernel} for kernel in kernels)]
    command = [sys.executable, "-c", draw]
    drawn = {subprocess.check_output(command, env=os.environ | own) for own in others}
    assert len(drawn) == 1


def test_a_complete_collection_is_kept_and_another_one_replaced(tmp_path):
    folder = write_sample_data(tmp_path / "data", 2, seed=1, num_test=0)
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    assert write_sample_data(folder, 2, seed=1, num_test=0) == folder
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*")} == before
    next((folder / "train").iterdir()).unlink()  # no longer complete
    for number, seed in ((2, 1), (3, 2)):
        write_sample_data(folder, number, seed=seed, num_test=0)
        assert len(list((folder / "train").iterdir())) == number
    assert [path.name for path in tmp_path.iterdir()] == ["data"]


def test_other_folders_are_refused_and_left_alone_and_a_crash_leaves_nothing(tmp_path, monkeypatch):
    (tmp_path / "notes.txt").write_text("mine")
    for place, why in ((tmp_path, "no sample collection"), (tmp_path / "notes.txt", "is a file")):
        with pytest.raises(FileExistsError, match=why):
            write_sample_data(place, 2)
    folder = write_sample_data(tmp_path / "data", 1, num_test=0)
    (folder / "my predictions.csv").write_text("mine")
    with pytest.raises(FileExistsError, match="my predictions"):
        write_sample_data(folder, 2)
    with pytest.raises(ValueError, match="wanted at least"):
        write_sample_data(tmp_path / "new", 0)
    monkeypatch.setattr(writer, "render_image", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        write_sample_data(tmp_path / "new", 2)
    assert {path.name for path in tmp_path.iterdir()} == {"notes.txt", "data"}
    assert (folder / "my predictions.csv").read_text() == "mine"
