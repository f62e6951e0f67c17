"""Show a finished run to people who run nothing: `./run_all.sh gallery --output DIR`.

It writes into `docs/` the page `gallery.md`, the executed notebooks as Markdown, and their figures
as WebP. Times, paths and addresses, which differ between two equal runs, are left out.
"""

import argparse
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import pandas as pd
from nbconvert import MarkdownExporter
from nbconvert.filters import strip_ansi
from nbformat import NotebookNode
from traitlets.config import Config

from imet_tools.command import run_command
from imet_tools.pipeline.executed import clean_table, find_image, read_executed, slim_image
from imet_tools.pipeline.parameters import find_notebooks
from imet_tools.pipeline.report import read_results, summarize
from imet_tools.sample.collection import image_id
from imet_utils.files import atomic_folder, atomic_path
from imet_utils.progress import say
from imet_utils.provenance import PLACES, find_product, read_provenance
from imet_utils.runs import find_output_dir, home_dir

FIGURES = (  # of the page, in its order, where the run has them
    *("09_explained", "01_examples", "02_views", "03_hog", "06_path", "07_roc", "07_attention"),
    *("07_pointing", "08_scores", "08_predictions", "09_own", "10_suspect_labels"),
)
WRITTEN = (".md", ".webp", ".png", ".jpeg")  # kinds of files of a gallery
OWN_IMAGES = ("IMAGES", "PICTURE", "OTHER_RUN")  # parameters that bring in other images
SAMPLE = "the sample collection, whose pictures are painted by code (CC0 1.0)"
UNSTABLE = (  # what an output tells of one run alone, and what stands for it
    (re.compile(r"^.*\[\d+:\d\d.*<.*\]\n?", re.MULTILINE), ""),  # progress bars
    (re.compile(r" at 0x[0-9a-f]+"), ""),
    (re.compile(r"(?<!\d)(?!\d{4}s\b)\d[\d.,]* ?(µs|ms|s|seconds|minutes)\b"), r"… \1"),
)
PLACE_LINE = re.compile(rf"^({'|'.join(PLACES)}) = .*\n?", re.MULTILINE)
FORMATS = {"NbConvertBase": {"display_data_priority": ["text/markdown", "text/html", "text/plain"]}}
EMPTY_LINES = re.compile(r"(\n[ \t]*)+\n\n")


def write_gallery(output_dir: Path, pages: Path) -> Path:
    """Write the gallery of a finished run into the folder `pages`; return the path of its page.

    A ValueError if a notebook has failed or not run to its end, if other files would be replaced,
    or if images other than the sample's would go into the project's own pages.
    """
    notebooks = read_executed(output_dir)
    check_finished(output_dir, notebooks)
    is_gallery = (pages / "gallery.md").is_file()
    for path in (pages / "notebooks").rglob("*"):
        if path.is_file() and not (is_gallery and path.suffix in WRITTEN):
            raise ValueError(f"{path} is no page of a gallery: choose another folder for --pages.")
    data_dir = (read_provenance(output_dir, min(notebooks)) or {})["data_dir"]
    collection = SAMPLE
    if not is_sample(output_dir, notebooks):
        collection = f"the collection {Path(data_dir).name}"
        if pages.resolve().is_relative_to(home_dir() / "docs"):
            raise ValueError(
                f"{output_dir} shows images other than the sample's, which {pages} must not hold: "
                "choose another folder with --pages."
            )
    names = {path.read_bytes(): path.stem for path in (output_dir / "figures").glob("*.png")}
    places = {data_dir: "data", str(home_dir()): ".", str(Path.home()): "~"}
    texts = {}
    with atomic_folder(pages / "notebooks") as folder:
        (folder / "figures").mkdir()
        for stem, notebook in notebooks.items():
            parameters = notebook.metadata.papermill.parameters
            own_places = {parameters.get("OUTPUT_DIR") or str(output_dir): "outputs"} | places
            slim_notebook(notebook, own_places)
            save_figures(notebook, stem, names, folder / "figures")
            texts[stem] = notebook_page(notebook, notebooks, collection)
            (folder / f"{stem}.md").write_text(texts[stem], encoding="utf-8")
    summary = summarize(output_dir, read_results(output_dir))
    with atomic_path(pages / "gallery.md") as temporary:
        temporary.write_text(gallery_page(texts, summary, collection), encoding="utf-8")
    return pages / "gallery.md"


def check_finished(output_dir: Path, notebooks: Mapping[str, NotebookNode]) -> None:
    """Refuse a run of which a notebook has failed or is missing."""
    wanted = {*find_notebooks(home_dir() / "notebooks"), *notebooks}
    missing = [
        stem
        for stem in sorted(wanted)
        if stem not in notebooks
        or notebooks[stem].metadata.papermill.get("exception")
        or read_provenance(output_dir, stem) is None
    ]
    if missing:
        raise ValueError(f"{output_dir} is no finished run: {', '.join(missing)} must run first.")


def is_sample(output_dir: Path, notebooks: Mapping[str, NotebookNode]) -> bool:
    """Tell whether a run shows images of the sample collection alone, going by their ids."""
    ids = pd.read_csv(find_product(output_dir, "images.csv")[0], dtype=str)["id"]
    given = [notebook.metadata.papermill.parameters for notebook in notebooks.values()]
    brought = any(parameters.get(name) for parameters in given for name in OWN_IMAGES)
    return not brought and set(ids) <= {image_id(0, number) for number in range(len(ids))}


def slim_notebook(notebook: NotebookNode, places: Mapping[str, str]) -> None:
    """Drop what an executed notebook tells of one run alone, and the styles of its tables."""
    for cell in notebook.cells:
        if "injected-parameters" in cell.metadata.get("tags", []):
            cell.source = PLACE_LINE.sub("", cell.source).removeprefix("# Parameters\n").strip()
        for output in cell.get("outputs", []):
            if "text" in output:
                output.text = stable(output.text, places).strip("\n")
            for kind, content in output.get("data", {}).items():
                if kind == "text/html":
                    rows = re.sub(r"\n\s*", "", clean_table(stable(content, places)))
                    output.data[kind] = rows.replace("<tr", "\n<tr")
                elif kind == "text/plain":
                    output.data[kind] = stable(content, places)
        if cell.cell_type == "code":
            cell.outputs = [output for output in cell.outputs if output.get("text") != ""]
    notebook.cells = [cell for cell in notebook.cells if cell.source.strip()]


def stable(text: str, places: Mapping[str, str]) -> str:
    """Drop bars, times and addresses of an output, and name folders as the project does."""
    text = strip_ansi(text)
    for pattern, instead in UNSTABLE:
        text = pattern.sub(instead, text)
    for place, name in places.items():
        text = text.replace(place, name)
    return text


def save_figures(
    notebook: NotebookNode, stem: str, names: Mapping[bytes, str], folder: Path
) -> None:
    """Write the images of a notebook to a folder, and put links in their place."""
    section = ""
    for number, cell in enumerate(notebook.cells):
        if cell.cell_type == "markdown":
            section = [section, *re.findall(r"^#+ (.+)$", cell.source, re.MULTILINE)][-1]
        for output in cell.get("outputs", []):
            suffix, data = find_image(output)
            if suffix:
                name = names.get(data, f"{stem[:2]}_cell_{number}")
                suffix, data = slim_image(suffix, data)
                (folder / f"{name}.{suffix}").write_bytes(data)
                output.data = {"text/markdown": f"![{section}](figures/{name}.{suffix})"}


def notebook_page(notebook: NotebookNode, notebooks: Iterable[str], collection: str) -> str:
    """Render an executed notebook as Markdown, with links to its neighbours of the same form."""
    text = MarkdownExporter(config=Config(FORMATS)).from_notebook_node(notebook)[0]
    title, _, rest = text.strip().partition("\n")
    for stem in notebooks:
        rest = rest.replace(f"]({stem}.ipynb", f"]({stem}.md")
    rest = rest.replace("](00_start_here.ipynb", "](../../notebooks/00_start_here.ipynb")
    note = f"*Executed on {collection}; [all notebooks](../gallery.md#notebooks).*"
    return EMPTY_LINES.sub("\n\n", f"{title}\n\n{note}\n{rest}\n")


def gallery_page(texts: Mapping[str, str], summary: str, collection: str) -> str:
    """Put the figures of the notebooks' pages with what is written below each on one page."""
    parts = [f"# Gallery\n\nFigures of a run on {collection}. {summary}"]
    for name in FIGURES:
        link = re.compile(rf"!\[([^\n]*)\]\((figures/{name}\.\w+)\)\s+(\S.*?)(?=\n\n)", re.DOTALL)
        for stem, text in texts.items():
            for section, path, caption in link.findall(text):
                caption = re.sub(r"\]\((?=\d\d_)", "](notebooks/", caption)
                title = section.partition(" ")[2] or section
                page = f"notebooks/{stem}.md#{slug(section)}"
                image = f"[![{title}](notebooks/{path})]({page})"
                parts.append(
                    f"## {title}\n\n{image}\n\n{caption} *([notebook {stem[:2]}]({page}))*"
                )
    titles = [f"- [{text.partition(chr(10))[0].strip('# ')}](notebooks/{stem}.md)"
              for stem, text in texts.items()]  # fmt: skip
    parts.append("## Notebooks\n\n" + "\n".join(titles))
    parts.append("`./run_all.sh gallery --output DIR` writes these pages from a finished run.")
    return "\n\n".join(parts) + "\n"


def slug(title: str) -> str:
    """Return the anchor that GitHub gives a heading."""
    return re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")


def main(arguments: Sequence[str]) -> int:
    """Write the gallery of a run; return the exit code."""
    parser = argparse.ArgumentParser(prog="run_all.sh gallery", description=__doc__)
    parser.add_argument("--output", default="", metavar="DIR", help="of the run (outputs)")
    help_text = "where the pages go (docs of the project; the sample's alone)"
    parser.add_argument("--pages", type=Path, metavar="DIR", help=help_text)
    args = parser.parse_args(arguments)
    try:
        page = write_gallery(find_output_dir(args.output), args.pages or home_dir() / "docs")
    except (ValueError, OSError) as error:
        sys.stderr.write(f"run_all.sh: {error}\n")
        return 2
    say(f"The gallery: {page}")
    return 0


if __name__ == "__main__":
    run_command(main, "the pages are those of before.")
