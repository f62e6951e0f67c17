"""Images for a real label table, in the layout of iMet Collection 2019, to rehearse its size.

    python benchmarks/render_collection.py TABLES THUMBNAILS OUT [--share 1]

The folder of the tables holds `train.csv`, `labels.csv` and `image_sizes.csv` (id, height, width).
A random share of the rows is taken as it is, labels and sizes and all. An image is part of one of
the thumbnails, which are JPEG files, with colours of its own, and has grain on it, so that its file
is as large as a photograph's; it shows none of its labels, which speed and memory do not depend on.
"""

import argparse
import hashlib
import shutil
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from imet_utils.files import atomic_folder
from imet_utils.progress import progress

GRAIN = 4  # standard deviation, of 255 levels
QUALITY = 90  # of JPEG


def render_collection(tables: Path, thumbnails: Path, out: Path, share: float) -> Path:
    """Render a share of a collection to a new folder, which appears when it is whole.

    A tenth as many images go to `test/`.
    """
    sources = sorted(thumbnails.glob("*.jpg"))
    if not sources:
        raise FileNotFoundError(f"there are no thumbnails in {thumbnails}")
    if not 0 < share <= 1:
        raise ValueError(f"share must be in (0, 1], got {share}")
    if out.exists():
        raise FileExistsError(f"{out} is there already: give another folder or remove it")
    rows = take_rows(tables, share)
    again = rows.sample(max(1, len(rows) // 10), random_state=1)
    again["id"] = [hashlib.sha256(name.encode()).hexdigest()[:16] for name in again["id"]]
    with atomic_folder(out) as folder:
        jobs = []
        for part, table, chosen in (
            ("train", "train", rows),
            ("test", "sample_submission", again.assign(attribute_ids="0")),
        ):
            (folder / part).mkdir()
            chosen[["id", "attribute_ids"]].to_csv(folder / f"{table}.csv", index=False)
            sizes = zip(chosen["width"], chosen["height"], strict=True)
            paths = [folder / part / f"{name}.jpg" for name in chosen["id"]]
            jobs += zip(paths, sizes, strict=True)
        with ThreadPoolExecutor() as pool:
            done = pool.map(lambda job: render(*job, sources), jobs)
            for _ in progress(done, "rendering", len(jobs)):
                pass
        shutil.copyfile(tables / "labels.csv", folder / "labels.csv")
    return out


def take_rows(tables: Path, share: float) -> pd.DataFrame:
    """Draw a share of the rows, in their order: id, attribute_ids, height, width."""
    text = {"id": str, "attribute_ids": str}
    rows = pd.read_csv(tables / "train.csv", dtype=text, keep_default_na=False)
    sizes = pd.read_csv(tables / "image_sizes.csv", dtype={"id": str})
    rows = rows.merge(sizes, on="id", validate="1:1")
    number = max(1, round(share * len(rows)))
    return rows.sample(number, random_state=0).sort_index()


def render(path: Path, size: tuple[int, int], sources: Sequence[Path]) -> None:
    """Write an image of a width and height, by the name of its file and the sources alone."""
    rng = np.random.default_rng([*hashlib.sha256(path.stem.encode()).digest()[:16]])
    small = take_part(sources[rng.integers(len(sources))], rng)
    smooth = np.asarray(small.resize(size, Image.Resampling.BICUBIC), dtype=np.float32)
    levels = smooth + rng.normal(0, GRAIN, smooth.shape)
    Image.fromarray(levels.clip(0, 255).astype(np.uint8)).save(path, quality=QUALITY)


def take_part(path: Path, rng: np.random.Generator) -> Image.Image:
    """Cut a part out of an image, maybe mirror it, and weigh its channels, all drawn by `rng`."""
    pixels = np.asarray(Image.open(path).convert("RGB"), dtype=np.float32)
    height, width = (np.array(pixels.shape[:2]) * rng.uniform(0.7, 0.9)).astype(int)
    top = rng.integers(pixels.shape[0] - height)
    left = rng.integers(pixels.shape[1] - width)
    part = pixels[top : top + height, left : left + width] * rng.uniform(0.7, 1.3, 3)
    return Image.fromarray(part[:, :: rng.choice((-1, 1))].clip(0, 255).astype(np.uint8))


def main() -> None:
    """Render."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("tables", type=Path, help="folder of the label tables")
    parser.add_argument("thumbnails", type=Path, help="folder of JPEG files to make images of")
    parser.add_argument("out", type=Path, help="new folder for the collection")
    parser.add_argument("--share", type=float, default=1.0, help="of the rows")
    asked = parser.parse_args()
    render_collection(asked.tables, asked.thumbnails, asked.out, asked.share)


if __name__ == "__main__":
    main()
