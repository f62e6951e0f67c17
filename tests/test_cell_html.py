import pytest
from nbformat import v4

from imet_utils.pipeline.report import (
    ProseRenderer,
    cell_html,
    clean_table,
    formula_html,
    output_html,
)

PIXEL = "iVBORw0KGgo=\n"


def render(source):
    return cell_html(v4.new_markdown_cell(source), ProseRenderer("01_a_b"))


def code_cell(*outputs, source="plot()"):
    return v4.new_code_cell(source, outputs=list(outputs))


def test_headings_are_one_level_deeper_with_anchors_of_their_own():
    prose = ProseRenderer("01_a_b")
    page = cell_html(v4.new_markdown_cell("# One\n## Two\n## Two"), prose)
    assert '<h2 id="01_a_b">One</h2>' in page
    assert '<h3 id="01_a_b-1">Two</h3>\n<h3 id="01_a_b-2">Two</h3>' in page
    assert [heading.level for heading in prose.headings] == [1, 2, 2]


def test_prose_keeps_its_markup_but_no_raw_html():
    page = render("**bold** `<b>` <script>alert(1)</script>\n\n| a | b |\n|---|---|\n| 1 | 2 |")
    assert "<strong>bold</strong> <code>&lt;b&gt;</code>" in page
    assert "<script>" not in page
    assert "<td>1</td>" in page


def test_links_between_notebooks_stay_on_the_page():
    assert '<a href="#02_c_d">next</a>' in render("[next](02_c_d.ipynb)")
    assert '<a href="https://a.org/x.ipynb">' in render("[x](https://a.org/x.ipynb)")


def test_images_from_elsewhere_become_links():
    page = render("![a map](https://a.org/map.png)")
    assert "<img" not in page
    assert '<a href="https://a.org/map.png">a map</a>' in page


def test_formulas_become_mathml():
    page = render(r"with $\alpha_p$ and" + "\n\n$$ c = \\sum_p a_p $$")
    assert "$" not in page
    assert page.count("<math ") == 2
    assert 'display="block"' in page
    assert "&#x003B1;" in page  # alpha


def test_a_formula_that_cannot_be_read_stays_tex():
    assert formula_html(r"\left( a < b", "inline") == r"<code>\left( a &lt; b</code>"


def test_code_is_folded_and_escaped():
    page = cell_html(code_cell(source="a < b"), ProseRenderer("01_a_b"))
    assert page == "<details><summary>Code</summary><pre>a &lt; b</pre></details>\n"


def test_a_figure_is_embedded_and_named_after_its_section():
    prose = ProseRenderer("01_a_b")
    cell_html(v4.new_markdown_cell('## ROC of *tag::"men"*'), prose)
    data = {"image/png": PIXEL, "text/plain": "<Figure size 640x480>"}
    page = cell_html(code_cell(v4.new_output("display_data", data)), prose)
    assert '<img src="data:image/png;base64,iVBORw0KGgo=" alt="ROC of tag::&quot;men' in page
    assert "Figure size" not in page


def test_an_svg_is_embedded_as_an_image():
    output = v4.new_output("display_data", {"image/svg+xml": "<svg/>"})
    assert "data:image/svg+xml;base64,PHN2Zy8+" in output_html(output, "")


def test_a_table_is_kept_and_its_names_escaped():
    table = "<div><style scoped>td {}</style><table><td>&lt;b&gt; urn</td></table></div>"
    output = v4.new_output("execute_result", {"text/html": table, "text/plain": "urn"})
    page = output_html(output, "")
    assert "<td>&lt;b&gt; urn</td>" in page
    assert "style" not in page


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


def test_outputs_to_one_stream_are_joined_and_progress_is_collapsed():
    pieces = ["a: 1/2 (50 %), 10 s, about 1", "0 s left\n", "a: 2/2 (100 %), 20 s\n<end>\n"]
    streams = [v4.new_output("stream", name="stdout", text=piece) for piece in pieces]
    error = v4.new_output("stream", name="stderr", text="careful")
    page = cell_html(code_cell(*streams, error), ProseRenderer("01_a_b"))
    assert '<pre class="stdout">a: 2/2 (100 %), 20 s\n&lt;end&gt;</pre>' in page
    assert '<pre class="stderr">careful</pre>' in page


def test_a_traceback_is_shown_without_its_colours():
    error = v4.new_output(
        "error", ename="E", evalue="", traceback=["\x1b[31mE\x1b[0m: <no>", "at 1"]
    )
    assert output_html(error, "") == '<pre class="error">E: &lt;no&gt;\nat 1</pre>\n'


def test_plain_results_are_escaped_and_empty_ones_left_out():
    result = v4.new_output("execute_result", {"text/plain": "<urn>"})
    assert output_html(result, "") == '<pre class="result">&lt;urn&gt;</pre>\n'
    assert output_html(v4.new_output("stream", name="stdout", text="\n"), "") == ""
