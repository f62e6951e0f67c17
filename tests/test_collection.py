"""Single faults are in `test_bad_inputs.py`."""

import shutil

import pytest
from bad_inputs import IDS, write_sound_collection

from imet_utils.collection import load_collection
from imet_utils.skipped_images import read_skipped
from imet_utils.tables import limit_images, load_tables


@pytest.fixture
def folder(tmp_path):
    """A collection with `test/`, in which images `b` of `train/` and `y` of `test/` are empty."""
    (tmp_path / "data").mkdir()
    write_sound_collection(tmp_path / "data")
    shutil.copytree(tmp_path / "data/train", tmp_path / "data/test")
    (tmp_path / "data/train/b.png").write_bytes(b"")
    (tmp_path / "data/test/t.png").write_bytes(b"")
    return tmp_path / "data"


def test_all_faults_are_told_at_once(folder, tmp_path):
    (folder / "train/d.png").unlink()
    with pytest.raises(ValueError, match="3 faults:") as error:
        load_collection(folder, tmp_path / "out")
    lines = str(error.value).splitlines()
    assert [line.split(": ")[-2].rsplit("/", 1)[1] for line in lines[1:4]] == [
        "b.png", "train", "t.png",
    ]  # fmt: skip
    assert lines[4] == 'Or leave such images out: set ON_BAD_IMAGE = "skip".'


def test_skipped_images_are_left_out_and_listed(folder, tmp_path):
    collection = load_collection(folder, tmp_path / "out", on_bad_image="skip")
    assert collection.tables.images["id"].tolist() == list(IDS.replace("b", ""))
    assert collection.tables.images.index.tolist() == list(range(len(IDS) - 1))
    assert collection.sizes.tolist() == [[40, 30]] * (len(IDS) - 1)
    listed = read_skipped(tmp_path / "out")[["folder", "id", "file", "line"]]
    assert listed.to_numpy().tolist() == [["train", "b", "b.png", "3"], ["test", "t", "t.png", ""]]


def test_the_list_goes_once_the_images_are_mended(folder, tmp_path):
    load_collection(folder, tmp_path / "out", on_bad_image="skip")
    shutil.copy(folder / "train/a.png", folder / "train/b.png")
    shutil.copy(folder / "train/a.png", folder / "test/t.png")
    collection = load_collection(folder, tmp_path / "out")
    assert len(collection.tables.images) == len(IDS)
    assert not (tmp_path / "out/skipped_images.csv").exists()


def test_images_beyond_the_limit_are_not_checked(folder, tmp_path):
    shutil.rmtree(folder / "test")
    tables = load_tables(folder)
    seeds = [s for s in range(9) if "b" not in set(limit_images(tables, 10, s).images["id"])]
    collection = load_collection(folder, tmp_path / "out", limit=10, seed=seeds[0])
    assert collection.tables.images.equals(limit_images(tables, 10, seeds[0]).images)


@pytest.mark.parametrize("name", ["train", "test"])
def test_a_folder_without_a_usable_image_cannot_be_skipped(folder, tmp_path, name):
    for path in (folder / name).iterdir():
        path.write_bytes(b"")
    with pytest.raises(ValueError, match=rf"and \d+ more\nNo image of {name}/ can be used\.$"):
        load_collection(folder, tmp_path / "out", on_bad_image="skip")


def test_an_unknown_choice_is_refused(folder, tmp_path):
    with pytest.raises(ValueError, match=r"must be one of \('error', 'skip'\), got 'ignore'"):
        load_collection(folder, tmp_path / "out", on_bad_image="ignore")
