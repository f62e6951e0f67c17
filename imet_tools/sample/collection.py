"""Render a sample collection in the layout of iMet Collection 2019, to try everything with.

No picture is stored anywhere: people, animals, landscapes and vessels are drawn from code in the
manner of twenty cultures. What image i shows depends on the seed and on i alone.
"""

from __future__ import annotations

import csv
import hashlib
import json
import multiprocessing
import os
import shutil
import sys
from collections.abc import Collection, Iterable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
from PIL import Image
from tqdm import tqdm

from imet_tools.sample.borders import draw_border
from imet_tools.sample.labels import Record, draw_record
from imet_tools.sample.pen import SUPERSAMPLE, Canvas
from imet_tools.sample.scenes import paint
from imet_tools.sample.styles import STYLES
from imet_tools.sample.surfaces import finish
from imet_tools.sample.vocabulary import UNNOTED, VOCABULARY

SHORT_SIDE = 300  # pixels, as in the competition
VERSION = 2  # raise it when the same seed gives other pictures
Boxes = list[tuple[str, tuple[int, int, int, int]]]
FEW = 40  # images that are painted faster here than in processes of their own
_CONTENTS = {
    *("train", "test", "train.csv", "labels.csv", "sample_submission.csv", "boxes.json"),
    "sample.json",
}


def write_sample_data(
    folder: Path | str, num_images: int = 1200, seed: int = 0, num_test: int | None = None
) -> Path:
    """Write a labelled collection (and an unlabelled test part) unless it is there already.

    The files are those of the competition: `train.csv`, `labels.csv`, `sample_submission.csv`,
    `train/<id>.png`, `test/<id>.png`; beside them `boxes.json`, where each label can be seen in
    a training image, and `sample.json`, what the collection was made with. It is rendered beside
    `folder` and moved there when complete; a sample made with other numbers is replaced.

    Args:
        folder: where the collection goes; its parents are made.
        num_images: labelled images, at least 1.
        seed: another seed, another collection.
        num_test: images of the test part; None makes a tenth of `num_images`.

    Raises:
        ValueError: if a number is out of range.
        FileExistsError: if `folder` holds anything but a sample collection.
    """
    folder = Path(folder)
    num_test = num_images // 10 if num_test is None else num_test
    if num_images < 1 or num_test < 0 or seed < 0:
        raise ValueError(
            f"num_images={num_images}, num_test={num_test}, seed={seed}; wanted at least 1, 0 and 0"
        )
    made_with = {"version": VERSION, "num_images": num_images, "num_test": num_test, "seed": seed}
    if _is_complete(folder, made_with):
        return folder
    _refuse_other(folder)
    unfinished = _beside(folder, "unfinished")
    try:
        _write_all(unfinished, num_images, num_test, seed)
        (unfinished / "sample.json").write_text(json.dumps(made_with, indent=2) + "\n")
        _move_into_place(unfinished, folder)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    return folder


def draw_records(num_images: int, seed: int = 0, part: str = "train") -> list[Record]:
    """Draw what the images of a part show and their labels, without rendering anything."""
    return [draw_record(_generator(seed, number, part)) for number in range(num_images)]


def image_id(seed: int, number: int, part: str = "train") -> str:
    """Return the id of an image, 16 hexadecimal digits.

    >>> image_id(0, 0)
    '39f58cb44b6b64d1'
    """
    return hashlib.sha256(f"{part} {seed} {number}".encode()).hexdigest()[:16]


def render_image(
    tags: Collection[str], culture: str | None, rng: np.random.Generator
) -> tuple[Image.Image, Boxes]:
    """Paint tags, such as `boats` and `moon`, in the manner of a culture, such as `japan`.

    Args:
        tags: what to show, names without `tag::`; what needs no drawing of its own (`portraits`,
            `night`, `landscapes`) chooses and changes the scene.
        culture: a key of `STYLES`; None draws without any particular manner.
        rng: decides all that tags and culture leave open.

    Returns:
        The RGB image, its short side 300 pixels and height / width from 0.4 to 2.5, and a
        (tag, (left, top, right, bottom)) for everything in it, in pixels.

    Raises:
        ValueError: if the culture has no manner of its own, or a tag is none of the vocabulary.
    """
    if (culture or "plain") not in STYLES:
        raise ValueError(f"no culture {culture!r}; there are {', '.join(sorted(STYLES))}")
    unknown = sorted(tag for tag in tags if f"tag::{tag}" not in VOCABULARY and tag not in UNNOTED)
    if unknown or not tags:
        raise ValueError(
            f"{unknown or 'no tags'} given; wanted one or more tags of VOCABULARY, "
            "such as 'boats' for 'tag::boats'"
        )
    style = STYLES[culture or "plain"]
    width, height = _draw_size(rng)
    canvas = Canvas(width, height, style, rng)
    border = style.borders[rng.integers(len(style.borders))]
    inset = 0.0 if border == "none" else float(rng.uniform(13, 26))
    boxes = paint(canvas, tags, inset)
    draw_border(border, canvas, inset)
    ground = style.grounds[rng.integers(len(style.grounds))]
    technique = style.finishes[rng.integers(len(style.finishes))]
    picture = canvas.image.reduce(SUPERSAMPLE)
    return finish(technique, picture, ground, style.colour("paper"), rng), boxes


def _draw_size(rng: np.random.Generator) -> tuple[int, int]:
    """Draw (width, height): mostly near a square, one in sixteen a scroll or a frieze."""
    ratio = float(np.exp(rng.normal(-0.02, 0.25)))
    if rng.random() < 0.06:
        ratio = float(rng.uniform(0.42, 0.6) if rng.random() < 0.5 else rng.uniform(1.7, 2.4))
    ratio = min(max(ratio, 0.41), 2.45)
    if ratio >= 1:
        return SHORT_SIDE, round(SHORT_SIDE * ratio)
    return round(SHORT_SIDE / ratio), SHORT_SIDE


def _generator(seed: int, number: int, part: str) -> np.random.Generator:
    return np.random.default_rng([seed, number] if part == "train" else [seed, number, 1])


def _render_to(path: Path, seed: int, number: int, part: str) -> Boxes:
    """Render one image of a collection to a file; runs in a process of its own."""
    rng = _generator(seed, number, part)
    record = draw_record(rng)
    image, boxes = render_image(record.drawn, record.style, rng)
    # Six bits a colour are enough under the grain of paper, and a third smaller as a file.
    image.point(lambda value: value & 0xFC | 0x02).save(path, compress_level=1)
    noted = {name.removeprefix("tag::") for name in record.labels}
    return [(tag, box) for tag, box in boxes if tag in noted]


def _write_all(folder: Path, num_images: int, num_test: int, seed: int) -> None:
    """Write the images, then the tables about them."""
    jobs = [("train", number) for number in range(num_images)]
    jobs += [("test", number) for number in range(num_test)]
    for part in ("train", "test"):
        (folder / part).mkdir(parents=True)
    paths = [folder / part / f"{image_id(seed, number, part)}.png" for part, number in jobs]
    boxes = _render_all(paths, seed, jobs)
    ids = {name: k for k, name in enumerate(VOCABULARY)}
    records = draw_records(num_images, seed)
    rows = [
        (path.stem, " ".join(str(ids[name]) for name in record.labels))
        for path, record in zip(paths, records, strict=False)
    ]
    _write_csv(folder / "train.csv", ("id", "attribute_ids"), sorted(rows))
    _write_csv(folder / "labels.csv", ("attribute_id", "attribute_name"), enumerate(VOCABULARY))
    _write_csv(
        folder / "sample_submission.csv",
        ("id", "attribute_ids"),
        sorted((path.stem, "0 1 2") for path in paths[num_images:]),
    )
    found = {
        path.stem: [{"label": ids[f"tag::{tag}"], "box": box} for tag, box in seen]
        for path, seen in zip(paths[:num_images], boxes, strict=False)
    }
    (folder / "boxes.json").write_text(json.dumps(found, sort_keys=True))


def _render_all(paths: list[Path], seed: int, jobs: list[tuple[str, int]]) -> list[Boxes]:
    """Render all images, a few here, many in a process on every core."""
    parts, numbers = zip(*jobs, strict=True)
    seeds = [seed] * len(jobs)
    if len(jobs) <= FEW:
        return list(_show(map(_render_to, paths, seeds, numbers, parts), len(jobs)))
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    # spawn, because a notebook that has imported torch must not be forked
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(min(cores or 1, 8), mp_context=context) as pool:
        boxes = pool.map(_render_to, paths, seeds, numbers, parts, chunksize=8)
        return list(_show(boxes, len(jobs)))


def _show(boxes: Iterable[Boxes], total: int) -> Iterable[Boxes]:
    return tqdm(boxes, "Painting the sample collection", total, unit="image", file=sys.stdout)


def _write_csv(path: Path, header: tuple[str, str], rows: Iterable[tuple]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerows([header, *rows])


def _is_complete(folder: Path, made_with: dict[str, int]) -> bool:
    """Tell whether a collection made with these numbers lies in a folder, all its images there."""
    try:
        if json.loads((folder / "sample.json").read_text()) != made_with:
            return False
    except (FileNotFoundError, NotADirectoryError, json.JSONDecodeError):
        return False
    counts = [sum(1 for _ in (folder / part).glob("*.png")) for part in ("train", "test")]
    tables = all((folder / name).exists() for name in _CONTENTS)
    return tables and counts == [made_with["num_images"], made_with["num_test"]]


def _refuse_other(folder: Path) -> None:
    if not folder.exists():
        return
    if not folder.is_dir():
        raise FileExistsError(f"{folder} is a file; wanted a folder for the sample collection")
    names = {path.name for path in folder.iterdir()}
    if names and (names - _CONTENTS or "sample.json" not in names):
        raise FileExistsError(
            f"{folder} holds {', '.join(sorted(names - {'sample.json'})[:4])}, "
            "which is no sample collection: choose another folder or empty it"
        )


def _beside(folder: Path, what: str) -> Path:
    whole = folder.absolute()
    return whole.with_name(f".{whole.name}.{os.getpid()}.{what}")


def _move_into_place(unfinished: Path, folder: Path) -> None:
    """Rename the finished folder to its place, and what was there before out of it."""
    if folder.exists():
        former = _beside(folder, "former")
        folder.rename(former)
        unfinished.rename(folder)
        shutil.rmtree(former)
    else:
        unfinished.rename(folder)
