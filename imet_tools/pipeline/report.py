"""The report of a run: the figures, tables and prose of all executed notebooks on one page.

nbconvert's own page would be of one notebook, with formulas and scripts from the network; a
template of ours under its exporter would need the same code around it.
"""

import re
from base64 import b64encode
from collections.abc import Iterator
from itertools import chain, count
from pathlib import Path
from typing import Any

import pandas as pd
from jinja2 import Environment, FileSystemLoader
from latex2mathml.converter import convert
from markupsafe import Markup, escape
from nbconvert.filters import strip_ansi
from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath
from nbformat import NotebookNode

from imet_tools.pipeline.executed import clean_table, find_image, read_executed, slim_image
from imet_tools.pipeline.run_folder import read_records
from imet_utils.files import atomic_path, load_json
from imet_utils.provenance import (
    current_data,
    find_product,
    find_stale,
    list_upstream,
    read_provenance,
    stale_reason,
)
from imet_utils.tables import read_skipped

FLOOR = "constant guess"  # the model of the results that knows no image
TITLE = "Labels of museum objects: report of a run"

Headings = list[dict[str, Any]]  # of the report: anchor, level and html of each


def build_report(output_dir: Path) -> Path:
    """Write `report.html` of the executed notebooks in `output_dir/notebooks`; return its path.

    The page needs no other file and no network. Of a run that failed it shows what ran.
    """
    notebooks = read_executed(output_dir)
    records = read_records(output_dir)
    results = read_results(output_dir)
    upstream = list_upstream(output_dir, list(notebooks))
    stale = find_stale(output_dir, upstream, current_data(output_dir, upstream))
    headings: Headings = []
    cells = [cell for stem, found in notebooks.items() for cell in _render(found, stem, headings)]
    templates = Environment(loader=FileSystemLoader(Path(__file__).parent), autoescape=True)
    templates.filters |= {"clean": clean_table, "strip_ansi": strip_ansi, "table": table_html}
    page = templates.get_template("report.html.j2").render(
        title=TITLE,
        headings=headings,
        failed=[s for s, found in notebooks.items() if found.metadata.papermill.get("exception")],
        stale=[stem for stem in notebooks if stem in stale and upstream[stem]],
        skipped=read_skipped(output_dir)["folder"].value_counts().to_dict(),
        results=results,
        summary=summarize(output_dir, results),
        warnings=[] if results is None else read_warnings(output_dir),
        records={stem: records[stem] for stem in notebooks if stem in records},
        provenance={stem: read_provenance(output_dir, stem) or {"data": {}} for stem in notebooks},
        cells=cells,
    )
    with atomic_path(output_dir / "report.html") as temporary:
        temporary.write_text(page, encoding="utf-8")
    return output_dir / "report.html"


def read_warnings(output_dir: Path) -> list[str]:
    """Read the warnings about predictions that the notebooks wrote."""
    found = [load_json(path) for path in sorted(output_dir.glob("[0-9]*/metrics.json"))]
    return [warning for metrics in found for warning in metrics.get("warnings", [])]


def read_results(output_dir: Path) -> pd.DataFrame | None:
    """Read `results.csv`; None where no notebook has made it of the results that are there now."""
    try:
        path, record = find_product(output_dir, "results.csv")
    except FileNotFoundError:
        return None
    records = list_upstream(output_dir, list(record["upstream"])) | {"": record}
    if stale_reason(output_dir, "", records, current_data(output_dir, records)):
        return None
    return pd.read_csv(path, keep_default_na=False, na_values=[""])


def summarize(output_dir: Path, results: pd.DataFrame | None) -> str:
    """Say in few sentences what was learned and how good the predictions, the last row, are.

    Returns "" where the results lack the constant guess, which says what F2 is easy to reach.
    """
    if results is None or FLOOR not in set(results["model"]):
        return ""
    images = pd.read_csv(find_product(output_dir, "images.csv")[0], dtype=str)["split"]
    labels = pd.read_csv(find_product(output_dir, "labels.csv")[0], dtype=str)
    scores = results[results["split"] == "test"].set_index("model")
    made, floor = scores.iloc[-1], scores.loc[FLOOR]
    labeller, after = output_dir / "labeller/labeller.json", ""
    learned = load_json(labeller)["settings"]["num_images"] if labeller.is_file() else 0
    if learned > sum(images == "train"):
        after = (
            f" Afterwards the final labeller learned from all {learned:,} labelled images, so that "
            "no test score can be given for it."
        )
    right, found = (f"{100 * share:.0f} %" for share in (made.precision, made.recall))
    return (
        f"From {sum(images == 'train'):,} labelled images, models were trained to predict which of "
        f"{len(labels):,} labels an image has. On {sum(images == 'test'):,} test images, which "
        f"neither training nor any choice used, {right} of the suggested labels are right and "
        f"{found} of the annotated labels are found, on average over images "
        f"(F2 {made.f2:.3f}; the same labels for every image score {floor.f2:.3f}).{after}"
    )


def table_html(table: pd.DataFrame) -> Markup:
    """Render a table, its cells as plain text and numbers with three decimals."""
    html = table.to_html(index=False, border=0, float_format="{:.3f}".format, na_rep="")
    return Markup(f'<div class="table text-first">{html}</div>')


def _render(notebook: NotebookNode, stem: str, headings: Headings) -> Iterator[NotebookNode]:
    """Yield the cells to show: prose with its `html`, code with the `title` of its section."""
    prose = ProseRenderer(stem, headings)
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            cell.html = MarkdownWithMath(prose).render(cell.source)
            yield cell
        elif cell.cell_type == "code" and cell.source.strip():
            cell.title = Markup(headings[-1]["html"]).striptags() if headings else ""
            for output in cell.outputs:
                suffix, data = find_image(output)
                if suffix:
                    suffix, data = slim_image(suffix, data)
                    output.src = f"data:image/{suffix};base64,{b64encode(data).decode()}"
            yield cell


class ProseRenderer(IPythonRenderer):
    """Markdown to HTML with anchors unique in the report, and formulas as MathML.

    MathML is drawn by browsers themselves; MathJax would come from the network.
    """

    def __init__(self, stem: str, headings: Headings) -> None:
        super().__init__(escape=True, allow_harmful_protocols=False)
        self.stem, self.headings = stem, headings

    def heading(self, text: str, level: int, **attrs: object) -> str:
        """Put a notebook's heading one level deeper, with its words as an anchor that lasts.

        The first heading is the target of links to the notebook. Numbers are no part of an anchor:
        a section that is put in between would change them.
        """
        words = re.findall(r"[^\W\d_]\w*", Markup(text).striptags().lower())
        taken = {heading["anchor"] for heading in self.headings}
        slug = "-".join([self.stem, *words])
        names = chain([self.stem, slug], (f"{slug}-{number}" for number in count(2)))
        anchor = next(name for name in names if name not in taken)
        self.headings.append({"anchor": anchor, "level": level, "html": text})
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
