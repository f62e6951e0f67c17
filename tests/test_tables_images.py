"""Image files: found, read, checked, skipped; single faults of them are in `test_faults.py`."""

import json
import os
import shutil
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from bad_inputs import IDS, write_sound_collection
from PIL import Image
from small_data import noise

from imet_tools.sample import load_boxes
from imet_utils.files import hash_file
from imet_utils.tables import (
    find_images,
    limit_images,
    load_collection,
    load_tables,
    load_unlabelled,
    read_image,
    read_skipped,
    read_thumbnail,
    submission_ids,
)
from imet_utils.tables.checks import check_images
from imet_utils.tables.images import measure_image


def touch(folder, *names):
    folder.mkdir(exist_ok=True)
    for name in names:
        (folder / name).touch()


def test_find_images_in_the_order_asked_for(tmp_path):
    names = ["a.png", "b.JPG", "c.1.Jpeg", "e\u0301.png", "f.tif", "g.TIFF", "h.webp", "i.Gif"]
    touch(tmp_path, *names, "j.bmp", "a.txt", "._a.png", "other.png")
    ids = ["c.1", "a", "b", "\u00e9", "f", "g", "h", "i", "j"]
    found = [path.name for path in find_images(tmp_path, ids)]
    assert found == ["c.1.Jpeg", "a.png", "b.JPG", *names[3:], "j.bmp"]
    assert find_images(tmp_path, []) == []
    touch(tmp_path, "two  words .png", "b.png")
    ids = ["two words", "two words.png", "a.png", "b.JPG", "E\u0301.png".lower()]
    found = [path.name for path in find_images(tmp_path, ids)]
    assert found == ["two  words .png"] * 2 + ["a.png", "b.JPG", names[3]]


def test_find_images_is_refused_with_all_that_is_missing_or_doubtful(tmp_path):
    touch(tmp_path, "a.png", "a.jpg", "b.png", os.fsdecode(b"c.p\xf1g"))
    with pytest.raises(ValueError, match="3 faults") as error:
        find_images(tmp_path, ["x", "b", "c", "a"])
    assert r"no image c; there is c.p\xf1g" in str(error.value)


def test_ids_to_predict_are_those_of_the_table_or_of_all_images_of_test(tmp_path):
    (tmp_path / "sample_submission.csv").write_text("id,attribute_ids\nb,0 1\n0012,0\na,\n")
    assert submission_ids(tmp_path) == []
    touch(tmp_path / "test", "b.png", "a.1.jpg", "c.TIF", "d.webp", "e.gif", "f.bmp", "g.JPG")
    touch(tmp_path / "test", "notes.txt", "h.jxl", ".DS_Store", "Thumbs.db", "desktop.ini")
    assert submission_ids(tmp_path) == ["b", "0012", "a"]
    (tmp_path / "sample_submission.csv").unlink()
    assert submission_ids(tmp_path) == ["a.1", "b", "c", "d", "e", "f", "g"]


def test_load_boxes_gives_shares_of_width_and_height_by_label(tmp_path):
    (tmp_path / "train").mkdir()
    for name in "ab":
        Image.new("RGB", (200, 100)).save(tmp_path / "train" / f"{name}.png")
    assert load_boxes(tmp_path, ["a"], {7: "tag::men"}) == [{}]
    drawn = [{"label": 7, "box": [20, 10, 100, 50]}, {"label": 8, "box": [0, 0, 1, 1]}]
    (tmp_path / "boxes.json").write_text(json.dumps({"a": [*drawn, drawn[0]]}))
    first, second = load_boxes(tmp_path, ["a", "b"], {7: "tag::men"})
    assert list(first) == ["tag::men"]
    np.testing.assert_allclose(first["tag::men"], [[0.1, 0.1, 0.5, 0.5]] * 2)
    assert second == {}


@pytest.mark.parametrize("suffix", ["jpg", "png", "tif", "webp"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_measured_is_the_size_of_what_is_read(tmp_path, suffix, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = tmp_path / f"a.{suffix}"
    noise(50, 20).save(path, exif=exif)
    assert read_image(path).size == ((20, 50) if orientation >= 5 else (50, 20))
    assert measure_image(path) == read_image(path).size
    assert read_thumbnail(path, 10).size == ((4, 10) if orientation >= 5 else (10, 4))
    assert read_thumbnail(path, 60).size == read_image(path).size


@pytest.mark.parametrize(
    "mode", ["1", "L", "LA", "La", "P", "I;16", "CMYK", "YCbCr", "RGBa", "HSV"]
)
def test_images_of_pillow_are_read_in_any_mode_or_refused_as_a_file_is(mode):
    image = Image.new(mode, (3, 2)) if mode in ("La", "RGBa") else noise().convert(mode)
    assert read_image(image).mode == "RGB"
    for deep in ("I", "F"):
        with pytest.raises(ValueError, match="32 bits a pixel, where 8 or 16 are read"):
            read_image(Image.new(deep, (3, 2)))


def test_a_thumbnail_shows_what_the_whole_image_does(tmp_path):
    whole = noise(31, 23).resize((900, 670), Image.Resampling.BICUBIC)
    whole.save(tmp_path / "a.jpg", quality=95)
    small = read_thumbnail(tmp_path / "a.jpg", 100)
    wanted = whole.resize(small.size, Image.Resampling.LANCZOS)
    assert np.abs(np.asarray(small, int) - np.asarray(wanted, int)).mean() < 3


def test_measuring_fails_on_every_part_of_a_file_that_reading_fails_on(tmp_path):
    path = tmp_path / "a.jpg"
    for progressive in (False, True):
        noise(90, 70).save(path, progressive=progressive)
        whole = path.read_bytes()
        for length in range(0, len(whole), 97):
            path.write_bytes(whole[:length])
            for read in (read_image, measure_image, partial(read_thumbnail, side=9)):
                with pytest.raises(ValueError, match=r"a\.jpg: "):
                    read(path)


def test_too_little_memory_is_no_fault_of_the_image(tmp_path, monkeypatch):
    noise().save(tmp_path / "a.png")

    def fail(_):
        raise MemoryError

    monkeypatch.setattr(Image.Image, "load", fail)
    with pytest.raises(MemoryError):
        read_image(tmp_path / "a.png")


@pytest.fixture
def images(tmp_path):
    """Return a folder of five images, of which `c` is empty and `e` is missing."""
    touch(tmp_path / "images", "c.png")
    for number, name in enumerate("abd"):
        noise(10 + number, 20).save(tmp_path / f"images/{name}.png")
    return tmp_path / "images"


@pytest.fixture
def decoded(monkeypatch):
    """Return a list to which the names of decoded files are added."""
    names = []
    load = Image.open

    def note(path, *arguments, **options):
        names.append(Path(path).name)
        return load(path, *arguments, **options)

    monkeypatch.setattr(Image, "open", note)
    return names


@pytest.mark.parametrize("num_workers", [0, 2])
def test_each_id_has_its_size_or_its_fault(images, tmp_path, num_workers):
    checked = check_images(images, list("edcba"), tmp_path / "out/memory.json", num_workers)
    assert checked["id"].tolist() == list("edcba")
    assert checked["file"].tolist() == ["", "d.png", "c.png", "b.png", "a.png"]
    assert checked["width"].tolist() == [0, 12, 0, 11, 10]
    assert checked["height"].tolist() == [0, 20, 0, 20, 20]
    assert checked["fault"].ne("").tolist() == [True, False, True, False, False]
    assert "no image e" in checked["fault"][0]
    assert "empty file" in checked["fault"][2]


def test_only_new_changed_and_bad_files_are_decoded_again(images, tmp_path, decoded):
    ids, memory = list("abcde"), tmp_path / "memory.json"
    first = check_images(images, ids, memory)
    assert check_images(images, ids, memory).equals(first)
    assert decoded == ["a.png", "b.png", "d.png"]
    os.utime(images / "a.png", (1, 1))
    (images / "b.png").write_bytes((images / "b.png").read_bytes()[:50])
    noise(7, 8).save(images / "c.png")
    noise(5, 6).save(images / "e.png")
    for names in ("abce", "b"):
        decoded.clear()
        again = check_images(images, ids, memory)
        assert decoded == [f"{name}.png" for name in names]
        assert again.loc[again["fault"].ne(""), "id"].tolist() == ["b"]
    assert again["width"].tolist() == [10, 0, 7, 12, 5]
    hashes = [hash_file(images / f"{name}.png") for name in "acde"]
    assert again["hash"].tolist() == [hashes[0], "", *hashes[1:]]


@pytest.fixture
def folder(tmp_path):
    """A collection with `test/`, in which images `b` of `train/` and `t` of `test/` are empty."""
    (tmp_path / "data").mkdir()
    write_sound_collection(tmp_path / "data")
    shutil.copytree(tmp_path / "data/train", tmp_path / "data/test")
    (tmp_path / "data/train/b.png").write_bytes(b"")
    (tmp_path / "data/test/t.png").write_bytes(b"")
    return tmp_path / "data"


def mend(folder):
    shutil.copy(folder / "train/a.png", folder / "train/b.png")
    shutil.copy(folder / "train/a.png", folder / "test/t.png")


def test_all_faults_are_reported_at_once(folder, tmp_path):
    (folder / "train/d.png").unlink()
    with pytest.raises(ValueError, match="3 faults:") as error:
        load_collection(folder, tmp_path / "out")
    message = str(error.value)
    assert f"{folder}/train/b.png: " in message
    assert f"{folder}/train: no image d" in message
    assert f"{folder}/test/t.png: " in message
    assert message.endswith('set ON_BAD_IMAGE = "skip".')


def test_skipped_images_are_left_out_and_listed_until_they_are_mended(folder, tmp_path):
    collection = load_collection(folder, tmp_path / "out", on_bad_image="skip")
    assert collection.tables.images["id"].tolist() == list(IDS.replace("b", ""))
    assert collection.tables.images.index.tolist() == list(range(len(IDS) - 1))
    assert collection.sizes.tolist() == [[40, 30]] * (len(IDS) - 1)
    listed = read_skipped(tmp_path / "out")
    assert listed.to_numpy().tolist() == collection.skipped.to_numpy().tolist()
    assert listed[["folder", "id", "file"]].to_numpy().tolist() == [
        ["train", "b", "b.png"],
        ["test", "t", "t.png"],
    ]
    unlabelled = load_unlabelled(folder, tmp_path / "out", "skip")
    assert unlabelled["id"].tolist() == list(IDS)
    assert unlabelled["path"].isna().tolist() == [*[False] * (len(IDS) - 1), True]
    assert read_skipped(tmp_path / "out").equals(listed)  # those of train/ stay
    mend(folder)
    assert len(load_collection(folder, tmp_path / "out").tables.images) == len(IDS)
    assert not (tmp_path / "out/skipped_images.csv").exists()
    assert read_skipped(tmp_path / "out").empty


def test_files_of_test_that_are_no_images_are_listed_and_do_no_harm(folder, tmp_path):
    mend(folder)
    touch(folder / "test", "a.jxl", "notes.txt", ".DS_Store", "Thumbs.db", "Desktop.ini")
    touch(folder / "test", os.fsdecode(b"Mu\xf1oz.txt"))  # no UTF-8
    noise().save(folder / "test/u.TIF")
    collection = load_collection(folder, tmp_path / "out")
    unlabelled = load_unlabelled(folder, tmp_path / "out")
    assert unlabelled["id"].tolist() == [*IDS, "u"]
    assert unlabelled["path"].iloc[-1] == folder / "test/u.TIF"
    assert collection.skipped["folder"].tolist() == ["test"] * 3
    assert collection.skipped["file"].tolist() == [r"Mu\xf1oz.txt", "a.jxl", "notes.txt"]
    assert read_skipped(tmp_path / "out").equals(collection.skipped)
    (folder / "sample_submission.csv").write_text("id\nu\n")  # which says what is to be labelled
    assert load_collection(folder, tmp_path / "out").skipped.empty
    assert load_unlabelled(folder, tmp_path / "out")["id"].tolist() == ["u"]


def test_images_of_test_that_came_later_are_judged_by_themselves(folder, tmp_path):
    mend(folder)
    load_collection(folder, tmp_path / "out")
    touch(folder / "test", "new.png")
    with pytest.raises(ValueError, match=r"test/new\.png: an empty file"):
        load_unlabelled(folder, tmp_path / "out")
    shutil.rmtree(folder / "test")
    assert load_unlabelled(folder, tmp_path / "out").empty


def test_images_beyond_the_limit_are_not_checked(folder, tmp_path):
    shutil.rmtree(folder / "test")
    tables = load_tables(folder)
    seeds = [s for s in range(9) if "b" not in set(limit_images(tables, 10, s).images["id"])]
    collection = load_collection(folder, tmp_path / "out", limit=10, seed=seeds[0])
    limited = limit_images(tables, 10, seeds[0]).images
    assert collection.tables.images[limited.columns].equals(limited)


@pytest.mark.parametrize("name", ["train", "test"])
def test_a_folder_without_a_usable_image_cannot_be_skipped(folder, tmp_path, name):
    for path in (folder / name).iterdir():
        path.write_bytes(b"")
    with pytest.raises(ValueError, match=rf"No image of {name}/"):
        load_collection(folder, tmp_path / "out", on_bad_image="skip")
    with pytest.raises(ValueError, match=r"on_bad_image .* got 'ignore'"):
        load_collection(folder, tmp_path / "out", on_bad_image="ignore")
