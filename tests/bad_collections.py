"""Faults of the folders, and collections that are small or lack a kind of label."""

import shutil

from bad_inputs import IDS, BadInput, Damage, give

from imet_utils.tables import load_unlabelled

LABELS = "attribute_id,attribute_name\n"


def unlabelled(fault: str, how: str, damage: Damage, message: str, order: str | None = None):
    """Refuse what `damage` does to a folder `test/` of two images, with or without their table."""

    def add(folder):
        (folder / "test").mkdir()
        for image_id in "ab":
            shutil.copy(folder / "train/c.png", folder / f"test/{image_id}.png")
        if order is not None:
            give("sample_submission.csv", order)(folder)
        damage(folder)

    return BadInput(fault, how, add, message)


def rows(labels: str, train: list[str]) -> Damage:
    """Return what writes tables: names of the labels 0, 1, ..., and the labels of each image."""

    def damage(folder):
        names = "".join(f"{k},{name}\n" for k, name in enumerate(labels.split()))
        give("labels.csv", LABELS + names)(folder)
        lines = "".join(f"{i},{labels}\n" for i, labels in zip(IDS, train, strict=False))
        give("train.csv", "id,attribute_ids\n" + lines)(folder)

    return damage


def edge(fault: str, how: str, labels: str, train: list[str], message: str, min_count: int = 3):
    """Refuse a collection."""
    return BadInput(fault, how, rows(labels, train), message, min_count=min_count)


def splits(fault: str, how: str, labels: str, train: list[str], min_count: int = 3) -> BadInput:
    """Accept a collection: it is shared out, and every label is in training."""
    happens = "shared out, every label in training"
    return BadInput(fault, how, rows(labels, train), happens, all_in_training, min_count)


def all_in_training(_, tables) -> None:
    """Check that no part is empty, and that training has every label that an image carries."""
    parts = tables.images.groupby("split")["labels"].agg(lambda rows: set().union(*rows))
    assert sorted(parts.index) == ["test", "train", "val"]
    assert parts["train"] == set().union(*parts)


def nothing_to_predict(folder, collection) -> None:
    """Check that the labelled images are all there, and no others."""
    assert len(collection.tables.images) == len(IDS)
    assert load_unlabelled(folder, folder).empty


def cut_short(folder) -> None:
    """Keep the first part of `test/a.png`."""
    path = folder / "test/a.png"
    path.write_bytes(path.read_bytes()[:1500])


MEN_OR_DOGS = ["0", "1", "0 1"] * 7
PLAIN = "must be a file's plain name: no path, no leading dot, no control character"

FOLDERS = [
    BadInput("no folder train/", "removed", lambda folder: shutil.rmtree(folder / "train"),
             "train is missing: it must be the folder of the images"),
    unlabelled("image to predict of zero bytes", "`test/a.png` emptied", give("test/a.png", ""),
               "test/a.png: an empty file of 0 bytes. Fetch it again"),
    unlabelled("image to predict cut short", "the first half of `test/a.png`",
               cut_short,
               "test/a.png: damaged, cut short or not readable (…). Fetch or save it again",
               "id,attribute_ids\nb,\na,\n"),
    unlabelled("image to predict is missing", "`c` in sample_submission.csv", lambda _: None,
               "test: no image c. Add c.png or the like", "id,attribute_ids\na,\nc,\n"),
    unlabelled("unprintable name of an image to predict", "`test/x<line feed>y.png`",
               lambda folder: (folder / "test/a.png").rename(folder / "test/x\ny.png"),
               f"test: the file name 'x\\ny' {PLAIN}. Rename the file"),
    unlabelled("id to predict given twice", "in sample_submission.csv", lambda _: None,
               "sample_submission.csv, line 3: id 'a' is given on line 2 already. "
               "Join the two rows or remove one", "id\na\na\n"),
    unlabelled("id to predict is a path", "`../train/a` in sample_submission.csv", lambda _: None,
               f"sample_submission.csv, line 2: id '../train/a' {PLAIN}", "id\n../train/a\n"),
    unlabelled("sample_submission.csv without rows", "its header alone", lambda _: None,
               "sample_submission.csv has a header and no rows: add one for each entry", "id\n"),
    BadInput("sample_submission.csv without a folder test/", "the table alone",
             give("sample_submission.csv", "id\nz\n"), "nothing is predicted", nothing_to_predict),
    BadInput("empty folder test/", "made", lambda folder: (folder / "test").mkdir(),
             "nothing is predicted", nothing_to_predict),
]  # fmt: skip

MANY = " ".join("abcdefghijklmnopqrst")  # names of labels
OF_ITS_OWN = [str(k) for k in range(20)]
EDGES = [
    edge("one image", "train.csv has one row", "men dogs", ["0 1"],
         "all images, 1, have the same labels (men, dogs), so that there is nothing to "
         "learn. Give images with other labels too"),
    edge("two images", "train.csv has two rows", "men dogs", ["0", "0 1"],
         "of 2 images none is left without the labels that occur on fewer than 3 images: lower "
         "MIN_COUNT or give more images"),
    edge("few images", "twelve, of which one comes to validation", "men dogs", MEN_OR_DOGS[:12],
         "of 12 images 12 have labels that are common enough, and 1 of these came to val, all "
         "with the same labels, so that no label can be judged there. Give more images, or lower "
         "MIN_COUNT"),
    edge("one label", "all images carry it", "tag::men", ["0"] * 20,
         "all images, 20, have the same labels (tag::men), so that there is nothing to "
         "learn. Give images with other labels too"),
    edge("the same labels everywhere", "all images carry both", "tag::men tag::dogs", ["0 1"] * 20,
         "all images, 20, have the same labels (tag::men, tag::dogs), so that there is nothing "
         "to learn. Give images with other labels too"),
    edge("every label rare", "each of twenty images has a label of its own", MANY, OF_ITS_OWN,
         "of 20 images none is left without the labels that occur on fewer than 3 images: lower "
         "MIN_COUNT or give more images"),
    edge("one label left after the rare ones", "three others are on an image each", "men a b c",
         ["0"] * 17 + ["1", "2", "3"],
         "of 20 images 17 have labels that are common enough, and 2 of these came to val, all "
         "with the same labels, so that no label can be judged there. Give more images, or lower "
         "MIN_COUNT"),
    edge("labels too rare for a split", "a label of its own for each image, `MIN_COUNT = 1`",
         MANY, OF_ITS_OWN,
         "20 images are too few to split in 3: the first part needs almost all of them to have "
         "every label once. Give more images or drop the rare labels", 1),
    splits("twenty images", "of two labels", "culture::greek tag::men", MEN_OR_DOGS),
    splits("rare labels that fit into training", "two are on an image each, `MIN_COUNT = 1`",
           "men dogs cats owls", [*MEN_OR_DOGS[:18], "0 2", "1 3"], 1),
    splits("no culture", "tags alone", "tag::men tag::dogs", MEN_OR_DOGS),
    splits("no tag", "cultures alone", "culture::greek culture::roman", MEN_OR_DOGS),
    splits("neither culture nor tag", "names without a kind", "men dogs", MEN_OR_DOGS),
    splits("a label on every image", "beside another", "men dogs", ["0", "0 1"] * 10),
    splits("labels without an image", "two of four in labels.csv", "men dogs cats owls",
           MEN_OR_DOGS),
]  # fmt: skip
