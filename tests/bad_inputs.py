"""What can be wrong with the tables and folders of a collection, done to a sound one."""

import os
import shutil
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from small_data import write_noise

from imet_utils.tables import load_unlabelled

IDS = "abcdefghijklmnopqrst"
LABELS = "attribute_id,attribute_name\n7,culture::french\n3,tag::men\n10,portrait\n"
HEADER = "id,attribute_ids\n"
TRAIN = HEADER + "".join(f"{i},{'3 7' if n % 2 else 10}\n" for n, i in enumerate(IDS))
LINES = TRAIN.splitlines(keepends=True)

Damage = Callable[[Path], object]
Check = Callable[[Path, object], None]  # of the folder and what `load_collection` returned


@dataclass(frozen=True)
class BadInput:
    """A fault, what does it to the collection in a folder, and what then happens."""

    fault: str  # unlike that of any other case
    damage: Damage
    reported: tuple[str, ...] = ()  # by the refusal: file and line, the value, the kind of fault
    check: Check | None = None  # of what is read right; None for a refusal
    min_count: int = 3


def write_sound_collection(folder: Path) -> None:
    """Write twenty small images of noise with three labels."""
    (folder / "labels.csv").write_text(LABELS, encoding="utf-8")
    (folder / "train.csv").write_text(TRAIN, encoding="utf-8")
    write_noise(folder / "train", IDS, (40, 30))


def give(name: str, content: str | bytes) -> Damage:
    data = content if isinstance(content, bytes) else content.encode()
    return lambda folder: (folder / name).write_bytes(data)


def both(*damages: Damage) -> Damage:
    return lambda folder: [damage(folder) for damage in damages]


def remove(name: str) -> Damage:
    return lambda folder: (folder / name).unlink()


def table(fault: str, content: str | bytes, *reported: str) -> BadInput:
    """Refuse a train.csv."""
    return BadInput(fault, give("train.csv", content), ("train.csv", *reported))


def line_3(fault: str, text: str, *reported: str) -> BadInput:
    """Refuse a line instead of that of image `b`."""
    return table(
        fault, "".join([*LINES[:2], f"{text}\n", *LINES[3:]]), "train.csv, line 3:", *reported
    )


def label(fault: str, text: str, *reported: str) -> BadInput:
    """Refuse a line of labels.csv after its first label."""
    content = "".join([*LABELS.splitlines(keepends=True)[:2], f"{text}\n"])
    return BadInput(fault, give("labels.csv", content), ("labels.csv, line 3:", *reported))


def unnamed(fault: str, labels: str, value: str) -> BadInput:
    """Refuse names of image `b` that may mean one thing or another."""
    damage = both(give("train.csv", f"id,tags\na,men\nb,{labels}\nc,dogs\n"), remove("labels.csv"))
    return BadInput(fault, damage, ("train.csv: ", "tags", repr(value), "labels.csv"))


def spelling(fault: str, content: str | bytes) -> BadInput:
    """Accept a train.csv that says the same in other bytes."""

    def check(_, collection):
        images = collection.tables.images
        assert images["id"].tolist() == list(IDS)
        assert images["labels"].tolist() == [(0, 1) if n % 2 else (2,) for n in range(len(IDS))]

    return BadInput(fault, give("train.csv", content), check=check)


def odd_id(fault: str, image_id: str, stored: str | None = None) -> BadInput:
    """Accept an id for image `b`, whose file has it as its name."""

    def damage(folder):
        (folder / "train/b.png").rename(folder / f"train/{stored or image_id}.png")
        give("train.csv", TRAIN.replace("\nb,", f"\n{image_id},"))(folder)

    def check(_, collection):
        assert collection.tables.images["id"][1] == image_id
        assert len(collection.sizes) == len(IDS)

    return BadInput(fault, damage, check=check)


PLAIN, WHOLE, TWICE = "plain name", "whole number", "given on line 2 already"
HAVE = ("header must have", "id, attribute_ids")

TABLES = [
    BadInput("no train.csv", remove("train.csv"), ("train.csv is missing", "id, attribute_ids")),
    BadInput("no labels.csv", remove("labels.csv"), ("train.csv: ", "'3 7'", "labels.csv")),
    table("empty table", "", "no column of labels", "attribute_ids", "[]"),
    table("header alone", HEADER, "no rows"),
    table("column given twice", "id,id,attribute_ids\na,b,3\n", *HAVE, "['id', 'id', "),
    table("no column of ids", "key,x,tags\na,b,3\n", "the columns id, tags once", "id is missing"),
    table("two columns of labels", "id,tags,labels\na,3,3\n", "both columns ['labels', 'tags']"),
    unnamed("names with a blank, and nothing that separates them", "a dog", "a dog"),
    unnamed("names separated in two ways", "men|dogs;cats", "men|dogs;cats"),
    table("Latin-1", (HEADER + "a,3\né,3\n").encode("latin-1"), ", line 3:", "UTF-8"),
    line_3("id empty", ",3", "id ''", PLAIN),
    line_3("id given twice", "a,3", "'a'", TWICE),
    table("one id in two Unicode forms", HEADER + "a,10\n\u00e9,3\ne\u0301,3\n",
          ", line 4:", "'e\u0301'", "given on line 3 already"),
    line_3("id is a path up", "../x,3", "'../x'", PLAIN),
    line_3("id is a Windows path", "x\\y,3", r"'x\\y'", PLAIN),
    line_3("id is a hidden file", ".x,3", "'.x'", PLAIN),
    line_3("invisible character in an id", "x\u200by,3", r"'x\u200by'", PLAIN),
    line_3("no label", "b,", "attribute_ids is empty"),
    line_3("unknown label", "b,3 99", "99", "not in labels.csv"),
    line_3("label given twice", "b,3 3", "'3 3'", "twice"),
    line_3("name of a label for its id", "b,men", "'men'", WHOLE),
    line_3("label of 20 digits", f"b,{20 * '9'}", 20 * "9", WHOLE),
    line_3("label in Arabic digits", "b,\u0663", "'\u0663'", WHOLE),
    line_3("labels separated by a comma", "b,3,7", "3 fields", "['b', '3', '7']"),
    line_3("too few fields", "b", "1 fields", "['b']"),
    table("quote left open", HEADER + '"a,3\n', ", line 2:", "quotes"),
    table("many faults", HEADER + "".join(f"{i},99\n" for i in IDS), ", 20 rows:", "99", "line 2"),
    table("faults of two causes", HEADER + "a,99\nb,x\nc,98\n",
          "2 faults", ", 2 rows:", "99", ", line 3:", "'x'", WHOLE),
    label("label id given twice, as `07`", "07,tag::men", "'07'", TWICE),
    label("label id no number", "x,tag::men", "'x'", WHOLE),
    label("name of a label given twice", "3,culture::french  ", "'culture::french'", "line 2"),
    label("label without a name", "3,", "''", "no name"),
    label("label with a kind alone", "3,tag::", "'tag::'", "no name"),
    spelling("empty lines and rows of commas", TRAIN.replace("\n", "\n\n , \n")),
    spelling("empty columns at the end", TRAIN.replace("\n", ",,\n")),
    spelling("other columns, in another order",
             "".join(f"note,{','.join(line.strip().split(',')[::-1])}\n" for line in LINES)),
    spelling("semicolons for commas, labels separated by `|`",
             TRAIN.replace(",", ";").replace("3 7", "3|7")),
    spelling("semicolons for commas, labels separated by commas",
             TRAIN.replace(",", ";").replace("3 7", "3, 7")),
    spelling("zeros before a label", TRAIN.replace(",3 7", ",003 07")),
    odd_id("id like a formula", "=1+1"),
    odd_id("id with a blank", "a b"),
    odd_id("id composed, its file decomposed", "\u00e9", unicodedata.normalize("NFD", "\u00e9")),
    odd_id("id with the suffix of another format", "scan.tif"),
]  # fmt: skip


def unlabelled(fault: str, damage: Damage, *reported: str) -> BadInput:
    """Refuse what `damage` does to a folder `test/` of two images."""

    def add(folder):
        (folder / "test").mkdir()
        for image_id in "ab":
            shutil.copy(folder / "train/c.png", folder / f"test/{image_id}.png")
        damage(folder)

    return BadInput(fault, add, reported)


def order(content: str) -> Damage:
    return give("sample_submission.csv", content)


def nothing_to_predict(folder: Path, collection) -> None:
    assert len(collection.tables.images) == len(IDS)
    assert load_unlabelled(folder, folder).empty


SUBMISSION = "sample_submission.csv, line"

FOLDERS = [
    BadInput("no folder train/", lambda folder: shutil.rmtree(folder / "train"),
             ("train is missing", "folder of the images")),
    BadInput("empty folder train/", lambda folder: [*map(Path.unlink, folder.glob("train/*"))],
             ("20 faults:", "no image j. Add j.png or the like\nand 10 more")),
    unlabelled("image to predict of zero bytes", give("test/a.png", ""), "test/a.png: ", "empty"),
    unlabelled("image to predict cut short",
               lambda folder: os.truncate(folder / "test/a.png", 1500), "test/a.png: ", "damaged"),
    unlabelled("image to predict is missing", order("id,attribute_ids\na,\nc,\n"),
               "test: ", "no image c"),
    unlabelled("unprintable name of an image to predict",
               lambda folder: (folder / "test/a.png").rename(folder / "test/x\ny.png"),
               "test: ", r"'x\ny'", PLAIN),
    unlabelled("id to predict given twice", order("id\na\na\n"), f"{SUBMISSION} 3:", "'a'", TWICE),
    unlabelled("id to predict is a path", order("id\n../train/a\n"),
               f"{SUBMISSION} 2:", "'../train/a'", PLAIN),
    unlabelled("sample_submission.csv without rows", order("id\n"), "submission.csv", "no rows"),
    BadInput("sample_submission.csv without a folder test/", order("id\nz\n"),
             check=nothing_to_predict),
    BadInput("empty folder test/", lambda folder: (folder / "test").mkdir(),
             check=nothing_to_predict),
]  # fmt: skip


def rows(labels: str, train: list[str]) -> Damage:
    """Return what writes tables: names of the labels 0, 1, ..., and the labels of each image."""
    names = "".join(f"{k},{name}\n" for k, name in enumerate(labels.split()))
    lines = "".join(f"{i},{row}\n" for i, row in zip(IDS, train, strict=False))
    return both(
        give("labels.csv", "attribute_id,attribute_name\n" + names),
        give("train.csv", HEADER + lines),
    )


def edge(fault: str, labels: str, train: list[str], *reported: str, min_count: int = 3) -> BadInput:
    """Refuse a collection, or accept it where nothing is reported."""
    check = None if reported else all_in_training
    return BadInput(fault, rows(labels, train), reported, check, min_count)


def all_in_training(_, tables) -> None:
    """Check that no part is empty, and that training has every label that an image has."""
    parts = tables.images.groupby("split")["labels"].agg(lambda rows: set().union(*rows))
    assert sorted(parts.index) == ["test", "train", "val"]
    assert parts["train"] == set().union(*parts)


MEN_OR_DOGS = ["0", "1", "0 1"] * 7
MANY = " ".join("abcdefghijklmnopqrst")  # names of labels
OF_ITS_OWN = [str(k) for k in range(20)]

EDGES = [
    edge("one image", "men dogs", ["0 1"], "all images, 1,", "men, dogs"),
    edge("one label", "tag::men", ["0"] * 20, "all images, 20,", "tag::men"),
    edge("the same labels everywhere", "men dogs", ["0 1"] * 20, "all images, 20,", "men, dogs"),
    edge("every label rare", MANY, OF_ITS_OWN, "of 20 images none", "MIN_COUNT"),
    edge("one label left after the rare ones", "men a b c", ["0"] * 17 + ["1", "2", "3"],
         "20 images", "17", "2 of these", "val", "MIN_COUNT"),
    edge("labels too rare for a split", MANY, OF_ITS_OWN, "20 images are too few", min_count=1),
    edge("twenty images of two labels", "culture::greek tag::men", MEN_OR_DOGS),
    edge("rare labels that fit into training", "men dogs cats owls",
           [*MEN_OR_DOGS[:18], "0 2", "1 3"], min_count=1),
    edge("neither culture nor tag", "men dogs", MEN_OR_DOGS),
    edge("a label on every image", "men dogs", ["0", "0 1"] * 10),
    edge("labels without an image", "men dogs cats owls", MEN_OR_DOGS),
]  # fmt: skip
