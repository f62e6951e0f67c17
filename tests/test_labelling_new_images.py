"""New images: which files are taken, by which name and id, labels they have, and results."""

import os

import pandas as pd
import pytest
from PIL import Image

from imet_tools.labelling import new_images
from imet_utils.files import save_json
from imet_utils.tables import name_files

LABELS = pd.DataFrame(
    {"attribute_id": [7, 30, 4], "attribute_name": ["tag::dogs", "culture::french", "tag::men"]}
)


def write(folder, *names, kind="PNG"):
    for name in names:
        path = folder / os.fsdecode(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (8, 8)).save(path, kind)


@pytest.fixture
def photos(tmp_path):
    """A folder with two folders, hidden files, and a link in a circle."""
    folder = tmp_path / "photos"
    write(folder, "vase.png", "b/vase.png", "b/deep/urn.png", "c/bowl.png")
    write(folder, ".vase.png", "b/.thumbs/vase.png", "Thumbs.db")
    (folder / "c/round").symlink_to(folder)
    return folder


def check(*given):
    good, skipped = new_images.check_images(new_images.list_images(given))
    return {image.file: image.id for image in good}, dict(skipped.to_numpy().tolist())


def test_images_of_subfolders_are_taken_and_named_by_their_path_where_needed(photos):
    named = {"vase.png": "vase", "b/vase.png": "b_vase", "urn.png": "urn", "bowl.png": "bowl"}
    assert check(photos) == (named, {})
    assert check(photos / "b", photos, photos / "b/vase.png")[0] == named  # each once
    assert check(photos / "c/round/b/vase.png") == ({"vase.png": "vase"}, {})
    assert name_files([]) == []


def test_of_one_name_the_first_good_file_is_taken_and_no_name_that_can_be_no_id(photos):
    write(photos, "vase.tif", "a.tif", kind="TIFF")
    (photos / "a.jpg").write_bytes(b"no image")
    write(photos, "b_vase.png")  # the id of b/vase.png
    write(photos, b"Mu\xf1oz.png", "two\nlines.png", "Mu\u00f1oz.png")
    named, skipped = check(photos)
    assert (named["vase.png"], named["a.tif"], named["Mu\u00f1oz.png"]) == (
        "vase",
        "a",
        "Mu\u00f1oz",
    )
    assert skipped.keys() == {"a.jpg", "vase.tif", "b/vase.png", r"Mu\xf1oz.png", "two\nlines.png"}
    assert skipped["b/vase.png"].startswith("b_vase.png has the same name")
    assert "plain name in UTF-8" in skipped["two\nlines.png"]


def test_each_set_of_images_has_results_of_its_own(photos, tmp_path):
    write(tmp_path / "other/photos", "a.png")
    given = [[photos], [tmp_path / "other/photos"], [photos / "vase.png"], [photos / "b/vase.png"]]
    for name, some in zip(["photos", "photos_2", "vase", "vase_2"], given, strict=True):
        folder, source = new_images.choose_results(tmp_path / "out", some)
        assert folder == tmp_path / "out/labelled" / name
        save_json(source, folder / "source.json")
        assert new_images.choose_results(tmp_path / "out", some)[0] == folder  # the same again
    (tmp_path / "out/labelled/c").mkdir()  # of somebody's own
    assert new_images.choose_results(tmp_path / "out", [photos / "c"])[0].name == "c_2"


def read(folder, text, labels=LABELS, **options):
    (folder / "known.csv").write_text(text, encoding="utf-8")
    return new_images.read_known_labels(folder / "known.csv", labels, **options)


@pytest.mark.parametrize(
    "text",
    [
        "id,attribute_ids\na,30 7\nb,\nc,4 99\n",
        "id;labels\na;30,7\nb;\nc;4,99\n",
        "id,tags\na,culture::french|tag::dogs\nb,\nc,tag::men|99\n",
    ],
)
def test_labels_are_read_by_ids_or_names_and_ids_in_any_unicode_form(tmp_path, text):
    found = read(tmp_path, text.replace("\nb", "\ne\u0301"))
    assert found == ({"a": [1, 0], "\u00e9": [], "c": [2]}, {"99": 1})


def test_names_without_a_letter_are_names_where_the_collection_has_names(tmp_path):
    labels = pd.DataFrame({"attribute_id": [0, 1, 2], "attribute_name": ["1", "1890", "2"]})
    found = read(tmp_path, "id,labels\na,1\nb,1890|2\nc,0\n", labels, has_ids=False)
    assert found == ({"a": [0], "b": [1, 2], "c": []}, {"0": 1})


def test_what_is_wrong_is_refused_with_its_line(tmp_path):
    with pytest.raises(ValueError, match="line 3: id 'a'"):
        read(tmp_path, "id,attribute_ids\na,7\na,4\n")
