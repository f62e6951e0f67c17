"""Images for a real label table, in the layout of iMet Collection 2019, to rehearse its size.

    python benchmarks/render_collection.py TABLES OUT [--share 1] [--thumbnails DIR]

The folder of the tables holds `train.csv`, `labels.csv` and, if there is one, `image_sizes.csv`
(id, height, width); without it images are 300 x 300 pixels. A random share of the rows is taken as
it is, labels and sizes and all. An image is smooth noise, or part of a thumbnail with colours of
its own, and has grain on it, so that its file is as large as a photograph's; it shows none of its
labels, which speed and memory do not depend on.
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

from imet_utils.progress import progress

SHORT_SIDE = 300  # pixels, of an image whose size is not told
GRAIN = 4  # standard deviation, of 255 levels
QUALITY = 90  # of JPEG


def render_collection(
    tables: Path, out: Path, share: float, seed: int = 0, thumbnails: Path | None = None
) -> Path:
    """Render a share of a collection to a new folder, which appears when it is whole.

    A tenth as many images go to `test/`. All are made of `thumbnails/*.jpg` where that is given.
    """
    sources = sorted(thumbnails.glob("*.jpg")) if thumbnails else []
    if thumbnails and not sources:
        raise FileNotFoundError(f"there are no thumbnails in {thumbnails}")
    if not 0 < share <= 1:
        raise ValueError(f"share must be in (0, 1], got {share}")
    if out.exists():
        raise FileExistsError(f"{out} is there already: give another folder or remove it")
    rows = take_rows(tables, share, seed)
    again = rows.sample(max(1, len(rows) // 10), random_state=seed + 1)
    again["id"] = [hashlib.sha256(name.encode()).hexdigest()[:16] for name in again["id"]]
    partial = out.with_name(f".{out.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    jobs = []
    for part, chosen in (("train", rows), ("test", again)):
        (partial / part).mkdir(parents=True)
        sizes = zip(chosen["width"], chosen["height"], strict=True)
        paths = [partial / part / f"{name}.jpg" for name in chosen["id"]]
        jobs += zip(paths, sizes, strict=True)
    with ThreadPoolExecutor() as pool:
        done = pool.map(lambda job: render(*job, sources), jobs)
        for _ in progress(done, "rendering", len(jobs)):
            pass
    shutil.copyfile(tables / "labels.csv", partial / "labels.csv")
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


def render(path: Path, size: tuple[int, int], sources: Sequence[Path] = ()) -> None:
    """Write an image of a width and height, by the name of its file and the sources alone."""
    rng = np.random.default_rng([*hashlib.sha256(path.stem.encode()).digest()[:16]])
    small = take_part(sources[rng.integers(len(sources))], rng) if sources else make_noise(rng)
    smooth = np.asarray(small.resize(size, Image.Resampling.BICUBIC), dtype=np.float32)
    levels = smooth + rng.normal(0, GRAIN, smooth.shape)
    Image.fromarray(levels.clip(0, 255).astype(np.uint8)).save(path, quality=QUALITY)


def make_noise(rng: np.random.Generator) -> Image.Image:
    """Draw 8 x 8 colours."""
    return Image.fromarray(rng.integers(0, 256, (8, 8, 3), dtype=np.uint8))


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
    parser.add_argument("out", type=Path, help="new folder for the collection")
    parser.add_argument("--share", type=float, default=1.0, help="of the rows")
    parser.add_argument("--thumbnails", type=Path, help="JPEG files to make the images of")
    asked = parser.parse_args()
    render_collection(asked.tables, asked.out, asked.share, thumbnails=asked.thumbnails)


if __name__ == "__main__":
    main()
