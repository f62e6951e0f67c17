"""The widgets: each shows what its plain function returns, and nothing without a person."""

import io
from types import SimpleNamespace

import nbformat
import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from PIL import Image

from imet_tools.labelling import (
    Album,
    Comparison,
    browse,
    describe_threshold,
    explain_picked,
    page_flips,
    slide_threshold,
    try_own,
    widgets,
)
from imet_utils.labeller import Explanation

NAMES = ["culture::french", "tag::dogs"]


@pytest.fixture
def album(tmp_path):
    """Fifteen test images, all with french correct and every third with dogs missed."""
    images, labels = [], []
    for number in range(15):
        path = tmp_path / f"{number:02}.png"
        Image.new("RGB", (20, 10), (10 * number, 0, 0)).save(path)
        key = {"part": "test", "id": path.stem}
        images.append(key | {"path": path, "f2": number / 20})
        found = {"name": NAMES[0], "probability": 0.9, "verdict": "correct", "predicted": True}
        missed = {"name": NAMES[1], "probability": 0.1, "verdict": "missed", "predicted": False}
        labels += [key | row | {"true": True} for row in [found, missed][: 1 + (number % 3 == 0)]]
    return Album(pd.DataFrame(images), pd.DataFrame(labels))


class FakeLabeller:
    """Records the known labels that it is given, and attends to a corner for every label."""

    names = np.array(NAMES)

    def __init__(self, attends=True):
        self.attends, self.known = attends, []

    def explain(self, image, known=()):
        self.known.append(list(known))
        probs = np.array([0.2, 0.7], np.float32)
        probs[np.isin(NAMES, known)] = 1
        attention = np.zeros((2, 2, 2), np.float32)
        attention[:, 0, 0] = 1
        return Explanation(probs, probs > 0.5, attention if self.attends else None, pd.DataFrame())


@pytest.fixture
def drawn(monkeypatch):
    """Let a person be there, and record what is drawn of images and of attention."""
    images, attended = [], []

    def plot_image(labeller, image, true, find_picture, explanation):
        images.append((image, true))
        return Figure(figsize=(2, 1))

    def plot_attention(image, attention, label, probability, opacity):
        attended.append((label, round(float(probability), 3), opacity))
        return Figure(figsize=(2, 1))

    monkeypatch.setattr(widgets, "is_interactive", lambda: True)
    monkeypatch.setattr(widgets, "plot_image", plot_image)
    monkeypatch.setattr(widgets, "plot_attention", plot_attention)
    return SimpleNamespace(images=images, attended=attended)


def test_without_a_person_nothing_is_shown(album, monkeypatch):
    assert browse(album) is None
    assert explain_picked(FakeLabeller(), album, None, None) is None
    assert try_own(FakeLabeller(), None) is None
    assert slide_threshold(np.zeros((1, 1)), np.ones((1, 1), bool), 0.1) is None
    assert page_flips(Comparison(("a", "b"), None, pd.DataFrame(), 0), {}) is None
    for request, wanted in [
        ({"content": {"allow_stdin": True}}, True),
        ({"content": {"allow_stdin": False}}, False),
        ({}, False),
    ]:
        kernel = SimpleNamespace(get_parent=lambda channel, request=request: request)
        monkeypatch.setattr(widgets, "get_ipython", lambda k=kernel: SimpleNamespace(kernel=k))
        assert widgets.is_interactive() is wanted


@pytest.mark.slow
def test_a_notebook_that_ran_without_a_person_has_no_widgets(smoke):
    done = nbformat.read(smoke[0] / "notebooks/09_label_new_images.ipynb", as_version=4)
    assert "widgets" not in done.metadata
    outputs = [out for cell in done.cells for out in cell.get("outputs", [])]
    assert not any("widget" in kind for out in outputs for kind in out.get("data", {}))


@pytest.mark.usefixtures("drawn")
def test_the_browser_pages_filters_and_picks_the_first(album):
    browser = browse(album)
    assert browser.image.value == ("test", "14")  # the best
    assert "of 2: 15 images" in browser.count.value
    assert len(browser.image.options) == 12
    browser.page.value = 2
    assert browser.image.value == ("test", "02")
    before = browser.canvas.value
    browser.label.value, browser.verdict.value = "dogs", "missed"
    assert browser.page.value == 1
    assert "of 1: 5 images" in browser.count.value
    assert browser.image.value == ("test", "12")
    assert browser.canvas.value != before
    browser.order.value = "worst F2 first"
    assert browser.image.value == ("test", "00")
    browser.label.value = "no such label"
    assert (browser.image.value, browser.image.layout.display) == (None, "none")
    browser.label.value = ""
    assert (browser.image.value, browser.image.layout.display) == (("test", "00"), "")


def test_an_explanation_follows_the_browser_the_label_and_what_is_known(album, drawn):
    labeller, browser = FakeLabeller(), browse(album)
    explain_picked(FakeLabeller(attends=False), album, browse(album), None)
    assert drawn.attended == []
    drawn.images.clear()
    explainer = explain_picked(labeller, album, browser, None)
    assert drawn.images == [(album.path_of(("test", "14")), [NAMES[0]])]
    assert drawn.attended[-1] == ("tag::dogs", 0.7, 0.75)
    explainer.label.index = 1
    explainer.opacity.value = 0.3
    assert drawn.attended[-1] == ("culture::french", 0.2, 0.3)
    explainer.known.value = ["culture::french"]
    assert drawn.images[0] == drawn.images[1]
    assert drawn.attended[-1] == ("culture::french", 1.0, 0.3)
    browser.image.index = 2
    assert drawn.images[-1] == (album.path_of(("test", "12")), NAMES)
    assert explainer.known.value == []  # until another image is picked
    assert labeller.known == [[], ["culture::french"], []]


def test_ones_own_picture_is_explained_or_refused(tmp_path, drawn):
    choice, message, _ = try_own(FakeLabeller(), None).children
    upload, path = choice.children
    content = io.BytesIO()
    Image.new("RGB", (30, 20), "red").save(content, "PNG")
    (tmp_path / "own.png").write_bytes(content.getvalue())
    path.value = f" {tmp_path / 'own.png'} "
    assert drawn.images == [(tmp_path / "own.png", None)]
    path.value = "<b>nowhere.png"
    assert "&lt;b&gt;nowhere.png" in message.value
    assert len(drawn.images) == 1
    file = {"type": "image/png", "size": 3, "last_modified": pd.Timestamp(0)}
    upload.value = [file | {"name": "../up.png", "content": memoryview(content.getvalue())}]
    assert drawn.images[1][0].getpixel((0, 0)) == (255, 0, 0)
    assert message.value == ""
    upload.value = [file | {"name": "../text.png", "content": memoryview(b"text")}]
    assert message.value.startswith("text.png: ")


@pytest.mark.usefixtures("drawn")
def test_the_threshold_shows_what_its_function_returns():
    rng = np.random.default_rng(0)
    probs, targets = rng.random((9, 4)), rng.random((9, 4)) < 0.5
    slider, message, canvas = slide_threshold(probs, targets, 0.25).children
    before = canvas.value
    slider.value = 0.4
    assert message.value == describe_threshold(probs, targets, 0.4)
    assert canvas.value != before


@pytest.mark.usefixtures("drawn")
def test_flips_are_paged_and_filtered(album):
    gains = [0.5, 0.4, 0.3, 0.2, 0.1, -0.1]
    flips = pd.DataFrame({"id": [f"{k:02}" for k in range(6)], "difference": gains})
    flips = flips.assign(first=0.6, second=0.6 - flips["difference"])
    for column in ("true", "first_labels", "second_labels"):
        flips[column] = [NAMES[:1]] * 6
    compared = Comparison(("ours", "theirs"), pd.DataFrame(), flips, 9)
    box = page_flips(compared, album.images.set_index("id")["path"])
    (choice, page, count), canvas = box.children[0].children, box.children[1]
    assert "of 2: 6 images" in count.value
    before = canvas.value
    page.value = 2
    assert canvas.value != before
    choice.value = "theirs is better"
    assert "of 1: 1 images" in count.value
