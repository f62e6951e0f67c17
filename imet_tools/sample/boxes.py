"""Where the motifs of a rendered collection are, as its `boxes.json` has them."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from PIL import Image


def load_boxes(
    data_dir: Path | str, ids: Sequence[str], names: Mapping[int, str]
) -> list[dict[str, np.ndarray]]:
    """Read the boxes of labels in training images.

    Args:
        data_dir: folder of the collection.
        ids: of images.
        names: of the labels by attribute id; boxes of other labels are left out.

    Returns:
        For each id the boxes of each label name, (n, 4): left, top, right, bottom as shares of
        width and height. Empty without a `boxes.json`.
    """
    path = Path(data_dir) / "boxes.json"
    if not path.is_file():
        return [{} for _ in ids]
    known = json.loads(path.read_text(encoding="utf-8"))
    found = []
    for image_id in ids:
        with Image.open(path.with_name("train") / f"{image_id}.png") as image:
            size = np.array(image.size * 2)  # width, height, width, height
        boxes: dict[str, list] = {}
        for box in known.get(image_id, []):
            if box["label"] in names:
                boxes.setdefault(names[box["label"]], []).append(np.array(box["box"]) / size)
        found.append({name: np.stack(places) for name, places in boxes.items()})
    return found
