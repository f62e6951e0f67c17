"""What can be wrong with the tables and folders of a collection, done to a sound one."""

import os
import shutil
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from small_data import write_noise

IDS = "abcdefghijklmnopqrst"
LABELS = "attribute_id,attribute_name\n7,culture::french\n3,tag::men\n10,portrait\n"
HEADER = "id,attribute_ids\n"
TRAIN = HEADER + "".join(f"{i},{'3 7' if n % 2 else 10}\n" for n, i in enumerate(IDS))
LINES = TRAIN.splitlines(keepends=True)


@dataclass(frozen=True)
class BadInput:
    """A fault, the files that make it of a sound collection, and what then happens."""

    fault: str  # unlike that of any other case
    files: dict  # by name: the content, or what is called with the path
    reported: tuple[str, ...] = ()  # by the refusal: file and line, the value, the kind of fault
    check: Callable | None = None  # of folder, collection and split; None for a refusal
    min_count: int = 3

    def damage(self, folder: Path) -> None:
        for name, content in self.files.items():
            if callable(content):
                content(folder / name)
            else:
                data = content if isinstance(content, bytes) else content.encode()
                (folder / name).write_bytes(data)


def write_sound_collection(folder: Path) -> None:
    """Write twenty small images of noise with three labels."""
    write_noise(folder / "train", IDS, (40, 30))
    (folder / "labels.csv").write_text(LABELS, encoding="utf-8")
    (folder / "train.csv").write_text(TRAIN, encoding="utf-8")


def table(fault: str, content: str | bytes, *reported: str) -> BadInput:
    """Refuse a train.csv."""
    return BadInput(fault, {"train.csv": content}, ("train.csv", *reported))


def line_3(fault: str, text: str, *reported: str) -> BadInput:
    """Refuse a line instead of that of image `b`."""
    content = "".join([*LINES[:2], f"{text}\n", *LINES[3:]])
    return table(fault, content, "train.csv, line 3:", *reported)


def label(fault: str, text: str, *reported: str) -> BadInput:
    """Refuse a line of labels.csv after its first label."""
    content = "".join([*LABELS.splitlines(keepends=True)[:2], f"{text}\n"])
    return BadInput(fault, {"labels.csv": content}, ("labels.csv, line 3:", *reported))


def accepted(fault: str, files: dict, image_id: str = "b") -> BadInput:
    """Accept files that say the same, but for the id of image `b`."""

    def check(_, collection, __):
        images = collection.tables.images
        assert images["id"].tolist() == ["a", image_id, *IDS[2:]]
        assert images["labels"].tolist() == [(2,), (0, 1)] * 10
        assert len(collection.sizes) == 20

    return BadInput(fault, files, check=check)


def odd_id(fault: str, image_id: str, stored: str | None = None) -> BadInput:
    """Accept an id for image `b`, whose file has it as its name."""
    rename = {"train/b.png": lambda path: path.rename(path.with_name(f"{stored or image_id}.png"))}
    table = {"train.csv": TRAIN.replace("\nb,", f"\n{image_id},")}
    return accepted(fault, rename | table, image_id)


PLAIN, WHOLE, TWICE = "plain name", "whole number", "given on line 2 already"

TABLES = [
    BadInput("no train.csv", {"train.csv": Path.unlink}, ("train.csv is missing", "attribute_ids")),
    BadInput("no labels.csv", {"labels.csv": Path.unlink}, ("train.csv: ", "'3 7'", "labels.csv")),
    table("empty table", "", "no column of labels", "attribute_ids", "[]"),
    table("header alone", HEADER, "no rows"),
    table("column given twice", "id,id,attribute_ids\na,b,3\n", "the columns id", "['id', 'id', "),
    table("no column of ids", "key,x,tags\na,b,3\n", "the columns id, tags once", "id is missing"),
    table("two columns of labels", "id,tags,labels\na,3,3\n", "both columns ['labels', 'tags']"),
    BadInput("names with a blank, and nothing that separates them",
             {"train.csv": "id,tags\na,men\nb,a dog\nc,dogs\n", "labels.csv": Path.unlink},
             ("train.csv: ", "tags", "'a dog'", "labels.csv")),
    BadInput("names separated in two ways",
             {"train.csv": "id,tags\na,men\nb,men|dogs;cats\n", "labels.csv": Path.unlink},
             ("train.csv: ", "tags", "'men|dogs;cats'", "labels.csv")),
    table("Latin-1", (HEADER + "a,3\né,3\n").encode("latin-1"), ", line 3:", "UTF-8"),
    line_3("id empty", ",3", "id ''", PLAIN),
    line_3("id given twice", "a,3", "'a'", TWICE),
    table("one id in two Unicode forms", HEADER + "a,10\n\u00e9,3\ne\u0301,3\n",
          ", line 4:", "'e\u0301'", "given on line 3 already"),
    line_3("id is a path up", "x/../../y,3", "'x/../../y'", PLAIN),
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
    table("quote left open", HEADER + '"a,3\n', ", line 2:", "Mind the quotes"),
    table("faults of two causes", HEADER + "a,99\nb,x\nc,98\n",
          "2 faults", ", 2 rows:", "99", "line 2", ", line 3:", "'x'", WHOLE),
    label("label id given twice, as `07`", "07,tag::men", "'07'", TWICE),
    label("label id no number", "x,tag::men", "'x'", WHOLE),
    label("name of a label given twice", "3,culture::french  ", "'culture::french'", "line 2"),
    label("label without a name", "3,", "''", "no name"),
    label("label with a kind alone", "3,tag::", "'tag::'", "no name"),
    accepted("empty lines and rows of commas", {"train.csv": TRAIN.replace("\n", "\n\n , \n")}),
    accepted("empty columns at the end", {"train.csv": TRAIN.replace("\n", ",,\n")}),
    accepted("other columns, in another order",
             {"train.csv": "".join("{1},x,{0}\n".format(*line[:-1].split(",")) for line in LINES)}),
    accepted("zeros before a label", {"train.csv": TRAIN.replace(",3 7", ",003 07")}),
    accepted("delimiter named by the first line",
             {"train.csv": "\ufeffsep=;\r\n" + TRAIN.replace(",", ";")}),
    accepted("other delimiters within the fields",
             {"train.csv": TRAIN.replace(",", "\t").replace("\n", "\t3,5; 4; x\n")}),
    odd_id("id like a formula", "=1+1"),
    odd_id("id composed, its file decomposed", "\u00e9", unicodedata.normalize("NFD", "\u00e9")),
    odd_id("id with the suffix of another format", "scan.tif"),
]  # fmt: skip

ORDER = "sample_submission.csv"
TWO = {"test": lambda path: write_noise(path, "ab")}  # images to predict


FOLDERS = [
    BadInput("no folder train/", {"train": shutil.rmtree},
             ("train is missing", "folder of the images")),
    BadInput("empty folder train/", {f"train/{image_id}.png": Path.unlink for image_id in IDS},
             ("20 faults:", "no image j. Add j.png or the like\nand 10 more")),
    BadInput("image to predict cut short", TWO | {"test/a.png": lambda path: os.truncate(path, 99)},
             ("test/a.png: ", "damaged")),
    BadInput("image to predict is missing", TWO | {ORDER: "id,attribute_ids\na,\nc,\n"},
             ("test: ", "no image c")),
    BadInput("unprintable name of an image to predict", TWO | {"test/x\ny.png": Path.touch},
             ("test: ", r"'x\ny'", PLAIN)),
    BadInput("id to predict given twice", TWO | {ORDER: "id\na\na\n"},
             (f"{ORDER}, line 3:", "'a'", TWICE)),
    BadInput("id to predict is a path", TWO | {ORDER: "id\n../train/a\n"},
             (f"{ORDER}, line 2:", "'../train/a'", PLAIN)),
    BadInput("sample_submission.csv without rows", TWO | {ORDER: "id\n"}, (ORDER, "no rows")),
    accepted("sample_submission.csv without a folder test/", {ORDER: "id\nz\n"}),
    accepted("empty folder test/", {"test": Path.mkdir}),
]  # fmt: skip


def edge(fault: str, labels: str, train: list[str], *reported: str, min_count: int = 3) -> BadInput:
    """Refuse labels (their names) and those of each image, or accept where nothing is reported."""
    names = "".join(f"{k},{name}\n" for k, name in enumerate(labels.split()))
    lines = "".join(f"{i},{row}\n" for i, row in zip(IDS, train, strict=False))
    files = {"labels.csv": "attribute_id,attribute_name\n" + names, "train.csv": HEADER + lines}
    return BadInput(fault, files, reported, None if reported else all_in_training, min_count)


def all_in_training(_, __, split):
    """Check that no part is empty, and that training has every label that an image has."""
    parts = split.images.groupby("split")["labels"].agg(lambda rows: set().union(*rows))
    assert sorted(parts.index) == ["test", "train", "val"]
    assert parts["train"] == set().union(*parts)


MEN_OR_DOGS = ["0", "1", "0 1"] * 7
MANY, OF_ITS_OWN = " ".join(IDS), [str(k) for k in range(20)]

EDGES = [
    edge("one image", "men dogs", ["0 1"], "all images, 1,", "men, dogs"),
    edge("one label", "tag::men", ["0"] * 20, "all images, 20,", "tag::men"),
    edge("every label rare", MANY, OF_ITS_OWN, "of 20 images none", "MIN_COUNT"),
    edge("one label left after the rare ones", "men a b c", ["0"] * 17 + ["1", "2", "3"],
         "20 images", "17", "2 of these", "val", "MIN_COUNT"),
    edge("labels too rare for a split", MANY, OF_ITS_OWN, "20 images are too few", min_count=1),
    edge("rare labels that fit into training", "men dogs cats owls",
         [*MEN_OR_DOGS[:18], "0 2", "1 3"], min_count=1),
    edge("neither culture nor tag", "men dogs", MEN_OR_DOGS),
    edge("labels without an image", "men dogs cats owls", MEN_OR_DOGS),
]  # fmt: skip
