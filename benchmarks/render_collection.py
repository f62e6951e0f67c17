"""Images for a real label table, in the layout of iMet Collection 2019, for `full_size`.

The folder of the tables holds `train.csv`, `labels.csv` and, if there is one, `image_sizes.csv`
(id, height, width); without it images are 300 x 300 pixels. A random share of the rows is taken as
it is, labels and sizes and all. An image is smooth noise with grain on it, whose file is as large
as a photograph's; it shows none of its labels, which speed and memory do not depend on.
"""

import hashlib
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from imet_utils.progress import progress

SHORT_SIDE = 300  # pixels, of an image whose size is not told
GRAIN = 4  # standard deviation, of 255 levels
QUALITY = 90  # of JPEG


def render_collection(tables: Path, out: Path, share: float, seed: int = 0) -> Path:
    """Render a share of a collection to a new folder, which appears when it is whole.

    A tenth as many images go to `test/`.
    """
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
        for _ in progress(pool.map(lambda job: render(*job), jobs), "rendering", len(jobs)):
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


def render(path: Path, size: tuple[int, int]) -> None:
    """Write an image of a width and height, by the name of its file alone."""
    rng = np.random.default_rng([*hashlib.sha256(path.stem.encode()).digest()[:16]])
    coarse = Image.fromarray(rng.integers(0, 256, (8, 8, 3), dtype=np.uint8))
    smooth = np.asarray(coarse.resize(size, Image.Resampling.BICUBIC), dtype=np.float32)
    levels = smooth + rng.normal(0, GRAIN, smooth.shape)
    Image.fromarray(levels.clip(0, 255).astype(np.uint8)).save(path, quality=QUALITY)
