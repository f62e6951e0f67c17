"""Faults done to a sound collection, each refused or read right; tables in random spellings."""

import csv
import io
import shutil

import pytest
from bad_images import READ_IMAGES, REFUSED_IMAGES
from bad_inputs import EDGES, FOLDERS, TABLES, write_sound_collection
from hypothesis import given, settings
from hypothesis import strategies as st

from imet_utils.tables import (
    check_split,
    drop_rare_labels,
    load_collection,
    load_tables,
    read_tables,
    save_tables,
    split_tables,
)

CASES = [*TABLES, *FOLDERS, *EDGES, *REFUSED_IMAGES, *READ_IMAGES]
many = settings(max_examples=100)


@pytest.fixture(scope="session")
def sound(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sound")
    write_sound_collection(folder)
    return folder


@pytest.fixture
def folder(sound, tmp_path):
    """Return the folder of a sound collection."""
    return shutil.copytree(sound, tmp_path / "data")


def load(folder, min_count):
    """Load, drop and split as notebooks 1 and 2 do; return the collection and the split tables."""
    collection = load_collection(folder, folder.parent / "out")
    tables = split_tables(drop_rare_labels(collection.tables, min_count, keep_images=True))
    check_split(tables, len(collection.tables.images))
    return collection, tables


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.fault)
def test_a_fault_is_refused_by_place_value_and_kind_or_read_right(folder, case):
    case.damage(folder)
    if case.check:
        collection, split = load(folder, case.min_count)
        case.check(folder, split if case in EDGES else collection)
        return
    with pytest.raises((ValueError, FileNotFoundError)) as error:
        load(folder, case.min_count)
    message = str(error.value)
    assert [part for part in case.reported if part not in message] == [], message
    if case in REFUSED_IMAGES:
        assert message.endswith('ON_BAD_IMAGE = "skip".')


labels_of_images = st.sets(st.sampled_from([3, 7, 10]), min_size=1)
plain = st.characters(min_codepoint=33, max_codepoint=126, exclude_characters="/\\.")
good_ids = st.text(plain, min_size=1, max_size=8)
tables_of_images = st.dictionaries(good_ids, labels_of_images, min_size=1, max_size=6)


@many
@given(
    table=tables_of_images,
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
    end=st.sampled_from(["\n", "\r\n", "\r"]),
    mark=st.sampled_from([b"", b"\xef\xbb\xbf"]),
    blanks=st.sampled_from(["", " ", "\t", "\u00a0"]),
)
def test_a_table_reads_alike_in_every_spelling(folder, table, quoting, end, mark, blanks):
    text = io.StringIO()
    writer = csv.writer(text, quoting=quoting, lineterminator=end)
    writer.writerow([f"id{blanks}", f"{blanks}attribute_ids"])
    for image_id, labels in table.items():
        writer.writerow([image_id + blanks, blanks + "  ".join(map(str, labels)) + blanks])
    (folder / "train.csv").write_bytes(mark + text.getvalue().encode())
    images = load_tables(folder).images
    assert images["id"].tolist() == list(table)
    classes = {7: 0, 3: 1, 10: 2}
    wanted = [tuple(sorted(classes[label] for label in row)) for row in table.values()]
    assert images["labels"].tolist() == wanted


@many
@given(
    file_name=st.sampled_from(["train.csv", "labels.csv"]),
    place=st.floats(0, 1),
    dropped=st.integers(0, 4),
    put=st.binary(max_size=3) | st.sampled_from([b",", b'"', b"\n", b"\r", b" ", b"3", b"\0"]),
)
def test_a_damaged_table_is_read_or_refused_by_name(folder, file_name, place, dropped, put):
    """What is read stays the same when it is saved."""
    path = folder / file_name
    whole = path.read_bytes()
    start = int(place * len(whole))
    path.write_bytes(whole[:start] + put + whole[start + dropped :])
    try:
        tables = load_tables(folder)
    except ValueError as error:
        # without a label of labels.csv the fault is one of train.csv
        named = path if file_name == "train.csv" else folder
        assert str(named) in str(error)  # noqa: PT017
        return
    finally:
        path.write_bytes(whole)
    save_tables(tables, folder / "saved")
    again = read_tables(folder / "saved", folder)
    assert again.images.equals(tables.images)
    assert again.labels.equals(tables.labels)
