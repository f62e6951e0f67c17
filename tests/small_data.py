"""Small collections, images and features that tests of several rooms are made of."""

import os
import shutil
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import numpy as np
import pandas as pd
import psutil
import pytest
from PIL import Image

from imet_utils.runs import PROJECT_DIR

SHARED = Path(__file__).resolve().parents[2] / "shared"
NUM_IMAGES, NUM_VIEWS, DIM, NUM_CLASSES = 40, 3, 8, 4


def needs(name):
    """Mark a test that reads a folder beside the project."""
    absent = pytest.mark.skipif(not (SHARED / name).is_dir(), reason=f"{name} is not beside us")
    return lambda test: pytest.mark.shared(absent(test))


def noise(width=40, height=40, seed=0):
    """Draw an image of noise."""
    levels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(levels)


def write_noise(folder, ids, size=(40, 40)):
    """Write an image of noise of its own for each id; return their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{image_id}.png" for image_id in ids]
    for seed, path in enumerate(paths):
        noise(*size, seed).save(path)
    return paths


def write_collection(folder, rows, names, size=(40, 40)):
    """Write images of noise and iMet's tables: labels 0, 1, ... by their names, rows by id."""
    write_noise(folder / "train", rows, size)
    labels = pd.DataFrame({"attribute_id": range(len(names)), "attribute_name": names})
    labels.to_csv(folder / "labels.csv", index=False)
    images = pd.DataFrame({"id": rows.keys(), "attribute_ids": rows.values()})
    images.to_csv(folder / "train.csv", index=False)
    return folder


def read_rows(path):
    """Read a table as text, a dictionary a row."""
    return pd.read_csv(path, dtype=str, keep_default_na=False).to_dict("records")


def copy_run(run, target):
    """Copy a finished run; of checkpoints and features, only ever replaced whole, make links."""

    def copy(source, path):
        is_replaced = source.endswith(".pt") or "/features/" in source
        return (os.link if is_replaced else shutil.copy2)(source, path)

    return shutil.copytree(run, target, copy_function=copy)


def has_ended(process_id, within=10.0):
    """Wait until a process has ended, so many seconds at most."""
    stop = time.monotonic() + within
    with suppress(psutil.NoSuchProcess):
        while psutil.Process(process_id).status() != psutil.STATUS_ZOMBIE:
            if time.monotonic() > stop:
                return False
            time.sleep(0.05)
    return True


def launch(*command):
    """Run a command line of Python, such as `-m module`, on two CPU processes."""
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    options = {"cwd": PROJECT_DIR, "capture_output": True, "text": True, "timeout": 300}
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(PROJECT_DIR)}
    return subprocess.run([*launcher, *map(str, command)], env=environment, **options)


def channel_means(images):
    """Stand in for an encoder: exact numbers, easy to work out again."""
    floats = images.float() / 256
    return {"pooled": floats.mean((2, 3)), "maps": floats[:, :, ::16, ::16].flatten(2)}


def make_data():
    """Pooled features from which each label can be read off, and targets (N, V, C)."""
    rng = np.random.default_rng(0)
    pooled = rng.normal(size=(NUM_IMAGES, NUM_VIEWS, DIM)).astype(np.float16)
    pooled[:] = pooled[:, :1]
    targets = pooled[..., :NUM_CLASSES] > 0.3
    targets[..., 0] |= ~targets.any(axis=-1)
    return {"pooled": pooled}, targets
