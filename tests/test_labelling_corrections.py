"""Verdicts and reviewed images: applied to train.csv in the form that it has, or refused."""

import pandas as pd
import pytest

from imet_tools.labelling import add_images, correct_labels
from imet_tools.labelling.corrections import SUSPECT_COLUMNS
from imet_utils.files import defuse
from imet_utils.tables import load_tables

LABELS = "attribute_id,attribute_name\n3,culture::french\n7,tag::men\n9,=tag\n"
TRAIN = 'id,attribute_ids,title\na,3 7,x\n0012,9,"y, z"\n-c,3,\n'
HEADER = ",".join(SUSPECT_COLUMNS)
RUN_LABELS = pd.DataFrame({"attribute_id": [2, 9], "attribute_name": ["men", "oil, wood"]})
REVIEW = "id,attribute_ids,attribute_names,proposed_terms\n"  # as the page saves it
REVIEW += 'n1,2 9,"men | oil, wood",odd\nn2,9,"oil, wood",\nn3,,,new\n'
REMOVE = "a,7,tag::men,yes,0.01,no"


@pytest.fixture
def collection(tmp_path):
    (tmp_path / "labels.csv").write_text(LABELS)
    (tmp_path / "train.csv").write_text(TRAIN)
    return tmp_path


def correct(folder, *rows, header=HEADER):
    (folder / "verdicts.csv").write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
    return correct_labels(folder, folder / "verdicts.csv", folder / "new.csv")


def written(folder):
    return (folder / "new.csv").read_bytes().decode()


def test_labels_are_added_and_removed_and_all_else_stays(collection):
    rows = [REMOVE, "0012,3,culture::french,no,0.9,Y", "-c,7,tag::men,no,0.4,"]
    assert correct(collection, *rows) == (1, 1, 0)
    assert written(collection) == 'id,attribute_ids,title\na,3,x\n0012,3 9,"y, z"\n-c,3,\n'
    assert (collection / "train.csv").read_text() == TRAIN
    (collection / "train.csv").write_text(written(collection))
    assert correct(collection, *rows) == (0, 0, 0)  # applied twice is applied once
    assert correct(collection, f"0012,9,{defuse('=tag')},yes,0,no", rows[1]) == (0, 1, 0)


def test_a_spreadsheet_s_semicolons_byte_order_mark_and_quotes_are_read_and_stay(collection):
    before = "\ufeff" + TRAIN.replace("\n", "\r\n")
    (collection / "train.csv").write_bytes(before.encode())
    header = "\ufeff" + HEADER.replace(",", ";")
    row = f"{defuse('-c')};9;{defuse('=tag')};no;0,93;YES"
    assert correct(collection, row, header=header) == (1, 0, 0)
    assert written(collection) == before.replace("-c,3", "-c,3 9")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("id;labels\na;men, dogs\nb;dogs\n", "id;labels\na;men\nb;dogs, men\n"),
        ("id,tags\na,men | dogs\nb,dogs\n", "id,tags\na,men\nb,dogs| men\n"),
        ("id,labels\na,men\nb,dogs\n", "id,labels\na,men\nb,dogs; men\n"),
    ],
)
def test_a_museum_s_own_table_keeps_its_form(tmp_path, before, after):
    (tmp_path / "train.csv").write_text(before)
    rows = ["a,0,dogs,yes,0.1,no", "b,5,men,no,0.9,yes"]  # a label's number may have changed
    assert correct(tmp_path, *rows) == (1, before.count("dogs") - 1, 0)
    assert written(tmp_path) == after
    (tmp_path / "train.csv").write_text(after)
    assert load_tables(tmp_path).images["labels"].tolist() == [(1,), (0, 1)]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (["a,7,tag::men,yes,0.01,maybe"], "line 2: verdict 'maybe'"),
        (["12,9,=tag,yes,0.01,no"], "line 2: id '12'"),
        (["a,7,tag::women,yes,0.01,no"], "line 2: .*'tag::women'"),
        (["a,7,tag::men,no,0.9,no"], "line 2: annotated is 'no'.* 'a' and 'tag::men'"),
        (["a,7,tag::men,yes,0.01,"], "no verdict"),
        ([REMOVE, "a,7,tag::men,yes,0,yes"], "line 3: .*'a' and 'tag::men'.*both"),
    ],
)
def test_what_does_not_fit_is_refused_with_its_line(collection, rows, message):
    with pytest.raises(ValueError, match=message):
        correct(collection, *rows)
    assert not (collection / "new.csv").exists()


def test_a_missing_column_and_an_empty_result_are_refused(collection):
    with pytest.raises(ValueError, match=r"header.*verdict"):
        correct(collection, "a,7,tag::men,yes,0", header=HEADER.removesuffix(",verdict"))
    (collection / "train.csv").write_text("id,attribute_ids\na,7\n")
    with pytest.raises(ValueError, match="no image would have a label"):
        correct(collection, REMOVE)
    (collection / "train.csv").write_text("id,attribute_ids\na,7\nb,3\n")
    assert correct(collection, REMOVE) == (0, 1, 1)
    assert written(collection) == "id,attribute_ids\nb,3\n"


def add(folder, train, *reviews, labels=RUN_LABELS):
    (folder / "train.csv").write_text(train)
    paths = [folder / f"reviewed_{number}.csv" for number in range(len(reviews))]
    for path, text in zip(paths, reviews, strict=True):
        path.write_text(text)
    return add_images(folder, paths, labels, folder / "new.csv")


def test_reviewed_images_come_behind_a_table_of_names_in_its_form(tmp_path):
    train = "sep=\t\ntags\tid\nmen|oil, wood\ta\noaks\tb\n"
    assert add(tmp_path, train, REVIEW) == (["n1", "n2"], 1)
    assert written(tmp_path) == f"{train}men| oil, wood\tn1\noil, wood\tn2\n"
    (tmp_path / "new.csv").replace(tmp_path / "train.csv")
    assert load_tables(tmp_path).images["labels"].tolist() == [(0, 2), (1,), (0, 2), (2,)]


def test_reviewed_images_come_behind_a_table_of_ids(collection):
    labels = load_tables(collection).labels
    reviews = ["id,attribute_ids\nn1,3 9\n", "id;attribute_ids\nn2;7\n"]
    assert add(collection, TRAIN.rstrip(), *reviews, labels=labels) == (["n1", "n2"], 0)
    assert written(collection) == f"{TRAIN}n1,3 9,\nn2,7,\n"


@pytest.mark.parametrize(
    ("reviews", "message"),
    [
        (["id,attribute_ids\nn1,2\nn1,9\n"], "line 3: id 'n1' is given"),
        (["id,attribute_ids\nn1,2\n", "id,attribute_ids\nn1,9\n"], "reviewed_1.csv: n1 has a row"),
        (["id,attribute_ids\na,2\n"], "a has a row in .*train.csv already"),
        (["id,attribute_ids\nn1,5\n"], "line 2: the run has no label .* 5"),
        (["id,attribute_ids,attribute_names\nn1,2,oaks\n"], "'2' are 'men' in this run"),
        (["id,attribute_ids\nn1,\n"], "no image has a label"),
        (["id,attribute_ids\nn1,9\n"], "no label 'oil, wood' any more"),
    ],
)
def test_reviewed_images_that_do_not_fit_are_refused(tmp_path, reviews, message):
    with pytest.raises(ValueError, match=message):
        add(tmp_path, "id,labels\na,men|oaks\n", *reviews)
    assert not (tmp_path / "new.csv").exists()
