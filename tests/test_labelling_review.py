"""The pages of a review as files: what they hold, how many they are, and always whole."""

import base64
import io
import json
import re
import weakref
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from imet_tools.labelling import review, write_review
from imet_tools.labelling.new_images import NewImage
from imet_utils.decoding import REVISION, TEMPERATURE, Decision, NeighbourIndex
from imet_utils.labeller import Explanation

IDS, NAMES = [7, 30, 4], ["culture::french", "tag::</script><b>", "tag::花 & \"x\" 'y'"]
NEAR = {"near": Image.new("RGB", (96, 64), (9, 90, 160))}
HALF = np.array([[0.0, 0.5], [0.25, 0.125]])


def make_labeller(
    ids=IDS, names=NAMES, thresholds=None, least_similarity=-1.0, strength=0.0,
    temperature=TEMPERATURE,
):  # fmt: skip
    """Make what pages need of a labeller; its two images are as alike as `least_similarity`."""
    embeddings = np.array([[1, 0], [least_similarity, np.sqrt(1 - least_similarity**2)]])
    index = NeighbourIndex(np.zeros(2), np.eye(2), embeddings, np.eye(2), temperature)
    labels = pd.DataFrame({"attribute_id": ids, "attribute_name": names})
    settings = SimpleNamespace(strength=strength, thresholds=thresholds or {})
    return SimpleNamespace(
        labels=labels, names=labels["attribute_name"], index=index, settings=settings,
        decision=Decision(threshold=0.5),
    )  # fmt: skip


def make_image(folder, number, size=(60, 40)):
    """Write an image of its own colour for each number."""
    path = folder / f"{number}.png"
    path.parent.mkdir(exist_ok=True)
    Image.new("RGB", size, (40 * number, 102, 204)).save(path)
    return NewImage(path, path.name, path.stem)


def explain(probs, attention=None, near=()):
    """Make an explanation; `near` are the cosine and the labels of each neighbour."""
    neighbours = pd.DataFrame(near, columns=["similarity", "labels"]).assign(id="near")
    return Explanation(np.asarray(probs), np.zeros(len(probs), bool), attention, neighbours)


def write(folder, images, explanations=None, labeller=None, **options):
    """Write pages of images, by their numbers if they are like all others."""
    images = [make_image(folder, n) if isinstance(n, int) else n for n in images]
    found = explanations or (explain(np.zeros(3)) for _ in images)
    return write_review(labeller or make_labeller(), images, found, folder, NEAR.get, **options)


def read_page(path):
    """Return a page's text, keys, links by their relation, and the JSON that it holds."""
    text = path.read_text(encoding="utf-8")
    values = re.findall(r'<script type="application/json"[^>]*>(.*?)</script>', text, re.DOTALL)
    keys = re.findall(r'data-key="([^"]+)"', text)
    links = dict(re.findall(r'<a rel="(\w+)" href="([^"]+)"', text))
    return text, keys, links, [*map(json.loads, values)]


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.glob("*.html")}


def decode(uri):
    content = base64.b64decode(uri.removeprefix("data:image/jpeg;base64,"), validate=True)
    return Image.open(io.BytesIO(content))


def test_a_page_holds_images_labels_and_suggestions(tmp_path):
    alike = [(np.float32(0.81239), (np.int64(0), np.int64(2))), (0.5, (2,))]
    probs = np.array([0.25, 0.1, 0.91237], dtype=np.float32)
    found = [explain(probs, np.stack([HALF, HALF, 8 * HALF.T]), alike), explain(np.eye(3)[1])]
    images = [make_image(tmp_path, 5, (960, 300)), make_image(tmp_path, 6, (9, 8))]
    labeller = make_labeller(thresholds={0.1: 0.05, 0.5: 0.2, 0.9: 0.5}, strength=0.5)
    [path] = write(tmp_path, images, found, labeller, top=2)
    text, _, links, (labels, revision, image, other) = read_page(path)
    assert re.findall(r"<[^<>]*\b(?:src|href)=([^\s>]*)", text) == ['"data:,"']  # nothing is loaded
    assert "default-src 'none'; img-src data:" in text
    assert not any(word in text for word in ("http://", "https://", "@import", "url("))
    assert (links, labels) == ({}, {"ids": ["7", "30", "4"], "names": NAMES})
    assert other["suggestions"][0] == {"label": 1, "probability": 1.0, "attention": None}
    assert (image["id"], image["file"]) == ("5", "5.png")
    first = {"label": 2, "probability": 0.9124, "attention": [[0, 50], [99, 25]]}
    second = {"label": 0, "probability": 0.25, "attention": [[0, 99], [50, 25]]}
    assert image["suggestions"] == [first, second]
    assert [neighbour["labels"] for neighbour in image["neighbours"]] == [[0, 2], [2]]
    assert decode(image["neighbours"][0]["picture"]).size == (96, 64)
    shown = {"strength": 0.5, "thresholds": [[0.5, 0.2], [0.9, 0.5]], "precision": 0.9}
    assert revision.items() >= {**REVISION, **shown}.items()
    pictures = [decode(image["picture"]) for image in (image, other)]
    assert [picture.size for picture in pictures] == [(480, 150), (9, 8)]  # never larger
    np.testing.assert_allclose(pictures[0].getpixel((5, 5)), (200, 102, 204), atol=4)


def test_images_are_shared_out_over_pages_that_lead_to_one_another(tmp_path):
    pages = [read_page(path) for path in write(tmp_path, range(5), per_page=2)]
    ids = [[image["id"] for image in values[2:]] for *_, values in pages]
    assert ids == [["0", "1"], ["2", "3"], ["4"]]
    assert [links for _, _, links, _ in pages] == [
        {"next": "review_2.html"},
        {"prev": "review.html", "next": "review_3.html"},
        {"prev": "review_2.html"},
    ]
    (tmp_path / "review_of_a_book.html").touch()
    full = write(tmp_path, range(4), per_page=2)
    assert [sorted(read_page(path)[2]) for path in full] == [["next"], ["prev"]]
    assert contents(tmp_path).keys() == {"review.html", "review_2.html", "review_of_a_book.html"}


def test_an_error_leaves_the_earlier_pages(tmp_path):
    write(tmp_path, range(3), per_page=1)
    before = contents(tmp_path)

    def broken():
        yield from [explain(np.ones(3))] * 2
        raise OSError("the disk is gone")

    with pytest.raises(OSError, match="gone"):
        write(tmp_path, range(3), broken(), per_page=1)
    assert contents(tmp_path) == before


def test_few_images_are_in_memory(tmp_path):
    alive = weakref.WeakSet()

    def explanations():
        for _ in range(30):
            yield (found := explain(np.zeros(3)))
            alive.add(found)
            assert len(alive) <= 3

    write(tmp_path, [make_image(tmp_path, 1)] * 30, explanations(), per_page=7)


def test_choices_outlive_other_suggestions_and_more_images_alone(tmp_path):
    def key_of(*images, at=0, **options):
        return read_page(write(tmp_path, images, **options)[0])[1][at]

    key, image = key_of(1), make_image(tmp_path, 1)
    assert key == key_of(1, explanations=[explain(np.ones(3))]) == key_of(2, 1, at=1)
    others = {key_of(NewImage(image.path, image.file, "another"))}
    others.add(key_of(make_image(tmp_path, 1, (80, 40))))
    others.add(key_of(1, labeller=make_labeller([7, 31, 4])))
    assert len(others - {key}) == 3


def test_a_twentieth_of_the_labelled_images_is_as_unlike_the_others_as_a_marked_image():
    angles = np.concatenate([np.arange(95) * 0.002, np.arange(2, 7) * 0.9])  # a crowd, five outside
    embeddings = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    cosines = embeddings @ embeddings.T - 2 * np.eye(100)  # of itself below all
    limit = review.similarity_limit(NeighbourIndex(np.zeros(2), np.eye(2), embeddings, np.eye(100)))
    assert limit == pytest.approx(np.quantile(cosines.max(axis=1), 0.05))
