"""The gallery: whole runs of the sample alone, the same bytes of two equal runs, sound links."""

from base64 import b64decode

import pytest
from nbformat import v4
from test_pipeline_report import code, png, prose, shown, write_copy
from tiny_notebooks import write_record

from imet_tools.pipeline.gallery import main, write_gallery
from imet_tools.pipeline.parameters import find_notebooks
from imet_tools.sample.collection import image_id
from imet_utils.runs import PROJECT_DIR

STEMS = list(find_notebooks(PROJECT_DIR / "notebooks"))
FIRST, SEVENTH = STEMS[0], STEMS[6]
SAMPLE_IDS = [image_id(0, number) for number in range(3)]


def write_run(folder, seconds="02", ids=SAMPLE_IDS, **parameters):
    """Write a finished run of all notebooks, with what differs from one run to the next."""
    bar = f"\rtraining: 0/9 [00:00<?, ?it/s]\rtraining: 9/9 [00:{seconds}<00:00, 1.1it/s]\n"
    text = f"{bar}A view takes {seconds}.5 ms, of {folder}/features\n"
    table = "<table>\n <style>td {}</style><tr>\n  <td>5</td></tr>\n</table>"
    injected = code(source=f'# Parameters\nOUTPUT_DIR = "{folder}"\nEPOCHS = 3\n')
    injected.metadata.tags = ["injected-parameters"]
    for width, stem in enumerate(STEMS, start=8):
        cells = [
            prose(f"# Title of {stem}\n\nThen [the last]({STEMS[-1]}.ipynb)."),
            injected,
            code(v4.new_output("stream", name="stdout", text=text)),
            prose("## 1.2 A figure, looked at"),
            code(shown("text/html", table), shown("image/png", png(width))),
            prose("What there is to see, and [more](02_preprocess_images.ipynb)."),
            code(shown("text/plain", f"<function f at 0x7f{seconds}>"), source="f"),
        ]
        write_copy(folder, stem, *cells, OUTPUT_DIR=str(folder), **parameters)
        (folder / stem).mkdir()
        (folder / stem / "images.csv").write_text("\n".join(["id", *ids]))
        write_record(folder, stem, f"{stem}/images.csv")
    (folder / "figures").mkdir()
    (folder / "figures/07_roc.png").write_bytes(b64decode(png(8 + STEMS.index(SEVENTH))))
    return folder


def read_all(folder):
    return {p.relative_to(folder): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


@pytest.fixture(scope="module")
def pages(module_path):
    """Make the gallery of a run, over one of an earlier run."""
    docs = module_path / "docs"
    (docs / "notebooks").mkdir(parents=True)
    for name in ("gallery.md", "notebooks/former.md"):
        (docs / name).touch()
    write_gallery(write_run(module_path / "a run"), docs)
    return docs


def test_it_holds_each_notebook_without_what_changes_and_a_page_of_figures_explained(pages):
    wanted = {"gallery.md", *[f"notebooks/{stem}.md" for stem in STEMS]}
    figures = {f"notebooks/figures/{stem[:2]}_cell_4.webp" for stem in STEMS if stem != SEVENTH}
    found = {path.as_posix() for path in read_all(pages)}
    assert found == wanted | figures | {"notebooks/figures/07_roc.webp"}
    text = (pages / "gallery.md").read_text()
    figure = "[![A figure, looked at](notebooks/figures/07_roc.webp)]"
    assert f"{figure}(notebooks/{SEVENTH}.md#12-a-figure-looked-at)\n\nWhat there" in text
    assert "[more](notebooks/02_preprocess_images.md)" in text
    assert (text.count("CC0 1.0"), text.count("![")) == (1, 1)
    text = (pages / f"notebooks/{FIRST}.md").read_text()
    parts = ["\nEPOCHS = 3\n```", "    A view takes … ms, of outputs/features", "<td>5</td>"]
    parts += [f"[the last]({STEMS[-1]}.md)", "![1.2 A figure, looked at](figures/01_cell_4.webp)"]
    assert [part for part in [*parts, "    <function f>"] if part not in text] == []
    gone = ["training", "OUTPUT_DIR", "<style", str(pages.parent), "\n\n\n"]
    assert [part for part in gone if part in text] == []


def test_two_equal_runs_give_the_same_bytes(pages, tmp_path):
    write_gallery(write_run(tmp_path / "run", seconds="55"), tmp_path / "docs")
    assert read_all(tmp_path / "docs") == read_all(pages)


def test_other_files_are_never_replaced(tmp_path, capsys):
    (tmp_path / "site/notebooks").mkdir(parents=True)
    (tmp_path / "site/notebooks/own.md").touch()
    run = write_run(tmp_path / "run")
    assert main(["--output", str(run), "--pages", str(tmp_path / "site")]) == 2
    assert "own.md is no page of a gallery" in capsys.readouterr().err
    assert (tmp_path / "site/notebooks/own.md").exists()


def test_a_run_that_is_not_finished_is_refused_by_name(tmp_path, capsys):
    run = write_run(tmp_path / "run")
    write_copy(run, STEMS[5], prose("# 6"), exception=True)
    (run / SEVENTH / "provenance.json").unlink()
    (run / f"notebooks/{STEMS[7]}.ipynb").unlink()
    assert main(["--output", str(run), "--pages", str(tmp_path / "docs")]) == 2
    missing = f"{STEMS[5]}, {SEVENTH}, {STEMS[7]}"
    assert f"is no finished run: {missing} must run first" in capsys.readouterr().err
    assert not (tmp_path / "docs").exists()


@pytest.mark.parametrize("other", [{"ids": ["vase", *SAMPLE_IDS]}, {"PICTURE": "mine.jpg"}])
def test_images_that_are_not_ours_stay_out_of_the_projects_pages(tmp_path, capsys, other):
    run = write_run(tmp_path / "run", **other)
    before = read_all(PROJECT_DIR / "docs")
    assert main(["--output", str(run)]) == 2
    assert "shows images other than the sample's" in capsys.readouterr().err
    assert read_all(PROJECT_DIR / "docs") == before
    assert main(["--output", str(run), "--pages", str(tmp_path / "docs")]) == 0
    text = (tmp_path / "docs/gallery.md").read_text()
    assert "on the collection data" in text
    assert "CC0" not in text
