"""Files that would run code, write elsewhere, or change the report if they were trusted."""

import pickle
import re
from pathlib import Path

import nbformat
import numpy as np
import pytest
import torch
from bs4 import BeautifulSoup
from nbformat import v4
from small_data import write_collection
from tiny_notebooks import write_results

from imet_tools.pipeline.__main__ import main
from imet_tools.pipeline.parameters import find_notebooks
from imet_tools.pipeline.report import build_report
from imet_utils.encoders import build_encoder, encode_images
from imet_utils.features.store import open_features
from imet_utils.files import load_checkpoint
from imet_utils.runs import PROJECT_DIR


class Trap:
    """Its pickle makes a file when it is loaded."""

    def __reduce__(self):
        return (open, ("sprung", "w"))


@pytest.fixture
def trap(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    yield Trap()
    assert not Path("sprung").exists()


@pytest.mark.parametrize("kind", ["checkpoint", "old checkpoint", "pickle"])
def test_a_pickle_is_refused_for_a_checkpoint_and_for_weights(trap, tmp_path, kind):
    path = tmp_path / "last.pt"
    if kind == "pickle":
        path.write_bytes(pickle.dumps(trap))
    else:
        zipped = kind == "checkpoint"
        torch.save({"fc.weight": trap}, path, _use_new_zipfile_serialization=zipped)
    with pytest.raises(ValueError, match=r"last\.pt is no checkpoint of tensors") as error:
        load_checkpoint(path)
    assert error.value.__suppress_context__  # of torch, which advises to run what is in it
    with pytest.raises(ValueError, match="holds more than tensors"):
        build_encoder("efficientnet_lite0", path)


def test_a_store_refuses_a_pickle_for_an_array(trap, tmp_path):
    (tmp_path / "fingerprint.json").write_text("{}")
    array, path = np.array([trap], dtype=object), tmp_path / "maps.npy"
    with path.open("wb") as file:
        np.lib.format.write_array(file, array, allow_pickle=True)
    for _ in range(2):
        with pytest.raises(ValueError, match=r"pickle|Python objects|allow_pickle"):
            open_features(tmp_path)
        path.write_bytes(pickle.dumps(array))


def test_the_package_unpickles_nothing():
    """Every `load` of arrays and tensors is of the kind that refuses pickles."""
    for path in [*PROJECT_DIR.glob("imet_utils/**/*.py"), *PROJECT_DIR.glob("notebooks/*.ipynb")]:
        text = path.read_text(encoding="utf-8")
        assert not re.search(
            r"pickle\.load|read_pickle|joblib.*\bload\b|allow_pickle=True|(?<![.\w])eval\(", text
        )
        loads = re.findall(r"torch\.load\([^)]*\)", text)
        assert all("weights_only=True" in load for load in loads), path


HOSTILE = [
    "tag::![picture](http://example.org/seen.png)",
    "tag::<script>alert(1)</script>",
    "culture::<img src=x onerror=alert(1)>",
    "tag::$\\frac{1}{$ & [a](javascript:alert(1))",
    "tag::../../up",
    "culture::{{7*7}} `code` **bold**",
    "<td onclick=run()>",
    "<iframe src=https://example.org>",
    "<a href='javascript:run()'>a</a>",
]


def check_page(text):
    """Check that a page has no code, and nothing from elsewhere but links in its prose."""
    tags = BeautifulSoup(text, "html.parser").find_all()
    assert not {tag.name for tag in tags} & {"script", "iframe", "object", "embed", "form", "base"}
    assert not [name for tag in tags for name in tag.attrs if name.startswith("on")]
    assert all(re.match(r"#|https?://|data:,", tag["href"]) for tag in tags if "href" in tag.attrs)
    assert all(tag["src"].startswith("data:image/") for tag in tags if "src" in tag.attrs)


@pytest.mark.slow
def test_hostile_ids_and_labels_stay_text_and_in_their_folder(tmp_path):
    """The notebook that shows a collection and its labels runs on one that means harm."""
    texts, count = ["$(rm x)", "<b>&amp;", "%2e%2e", "'"], len(HOSTILE)
    ids = [f"{number:02}{texts[number % 4]}" for number in range(40)]
    rows = {i: f"{n % count} {(n + 1 + n % 3) % count}" for n, i in enumerate(ids)}
    write_collection(tmp_path / "data", rows, HOSTILE, (50, 60))
    before = {path: path.read_bytes() for path in tmp_path.rglob("*.*")}
    project = set(PROJECT_DIR.glob("[!.]*"))
    arguments = ["--data", str(tmp_path / "data"), "--output", str(tmp_path / "deep/out")]
    assert main([*arguments, "--to", "01", "-p", "NUM_WORKERS", "0"]) == 0
    assert all(path.read_bytes() == content for path, content in before.items())
    new = {path for path in tmp_path.rglob("*") if path.is_file()} - before.keys()
    assert all(path.is_relative_to(tmp_path / "deep/out") for path in new)
    assert set(PROJECT_DIR.glob("[!.]*")) <= project
    text = (tmp_path / "deep/out/report.html").read_text(encoding="utf-8")
    check_page(text)
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in text


@pytest.mark.parametrize("name", HOSTILE)
def test_a_label_is_shown_and_not_run_wherever_an_output_may_hold_it(tmp_path, name):
    shown = {"text/plain": name, "text/markdown": name}
    shown["text/html"] = f"<table><tr><td>{name}</td></tr></table>"
    outputs = [v4.new_output("execute_result", {kind: text}) for kind, text in shown.items()]
    outputs += [v4.new_output("stream", name="stdout", text=name)]
    outputs += [v4.new_output("error", ename=name, evalue=name, traceback=[name])]
    cells = [v4.new_markdown_cell(f"# 1. {name}\n\n{name}"), v4.new_code_cell("a", outputs=outputs)]
    notebook = v4.new_notebook(cells=cells, metadata={"papermill": {"parameters": {"A": name}}})
    (tmp_path / "notebooks").mkdir()
    nbformat.write(notebook, tmp_path / "notebooks/01_a_b.ipynb")
    write_results(tmp_path, f'model,split,f2\n"{name}",test,0.5\n')
    check_page(build_report(tmp_path).read_text(encoding="utf-8"))


def test_notebooks_call_no_network():
    ours = {"imet_utils", "imet_tools", "numpy", "pandas", "torch", "skimage"}
    ours |= {"time", "functools", "dataclasses", "pathlib"}
    for path in find_notebooks(PROJECT_DIR / "notebooks").values():
        cells = nbformat.read(path, as_version=4).cells
        for source in [cell.source for cell in cells if cell.cell_type == "code"]:
            taken = re.findall(r"^\s*(?:from|import)\s+(\w+)", source, re.MULTILINE)
            assert set(taken) <= ours
            assert not re.search(r"https?://|torch\.hub|^\s*[!%](?!matplotlib)", source)


def test_the_default_encoder_needs_no_network(monkeypatch):
    for name in ("socket.socket.connect", "socket.getaddrinfo"):
        monkeypatch.setattr(name, lambda *_: pytest.fail("the network is asked"))
    encoder = build_encoder("efficientnet_lite0")
    pooled = encode_images(encoder, torch.zeros(1, 3, 64, 64, dtype=torch.uint8))["pooled"]
    assert pooled.shape == (1, encoder.dim)
