"""Notebook 09 in a real JupyterLab: it opens without a word, and its widgets work."""

import os
import re
import socket
import subprocess
import sys
import time

import pytest
from PIL import Image
from small_data import copy_run

from imet_utils.runs import PROJECT_DIR

sync_api = pytest.importorskip("playwright.sync_api")
NOTEBOOK = PROJECT_DIR / "notebooks/09_label_new_images.ipynb"
BOX = ".jp-OutputArea-output:has(> .jupyter-widgets)"  # the output of a cell that shows widgets
LABS_OWN = re.compile(r"Failed to load resource|favicon|registered .* twice|ResizeObserver")


@pytest.fixture(scope="module")
def folder(smoke, module_path):
    """Copy the notebook, set to a copy of a finished run, and two pictures."""
    folder = module_path / "notebooks"
    folder.mkdir()
    output = copy_run(smoke[0], module_path / "output")
    text = NOTEBOOK.read_text(encoding="utf-8")
    line = r"OUTPUT_DIR: str = \"%s\""
    (folder / NOTEBOOK.name).write_text(text.replace(line % "", line % output), encoding="utf-8")
    Image.new("RGB", (90, 60), (140, 90, 60)).save(folder / "own.png")
    (folder / "broken.png").write_bytes(b"no picture")
    return folder


@pytest.fixture(scope="module")
def lab(folder, module_path):
    """Start JupyterLab as somebody who never used it; return its address."""
    home = module_path / "home"
    settings = home / ".jupyter/lab/user-settings/@jupyterlab/notebook-extension"
    settings.mkdir(parents=True)  # no cell is taken off the page while it is out of sight
    (settings / "tracker.jupyterlab-settings").write_text('{"windowingMode": "none"}')
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{found.getsockname()[1]}/lab"
    own = {"HOME": str(home), "PYTHONPATH": str(PROJECT_DIR), "JUPYTER_PREFER_ENV_PATH": "1"}
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root"]
    command += [f"--port={address.split(':')[2][:-4]}", f"--ServerApp.root_dir={folder}"]
    command += ["--IdentityProvider.token=", "--LabApp.extension_manager=readonly"]
    with (home / "log").open("w") as log:
        server = subprocess.Popen(command, env=os.environ | own, stdout=log, stderr=log)
    while address not in (home / "log").read_text():
        assert server.poll() is None, (home / "log").read_text()[-2000:]
        time.sleep(0.5)
    yield address
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
    page.goto(f"{lab}/tree/{NOTEBOOK.name}?reset")
    page.locator(".jp-Notebook .jp-Cell").first.wait_for()
    page.get_by_text("(ipykernel) | Idle").wait_for()  # else cells are run by nobody
    page.locator(".lm-MenuBar-itemLabel", has_text=re.compile("^Run$")).click()
    page.locator(".lm-Menu-itemLabel", has_text=re.compile("^Run All Cells$")).click()
    number = NOTEBOOK.read_text(encoding="utf-8").count('"cell_type": "code"')
    done = page.locator(".jp-CodeCell .jp-InputPrompt", has_text=f"[{number}]:")
    failed = page.locator("[data-mime-type='application/vnd.jupyter.error']")
    done.or_(failed).first.wait_for(timeout=180_000)
    assert failed.all_inner_texts() == []
    assert page.locator("[data-mime-type='application/vnd.jupyter.stderr']").count() == 0
    assert page.locator(BOX).count() == 5
    return page


def choose(page, name, option):
    page.locator(".widget-dropdown", has_text=name).locator("select").first.select_option(option)


def picture(place, before=""):
    """Wait for another picture than before, and return its address."""
    shown = place.locator("img").first
    sync_api.expect(shown).not_to_have_attribute("src", before, timeout=30_000)
    return shown.get_attribute("src")


def test_browse_and_look_closer(explorer):
    browser, closer = explorer.locator(BOX).nth(0), explorer.locator(BOX).nth(1)
    before, looked = picture(browser), picture(closer)
    choose(browser, "Verdict", "wrong")
    before = picture(browser, before)
    choose(browser, "Order", "worst F2 first")
    before = picture(browser, before)
    looked = picture(closer, looked)
    assert re.search(r"of 1: \d images", browser.inner_text())
    browser.locator(".widget-toggle-button", has_text="2").click()
    looked = picture(closer, looked)
    choose(browser, "Images", "new images")
    choose(browser, "Verdict", "any")
    picture(browser, before)
    browser.get_by_placeholder("any").fill("no such label")
    browser.get_by_placeholder("any").press("Enter")
    sync_api.expect(browser).to_contain_text("of 1: 0 images")


def test_ones_own_picture_by_upload_and_by_path_and_nothing_goes_wrong(explorer, folder):
    own = explorer.locator(BOX).nth(2)
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
    assert [text for text in explorer.wrong if not LABS_OWN.search(text)] == []
    assert explorer.locator(".jp-Dialog").count() == 0
