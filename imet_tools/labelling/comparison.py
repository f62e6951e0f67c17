"""Compare two runs on the same images, image by image."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from imet_tools.labelling.explore import COMPARED, THUMBNAIL_SIDE, score_images
from imet_tools.labelling.plots import plot_flips
from imet_utils.metrics import bootstrap_mean
from imet_utils.runs import Run, list_predictions, read_run
from imet_utils.tables import read_thumbnail, take_split
from imet_utils.training import RECIPES

WHAT = ("true", "predicted")  # columns of a label set each


@dataclass(frozen=True, eq=False)
class Comparison:
    """Two runs on the same images.

    The columns of `scores` are score, first, second (means over the images), difference, and low
    and high, its paired 95 % interval; those of `flips`, the images with different predictions,
    are id, first, second and difference (F2), true, first_labels and second_labels (names).
    """

    names: tuple[str, str]
    scores: pd.DataFrame
    flips: pd.DataFrame  # the greatest difference first
    num_images: int


def compare_runs(first: pd.DataFrame, second: pd.DataFrame, names: tuple[str, str]) -> Comparison:
    """Compare two tables of `Run.predictions` on the test images that both have.

    Labels that only one of them has are left out, and images whose true labels differ; a ValueError
    if no image is left.
    """
    tables = [table[table["split"] == "test"] for table in (first, second)]
    common = set(first["attribute_name"]) & set(second["attribute_name"])
    tables = [table[table["attribute_name"].isin(common)] for table in tables]
    true, labels = ([_names_by_id(table, column) for table in tables] for column in WHAT)
    ids = [key for key, row in true[0].items() if true[1].get(key) == row]
    if not ids:
        raise ValueError(f"{names[0]} and {names[1]} have no test image in common: other data?")
    scores = [score_images(table).loc[ids] for table in tables]
    rows = []
    for score in COMPARED:
        gap = bootstrap_mean((scores[0][score] - scores[1][score]).to_numpy())
        rows.append([score, *(some[score].mean() for some in scores), *gap])
    columns = ["score", "first", "second", "difference", "low", "high"]
    flips = pd.DataFrame({"id": ids, "first": scores[0]["f2"], "second": scores[1]["f2"]})
    flips["difference"] = flips["first"] - flips["second"]
    flips["true"] = [sorted(true[0][key]) for key in ids]
    for column, chosen in zip(("first_labels", "second_labels"), labels, strict=True):
        flips[column] = [sorted(chosen.get(key, ())) for key in ids]
    flips = flips[flips["first_labels"] != flips["second_labels"]]
    flips = flips.sort_values("difference", key=np.abs, ascending=False, kind="stable")
    table = pd.DataFrame(rows, columns=columns)
    return Comparison(names, table, flips.reset_index(drop=True), len(ids))


def _names_by_id(table: pd.DataFrame, column: str) -> dict[str, frozenset[str]]:
    """Collect the labels of each image where a column is true; an image may have none."""
    some = table[table[column]].groupby("id")["attribute_name"].agg(frozenset).to_dict()
    return {image_id: some.get(image_id, frozenset()) for image_id in table["id"].unique()}


def other_predictions(run: Run, other: str = "") -> tuple[pd.DataFrame, str]:
    """Read the predictions to compare a run with, and their name.

    `other` is the output folder of another run; "" stands for this run's own AttnCNN-RNN (poster).
    """
    if other:
        folder = Path(other).expanduser()
        return read_run(folder).predictions(), folder.name
    probs, preds = (np.load(run.find(f"poster_rnn/{name}_test.npy")) for name in ("probs", "beam"))
    test = take_split(run.tables, "test")
    return list_predictions(test, probs, preds), RECIPES["poster_rnn"].title


def plot_flipped(comparison: Comparison, flips: pd.DataFrame, files: Mapping[str, Path]) -> Figure:
    """Draw images that two runs label differently: rows of `flips`, and the images' files."""
    images = [np.asarray(read_thumbnail(files[key], THUMBNAIL_SIDE)) for key in flips["id"]]
    return plot_flips(images, flips, comparison.names)
