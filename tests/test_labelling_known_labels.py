"""A table of known labels: by ids or names, with labels that the run does not have."""

import pandas as pd
import pytest

from imet_tools.labelling.known_labels import read_known_labels

LABELS = pd.DataFrame(
    {"attribute_id": [7, 30, 4], "attribute_name": ["tag::dogs", "culture::french", "tag::men"]}
)


def read(folder, text):
    (folder / "known.csv").write_text(text, encoding="utf-8")
    return read_known_labels(folder / "known.csv", LABELS)


@pytest.mark.parametrize(
    "text",
    [
        "id,attribute_ids\na,30 7\nb,\nc,4 99\n",
        "id;labels\na;30,7\nb;\nc;4,99\n",
        "id,tags\na,culture::french|tag::dogs\nb,\nc,tag::men|99\n",
    ],
)
def test_labels_are_read_by_ids_or_names(tmp_path, text):
    found = read(tmp_path, text)
    assert found.rows == {"a": [1, 0], "b": [], "c": [2]}
    assert found.unknown == {"99": 1}


def test_ids_are_those_of_files_in_any_unicode_form(tmp_path):
    assert read(tmp_path, "id,attribute_ids\ne\u0301,7\n").rows == {"\u00e9": [0]}


def test_names_without_a_letter_are_names_where_the_collection_has_names(tmp_path):
    labels = pd.DataFrame({"attribute_id": [0, 1, 2], "attribute_name": ["1", "1890", "2"]})
    (tmp_path / "known.csv").write_text("id,labels\na,1\nb,1890|2\nc,0\n")
    found = read_known_labels(tmp_path / "known.csv", labels, has_ids=False)
    assert (found.rows, found.unknown) == ({"a": [0], "b": [1, 2], "c": []}, {"0": 1})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("id,attribute_ids\na,7\na,4\n", "line 3: id 'a'"),
        ("id,attribute_ids\na,7;4\n", "line 2: attribute_id '7;4'"),
        ("id,title\na,7\n", "header"),
        ("id,attribute_ids\n../a,7\n", "line 2: id '../a'"),
    ],
)
def test_what_is_wrong_is_refused_with_its_line(tmp_path, text, message):
    with pytest.raises(ValueError, match=message):
        read(tmp_path, text)
    (tmp_path / "known.csv").unlink()
    with pytest.raises(FileNotFoundError, match=r"known\.csv"):
        read_known_labels(tmp_path / "known.csv", LABELS)
