"""The report: complete in itself, in reading order, and safe whatever names it shows."""

import re
from html.parser import HTMLParser

import nbformat
import pytest
from nbformat import v4
from tiny_notebooks import write_results

from imet_tools.pipeline.report import build_report, clean_table, formula_html
from imet_tools.pipeline.run_folder import claim_folder, save_record
from imet_utils.files import save_json

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


def write_copy(output_dir, stem, *cells, exception=False):
    """Write an executed copy as papermill leaves it."""
    facts = {"papermill": {"exception": exception}}
    notebook = v4.new_notebook(cells=list(cells), metadata=facts)
    folder = output_dir / "notebooks"
    folder.mkdir(parents=True, exist_ok=True)
    nbformat.write(notebook, folder / f"{stem}.ipynb")


@pytest.fixture
def output_dir(tmp_path):
    """Make a run of two notebooks with a figure, a table, a formula and results."""
    figure = v4.new_output("display_data", {"image/png": "iVBORw0KGgo=\n"})
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
    write_results(tmp_path, 'model,split,f2,map\n"A, <b>",val,0.51251,\nB,test,0.5,0.12345\n')
    return tmp_path


def page_of(folder, *cells):
    """Write the report of one notebook, and return what it shows of it."""
    write_copy(folder, "01_a_b", *cells)
    return build_report(folder).read_text(encoding="utf-8").partition("</details>")[2]


def prose(*sources):
    return [v4.new_markdown_cell(source) for source in sources]


def code(*outputs, source="plot()"):
    return v4.new_code_cell(source, outputs=list(outputs))


# --- the page -------------------------------------------------------------------------------------


def test_one_page_that_needs_nothing_else(output_dir):
    before = {file.name for file in output_dir.iterdir()}
    path = build_report(output_dir)
    text = path.read_text(encoding="utf-8")
    page = Page(text)
    assert all(source.startswith("data:") for source in page.sources)
    assert "script" not in page.tags
    assert "@import" not in text
    assert "url(" not in text
    assert {file.name for file in output_dir.iterdir()} == {*before, "report.html"}


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


def test_results_are_shown_with_three_decimals_and_names_escaped(output_dir):
    text = build_report(output_dir).read_text()
    cells = re.findall("<td>(.*)</td>", text.partition("</table>")[0])
    assert cells == ["A, &lt;b&gt;", "val", "0.513", "", "B", "test", "0.500", "0.123"]
    assert "<urn>" not in text


def test_results_of_an_earlier_run_are_not_shown(output_dir):
    (output_dir / "08_evaluate_test/provenance.json").unlink()
    assert "0.513" not in build_report(output_dir).read_text()


def test_of_a_failed_run_what_ran_is_shown(output_dir):
    marker = v4.new_markdown_cell("papermill", metadata={"tags": ["papermill-error-cell-tag"]})
    error = v4.new_output("error", ename="E", evalue="no <urn>", traceback=["\x1b[31mat\x1b[0m 1"])
    title = v4.new_markdown_cell("# 3. Use it")
    write_copy(output_dir, "03_use_it", marker, title, code(error), exception=True)
    text = build_report(output_dir).read_text()
    assert '<p class="notice"><a href="#03_use_it">03_use_it</a> failed' in text
    sentence, traceback = text.index("E: no &lt;urn&gt;"), text.index("<pre>at 1</pre>")
    assert sentence < traceback
    assert "<figure>" in text
    assert "<p>papermill</p>" not in text


def test_the_records_of_the_notebooks_are_shown(output_dir):
    state = {"train": {"content": "1a2b"}, "test": None}
    parameters = {"LIMIT": 60, "NAME": "<urn>"}
    record = {"started": "now", "profile": "<mine>", "parameters": parameters, "seconds": 75.0}
    record |= {"commit": None, "platform": "a", "python": "3", "packages": {"torch": "9.9"}}
    with claim_folder(output_dir):
        save_record(output_dir, "01_look_at_it", record)
    save_json({"data": state, "products": []}, output_dir / "01_look_at_it/provenance.json")
    text = build_report(output_dir).read_text()
    shown = ["took 75.0 s", "Profile: &lt;mine&gt;", "LIMIT = 60, NAME = &lt;urn&gt;"]
    shown += ["Data: train 1a2b", "PyTorch 9.9"]
    assert [part for part in shown if part not in text] == []


def test_images_left_out_are_counted(output_dir):
    assert "left out" not in build_report(output_dir).read_text()
    rows = "folder,id,file,fault\ntest,a,a.png,x\ntrain,b,b.png,x\ntrain,c,c.png,x\n"
    (output_dir / "skipped_images.csv").write_text(rows)
    text = " ".join(build_report(output_dir).read_text().split())
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


# --- prose ----------------------------------------------------------------------------------------


def test_headings_are_one_level_deeper_with_anchors_of_their_own(tmp_path):
    page = page_of(tmp_path, *prose("# One\n## Two\n## Two"))
    assert '<h2 id="01_a_b">One</h2>' in page
    anchors = re.findall('<h3 id="(.*)">Two</h3>', page)
    assert len(set(anchors)) == 2


def test_prose_keeps_its_markup_but_no_raw_html(tmp_path):
    source = "**bold** `<b>` <script>alert(1)</script>\n\n| a | b |\n|---|---|\n| 1 | 2 |"
    page = page_of(tmp_path, *prose(source))
    assert "<strong>bold</strong> <code>&lt;b&gt;</code>" in page
    assert "<script>" not in page
    assert "<td>1</td>" in page


def test_images_from_elsewhere_become_links(tmp_path):
    page = page_of(tmp_path, *prose("![a map](https://a.org/map.png)"))
    assert "<img" not in page
    assert '<a href="https://a.org/map.png">a map</a>' in page


def test_formulas_become_mathml(tmp_path):
    page = page_of(tmp_path, *prose(r"with $\alpha_p$ and" + "\n\n$$ c = \\sum_p a_p $$"))
    assert "$" not in page
    assert page.count("<math ") == 2
    assert 'display="block"' in page
    assert "&#x003B1;" in page  # alpha


def test_a_formula_that_cannot_be_read_stays_tex():
    assert formula_html(r"\left( a < b", "inline") == r"<code>\left( a &lt; b</code>"


# --- code and outputs -----------------------------------------------------------------------------


def test_code_is_folded_and_escaped(tmp_path):
    page = page_of(tmp_path, code(source="a < b"))
    assert "<details><summary>Code</summary><pre>a &lt; b</pre></details>" in page


def test_a_figure_is_embedded_and_named_after_its_section(tmp_path):
    data = {"image/png": "iVBORw0KGgo=\n", "text/plain": "<Figure size 640x480>"}
    figure = v4.new_output("display_data", data, metadata={"image/png": {"width": 400}})
    page = page_of(tmp_path, *prose('## ROC of *tag::"men"*'), code(figure))
    (tag,) = re.findall("<figure>(<img [^>]*>)</figure>", page)
    assert 'src="data:image/png;base64,iVBORw0KGgo="' in tag
    assert 'alt="ROC of tag::&#34;men&#34;"' in tag
    assert 'width="400"' in tag
    assert "Figure size" not in page


def test_a_table_is_kept_and_its_names_escaped(tmp_path):
    table = "<div><style scoped>td {}</style><table><tr><td>&lt;b&gt; urn</td></tr></table></div>"
    output = v4.new_output("execute_result", {"text/html": table, "text/plain": "urn"})
    page = page_of(tmp_path, code(output))
    assert "<td>&lt;b&gt; urn</td>" in page
    assert "td {}" not in page


@pytest.mark.parametrize(
    "attack",
    [
        '<table><td><img src="x" onerror="run()"></td></table>',
        '<td onclick="run()">',
        "<script>run()</script>",
        '<iframe src="https://a.org">',
        '<a href="javascript:run()">a</a>',
    ],
)
def test_a_table_runs_nothing_and_fetches_nothing(attack):
    cleaned = clean_table(attack)
    assert "run()" not in cleaned
    assert "http" not in cleaned


def test_outputs_to_one_stream_are_joined_and_a_bar_is_shown_as_it_ended(tmp_path):
    pieces = ["\ra: 1/2 [00:10", "<00:10]", "\ra: 2/2 [00:20]", "\n<end>\n"]
    streams = [v4.new_output("stream", name="stdout", text=piece) for piece in pieces]
    error = v4.new_output("stream", name="stderr", text="careful")
    page = page_of(tmp_path, code(*streams, error))
    assert '<pre class="stdout">a: 2/2 [00:20]\n&lt;end&gt;</pre>' in page
    assert '<pre class="stderr">careful</pre>' in page


def test_plain_results_are_escaped_and_empty_ones_left_out(tmp_path):
    result = v4.new_output("execute_result", {"text/plain": "<urn>"})
    empty = v4.new_output("stream", name="stdout", text="\n")
    page = page_of(tmp_path, code(result), code(empty))
    assert "<pre>&lt;urn&gt;</pre>" in page
    assert "stdout" not in page
