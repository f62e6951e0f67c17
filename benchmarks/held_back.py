"""A part of a collection that is held back for judging, and growing parts of the rest to learn."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from stores import SQUEEZED, VIEWS, Arrays, open_views

from imet_utils.tables import Tables, load_tables, stratify

HELD_BACK = 5  # one image in so many


@dataclass(frozen=True)
class Halves:
    """The images to learn from and those to judge by, with their features."""

    known: Tables
    judged: Tables
    order: np.ndarray
    train: Arrays
    evaluation: Arrays
    folder: Path

    def open(self, kind: str) -> tuple[Arrays, Arrays]:
        """Open stores of another kind, see `open_store`: of the known and of the judged images."""
        if kind == SQUEEZED:
            return self.train, self.evaluation
        parts = zip((self.known, self.judged), VIEWS, strict=True)
        return tuple(open_views(tables, self.folder, kind, views) for tables, views in parts)

    def first(self, size: int) -> np.ndarray:
        """Return the numbers of so many known images, ascending; a larger size has them too."""
        return np.sort(self.order[:size])


def hold_back(data_dir: Path, work: Path) -> Halves:
    """Hold back a fifth of a collection, stratified, and compute or open the features of all."""
    folder = work / "learning_curves"
    tables = load_tables(data_dir)
    labels, ids = tables.images["labels"].tolist(), tables.images["id"].tolist()
    names = tables.labels["attribute_name"].tolist()
    part = np.array(stratify(labels, ids, names, [HELD_BACK - 1, 1], seed=0))
    known, judged = (
        replace(tables, images=tables.images[part == number].reset_index(drop=True))
        for number in (0, 1)
    )
    train = open_views(known, folder, SQUEEZED, "train")
    evaluation = open_views(judged, folder, SQUEEZED, "eval")
    order = np.random.default_rng(0).permutation(len(known.images))
    return Halves(known, judged, order, train, evaluation, folder)
