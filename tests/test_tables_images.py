"""Image files: found, read, checked, skipped; single faults of them are in `test_faults.py`."""

import json
import os
import shutil
from functools import partial
from unittest.mock import Mock

import numpy as np
import pytest
from bad_inputs import IDS, write_sound_collection
from PIL import Image
from small_data import noise, write_noise

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
    touch(tmp_path, "two  words .png", "b.png", os.fsdecode(b"x.p\xf1g"))
    ids = ["two words", "two words.png", "a.png", "b.JPG", "E\u0301.png".lower()]
    found = [path.name for path in find_images(tmp_path, ids)]
    assert found == ["two  words .png"] * 2 + ["a.png", "b.JPG", names[3]]
    with pytest.raises(ValueError, match=r"2 faults:\s.*b\.JPG, b\.png.*\s.*there is x\.p\\xf1g"):
        find_images(tmp_path, ["a", "b", "x"])


def test_load_boxes_gives_shares_of_width_and_height_by_label(tmp_path):
    write_noise(tmp_path / "train", "ab", (200, 100))
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
    ("mode", "given", "level"), [("La", 0, 255), ("RGBa", 0, 255), ("I;16", 8224, 32)]
)
def test_images_of_pillow_are_read_in_any_mode_or_refused_as_a_file_is(mode, given, level):
    assert read_image(Image.new(mode, (1, 1), given)).getpixel((0, 0)) == (level,) * 3
    with pytest.raises(ValueError, match="32 bits a pixel, where 8 or 16 are read"):
        read_image(Image.new("F", (3, 2)))


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
    (path,) = write_noise(tmp_path, "a")
    monkeypatch.setattr(Image.Image, "load", Mock(side_effect=MemoryError))
    with pytest.raises(MemoryError):
        read_image(path)


def test_each_id_has_its_size_or_its_fault_and_good_files_are_read_once(tmp_path, monkeypatch):
    ids, memory, images = list("edcba"), tmp_path / "out/memory.json", tmp_path / "images"
    touch(images, "c.png")
    for number, name in enumerate("abd"):
        noise(10 + number, 20).save(images / f"{name}.png")
    measure = Mock(side_effect=measure_image)
    monkeypatch.setattr("imet_utils.tables.checks.measure_image", measure)

    def check():
        """Check again; return the result and the files that were read."""
        measure.reset_mock()
        checked = check_images(images, ids, memory)
        return checked, "".join(call.args[0].stem for call in measure.call_args_list)

    first, read = check()
    assert read == "dcba"
    assert first["file"].tolist() == ["", "d.png", "c.png", "b.png", "a.png"]
    sizes = first[["width", "height"]].to_numpy().tolist()
    assert sizes == [[0, 0], [12, 20], [0, 0], [11, 20], [10, 20]]
    assert first["fault"].eq("").tolist() == [False, True, False, True, True]
    assert check_images(images, ids, tmp_path / "other.json", num_workers=2).equals(first)
    again, read = check()
    assert again.equals(first)
    assert read == "c"
    os.utime(images / "a.png", (1, 1))
    (images / "b.png").write_bytes((images / "b.png").read_bytes()[:50])
    noise(7, 8).save(images / "c.png")
    noise(5, 6).save(images / "e.png")
    assert check()[1] == "ecba"
    again, read = check()
    assert read == "b"
    assert again["width"].tolist() == [5, 12, 7, 0, 10]
    hashes = ["" if name == "b" else hash_file(images / f"{name}.png") for name in ids]
    assert again["hash"].tolist() == hashes


@pytest.fixture
def folder(tmp_path):
    """A sound collection that has the same images in `test/`."""
    write_sound_collection(tmp_path / "data")
    return shutil.copytree(tmp_path / "data/train", tmp_path / "data/test").parent


def test_bad_images_are_refused_together_or_left_out_and_listed_until_mended(folder, tmp_path):
    bad = folder / "train/b.png", folder / "test/t.png"
    for path in bad:
        path.write_bytes(b"")
    with pytest.raises(ValueError, match="2 faults:") as error:
        load_collection(folder, tmp_path / "out")
    assert [path for path in bad if f"{path}: an empty file" not in str(error.value)] == []
    collection = load_collection(folder, tmp_path / "out", on_bad_image="skip")
    assert collection.tables.images["id"].tolist() == list(IDS.replace("b", ""))
    assert collection.tables.images.index.tolist() == list(range(len(IDS) - 1))
    assert collection.sizes.tolist() == [[40, 30]] * (len(IDS) - 1)
    listed = read_skipped(tmp_path / "out")
    assert listed.to_numpy().tolist() == collection.skipped.to_numpy().tolist()
    places = [["train", "b", "b.png"], ["test", "t", "t.png"]]
    assert listed[["folder", "id", "file"]].to_numpy().tolist() == places
    unlabelled = load_unlabelled(folder, tmp_path / "out", "skip")
    assert unlabelled["id"].tolist() == list(IDS)
    assert unlabelled["path"].isna().tolist() == [*[False] * (len(IDS) - 1), True]
    assert read_skipped(tmp_path / "out").equals(listed)  # those of train/ stay
    for path in bad:
        shutil.copy(folder / "train/a.png", path)
    assert len(load_collection(folder, tmp_path / "out").tables.images) == len(IDS)
    assert read_skipped(tmp_path / "out").empty


def test_files_of_test_that_are_no_images_are_listed_and_do_no_harm(folder, tmp_path):
    touch(folder / "test", "a.jxl", "notes.txt", ".DS_Store", "Thumbs.db", "Desktop.ini")
    touch(folder / "test", os.fsdecode(b"Mu\xf1oz.txt"))  # no UTF-8
    noise().save(folder / "test/u.1.TIF")
    collection = load_collection(folder, tmp_path / "out")
    unlabelled = load_unlabelled(folder, tmp_path / "out")
    assert unlabelled["id"].tolist() == [*IDS, "u.1"]
    assert unlabelled["path"].iloc[-1] == folder / "test/u.1.TIF"
    assert collection.skipped["folder"].tolist() == ["test"] * 3
    assert collection.skipped["file"].tolist() == [r"Mu\xf1oz.txt", "a.jxl", "notes.txt"]
    assert read_skipped(tmp_path / "out").equals(collection.skipped)
    (folder / "sample_submission.csv").write_text("id\nu.1\nb\n")  # what is to be labelled
    assert load_collection(folder, tmp_path / "out").skipped.empty
    assert load_unlabelled(folder, tmp_path / "out")["id"].tolist() == ["u.1", "b"]


def test_images_of_test_that_came_later_are_judged_by_themselves(folder, tmp_path):
    load_collection(folder, tmp_path / "out")
    touch(folder / "test", "new.png")
    with pytest.raises(ValueError, match=r"test/new\.png: an empty file"):
        load_unlabelled(folder, tmp_path / "out")
    shutil.rmtree(folder / "test")
    assert load_unlabelled(folder, tmp_path / "out").empty
    (folder / "test").mkdir()
    assert load_unlabelled(folder, tmp_path / "out").empty


def test_images_beyond_the_limit_are_not_checked(folder, tmp_path):
    limited = limit_images(load_tables(folder), 10, seed=1).images
    for image_id in {*IDS} - {*limited["id"]}:
        touch(folder / "train", f"{image_id}.jpg")  # a second file of the id
    collection = load_collection(folder, tmp_path / "out", limit=10, seed=1)
    assert collection.tables.images[limited.columns].equals(limited)


@pytest.mark.parametrize("name", ["train", "test"])
def test_a_folder_without_a_usable_image_cannot_be_skipped(folder, tmp_path, name):
    for path in (folder / name).iterdir():
        path.write_bytes(b"")
    with pytest.raises(ValueError, match=rf"No image of {name}/"):
        load_collection(folder, tmp_path / "out", on_bad_image="skip")
    with pytest.raises(ValueError, match=r"on_bad_image .* got 'ignore'"):
        load_collection(folder, tmp_path / "out", on_bad_image="ignore")
