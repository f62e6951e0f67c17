"""Render a sample collection in the layout of iMet Collection 2019, so that everything can be tried.

No picture is stored: people, animals, landscapes and vessels are drawn from code in twenty styles.
Image i of a collection depends on the seed and i alone.
"""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import os
import shutil
from collections.abc import Collection, Iterable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from imet_utils.sample_borders import draw_border
from imet_utils.sample_pen import SUPERSAMPLE, Canvas
from imet_utils.sample_scenes import paint
from imet_utils.sample_styles import STYLES
from imet_utils.sample_surfaces import finish
from imet_utils.sample_tables import Record, draw_record

SHORT_SIDE = 300
VERSION = 1
Boxes = list[tuple[str, tuple[int, int, int, int]]]


def render_image(tags: Collection[str], style: str | None, rng: np.random.Generator) -> tuple[Image.Image, Boxes]:
    """Paint tags (names without `tag::`) in a style; the short side is 300 pixels.

    Returns the RGB image and (tag, (left, top, right, bottom)) for everything recognisable in it.

    Raises:
        ValueError: if the style is not one of `STYLES` (None means `plain`).
    """
    name = style or "plain"
    if name not in STYLES:
        raise ValueError(f"no style {name!r}; there are {', '.join(sorted(STYLES))}")
    look = STYLES[name]
    ratio = float(np.clip(np.exp(rng.normal(-0.03, 0.26)), 0.4, 2.5))
    if rng.random() < 0.06:
        ratio = float(rng.uniform(0.42, 0.6) if rng.random() < 0.5 else rng.uniform(1.7, 2.4))
    width, height = (SHORT_SIDE, round(SHORT_SIDE * ratio)) if ratio >= 1 else (
        round(SHORT_SIDE / ratio), SHORT_SIDE)
    canvas = Canvas(width, height, look, rng)
    border = look.borders[rng.integers(len(look.borders))]
    inset = 0.0 if border == "none" else rng.uniform(13, 26)
    boxes = paint(canvas, tags, inset)
    draw_border(border, canvas, inset)
    picture = canvas.image.reduce(SUPERSAMPLE)
    ground = look.grounds[rng.integers(len(look.grounds))]
    kind = look.finishes[rng.integers(len(look.finishes))]
    return finish(kind, picture, ground, look.colour("paper"), rng), boxes


def draw_records(num_images: int, seed: int = 0, part: str = "train") -> list[Record]:
    """Draw what the images show and their labels, without rendering anything."""
    return [draw_record(_generator(seed, number, part)) for number in range(num_images)]


def _generator(seed: int, number: int, part: str) -> np.random.Generator:
    return np.random.default_rng([seed, number] if part == "train" else [seed, number, 1])


def _image_id(seed: int, number: int, part: str) -> str:
    return hashlib.sha256(f"{part} {seed} {number}".encode()).hexdigest()[:16]


def _render_to(folder: Path, seed: int, number: int, part: str) -> Boxes:
    rng = _generator(seed, number, part)
    record = draw_record(rng)
    image, boxes = render_image(record.drawn, record.style, rng)
    image.save(folder / part / f"{_image_id(seed, number, part)}.png", compress_level=2)
    return boxes


def write_sample_data(folder: Path | str, num_images: int = 1200, seed: int = 0, num_test: int | None = None) -> Path:
    """Write a collection with `num_images` labelled and `num_test` unlabelled images (a tenth)."""
    folder = Path(folder)
    num_test = num_images // 10 if num_test is None else num_test
    jobs = [(folder, seed, i, "train") for i in range(num_images)]
    for part in ("train", "test"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    records = draw_records(num_images, seed)
    names = sorted({name for record in records for name in record.labels})
    number = {name: k for k, name in enumerate(names)}
    pd.DataFrame({"attribute_id": range(len(names)), "attribute_name": names}).to_csv(folder / "labels.csv", index=False)
    jobs += [(folder, seed, i, "test") for i in range(num_test)]
    with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("spawn")) as pool:
        boxes = list(pool.map(_render_to, *zip(*jobs), chunksize=8))
    rows = sorted((_image_id(seed, i, "train"), " ".join(str(number[n]) for n in r.labels)) for i, r in enumerate(records))
    pd.DataFrame(rows, columns=["id", "attribute_ids"]).to_csv(folder / "train.csv", index=False)
    return folder
