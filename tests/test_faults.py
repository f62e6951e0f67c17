"""Every fault of the page `README.md` here is tried, and tables in random spellings beside them."""

import csv
import io
from pathlib import Path

import pytest
from bad_collections import EDGES, FOLDERS
from bad_images import READ_IMAGES, REFUSED_IMAGES
from bad_inputs import IDS, PAGE, render_section, replace_section, write_sound_collection
from bad_tables import TABLES
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from imet_utils.tables import (
    check_split,
    drop_rare_labels,
    load_collection,
    load_tables,
    read_skipped,
    read_tables,
    save_tables,
    split_tables,
)

ADVICE = '\nOr leave such images out: set ON_BAD_IMAGE = "skip".'
GROUPS = {
    "Tables and ids": TABLES,
    "Image files that are refused, or skipped": REFUSED_IMAGES,
    "Image files that are read": READ_IMAGES,
    "Folders": FOLDERS,
    "Small and one-sided collections": EDGES,
}
CASES = [case for cases in GROUPS.values() for case in cases]
fast = settings(
    max_examples=150,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


@pytest.fixture
def folder(tmp_path):
    """Return the folder of a sound collection."""
    (tmp_path / "data").mkdir()
    write_sound_collection(tmp_path / "data")
    return tmp_path / "data"


def load(folder, min_count=3, on_bad_image="error"):
    """Load, drop and split as notebooks 1 and 2 do; return the collection and the split tables."""
    collection = load_collection(folder, folder.parent / "out", on_bad_image=on_bad_image)
    tables = split_tables(drop_rare_labels(collection.tables, min_count, keep_images=True))
    check_split(tables, len(collection.tables.images))
    return collection, tables


def names(cases):
    return [f"{case.fault}, {case.how}"[:70].replace("\0", "") for case in cases]


def test_the_sound_collection_is_sound(folder):
    collection, _ = load(folder)
    assert collection.tables.images["id"].tolist() == list(IDS)
    assert collection.sizes.tolist() == [[40, 30]] * len(IDS)
    assert collection.skipped.empty


@pytest.mark.parametrize("case", CASES, ids=names(CASES))
def test_fault_is_refused_in_these_words_or_works(folder, case):
    case.damage(folder)
    if case.check is None:
        with pytest.raises((ValueError, FileNotFoundError)) as error:
            load(folder, case.min_count)
        message = str(error.value)
        assert message.endswith(ADVICE) or case not in REFUSED_IMAGES
        assert case.matches(message.removesuffix(ADVICE), folder), message
        return
    collection, split = load(folder, case.min_count)
    case.check(folder, split if case in EDGES else collection)


@pytest.mark.parametrize("case", REFUSED_IMAGES, ids=names(REFUSED_IMAGES))
def test_refused_image_can_be_skipped(folder, case):
    case.damage(folder)
    collection, _ = load(folder, on_bad_image="skip")
    assert collection.tables.images["id"].tolist() == list(IDS.replace("b", ""))
    assert len(collection.sizes) == len(IDS) - 1
    (row,) = read_skipped(folder.parent / "out").itertuples(index=False)
    assert (row.folder, row.id) == ("train", "b")
    assert case.matches(f"{Path('train', row.file)}: {row.fault}", folder)


def test_the_page_lists_every_case_as_it_is_tried():
    page = PAGE.read_text(encoding="utf-8")
    assert replace_section(page, render_section(GROUPS)) == page


def test_there_are_sixty_faults_and_each_is_another():
    assert sum(case.check is None for case in CASES) >= 60
    assert len({(case.fault, case.how) for case in CASES}) == len(CASES)


# --- tables at random ---

labels_of_images = st.sets(st.sampled_from([3, 7, 10]), min_size=1)
plain = st.characters(min_codepoint=33, max_codepoint=126, exclude_characters="/\\.")
good_ids = st.text(plain, min_size=1, max_size=8)
tables_of_images = st.dictionaries(good_ids, labels_of_images, min_size=1, max_size=6)


@fast
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


def assert_read_or_refused(folder, name):
    """Check that the tables are read, or refused with the name of the file."""
    try:
        tables = load_tables(folder)
    except ValueError as error:
        told = str(error)
    else:
        assert_whole(tables, folder)
        return
    assert str(folder / name) in told


def assert_whole(tables, folder):
    """Check that tables are the same after they were saved and read."""
    save_tables(tables, folder / "saved")
    again = read_tables(folder / "saved", folder)
    assert again.images.equals(tables.images)
    assert again.labels.equals(tables.labels)


@fast
@given(
    name=st.sampled_from(["train.csv", "labels.csv"]),
    place=st.floats(0, 1),
    dropped=st.integers(0, 4),
    put=st.binary(max_size=3) | st.sampled_from([b",", b'"', b"\n", b"\r", b" ", b"3", b"\0"]),
)
def test_a_damaged_table_is_read_or_refused_by_name(folder, name, place, dropped, put):
    write = (folder / name).write_bytes
    whole = (folder / name).read_bytes()
    start = int(place * len(whole))
    try:
        write(whole[:start] + put + whole[start + dropped :])
        if name == "train.csv":
            assert_read_or_refused(folder, name)
        else:  # train.csv may then lack a label
            assert_read_or_refused(folder, "")
    finally:
        write(whole)


@fast
@given(content=st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_any_bytes_are_read_or_refused_by_name(folder, content):
    (folder / "train.csv").write_bytes(b"id,attribute_ids\n" + content)
    assert_read_or_refused(folder, "train.csv")


if __name__ == "__main__":
    text = PAGE.read_text(encoding="utf-8")
    PAGE.write_text(replace_section(text, render_section(GROUPS)), encoding="utf-8")
