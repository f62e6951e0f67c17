"""The executed notebooks of a run, as the report and the gallery show them."""

import re
from base64 import b64decode
from io import BytesIO
from pathlib import Path

import nbformat
from markupsafe import Markup
from nbconvert.preprocessors import CoalesceStreamsPreprocessor
from nbconvert.preprocessors.sanitize import SanitizeHTML
from nbformat import NotebookNode
from papermill.execute import remove_error_markers
from PIL import Image

from imet_tools.pipeline.parameters import find_notebooks

QUALITY = 80  # of WebP: text stays sharp, and a figure has a sixth of the PNG's size
TABLE_TAGS = ["table", "caption", "thead", "tbody", "tfoot", "tr", "th", "td"]
TEXT_TAGS = ["div", "p", "span", "b", "i", "em", "strong", "br", "pre", "code"]
SCRIPT_OR_STYLE = re.compile(r"<(script|style)\b.*?</\1\s*>", re.DOTALL | re.IGNORECASE)


def read_executed(output_dir: Path) -> dict[str, NotebookNode]:
    """Read the executed notebooks by stem, each bar as it ended, without papermill's notices."""
    notebooks = {}
    for stem, path in find_notebooks(output_dir / "notebooks").items():
        notebook = nbformat.read(path, as_version=4)
        notebook, _ = CoalesceStreamsPreprocessor().preprocess(notebook, {})
        notebooks[stem] = remove_error_markers(notebook)
    return notebooks


def find_image(output: NotebookNode) -> tuple[str, bytes]:
    """Return the suffix and the bytes of an output's image; both empty where it has none."""
    for kind in ("image/png", "image/jpeg"):
        if kind in output.get("data", {}):
            return kind.removeprefix("image/"), b64decode(output.data[kind])
    return "", b""


def slim_image(suffix: str, data: bytes) -> tuple[str, bytes]:
    """Turn an image into WebP; what Pillow cannot read or WebP cannot hold stays as it is."""
    slim = BytesIO()
    try:
        Image.open(BytesIO(data)).save(slim, "WEBP", quality=QUALITY)
    except (OSError, ValueError, Image.DecompressionBombError):
        return suffix, data
    return "webp", slim.getvalue()


def clean_table(html: str) -> Markup:
    """Keep tables and text of HTML: no scripts, styles, images or links.

    >>> clean_table('<style>b {color: red}</style><b onclick="run()">urn</b><script>run()</script>')
    Markup('<b>urn</b>')
    """
    attributes = {"*": ["colspan", "rowspan", "class"]}
    cleaner = SanitizeHTML(tags=TABLE_TAGS + TEXT_TAGS, attributes=attributes, strip=True)
    return Markup(cleaner.sanitize_html_tags(SCRIPT_OR_STYLE.sub("", html)).strip())
