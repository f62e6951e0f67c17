"""Notebook 09 in a real JupyterLab: it opens without a word, and its widgets work."""

import os
import re
import socket
import subprocess
import sys
import time
from contextlib import suppress
from urllib.request import urlopen

import nbformat
import pytest
from PIL import Image
from small_data import copy_run

from imet_utils.decoding import Decision
from imet_utils.labeller import make_labeller
from imet_utils.runs import PROJECT_DIR, open_run

sync_api = pytest.importorskip("playwright.sync_api")
NOTEBOOK = PROJECT_DIR / "notebooks/09_label_new_images.ipynb"
TOKEN = "only-for-this-test"
SETTINGS = {  # no cell is taken off the page while it is out of sight
    "notebook-extension/tracker": '{"windowingMode": "none"}',
    "apputils-extension/notification": '{"fetchNews": "false", "checkForUpdates": false}',
}
LABS_OWN = re.compile(r"Failed to load resource|favicon|registered .* twice|ResizeObserver")


@pytest.fixture(scope="module")
def folder(smoke, module_path):
    """Copy the notebook, set to a finished run with a labeller that attends, and two pictures."""
    folder = module_path / "notebooks"
    folder.mkdir()
    output = folder.parent / "output"
    copy_run(smoke[0], output)
    own = {"OUTPUT_DIR": str(output)}
    run = open_run("20_my_labeller", ["08_evaluate_test"], parameters=own)
    probs = run.probs("attncnn_rnn")["val"]
    labeller = make_labeller(run, {"attncnn_rnn": 1.0}, Decision(beta=2.0), probs)
    labeller.save(output / "labeller")
    line = 'OUTPUT_DIR: str = ""'
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    [parameters] = [cell for cell in notebook.cells if line in cell.source]
    parameters.source = parameters.source.replace(line, f'OUTPUT_DIR: str = "{output}"')
    nbformat.write(notebook, folder / NOTEBOOK.name)
    Image.new("RGB", (90, 60), (140, 90, 60)).save(folder / "own.png")
    (folder / "broken.png").write_bytes(b"no picture")
    return folder


@pytest.fixture(scope="module")
def lab(folder, module_path):
    """Start JupyterLab as somebody who never used it; return its address."""
    home = module_path / "home"
    for name, text in SETTINGS.items():
        path = home / f"settings/@jupyterlab/{name}.jupyterlab-settings"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    own = {"HOME": home, "JUPYTERLAB_SETTINGS_DIR": home / "settings", "PYTHONPATH": PROJECT_DIR}
    own |= {f"JUPYTER_{name}_DIR": home / name for name in ("CONFIG", "DATA", "RUNTIME")}
    own |= {"JUPYTERLAB_WORKSPACES_DIR": home / "spaces", "JUPYTER_PREFER_ENV_PATH": "1"}
    environment = os.environ | {name: str(value) for name, value in own.items()}
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", f"--port={port}"]
    command += [f"--IdentityProvider.token={TOKEN}", f"--ServerApp.root_dir={folder}"]
    command += ["--ServerApp.port_retries=0", "--allow-root", "--LabApp.extension_manager=readonly"]
    with (home / "log").open("w") as log:
        server = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
    address = f"http://127.0.0.1:{port}"
    try:
        for _ in range(120):
            assert server.poll() is None, (home / "log").read_text()[-2000:]
            try:
                urlopen(f"{address}/api?token={TOKEN}").close()
                break
            except OSError:
                time.sleep(0.5)
        yield address
    finally:
        server.terminate()
        server.wait(30)


@pytest.fixture(scope="module")
def explorer(browser, lab):
    """A page with notebook 09, run to its end by the kernel of the lab; its faults in `wrong`."""
    page = browser.new_page(viewport={"width": 1280, "height": 800})
    page.set_default_timeout(60_000)
    page.wrong = []
    page.on("pageerror", lambda error: page.wrong.append(str(error)))
    page.on("console", lambda said: said.type == "error" and page.wrong.append(said.text))
    page.goto(f"{lab}/lab/tree/{NOTEBOOK.name}?token={TOKEN}&reset")
    page.locator(".jp-Notebook .jp-Cell").first.wait_for()
    page.get_by_text("(ipykernel) | Idle").wait_for()  # else cells are run by nobody
    cells = nbformat.read(NOTEBOOK, as_version=4).cells
    number = sum(cell.cell_type == "code" for cell in cells)
    code = page.locator(".jp-Notebook .jp-CodeCell")
    sync_api.expect(code).to_have_count(number)
    page.locator(".lm-MenuBar-itemLabel", has_text=re.compile("^Run$")).click()
    page.locator(".lm-Menu-itemLabel", has_text=re.compile("^Run All Cells$")).click()
    done = code.last.locator(".jp-InputPrompt", has_text=f"[{number}]:")
    failed = page.locator("[data-mime-type='application/vnd.jupyter.error']")
    done.or_(failed).first.wait_for(timeout=180_000)
    assert failed.all_inner_texts() == []
    assert page.locator("[data-mime-type='application/vnd.jupyter.stderr']").count() == 0
    assert page.locator(".jp-OutputArea-output:has(> .jupyter-widgets)").count() == 5
    return page


def menu(page, name):
    return page.locator(".widget-dropdown", has_text=name).locator("select").first


def box(page, number):
    """Return the output of the `number`-th cell that shows widgets."""
    return page.locator(".jp-OutputArea-output:has(> .jupyter-widgets)").nth(number)


def picture(place):
    """Return the address of the picture that a place shows, a new one for each picture."""
    return place.locator("img").first.get_attribute("src")


def changed(place, before):
    """Wait for another picture than before, and return it."""
    for _ in range(300):
        if (now := picture(place)) != before:
            return now
        place.page.wait_for_timeout(100)
    raise AssertionError("the picture stays the same")


def test_browse_and_look_closer(explorer):
    browser, closer = box(explorer, 0), box(explorer, 1)
    before, looked = picture(browser), picture(closer)
    menu(browser, "Verdict").select_option("wrong")
    before = changed(browser, before)
    menu(browser, "Order").select_option("worst F2 first")
    before = changed(browser, before)
    looked = changed(closer, looked)
    assert re.search(r"of 1: \d images", browser.inner_text())
    browser.locator(".widget-toggle-button", has_text="2").click()
    looked = changed(closer, looked)
    menu(browser, "Images").select_option("new images")
    menu(browser, "Verdict").select_option("any")
    changed(browser, before)
    browser.get_by_placeholder("any").fill("no such label")
    browser.get_by_placeholder("any").press("Enter")
    sync_api.expect(browser).to_contain_text("of 1: 0 images")
    sync_api.expect(browser.locator(".widget-toggle-button:visible")).to_have_count(0)


def test_a_known_label_is_typed_and_everything_drawn_anew(explorer):
    closer = box(explorer, 1)
    options, known = (
        closer.locator("select option"),
        closer.locator("input.jupyter-widget-taginput"),
    )
    tag = closer.locator(".jupyter-widget-tag:not(input)").last
    for _ in range(6):  # again, where what was asked before is drawn, which clears what is known
        label = options.nth(5).inner_text().rsplit(maxsplit=1)[0]
        known.fill(label)
        known.press("Tab")
        with suppress(AssertionError):
            sync_api.expect(options.first).to_have_text(f"{label} 1.00", timeout=10_000)
            sync_api.expect(tag).to_have_text(label)
            break
    sync_api.expect(options.first).to_have_text(f"{label} 1.00")
    sync_api.expect(tag).to_have_text(label)


def test_ones_own_picture_by_upload_and_by_path(explorer, folder):
    own = box(explorer, 2)
    with explorer.expect_file_chooser() as asked:
        own.locator(".jupyter-button").first.click()
    asked.value.set_files(folder / "own.png")
    own.locator("img").first.wait_for()
    before = picture(own)
    path = own.get_by_placeholder("path")
    path.fill(str(folder / "broken.png"))
    path.press("Enter")
    sync_api.expect(own).to_contain_text("not an image in PNG")
    assert picture(own) == before


def test_nothing_went_wrong_on_the_way(explorer):
    assert [text for text in explorer.wrong if not LABS_OWN.search(text)] == []
    assert explorer.locator(".jp-Dialog").count() == 0
