"""Explore the predictions of a run: by label and verdict, of new images, beside another run's."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from imet_utils.labeller import Labeller, Picture
from imet_utils.metrics import bootstrap_mean, sample_scores
from imet_utils.plots import style
from imet_utils.plots.images import VERDICT_KEY, draw_grid, mark_labels
from imet_utils.runs import Run, list_predictions, read_run
from imet_utils.tables import find_images, name_files, read_thumbnail, split_label, take_split
from imet_utils.training import RECIPES

NEW = "new"  # the part of the images without labels
THUMBNAIL_SIDE = 240  # pixels of the longer side
ACROSS, MAX_LISTED = 6, 5  # thumbnails in a row, lines under one
ORDERS = {  # what to sort images by, and whether the lowest comes first
    "best F2 first": ("f2", False),
    "worst F2 first": ("f2", True),
    "most probable first": ("probability", False),
    "least probable first": ("probability", True),
}
VERDICTS = ("any", "correct", "missed", "wrong", "predicted")
COMPARED = ("f2", "precision", "recall")
WHAT = ("true", "predicted")  # columns of a label set each
Key = tuple[str, str]  # the part of an image, and its id


@dataclass(frozen=True, eq=False)
class Album:
    """Images of validation and test, and new ones, with their predictions.

    The columns of `images` are part (`val`, `test` or `new`), id, path and f2 (NaN for new ones);
    those of `labels`, the most probable first, are part, id, name, probability, true, predicted
    and verdict (`correct`, `missed`, `wrong` or "").
    """

    images: pd.DataFrame
    labels: pd.DataFrame

    def find(
        self, part: str, label: str = "", verdict: str = "any", order: str = "best F2 first"
    ) -> pd.DataFrame:
        """Find images: rows of `images`, with the highest `probability` of the matching labels.

        `label` is a label's name or a part of it, in any case. `verdict` is that of a matching
        label; with `any` it is true or predicted.
        """
        rows = self.labels[self.labels["part"] == part]
        if label:
            rows = rows[rows["name"].isin(match_names(self.labels["name"].unique(), label))]
        if verdict == "predicted":
            rows = rows[rows["predicted"]]
        elif verdict != "any":
            rows = rows[rows["verdict"] == verdict]
        elif label:
            rows = rows[rows["true"] | rows["predicted"]]
        images = self.images[self.images["part"] == part]
        found = images.merge(rows.groupby("id")["probability"].max(), on="id")
        column, ascending = ORDERS[order]
        return found.sort_values(column, ascending=ascending, kind="stable", ignore_index=True)

    @cached_property
    def _rows(self) -> dict[Key, np.ndarray]:
        return self.labels.groupby(["part", "id"], observed=True).indices

    def labels_of(self, key: Key) -> pd.DataFrame:
        """Return the rows of `labels` of an image."""
        return self.labels.iloc[self._rows[key]]

    def path_of(self, key: Key) -> Path:
        """Return the file of an image."""
        part, image_id = key
        return self.images.set_index(["part", "id"])["path"][part, image_id]

    def true_of(self, key: Key) -> list[str] | None:
        """Return the names of an image's true labels; None for a new image."""
        rows = self.labels_of(key)
        return None if key[0] == NEW else rows.loc[rows["true"], "name"].tolist()

    def plot(self, page: pd.DataFrame, title: str, label: str = "") -> Figure:
        """Draw rows of `find` as thumbnails with their labels, matching ones first."""
        above, below = [], []
        matching = match_names(self.labels["name"].unique(), label) if label else []
        for number, row in enumerate(page.itertuples(), start=1):
            score = "new" if np.isnan(row.f2) else f"F2 {row.f2:.2f}"
            above.append([(f"{number}  {score}", style.INK), (row.id, style.MUTED)])
            shown = self.labels_of((row.part, row.id))
            shown = shown[shown["true"] | shown["predicted"]]
            shown = shown.assign(rest=~shown["name"].isin(matching))
            shown = shown.sort_values(["rest", "verdict"], kind="stable")  # the wrong ones last
            lines = []
            for name, verdict in zip(shown["name"], shown["verdict"], strict=True):
                color, sign = style.VERDICTS.get(verdict, (style.INK, "·"))
                lines.append((f"{sign} {split_label(name)[1]}", color))
            below.append(lines)
        pictures = [np.asarray(read_thumbnail(path, THUMBNAIL_SIDE)) for path in page["path"]]
        title = style.clean_text(title, 6.5)
        return draw_grid(pictures, above, below, ACROSS, title, VERDICT_KEY, MAX_LISTED)


def open_album(run: Run, labeller: Labeller, new: Sequence[Path] = ()) -> Album:
    """Gather a run's predictions for validation and test, and its labeller's for new files."""
    evaluated = run.predictions().rename(columns={"split": "part", "attribute_name": "name"})
    images = evaluated[["part", "id"]].drop_duplicates(ignore_index=True)
    paths = find_images(run.data_dir / "train", images["id"].tolist())
    f2 = score_images(evaluated)["f2"]
    images = images.assign(path=paths, f2=f2.reindex(images["id"]).to_numpy())
    tables, albums = [evaluated], [images]
    if new:
        found = labeller.label(new, top=20).rename(columns={"image": "id", "chosen": "predicted"})
        tables.append(found.rename(columns={"attribute_name": "name"}).assign(part=NEW, true=False))
        names = name_files(new)
        albums.append(pd.DataFrame({"part": NEW, "id": names, "path": new, "f2": np.nan}))
    labels = pd.concat(tables, ignore_index=True)
    true, predicted = labels["true"], labels["predicted"]
    cases = [labels["part"] == NEW, true & predicted, true, predicted]
    labels["verdict"] = np.select(cases, ["", "correct", "missed", "wrong"], "")
    columns = ["part", "id", "name", "probability", "true", "predicted", "verdict"]
    return Album(pd.concat(albums, ignore_index=True), labels[columns])


def compare_known(
    labeller: Labeller, image: Picture, known: Collection[str], most: int = 8
) -> pd.DataFrame:
    """Compare an image's probabilities before and after some of its labels are known.

    Returns:
        Columns before and after, by the label's name, of the labels that change most.
    """
    before, after = labeller.explain(image).probs, labeller.explain(image, known=known).probs
    probs = pd.DataFrame({"before": before, "after": after}, labeller.names).drop(index=known)
    change = (probs["after"] - probs["before"]).abs().to_numpy()
    return probs.iloc[np.argsort(-change, kind="stable")[:most]]


def score_images(predictions: pd.DataFrame) -> pd.DataFrame:
    """Score each image of a table of predictions: columns f2, precision and recall, by its id."""
    counts = predictions.assign(hits=predictions["true"] & predictions["predicted"])
    counts = counts.groupby("id", sort=False)[["hits", "true", "predicted"]].sum()
    hits, true, predicted = (counts[name] for name in ("hits", "true", "predicted"))
    lower = {"f2": 4 * true + predicted, "precision": predicted, "recall": true}
    upper = {"f2": 5 * hits, "precision": hits, "recall": hits}
    return pd.DataFrame({name: upper[name] / lower[name].clip(lower=1) for name in COMPARED})


def match_names(names: Sequence[str], wanted: str) -> list[str]:
    """Return the names that equal `wanted`, in any case, or else those that contain it.

    >>> match_names(["tag::dogs", "tag::hot dogs"], "tag::Dogs"), match_names(["tag::dogs"], "og")
    (['tag::dogs'], ['tag::dogs'])
    """
    wanted = wanted.casefold()
    exact = [name for name in names if wanted in (name.casefold(), name.casefold().split("::")[-1])]
    return exact or [name for name in names if wanted in name.casefold()]


def describe_threshold(probs: np.ndarray, targets: np.ndarray, threshold: float) -> str:
    """Score the labels (N, C) of at least this probability, in one line."""
    preds = probs >= threshold
    scores = sample_scores(preds, targets)
    names = ("precision", "recall", "f2")
    shown = ", ".join(f"{style.SCORES[name]} {scores[name]:.3f}" for name in names)
    return f"From {threshold:.2f}: {shown}; {preds.sum() / len(preds):.1f} labels an image"


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


def compare_runs(
    first: pd.DataFrame, second: pd.DataFrame, names: tuple[str, str], known: Collection[str]
) -> Comparison:
    """Compare two tables of `Run.predictions` on the test images that both have.

    `known` are the labels that both runs have. Images whose true labels differ are left out; a
    ValueError if no image is left.
    """
    tables = [table[table["split"] == "test"] for table in (first, second)]
    tables = [table[table["attribute_name"].isin(known)] for table in tables]
    true, labels = ([_names_by_id(table, column) for table in tables] for column in WHAT)
    ids = [key for key, row in true[0].items() if true[1].get(key) == row]
    if not ids:
        raise ValueError(f"{names[0]} and {names[1]} have no test image in common: other data?")
    scores = [score_images(table).loc[ids] for table in tables]
    rows = []
    for score in COMPARED:
        gap = bootstrap_mean((scores[0][score] - scores[1][score]).to_numpy())
        rows.append([score, *(some[score].mean() for some in scores), *gap])
    table = pd.DataFrame(rows, columns=["score", "first", "second", "difference", "low", "high"])
    flips = pd.DataFrame({"id": ids, "first": scores[0]["f2"], "second": scores[1]["f2"]})
    flips["difference"] = flips["first"] - flips["second"]
    columns = ("true", "first_labels", "second_labels")
    for column, names_of in zip(columns, (true[0], *labels), strict=True):
        flips[column] = [names_of[key] for key in ids]
    flips = flips[flips["first_labels"] != flips["second_labels"]]
    flips = flips.sort_values("difference", key=np.abs, ascending=False, kind="stable")
    return Comparison(names, table, flips.reset_index(drop=True), len(ids))


def _names_by_id(table: pd.DataFrame, column: str) -> dict[str, list[str]]:
    """List the labels of each image where a column is true; an image may have none."""
    some = table[table[column]].groupby("id")["attribute_name"].agg(sorted).to_dict()
    return {image_id: some.get(image_id, []) for image_id in table["id"].unique()}


def other_predictions(run: Run, other: str = "") -> tuple[pd.DataFrame, str, set[str]]:
    """Read the predictions to compare a run with, their name, and the labels that both know.

    `other` is the output folder of another run; "" stands for this run's own AttnCNN-RNN (poster).
    """
    labels = set(run.label_names)
    if other:
        folder = Path(other).expanduser()
        compared = read_run(folder)
        return compared.predictions(), folder.name, labels.intersection(compared.label_names)
    probs, preds = (np.load(run.find(f"poster_rnn/{name}_test.npy")) for name in ("probs", "beam"))
    test = take_split(run.tables, "test")
    return list_predictions(test, probs, preds), RECIPES["poster_rnn"].title, labels


def plot_flipped(comparison: Comparison, flips: pd.DataFrame, files: Mapping[str, Path]) -> Figure:
    """Draw images that two runs label differently: rows of `flips`, and the images' files."""
    pictures, heads, below = [], [], []
    first, second = comparison.names
    for row in flips.itertuples():
        both = [(first, row.first, row.first_labels), (second, row.second, row.second_labels)]
        for name, f2, labels in both:
            pictures.append(np.asarray(read_thumbnail(files[row.id], THUMBNAIL_SIDE)))
            heads.append([(name, style.INK), (f"F2 {f2:.2f}", style.MUTED)])
            below.append([*chain(*mark_labels(row.true, labels).values())])
    title = "Images that the two label differently"
    return draw_grid(pictures, heads, below, 4, title, VERDICT_KEY)
