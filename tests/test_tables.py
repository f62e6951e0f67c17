"""Tables: read, stripped of rare labels, split, saved; faults of them are in `test_faults.py`."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from bad_inputs import LABELS
from hypothesis import given
from hypothesis import strategies as st
from small_data import SHARED, needs

from imet_utils.tables import (
    SPLITS,
    Tables,
    drop_rare_labels,
    equal_images,
    limit_images,
    load_tables,
    read_tables,
    save_tables,
    split_label,
    split_tables,
    stratify,
    take_split,
)


def write(folder, train, labels=None):
    (folder / "train.csv").write_text(train, encoding="utf-8")
    if labels:
        (folder / "labels.csv").write_text(labels, encoding="utf-8")
    return folder


def make(rows, num_classes):
    images = pd.DataFrame({"id": [f"i{n}" for n in range(len(rows))], "labels": rows, "split": ""})
    names = [f"tag::{k}" for k in range(num_classes)]
    labels = pd.DataFrame({"attribute_id": range(100, 100 + num_classes), "attribute_name": names})
    return Tables(images, labels.assign(kind="tag", name=names), Path("nowhere"))


def long_tailed(num_images, num_classes):
    rng = np.random.default_rng(0)
    weights = 1 / np.arange(1, num_classes + 1)
    sizes = rng.integers(1, 6, num_images)
    draws = [rng.choice(num_classes, k, replace=False, p=weights / weights.sum()) for k in sizes]
    return make([tuple(sorted(map(int, row))) for row in draws], num_classes)


def test_a_name_is_one_label_in_all_its_forms_and_an_id_one_image(tmp_path):
    rows = ["a,caf\u00e9|oil on canvas", "b,cafe\u0301|oil  on\u00a0canvas", "c , x "]
    tables = load_tables(write(tmp_path, "\n".join(["id,labels", *rows, ""])))
    assert tables.labels["attribute_name"].tolist() == ["caf\u00e9", "oil on canvas", "x"]
    assert tables.images["labels"].tolist() == [(0, 1), (0, 1), (2,)]
    words = load_tables(write(tmp_path, "id,tags\na,tag::men\nb,dogs\n"))
    assert words.labels["kind"].tolist() == ["label", "tag"]
    labels = LABELS.replace("men", "cafe\u0301")
    named = load_tables(write(tmp_path, "id,attribute_ids\na,7\n", labels))
    assert named.labels["name"].tolist() == ["french", "caf\u00e9", "portrait"]


def test_rare_labels_go_in_one_pass_with_their_images_or_without():
    # Label 2 is rare and takes image 3 along; label 1 falls to 1 image and stays;
    # label 3 (on image 3 and 4, which carry rare labels) is left without any.
    tables = make([(0,), (0,), (0, 1), (1, 2, 3), (3, 4)], 6)
    dropped = drop_rare_labels(tables, min_count=2)
    assert dropped.images["id"].tolist() == ["i0", "i1", "i2"]
    assert dropped.images["labels"].tolist() == [(0,), (0,), (0, 1)]
    assert dropped.labels["attribute_id"].tolist() == [100, 101]
    kept = drop_rare_labels(tables, min_count=3, keep_images=True)
    assert kept.images["id"].tolist() == ["i0", "i1", "i2"]  # others have rare labels alone
    assert kept.images["labels"].tolist() == [(0,)] * 3
    with pytest.raises(ValueError, match=r"min_count .* got 0"):
        drop_rare_labels(tables, min_count=0)


def test_limit_images_takes_a_seeded_subset_in_order():
    tables = make([(0,)] * 50, 1)
    some = limit_images(tables, 10, seed=1).images
    assert len(some) == 10
    assert some["id"].tolist() == [i for i in tables.images["id"] if i in set(some["id"])]
    assert some.equals(limit_images(tables, 10, seed=1).images)
    assert not some.equals(limit_images(tables, 10, seed=2).images)
    assert limit_images(tables, None) is limit_images(tables, 50) is tables
    with pytest.raises(ValueError, match="limit must be at least 1"):
        limit_images(tables, 0)


def test_five_folds_test_on_every_image_once():
    tables = long_tailed(200, 8)
    splits = [split_tables(tables, seed=2, fold=k).images["split"].to_numpy() for k in range(5)]
    assert (np.sum([split == "test" for split in splits], axis=0) == 1).all()
    for split in splits:
        assert [(split == name).sum() for name in SPLITS] == [142, 18, 40]
        train, _, test = (tables.targets[split == name].sum(axis=0) for name in SPLITS)
        assert train.all()
        due = tables.targets.sum(axis=0) / 5
        assert (np.abs(test - due) / due).mean() < 0.1  # a random fifth: 0.135
    assert (split_tables(tables, seed=2, fold=4).images["split"] == splits[4]).all()
    with pytest.raises(ValueError, match="FOLD is 5; it must be 0 to 4, or None"):
        split_tables(tables, fold=5)


@given(
    rows=st.lists(st.sets(st.integers(0, 6), min_size=1, max_size=4), min_size=9, max_size=40),
    ratios=st.tuples(*[st.floats(0.05, 10)] * 3),
    seed=st.integers(0, 5),
)
def test_split_covers_every_label_in_train_with_the_right_sizes(rows, ratios, seed):
    # Nine images are enough for any 7 labels, one each, and an image each in val and test.
    tables = make([tuple(sorted(row)) for row in rows], 7)
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
    tables = long_tailed(200, 12)
    distinct = replace(tables, images=tables.images.assign(hash=range(200)))
    expected = split_tables(tables, seed=seed).images["split"]
    assert split_tables(distinct, seed=seed).images["split"].equals(expected)
    hashes = [n % 150 for n in range(200)]
    paired = replace(tables, images=tables.images.assign(hash=hashes))
    first = tables.images["id"].groupby(hashes).transform("min")
    assert equal_images(paired) == first.tolist()
    split = split_tables(paired, seed=seed)
    assert split.images["split"].groupby(hashes).nunique().eq(1).all()
    assert np.abs(split.images["split"].value_counts()[[*SPLITS]] - [160, 20, 20]).max() <= 8
    assert take_split(split, "train").counts.all()  # every label


def test_kinds_that_there_are_at_most_six():
    names = ["medium::oil", "medium::silk", "horses", "country::china", "::odd", "a::b::c"]
    kinds, short = zip(*map(split_label, names), strict=True)
    assert short == ("oil", "silk", "horses", "china", "odd", "b::c")
    tables = make([(0, 1), (2,), (3,), (4, 5)], 6)
    masks = replace(tables, labels=tables.labels.assign(kind=kinds)).kind_masks
    places = {kind: np.flatnonzero(mask).tolist() for kind, mask in masks.items()}
    assert places == {"a": [5], "country": [3], "label": [2, 4], "medium": [0, 1]}
    many = make([(k,) for k in range(8) for _ in range(8 - k)], 8)
    many = replace(many, labels=many.labels.assign(kind=list("hgfedcba")))
    assert many.kinds.tolist() == [*"hgfedc", "other kinds", "other kinds"]


def test_a_split_stays_when_little_changes():
    tables = long_tailed(1000, 60)
    before = split_tables(tables).images.set_index("id")["split"]
    moved = {"another label": [], "an image gone": [], "another order": []}
    for image in range(0, 1000, 100):
        relabelled = tables.images["labels"].tolist()
        relabelled[image] = tuple(sorted({*relabelled[image]} ^ {image // 20})) or (0,)
        changed = {
            "another label": tables.images.assign(labels=relabelled),
            "an image gone": tables.images.drop(image),
            "another order": tables.images.sample(frac=1, random_state=image),
        }
        for name, images in changed.items():
            after = split_tables(replace(tables, images=images)).images.set_index("id")["split"]
            moved[name].append((before[after.index] != after).sum())
    assert np.mean(moved["another label"]) <= 5  # of 1,000
    assert np.mean(moved["an image gone"]) <= 5
    assert max(moved["another order"]) == 0
    assert (split_tables(tables, seed=1).images["split"] != before.to_numpy()).any()


def test_one_label_an_image_is_shared_out_exactly():
    # Without overlaps the rule must give 8:1:1 of every label, to the image.
    rows = [(0,)] * 50 + [(1,)] * 30 + [(2,)] * 20
    parts = np.array(stratify(rows, range(100), "abc", (8, 1, 1), seed=1))
    labels = np.array([row[0] for row in rows])
    counts = [np.bincount(parts[labels == k]).tolist() for k in range(3)]
    assert counts == [[40, 5, 5], [24, 3, 3], [16, 2, 2]]
    with pytest.raises(ValueError, match="2 images are too few"):
        split_tables(make([(0,), (0,)], 1))


def test_save_and_read_give_the_same_tables(tmp_path):
    train = 'id,attribute_ids\n12e5,3 7\n0012,10\n"a, ""b""",3\nNA,7\nlast,3\n'
    tables = load_tables(write(tmp_path, train, LABELS.replace("tag::men", '"tag::men, women"')))
    for given_tables in (tables, split_tables(tables, ratios=(2, 1, 1))):
        save_tables(given_tables, tmp_path / "new" / "folder")
        again = read_tables(tmp_path / "new" / "folder", tmp_path)
        pd.testing.assert_frame_equal(again.images, given_tables.images)
        pd.testing.assert_frame_equal(again.labels, given_tables.labels)
        assert again.data_dir == tmp_path
    text = (tmp_path / "new/folder/images.csv").read_text()
    assert text.startswith("id,attribute_ids,split\n12e5,7 3,")
    assert tables.labels["attribute_id"].tolist() == [7, 3, 10]  # in the order of the file
    assert tables.is_culture.tolist() == [True, False, False]
    assert tables.targets[:2].tolist() == [[True, True, False], [False, False, True]]
    assert tables.counts.tolist() == [2, 3, 1]
    with pytest.raises(FileNotFoundError, match=r"images\.csv"):
        read_tables(tmp_path, tmp_path)


@pytest.mark.slow
@needs("imet2019")
def test_the_real_imet_tables_give_the_posters_figures():
    tables = load_tables(SHARED / "imet2019")
    kept = drop_rare_labels(tables)
    assert (len(tables.images), tables.num_classes) == (109_237, 1103)
    assert (len(kept.images), kept.num_classes) == (109_200, 1077)
    split = split_tables(kept)
    parts = [take_split(split, name) for name in SPLITS]
    assert [len(part.images) for part in parts] == [87_360, 10_920, 10_920]
    assert parts[0].counts.all()
