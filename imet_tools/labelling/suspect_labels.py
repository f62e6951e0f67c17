"""Labels that are most likely wrong or missing, listed for a person who corrects `train.csv`.

Each image is predicted from all others. A missing label is ranked by its probability, which
confident learning (Northcutt, Jiang and Chuang, 2021) calls self-confidence; the labels that the
image has revise it (`revise_probs`), at half the strength that is best for finding all labels,
since only the surest are listed. A wrong label is ranked by how far its odds fall below those that
the images with this label usually have, as rare labels are improbable even where they are right.
`benchmarks/label_faults.py` measures this where the errors are known.
"""

from collections.abc import Iterator

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from scipy.special import logit

from imet_tools.labelling.corrections import SUSPECT_COLUMNS, read_reviewed
from imet_utils.decoding import CANDIDATES, NeighbourIndex, Neighbours, revise_probs
from imet_utils.files import defuse, save_csv
from imet_utils.plots import style
from imet_utils.plots.images import draw_grid
from imet_utils.runs import Run
from imet_utils.tables import (
    SPLITS,
    find_images,
    load_tables,
    read_thumbnail,
    split_label,
    take_split,
)

SUSPECTS = "suspect_labels.csv"  # in the folder of the notebook
SMALLEST = 1e-4  # probability that is distinguished from 0
SHOWN_SIDE = 300  # pixels of the longer side in the figure
PENALTY = 3.0  # of the ridge regression, on vectors of length 1
RIDGE_WEIGHT = 0.5  # of the regression, beside the vote
CHUNK = 4096  # images at once: 18 MB of probabilities for 1,103 labels


def leave_one_out(
    index: NeighbourIndex, ridge_weight: float = RIDGE_WEIGHT, nearest: Neighbours | None = None
) -> Iterator[tuple[slice, np.ndarray]]:
    """Predict each of at least two labelled images from all others, without training anew.

    The mean of two predictions: the vote of the nearest other images (`nearest`, where they are
    known), and a ridge regression of the labels on the images' vectors. What the latter would
    predict without an image follows from the fit with it: with X the vectors and H = x (X'X +
    penalty)^-1 x', it is (fit - H y) / (1 - H) (Allen's PRESS, 1974).

    Yields:
        Which images, and their probabilities (B, C).
    """
    nearest = nearest or index.nearest(None)
    constant = np.ones(len(index.embeddings), dtype=np.float32)
    vectors = np.column_stack([index.embeddings, constant])  # (M, D)
    penalty = np.diag([PENALTY] * index.embeddings.shape[1] + [0.0])  # none on the constant
    inverse = np.linalg.inv(vectors.T @ vectors + penalty).astype(np.float32)  # (D, D)
    weights = inverse @ (index.labels.T @ vectors).T  # (D, C)
    for start in range(0, len(vectors), CHUNK):
        part = slice(start, start + CHUNK)
        some, targets = vectors[part], index.targets[part]
        leverage = np.einsum("nd,nd->n", some @ inverse, some)[:, np.newaxis]  # (B, 1), H
        ridge = (some @ weights - leverage * targets) / (1 - leverage)
        votes = nearest[part].vote()
        yield part, ridge_weight * ridge.clip(0, 1) + (1 - ridge_weight) * votes


def predict_from_others(
    index: NeighbourIndex, strength: float
) -> Iterator[tuple[slice, np.ndarray]]:
    """Predict each image from all others, (B, C); labels that it lacks also from those it has."""
    nearest = index.nearest(None, CANDIDATES)
    for part, probs in leave_one_out(index, nearest=nearest):
        annotated = index.targets[part]
        revised = revise_probs(probs, nearest[part], annotated.astype(np.int8), strength / 2)
        yield part, np.where(annotated, probs, revised)


def find_suspects(index: NeighbourIndex, most: int, strength: float = 0.0) -> pd.DataFrame:
    """Find pairs of image and label that are annotated and unlikely, or missing and likely.

    Returns:
        Columns image and label (numbers), annotated and probability: at most `most` pairs of
        either kind, the most suspect first, the two kinds in turns.
    """
    predicted = predict_from_others(index, strength)
    parts = [_list_pairs(index.targets[part], probs, part.start, most) for part, probs in predicted]
    pairs = pd.concat(parts, ignore_index=True)
    annotated, probs = pairs["annotated"], pairs["probability"].clip(SMALLEST, 1 - SMALLEST)
    usual = logit(probs[annotated].groupby(pairs["label"]).mean())
    rank = logit(probs).where(~annotated, pairs["label"].map(usual) - logit(probs))
    pairs = pairs.assign(rank=rank).sort_values("rank", ascending=False, kind="stable")
    pairs = pairs.assign(turn=pairs.groupby("annotated").cumcount()).query("turn < @most")
    pairs = pairs.sort_values(["turn", "annotated"], kind="stable", ignore_index=True)
    return pairs[["image", "label", "annotated", "probability"]]


def _list_pairs(targets: np.ndarray, probs: np.ndarray, start: int, most: int) -> pd.DataFrame:
    """List all annotated pairs and the `most` probable others."""
    others = np.where(targets, -1, probs).ravel()
    best = np.argpartition(-others, min(most, others.size) - 1)[:most]
    cells = np.concatenate([np.flatnonzero(targets), np.sort(best[others[best] > SMALLEST])])
    rows, labels = np.unravel_index(cells, targets.shape)
    columns = {"annotated": targets[rows, labels], "probability": probs[rows, labels]}
    return pd.DataFrame({"image": start + rows, "label": labels, **columns})


def write_suspect_labels(
    run: Run, index: NeighbourIndex, most: int, strength: float
) -> pd.DataFrame:
    """List the labels that are most likely wrong or missing in `suspect_labels.csv`.

    Rows that a person has reviewed are not listed again; they stay at the end of the file for as
    long as the collection has the image and the label. `index` has the images of all splits, one
    behind the other (`index_images`). Of either kind there are `most` pairs, or a tenth of the
    annotated labels, where that is less.

    Returns:
        The new rows: columns `SUSPECT_COLUMNS`, annotated yes or no, verdict empty.
    """
    path = run.folder / SUSPECTS
    reviewed = pd.DataFrame(read_reviewed(path), columns=list(SUSPECT_COLUMNS))
    whole = load_tables(run.data_dir)  # a run may leave images and labels out
    existing = {"id": whole.images["id"], "attribute_name": whole.labels["attribute_name"]}
    for column, values in existing.items():
        reviewed = reviewed[reviewed[column].isin([defuse(value) for value in values])]
    most = min(most, max(1, int(index.targets.sum()) // 10))
    pairs = find_suspects(index, most + len(reviewed), strength)
    ids = pd.concat([take_split(run.tables, split).images["id"] for split in SPLITS])
    listed = run.tables.labels[["attribute_id", "attribute_name"]].iloc[pairs["label"]]
    listed = listed.reset_index(drop=True).assign(
        id=ids.to_numpy()[pairs["image"]],
        annotated=np.where(pairs["annotated"], "yes", "no"),
        probability=pairs["probability"].round(4),
        verdict="",
    )
    keys = pd.MultiIndex.from_frame(listed[[*existing]].map(defuse))
    is_new = ~keys.isin(pd.MultiIndex.from_frame(reviewed[[*existing]]))
    listed = listed.loc[is_new, list(SUSPECT_COLUMNS)].groupby("annotated").head(most)
    save_csv(pd.concat([listed.astype(str), reviewed]), path, spreadsheet_safe=True)
    return listed.reset_index(drop=True)


def plot_suspect_labels(run: Run, suspects: pd.DataFrame, count: int) -> Figure:
    """Draw the first images of `write_suspect_labels`, `count` at the most, with all their labels.

    Suspect ones have their probabilities.
    """
    (missing, plus), (wrong, cross) = style.VERDICTS["missed"], style.VERDICTS["wrong"]
    ids = suspects["id"].drop_duplicates().head(count).tolist()
    files = find_images(run.data_dir / "train", ids)
    labels = run.tables.images.set_index("id")["labels"]
    below = []
    for image_id in ids:
        rows = suspects[suspects["id"] == image_id]
        probs = dict(zip(rows["attribute_name"], rows["probability"], strict=True))
        names, lines = run.label_names[list(labels[image_id])].tolist(), []
        for name in dict.fromkeys([*names, *probs]):
            short = split_label(name)[1]
            if name not in probs:
                lines.append((short, style.INK))
            elif name in names:
                lines.append((f"{cross} {probs[name]:.2f} {short}", wrong))
            else:
                lines.append((f"{plus} {probs[name]:.2f} {short}", missing))
        below.append(lines)
    key = {f"{cross} may be wrong": wrong, f"{plus} may be missing": missing}
    pictures = [np.asarray(read_thumbnail(file, SHOWN_SIDE)) for file in files]
    return draw_grid(pictures, [], below, 4, "Labels that may be wrong or missing", key)
