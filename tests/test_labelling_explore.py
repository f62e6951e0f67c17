"""Exploring: which images are found, how runs are compared, what the widgets show of it."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from PIL import Image
from small_data import write_noise

from imet_tools import labelling
from imet_tools.labelling import browse, compare_runs, explain_picked, widgets
from imet_utils.labeller import Explanation
from imet_utils.metrics import f2_per_image, sample_scores
from imet_utils.runs import list_predictions
from imet_utils.tables import Tables

NAMES = ["culture::french", "tag::dogs", "tag::hot dogs", "tag::boats"]
#          french  dogs   hot dogs boats
TARGETS = np.array([[1, 1, 0, 0], [0, 1, 0, 1], [1, 0, 1, 0], [0, 0, 0, 1]], bool)
PREDS = np.array([[1, 1, 0, 0], [0, 0, 1, 1], [1, 0, 0, 1], [0, 1, 0, 0]], bool)
PROBS = [[0.9, 0.8, 0.1, 0.0], [0.2, 0.3, 0.6, 0.7], [0.5, 0.0, 0.2, 0.4], [0.1, 0.5, 0.0, 0.3]]
PROBS = np.array(PROBS, np.float32)
IDS = ["a", "b", "c", "d"]
CORNER = np.stack([np.eye(2)[:1].T @ np.eye(2)[:1]] * 2)


def part_of(split, rows):
    labels = [tuple(np.flatnonzero(TARGETS[row])) for row in rows]
    images = pd.DataFrame({"id": [IDS[row] for row in rows], "labels": labels, "split": split})
    attributes = {"attribute_id": range(10, 14), "attribute_name": NAMES}
    return Tables(images, pd.DataFrame(attributes), "")


def listed(preds=PREDS):
    """List the predictions of images a, b and c in test and d in validation."""
    tables = []
    for split, rows in {"val": [3], "test": [0, 1, 2]}.items():
        tables.append(list_predictions(part_of(split, rows), PROBS[rows], preds[rows], 0.01))
    return pd.concat(tables, ignore_index=True)


@pytest.fixture
def run(tmp_path):
    write_noise(tmp_path / "data/train", IDS, (600, 300))
    fields = {"data_dir": tmp_path / "data", "output_dir": tmp_path / "out"}
    fields |= {"tables": part_of("test", [0, 1, 2]), "label_names": np.array(NAMES)}
    return SimpleNamespace(**fields, predictions=listed)


@pytest.fixture
def album(run, tmp_path):
    """An album with a new image, called as one of training, where dogs are chosen, not boats."""
    found = {"image": "a.png", "attribute_name": ["tag::dogs", "tag::boats"]}
    found |= {"probability": [0.8, 0.1], "chosen": [True, False]}
    labeller = SimpleNamespace(label=lambda files, top: pd.DataFrame(found))
    return labelling.open_album(run, labeller, write_noise(tmp_path, "a"))


def test_an_album_holds_every_image_with_its_file_score_and_verdicts(album, tmp_path):
    images = album.images.set_index(["part", "id"])
    assert images.index.tolist() == [("val", "d"), *(("test", k) for k in "abc"), ("new", "a.png")]
    assert album.path_of(("test", "b")) == tmp_path / "data/train/b.png"
    assert album.path_of(("new", "a.png")) == tmp_path / "a.png"
    order = [3, 0, 1, 2]
    np.testing.assert_allclose(images["f2"][:4], f2_per_image(PREDS[order], TARGETS[order]))
    assert np.isnan(images.loc[("new", "a.png"), "f2"])
    rows = album.labels_of(("test", "b"))
    assert rows["name"].tolist() == [NAMES[k] for k in (3, 2, 1, 0)]  # the most probable first
    assert rows["verdict"].tolist() == ["correct", "wrong", "missed", ""]
    assert set(album.labels_of(("new", "a.png"))["verdict"]) == {""}
    assert album.true_of(("test", "b")) == ["tag::boats", "tag::dogs"]
    assert album.true_of(("new", "a.png")) is None


@pytest.mark.parametrize(
    ("query", "wanted"),
    [
        (("test", "", "any", "worst F2 first"), ["b", "c", "a"]),
        (("test", "french"), ["a", "c"]),  # not b, where it is neither true nor predicted
        (("test", "dogs", "missed"), ["b"]),  # not hot dogs, which c misses
        (("test", "DOG", "missed"), ["b", "c"]),
        (("test", "boats", "any", "least probable first"), ["c", "b"]),
        (("new", "dogs", "predicted"), ["a.png"]),
        (("test", "no such label"), []),
    ],
)
def test_images_are_found_by_part_label_verdict_and_order(album, query, wanted):
    assert album.find(*query)["id"].tolist() == wanted


def test_thumbnails_show_every_label_with_its_verdict_matching_ones_first(album):
    found = album.find("test", "dogs", "missed")
    labels = ["✓ boats", "○ dogs", "✗ hot dogs"]
    for label, shown in (("", labels), ("hot", [labels[2], *labels[:2]])):
        fig = album.plot(found, "a $title", label)
        assert [note.get_text() for note in fig.axes[0].texts] == ["1 F2 0.50", "b", *shown]
        assert max(fig.axes[0].images[0].get_array().shape) == 240


def test_a_difference_is_that_of_the_scores_and_flips_are_its_images():
    other = PREDS.copy()
    other[0], other[1] = False, TARGETS[1]  # a has no predicted label, b is right
    compared = compare_runs(listed(other), listed(), ("other", "former"), NAMES)
    row = compared.scores.set_index("score").loc["f2"]
    gains = (f2_per_image(other, TARGETS) - f2_per_image(PREDS, TARGETS))[:3]
    assert row["difference"] == pytest.approx(gains.mean())
    assert row["first"] - row["second"] == pytest.approx(gains.mean())
    assert row["low"] <= row["difference"] <= row["high"]
    lost, won = compared.flips.to_dict("records")  # the greatest difference first
    assert (lost["id"], lost["first_labels"]) == ("a", [])
    assert (won["id"], won["difference"]) == ("b", pytest.approx(gains[1]))
    assert won["true"] == won["first_labels"] == ["tag::boats", "tag::dogs"]
    assert won["second_labels"] == ["tag::boats", "tag::hot dogs"]


def test_only_what_both_runs_know_is_compared():
    renamed = listed().replace("tag::boats", "tag::ships")  # c loses nothing by it, b a true label
    compared = compare_runs(listed(), renamed, ("one", "other"), NAMES[:3])
    assert compared.num_images == 3
    assert "tag::boats" not in {name for row in compared.flips["true"] for name in row}
    with pytest.raises(ValueError, match="no test image in common"):
        compare_runs(listed(), listed().assign(id="another"), ("one", "other"), NAMES)


def test_without_another_run_its_own_model_of_the_poster_is_compared(run):
    folder = run.output_dir / "mine/poster_rnn"
    folder.mkdir(parents=True)
    np.save(folder / "probs_test.npy", PROBS[:3])
    np.save(folder / "beam_test.npy", PROBS[:3] >= 0.45)
    run.find = folder.parent.joinpath
    table, _, labels = labelling.other_predictions(run)
    assert labels == set(run.label_names)
    assert (table["predicted"] == (table["probability"] >= 0.45)).all()
    with pytest.raises(FileNotFoundError, match="no notebook has run"):
        labelling.other_predictions(run, str(run.output_dir))


def test_new_images_are_those_named_or_of_test_or_else_of_the_test_part(run):
    assert [path.stem for path in labelling.pick_new_images(run)[0]] == ["a", "b", "c"]
    write_noise(run.data_dir / "test", "xyz")
    (run.data_dir / "test/w.png").write_bytes(b"no picture")
    files, source = labelling.pick_new_images(run, most=3)
    assert [path.stem for path in files] == ["x", "y"]
    assert source == "2 of 4 files, from the collection's test/"
    files, _ = labelling.pick_new_images(run, str(run.data_dir / "train/d.png"))
    assert files == [run.data_dir / "train/d.png"]


def make_explainer(attention=CORNER):
    """Stand in for a labeller that explains any image alike, its attention in a corner."""

    def explain(image, known=()):
        probs = np.where(np.isin(NAMES[:2], known), 1, [0.2, 0.7])
        return Explanation(probs, probs > 0.5, attention, pd.DataFrame())

    return SimpleNamespace(names=np.array(NAMES[:2]), explain=explain)


@pytest.fixture
def drawn(monkeypatch):
    """Let a person be there, and record what is drawn of images and of attention."""
    images, attended, figure = [], [], Figure(figsize=(2, 1))
    monkeypatch.setattr(widgets, "is_interactive", lambda: True)
    monkeypatch.setattr(widgets, "plot_image", lambda *args: images.append(args[1:3]) or figure)
    monkeypatch.setattr(
        widgets, "plot_attention", lambda *args: attended.append(args[2:]) or figure
    )
    return SimpleNamespace(images=images, attended=attended)


def test_without_a_person_nothing_is_shown(album, monkeypatch):
    assert browse(album) is None
    assert explain_picked(make_explainer(), album, None, None) is None
    assert labelling.try_own(make_explainer(), None) is None
    assert labelling.slide_threshold(np.zeros((1, 1)), np.ones((1, 1), bool), 0.1) is None
    nothing = labelling.Comparison(("a", "b"), None, pd.DataFrame(), 0)
    assert labelling.page_flips(nothing, {}) is None
    for content, wanted in [({"allow_stdin": True}, True), ({"allow_stdin": False}, False)]:
        kernel = SimpleNamespace(get_parent=lambda channel, content=content: {"content": content})
        monkeypatch.setattr(widgets, "get_ipython", lambda k=kernel: SimpleNamespace(kernel=k))
        assert widgets.is_interactive() is wanted


@pytest.mark.usefixtures("drawn")
def test_the_browser_pages_filters_and_picks_the_first(album, monkeypatch):
    monkeypatch.setattr(widgets, "PAGE", 2)
    browser = browse(album)
    assert (browser.count.value, browser.image.value) == ("of 2: 3 images", ("test", "a"))
    browser.page.value = 2
    assert browser.image.value == ("test", "c")
    before = browser.canvas.value
    browser.label.value, browser.verdict.value = "dogs", "missed"
    assert (browser.page.value, browser.image.value) == (1, ("test", "b"))
    assert browser.canvas.value != before
    browser.label.value = "no such label"
    assert (browser.image.value, browser.image.layout.display) == (None, "none")


def test_an_explanation_follows_the_browser_the_label_and_what_is_known(album, drawn):
    browser = browse(album)
    explain_picked(make_explainer(attention=None), album, browser, None)
    assert drawn.attended == []
    explainer = explain_picked(make_explainer(), album, browser, None)
    assert drawn.images == [(album.path_of(("test", "a")), NAMES[:2])] * 2
    assert drawn.attended[-1] == ("tag::dogs", 0.7, 0.75)
    explainer.label.index = 1
    explainer.opacity.value = 0.3
    explainer.known.value = ["culture::french"]
    assert drawn.attended[-2:] == [("culture::french", p, 0.3) for p in (0.2, 1)]
    browser.image.index = 1
    assert drawn.images[-1] == (album.path_of(("test", "b")), ["tag::boats", "tag::dogs"])
    assert explainer.known.value == []  # until another image is picked


def test_ones_own_picture_is_explained_or_refused(tmp_path, drawn):
    choice, message, _ = labelling.try_own(make_explainer(), None).children
    upload, path = choice.children
    [own] = write_noise(tmp_path, ["own"])
    path.value = f" {own} "
    assert drawn.images == [(own, None)]
    path.value = "<b>nowhere.png"
    assert "&lt;b&gt;nowhere.png" in message.value
    file = {"type": "image/png", "size": 3, "last_modified": pd.Timestamp(0)}
    upload.value = [file | {"name": "../up.png", "content": memoryview(own.read_bytes())}]
    assert np.array_equal(drawn.images[1][0], Image.open(own))
    assert message.value == ""
    upload.value = [file | {"name": "../text.png", "content": memoryview(b"text")}]
    assert message.value.startswith("text.png: ")


@pytest.mark.usefixtures("drawn")
def test_a_threshold_is_described_by_its_scores_beside_a_slider():
    slider, message, canvas = labelling.slide_threshold(PROBS, TARGETS, 0.25).children
    before = canvas.value
    slider.value = 0.45
    assert canvas.value != before
    scores = sample_scores(PROBS >= 0.45, TARGETS)
    wanted = "From 0.45: precision {precision:.3f}, recall {recall:.3f}, F2 {f2:.3f}; 1.5 labels"
    assert message.value.startswith(wanted.format(**scores))


@pytest.mark.usefixtures("drawn")
def test_flips_are_paged_and_filtered(album, monkeypatch):
    monkeypatch.setattr(widgets, "FLIPS", 1)
    ours = PREDS.copy()
    ours[1], ours[2] = TARGETS[1], False  # b is better, c worse
    compared = compare_runs(listed(ours), listed(), ("ours", "theirs"), NAMES)
    choices, canvas = labelling.page_flips(compared, album.images.set_index("id")["path"]).children
    choice, page, count = choices.children
    assert "of 2: 2 images" in count.value
    before = canvas.value
    page.value = 2
    assert canvas.value != before
    choice.value = "theirs is better"
    assert "of 1: 1 images" in count.value
