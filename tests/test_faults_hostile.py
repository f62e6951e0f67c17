"""Files that would run code, write elsewhere, or change the report if they were trusted."""

import pickle
import re
import socket
import traceback

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

    def __init__(self, sprung):
        self.sprung = sprung

    def __reduce__(self):
        return (open, (str(self.sprung), "w"))


def in_a_checkpoint(trap, path):
    torch.save({"fingerprint": "a", "model": {"fc.weight": trap}}, path)


def in_an_old_checkpoint(trap, path):
    torch.save({"model": trap}, path, _use_new_zipfile_serialization=False)


def in_a_plain_pickle(trap, path):
    path.write_bytes(pickle.dumps(trap))


WRITERS = [in_a_checkpoint, in_an_old_checkpoint, in_a_plain_pickle]


@pytest.fixture
def trap(tmp_path):
    trap = Trap(tmp_path / "sprung")
    yield trap
    assert not trap.sprung.exists()


@pytest.mark.parametrize("write", WRITERS)
def test_a_pickle_is_refused_for_a_checkpoint(trap, tmp_path, write):
    write(trap, tmp_path / "last.pt")
    with pytest.raises(ValueError, match=r"last\.pt is no checkpoint of tensors") as error:
        load_checkpoint(tmp_path / "last.pt")
    told = "".join(traceback.format_exception(error.value))
    assert "weights_only=False" not in told  # torch's advice


@pytest.mark.parametrize("write", WRITERS)
def test_the_encoder_refuses_a_pickle_for_weights(trap, tmp_path, write):
    write(trap, tmp_path / "weights.pth")
    with pytest.raises(ValueError, match="holds more than tensors"):
        build_encoder("efficientnet_lite0", tmp_path / "weights.pth")


def test_a_store_refuses_a_pickle_for_an_array(trap, tmp_path):
    (tmp_path / "fingerprint.json").write_text("{}")
    with (tmp_path / "maps.npy").open("wb") as file:
        np.lib.format.write_array(file, np.array([trap], dtype=object), allow_pickle=True)
    with pytest.raises(ValueError, match=r"pickle|Python objects|allow_pickle"):
        open_features(tmp_path)


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


def write_hostile_collection(folder):
    """Write 40 images with ids and labels that are legal and mean harm."""
    texts, count = ["$(rm x)", "<b>&amp;", "%2e%2e", "'"], len(HOSTILE)
    ids = [f"{number:02}{texts[number % 4]}" for number in range(40)]
    rows = {i: f"{n % count} {(n + 1 + n % 3) % count}" for n, i in enumerate(ids)}
    write_collection(folder, rows, HOSTILE, (50, 60))


def check_page(text):
    """Check that a page has no code, and nothing from elsewhere but links in its prose."""
    tags = BeautifulSoup(text, "html.parser").find_all()
    assert not {tag.name for tag in tags} & {"script", "iframe", "object", "embed", "form", "base"}
    assert not [name for tag in tags for name in tag.attrs if name.startswith("on")]
    assert all(re.match(r"#|https?://|data:,", tag["href"]) for tag in tags if "href" in tag.attrs)
    assert all(tag["src"].startswith("data:image/") for tag in tags if "src" in tag.attrs)


def files_of(folder):
    """Return the files of a folder with their bytes."""
    return {(path, path.read_bytes()) for path in folder.rglob("*") if path.is_file()}


@pytest.mark.slow
def test_hostile_ids_and_labels_stay_text_and_in_their_folder(tmp_path):
    """The notebook that shows a collection and its labels runs on one that means harm."""
    write_hostile_collection(tmp_path / "data")
    before, project = files_of(tmp_path), set(PROJECT_DIR.glob("[!.]*"))
    arguments = ["--data", str(tmp_path / "data"), "--output", str(tmp_path / "deep/out")]
    assert main([*arguments, "--to", "01", "-p", "NUM_WORKERS", "0"]) == 0
    after = files_of(tmp_path)
    assert before <= after
    assert all(path.is_relative_to(tmp_path / "deep/out") for path, _ in after - before)
    assert set(PROJECT_DIR.glob("[!.]*")) <= project
    text = (tmp_path / "deep/out/report.html").read_text(encoding="utf-8")
    check_page(text)
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in text


@pytest.mark.parametrize("name", HOSTILE)
def test_a_label_is_shown_and_not_run_wherever_an_output_may_hold_it(tmp_path, name):
    outputs = [
        v4.new_output("stream", name="stdout", text=name),
        v4.new_output("execute_result", {"text/plain": name}),
        v4.new_output("execute_result", {"text/markdown": name}),
        v4.new_output("execute_result", {"text/html": f"<table><tr><td>{name}</td></tr></table>"}),
        v4.new_output("error", ename=name, evalue=name, traceback=[name]),
    ]
    cells = [v4.new_markdown_cell(f"# 1. A title\n\n{name}")]
    cells += [v4.new_code_cell("a", outputs=outputs)]
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
    def refuse(*_):
        raise AssertionError("the network is asked")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    encoder = build_encoder("efficientnet_lite0")
    pooled = encode_images(encoder, torch.zeros(1, 3, 64, 64, dtype=torch.uint8))["pooled"]
    assert pooled.shape == (1, encoder.dim)
