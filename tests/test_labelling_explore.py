"""Exploring: which images are found, how runs are compared, what the widgets show of it."""

import io
from types import SimpleNamespace

import nbformat
import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from PIL import Image
from small_data import write_noise

from imet_tools.labelling import (
    Comparison,
    browse,
    compare_runs,
    describe_threshold,
    explain_picked,
    open_album,
    other_predictions,
    page_flips,
    pick_new_images,
    slide_threshold,
    train_pictures,
    try_own,
    widgets,
)
from imet_utils.files import save_json
from imet_utils.labeller import Explanation
from imet_utils.metrics import f2_per_image, sample_scores
from imet_utils.runs import list_predictions
from imet_utils.tables import Tables

NAMES = ["culture::french", "tag::dogs", "tag::hot dogs", "tag::boats"]
#          french  dogs   hot dogs boats
TARGETS = np.array([[1, 1, 0, 0], [0, 1, 0, 1], [1, 0, 1, 0], [0, 0, 0, 1]], bool)
PREDS = np.array([[1, 1, 0, 0], [0, 0, 1, 1], [1, 0, 0, 1], [0, 1, 0, 0]], bool)
PROBS = np.array(
    [[0.9, 0.8, 0.1, 0.0], [0.2, 0.3, 0.6, 0.7], [0.5, 0.0, 0.2, 0.4], [0.1, 0.5, 0.0, 0.3]],
    np.float32,
)
IDS = ["a", "b", "c", "d"]


def part_of(split, rows, names=NAMES):
    labels = [tuple(np.flatnonzero(TARGETS[row])) for row in rows]
    images = pd.DataFrame({"id": [IDS[row] for row in rows], "labels": labels, "split": split})
    attributes = {"attribute_id": range(10, 10 + len(names)), "attribute_name": names}
    return Tables(images, pd.DataFrame(attributes), "")


def listed(preds=PREDS, names=NAMES, least=0.01):
    """List the predictions of images a, b and c in test and d in validation."""
    val, test = (
        list_predictions(part_of(split, rows, names), PROBS[rows], preds[rows], least)
        for split, rows in (("val", [3]), ("test", [0, 1, 2]))
    )
    return pd.concat([val, test], ignore_index=True)


class FakeLabeller:
    """Chooses dogs for every picture, and never boats."""

    def label(self, files, top):
        rows = [
            [path.name, name, probability, probability > 0.5]
            for path in files
            for name, probability in (("tag::dogs", 0.8), ("tag::boats", 0.1))
        ]
        return pd.DataFrame(rows, columns=["image", "attribute_name", "probability", "chosen"])


@pytest.fixture
def data_dir(tmp_path):
    write_noise(tmp_path / "data/train", IDS, (600, 300))
    return tmp_path / "data"


@pytest.fixture
def run(data_dir, tmp_path):
    tables = part_of("test", [0, 1, 2])
    fields = {"data_dir": data_dir, "output_dir": tmp_path / "out", "tables": tables}
    return SimpleNamespace(**fields, predictions=listed, label_names=np.array(NAMES))


@pytest.fixture
def album(run, tmp_path):
    Image.new("RGB", (40, 80)).save(tmp_path / "a.png")  # as an image of training is called
    return open_album(run, FakeLabeller(), [tmp_path / "a.png"])


def test_an_album_holds_every_image_with_its_file_score_and_verdicts(album, data_dir, tmp_path):
    images = album.images.set_index(["part", "id"])
    assert images.index.tolist() == [("val", "d"), *(("test", k) for k in "abc"), ("new", "a.png")]
    assert album.path_of(("test", "b")) == data_dir / "train/b.png"
    assert album.path_of(("new", "a.png")) == tmp_path / "a.png"
    rows = [3, 0, 1, 2]
    np.testing.assert_allclose(images["f2"][:4], f2_per_image(PREDS[rows], TARGETS[rows]))
    assert np.isnan(images.loc[("new", "a.png"), "f2"])
    rows = album.labels_of(("test", "b"))
    found = dict(zip(rows["verdict"], rows["name"], strict=True))
    verdicts = ["correct", "wrong", "missed", ""]
    assert found == dict(zip(verdicts, [NAMES[k] for k in (3, 2, 1, 0)], strict=True))
    assert set(album.labels_of(("new", "a.png"))["verdict"]) == {""}
    assert album.true_of(("test", "b")) == ["tag::boats", "tag::dogs"]
    assert album.true_of(("new", "a.png")) is None


@pytest.mark.parametrize(
    ("query", "wanted"),
    [
        (("test", "", "any", "worst F2 first"), ["b", "c", "a"]),
        (("test", "french"), ["a", "c"]),  # not b, where it is neither true nor predicted
        (("test", "dogs", "missed"), ["b"]),  # not hot dogs, which c misses
        (("test", "dog", "missed"), ["b", "c"]),
        (("test", "HOT", "wrong"), ["b"]),
        (("test", "boats", "any", "most probable first"), ["b", "c"]),
        (("test", "boats", "any", "least probable first"), ["c", "b"]),
        (("test", "french", "correct"), ["a", "c"]),
        (("new", "dogs", "predicted"), ["a.png"]),
        (("new", "boats", "predicted"), []),
        (("test", "no such label"), []),
    ],
)
def test_images_are_found_by_part_label_verdict_and_order(album, query, wanted):
    assert album.find(*query)["id"].tolist() == wanted


def test_thumbnails_show_every_label_with_its_verdict_matching_ones_first(album):
    def texts(query, label=""):
        fig = album.plot(album.find("test", *query), "a $title", label)
        assert fig.get_suptitle() == r"a \$title"
        assert max(fig.axes[0].images[0].get_array().shape) == 240
        return [note.get_text() for note in fig.axes[0].texts]

    labels = ["✓ boats", "○ dogs", "✗ hot dogs"]
    assert texts(("dogs", "missed")) == ["1 F2 0.50", "b", *labels]
    assert texts(("hot", "wrong"), "hot")[2:] == [labels[2], *labels[:2]]


def test_a_difference_is_that_of_the_scores_and_flips_are_its_images():
    better = PREDS.copy()
    better[1] = TARGETS[1]
    compared = compare_runs(listed(better), listed(), ("better", "former"), NAMES)
    row = compared.scores.set_index("score").loc["f2"]
    gains = (f2_per_image(better, TARGETS) - f2_per_image(PREDS, TARGETS))[:3]
    assert row["difference"] == pytest.approx(gains.mean())
    assert row["first"] - row["second"] == pytest.approx(gains.mean())
    assert row["low"] <= row["difference"] <= row["high"]
    [flip] = compared.flips.to_dict("records")
    assert flip["id"] == "b"
    assert flip["true"] == flip["first_labels"] == ["tag::boats", "tag::dogs"]
    assert flip["second_labels"] == ["tag::boats", "tag::hot dogs"]
    assert flip["difference"] == pytest.approx(gains[1])
    better[0] = False  # an image without any predicted label
    bare = compare_runs(listed(better), listed(), ("one", "none"), NAMES)
    assert bare.flips["first_labels"][0] == []


def test_only_what_both_runs_know_is_compared():
    renamed = [*NAMES[:3], "tag::ships"]  # c loses nothing by it, and b a true label
    compared = compare_runs(listed(), listed(names=renamed), ("one", "other"), NAMES[:3])
    assert compared.num_images == 3
    assert "tag::boats" not in {name for row in compared.flips["true"] for name in row}
    other = listed().assign(id="another")
    with pytest.raises(ValueError, match="no test image in common"):
        compare_runs(listed(), other, ("one", "other"), NAMES)


def test_without_another_run_its_own_model_of_the_poster_is_compared(run):
    folder = run.output_dir / "mine/poster_rnn"
    folder.mkdir(parents=True)
    np.save(folder / "probs_test.npy", PROBS[:3])
    np.save(folder / "beam_test.npy", PROBS[:3] >= 0.45)
    run.find = folder.parent.joinpath
    table, _, labels = other_predictions(run)
    assert labels == set(run.label_names)
    assert (table["predicted"] == (table["probability"] >= 0.45)).all()
    with pytest.raises(FileNotFoundError, match="no notebook has run"):
        other_predictions(run, str(run.output_dir))


def test_a_threshold_is_described_by_its_scores():
    scores, text = sample_scores(PROBS >= 0.45, TARGETS), describe_threshold(PROBS, TARGETS, 0.45)
    for value in (0.45, scores["f2"], scores["precision"], scores["recall"], 1.5):
        assert f"{value:.3f}".rstrip("0") in text


def test_new_images_are_those_named_or_of_test_or_else_of_the_test_part(run, tmp_path):
    assert [path.stem for path in pick_new_images(run)[0]] == ["a", "b", "c"]
    write_noise(run.data_dir / "test", "xyz")
    (run.data_dir / "test/w.png").write_bytes(b"no picture")
    files, source = pick_new_images(run, most=3)
    assert [path.stem for path in files] == ["x", "y"]
    assert source == "2 of 4 files, from the collection's test/"
    files, _ = pick_new_images(run, str(run.data_dir / "train/d.png"))
    assert files == [run.data_dir / "train/d.png"]
    with pytest.raises(FileNotFoundError, match="nowhere"):
        pick_new_images(run, str(tmp_path / "nowhere"))
    with pytest.raises(ValueError, match=r"none of the 1 files can be used: w\.png: not an image"):
        pick_new_images(run, str(run.data_dir / "test/w.png"))


def test_pictures_of_training_images_where_they_are_at_hand(tmp_path, data_dir):
    labeller = SimpleNamespace(train_images=pd.DataFrame({"id": ["a", "b"]}))
    record = {"data_dir": str(data_dir), "data_dir_from_here": "data", "upstream": {}}
    save_json(record, tmp_path / "1/provenance.json")
    find = train_pictures(tmp_path, labeller, side=60)
    assert find("a").size == (60, 30)
    assert find("another") is None
    (data_dir / "train/b.png").unlink()
    assert train_pictures(tmp_path, labeller)("a") is None  # the collection is gone


class FakeExplainer:
    """Records the known labels that it is given, and attends to a corner for every label."""

    names = np.array(NAMES[:2])

    def __init__(self, attends=True):
        self.attends, self.known = attends, []

    def explain(self, image, known=()):
        self.known.append(list(known))
        probs = np.array([0.2, 0.7], np.float32)
        probs[np.isin(self.names, known)] = 1
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
    assert explain_picked(FakeExplainer(), album, None, None) is None
    assert try_own(FakeExplainer(), None) is None
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
def test_the_browser_pages_filters_and_picks_the_first(album, monkeypatch):
    monkeypatch.setattr(widgets, "PAGE", 2)
    browser = browse(album)
    assert browser.image.value == ("test", "a")  # the best
    assert "of 2: 3 images" in browser.count.value
    assert len(browser.image.options) == 2
    browser.page.value = 2
    assert browser.image.value == ("test", "c")
    before = browser.canvas.value
    browser.label.value, browser.verdict.value = "dogs", "missed"
    assert browser.page.value == 1
    assert "of 1: 1 images" in browser.count.value
    assert browser.image.value == ("test", "b")
    assert browser.canvas.value != before
    browser.label.value, browser.verdict.value = "french", "correct"
    assert browser.image.value == ("test", "a")
    browser.order.value = "worst F2 first"
    assert browser.image.value == ("test", "c")
    browser.label.value = "no such label"
    assert (browser.image.value, browser.image.layout.display) == (None, "none")
    browser.label.value = ""
    assert (browser.image.value, browser.image.layout.display) == (("test", "b"), "")


def test_an_explanation_follows_the_browser_the_label_and_what_is_known(album, drawn):
    labeller, browser = FakeExplainer(), browse(album)
    explain_picked(FakeExplainer(attends=False), album, browse(album), None)
    assert drawn.attended == []
    drawn.images.clear()
    explainer = explain_picked(labeller, album, browser, None)
    assert drawn.images == [(album.path_of(("test", "a")), NAMES[:2])]
    assert drawn.attended[-1] == ("tag::dogs", 0.7, 0.75)
    explainer.label.index = 1
    explainer.opacity.value = 0.3
    assert drawn.attended[-1] == ("culture::french", 0.2, 0.3)
    explainer.known.value = ["culture::french"]
    assert drawn.images[0] == drawn.images[1]
    assert drawn.attended[-1] == ("culture::french", 1.0, 0.3)
    browser.image.index = 1
    assert drawn.images[-1] == (album.path_of(("test", "b")), ["tag::boats", "tag::dogs"])
    assert explainer.known.value == []  # until another image is picked
    assert labeller.known == [[], ["culture::french"], []]


def test_ones_own_picture_is_explained_or_refused(tmp_path, drawn):
    choice, message, _ = try_own(FakeExplainer(), None).children
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
def test_flips_are_paged_and_filtered(album, monkeypatch):
    monkeypatch.setattr(widgets, "FLIPS", 1)
    ours = PREDS.copy()
    ours[1], ours[2] = TARGETS[1], False  # b is better, c worse
    compared = compare_runs(listed(ours), listed(), ("ours", "theirs"), NAMES)
    box = page_flips(compared, album.images.set_index("id")["path"])
    (choice, page, count), canvas = box.children[0].children, box.children[1]
    assert "of 2: 2 images" in count.value
    before = canvas.value
    page.value = 2
    assert canvas.value != before
    choice.value = "theirs is better"
    assert "of 1: 1 images" in count.value
