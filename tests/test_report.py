import re
from html.parser import HTMLParser
from importlib.metadata import version

import nbformat
import pytest
from nbformat import v4

from imet_utils.pipeline.report import (
    Heading,
    build_report,
    contents_html,
    format_results,
    read_results,
    table_html,
)
from imet_utils.pipeline.run_folder import record_notebook, start_record

VOID = {"meta", "link", "img", "br", "hr", "mspace"}


class Page(HTMLParser):
    """Collects what a page refers to, and checks that its elements are closed in order."""

    def __init__(self, text):
        super().__init__()
        self.open, self.sources, self.targets, self.anchors = [], [], [], []
        self.tags = []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        found = dict(attrs)
        self.tags.append(tag)
        self.sources += [found["src"]] if "src" in found else []
        self.anchors += [found["id"]] if "id" in found else []
        if "href" in found:
            (self.sources if tag == "link" else self.targets).append(found["href"])
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def write_copy(output_dir, stem, *cells, exception=False, **facts):
    """Write an executed copy as papermill leaves it."""
    record = {
        "parameters": {"LIMIT": 60, "NAME": "<urn>"},
        "duration": 75.0,
        "start_time": "2026-03-01T10:11:12.000000+00:00",
        "exception": exception,
        **facts,
    }
    notebook = v4.new_notebook(cells=list(cells), metadata={"papermill": record})
    folder = output_dir / "notebooks"
    folder.mkdir(parents=True, exist_ok=True)
    nbformat.write(notebook, folder / f"{stem}.ipynb")


@pytest.fixture
def output_dir(tmp_path):
    """Make a run of two notebooks with a figure, a table, a formula and results."""
    figure = v4.new_output("display_data", {"image/png": "iVBORw0KGgo="})
    table = v4.new_output("execute_result", {"text/html": "<table><tr><td>5</td></tr></table>"})
    link = "See [the next](02_train_it.ipynb) and [the paper](https://a.org), $a_1$."
    write_copy(
        tmp_path,
        "01_look_at_it",
        v4.new_markdown_cell("# 1. Look at it"),
        v4.new_markdown_cell(f"## 1.1 Labels\n\n{link}"),
        v4.new_code_cell("figure", outputs=[figure]),
        v4.new_markdown_cell("## Summary"),
    )
    write_copy(
        tmp_path,
        "02_train_it",
        v4.new_markdown_cell("# 2. Train it"),
        v4.new_code_cell("table", outputs=[table]),
        v4.new_markdown_cell("## Summary"),
    )
    (tmp_path / "results.csv").write_text(
        'model,split,f2,map\n"A, <b>",val,0.51251,\nB,test,0.5,0.12345\n'
    )
    return tmp_path


def test_one_page_that_needs_nothing_else(output_dir):
    path = build_report(output_dir)
    assert path == output_dir / "report.html"
    page = Page(path.read_text(encoding="utf-8"))
    assert all(source.startswith("data:") for source in page.sources)
    assert "script" not in page.tags
    assert "@import" not in path.read_text()
    assert "url(" not in path.read_text()
    assert sorted(file.name for file in output_dir.iterdir()) == [
        "notebooks",
        "report.html",
        "results.csv",
    ]


def test_every_link_on_the_page_has_its_target(output_dir):
    page = Page(build_report(output_dir).read_text())
    inner = [target[1:] for target in page.targets if target.startswith("#")]
    assert set(inner) <= set(page.anchors)
    assert len(page.anchors) == len(set(page.anchors)) == 5
    assert [target for target in page.targets if not target.startswith("#")] == ["https://a.org"]


def test_results_stand_first_and_everything_follows_in_reading_order(output_dir):
    text = build_report(output_dir).read_text()
    wanted = ["Contents", "<h1>", "0.513", "How it was run", "Look at it</h2>", "<math", "<figure>"]
    wanted += ["Summary</h3>", "Train it</h2>", "<td>5</td>", "Summary</h3>"]
    start = 0
    for part in wanted:
        start = text.index(part, start) + 1


def test_names_are_escaped_and_settings_told(output_dir):
    text = build_report(output_dir).read_text()
    assert "<td>A, &lt;b&gt;</td><td>val</td><td>0.513</td><td></td>" in text
    assert "<td>2026-03-01 10:11</td><td>75 s</td><td>LIMIT = 60, NAME = &lt;urn&gt;</td>" in text
    assert "<urn>" not in text


def test_of_a_failed_run_what_ran_is_shown_and_no_earlier_results(output_dir):
    marker = v4.new_markdown_cell("papermill", metadata={"tags": ["papermill-error-cell-tag"]})
    error = v4.new_output("error", ename="E", evalue="", traceback=["E: no <urn>"])
    cell = v4.new_code_cell("use()", outputs=[error])
    title = v4.new_markdown_cell("# 3. Use it")
    write_copy(output_dir, "03_use_it", marker, title, cell, exception=True)
    text = build_report(output_dir).read_text()
    assert '<p class="notice"><a href="#03_use_it">03_use_it</a> failed' in text
    assert "E: no &lt;urn&gt;" in text
    assert "<figure>" in text
    assert "0.513" not in text
    assert "<p>papermill</p>" not in text


def test_the_record_of_the_run_is_told(output_dir):
    start_record(output_dir, "<mine>")
    record_notebook(output_dir, "01_look_at_it", {"SEED": 7}, output_dir)
    text = build_report(output_dir).read_text()
    assert "<br>Profile: &lt;mine&gt;<br>Seed: 7<br>Commit: " in text
    assert f"torch {version('torch')}, " in text


def test_images_left_out_are_counted(output_dir):
    assert "left out" not in build_report(output_dir).read_text()
    rows = "folder,id\ntest,a\ntrain,b\ntrain,c\n"
    (output_dir / "skipped_images.csv").write_text(rows)
    text = build_report(output_dir).read_text()
    assert "cannot be used: 2 of train/ and 1 of test/; skipped_images.csv lists them." in text


def test_before_any_notebook_has_run_the_page_is_empty(tmp_path):
    page = Page(build_report(tmp_path).read_text())
    assert page.anchors == []


def test_a_report_that_fails_leaves_the_last_one_whole(output_dir):
    before = build_report(output_dir).read_text()
    (output_dir / "notebooks/02_train_it.ipynb").write_text("{}")
    with pytest.raises(Exception, match=re.compile("nbformat|cells|metadata|version", re.I)):
        build_report(output_dir)
    assert (output_dir / "report.html").read_text() == before


def test_results_are_read_with_three_decimals(output_dir):
    assert read_results(output_dir) == [
        ["model", "split", "f2", "map"],
        ["A, <b>", "val", "0.513", ""],
        ["B", "test", "0.500", "0.123"],
    ]
    assert read_results(output_dir / "notebooks") == []


def test_columns_are_aligned_by_what_they_hold():
    rows = [["model", "n", "f2"], ["A", "5", "0.512"], ["longer one", "12", ""]]
    assert format_results(rows).splitlines() == [
        "model        n     f2",
        "A            5  0.512",
        "longer one  12",
    ]


def test_contents_take_titles_and_sections_only():
    headings = [Heading("a", 1, "A"), Heading("b", 2, "B"), Heading("c", 3, "C")]
    wanted = '<ol><li><a href="#a">A</a><ol><li><a href="#b">B</a></li></ol></li></ol>'
    assert contents_html(headings) == wanted


def test_a_table_escapes_every_cell():
    assert "<th>&lt;a&gt;</th>" in table_html([["<a>"], ["&"]])
    assert "<td>&amp;</td>" in table_html([["<a>"], ["&"]])
