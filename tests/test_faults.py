"""Faults done to a sound collection, each refused or read right; tables in random spellings."""

import csv
import io
from contextlib import nullcontext

import pandas as pd
import pytest
from bad_images import READ_IMAGES, REFUSED_IMAGES
from bad_inputs import EDGES, FOLDERS, LABELS, TABLES, TRAIN, write_sound_collection
from hypothesis import given, settings
from hypothesis import strategies as st

from imet_utils.tables import (
    check_split,
    check_tables,
    drop_rare_labels,
    load_collection,
    load_tables,
    read_tables,
    save_tables,
    split_tables,
)
from imet_utils.tables.csv_files import file_key, is_plain_name

CASES = [*TABLES, *FOLDERS, *EDGES, *REFUSED_IMAGES, *READ_IMAGES]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.fault)
def test_a_fault_is_refused_by_place_value_and_kind_or_read_right(tmp_path, case):
    folder = tmp_path / "data"
    write_sound_collection(folder)
    case.damage(folder)
    refusal = pytest.raises((ValueError, FileNotFoundError))
    with refusal if case.reported else nullcontext() as error:  # as notebooks 1 and 2 do
        collection = load_collection(folder, tmp_path / "out")
        split = split_tables(drop_rare_labels(collection.tables, case.min_count, keep_images=True))
        check_split(split, len(collection.tables.images))
    if case.check:
        check_tables(folder)
        case.check(folder, collection, split)
    else:
        message = str(error.value)
        assert [part for part in case.reported if part not in message] == [], message
        if ".csv" in case.reported[0] or "all images" in case.reported[0]:
            with pytest.raises(error.type):
                check_tables(folder)


letters = st.characters(categories=["L", "N", "P", "Zs"], exclude_characters="/\\,;|")
words = st.text(letters, min_size=1, max_size=9).filter(
    lambda text: text == file_key(text) and is_plain_name(text) and not text.endswith("::")
)
# What is between labels and between fields, and whether there is a labels.csv.
MARKS = [(mark, separator, False) for mark in (";", "|", " ; ", "| ") for separator in ",;\t"]
MARKS += [(", ", ";", False), (",", "\t", False), ("  ", ",", True), ("|, ", ";", True)]


@settings(max_examples=150)
@given(
    table=st.dictionaries(words, st.sets(words, min_size=1, max_size=3), min_size=1),
    marks=st.sampled_from(MARKS),
    column=st.sampled_from(["attribute_ids", "labels", "tags"]),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
    end=st.sampled_from(["\n", "\r\n", "\r"]),
    start=st.sampled_from(["", "\ufeff"]),
    blanks=st.sampled_from(["", " ", "\t", "\u00a0"]),
)
def test_every_spelling_reads_alike(tmp_path, table, marks, column, quoting, end, start, blanks):
    mark, separator, has_ids = marks
    further = "a-b" if "," in mark else "a, b"
    table = {image_id: {*row, further} for image_id, row in table.items()}
    names = sorted(set().union(*table.values()))
    labels = pd.DataFrame({"attribute_id": range(len(names)), "attribute_name": names})
    (tmp_path / "labels.csv").unlink(missing_ok=True)
    if has_ids:
        labels.to_csv(tmp_path / "labels.csv", index=False)
    text = io.StringIO()
    writer = csv.writer(text, delimiter=separator, quoting=quoting, lineterminator=end)
    writer.writerow([f"id{blanks}", blanks + column])
    for image_id, row in table.items():
        given_labels = [str(names.index(name)) if has_ids else name for name in row]
        writer.writerow([image_id + blanks, blanks + mark.join(given_labels) + blanks])
    (tmp_path / "train.csv").write_bytes((start + text.getvalue()).encode())
    tables = load_tables(tmp_path)
    assert tables.labels["attribute_name"].tolist() == names
    assert tables.images["id"].tolist() == [*table]
    assert [{names[k] for k in row} for row in tables.images["labels"]] == [*table.values()]
    assert len(tables.notes) == (not has_ids) + (separator != ",")  # each guess is told


@settings(max_examples=100)
@given(
    file_name=st.sampled_from(["train.csv", "labels.csv"]),
    place=st.floats(0, 1),
    dropped=st.integers(0, 4),
    put=st.binary(max_size=3) | st.sampled_from([b",", b'"', b"\n", b"\r", b" ", b"3", b"\0"]),
)
def test_a_damaged_table_is_read_or_refused_by_name(tmp_path, file_name, place, dropped, put):
    """What is read stays the same when it is saved."""
    tables = {"train.csv": TRAIN.encode(), "labels.csv": LABELS.encode()}
    whole = tables[file_name]
    start = int(place * len(whole))
    tables[file_name] = whole[:start] + put + whole[start + dropped :]
    for name, content in tables.items():
        (tmp_path / name).write_bytes(content)
    try:
        tables = load_tables(tmp_path)
    except ValueError as error:
        # without a label of labels.csv the fault is one of train.csv
        named = tmp_path / file_name if file_name == "train.csv" else tmp_path
        assert str(named) in str(error)  # noqa: PT017
        return
    save_tables(tables, tmp_path / "saved")
    again = read_tables(tmp_path / "saved", tmp_path)
    assert again.images.equals(tables.images)
    assert again.labels.equals(tables.labels)
