from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from small_data import SHARED, needs

from imet_utils.tables import (
    SPLITS,
    Tables,
    check_tables,
    drop_rare_labels,
    equal_images,
    find_images,
    limit_images,
    load_tables,
    read_tables,
    save_tables,
    split_label,
    split_tables,
    stratify,
    submission_ids,
    take_split,
)
from imet_utils.tables.csv_files import file_key

IMET, PAINTINGS = SHARED / "imet2019", SHARED / "met_paintings"
LABELS = "attribute_id,attribute_name\n7,culture::french\n3,tag::men\n10,portrait\n"
TRAIN = "id,attribute_ids\na,3 7\nb,10\n"


def write(folder, train=TRAIN, labels=LABELS):
    for name, text in (("train.csv", train), ("labels.csv", labels)):
        if text is not None:
            content = text if isinstance(text, bytes) else text.encode()
            (folder / name).write_bytes(content)
    return folder


def make(rows, num_classes):
    images = pd.DataFrame({"id": [f"i{n}" for n in range(len(rows))], "labels": rows, "split": ""})
    names = [f"tag::{k}" for k in range(num_classes)]
    labels = pd.DataFrame({"attribute_id": [100 + k for k in range(num_classes)]})
    labels = labels.assign(attribute_name=names, kind="tag", name=names)
    return Tables(images, labels, Path("nowhere"))


def long_tailed(num_images, num_classes, seed=0):
    rng = np.random.default_rng(seed)
    weights = 1 / np.arange(1, num_classes + 1)
    sizes = rng.integers(1, 6, num_images)
    draws = [rng.choice(num_classes, k, replace=False, p=weights / weights.sum()) for k in sizes]
    return [tuple(sorted(map(int, row))) for row in draws]


def test_load_numbers_classes_in_file_order_and_splits_names(tmp_path):
    tables = load_tables(write(tmp_path))
    assert tables.labels["attribute_id"].tolist() == [7, 3, 10]
    assert tables.labels["kind"].tolist() == ["culture", "tag", "label"]
    assert tables.labels["name"].tolist() == ["french", "men", "portrait"]
    assert tables.images["labels"].tolist() == [(0, 1), (2,)]
    assert tables.images["split"].tolist() == ["", ""]
    assert tables.data_dir == tmp_path
    assert tables.num_classes == 3
    assert tables.counts.tolist() == [1, 1, 1]
    assert tables.is_culture.tolist() == [True, False, False]
    assert tables.targets.tolist() == [[True, True, False], [False, False, True]]


names_of_labels = st.text(
    st.characters(categories=["L", "N", "P", "Zs"], exclude_characters=";|"), min_size=1, max_size=9
).filter(lambda text: text == file_key(text) and not text.endswith("::"))
spellings = [(mark, separator) for mark in (";", "|", " ; ", "| ") for separator in ",;\t"]


@given(
    rows=st.lists(st.sets(names_of_labels, min_size=2, max_size=4), min_size=1, max_size=6),
    spelling=st.sampled_from([*spellings, (", ", ";"), (",", "\t")]),
    column=st.sampled_from(["attribute_ids", "labels", "tags"]),
)
def test_names_of_labels_read_alike_in_every_spelling(tmp_path_factory, rows, spelling, column):
    mark, separator = spelling
    if "," in mark:
        rows = [{name.replace(",", "-") for name in row} | {"a", "b"} for row in rows]
    folder = tmp_path_factory.mktemp("names")
    table = pd.DataFrame({"id": [f"i{n}" for n in range(len(rows))]})
    table[column] = [mark.join(sorted(row)) for row in rows]
    table.to_csv(folder / "train.csv", index=False, sep=separator)
    tables = load_tables(folder)
    names = tables.labels["attribute_name"]
    assert names.tolist() == sorted(set().union(*rows))
    assert [{names[k] for k in row} for row in tables.images["labels"]] == rows
    assert len(tables.notes) == 1 + (separator != ",")  # each guess is told


def test_a_name_is_one_label_in_all_its_forms_and_an_id_one_image(tmp_path):
    rows = ["a,caf\u00e9|oil on canvas", "b,cafe\u0301|oil  on\u00a0canvas", "c , x "]
    tables = load_tables(write(tmp_path, "\n".join(["id,labels", *rows, ""]), labels=None))
    assert tables.labels["attribute_name"].tolist() == ["caf\u00e9", "oil on canvas", "x"]
    assert tables.images["labels"].tolist() == [(0, 1), (0, 1), (2,)]
    words = load_tables(write(tmp_path, "id,tags\na,tag::men\nb,dogs\n", labels=None))
    assert words.labels["kind"].tolist() == ["label", "tag"]
    labels = "attribute_id,attribute_name\n7,tag::cafe\u0301\n3,x\n"
    named = load_tables(write(tmp_path, "id,attribute_ids\na,7\n", labels=labels))
    assert named.labels["attribute_name"].tolist() == ["tag::caf\u00e9", "x"]


@pytest.mark.parametrize(
    "text",
    [
        'id;Titel;"Ma\u00dfe (H x B, cm)";tags\na;x;3,5;men|oil on wood\n',
        'id\tTitel\t"Ma\u00dfe, cm; H x B"\ttags\na\tx\t3\tmen|oil on wood\n',
        "sep=;\nid;tags;a,b,c,d\na;men|oil on wood;\n",
        "\ufeffsep=,\r\nid,tags\r\na,men|oil on wood\r\n",
    ],
)
def test_the_delimiter_is_the_one_that_yields_the_columns(tmp_path, text):
    tables = load_tables(write(tmp_path, text, labels=None))
    assert tables.labels["attribute_name"].tolist() == ["men", "oil on wood"]
    assert tables.images["id"].tolist() == ["a"]


def test_drop_rare_labels_is_one_pass_and_drops_labels_left_without_image():
    # Label 2 is rare and takes image 3 along; label 1 falls to 1 image and stays;
    # label 3 (on image 3 and 4, which carry rare labels) is left without any.
    rows = [(0,), (0,), (0, 1), (1, 2, 3), (3, 4)]
    tables = drop_rare_labels(make(rows, 6), min_count=2)
    assert tables.images["id"].tolist() == ["i0", "i1", "i2"]
    assert tables.images["labels"].tolist() == [(0,), (0,), (0, 1)]
    assert tables.labels["attribute_id"].tolist() == [100, 101]


def test_rare_labels_go_and_their_images_stay_where_others_are_left():
    tables = make([(0, 1), (1, 2), (1,), (0, 3), (4,)], 5)
    kept = drop_rare_labels(tables, min_count=2, keep_images=True)
    assert kept.labels["attribute_id"].tolist() == [100, 101]
    assert kept.images["labels"].tolist() == [(0, 1), (1,), (1,), (0,)]
    with pytest.raises(ValueError, match="of 2 images none"):
        drop_rare_labels(make([(0,), (0,)], 1), min_count=3)
    with pytest.raises(ValueError, match=r"min_count .* got 0"):
        drop_rare_labels(tables, min_count=0)


def test_limit_images_takes_a_seeded_subset_in_order():
    tables = make([(0,)] * 50, 1)
    some = limit_images(tables, 10, seed=1)
    numbers = [int(image_id[1:]) for image_id in some.images["id"]]
    assert len(numbers) == 10
    assert numbers == sorted(numbers) != list(range(10))
    assert some.images.equals(limit_images(tables, 10, seed=1).images)
    assert not some.images.equals(limit_images(tables, 10, seed=2).images)
    assert limit_images(tables, None) is limit_images(tables, 50) is tables
    with pytest.raises(ValueError, match="limit must be at least 1"):
        limit_images(tables, 0)


def test_five_folds_test_on_every_image_once():
    tables = make(long_tailed(200, 8), 8)
    splits = [split_tables(tables, seed=2, fold=k).images["split"].to_numpy() for k in range(5)]
    assert (np.sum([split == "test" for split in splits], axis=0) == 1).all()
    for split in splits:
        assert [(split == name).sum() for name in SPLITS] == [142, 18, 40]
        train, _, test = (tables.targets[split == name].sum(axis=0) for name in SPLITS)
        assert train.all()
        due = tables.targets.sum(axis=0) / 5
        assert (np.abs(test - due) / due).mean() < 0.1  # a random fifth: 0.135
    again = split_tables(tables, seed=2, fold=4).images["split"]
    assert (again == splits[4]).all()
    for fold in (5, -1):
        with pytest.raises(ValueError, match=f"FOLD is {fold}; it must be 0 to 4, or None"):
            split_tables(tables, fold=fold)


@given(
    rows=st.lists(st.sets(st.integers(0, 6), min_size=1, max_size=4), min_size=9, max_size=40),
    ratios=st.tuples(*[st.floats(0.05, 10)] * 3),
    seed=st.integers(0, 5),
)
def test_split_covers_every_label_in_train_with_the_right_sizes(rows, ratios, seed):
    # Nine images are enough for any 7 labels, one each, and an image each in val and test.
    rows = [tuple(sorted(row)) for row in rows]
    tables = make(rows, 7)
    splits = split_tables(tables, ratios, seed).images["split"].to_numpy()
    train = tables.targets[splits == "train"]
    assert (train.any(axis=0) == tables.targets.any(axis=0)).all()
    sizes = np.array([(splits == name).sum() for name in SPLITS])
    assert set(tables.images["split"]) == {""}  # what is given stays
    assert sizes.min() >= 1
    assert sizes.sum() == len(rows)
    wanted = np.array(ratios) / sum(ratios) * len(rows)
    if (wanted >= [7, 1, 1]).all():  # the cover of 7 labels is at most 7 images
        assert np.abs(sizes - wanted).max() < 1


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_equal_files_stay_in_one_part_and_no_split_changes_without_any(seed):
    tables = make(long_tailed(200, 12), 12)
    distinct = replace(tables, images=tables.images.assign(hash=range(200)))
    expected = split_tables(tables, seed=seed).images["split"]
    assert split_tables(distinct, seed=seed).images["split"].equals(expected)
    hashes = [n % 150 for n in range(200)]
    paired = replace(tables, images=tables.images.assign(hash=hashes))
    split = split_tables(paired, seed=seed).images
    assert split["split"].groupby(hashes).nunique().eq(1).all()
    assert np.abs(split["split"].value_counts()[[*SPLITS]] - [160, 20, 20]).max() <= 8
    first = tables.images["id"].groupby(hashes).transform("min")
    assert equal_images(paired) == first.tolist()
    assert take_split(replace(paired, images=split), "train").counts.all()  # every label
    turned = replace(paired, images=paired.images[::-1].reset_index(drop=True))
    again = split_tables(turned, seed=seed).images
    assert again.set_index("id")["split"].loc[split["id"]].tolist() == split["split"].tolist()


def test_kinds_that_there_are_at_most_six():
    names = ["medium::oil", "medium::silk", "horses", "country::china", "::odd", "a::b::c"]
    tables = make([(0, 1), (2,), (3,), (4, 5)], 6)
    parts = [split_label(name) for name in names]
    labels = tables.labels.assign(kind=[kind for kind, _ in parts])
    assert parts[2:] == [
        ("label", "horses"), ("country", "china"), ("label", "odd"), ("a", "b::c"),
    ]  # fmt: skip
    masks = replace(tables, labels=labels).kind_masks
    assert {kind: np.flatnonzero(mask).tolist() for kind, mask in masks.items()} == {
        "a": [5], "country": [3], "label": [2, 4], "medium": [0, 1],
    }  # fmt: skip
    many = make([(k,) for k in range(8) for _ in range(8 - k)], 8)
    many = replace(many, labels=many.labels.assign(kind=list("hgfedcba")))
    assert many.kinds.tolist() == [*"hgfedc", "other kinds", "other kinds"]


def count_moved(before, after):
    """Count the images of `after`, all of them in `before`, that changed their split."""
    first, second = (tables.images.set_index("id")["split"] for tables in (before, after))
    return (first[second.index] != second).sum()


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("change", ["another label", "an image gone", "another order"])
def test_a_split_stays_when_little_changes(change, seed):
    rows = long_tailed(1000, 60)
    before = split_tables(make(rows, 60), seed=seed)
    assert not before.images.equals(split_tables(make(rows, 60), seed=seed + 2).images)
    moved = []
    for image in range(0, 1000, 100):
        changed = list(rows)
        changed[image] = tuple(sorted(set(rows[image]) ^ {image // 20}))
        tables = make(changed if change == "another label" and changed[image] else rows, 60)
        if change == "an image gone":
            tables = replace(tables, images=tables.images.drop(image).reset_index(drop=True))
        if change == "another order":
            order = np.random.default_rng(image).permutation(1000)
            tables = replace(tables, images=tables.images.iloc[order].reset_index(drop=True))
        moved.append(count_moved(before, split_tables(tables, seed=seed)))
    assert np.mean(moved) <= 5  # of 1,000
    assert change != "another order" or max(moved) == 0


def test_one_label_an_image_is_shared_out_exactly():
    # Without overlaps the rule must give 8:1:1 of every label, to the image.
    rows = [(0,)] * 50 + [(1,)] * 30 + [(2,)] * 20
    parts = np.array(stratify(rows, range(100), "abc", (8, 1, 1), seed=1))
    labels = np.array([row[0] for row in rows])
    counts = [[int((parts[labels == k] == p).sum()) for p in range(3)] for k in range(3)]
    assert counts == [[40, 5, 5], [24, 3, 3], [16, 2, 2]]
    parts = stratify([(0,)] * 7, range(7), "a", (2, 1, 1))
    assert np.bincount(parts).tolist() == [3, 2, 2]  # of 3.5, 1.75 and 1.75
    with pytest.raises(ValueError, match="2 images are too few"):
        split_tables(make([(0,), (0,)], 1))


def test_save_and_read_give_the_same_tables(tmp_path):
    train = 'id,attribute_ids\n12e5,3 7\n0012,10\n"a, ""b""",3\nNA,7\nlast,3\n'
    names = '7,culture::french\n3,"tag::men, women"\n10,portrait\n'
    tables = load_tables(write(tmp_path, train, "attribute_id,attribute_name\n" + names))
    for given_tables in (tables, split_tables(tables, ratios=(2, 1, 1))):
        save_tables(given_tables, tmp_path / "new" / "folder")
        again = read_tables(tmp_path / "new" / "folder", tmp_path)
        pd.testing.assert_frame_equal(again.images, given_tables.images)
        pd.testing.assert_frame_equal(again.labels, given_tables.labels)
        assert again.data_dir == tmp_path
    text = (tmp_path / "new/folder/images.csv").read_text()
    assert text.startswith("id,attribute_ids,split\n12e5,7 3,")
    with pytest.raises(FileNotFoundError, match=r"images\.csv"):
        read_tables(tmp_path, tmp_path)


@pytest.mark.slow
@needs("imet2019")
def test_the_real_imet_tables_give_the_posters_figures(tmp_path):
    tables = load_tables(IMET)
    kept = drop_rare_labels(tables)
    split = split_tables(kept)
    assert (len(tables.images), tables.num_classes) == (109_237, 1103)
    assert (len(kept.images), kept.num_classes) == (109_200, 1077)
    splits = split.images["split"].to_numpy()
    assert [(splits == k).sum() for k in SPLITS] == [87_360, 10_920, 10_920]
    counts = pd.Series(tables.counts, index=tables.labels["attribute_name"])
    assert counts.nlargest(3).to_dict() == {
        "tag::men": 19_970,
        "tag::women": 14_281,
        "culture::french": 13_522,
    }
    targets = split.targets
    assert targets[splits == "train"].any(axis=0).all()
    common = kept.counts >= 10
    for name in ("val", "test"):
        share = targets[splits == name].sum(axis=0)[common] / kept.counts[common]
        assert np.abs(share / 0.1 - 1).mean() < 0.08  # 0.30 at random
    save_tables(split, tmp_path)
    assert read_tables(tmp_path, IMET).images.equals(split.images)


@needs("met_paintings")
def test_the_real_paintings_have_every_image():
    check_tables(PAINTINGS)
    tables = load_tables(PAINTINGS)
    paths = find_images(PAINTINGS / "train", tables.images["id"])
    assert len(paths) == 1828
    ids = submission_ids(PAINTINGS)
    assert len(find_images(PAINTINGS / "test", ids)) == len(ids) == 452
    split = split_tables(drop_rare_labels(tables))
    assert take_split(split, "train").counts.min() >= 1
