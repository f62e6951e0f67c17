"""A run as its notebooks see it: the collection, the folder of the results, figures, metrics."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from matplotlib.figure import Figure

from imet_utils.files import atomic_path, load_json, save_json
from imet_utils.provenance import (
    EVALUATION,
    NEEDS,
    PROVENANCE,
    TABLES,
    Provenance,
    data_state,
    known_data,
    list_products,
    make_provenance,
    read_provenance,
    stale_reason,
    upstream_of,
)
from imet_utils.tables import SPLITS, Tables, find_images, read_image, read_tables, take_split

PROJECT_DIR = Path(__file__).resolve().parents[1]  # the repository, or site-packages
PROFILES = Path("notebooks/profiles")  # whose folder is this project's
KAGGLE_INPUTS = [  # of the competition's data: since 2026, and before
    Path("/kaggle/input/competitions/imet-2019-fgvc6"),
    Path("/kaggle/input/imet-2019-fgvc6"),
]
KAGGLE_WORKING = Path("/kaggle/working")
SAMPLE_IMAGES = 1200
KEPT = ("probs", "preds")  # of the predictions, arrays (N, C) of each judged split
JUDGED = ("val", "test")  # the splits whose predictions are kept
RESULT_COLUMNS = ["model", "split", "f2", "f1", "precision", "recall", "map"]


@dataclass(frozen=True, eq=False)
class Run:
    """One notebook's view of a run.

    Attributes:
        notebook: its name, which is also that of its folder in `output_dir`.
        data_dir: the collection.
        output_dir: of the results of all notebooks.
        parameters: those of this notebook that its results depend on.
        provenances: of all notebooks that it stands on, in their order.
        data: the state of the collection when the notebook began, see `data_state`.
    """

    notebook: str
    data_dir: Path
    output_dir: Path
    parameters: Mapping[str, Any]
    provenances: Mapping[str, Provenance]
    data: Mapping[str, Any]

    @property
    def folder(self) -> Path:
        """Where this notebook leaves its results."""
        return self.output_dir / self.notebook

    @cached_property
    def tables(self) -> Tables:
        """The labels that are kept, and the images with their split."""
        return read_tables(self.output_dir / TABLES, self.data_dir)

    @cached_property
    def targets(self) -> dict[str, np.ndarray]:
        """The labels of each split, bool (N, C)."""
        return {split: take_split(self.tables, split).targets for split in SPLITS}

    @cached_property
    def label_names(self) -> np.ndarray:
        """The names of the labels, such as `culture::french`, text (C,)."""
        return self.tables.labels["attribute_name"].to_numpy()

    @cached_property
    def device(self) -> torch.device:
        """A GPU where there is one."""
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")

    @property
    def seed(self) -> int:
        """The seed of the split and of the views."""
        return self.setting(TABLES, "SEED")

    @property
    def image_size(self) -> int:
        """The side of a view, pixels."""
        return self.setting(TABLES, "IMAGE_SIZE")

    def setting(self, notebook: str, name: str) -> Any:  # noqa: ANN401
        """Return a parameter that an earlier notebook ran with."""
        return self.provenances[notebook]["parameters"][name]

    def metrics(self, notebook: str) -> dict[str, Any]:
        """Read the `metrics.json` of a notebook that this one stands on."""
        return load_json(self.output_dir / notebook / "metrics.json")

    def results(self, own_rows: Sequence[Mapping[str, Any]] = ()) -> pd.DataFrame:
        """Gather the `scores` of the notebooks that this one stands on, and its own.

        Returns:
            Columns model, split, f2, f1, precision, recall, map; validation first.
        """
        rows = [
            row for notebook in self.provenances for row in self.metrics(notebook).get("scores", [])
        ]
        table = pd.DataFrame([*rows, *own_rows], columns=RESULT_COLUMNS)
        is_test = table["split"].ne("val")
        return table.iloc[np.argsort(is_test, kind="stable")].reset_index(drop=True)

    def images(self, split: str, rows: Sequence[int]) -> list[np.ndarray]:
        """Read images of a split by their rows in `targets`, each (H, W, 3) uint8."""
        ids = take_split(self.tables, split).images["id"].iloc[list(rows)]
        return [np.asarray(read_image(path)) for path in find_images(self.data_dir / "train", ids)]

    def predictions(self, least: float = 0.01) -> pd.DataFrame:
        """Read what `08_evaluate_test` predicted, see `read_predictions`."""
        return read_predictions(self.output_dir, least)

    def show(self, figure: Figure, name: str) -> None:
        """Save a figure as `figures/NN_<name>.png` and show it in the notebook."""
        from IPython.display import Image, display  # here, as only notebooks have it

        path = self.output_dir / "figures" / f"{self.notebook[:2]}_{name}.png"
        with atomic_path(path) as temporary:
            figure.savefig(temporary, dpi=130, bbox_inches="tight")
        display(Image(path.read_bytes(), width=round(100 * figure.get_figwidth())))

    def finish(self, metrics: Mapping[str, Any], also: Sequence[str] = ()) -> None:
        """Write `metrics.json`, and the record that this notebook has run to its end.

        Args:
            metrics: what JSON can hold; the rows of the results table under `scores`.
            also: patterns of files outside its folder that it made, relative to `output_dir`.
        """
        save_json(metrics, self.folder / "metrics.json")
        own = (f"{self.notebook}/**/*", f"figures/{self.notebook[:2]}_*")
        products = list_products(self.output_dir, [*own, *also])
        provenance = make_provenance(
            self.notebook, self.parameters, self.data_dir, self.data, self.provenances, products
        )
        save_json(provenance, self.folder / PROVENANCE)


def open_run(notebook: str, data_dir: str = "", output_dir: str = "", **parameters: Any) -> Run:  # noqa: ANN401
    """Begin a notebook: find its folders, and make sure that what it stands on is sound.

    Without a `data_dir` it is the one that `02_preprocess_images` took, or else Kaggle's, or the
    sample collection, which is painted where it is not there yet.

    Args:
        notebook: its name, one of `NEEDS`.
        data_dir: the notebook's `DATA_DIR`.
        output_dir: its `OUTPUT_DIR`.
        **parameters: those that its results depend on, by their names.

    Raises:
        RuntimeError: with the notebooks to run first, where some are missing or outdated.
    """
    folder = find_output_dir(output_dir)
    recorded = read_provenance(folder, TABLES) if NEEDS[notebook] and not data_dir else None
    limit = parameters.get("LIMIT")
    data = Path(recorded["data_dir"]) if recorded else find_data_dir(data_dir, limit)
    if reason := stale_reason(folder, notebook, data):
        raise RuntimeError(reason)
    if not NEEDS[notebook] and data == sample_dir(limit):
        from imet_tools.sample import write_sample_data

        write_sample_data(data, limit or SAMPLE_IMAGES)
    (folder / notebook / PROVENANCE).unlink(missing_ok=True)  # until it has run to its end again
    provenances = {name: read_provenance(folder, name) for name in upstream_of(notebook)}
    return Run(
        notebook, data, folder, parameters, provenances, data_state(data, known_data(provenances))
    )


def read_predictions(output_dir: Path, least: float = 0.01) -> pd.DataFrame:
    """Read the predictions of a run for validation and test as one table for all questions.

    Test images where horses were missed:
    `table.query("split == 'test' and attribute_name == 'tag::horses' and true and not predicted")`.

    Args:
        output_dir: of a run whose `08_evaluate_test` has run to its end.
        least: probability of the pairs of image and label that are listed; those that are true or
            predicted always are, and with 0 all.

    Returns:
        As `list_predictions`.

    Raises:
        ValueError: if the run has no predictions.
    """
    provenance = read_provenance(output_dir, EVALUATION)
    if provenance is None:
        raise ValueError(f"{output_dir} has no predictions. Run {EVALUATION} there to its end")
    tables = read_tables(output_dir / TABLES, provenance["data_dir"])
    parts = []
    for split in JUDGED:
        kept = {name: np.load(output_dir / EVALUATION / f"{name}_{split}.npy") for name in KEPT}
        parts.append(list_predictions(take_split(tables, split), **kept, least=least))
    return pd.concat(parts, ignore_index=True)


def list_predictions(
    part: Tables, probs: np.ndarray, preds: np.ndarray, least: float = 0.01
) -> pd.DataFrame:
    """List what is predicted for the images of a split, a row for each pair of image and label.

    Args:
        part: the split's images, N.
        probs: probabilities (N, C).
        preds: predicted labels, bool (N, C).
        least: as for `read_predictions`.

    Returns:
        Columns id (text), split, attribute_id (int), attribute_name, true, predicted (bool) and
        probability; the images in their order, the most probable label first.
    """
    targets = part.targets
    rows, classes = np.nonzero(targets | preds | (probs >= least))
    best_first = np.lexsort((-probs[rows, classes], rows))
    rows, classes = rows[best_first], classes[best_first]
    images = part.images[["id", "split"]].iloc[rows].reset_index(drop=True)
    labels = part.labels[["attribute_id", "attribute_name"]].iloc[classes].reset_index(drop=True)
    found = {"true": targets, "predicted": preds, "probability": probs}
    found = {name: values[rows, classes] for name, values in found.items()}
    return pd.concat([images, labels], axis=1).assign(**found)


def find_data_dir(data_dir: str = "", limit: int | None = None) -> Path:
    """Resolve `DATA_DIR`: as given, or the competition's data on Kaggle, or the sample's folder."""
    if data_dir:
        return Path(data_dir).expanduser().resolve()
    return next(filter(Path.is_dir, KAGGLE_INPUTS), sample_dir(limit))


def home_dir() -> Path:
    """Return the folder that `notebooks`, `data` and `outputs` are in, where nothing else is said.

    The first that has the notebooks: the package's repository, the current folder, the one above
    it. Without any, as where the package is installed and used from elsewhere, the current one.
    """
    here = Path.cwd()
    candidates = (PROJECT_DIR, here, here.parent)
    return next((folder for folder in candidates if (folder / PROFILES).is_dir()), here)


def sample_dir(limit: int | None = None) -> Path:
    """Return the folder of the rendered sample collection, one for each number of images."""
    return home_dir() / "data" / ("sample" if limit is None else f"sample_{limit}")


def find_output_dir(output_dir: str = "") -> Path:
    """Resolve `OUTPUT_DIR`: as given, or `outputs` in Kaggle's working folder or `home_dir`."""
    if output_dir:
        return Path(output_dir).expanduser().resolve()
    return (KAGGLE_WORKING if KAGGLE_WORKING.is_dir() else home_dir()) / "outputs"
