"""Verdicts of a person: applied to train.csv in the form that it has, or refused with the line."""

import pytest

from imet_tools.labelling.corrections import FAULT_COLUMNS, Corrected, correct_labels, read_judged
from imet_utils.files import defuse
from imet_utils.tables import load_tables

LABELS = "attribute_id,attribute_name\n3,culture::french\n7,tag::men\n9,=tag\n"
TRAIN = 'id,attribute_ids,title\na,3 7,x\n0012,9,"y, z"\n-c,3,\n'
HEADER = ",".join(FAULT_COLUMNS)


@pytest.fixture
def collection(tmp_path):
    (tmp_path / "labels.csv").write_text(LABELS)
    (tmp_path / "train.csv").write_text(TRAIN)
    return tmp_path


def correct(folder, *rows, header=HEADER):
    (folder / "verdicts.csv").write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
    return correct_labels(folder, folder / "verdicts.csv", folder / "new/train.csv")


def written(folder):
    return (folder / "new/train.csv").read_text(encoding="utf-8")


def test_labels_are_added_and_removed_and_all_else_stays(collection):
    rows = ["a,7,tag::men,yes,0.01,no", "0012,3,culture::french,no,0.9,Yes"]
    found = correct(collection, *rows, "-c,7,tag::men,no,0.4,")
    assert found == Corrected(1, 1, 0)
    assert written(collection) == 'id,attribute_ids,title\na,3,x\n0012,3 9,"y, z"\n-c,3,\n'
    assert (collection / "train.csv").read_text() == TRAIN


def test_verdicts_that_agree_with_the_table_change_nothing(collection):
    assert correct(collection, "a,7,tag::men,yes,0.01,y") == Corrected(0, 0, 0)
    assert written(collection) == TRAIN


def test_a_byte_order_mark_and_the_ends_of_lines_stay(collection):
    before = b"\xef\xbb\xbf" + TRAIN.replace("\n", "\r\n").encode()
    (collection / "train.csv").write_bytes(before)
    correct(collection, "a,7,tag::men,yes,0.01,no")
    assert (collection / "new/train.csv").read_bytes() == before.replace(b"a,3 7", b"a,3")


def test_applied_twice_is_applied_once(collection):
    row = "a,7,tag::men,yes,0.01,no"
    correct(collection, row)
    (collection / "train.csv").write_text(written(collection))
    assert correct(collection, row) == Corrected(0, 0, 0)


def test_an_image_left_without_a_label_has_no_row(collection):
    row = f"0012,9,{defuse('=tag')},yes,0,no"
    assert correct(collection, row) == Corrected(0, 1, 1)
    assert written(collection) == "id,attribute_ids,title\na,3 7,x\n-c,3,\n"


def test_a_spreadsheet_s_semicolons_byte_order_mark_and_quotes_are_read(collection):
    header = "\ufeff" + HEADER.replace(",", ";")
    row = f"{defuse('-c')};9;{defuse('=tag')};no;0,93;YES"
    assert correct(collection, row, header=header) == Corrected(1, 0, 0)
    assert written(collection).splitlines()[-1] == "-c,3 9,"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("id;labels\na;men, dogs\nb;dogs\n", "id;labels\na;men\nb;dogs, men\n"),
        ("id,tags\na,men | dogs\nb,dogs\n", "id,tags\na,men\nb,dogs| men\n"),
        ("id\tlabels\na\tmen;dogs\nb\tdogs\n", "id\tlabels\na\tmen\nb\tdogs; men\n"),
    ],
)
def test_a_museum_s_own_table_keeps_its_form(tmp_path, before, after):
    (tmp_path / "train.csv").write_text(before)
    rows = ["a,0,dogs,yes,0.1,no", "b,5,men,no,0.9,yes"]  # the number of a label may have moved
    assert correct(tmp_path, *rows) == Corrected(1, 1, 0)
    assert written(tmp_path) == after
    (tmp_path / "train.csv").write_text(written(tmp_path))
    names = load_tables(tmp_path).labels["attribute_name"].tolist()
    assert [tuple(names[k] for k in row) for row in load_tables(tmp_path).images["labels"]] == [
        *(("men",), ("dogs", "men")),
    ]


def test_a_second_label_in_a_table_of_single_ones_is_parted_by_a_semicolon(tmp_path):
    (tmp_path / "train.csv").write_text("id,labels\na,men\nb,dogs\n")
    assert correct(tmp_path, "a,0,dogs,no,0.9,yes") == Corrected(1, 0, 0)
    assert written(tmp_path) == "id,labels\na,dogs; men\nb,dogs\n"


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("a,7,tag::men,yes,0.01,maybe", r"line 2: verdict 'maybe' must be yes .* no .* or empty"),
        ("12,9,=tag,yes,0.01,no", r"line 2: id '12' is not in train.csv\. .*\(0012 to 12\)"),
        ("a,7,tag::women,yes,0.01,no", "line 2: the collection has no label 'tag::women' any more"),
        ("a,7,tag::men,no,0.9,no", "line 2: noted is 'no', and train.csv says otherwise of .* 'a'"),
        ("a,7,tag::men,WAHR,0.9,no", "line 2: noted is 'WAHR', and train.csv says otherwise"),
        ("a,7,tag::men", "line 2: 3 fields where the header has 6"),
        ("a,7,tag::men,yes,0.01,", "has no verdict yet: the column verdict must be yes"),
    ],
)
def test_what_does_not_fit_is_refused_with_its_line(collection, row, message):
    with pytest.raises(ValueError, match=message):
        correct(collection, row)
    assert not (collection / "new").exists()


def test_contrary_verdicts_missing_columns_and_an_empty_result_are_refused(collection):
    with pytest.raises(ValueError, match="line 3: image 'a' and 'tag::men' have both verdicts"):
        correct(collection, "a,7,tag::men,yes,0,no", "a,7,tag::men,yes,0,yes")
    with pytest.raises(ValueError, match=r"the header must have the columns .* verdict once"):
        correct(collection, "a,7,tag::men,yes,0", header=HEADER.removesuffix(",verdict"))
    (collection / "train.csv").write_text("id,attribute_ids\na,7\n")
    with pytest.raises(ValueError, match="no image would have a label: nothing was written"):
        correct(collection, "a,7,tag::men,yes,0,no")
    with pytest.raises(FileNotFoundError, match=r"missing\.csv is missing: .* columns id"):
        correct_labels(collection, collection / "missing.csv", collection / "new.csv")


def test_judged_rows_are_kept_as_they_are(tmp_path):
    path = tmp_path / "verdicts.csv"
    assert read_judged(path) == []
    path.write_text(f"{HEADER}\n")
    assert read_judged(path) == []
    path.write_text(f"{HEADER}\na,7,tag::men,yes,0.1,perhaps\nb,7,tag::men,yes,0.1,\n")
    assert read_judged(path) == [["a", "7", "tag::men", "yes", "0.1", "perhaps"]]
    path.write_text("something,else\nis,here\n")
    with pytest.raises(ValueError, match="the header must have the columns"):
        read_judged(path)
