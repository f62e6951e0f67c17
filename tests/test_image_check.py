import os

import pytest
from PIL import Image

from imet_utils import image_check
from imet_utils.image_check import check_images

# Python 3.12 warns whenever a process with threads forks; torch's loader does so on Linux.
FORK = "ignore:This process .* is multi-threaded:DeprecationWarning"


@pytest.fixture
def folder(tmp_path):
    """Five images, of which `c` is empty and `e` is missing."""
    (tmp_path / "train").mkdir()
    for number, name in enumerate("abd"):
        Image.new("RGB", (10 + number, 20)).save(tmp_path / f"train/{name}.png")
    (tmp_path / "train/c.png").touch()
    return tmp_path / "train"


@pytest.fixture
def decoded(monkeypatch):
    """Return a list to which the names of decoded files are added."""
    names = []

    def measure(path):
        names.append(os.path.basename(path))
        return original(path)

    original = image_check.measure_image
    monkeypatch.setattr(image_check, "measure_image", measure)
    return names


@pytest.mark.filterwarnings(FORK)
@pytest.mark.parametrize("num_workers", [0, 2])
def test_each_id_has_its_size_or_its_fault(folder, tmp_path, num_workers):
    checked = check_images(folder, list("edcba"), tmp_path / "out/memory.csv", num_workers)
    assert checked["id"].tolist() == list("edcba")
    assert checked["file"].tolist() == ["", "d.png", "c.png", "b.png", "a.png"]
    assert checked["width"].tolist() == [0, 12, 0, 11, 10]
    assert checked["height"].tolist() == [0, 20, 0, 20, 20]
    assert checked["fault"].tolist() == [
        "no file e.png, e.jpg or e.jpeg. Add it", "",
        "an empty file of 0 bytes. Fetch it again", "", "",
    ]  # fmt: skip


def test_only_new_changed_and_faulty_files_are_decoded_again(folder, tmp_path, decoded):
    memory = tmp_path / "memory.csv"
    first = check_images(folder, list("abcde"), memory)
    assert decoded == ["a.png", "b.png", "c.png", "d.png"]
    decoded.clear()
    assert check_images(folder, list("abcde"), memory).equals(first)
    assert decoded == ["c.png"]
    decoded.clear()
    os.utime(folder / "a.png", (1, 1))
    Image.new("RGB", (7, 8)).save(folder / "c.png")
    Image.new("RGB", (5, 6)).save(folder / "e.png")
    again = check_images(folder, list("abcde"), memory)
    assert decoded == ["a.png", "c.png", "e.png"]
    assert again["fault"].eq("").all()
    assert again["width"].tolist() == [10, 11, 7, 12, 5]


def test_a_good_image_that_becomes_bad_is_found(folder, tmp_path):
    check_images(folder, list("abd"), tmp_path / "memory.csv")
    (folder / "b.png").write_bytes((folder / "b.png").read_bytes()[:50])
    checked = check_images(folder, list("abd"), tmp_path / "memory.csv")
    assert checked.loc[checked["fault"].ne(""), "id"].tolist() == ["b"]


@pytest.mark.parametrize("content", [b"", b"no table", b"file,bytes\na.png,9\n", b"\xff\xfe\0"])
def test_a_damaged_memory_is_not_used(folder, tmp_path, decoded, content):
    memory = tmp_path / "memory.csv"
    memory.write_bytes(content)
    check_images(folder, list("ab"), memory)
    assert decoded == ["a.png", "b.png"]
    check_images(folder, list("ab"), memory)
    assert decoded == ["a.png", "b.png"]


def test_a_missing_folder_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError, match="train is missing: it must be the folder"):
        check_images(tmp_path / "train", ["a"], tmp_path / "memory.csv")
