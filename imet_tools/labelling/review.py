"""Pages on which a person accepts, rejects and adds labels, saved as rows for `train.csv`."""

import base64
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import count, groupby, takewhile
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import Environment, FileSystemLoader
from PIL import Image
from sklearn.neighbors import NearestNeighbors

from imet_utils.decoding import REVISION, TEMPERATURE, NeighbourIndex
from imet_utils.features import spread_rows
from imet_utils.files import atomic_path, fingerprint_of

PICTURE_SIDE, NEIGHBOUR_SIDE = 480, 96  # pixels of the longer side
QUALITY = 80  # of JPEG
LEVELS = 99  # of attention above none
PRECISION = 0.7  # of the labels that are ticked beforehand, where no other was chosen
LEAST_PRECISION = 0.3  # that the page offers: for a lower one it would list too few labels
UNUSUAL = 0.05  # share of the labelled images that are as far from all others as a marked image


@dataclass(frozen=True, eq=False)
class ReviewImage:
    """An image to review; each decision of a person revises the other labels (`revise_probs`)."""

    file: str  # its name
    id: str  # in `train.csv`
    picture: Image.Image
    suggestions: Sequence[int]  # labels, the most probable first
    probs: np.ndarray  # (C,), from 0 to 1
    attention: np.ndarray | None = None  # (C, h, w) over the whole picture, of any scale
    neighbours: Sequence[tuple[Image.Image, Sequence[int]]] = ()  # nearest images, their labels
    near: Sequence[tuple[float, Sequence[int]]] = ()  # cosines and labels, to revise `probs` by
    known: Sequence[int] = ()  # labels by which `probs` were revised already


def write_review(
    images: Iterable[ReviewImage],
    num_images: int,
    label_ids: Sequence[int],
    label_names: Sequence[str],
    folder: Path | str,
    per_page: int = 1000,
    strength: float = 1.0,
    temperature: float = TEMPERATURE,
    thresholds: Mapping[float, float] | None = None,
    precision: float = PRECISION,
    least_similarity: float = -1.0,
) -> list[Path]:
    """Write `review.html`, `review_2.html`, …, which need no other file and no network.

    The images, at least one, else a ValueError is raised, are taken one by one, so that few are in
    memory. All pages are renamed into place together, and pages of an earlier, longer review are
    removed. A browser stores a person's choices by an image's id, its picture and the table of
    labels, so that they outlive a review written again with other suggestions or more images.

    `thresholds` are the lowest probabilities that reached each precision on validation. Labels from
    that of `precision` on, or else of the highest that was reached, are ticked beforehand; a person
    can move it. An image whose nearest labelled image has a cosine below `least_similarity` (see
    `similarity_limit`) is marked, and only what is known is ticked. `strength` is that of
    `revise_probs`, `temperature` that of the neighbours' votes.
    """
    folder = Path(folder)
    labels = {"ids": [str(label) for label in label_ids], "names": list(label_names)}
    templates = Environment(loader=FileSystemLoader(Path(__file__).parent), autoescape=True)
    template = templates.get_template("review.html.j2")
    reached = sorted((share, round(float(cut), 4)) for share, cut in (thresholds or {}).items())
    revision = {
        **REVISION,
        "strength": strength,
        "temperature": temperature,
        "thresholds": [pair for pair in reached if pair[0] >= LEAST_PRECISION] or reached[-1:],
        "precision": precision,
    }
    paths = []
    with ExitStack() as unfinished:
        for page, group in groupby(enumerate(images), key=lambda item: item[0] // per_page):
            paths.append(folder / page_name(page))
            temporary = unfinished.enter_context(atomic_path(paths[-1]))
            taken = (image for _, image in group)
            stream = template.stream(
                page=page,
                is_last=(page + 1) * per_page >= num_images,
                page_name=page_name,
                labels=labels,
                revision=revision,
                records=_make_records(taken, fingerprint_of(labels), least_similarity),
            )
            stream.dump(str(temporary), encoding="utf-8")
        if not paths:
            raise ValueError(f"there is no image to review, so no page was written to {folder}")
    former = (folder / page_name(page) for page in count(len(paths)))  # of a longer review
    for path in takewhile(Path.is_file, former):
        path.unlink()
    return paths


def page_name(page: int) -> str:
    """Name a page, counted from 0: `review.html`, `review_2.html` and so on."""
    return f"review_{page + 1}.html" if page else "review.html"


def _make_records(
    images: Iterable[ReviewImage], vocabulary: str, least_similarity: float
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the key of each image in the browser's storage, and its data."""
    for image in images:
        attention = image.attention
        voted = sorted({label for _, labels in image.near for label in labels})
        data = {
            "id": image.id,
            "file": image.file,
            "picture": encode_picture(image.picture, PICTURE_SIDE),
            "suggestions": [
                {
                    "label": label,
                    "probability": round(float(image.probs[label]), 4),
                    "attention": None if attention is None else quantise(attention[label]),
                }
                for label in image.suggestions
            ],
            "neighbours": [
                {"picture": encode_picture(picture, NEIGHBOUR_SIDE), "labels": list(map(int, row))}
                for picture, row in image.neighbours
            ],
            "far": bool(image.near) and bool(image.near[0][0] < least_similarity),
            "near": [[round(float(c), 4), list(map(int, labels))] for c, labels in image.near],
            "known": [[int(label), 1] for label in image.known],
            "probs": [[int(label), round(float(image.probs[label]), 4)] for label in voted],
        }
        yield fingerprint_of([vocabulary, image.id, data["picture"]]), data


def similarity_limit(index: NeighbourIndex) -> float:
    """Find the cosine to the nearest labelled image below which an image is unlike all of them.

    A share of `UNUSUAL` of the labelled images, of 1,000 at the most, are as unlike the others.
    """
    search = NearestNeighbors(n_neighbors=2, algorithm="brute").fit(index.embeddings)
    rows = spread_rows(len(index.embeddings), 1000)
    distances, _ = search.kneighbors(index.embeddings[rows])  # of itself and the nearest other
    return float(np.quantile(1 - distances[:, 1] ** 2 / 2, UNUSUAL))


def encode_picture(picture: Image.Image, side: int) -> str:
    """Write a picture, reduced to `side` pixels where it is larger, as a data URI."""
    small = picture.convert("RGB")  # a copy
    small.thumbnail((side, side), Image.Resampling.LANCZOS)
    content = io.BytesIO()
    small.save(content, "JPEG", quality=QUALITY, optimize=True)
    return f"data:image/jpeg;base64,{base64.b64encode(content.getvalue()).decode()}"


def quantise(attention: np.ndarray) -> list[list[int]]:
    """Scale attention (h, w) to whole numbers, its highest to 99.

    >>> quantise(np.array([[0.0, 0.1], [0.2, 0.4]]))
    [[0, 25], [50, 99]]
    """
    scale = LEVELS / (attention.max() or 1)
    return np.rint(attention * scale).astype(int).tolist()
