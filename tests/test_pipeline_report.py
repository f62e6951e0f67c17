"""The report: complete in itself, in reading order, and safe whatever names it shows."""

import re
from base64 import b64decode, b64encode
from io import BytesIO

import nbformat
import pytest
from bs4 import BeautifulSoup
from nbformat import v4
from PIL import Image
from tiny_notebooks import write_record, write_results

from imet_tools.pipeline.report import build_report
from imet_tools.pipeline.run_folder import describe_run
from imet_utils.files import save_json
from imet_utils.provenance import make_provenance


def prose(source, **metadata):
    return v4.new_markdown_cell(source, metadata=metadata)


def code(*outputs, source="plot()"):
    return v4.new_code_cell(source, outputs=list(outputs))


def shown(kind, content, **metadata):
    return v4.new_output("display_data", {kind: content}, metadata=metadata)


def write_copy(output_dir, stem, *cells, exception=False, **parameters):
    """Write an executed copy as papermill leaves it."""
    facts = {"papermill": {"exception": exception, "parameters": parameters}}
    path = output_dir / f"notebooks/{stem}.ipynb"
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(v4.new_notebook(cells=list(cells), metadata=facts), path)


@pytest.fixture
def output_dir(tmp_path):
    """Make a run of two notebooks with a figure, a table, a formula and results."""
    link = "See [the next](02_train_it.ipynb) and [the paper](https://a.org), $a_1$."
    text = prose(f"## 1.1 Labels\n\n{link}")
    figure = code(shown("image/png", "iVBORw0KGgo=\n"))
    write_copy(tmp_path, "01_look_at_it", prose("# 1. Look at it"), text, figure, prose("## End"))
    table = code(shown("text/html", "<table><tr><td>5</td></tr></table>"))
    write_copy(tmp_path, "02_train_it", prose("# 2. Train it"), table, prose("## End"))
    write_results(tmp_path, 'model,split,f2,map\n"A, <b>",val,0.51251,\nB,test,0.5,0.12345\n')
    return tmp_path


def page_of(folder, *cells):
    """Write the report of one notebook, and return what it shows of it."""
    write_copy(folder, "01_a_b", *cells)
    return build_report(folder).read_text(encoding="utf-8").partition("</details>")[2]


def png(width=8):
    """Encode a white image of 8 rows."""
    file = BytesIO()
    Image.new("RGBA", (width, 8), "white").save(file, "PNG")
    return b64encode(file.getvalue()).decode()


def test_everything_follows_in_reading_order_and_links_have_targets(output_dir):
    text = build_report(output_dir).read_text()
    wanted = ["Contents", "<h1>", "0.500", "0.513", "How it was run", "Look at it</h2>", "<math"]
    wanted += ["<figure>", "End</h3>", "Train it</h2>", "<td>5</td>", "End</h3>"]
    start = 0
    for part in wanted:
        start = text.index(part, start) + 1
    cells = re.findall("<td>(.*)</td>", text)[:8]
    assert cells == ["B", "test", "0.500", "0.123", "A, &lt;b&gt;", "val", "0.513", ""]
    page = BeautifulSoup(text, "html.parser")
    anchors = [tag["id"] for tag in page.find_all(id=True)]
    assert len(anchors) == len(set(anchors)) == 7
    targets = {tag["href"] for tag in page.find_all("a")}
    assert targets - {f"#{anchor}" for anchor in anchors} == {"https://a.org"}


def test_the_first_screen_says_in_words_how_good_the_predictions_are(output_dir):
    rows = ["model,split,f2,f1,precision,recall,map", "mine,val,.9,.9,.9,.9,.9"]
    rows += ["constant guess,test,.2,.1,.1,.3,", "other,test,.4,.4,.4,.4,.4"]
    write_results(output_dir, "\n".join([*rows, "mine,test,.513,.5,.424,.706,.5"]))
    (output_dir / "images.csv").write_text("id,split\na,train\nb,train\nc,val\nd,test\n")
    (output_dir / "labels.csv").write_text("attribute_id,attribute_name\n0,a\n1,b\n2,c\n")
    write_record(output_dir, "01_look_at_it", "images.csv", "labels.csv")
    text = build_report(output_dir).read_text()
    parts = ["From 2 labelled images", "which of 3 labels", "On 1 test images", "42 % of the"]
    parts += ["71 % of the annotated", "(F2 0.513;", "every image score 0.200)"]
    assert [part for part in parts if part not in text] == []


def test_an_anchor_lasts_when_sections_are_numbered_anew_or_put_in_between(tmp_path):
    def anchors(*titles):
        write_copy(tmp_path, "01_a_b", *[prose(f"## {title}") for title in titles])
        return re.findall('<h3 id="(01_a_b[^"]*)"', build_report(tmp_path).read_text())

    before = anchors("A", "1.1 Is *F2* enough?", "1.2 Labels", "1.3 Labels")
    assert before == ["01_a_b", "01_a_b-is-f2-enough", "01_a_b-labels", "01_a_b-labels-2"]
    after = anchors("A", "1.1 New", "1.2 Is *F2* enough?", "1.3 Labels", "1.4 Labels")
    assert after == [before[0], "01_a_b-new", *before[1:]]


def test_what_has_failed_or_is_outdated_is_named_and_what_ran_is_shown(output_dir):
    marker = prose("papermill", tags=["papermill-error-cell-tag"])
    error = v4.new_output("error", ename="E", evalue="no <urn>", traceback=["\x1b[31mat\x1b[0m 1"])
    write_copy(output_dir, "03_use_it", marker, prose("# 3. Use"), code(error), exception=True)
    (output_dir / "a.csv").touch()
    write_record(output_dir, "02_train_it", "a.csv")
    (output_dir / "a.csv").unlink()
    text = build_report(output_dir).read_text()
    named = re.findall(r'<p class="notice"><a href="#(\w+)">\1</a> (failed|is outdated)', text)
    assert named == [("03_use_it", "failed"), ("02_train_it", "is outdated")]
    assert text.index("E: no &lt;urn&gt;") < text.index("<pre>at 1</pre>")
    assert "<figure>" in text
    assert "<p>papermill</p>" not in text


def test_the_records_of_the_notebooks_and_what_was_left_out_are_shown(output_dir):
    record = describe_run("<mine>", {"LIMIT": 60, "NAME": "<urn>"})
    record |= {"seconds": 75.0, "packages": {"torch": "9.9"}}
    save_json({"notebooks": {"01_look_at_it": record}}, output_dir / "run.json")
    data = {"train": {"content": "1a2b"}, "test": None}
    provenance = make_provenance(output_dir, {}, [], output_dir, data, {}, [])
    save_json(provenance, output_dir / "01_look_at_it/provenance.json")
    rows = "folder,id,file,fault\ntest,a,a.png,x\ntrain,b,b.png,x\ntrain,c,c.png,x\n"
    (output_dir / "skipped_images.csv").write_text(rows)
    text = " ".join(build_report(output_dir).read_text().split())
    wanted = ["took 75.0 s", "Profile: &lt;mine&gt;", "LIMIT = 60, NAME = &lt;urn&gt;"]
    wanted += ["Data: train 1a2b", "PyTorch 9.9", "2 of train/ and 1 of test/; skipped_images.csv"]
    assert [part for part in wanted if part not in text] == []


def test_prose_keeps_markup_and_formulas_but_no_raw_html_and_no_images_from_elsewhere(tmp_path):
    source = "# One\n**bold** `<b>` <script>alert(1)</script>\n\n![a map](https://a.org/map.png)\n"
    formulas = "with $\\alpha_p$, $\\left( a < b$ and\n\n$$ c = a_p $$"
    page = page_of(tmp_path, prose(source), prose(formulas))
    wanted = ['<h2 id="01_a_b">One</h2>', "<strong>bold</strong> <code>&lt;b&gt;</code>"]
    wanted += ['<a href="https://a.org/map.png">a map</a>', r"<code>\left( a &lt; b</code>"]
    assert [part for part in wanted if part not in page] == []  # a heading is one level deeper
    assert [part for part in ("<script>", "<img", "$") if part in page] == []
    assert page.count("<math ") == 2


def test_a_figure_is_embedded_as_webp_where_it_can_be_and_named_after_its_section(tmp_path):
    figure = shown("image/png", png(), **{"image/png": {"width": 400}})
    others = ["iVBORw0KGgo=", png(20_000)]  # damaged, and too large for WebP
    outputs = [figure, *[shown("image/png", other) for other in others]]
    page = page_of(tmp_path, prose('## ROC of *tag::"men"*'), code(*outputs))
    assert re.findall('data:image/png;base64,([^"]*)', page) == others
    tag = re.findall("<figure>(<img [^>]*>)</figure>", page)[0]
    data = b64decode(re.search('src="data:image/webp;base64,([^"]*)"', tag)[1])
    assert Image.open(BytesIO(data)).size == (8, 8)
    assert 'alt="ROC of tag::&#34;men&#34;"' in tag
    assert 'width="400"' in tag


def test_code_and_outputs_are_escaped_and_a_bar_is_shown_as_it_ended(tmp_path):
    pieces = ["\ra: 1/2 [00:10", "<00:10]", "\ra: 2/2 [00:20]", "\n<end>\n"]
    streams = [v4.new_output("stream", name="stdout", text=piece) for piece in pieces]
    table = "<div><style scoped>td {}</style><table><tr><td>&lt;b&gt; urn</td></tr></table></div>"
    outputs = [*streams, shown("text/html", table), shown("text/plain", "<urn>")]
    page = page_of(tmp_path, code(*outputs, source="a < b"))
    wanted = ["<summary>Code</summary><pre>a &lt; b</pre>", "<td>&lt;b&gt; urn</td>"]
    wanted += ['<pre class="stdout">a: 2/2 [00:20]\n&lt;end&gt;</pre>', "<pre>&lt;urn&gt;</pre>"]
    assert [part for part in wanted if part not in page] == []
    assert "td {}" not in page
