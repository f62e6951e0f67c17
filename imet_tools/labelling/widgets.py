"""Widgets of the notebooks, each a thin layer over plain functions.

Where a notebook runs without a person they are None, which shows nothing.
"""

import io
from collections.abc import Callable, Mapping, Sequence
from html import escape
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import ipywidgets
import numpy as np
import pandas as pd
from IPython import get_ipython
from matplotlib.figure import Figure
from PIL import Image

from imet_tools.labelling.explore import (
    ORDERS,
    VERDICTS,
    Album,
    Comparison,
    describe_threshold,
    plot_flipped,
)
from imet_tools.labelling.plots import plot_attention, plot_image
from imet_tools.labelling.review import FindPicture
from imet_utils.labeller import Explanation, Labeller, Picture
from imet_utils.metrics import threshold_curve
from imet_utils.plots import plot_threshold_curve, save_figure
from imet_utils.tables import read_image

PAGE, FLIPS = 12, 4  # images on a page
PARTS = {"test": "test", "validation": "val", "new images": "new"}


def is_interactive() -> bool:
    """Tell whether a person can use widgets.

    papermill and nbconvert tell the kernel that it cannot ask for input; JupyterLab, VS Code and
    Kaggle's editor do not.
    """
    kernel = getattr(get_ipython(), "kernel", None)
    request = kernel.get_parent("shell") if kernel else {}
    return bool(request.get("content", {}).get("allow_stdin"))


class Canvas(ipywidgets.Image):
    """Shows a figure as `Run.show` does."""

    def show(self, figure: Figure) -> None:
        """Show another figure."""
        content = io.BytesIO()
        save_figure(figure, content)
        self.value = content.getvalue()
        self.layout.width = f"{round(100 * figure.get_figwidth())}px"


class Browser(ipywidgets.VBox):
    """Choose images by part, label, verdict and score; page through them; pick one.

    The value of `image`, the buttons, is the part and id of the picked one.
    """

    def __init__(self, album: Album) -> None:
        self.album = album
        parts = set(album.images["part"])
        self.part = _menu("Images", [(name, part) for name, part in PARTS.items() if part in parts])
        self.label = ipywidgets.Combobox(
            options=sorted(album.labels["name"].unique()),
            placeholder="any",
            description="Label",
            continuous_update=False,
            layout=_wide(205),
            style={"description_width": "52px"},
        )
        self.verdict = _menu("Verdict", VERDICTS)
        self.order = _menu("Order", list(ORDERS))
        self.page, self.count, self.canvas = _page_number(), ipywidgets.HTML(), Canvas()
        self.image = ipywidgets.ToggleButtons(options=[], style={"button_width": "46px"})
        filters = (self.part, self.label, self.verdict, self.order)
        for widget in filters:
            widget.observe(self._find, "value")
        self.page.observe(self._show, "value")
        self._find()
        pages = ipywidgets.HBox([self.page, self.count])
        super().__init__([ipywidgets.HBox(filters), pages, self.canvas, self.image])

    def _find(self, _: object = None) -> None:
        wanted = (self.part.value, self.label.value.strip(), self.verdict.value, self.order.value)
        self.found = self.album.find(*wanted)
        if self.page.value == 1:
            self._show()
        else:
            self.page.value = 1

    def _show(self, _: object = None) -> None:
        page = _take_page(self.found, PAGE, self.page, self.count)
        title = f"{self.label.value or 'Images'}, {self.verdict.value}, {self.order.value}"
        self.canvas.show(self.album.plot(page, title, self.label.value.strip()))
        keys = list(zip(page["part"], page["id"], strict=True))
        self.image.index = None  # so that the first of the new page is picked
        self.image.options = [(str(number), key) for number, key in enumerate(keys, start=1)]
        self.image.index = 0 if keys else None
        self.image.layout.display = "" if keys else "none"  # JupyterLab keeps the last buttons


def browse(album: Album) -> Browser | None:
    """Browse validation, test and new images."""
    return Browser(album) if is_interactive() else None


class Explainer(ipywidgets.VBox):
    """An image with its labels and neighbours, and the attention of any label."""

    def __init__(self, labeller: Labeller, find_picture: FindPicture) -> None:
        self.labeller, self.find_picture = labeller, find_picture
        self.canvas, self.attention_canvas = Canvas(), Canvas()
        self.known = ipywidgets.TagsInput(
            allowed_tags=labeller.names.tolist(), allow_duplicates=False, layout=_wide(600)
        )
        self.label = ipywidgets.Dropdown(description="Label", layout=_wide(320))
        self.opacity = ipywidgets.FloatSlider(
            0.75, min=0, max=1, step=0.05, description="Opacity", continuous_update=False
        )
        self.image: Picture
        self.pixels: np.ndarray
        self.true: Sequence[str] | None = None
        self.explanation: Explanation | None = None
        self.known.observe(self._explain, "value")
        for widget in (self.label, self.opacity):
            widget.observe(self._show_attention, "value")
        choice = ipywidgets.HBox([self.label, self.opacity])
        self.attention = ipywidgets.VBox([choice, self.attention_canvas])
        hint = ipywidgets.Label("Known labels, each with Tab")
        super().__init__([ipywidgets.HBox([hint, self.known]), self.canvas, self.attention])
        self.layout.display = "none"  # until there is an image

    def show(self, image: Picture, true: Sequence[str] | None = None) -> None:
        """Explain another image; a ValueError if it cannot be read."""
        self.pixels, self.image, self.true = np.asarray(read_image(image)), image, true
        if self.known.value:
            self.known.value = []  # which explains it
        else:
            self._explain()

    def _explain(self, _: object = None) -> None:
        found = self.labeller.explain(self.image, known=self.known.value)
        self.explanation = found
        self.canvas.show(plot_image(self.labeller, self.image, self.true, self.find_picture, found))
        order = np.argsort(-found.probs, kind="stable")
        listed = zip(self.labeller.names[order], found.probs[order], order, strict=True)
        self.label.index = None  # so that the attention is drawn again
        self.label.options = [(f"{name}  {p:.2f}", int(label)) for name, p, label in listed]
        self.label.index = 0
        self.attention.layout.display = "none" if found.attention is None else ""
        self.layout.display = ""

    def _show_attention(self, _: object = None) -> None:
        label, found = self.label.value, self.explanation
        if label is None or found is None or found.attention is None:
            return
        shown = (found.attention[label], self.labeller.names[label], found.probs[label])
        self.attention_canvas.show(plot_attention(self.pixels, *shown, self.opacity.value))


def explain_picked(
    labeller: Labeller, album: Album, browser: Browser | None, find_picture: FindPicture
) -> Explainer | None:
    """Explain the image that is picked in a browser."""
    if browser is None:
        return None
    explainer = Explainer(labeller, find_picture)

    def explain(_: object = None) -> None:
        if key := browser.image.value:
            explainer.show(album.path_of(key), album.true_of(key))

    browser.image.observe(explain, "value")
    explain()
    return explainer


def try_own(labeller: Labeller, find_picture: FindPicture) -> ipywidgets.VBox | None:
    """Explain a picture of one's own, uploaded or given by its path."""
    if not is_interactive():
        return None
    explainer, message = Explainer(labeller, find_picture), ipywidgets.HTML()
    upload = ipywidgets.FileUpload(accept="image/*", description="Upload a picture")
    upload.layout = _wide(180)
    path = ipywidgets.Text(
        placeholder="or type the path of one, and Enter", continuous_update=False, layout=_wide(420)
    )

    def explain(read: Callable[[], Picture]) -> None:
        message.value = ""
        try:
            explainer.show(read())
        except (ValueError, OSError) as error:
            message.value = escape(str(error))

    def take_upload(change: Mapping[str, Any]) -> None:
        if change["new"]:
            [file] = change["new"]
            explain(lambda: read_upload(file["name"], bytes(file["content"])))

    def take_path(change: Mapping[str, Any]) -> None:
        if text := change["new"].strip():
            explain(lambda: Path(text).expanduser())

    upload.observe(take_upload, "value")
    path.observe(take_path, "value")
    return ipywidgets.VBox([ipywidgets.HBox([upload, path]), message, explainer])


def read_upload(name: str, content: bytes) -> Image.Image:
    """Read an uploaded image; a ValueError if it cannot be read."""
    with TemporaryDirectory() as folder:
        path = Path(folder, Path(name).name or "picture")
        path.write_bytes(content)
        try:
            return read_image(path)
        except ValueError as error:
            raise ValueError(str(error).replace(str(path), path.name)) from None


def slide_threshold(probs: np.ndarray, targets: np.ndarray, start: float) -> ipywidgets.VBox | None:
    """Slide a threshold along precision, recall and F2 of probabilities (N, C)."""
    if not is_interactive():
        return None
    curve = threshold_curve(probs, targets)
    canvas, message = Canvas(), ipywidgets.HTML()
    slider = ipywidgets.FloatSlider(
        start, min=0.01, max=0.5, step=0.01, description="Threshold", layout=_wide(500)
    )
    slider.continuous_update = False

    def show(_: object = None) -> None:
        canvas.show(plot_threshold_curve(curve, slider.value))
        message.value = describe_threshold(probs, targets, slider.value)

    slider.observe(show, "value")
    show()
    return ipywidgets.VBox([slider, message, canvas])


def page_flips(comparison: Comparison, files: Mapping[str, Path]) -> ipywidgets.VBox | None:
    """Page through the images that two runs label differently."""
    if not is_interactive():
        return None
    canvas, count, page = Canvas(), ipywidgets.HTML(), _page_number()
    flips, (first, second) = comparison.flips, comparison.names
    choices = {
        "all": flips,
        f"{first} is better": flips[flips["difference"] > 0],
        f"{second} is better": flips[flips["difference"] < 0],
    }
    choice = _menu("Show", list(choices))
    choice.layout.width = "320px"

    def show(_: object = None) -> None:
        rows = _take_page(choices[choice.value], FLIPS, page, count)
        if len(rows):
            canvas.show(plot_flipped(comparison, rows, files))
        canvas.layout.display = "" if len(rows) else "none"

    choice.observe(show, "value")
    page.observe(show, "value")
    show()
    return ipywidgets.VBox([ipywidgets.HBox([choice, page, count]), canvas])


def _menu(description: str, options: Sequence) -> ipywidgets.Dropdown:
    style = {"description_width": "52px"}
    return ipywidgets.Dropdown(
        options=options, description=description, layout=_wide(205), style=style
    )


def _page_number() -> ipywidgets.BoundedIntText:
    return ipywidgets.BoundedIntText(1, 1, 1, description="Page", layout=_wide(150))


def _take_page(
    rows: pd.DataFrame, size: int, page: ipywidgets.BoundedIntText, count: ipywidgets.HTML
) -> pd.DataFrame:
    """Return the rows of a page; tell how many pages there are, of which it is at most the last."""
    page.max = max(1, -(-len(rows) // size))
    count.value = f"of {page.max:,}: {len(rows):,} images"
    return rows[size * (page.value - 1) : size * page.value]


def _wide(pixels: int) -> ipywidgets.Layout:
    return ipywidgets.Layout(width=f"{pixels}px")
