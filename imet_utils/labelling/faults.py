"""Labels that are most likely wrong or missing, listed for a person who corrects `train.csv`.

What is missing is ranked by its probability, which is what confident learning (Northcutt, Jiang and
Chuang, 2021) calls self-confidence; for one label apart from the rest the normalised margin ranks
the same. What is wrong is ranked by how far the odds of a label fall below those that the images
with it usually have, as rare labels are improbable even where they are right. Both were measured
where it is known what is wrong (`benchmarks/label_faults.py`).
"""

from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from scipy.special import logit

from imet_utils.decoding import ImageVectors, Neighbours, leave_one_out
from imet_utils.files import defuse, save_csv
from imet_utils.labelling.explore import thumbnail
from imet_utils.plots import plot_doubted
from imet_utils.runs import Run
from imet_utils.tables import (
    FAULT_COLUMNS,
    SPLITS,
    Tables,
    find_images,
    read_judged,
    take_split,
)
from imet_utils.training import open_inputs

FAULTS = "label_faults.csv"  # in the folder of the notebook
LEAST = 1e-4  # probability that is told from 0
SHOWN_SIDE = 300  # pixels of the longer side in the figure


def place_images(known: Neighbours, tables: Tables, output_dir: Path, encoder: str) -> Neighbours:
    """Place the images of validation and test, in this order, behind those of training.

    Args:
        known: the training images.
        tables: of the collection.
        output_dir: of the run.
        encoder: whose features are stored there.
    """
    arrays = open_inputs(tables, output_dir, encoder, ("pooled", "style")).arrays
    for split in SPLITS[1:]:
        known = known.join(ImageVectors(arrays[split]), take_split(tables, split).targets)
    return known


def doubt_pairs(known: Neighbours, most: int) -> pd.DataFrame:
    """Find the pairs of image and label that are noted and unlikely, or not noted and likely.

    Args:
        known: the labelled images.
        most: pairs of each of both kinds.

    Returns:
        Columns image and label (numbers), noted and probability; the most doubtful first, the two
        kinds in turns.
    """
    noted, missing = [], []
    for part, probs in leave_one_out(known):
        targets, shape = known.targets[part], probs.shape
        some = np.flatnonzero(targets)
        others = np.where(targets, -1, probs).ravel()
        best = np.argpartition(-others, min(most, others.size) - 1)[:most]
        for found, cells in ((noted, some), (missing, best[others[best] > LEAST])):
            rows, labels = np.unravel_index(cells, shape)
            found.append(np.stack([part.start + rows, labels, probs.ravel()[cells]]))
    tables = []
    for parts in (missing, noted):
        pairs = pd.DataFrame(
            np.concatenate(parts, axis=1).T, columns=["image", "label", "probability"]
        )
        odds = logit(pairs["probability"].clip(LEAST, 1 - LEAST))
        tables.append(pairs.assign(noted=parts is noted, doubt=odds))
    usual = logit(tables[1].groupby("label")["probability"].mean().clip(LEAST, 1 - LEAST))
    tables[1]["doubt"] = tables[1]["label"].map(usual) - tables[1]["doubt"]
    ranked = [table.nlargest(most, "doubt").reset_index(drop=True) for table in tables]
    turns = pd.concat(ranked).sort_index(kind="stable").reset_index(drop=True)
    columns = ["image", "label", "noted", "probability"]
    return turns[columns].astype({"image": int, "label": int})


def write_label_faults(run: Run, known: Neighbours, most: int) -> pd.DataFrame:
    """List the labels of a collection that are most likely wrong or missing, in `label_faults.csv`.

    What a person has judged there before, after an earlier run, is not listed again, but kept at
    the end of the file.

    Args:
        run: whose features are there.
        known: its training images.
        most: pairs of each of both kinds.

    Returns:
        What is listed, the columns of `FAULT_COLUMNS`, see `doubt_pairs`; noted is yes or no,
        verdict empty.
    """
    path = run.folder / FAULTS
    judged = pd.DataFrame(read_judged(path), columns=list(FAULT_COLUMNS))
    encoder = run.setting("04_train_baseline", "ENCODER")
    placed = place_images(known, run.tables, run.output_dir, encoder)
    pairs = doubt_pairs(placed, most + len(judged))
    ids = pd.concat([take_split(run.tables, split).images["id"] for split in SPLITS])
    listed = run.tables.labels[["attribute_id", "attribute_name"]].iloc[pairs["label"]]
    listed = listed.reset_index(drop=True).assign(
        id=ids.to_numpy()[pairs["image"]],
        noted=np.where(pairs["noted"], "yes", "no"),
        probability=pairs["probability"].round(4),
        verdict="",
    )
    keys = ["id", "attribute_name"]
    done = set(judged[keys].itertuples(index=False, name=None))
    new = [key not in done for key in listed[keys].map(defuse).itertuples(index=False, name=None)]
    listed = listed.loc[new, list(FAULT_COLUMNS)].groupby("noted").head(most)
    save_csv(pd.concat([listed.astype(str), judged]), path, spreadsheet_safe=True)
    return listed.reset_index(drop=True)


def plot_label_faults(run: Run, faults: pd.DataFrame, count: int) -> Figure:
    """Draw the first images with a doubted label: what is noted, what is doubted, what may miss.

    Args:
        run: of the collection.
        faults: of `list_label_faults`.
        count: images at the most.
    """
    ids = faults["id"].drop_duplicates().head(count).tolist()
    labels = run.tables.images.set_index("id")["labels"]
    noted = [run.label_names[list(labels[image_id])].tolist() for image_id in ids]
    return plot_doubted(
        [
            np.asarray(thumbnail(path, SHOWN_SIDE))
            for path in find_images(run.data_dir / "train", ids)
        ],
        noted,
        [_probabilities(faults[faults["id"] == image_id]) for image_id in ids],
    )


def _probabilities(rows: pd.DataFrame) -> dict[str, float]:
    return dict(zip(rows["attribute_name"], rows["probability"], strict=True))
