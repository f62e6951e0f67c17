"""The pages of a review as files: what they hold, how many they are, and always whole."""

import base64
import io
import json
import os
import weakref
from html.parser import HTMLParser

import numpy as np
import pytest
from PIL import Image

from imet_tools.labelling import ReviewImage, write_review
from imet_tools.labelling.review import similarity_limit
from imet_utils.decoding import REVISION, NeighbourIndex

IDS, NAMES = [7, 30, 4], ["culture::french", "tag::</script><b>", "tag::花 & \"x\" 'y'"]
HALF = np.array([[0.0, 0.5], [0.25, 0.125]])


class Page(HTMLParser):
    """Collects the JSON that a page holds, its links, and whatever it would load."""

    def __init__(self, path):
        super().__init__()
        self.values, self.keys, self.links, self.loaded, self.json = [], [], {}, [], False
        self.feed(path.read_text(encoding="utf-8"))
        self.labels, self.revision, *self.images = self.values

    def handle_starttag(self, tag, attrs):
        found = dict(attrs)
        self.json = found.get("type") == "application/json"
        self.keys += [found["data-key"]] if "data-key" in found else []
        self.loaded += [found["src"]] if "src" in found else []
        if tag == "a":
            self.links[found["rel"]] = found["href"]
        elif "href" in found:
            self.loaded.append(found["href"])

    def handle_data(self, data):
        if self.json:
            self.values.append(json.loads(data))
        self.json = False


def make_image(number=0, suggestions=(), size=(6, 4), mode="RGB", **more):
    picture = Image.new("RGB", size, (number, 102, 204)).convert(mode)
    more = {"probs": np.zeros(3), **more}
    return ReviewImage(f"{number}.png", str(number), picture, suggestions, **more)


def write(folder, images, num_images=None, **options):
    images = list(images) if num_images is None else images
    return write_review(images, num_images or len(images), IDS, NAMES, folder, **options)


def names_in(folder):
    return sorted(path.name for path in folder.iterdir())


def decode(uri):
    head, _, content = uri.partition(",")
    assert head == "data:image/jpeg;base64"
    return Image.open(io.BytesIO(base64.b64decode(content)))


def test_a_page_holds_images_labels_and_suggestions(tmp_path):
    near = [(Image.new("RGB", (300, 200)), (0, 2))]
    alike = [(np.float32(0.81239), (0, 2)), (0.5, (2,))]
    probs = np.array([0.25, 0.1, 0.91237], dtype=np.float32)
    attention = np.stack([HALF, HALF, 8 * HALF.T])
    seen = {"probs": probs, "attention": attention, "neighbours": near, "near": alike}
    [path] = write(tmp_path, [make_image(5, [2, 0], **seen), make_image(6, [1])], strength=0.5)
    page, text = Page(path), path.read_text(encoding="utf-8")
    assert page.loaded == ["data:,"]  # and nothing else
    assert "default-src 'none'; img-src data:" in text
    assert not any(word in text for word in ("http://", "https://", "@import", "url("))
    assert page.labels == {"ids": ["7", "30", "4"], "names": NAMES}
    image, other = page.images
    assert other["suggestions"] == [{"label": 1, "probability": 0.0, "attention": None}]
    assert (image["id"], image["file"]) == ("5", "5.png")
    first = {"label": 2, "probability": 0.9124, "attention": [[0, 50], [99, 25]]}
    second = {"label": 0, "probability": 0.25, "attention": [[0, 99], [50, 25]]}
    assert image["suggestions"] == [first, second]
    [neighbour] = image["neighbours"]
    assert neighbour["labels"] == [0, 2]
    assert decode(neighbour["picture"]).size == (96, 64)
    assert image["near"] == [[0.8124, [0, 2]], [0.5, [2]]]
    assert image["probs"] == [[0, 0.25], [2, 0.9124]]  # of what a decision can revise
    assert page.revision.items() >= REVISION.items()
    assert page.revision["strength"] == 0.5


@pytest.mark.parametrize(
    ("mode", "size", "kept"),
    [("RGB", (960, 300), (480, 150)), ("RGBA", (30, 40), (30, 40)), ("P", (9, 9), (9, 9))],
)
def test_pictures_are_made_smaller_and_never_larger(tmp_path, mode, size, kept):
    given = make_image(51, size=size, mode=mode)
    [path] = write(tmp_path, [given])
    picture = decode(Page(path).images[0]["picture"])
    assert picture.size == kept
    wanted = given.picture.convert("RGB").getpixel((0, 0))
    np.testing.assert_allclose(picture.getpixel((5, 5)), wanted, atol=4)
    assert given.picture.size == size


def test_images_are_shared_out_over_pages_that_lead_to_one_another(tmp_path):
    paths = write(tmp_path / "new", (make_image(n) for n in range(5)), per_page=2)
    assert [path.name for path in paths] == ["review.html", "review_2.html", "review_3.html"]
    pages = [Page(path) for path in paths]
    ids = [[image["id"] for image in page.images] for page in pages]
    assert ids == [["0", "1"], ["2", "3"], ["4"]]
    assert [page.links for page in pages] == [
        {"next": "review_2.html"},
        {"prev": "review.html", "next": "review_3.html"},
        {"prev": "review_2.html"},
    ]
    full = write(tmp_path, (make_image(n) for n in range(4)), per_page=2)
    assert [sorted(Page(path).links) for path in full] == [["next"], ["prev"]]


def test_a_shorter_review_leaves_no_page_of_a_longer_one(tmp_path):
    write(tmp_path, (make_image(n) for n in range(4)), per_page=1)
    (tmp_path / "review_of_a_book.html").touch()
    write(tmp_path, (make_image(n) for n in range(2)), per_page=1)
    assert names_in(tmp_path) == ["review.html", "review_2.html", "review_of_a_book.html"]


def test_an_error_leaves_the_earlier_pages_or_none(tmp_path):
    with pytest.raises(ValueError, match="no image"):
        write(tmp_path, [])
    assert names_in(tmp_path) == []
    write(tmp_path, (make_image(n) for n in range(3)), per_page=1)
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}

    def broken():
        yield make_image(8)
        yield make_image(9)
        raise OSError("the disk is gone")

    with pytest.raises(OSError, match="gone"):
        write(tmp_path, broken(), 3, per_page=1)
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_few_images_are_in_memory(tmp_path):
    alive = weakref.WeakSet()

    def images():
        for number in range(30):
            image = make_image(number)
            alive.add(image)
            yield image
            assert len(alive) <= 3

    write(tmp_path, images(), 30, per_page=7)


def test_choices_outlive_other_suggestions_and_more_images_alone(tmp_path):
    def key_of(*images, labels=(IDS, NAMES), at=0):
        [path] = write_review(images, len(images), *labels, tmp_path)
        return Page(path).keys[at]

    key = key_of(make_image(1))
    assert key_of(make_image(1, [0])) == key
    assert key_of(make_image(2), make_image(1), at=1) == key
    moved = ReviewImage("1.png", "another", make_image(1).picture, (), np.zeros(3))
    others = [key_of(moved), key_of(make_image(1, size=(8, 4)))]
    others.append(key_of(make_image(1), labels=([7, 31, 4], NAMES)))
    assert len({key, *others}) == 4
    assert os.listdir(tmp_path) == ["review.html"]


def test_a_twentieth_of_the_labelled_images_is_as_unlike_the_others_as_a_marked_image():
    angles = np.concatenate([np.arange(95) * 0.002, np.arange(2, 7) * 0.9])  # a crowd, five outside
    embeddings = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    cosines = embeddings @ embeddings.T - 2 * np.eye(100)  # of itself below all
    limit = similarity_limit(NeighbourIndex(np.zeros(2), np.eye(2), embeddings, np.eye(100)))
    assert limit == pytest.approx(np.quantile(cosines.max(axis=1), 0.05))
    assert np.cos(0.9) < limit < np.cos(0.002)
