"""HTML of the cells of an executed notebook, without any resource from elsewhere."""

import base64
import re
from dataclasses import dataclass
from html import escape, unescape

from latex2mathml.converter import convert
from nbconvert.filters import strip_ansi
from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath
from nbconvert.preprocessors.sanitize import SanitizeHTML
from nbformat import NotebookNode

from imet_utils.progress import last_lines

IMAGES = ("image/png", "image/jpeg", "image/svg+xml")
TABLE_TAGS = ["table", "caption", "thead", "tbody", "tfoot", "tr", "th", "td"]
TEXT_TAGS = ["div", "p", "span", "b", "i", "em", "strong", "br", "pre", "code"]
FOLD_START = "<details><summary>Code</summary><pre>"
FOLD_END = "</pre></details>\n"
SCRIPT_OR_STYLE = re.compile(r"<(script|style)\b.*?</\1\s*>", re.DOTALL | re.IGNORECASE)


@dataclass(frozen=True)
class Heading:
    """A heading of the report: where a link to it leads, how deep it is, and its HTML."""

    anchor: str
    level: int
    html: str


class ProseRenderer(IPythonRenderer):
    """Markdown to HTML with anchors unique in the report, and formulas as MathML.

    MathML is drawn by browsers themselves; MathJax would come from the network.
    """

    def __init__(self, stem: str) -> None:
        super().__init__(escape=True, allow_harmful_protocols=False)
        self.stem = stem
        self.headings: list[Heading] = []

    def heading(self, text: str, level: int, **attrs: object) -> str:
        """Put a notebook's heading one level deeper, with an anchor."""
        anchor = f"{self.stem}-{len(self.headings)}" if self.headings else self.stem
        self.headings.append(Heading(anchor, level, text))
        return f'<h{level + 1} id="{anchor}">{text}</h{level + 1}>\n'

    def link(self, text: str, url: str, title: str | None = None) -> str:
        """Lead links between notebooks to their places in the report."""
        return super().link(text, re.sub(r"^(\d\d_\w+)\.ipynb$", r"#\1", url), title)

    def image(self, text: str, url: str, title: str | None = None) -> str:
        """Keep images that are within the text; others become links."""
        if url.startswith("data:"):
            return super().image(text, url, title)
        return self.link(text or url, url, title)

    def inline_math(self, body: str) -> str:
        """Turn TeX within a line into MathML."""
        return formula_html(body, "inline")

    def block_math(self, body: str) -> str:
        """Turn a TeX formula of its own into MathML."""
        return formula_html(body, "block")


def formula_html(tex: str, display: str) -> str:
    """Turn TeX into MathML; what the converter cannot read stays TeX."""
    try:
        return convert(tex, display=display)
    except Exception:  # the converter's errors have no common type
        return f"<code>{escape(tex)}</code>"


def cell_html(cell: NotebookNode, prose: ProseRenderer) -> str:
    """Render one cell: prose as it is, code folded away, outputs in full."""
    if cell.cell_type == "markdown":
        return MarkdownWithMath(prose).render(cell.source)
    if cell.cell_type != "code" or not cell.source.strip():
        return ""
    code = f"{FOLD_START}{escape(cell.source)}{FOLD_END}"
    title = prose.headings[-1].html if prose.headings else ""
    return code + "".join(output_html(output, title) for output in join_streams(cell.outputs))


def join_streams(outputs: list[NotebookNode]) -> list[NotebookNode]:
    """Join outputs to the same stream that follow each other, as a console would show them."""
    joined: list[NotebookNode] = []
    for output in outputs:
        last = joined[-1] if joined else None
        if last and "name" in output and output.name == last.get("name"):
            joined[-1] = NotebookNode(last, text=last.text + output.text)
        else:
            joined.append(output)
    return joined


def output_html(output: NotebookNode, title: str) -> str:
    """Render one output.

    Args:
        output: of a code cell.
        title: HTML of the heading above, which describes a figure to those who cannot see it.
    """
    if output.output_type == "stream":
        return text_html(last_lines(strip_ansi(output.text)), output.name)
    if output.output_type == "error":
        return text_html(strip_ansi("\n".join(output.traceback)), "error")
    data = output.data
    if "text/html" in data:
        return f'<div class="table">{clean_table(data["text/html"])}</div>\n'
    for kind in IMAGES:
        if kind in data:
            content = data[kind]
            if kind.endswith("xml"):
                content = base64.b64encode(content.encode()).decode()
            alt = escape(unescape(re.sub("<.*?>", "", title)))
            source = f"data:{kind};base64,{''.join(content.split())}"
            return f'<figure><img src="{source}" alt="{alt}"></figure>\n'
    if "text/markdown" in data:
        return MarkdownWithMath(ProseRenderer("output")).render(data["text/markdown"])
    return text_html(strip_ansi(data.get("text/plain", "")), "result")


def text_html(text: str, kind: str) -> str:
    """Show text as it is; nothing for no text."""
    return f'<pre class="{kind}">{escape(text.rstrip())}</pre>\n' if text.strip() else ""


def clean_table(html: str) -> str:
    """Keep tables and text of HTML: no scripts, styles, images or links.

    >>> clean_table('<style>b {color: red}</style><b onclick="run()">urn</b><script>run()</script>')
    '<b>urn</b>'
    """
    attributes = {"*": ["colspan", "rowspan", "class"]}
    cleaner = SanitizeHTML(tags=TABLE_TAGS + TEXT_TAGS, attributes=attributes, strip=True)
    return cleaner.sanitize_html_tags(SCRIPT_OR_STYLE.sub("", html)).strip()
