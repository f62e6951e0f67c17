"""The review in a real browser: by key, mouse and finger, saved and read back; hostile names."""

import numpy as np
import pandas as pd
import pytest
from test_labelling_review import explain, make_image, make_labeller
from test_labelling_review import write as write_pages

from imet_tools.labelling.new_images import NewImage
from imet_utils.decoding import CANDIDATES, NeighbourIndex, Neighbours, revise_probs

IDS = [12, 5, 100, 7]
NAMES = ["culture::french", "tag::dogs", "tag::hot dogs", "tag::boats"]
FRENCH, DOGS, HOT_DOGS, BOATS = range(4)
THRESHOLDS = {0.1: 0.05, 0.3: 0.15, 0.7: 0.5, 0.9: 0.8}
CORNER = np.eye(7)[:1].T @ np.eye(7)[:1]  # it looked into the upper left corner
ATTENTION = [CORNER, np.ones((2, 3)), CORNER, CORNER]
FORBIDDEN = "Object.defineProperty(window, 'localStorage', {get() { throw Error('forbidden') }})"
VEIL = """([x, y]) => { const veil = document.querySelector("canvas");
return veil.getContext("2d").getImageData(x * veil.width, y * veil.height, 1, 1).data[3]; }"""
OWN = ("file://", "data:", "blob:")
PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}


@pytest.fixture
def visit(browser):
    """Open a page as somebody who never saw it; fail if it errs, loads, or asks anything."""
    wrong = []

    def visit(path, before="", **options):
        page = browser.new_context(**options).new_page()
        page.set_default_timeout(5000)
        page.add_init_script(before)
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("request", lambda asked: asked.url.startswith(OWN) or wrong.append(asked.url))
        page.on("console", lambda said: said.type == "error" and wrong.append(said.text))
        page.goto(path.as_uri())
        return page

    yield visit
    for context in browser.contexts:
        context.close()
    assert wrong == []


def write(folder, numbers=range(4), thresholds=THRESHOLDS, **options):
    """Write pages that tick french and dogs of each image beforehand, and suggest hot dogs."""
    found = [explain([0.9, 0.6, 0.2, 0.0], ATTENTION, [(0.5, (BOATS,))]) for _ in numbers]
    labeller = make_labeller(IDS, NAMES, thresholds)
    return write_pages(folder, numbers, found, labeller, top=3, **options)


@pytest.fixture
def review(tmp_path):
    """Write a page of four images."""
    return write(tmp_path / "review")[0]


def accepted(page):
    buttons = page.locator(".choose[aria-pressed=true]").all()
    return [int(button.get_attribute("data-label")) for button in buttons]


def title(page):
    return page.locator("#title").inner_text()


def press(page, *keys):
    for key in keys:
        page.keyboard.press(key)


def save(page, tmp_path, act=None):
    """Save; return the name that the browser was given, and the text but for labels' names."""
    with page.expect_download() as started:
        act() if act else page.locator("#save").click()
    started.value.save_as(tmp_path / "saved.csv")
    saved = pd.read_csv(tmp_path / "saved.csv", dtype=str)
    assert list(saved) == ["id", "attribute_ids", "attribute_names", "proposed_terms"]
    return started.value.suggested_filename, saved.iloc[:, :2].to_csv(index=False)


def test_accept_reject_add_and_save_on_the_second_page(visit, tmp_path):
    page = visit(write(tmp_path, per_page=2)[1])
    assert accepted(page) == [FRENCH, DOGS]
    page.locator(".choose").nth(1).click()  # reject dogs
    page.locator(".choose").nth(2).click()  # accept hot dogs
    page.locator("#wanted").press_sequentially("boats")
    page.get_by_role("button", name="Add", exact=True).click()
    assert accepted(page) == [FRENCH, HOT_DOGS, BOATS]
    page.locator("#finish").click()
    assert title(page) == "3"
    page.locator("#wanted").evaluate("""(field) => { field.value = "tag::boats";
    field.dispatchEvent(new InputEvent("input", {inputType: "insertReplacementText"})); }""")
    assert accepted(page) == [FRENCH, DOGS, BOATS]  # as picked from the list of names
    page.locator("#finish").click()
    assert page.locator("#count").inner_text() == "2 of 2 reviewed"
    saved = ("reviewed_2.csv", "id,attribute_ids\n2,7 12 100\n3,5 7 12\n")
    assert save(page, tmp_path) == saved


def test_all_of_it_by_keys_and_labels_show_where_the_model_looked(visit, review, tmp_path):
    page = visit(review)
    press(page, "3", "ArrowDown")  # accept hot dogs
    assert "french" in page.locator("#looked").inner_text()
    assert page.evaluate(VEIL, [0.02, 0.02]) == 0
    assert page.evaluate(VEIL, [0.9, 0.9]) > 150
    press(page, "ArrowDown", "Space")  # reject dogs
    assert page.evaluate(VEIL, [0.9, 0.9]) == 0  # it looked everywhere
    assert accepted(page) == [FRENCH, HOT_DOGS]
    press(page, "/")
    page.keyboard.type("BOATS")
    press(page, "Enter", "Escape", "Enter", "j", "ArrowRight", "ArrowRight")
    assert title(page) == "3"
    press(page, "k", "k", "k", "ArrowLeft")
    assert accepted(page) == [FRENCH, HOT_DOGS, BOATS]
    press(page, "?")
    assert page.locator("dialog").is_visible()
    press(page, "Escape", "1", "u")
    assert page.locator("#count").inner_text() == "0 of 4 reviewed"
    press(page, "Enter")
    assert save(page, tmp_path, lambda: press(page, "s"))[1].endswith("\n0,7 100\n")


def test_by_finger_on_a_phone_where_nothing_is_too_small_or_out_of_sight(visit, review, tmp_path):
    page = visit(review, **PHONE)
    buttons = "header button:visible, .choose, .look:visible, .steps button"
    for button in page.locator(buttons).all():
        box = button.bounding_box()
        assert min(box["width"], box["height"]) >= 44
        assert 0 <= box["x"] <= 390 - box["width"]
    for is_lit in (1, 0):
        page.locator(".look").first.tap()
        assert page.locator("figure.lit").count() == is_lit
        assert accepted(page) == [FRENCH, DOGS]  # to look changes nothing
    page.locator(".choose").nth(1).tap()
    page.locator("#neighbours button").tap()
    page.locator("#finish").tap()
    assert save(page, tmp_path, lambda: page.locator("#save").tap())[1].endswith("\n0,7 12\n")
    assert page.evaluate("document.documentElement.scrollWidth") == 390


def shares(page):
    """Read what the page shows of each label: its share by the label."""
    return {
        int(button.get_attribute("data-label")): button.locator(".share").inner_text()
        for button in page.locator(".choose").all()
    }


def reload(page):
    """Load the page again, once the browser has had time to keep what was chosen."""
    page.wait_for_timeout(300)
    page.reload()


@pytest.mark.parametrize("known", [(), (5, 11)], ids=["nothing known", "two labels known"])
def test_a_decision_revises_the_other_labels_as_in_python(visit, tmp_path, known):
    rng = np.random.default_rng(0)
    targets = rng.random((300, 40)) < 0.1
    index = NeighbourIndex(np.zeros(4), np.eye(4), np.zeros((300, 4)), targets, 0.08)
    numbers = rng.permutation(300)[None, :CANDIDATES]
    cosines = np.sort(rng.uniform(0.2, 0.9, numbers.shape))[:, ::-1].round(4)
    probs = rng.uniform(0.001, 0.2, (1, 40)).round(4)

    def revise(decisions):
        signs = np.zeros((1, 40), dtype=np.int8)
        for label, sign in {**dict.fromkeys(known, 1), **decisions}.items():
            signs[0, label] = sign
        return revise_probs(probs, Neighbours(index, numbers, cosines), signs, 0.75)[0]

    shown = revise({})
    first = np.argsort(-shown, kind="stable")[:7].tolist()
    near = [(c, np.flatnonzero(targets[k])) for c, k in zip(cosines[0], numbers[0], strict=True)]
    options = {"strength": 0.75, "temperature": 0.08, "thresholds": {0.7: shown[first[2]] - 1e-4}}
    labeller = make_labeller(range(40), [f"tag::{k}" for k in range(40)], **options)
    found = [explain(shown, near=near)] * 2
    page = visit(write_pages(tmp_path, range(2), found, labeller, top=7, known=[known] * 2)[0])

    def check(decisions):
        found, wanted = shares(page), revise(decisions)
        for label in found.keys() - decisions:
            assert found[label] == f"{100 * wanted[label]:.0f} %"
        return found

    before = check({})
    assert list(before) == first
    page.locator(".choose").nth(4).click()  # accept
    after = check({first[4]: 1})
    assert len({k for k in first if before[k] != after[k]}) >= 2
    assert len(after) > len(before)  # what has become likely is suggested, too
    page.locator(".choose").nth(2).click()  # reject what was chosen
    check({first[4]: 1, first[2]: -1})
    reload(page)
    check({first[4]: 1, first[2]: -1})
    page.locator("#forth").click()
    assert shares(page) == before


def test_choices_outlive_the_tab_a_damaged_one_and_a_review_written_anew(visit, review):
    page = visit(review)
    press(page, "2", "Enter", "2", "Enter", "3")
    reload(page)
    assert title(page) == "2"
    assert accepted(page) == [FRENCH, DOGS, HOT_DOGS]
    page.evaluate("localStorage.setItem(slot(0), '{')")
    reload(page)
    assert page.locator("#alarm").is_hidden()
    assert accepted(page) == [FRENCH, DOGS]
    press(page, "ArrowRight")
    assert accepted(page) == [FRENCH]
    write(review.parent, [3, 0, 1])
    reload(page)
    assert page.locator("#count").inner_text() == "1 of 3 reviewed"


def test_a_browser_that_keeps_nothing_is_told(visit, review, tmp_path):
    page = visit(review, FORBIDDEN)
    assert page.locator("#alarm").is_visible()
    press(page, "2", "Enter", "ArrowLeft")
    with page.expect_event("dialog") as asked:  # whether to leave, and lose it
        page.close(run_before_unload=True)
    asked.value.dismiss()
    assert save(page, tmp_path)[1] == "id,attribute_ids\n0,12\n"
    reload(page)
    assert page.locator("#count").inner_text() == "0 of 4 reviewed"


def test_filters_show_what_is_done_and_no_image_without_a_label_is_saved(visit, review, tmp_path):
    page = visit(review)
    press(page, "1", "2", "Enter", "Enter")
    assert save(page, tmp_path)[1] == "id,attribute_ids\n1,5 12\n"
    assert "1 reviewed; 1 without a label left out" in page.locator("#say").inner_text()
    page.locator("[data-filter=done]").click()
    assert title(page) == "1"
    page.locator("[data-filter=todo]").click()
    assert title(page) == "2"
    press(page, "ArrowRight", "Enter")  # after the last the one that was passed over
    assert title(page) == "2"
    press(page, "Enter")
    assert "All images" in page.locator("#nothing").inner_text()


def test_hostile_names_are_text(visit, tmp_path):
    names = [
        "</script><script>window.struck = 1</script>",
        "tag::<img src=x onerror='window.struck = 1'>",
        "quote::\"'`${window.struck = 1}\\u003c",
        *("kind::浮世絵", "لغة::رسم", "same", "same", "__proto__"),
    ]
    ids = [10**17 + k for k in range(8)]  # more digits than a number of JavaScript has
    image = NewImage(make_image(tmp_path, 0).path, "<b>&amp;.png", 'a, "b" </script>')
    found = explain(np.full(8, 0.5), [CORNER] * 8, [(0.5, (0, 1))])
    labeller = make_labeller(ids, names, {0.7: 0.5})
    page = visit(write_pages(tmp_path, [image], [found], labeller)[0])
    assert (title(page), page.locator("#fact").inner_text()) == (image.id, image.file)
    shown = [name.inner_text() for name in page.locator(".name b").all()]
    assert shown == [name.rpartition("::")[2] for name in names]
    offered = page.eval_on_selector_all("option", "found => found.map((one) => one.value)")
    assert offered == [*names[:6], f"same ({ids[6]})", names[7]]
    for button in page.locator(".choose").all():
        button.hover()
    press(page, "8", "Enter")
    assert page.evaluate("window.struck") is None
    row = f'"a, ""b"" </script>",{" ".join(map(str, ids[:7]))}\n'
    assert save(page, tmp_path)[1] == f"id,attribute_ids\n{row}"


def test_what_is_ticked_follows_a_precision_that_can_be_moved(visit, review):
    page = visit(review)
    press(page, "2", "3", "4", "Enter")  # decided: no dogs, but hot dogs
    page.locator("#aim").fill("0")  # 0.3, as for 0.1 too few labels would be listed
    assert accepted(page) == [FRENCH, DOGS, HOT_DOGS]
    page.locator("#aim").fill("2")
    assert accepted(page) == [FRENCH]
    reload(page)
    assert (title(page), accepted(page)) == ("1", [FRENCH])  # it is remembered
    press(page, "ArrowLeft")
    assert accepted(page) == [FRENCH, HOT_DOGS]  # what was decided stays


def test_of_an_image_unlike_all_labelled_ones_only_what_is_known_is_ticked(visit, tmp_path):
    found = [explain([0.9, 1.0, 0.7, 0.0], near=[(cosine, (BOATS,))]) for cosine in (0.19, 0.21)]
    labeller = make_labeller(IDS, NAMES, {0.3: 0.15, 0.6: 0.8}, least_similarity=0.2)
    [path] = write_pages(tmp_path, range(2), found, labeller, top=3, known=[[DOGS]] * 2)
    page = visit(path)
    assert "Unlike the labelled images" in page.locator("#far").inner_text()
    assert accepted(page) == [DOGS]
    press(page, "Enter")
    assert page.locator("#far").is_hidden()
    assert accepted(page) == [DOGS, FRENCH]  # by 0.6, the highest precision that was reached


def test_a_typed_name_or_a_part_of_it_is_added_and_a_new_term_proposed(visit, review, tmp_path):
    page = visit(review)

    def propose(*texts):
        for text in texts:
            page.locator("#wanted").fill(text)
            page.locator("#propose").click()

    for typed, added, said in [
        ("dogs", [], "Added"),  # the whole name, though "hot dogs" has it too; it is accepted
        ("tag", [], "3 labels"),
        ("<i>cats", [], "No label is called “<i>cats”"),
        ("oat", [BOATS], "Added"),
    ]:
        page.locator("#wanted").fill(typed)
        page.locator("#wanted").press("Enter")
        assert accepted(page) == [FRENCH, DOGS, *added]
        assert said in page.locator("#say").inner_text()
    propose("  tag::red |  <b>kites, new", "wrong", "tag::hot dogs", "")
    assert accepted(page) == [FRENCH, DOGS, HOT_DOGS, BOATS]  # a label that exists is added
    page.locator("#terms button").nth(1).click()  # withdrawn
    term = "tag::red / <b>kites, new"
    assert page.locator("#terms bdi").all_inner_texts() == [term]
    page.locator("#finish").click()
    press(page, "1", "2")
    propose("odd")  # of an image without a label
    page.locator("#finish").click()
    reload(page)
    save(page, tmp_path)
    names = " | ".join(NAMES[label] for label in (DOGS, BOATS, FRENCH, HOT_DOGS))
    first = f'0,5 7 12 100,{names},"{term}"\n'
    assert (tmp_path / "saved.csv").read_text().partition("\n")[2] == f"{first}1,,,odd\n"
