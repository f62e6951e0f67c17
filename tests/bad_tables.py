"""Faults of the tables and of the ids in them."""

import unicodedata

from bad_inputs import IDS, LABELS, TRAIN, BadInput, Check, give

HEADER = "id,attribute_ids\n"
LINES = TRAIN.splitlines(keepends=True)


def line_3(fault: str, text: str, message: str) -> BadInput:
    """Refuse a line instead of that of image `b`."""
    content = "".join([*LINES[:2], f"{text}\n", *LINES[3:]])
    how = f"line 3 of train.csv is `{ascii(text)[1:-1]}`"
    return BadInput(fault, how, give("train.csv", content), f"train.csv, line 3{message}")


def file(fault: str, name: str, content: str | bytes, how: str, message: str) -> BadInput:
    """Refuse the content of a file."""
    return BadInput(fault, how, give(name, content), message)


def label(fault: str, text: str, message: str) -> BadInput:
    """Refuse a line of labels.csv after its first label."""
    how = f"line 3 of labels.csv is `{text}`"
    content = "".join([*LABELS.splitlines(keepends=True)[:2], f"{text}\n"])
    return BadInput(fault, how, give("labels.csv", content), f"labels.csv, line 3: {message}")


def spelling(fault: str, content: str | bytes) -> BadInput:
    """Accept a train.csv that says the same in other bytes."""

    def check(_, collection):
        images = collection.tables.images
        assert images["id"].tolist() == list(IDS)
        assert images["labels"].tolist() == [(0, 1) if n % 2 else (2,) for n in range(len(IDS))]

    how = "the same table, spelled so"
    return BadInput(fault, how, give("train.csv", content), "read as the same table", check)


def odd_id(fault: str, image_id: str, stored: str | None = None) -> BadInput:
    """Accept an id for image `b`, whose file has it as its name."""

    def damage(folder):
        (folder / "train/b.png").rename(folder / f"train/{stored or image_id}.png")
        give("train.csv", TRAIN.replace("\nb,", f"\n{image_id},"))(folder)

    how = f"image `b` has the id `{image_id}`"
    return BadInput(fault, how, damage, "kept as it is; its image is found", keeps(image_id))


def keeps(image_id: str) -> Check:
    """Check that the id of the second image is kept, and its file found."""

    def check(_, collection):
        assert collection.tables.images["id"][1] == image_id
        assert len(collection.sizes) == len(IDS)

    return check


def remove(name: str):
    """Return what removes a file."""
    return lambda folder: (folder / name).unlink()


PLAIN = "must be a file's plain name: no path, no leading dot, no control character"
WHOLE = "must be a whole number, zero or more; separate several by spaces"
HAVE = "the header must have the columns id, attribute_ids once; got"
NAMES = ("without a labels.csv, {} must be names of labels, separated by `;` or by `|` in all "
         "rows; got {!r}. Write them so, or add labels.csv")  # fmt: skip
UNICODE = HEADER + "a,10\n\u00e9,3\ne\u0301,3\n"
ALL_UNKNOWN = HEADER + "".join(f"{i},99\n" for i in IDS)
NAMED = [["tag::men", "a dog"] if n % 2 else ["oil on wood"] for n in range(len(IDS))]
NAMED_OIL = [["men", "oil, on wood"] if n % 2 else ["dogs"] for n in range(len(IDS))]
SINGLE = [["tag::men"] if n % 2 else ["dogs"] for n in range(len(IDS))]


def named(fault: str, how: str, content: str, names: list[list[str]]) -> BadInput:
    """Accept a train.csv of names without a labels.csv."""

    def damage(folder):
        give("train.csv", content)(folder)
        (folder / "labels.csv").unlink()

    def check(_, collection):
        tables = collection.tables
        assert tables.labels["attribute_name"].tolist() == sorted({n for row in names for n in row})
        found = [
            [tables.labels["attribute_name"][k] for k in row] for row in tables.images["labels"]
        ]
        assert found == [sorted(row) for row in names]
        assert "names of train.csv became the labels" in tables.notes[-1]

    return BadInput(fault, how, damage, "the names become the labels", check)


def rows_of(header: str, names: list[list[str]], separator: str, mark: str, quote: str = "") -> str:
    """Write a table of names of labels."""
    lines = [
        f"{i}{separator}{quote}{mark.join(row)}{quote}\n" for i, row in zip(IDS, names, strict=True)
    ]
    return header.replace(",", separator) + "\n" + "".join(lines)


def unnamed(fault: str, labels: str, got: str) -> BadInput:
    """Refuse names of image `b` that may mean one thing or another."""

    def damage(folder):
        give("train.csv", f"id,tags\na,men\nb,{labels}\nc,dogs\n")(folder)
        (folder / "labels.csv").unlink()

    how = f"line 3 of train.csv is `b,{labels}`, without a labels.csv"
    return BadInput(fault, how, damage, f"train.csv: {NAMES.format('tags', got)}")


TABLES = [
    BadInput(
        "no train.csv", "removed", remove("train.csv"),
        "train.csv is missing: it must be a CSV file with the columns id, attribute_ids",
    ),
    BadInput(
        "no labels.csv", "removed", remove("labels.csv"),
        f"train.csv: {NAMES.format('attribute_ids', '3 7')}",
    ),
    file("empty table", "train.csv", "", "train.csv has 0 bytes", f"train.csv: {HAVE} []"),
    file(
        "header alone", "train.csv", HEADER, "train.csv has one line",
        "train.csv has a header and no rows: add one for each entry",
    ),
    file(
        "missing column", "train.csv", "id,title\na,3\n", "the header is `id,title`",
        f"train.csv: {HAVE} ['id', 'title']",
    ),
    file(
        "column given twice", "train.csv", "id,id,attribute_ids\na,b,3\n",
        "the header is `id,id,attribute_ids`",
        f"train.csv: {HAVE} ['id', 'id', 'attribute_ids']",
    ),
    file(
        "two columns of labels", "train.csv", "id,tags,labels\na,3,3\n",
        "the header is `id,tags,labels`",
        "train.csv has both columns ['labels', 'tags']: call the right one attribute_ids",
    ),
    unnamed("names with a blank, and nothing that parts them", "a dog", "a dog"),
    unnamed("names parted by a comma", '"men, dogs"', "men, dogs"),
    unnamed("names parted in two ways", "men|dogs;cats", "men|dogs;cats"),
    file(
        "pointer of Git LFS", "train.csv", "version https://git-lfs.github.com/spec/v1\n",
        "train.csv is such a pointer",
        f"train.csv: {HAVE} ['version https://git-lfs.github.com/spec/v1']",
    ),
    file(
        "Latin-1", "train.csv", (HEADER + "a,3\né,3\n").encode("latin-1"), "`é` in Latin-1",
        "train.csv, line 3: not UTF-8. Save it as CSV in UTF-8",
    ),
    file(
        "UTF-16", "train.csv", TRAIN.encode("utf-16"), "saved as Unicode text by a spreadsheet",
        "train.csv, line 1: not UTF-8. Save it as CSV in UTF-8",
    ),
    line_3("id empty", ",3", f": id '' {PLAIN}"),
    line_3("id given twice", "a,3", ": id 'a' is given on line 2 already. "
           "Join the two rows or remove one"),
    file(
        "one id in two Unicode forms", "train.csv", UNICODE, "`é` composed and decomposed",
        "train.csv, line 4: id 'e\u0301' is given on line 3 already. "
        "Join the two rows or remove one",
    ),
    line_3("id is a path up", "../x,3", f": id '../x' {PLAIN}"),
    line_3("id is a path down", "x/y,3", f": id 'x/y' {PLAIN}"),
    line_3("id is a Windows path", "x\\y,3", f": id 'x\\\\y' {PLAIN}"),
    line_3("id is a folder", "..,3", f": id '..' {PLAIN}"),
    line_3("id is a hidden file", ".x,3", f": id '.x' {PLAIN}"),
    line_3("NUL in an id", "x\0y,3", f": id 'x\\x00y' {PLAIN}"),
    line_3("invisible character in an id", "x\u200by,3", f": id 'x\\u200by' {PLAIN}"),
    line_3("no label", "b,", ": attribute_ids is empty. Add a label or remove the row"),
    line_3("unknown label", "b,3 99", ": attribute_id 99 is not in labels.csv. "
           "Correct it or add it"),
    line_3("label given twice", "b,3 3", ": a label is given twice in '3 3'. "
           "Remove one"),
    line_3("name of a label for its id", "b,men", f": attribute_id 'men' {WHOLE}"),
    line_3("label as a decimal number", "b,3.0", f": attribute_id '3.0' {WHOLE}"),
    line_3("label below zero", "b,-3", f": attribute_id '-3' {WHOLE}"),
    line_3("labels parted by semicolons", "b,3;7", f": attribute_id '3;7' {WHOLE}"),
    line_3("label of 20 digits", f"b,{20 * '9'}",
           f": attribute_id '{20 * '9'}' {WHOLE}"),
    line_3("label in Arabic digits", "b,\u0663", f": attribute_id '\u0663' {WHOLE}"),
    line_3("labels parted by a comma", "b,3,7", ": 3 fields where the header has 2: "
           "['b', '3', '7']. Put quotes around a field that holds a comma"),
    line_3("too few fields", "b", ": 1 fields where the header has 2: ['b']. "
           "Put quotes around a field that holds a comma"),
    line_3("text after a quote", '"b"x,3', ": ',' expected after '\"'. Mind the quotes"),
    file("quote left open", "train.csv", HEADER + '"a,3\n', "line 2 is `\"a,3`",
         "train.csv, line 2: unexpected end of data. Mind the quotes"),
    file("field of 200,000 characters", "train.csv", HEADER + 200_000 * "x", "line 2 is so long",
         "train.csv, line 2: field larger than field limit (131072). Mind the quotes"),
    file("many faults", "train.csv", ALL_UNKNOWN, "twenty rows have an unknown label",
         "train.csv, 20 rows: attribute_id 99 is not in labels.csv. Correct it or add it "
         "(first: line 2)"),
    file("faults of two causes", "train.csv", HEADER + "a,99\nb,x\nc,98\n",
         "two rows have an unknown label, one a name",
         "2 faults:\n- train.csv, 2 rows: attribute_id 99 is not in labels.csv. Correct it or add "
         f"it (first: line 2)\n- train.csv, line 3: attribute_id 'x' {WHOLE}"),
    label("label id given twice", "7,tag::men", "attribute_id '7' is given on line 2 already. "
          "Give each label an id of its own"),
    label("label id given twice, as `07`", "07,tag::men", "attribute_id '07' is given on line 2 "
          "already. Give each label an id of its own"),
    label("label id no number", "x,tag::men", f"attribute_id 'x' {WHOLE}"),
    label("label id empty", ",tag::men", f"attribute_id '' {WHOLE}"),
    label("label without a name", "3,", "attribute_name '' has no name. Add it"),
    label("label with a kind alone", "3,tag::", "attribute_name 'tag::' has no name. Add it"),
    spelling("byte order mark, CRLF", b"\xef\xbb\xbf" + TRAIN.replace("\n", "\r\n").encode()),
    spelling("CR", TRAIN.replace("\n", "\r")),
    spelling("no end of the last line", TRAIN.rstrip()),
    spelling("quotes around every field",
             "".join('"' + line.strip().replace(",", '","') + '"\n' for line in LINES)),
    spelling("trailing and leading blanks", TRAIN.replace(",", " ,  ").replace("\n", " \t\n")),
    spelling("empty lines and rows of commas", TRAIN.replace("\n", "\n\n , \n")),
    spelling("empty columns at the end", TRAIN.replace("\n", ",,\n")),
    spelling("other columns, in another order", "".join(
        f"note,{','.join(line.strip().split(',')[::-1])}\n" for line in LINES)),
    spelling("semicolons for commas", TRAIN.replace(",", ";")),
    spelling("semicolons for commas, labels parted by `|`",
             TRAIN.replace(",", ";").replace("3 7", "3|7")),
    spelling("semicolons for commas, labels parted by commas",
             TRAIN.replace(",", ";").replace("3 7", "3, 7")),
    spelling("tabs for commas", TRAIN.replace(",", "\t")),
    spelling("a column `labels`", TRAIN.replace("attribute_ids", "labels")),
    spelling("a column `tags`", TRAIN.replace("attribute_ids", "tags")),
    named("names for ids", "parted by `|`, one with a comma in it",
          rows_of("id,tags", NAMED_OIL, ",", "|", '"'), NAMED_OIL),
    named("names for ids", "parted by `;`", rows_of("id,labels", NAMED, ",", ";"), NAMED),
    named("names for ids, semicolons for commas", "parted by `|`",
          rows_of("id,labels", NAMED, ";", "|"), NAMED),
    named("names for ids, semicolons for commas", "parted by commas",
          rows_of("id,attribute_ids", NAMED, ";", ", "), NAMED),
    named("names for ids, semicolons for commas", "parted by `;` in quotes",
          rows_of("id,tags", NAMED, ";", "; ", '"'), NAMED),
    named("names for ids", "one word an image", rows_of("id,tags", SINGLE, ",", "|"), SINGLE),
    spelling("zeros before a label", TRAIN.replace(",3 7", ",003 07")),
    odd_id("id like a number with an exponent", "12e5"),
    odd_id("id like a number with zeros in front", "0012"),
    odd_id("id like a decimal number", "3.10"),
    odd_id("id like infinity", "1e999"),
    odd_id("id like a missing value", "NA"),
    odd_id("id like a truth value", "true"),
    odd_id("id like a formula", "=1+1"),
    odd_id("id with a blank", "a b"),
    odd_id("id in Japanese", "\u7d75"),
    odd_id("id composed, name of the file decomposed", "\u00e9",
           unicodedata.normalize("NFD", "\u00e9")),
    odd_id("id with the suffix of another format", "scan.tif"),
]  # fmt: skip
