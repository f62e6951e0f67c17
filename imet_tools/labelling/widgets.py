"""Widgets of the notebooks, each a thin layer over plain functions, for who sits before them."""

import io
from collections.abc import Callable, Mapping, Sequence
from html import escape
from pathlib import Path
from tempfile import TemporaryDirectory

import ipywidgets
import numpy as np
import pandas as pd
from IPython import get_ipython
from matplotlib.figure import Figure
from PIL import Image

from imet_tools.labelling.comparison import Comparison, plot_flipped
from imet_tools.labelling.explore import (
    ORDERS,
    VERDICTS,
    Album,
    describe_threshold,
    page_of,
    plot_image,
)
from imet_tools.labelling.plots import plot_attention
from imet_utils.labeller import Labeller, Look, Picture
from imet_utils.metrics import threshold_curve
from imet_utils.plots import plot_threshold_curve
from imet_utils.tables import read_image

PAGE, FLIPS = 12, 4  # images on a page
PARTS = {"test": "test", "validation": "val", "new images": "new"}
FindPicture = Callable[[str], Image.Image | None]


def is_interactive() -> bool:
    """Tell whether somebody sits before the notebook, who may use widgets.

    Who runs a notebook without a person, as papermill and nbconvert do, tells the kernel that
    nobody can be asked anything; JupyterLab, VS Code and Kaggle's editor do not.
    """
    kernel = getattr(get_ipython(), "kernel", None)
    asked = kernel.get_parent("shell") if kernel else {}
    return bool(asked.get("content", {}).get("allow_stdin"))


def draw(figure: Figure) -> bytes:
    """Return a figure as PNG, as `Run.show` draws it."""
    content = io.BytesIO()
    figure.savefig(content, format="png", dpi=130, bbox_inches="tight")
    return content.getvalue()


class Canvas(ipywidgets.Image):
    """Shows a figure, as wide as it is in the notebook."""

    def show(self, figure: Figure) -> None:
        """Show another figure."""
        self.value = draw(figure)
        self.layout.width = f"{round(100 * figure.get_figwidth())}px"


class Browser(ipywidgets.VBox):
    """Choose images by part, label, verdict and score; page through them; pick one.

    Attributes:
        image: the buttons of the page's images; its value is the part and id of the picked one.
    """

    def __init__(self, album: Album) -> None:
        self.album = album
        parts = set(album.images["part"])
        names = sorted(album.labels["name"].unique())
        self.part = _menu("Images", [(name, part) for name, part in PARTS.items() if part in parts])
        self.label = ipywidgets.Combobox(
            options=names,
            placeholder="any",
            description="Label",
            continuous_update=False,
            layout=_wide(205),
            style={"description_width": "52px"},
        )
        self.verdict = _menu("Verdict", VERDICTS)
        self.order = _menu("Order", list(ORDERS))
        self.page = ipywidgets.BoundedIntText(1, 1, 1, description="Page", layout=_wide(150))
        self.count, self.canvas = ipywidgets.HTML(), Canvas()
        self.image = ipywidgets.ToggleButtons(options=[], style={"button_width": "46px"})
        filters = (self.part, self.label, self.verdict, self.order)
        for widget in filters:
            widget.observe(self._find, "value")
        self.page.observe(self._show, "value")
        self._find()
        pages = ipywidgets.HBox([self.page, self.count])
        super().__init__([ipywidgets.HBox(filters), pages, self.canvas, self.image])

    def _find(self, _: object = None) -> None:
        asked = (self.part.value, self.label.value.strip(), self.verdict.value, self.order.value)
        self.found = self.album.find(*asked)
        self.page.max = max(1, -(-len(self.found) // PAGE))
        if self.page.value == 1:
            self._show()
        else:
            self.page.value = 1

    def _show(self, _: object = None) -> None:
        page = page_of(self.found, self.page.value - 1, PAGE)
        title = f"{self.label.value or 'Images'}, {self.verdict.value}, {self.order.value}"
        self.canvas.show(self.album.plot(page, title, self.label.value.strip()))
        self.count.value = f"of {self.page.max:,}: {len(self.found):,} images"
        keys = list(zip(page["part"], page["id"], strict=True))
        self.image.index = None  # so that the first of the new page is picked
        self.image.options = [(str(number), key) for number, key in enumerate(keys, start=1)]
        self.image.index = 0 if keys else None


def browse(album: Album) -> Browser:
    """Browse validation, test and new images; over `Album.find` and `Album.plot`."""
    return Browser(album)


class CloserLook(ipywidgets.VBox):
    """An image, its labels and neighbours, and where any label of choice is seen.

    Attributes:
        named: labels that the image is known to have; those that are typed move the others.
    """

    def __init__(self, labeller: Labeller, find_picture: FindPicture) -> None:
        self.labeller, self.find_picture = labeller, find_picture
        self.canvas, self.veiled = Canvas(), Canvas()
        self.named = ipywidgets.TagsInput(
            allowed_tags=labeller.names.tolist(), allow_duplicates=False, layout=_wide(600)
        )
        self.label = ipywidgets.Dropdown(description="Label", layout=_wide(320))
        self.opacity = ipywidgets.FloatSlider(
            0.75, min=0, max=1, step=0.05, description="Opacity", continuous_update=False
        )
        self.image: Picture | None = None
        self.true: Sequence[str] | None = None
        self.picture: np.ndarray | None = None
        self.seen: Look | None = None
        self.named.observe(self._show, "value")
        for widget in (self.label, self.opacity):
            widget.observe(self._lay_veil, "value")
        self.veil = ipywidgets.VBox([ipywidgets.HBox([self.label, self.opacity]), self.veiled])
        known = ipywidgets.HBox([ipywidgets.Label("Known labels, each with Tab"), self.named])
        super().__init__([known, self.canvas, self.veil])
        self.layout.display = "none"  # until there is an image

    def look(self, image: Picture, true: Sequence[str] | None = None) -> None:
        """Look at an image; over `Labeller.plot`."""
        self.picture, self.image, self.true = np.asarray(read_image(image)), image, true
        if self.named.value:
            self.named.value = []  # which shows it
        else:
            self._show()

    def _show(self, _: object = None) -> None:
        self.seen = self.labeller.look(self.image, named=self.named.value)
        self.canvas.show(
            plot_image(self.labeller, self.image, self.true, self.find_picture, self.seen)
        )
        order = np.argsort(-self.seen.probs, kind="stable")
        names = self.labeller.names[order]
        listed = zip(names, self.seen.probs[order], order, strict=True)
        self.label.index = None  # so that the veil is drawn anew
        self.label.options = [(f"{name}  {p:.2f}", int(label)) for name, p, label in listed]
        self.label.index = 0
        self.veil.layout.display = "none" if self.seen.attention is None else ""
        self.layout.display = ""

    def _lay_veil(self, _: object = None) -> None:
        label = self.label.value
        if self.seen is None or self.seen.attention is None or label is None:
            return
        seen = (self.seen.attention[label], self.labeller.names[label], self.seen.probs[label])
        self.veiled.show(plot_attention(self.picture, *seen, self.opacity.value))


def look_closer(
    labeller: Labeller, album: Album, browser: Browser, find_picture: FindPicture
) -> CloserLook:
    """Look closely at the image that is picked in a browser."""
    closer = CloserLook(labeller, find_picture)

    def look(_: object = None) -> None:
        if key := browser.image.value:
            closer.look(album.path_of(key), album.true_of(key))

    browser.image.observe(look, "value")
    look()
    return closer


def try_own(labeller: Labeller, find_picture: FindPicture) -> ipywidgets.VBox:
    """Look closely at a picture of one's own, uploaded or named by its path."""
    closer, said = CloserLook(labeller, find_picture), ipywidgets.HTML()
    upload = ipywidgets.FileUpload(accept="image/*", description="Upload a picture")
    upload.layout = _wide(180)
    path = ipywidgets.Text(
        placeholder="or type the path of one, and Enter", continuous_update=False, layout=_wide(420)
    )

    def look(image: Callable[[], Picture]) -> None:
        try:
            closer.look(image())
            said.value = ""
        except (ValueError, OSError) as error:
            said.value = escape(str(error))

    def take_upload(change: Mapping) -> None:
        if change["new"]:
            file = change["new"][0]
            look(lambda: read_upload(file["name"], bytes(file["content"])))

    def take_path(change: Mapping) -> None:
        if wanted := change["new"].strip():
            look(lambda: Path(wanted).expanduser())

    upload.observe(take_upload, "value")
    path.observe(take_path, "value")
    return ipywidgets.VBox([ipywidgets.HBox([upload, path]), said, closer])


def read_upload(name: str, content: bytes) -> Image.Image:
    """Read an image that was uploaded.

    Raises:
        ValueError: as `read_image`.
    """
    with TemporaryDirectory() as folder:
        path = Path(folder, Path(name).name or "picture")
        path.write_bytes(content)
        try:
            return read_image(path)
        except ValueError as error:
            raise ValueError(str(error).replace(str(path), path.name)) from None


def slide_threshold(probs: np.ndarray, targets: np.ndarray, start: float) -> ipywidgets.VBox:
    """Slide a threshold along precision, recall and F2 on validation.

    Args:
        probs: (N, C).
        targets: true labels, bool (N, C).
        start: the first threshold.
    """
    curve = threshold_curve(probs, targets)
    canvas, said = Canvas(), ipywidgets.HTML()
    slider = ipywidgets.FloatSlider(
        start, min=0.01, max=0.5, step=0.01, description="Threshold", layout=_wide(500)
    )
    slider.continuous_update = False

    def show(_: object = None) -> None:
        canvas.show(plot_threshold_curve(curve, slider.value))
        said.value = describe_threshold(probs, targets, slider.value)

    slider.observe(show, "value")
    show()
    return ipywidgets.VBox([slider, said, canvas])


def page_flips(comparison: Comparison, files: Mapping[str, Path]) -> ipywidgets.VBox:
    """Page through the images that two runs label differently."""
    canvas, count = Canvas(), ipywidgets.HTML()
    flips, (first, second) = comparison.flips, comparison.names
    gain = flips["difference"]
    better = {f"{first} is better": gain > 0, f"{second} is better": gain < 0}
    shown = _menu("Show", ["all", *better])
    shown.layout.width = "320px"
    page = ipywidgets.BoundedIntText(1, 1, 1, description="Page", layout=_wide(150))

    def chosen() -> pd.DataFrame:
        return flips[better[shown.value]] if shown.value in better else flips

    def show(_: object = None) -> None:
        page.max = max(1, -(-len(chosen()) // FLIPS))
        rows = page_of(chosen(), page.value - 1, FLIPS)
        count.value = f"of {page.max:,}: {len(chosen()):,} images"
        if len(rows):
            canvas.show(plot_flipped(comparison, rows, files))
        canvas.layout.display = "" if len(rows) else "none"

    shown.observe(show, "value")
    page.observe(show, "value")
    show()
    return ipywidgets.VBox([ipywidgets.HBox([shown, page, count]), canvas])


def _menu(description: str, options: Sequence) -> ipywidgets.Dropdown:
    style = {"description_width": "52px"}
    return ipywidgets.Dropdown(
        options=options, description=description, layout=_wide(205), style=style
    )


def _wide(pixels: int) -> ipywidgets.Layout:
    return ipywidgets.Layout(width=f"{pixels}px")
