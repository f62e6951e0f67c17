"""Pages on which a person accepts, rejects and adds labels, saved as rows for `train.csv`."""

import base64
import io
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack, suppress
from functools import lru_cache
from itertools import count, groupby, takewhile
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import Environment, FileSystemLoader
from PIL import Image
from sklearn.neighbors import NearestNeighbors

from imet_tools.labelling.new_images import NewImage
from imet_utils.decoding import REVISION, NeighbourIndex
from imet_utils.features import spread_rows
from imet_utils.files import atomic_path, fingerprint_of
from imet_utils.labeller import Explanation, Labeller, rank_labels
from imet_utils.runs import read_run
from imet_utils.tables import find_images, read_thumbnail

SUGGESTED = 12  # labels of an image, at least
NEIGHBOURS = 5  # labelled images whose pictures are shown
PICTURE_SIDE, NEIGHBOUR_SIDE = 480, 96  # pixels of the longer side
QUALITY = 80  # of JPEG
LEVELS = 99  # of attention above none
PRECISION = 0.7  # of the labels that are ticked beforehand, where no other was chosen
LEAST_PRECISION = 0.3  # that the page offers: for a lower one it would list too few labels
UNUSUAL = 0.05  # share of the labelled images that are as far from all others as a marked image
CACHED = 1000  # pictures of labelled images

FindPicture = Callable[[str], Image.Image | None]  # by the id of a labelled image


def write_review(
    labeller: Labeller,
    images: Sequence[NewImage],
    explanations: Iterable[Explanation],
    folder: Path,
    find_picture: FindPicture,
    top: int = SUGGESTED,
    known: Sequence[Sequence[int]] = (),
    per_page: int = 1000,
) -> list[Path]:
    """Write `review.html`, `review_2.html`, …, which need no other file and no network.

    The explanations, by the labeller with all neighbours, are taken one by one, so that few are in
    memory; `known` are the classes by which each was revised already. All pages are renamed into
    place together, and pages of an earlier, longer review are removed. A browser stores a person's
    choices by an image's id, its picture and the table of labels, so that they outlive a review
    written again with other suggestions or more images.

    The chosen labels of an image and the `top` best are suggested. Those from the threshold on are
    ticked that reached the labeller's precision on validation, else `PRECISION`, or else the
    highest that was reached; a person can move it. An image below `similarity_limit` is marked, and
    only what is known is ticked.
    """
    ids = labeller.labels["attribute_id"].astype(str)
    labels = {"ids": ids.tolist(), "names": labeller.names.tolist()}
    templates = Environment(loader=FileSystemLoader(Path(__file__).parent), autoescape=True)
    template = templates.get_template("review.html.j2")
    thresholds = labeller.settings.thresholds.items()
    chosen = [share for share, cut in thresholds if cut == labeller.decision.threshold]
    reached = sorted((share, round(float(cut), 4)) for share, cut in thresholds)
    revision = {
        **REVISION,
        "strength": labeller.settings.strength,
        "temperature": labeller.index.temperature,
        "thresholds": [pair for pair in reached if pair[0] >= LEAST_PRECISION] or reached[-1:],
        "precision": max(chosen, default=PRECISION),
    }
    vocabulary, limit = fingerprint_of(labels), similarity_limit(labeller.index)
    records = (
        _describe(image, explanation, classes, top, find_picture, limit)
        for image, explanation, classes in zip(
            images, explanations, known or [()] * len(images), strict=True
        )
    )
    paths = []
    with ExitStack() as unfinished:
        for page, group in groupby(enumerate(records), key=lambda item: item[0] // per_page):
            paths.append(folder / page_name(page))
            temporary = unfinished.enter_context(atomic_path(paths[-1]))
            stream = template.stream(
                page=page,
                is_last=(page + 1) * per_page >= len(images),
                page_name=page_name,
                labels=labels,
                revision=revision,
                records=(  # each with its key in the browser's storage
                    (fingerprint_of([vocabulary, record["id"], record["picture"]]), record)
                    for _, record in group
                ),
            )
            stream.dump(str(temporary), encoding="utf-8")
    former = (folder / page_name(page) for page in count(len(paths)))  # of a longer review
    for path in takewhile(Path.is_file, former):
        path.unlink()
    return paths


def page_name(page: int) -> str:
    """Name a page, counted from 0: `review.html`, `review_2.html` and so on."""
    return f"review_{page + 1}.html" if page else "review.html"


def _describe(
    image: NewImage,
    explanation: Explanation,
    known: Sequence[int],
    top: int,
    find_picture: FindPicture,
    least_similarity: float,
) -> dict[str, Any]:
    """Gather what a page shows of an image, and what its labels are revised by."""
    attention, neighbours = explanation.attention, explanation.neighbours
    probs = [round(float(p), 4) for p in explanation.probs]
    rows = [list(map(int, labels)) for labels in neighbours["labels"]]
    cosines = [round(float(cosine), 4) for cosine in neighbours["similarity"]]
    pictures = map(find_picture, neighbours["id"][:NEIGHBOURS])
    return {
        "id": image.id,
        "file": image.file,
        "picture": encode_picture(read_thumbnail(image.path, PICTURE_SIDE)),
        "suggestions": [
            {
                "label": label,
                "probability": probs[label],
                "attention": None if attention is None else quantise(attention[label]),
            }
            for label in rank_labels(explanation, top).tolist()
        ],
        "neighbours": [
            {"picture": encode_picture(picture), "labels": labels}
            for picture, labels in zip(pictures, rows, strict=False)
            if picture
        ],
        "far": bool((neighbours["similarity"][:1] < least_similarity).any()),
        "near": list(zip(cosines, rows, strict=True)),
        "known": [[label, 1] for label in known],
        "probs": [[label, probs[label]] for label in sorted({k for row in rows for k in row})],
    }


def train_pictures(output_dir: Path, labeller: Labeller, side: int = NEIGHBOUR_SIDE) -> FindPicture:
    """Return a function from a training image's id to a small picture, or None without its file."""
    ids, files = labeller.train_images["id"], {}
    with suppress(OSError, ValueError):  # if the collection is gone
        paths = find_images(read_run(output_dir).data_dir / "train", ids)
        files = dict(zip(ids, paths, strict=True))

    @lru_cache(CACHED)
    def find(image_id: str) -> Image.Image | None:
        return read_thumbnail(files[image_id], side) if image_id in files else None

    return find


def similarity_limit(index: NeighbourIndex) -> float:
    """Find the cosine to the nearest labelled image below which an image is unlike all of them.

    A share of `UNUSUAL` of the labelled images, of 1,000 at the most, are as unlike the others.
    """
    search = NearestNeighbors(n_neighbors=2, algorithm="brute").fit(index.embeddings)
    rows = spread_rows(len(index.embeddings), 1000)
    distances, _ = search.kneighbors(index.embeddings[rows])  # of itself and the nearest other
    return float(np.quantile(1 - distances[:, 1] ** 2 / 2, UNUSUAL))


def encode_picture(picture: Image.Image) -> str:
    """Write a picture as a data URI."""
    content = io.BytesIO()
    picture.save(content, "JPEG", quality=QUALITY, optimize=True)
    return f"data:image/jpeg;base64,{base64.b64encode(content.getvalue()).decode()}"


def quantise(attention: np.ndarray) -> list[list[int]]:
    """Scale attention (h, w) to whole numbers, its highest to 99.

    >>> quantise(np.array([[0.0, 0.1], [0.2, 0.4]]))
    [[0, 25], [50, 99]]
    """
    scale = LEVELS / (attention.max() or 1)
    return np.rint(attention * scale).astype(int).tolist()
