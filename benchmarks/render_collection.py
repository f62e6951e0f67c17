"""Render images for a real label table, in the layout of iMet Collection 2019.

    python benchmarks/render_collection.py --tables DIR --out DIR [--share 0.01] [--suffix png]

`--tables` holds `train.csv`, `labels.csv` and, if there is one, `image_sizes.csv` (id, height,
width); without it images are 300 x 300 pixels. A random share of the rows is taken as it is, labels
and sizes and all. An image shows each of its labels: in the manner of its culture and by the motif
of the sample collection where these exist, else by a motif of its own (`draw_generic`). A tenth as
many images, with labels of rows drawn anew, go to `test/`.
"""

import argparse
import colorsys
import hashlib
import multiprocessing
import shutil
import sys
from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from imet_tools.sample.motifs import MOTIFS
from imet_tools.sample.pen import SUPERSAMPLE, Canvas, Frame
from imet_tools.sample.styles import STYLES
from imet_utils.progress import progress

SHORT_SIDE = 300  # pixels, of an image whose size is not told
GRAIN = 4  # standard deviation of what makes a file as large as a photograph's, of 255 levels
SAVING = {".png": {"compress_level": 1}}
OTHERS = {"quality": 90}  # JPEG
HUES, CORNERS, STRIPES, DIRECTIONS = 12, (3, 4, 5, 6), (1, 3, 5), 4
KINDS = HUES * 2 * len(CORNERS) * len(STRIPES) * DIRECTIONS  # 1,152


@dataclass(frozen=True)
class Job:
    """One image to render."""

    path: Path
    labels: tuple[tuple[int, str], ...]
    width: int
    height: int


def render_collection(
    tables: Path, out: Path, share: float, suffix: str = ".jpg", seed: int = 0
) -> Path:
    """Render a share of a collection to a new folder, which appears when it is whole."""
    if not 0 < share <= 1:
        raise ValueError(f"share must be in (0, 1], got {share}")
    if out.exists():
        raise FileExistsError(f"{out} is there already: give another folder or remove it")
    rows = take_rows(tables, share, seed)
    names = pd.read_csv(tables / "labels.csv", index_col="attribute_id")["attribute_name"]
    again = rows.sample(max(1, len(rows) // 10), random_state=seed + 1)
    again["id"] = [hashlib.sha256(name.encode()).hexdigest()[:16] for name in again["id"]]
    partial = out.with_name(f".{out.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    jobs = []
    for part, chosen in (("train", rows), ("test", again)):
        (partial / part).mkdir(parents=True)
        jobs += make_jobs(chosen, names, partial / part, suffix)
    render_all(jobs, seed)
    (partial / "labels.csv").write_bytes((tables / "labels.csv").read_bytes())
    for name, chosen in (("train", rows), ("sample_submission", again.assign(attribute_ids="0"))):
        chosen[["id", "attribute_ids"]].to_csv(partial / f"{name}.csv", index=False)
    return partial.rename(out)


def take_rows(tables: Path, share: float, seed: int) -> pd.DataFrame:
    """Draw a share of the rows, in their order: id, attribute_ids, height, width."""
    text = {"id": str, "attribute_ids": str}
    rows = pd.read_csv(tables / "train.csv", dtype=text, keep_default_na=False)
    sizes = tables / "image_sizes.csv"
    if sizes.exists():
        rows = rows.merge(pd.read_csv(sizes, dtype={"id": str}), on="id", validate="1:1")
    else:
        rows = rows.assign(height=SHORT_SIDE, width=SHORT_SIDE)
    number = max(1, round(share * len(rows)))
    return rows.sample(number, random_state=seed).sort_index()


def make_jobs(rows: pd.DataFrame, names: pd.Series, folder: Path, suffix: str) -> list[Job]:
    """List what to render."""
    jobs = []
    for row in rows.itertuples():
        labels = [int(text) for text in row.attribute_ids.split()]
        path = folder / f"{row.id}{suffix}"
        jobs.append(Job(path, tuple((k, names[k]) for k in labels), row.width, row.height))
    return jobs


def render_all(jobs: Sequence[Job], seed: int) -> None:
    """Render in a process on every core."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(mp_context=context) as pool:
        done: Iterable[None] = pool.map(render_job, jobs, [seed] * len(jobs), chunksize=16)
        for _ in progress(done, "rendering", len(jobs), "image"):
            pass


def render_job(job: Job, seed: int) -> None:
    """Render one image to its file."""
    digest = hashlib.sha256(f"{seed}:{job.path.stem}".encode()).digest()
    image = paint(job, np.random.default_rng(list(digest[:16])))
    image.save(job.path, **SAVING.get(job.path.suffix, OTHERS))


def paint(job: Job, rng: np.random.Generator) -> Image.Image:
    """Draw each label in a field of its own; a culture that has a style decides how all looks."""
    styles = [name.removeprefix("culture::") for _, name in job.labels]
    styles = [name for name in styles if name in STYLES]
    canvas = Canvas(job.width, job.height, STYLES[styles[0] if styles else "plain"], rng)
    drawn = [label for label in job.labels if label[1].removeprefix("culture::") not in styles[:1]]
    columns = int(np.clip(round((len(drawn) * job.width / job.height) ** 0.5), 1, len(drawn) or 1))
    rows = -(-len(drawn) // columns)
    for place, number in enumerate(rng.permutation(len(drawn))):
        attribute_id, name = drawn[number]
        row, column = divmod(place, columns)
        wide, tall = job.width / columns, job.height / rows
        side = min(wide, tall) * rng.uniform(0.6, 0.9)
        left = (column + rng.uniform(0, 1 - side / wide)) * wide
        top = (row + rng.uniform(0, 1 - side / tall)) * tall
        draw, aspect = MOTIFS.get(name.removeprefix("tag::"), (None, 1.0))[:2]
        width, height = side * min(1, aspect), side * min(1, 1 / aspect)
        frame = canvas.frame(left, top, width, height, bool(rng.random() < 0.5))
        draw(frame) if draw else draw_generic(frame, attribute_id)
    return add_grain(canvas.image.reduce(SUPERSAMPLE), rng)


def motif_of(attribute_id: int) -> tuple[int, bool, int, int, int]:
    """Return hue, whether it is a star, corners, stripes and their direction.

    No two ids below `KINDS` have the same.

    >>> motif_of(13)
    (1, True, 3, 1, 0)
    """
    rest, hue = divmod(attribute_id % KINDS, HUES)
    rest, star = divmod(rest, 2)
    rest, corners = divmod(rest, len(CORNERS))
    direction, stripes = divmod(rest, len(STRIPES))
    return hue, bool(star), CORNERS[corners], STRIPES[stripes], direction


def draw_generic(frame: Frame, attribute_id: int) -> None:
    """Draw the motif of an attribute id in a frame."""
    hue, star, corners, stripes, direction = motif_of(attribute_id)
    colour = tuple(round(255 * part) for part in colorsys.hsv_to_rgb(hue / HUES, 0.75, 0.85))
    angles = np.arange(corners * (2 if star else 1)) * np.pi / corners * (1 if star else 2)
    radii = np.where(np.arange(len(angles)) % 2, 0.22, 0.5) if star else 0.5
    outline = 0.5 + np.stack([radii * np.sin(angles), -radii * np.cos(angles)], axis=1)  # (K, 2)
    frame.shape(outline, colour, smooth=False)
    turn = direction * np.pi / DIRECTIONS
    along, across = np.array([np.cos(turn), np.sin(turn)]), np.array([-np.sin(turn), np.cos(turn)])
    for offset in np.linspace(-0.15, 0.15, stripes) if stripes > 1 else [0.0]:
        middle = 0.5 + offset * across
        frame.stroke([middle - 0.2 * along, middle + 0.2 * along], (250, 250, 250), 0.03)


def add_grain(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Add noise, from a tile that is the same for all images, put down anywhere."""
    grain = grain_tile()
    top, left = rng.integers(0, len(grain), 2)
    rows = (np.arange(image.height) + top) % len(grain)
    columns = (np.arange(image.width) + left) % len(grain)
    levels = np.asarray(image) + grain[rows[:, None], columns]
    return Image.fromarray(levels.clip(0, 255).astype(np.uint8))


@cache
def grain_tile() -> np.ndarray:
    """Draw the noise: int16 (512, 512, 3)."""
    noise = np.random.default_rng(0).normal(0, GRAIN, (512, 512, 3))
    return noise.round().astype(np.int16)


def main() -> None:
    """Render what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tables", type=Path, required=True, help="folder of the label tables")
    parser.add_argument("--out", type=Path, required=True, help="the new folder")
    parser.add_argument("--share", type=float, default=0.01, help="of the rows")
    parser.add_argument("--suffix", default="jpg", choices=("jpg", "png"), help="of the files")
    parser.add_argument("--seed", type=int, default=0, help="of the rows and the pictures")
    asked = parser.parse_args()
    folder = render_collection(asked.tables, asked.out, asked.share, f".{asked.suffix}", asked.seed)
    sys.stdout.write(f"{folder}\n")


if __name__ == "__main__":
    main()
