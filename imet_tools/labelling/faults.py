"""Labels that are most likely wrong or missing, listed for a person who corrects `train.csv`.

What is missing is ranked by its probability, which is what confident learning (Northcutt, Jiang and
Chuang, 2021) calls self-confidence; for one label apart from the rest the normalised margin ranks
the same. The labels that an image has tell of those that it lacks (`revise_probs`), at half the
strength that is best for finding all, since here only the surest count. What is wrong is ranked by
how far the odds of a label fall below those that the images with it usually have, as rare labels
are improbable even where they are right. All were measured where it is known what is wrong
(`benchmarks/label_faults.py`).
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from scipy.special import logit

from imet_tools.labelling.corrections import FAULT_COLUMNS, read_judged
from imet_tools.labelling.leave_one_out import leave_one_out
from imet_tools.labelling.plots import plot_doubted
from imet_utils.decoding import CANDIDATES, ImageVectors, NeighbourIndex, revise_probs
from imet_utils.files import defuse, save_csv
from imet_utils.labeller import Labeller
from imet_utils.runs import Run
from imet_utils.tables import SPLITS, Tables, find_images, read_thumbnail, take_split
from imet_utils.training import open_inputs

FAULTS = "label_faults.csv"  # in the folder of the notebook
LEAST = 1e-4  # probability that is told from 0
SHOWN_SIDE = 300  # pixels of the longer side in the figure


def place_images(
    known: NeighbourIndex, tables: Tables, output_dir: Path, encoder: str
) -> NeighbourIndex:
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


def doubt_pairs(known: NeighbourIndex, most: int, strength: float = 0.0) -> pd.DataFrame:
    """Find the pairs of image and label that are noted and unlikely, or not noted and likely.

    Args:
        known: the labelled images.
        most: pairs of each of both kinds.
        strength: of what labels tell of each other, see `revise_probs`.

    Returns:
        Columns image and label (numbers), noted and probability; the most doubtful first, the two
        kinds in turns.
    """
    parts = judge_pairs(known, strength)
    picked = [_pick(known.targets[part], probs, part.start, most) for part, probs in parts]
    pairs = pd.concat(picked, ignore_index=True)
    noted, probs = pairs["noted"], pairs["probability"].clip(LEAST, 1 - LEAST)
    usual = logit(probs[noted].groupby(pairs["label"]).mean())
    doubt = logit(probs).where(~noted, pairs["label"].map(usual) - logit(probs))
    pairs = pairs.assign(doubt=doubt).sort_values("doubt", ascending=False, kind="stable")
    pairs = pairs.assign(turn=pairs.groupby("noted").cumcount()).query("turn < @most")
    pairs = pairs.sort_values(["turn", "noted"], kind="stable", ignore_index=True)
    return pairs[["image", "label", "noted", "probability"]]


def judge_pairs(known: NeighbourIndex, strength: float) -> Iterator[tuple[slice, np.ndarray]]:
    """Yield which images, and how probable each label of theirs is by all other images, (B, C).

    Labels that an image lacks are judged by those that it has, too.
    """
    nearest = known.nearest_others(CANDIDATES)
    for part, probs in leave_one_out(known, nearest=nearest):
        noted = known.targets[part]
        told = revise_probs(probs, nearest[part], noted.astype(np.int8), strength / 2)
        yield part, np.where(noted, probs, told)


def _pick(targets: np.ndarray, probs: np.ndarray, start: int, most: int) -> pd.DataFrame:
    """Take all pairs that are noted, and the `most` probable others: rows as of `doubt_pairs`."""
    others = np.where(targets, -1, probs).ravel()
    best = np.argpartition(-others, min(most, others.size) - 1)[:most]
    cells = np.concatenate([np.flatnonzero(targets), np.sort(best[others[best] > LEAST])])
    rows, labels = np.unravel_index(cells, targets.shape)
    return pd.DataFrame(
        {
            "image": start + rows,
            "label": labels,
            "noted": targets[rows, labels],
            "probability": probs[rows, labels],
        }
    )


def write_label_faults(run: Run, labeller: Labeller, most: int) -> pd.DataFrame:
    """List the labels of a collection that are most likely wrong or missing, in `label_faults.csv`.

    What a person has judged there before, after an earlier run, is not listed again, but kept at
    the end of the file, for as long as the collection has the image and the label.

    Args:
        run: whose features are there.
        labeller: of the run.
        most: pairs of each of both kinds; a tenth of the noted labels, where that is less.

    Returns:
        What is listed, the columns of `FAULT_COLUMNS`, see `doubt_pairs`; noted is yes or no,
        verdict empty.
    """
    path = run.folder / FAULTS
    judged = pd.DataFrame(read_judged(path), columns=list(FAULT_COLUMNS))
    there = {"id": run.tables.images["id"], "attribute_name": run.tables.labels["attribute_name"]}
    for column, values in there.items():
        judged = judged[judged[column].isin(values.map(defuse))]
    encoder = run.setting("ENCODER")
    placed = place_images(labeller.neighbours, run.tables, run.output_dir, encoder)
    most = min(most, max(1, np.count_nonzero(placed.targets) // 10))
    pairs = doubt_pairs(placed, most + len(judged), labeller.settings["strength"])
    ids = pd.concat([take_split(run.tables, split).images["id"] for split in SPLITS])
    listed = run.tables.labels[["attribute_id", "attribute_name"]].iloc[pairs["label"]]
    listed = listed.reset_index(drop=True).assign(
        id=ids.to_numpy()[pairs["image"]],
        noted=np.where(pairs["noted"], "yes", "no"),
        probability=pairs["probability"].round(4),
        verdict="",
    )
    keys, done = listed[[*there]].map(defuse), judged[[*there]]
    new = ~pd.MultiIndex.from_frame(keys).isin(pd.MultiIndex.from_frame(done))
    listed = listed.loc[new, list(FAULT_COLUMNS)].groupby("noted").head(most)
    save_csv(pd.concat([listed.astype(str), judged]), path, spreadsheet_safe=True)
    return listed.reset_index(drop=True)


def plot_label_faults(run: Run, faults: pd.DataFrame, count: int) -> Figure:
    """Draw the first images with a doubted label: what is noted, what is doubted, what may miss.

    Args:
        run: of the collection.
        faults: of `write_label_faults`.
        count: images at the most.
    """
    ids = faults["id"].drop_duplicates().head(count).tolist()
    files = find_images(run.data_dir / "train", ids)
    labels = run.tables.images.set_index("id")["labels"]
    rows = [faults[faults["id"] == image_id] for image_id in ids]
    return plot_doubted(
        [np.asarray(read_thumbnail(file, SHOWN_SIDE)) for file in files],
        [run.label_names[list(labels[image_id])].tolist() for image_id in ids],
        [dict(zip(row["attribute_name"], row["probability"], strict=True)) for row in rows],
    )
