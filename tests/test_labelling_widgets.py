"""The widgets: each shows what its plain function says, and nothing where nobody sits."""

import io
import subprocess
import sys
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
    is_interactive,
    look_closer,
    page_flips,
    slide_threshold,
    try_own,
)
from imet_tools.labelling import widgets as module
from imet_tools.labelling.widgets import read_upload
from imet_utils.labeller import Look

NAMES = ["culture::french", "tag::dogs"]


@pytest.fixture
def album(tmp_path):
    """Fifteen test images, all with french found and every third with dogs missed."""
    images, labels = [], []
    for number in range(15):
        path = tmp_path / f"{number:02}.png"
        Image.new("RGB", (20, 10), (10 * number, 0, 0)).save(path)
        key = {"part": "test", "id": path.stem}
        images.append(key | {"path": path, "f2": number / 20})
        found = {"name": NAMES[0], "probability": 0.9, "true": True, "predicted": True}
        labels.append(key | found | {"verdict": "correct"})
        if number % 3 == 0:
            found = {"name": NAMES[1], "probability": 0.1, "true": True, "predicted": False}
            labels.append(key | found | {"verdict": "missed"})
    return Album(pd.DataFrame(images), pd.DataFrame(labels))


class FakeLabeller:
    """Notes what it is asked, and sees every label in a corner."""

    names = np.array(NAMES)

    def __init__(self, attends=True):
        self.attends = attends
        self.asked, self.told = [], []

    def look(self, image, named=()):
        self.told.append(list(named))
        probs = np.array([0.2, 0.7], np.float32)
        probs[np.isin(NAMES, named)] = 1
        attention = np.zeros((2, 2, 2), np.float32)
        attention[:, 0, 0] = 1
        return Look(probs, probs > 0.5, attention if self.attends else None, pd.DataFrame())

    def plot(self, image, true, find_picture, look):
        self.asked.append((image, true))
        return Figure(figsize=(2, 1))


@pytest.fixture
def veils(monkeypatch):
    """Note what is drawn of attention."""
    drawn = []

    def note(image, attention, label, probability, opacity):
        drawn.append((label, round(float(probability), 3), opacity))
        return Figure(figsize=(2, 1))

    monkeypatch.setattr(module, "plot_attention", note)
    return drawn


def test_nobody_sits_before_a_test():
    assert not is_interactive()


@pytest.mark.slow
def test_nobody_sits_before_a_notebook_that_papermill_runs(tmp_path):
    cell = "from imet_tools.labelling import is_interactive, browse\nprint(is_interactive())"
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3"}}
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell)], metadata=kernel)
    nbformat.write(notebook, tmp_path / "in.ipynb")
    paths = [str(tmp_path / "in.ipynb"), str(tmp_path / "out.ipynb")]
    command = [sys.executable, "-m", "papermill", "--kernel", "python3", *paths]
    subprocess.run(command, check=True, capture_output=True)
    done = nbformat.read(tmp_path / "out.ipynb", as_version=4)
    assert [out.text for out in done.cells[0].outputs] == ["False\n"]
    assert "widgets" not in done.metadata


def test_a_kernel_that_may_ask_has_somebody_before_it(monkeypatch):
    def kernel(parent):
        return lambda: SimpleNamespace(kernel=SimpleNamespace(get_parent=lambda channel: parent))

    for parent, wanted in [
        ({"content": {"allow_stdin": True}}, True),
        ({"content": {"allow_stdin": False}}, False),
        ({}, False),
    ]:
        monkeypatch.setattr(module, "get_ipython", kernel(parent))
        assert is_interactive() is wanted


def test_the_browser_pages_and_picks_the_first(album):
    browser = browse(album)
    assert browser.image.value == ("test", "14")  # the best
    assert "of 2: 15 images" in browser.count.value
    assert len(browser.image.options) == 12
    browser.page.value = 2
    assert [key for _, key in browser.image.options] == [("test", f"{k:02}") for k in (2, 1, 0)]
    assert browser.image.value == ("test", "02")
    before = browser.canvas.value
    browser.label.value, browser.verdict.value = "dogs", "missed"
    assert browser.page.value == 1
    assert "of 1: 5 images" in browser.count.value
    assert browser.image.value == ("test", "12")
    assert browser.canvas.value != before
    browser.order.value = "worst F2 first"
    assert browser.image.value == ("test", "00")


def test_nothing_found_is_no_error(album):
    browser = browse(album)
    browser.label.value = "no such label"
    assert "0 images" in browser.count.value
    assert browser.image.value is None
    browser.label.value = ""
    assert browser.image.value == ("test", "14")


def test_the_closer_look_follows_the_browser(album, veils):
    labeller, browser = FakeLabeller(), browse(album)
    closer = look_closer(labeller, album, browser, None)
    assert labeller.asked[-1] == (album.path_of(("test", "14")), [NAMES[0]])
    browser.image.index = 2
    assert labeller.asked[-1] == (album.path_of(("test", "12")), NAMES)
    assert closer.layout.display == ""


def test_attention_is_that_of_the_label_and_the_opacity_chosen(album, veils):
    closer = look_closer(FakeLabeller(), album, browse(album), None)
    assert [name for name, _ in closer.label.options] == [
        "tag::dogs  0.70",
        "culture::french  0.20",
    ]
    assert veils[-1] == ("tag::dogs", 0.7, 0.75)
    closer.label.index = 1
    closer.opacity.value = 0.3
    assert veils[-1] == ("culture::french", 0.2, 0.3)


def test_known_labels_are_told_until_another_image_is_looked_at(album, veils):
    labeller, browser = FakeLabeller(), browse(album)
    closer = look_closer(labeller, album, browser, None)
    assert labeller.told == [[]]
    closer.named.value = ["culture::french"]
    assert labeller.told == [[], ["culture::french"]]
    assert labeller.asked[0] == labeller.asked[1]
    assert veils[-1] == ("culture::french", 1.0, 0.75)
    browser.image.index = 2
    assert closer.named.value == []
    assert labeller.told == [[], ["culture::french"], []]


def test_without_attention_there_is_no_veil(album, veils):
    closer = look_closer(FakeLabeller(attends=False), album, browse(album), None)
    assert veils == []
    assert closer.veil.layout.display == "none"


def png():
    content = io.BytesIO()
    Image.new("RGB", (30, 20), "red").save(content, "PNG")
    return content.getvalue()


def test_ones_own_picture_is_looked_at_or_told_why_not(tmp_path, veils):
    labeller = FakeLabeller()
    box = try_own(labeller, None)
    (upload, path), said, closer = box.children[0].children, *box.children[1:]
    assert closer.layout.display == "none"
    (tmp_path / "own.png").write_bytes(png())
    path.value = f" {tmp_path / 'own.png'} "
    assert labeller.asked == [(tmp_path / "own.png", None)]
    path.value = "<b>nowhere.png"
    assert "&lt;b&gt;nowhere.png: there is no such file" in said.value
    assert len(labeller.asked) == 1
    kind = {"type": "image/png", "last_modified": pd.Timestamp(0)}
    upload.value = [{"name": "up.png", "size": 3, "content": memoryview(png()), **kind}]
    assert labeller.asked[1][0].size == (30, 20)
    assert said.value == ""


def test_an_upload_that_is_no_image_is_named(tmp_path):
    assert read_upload("../up.png", png()).getpixel((0, 0)) == (255, 0, 0)
    with pytest.raises(ValueError, match=r"^x\.png: not an image"):
        read_upload("../x.png", b"text")


def test_the_threshold_says_what_its_function_says():
    rng = np.random.default_rng(0)
    probs, targets = rng.random((9, 4)), rng.random((9, 4)) < 0.5
    box = slide_threshold(probs, targets, 0.2)
    slider, said, canvas = box.children
    before = canvas.value
    slider.value = 0.37
    assert said.value == describe_threshold(probs, targets, 0.37)
    assert canvas.value != before


def test_flips_are_paged_by_who_is_better(album):
    gains = [0.5, -0.4, 0.3, 0.2, 0.1, 0.05]
    flips = pd.DataFrame({"id": [f"{k:02}" for k in range(6)], "difference": gains})
    flips = flips.assign(first=0.6, second=0.6 - flips["difference"])
    for column in ("true", "first_labels", "second_labels"):
        flips[column] = [NAMES[:1]] * 6
    compared = Comparison(("ours", "theirs"), pd.DataFrame(), flips, 9)
    box = page_flips(compared, album.images.set_index("id")["path"])
    (shown, page, count), canvas = box.children[0].children, box.children[1]
    assert list(shown.options) == ["all", "ours is better", "theirs is better"]
    assert "of 2: 6 images" in count.value
    before = canvas.value
    page.value = 2
    assert canvas.value != before
    shown.value = "theirs is better"
    assert "of 1: 1 images" in count.value
    box = page_flips(Comparison(("a", "b"), pd.DataFrame(), flips[:0], 9), {})
    assert box.children[1].layout.display == "none"
