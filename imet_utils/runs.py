"""A run as its notebooks see it: the collection, the folder of the results, figures, metrics."""

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import pandas as pd

from imet_utils.code import code_digest, is_ours
from imet_utils.files import atomic_path, load_json, save_array, save_csv, save_json
from imet_utils.provenance import (
    RECORD,
    TRACKED,
    Provenance,
    changed_upstream,
    collection_of,
    current_data,
    find_product,
    list_finished,
    list_upstream,
    make_provenance,
    stale_reason,
)
from imet_utils.tables import SPLITS, Tables, find_images, read_image, read_tables, take_split

if TYPE_CHECKING:
    import torch
    from matplotlib.figure import Figure

PROJECT_DIR = Path(__file__).resolve().parents[1]  # the repository, or site-packages
PROFILES = Path("notebooks/profiles")  # whose folder is this project's
KAGGLE_INPUTS = [  # of the competition's data: since 2026, and before
    Path("/kaggle/input/competitions/imet-2019-fgvc6"),
    Path("/kaggle/input/imet-2019-fgvc6"),
]
KAGGLE_WORKING = Path("/kaggle/working")
SAMPLE_IMAGES = 1200
TABLES = "images.csv"  # that whichever notebook splits the collection has made
EVALUATED = ("val", "test")  # the splits whose predictions are kept
PLAIN = str | bool | int | float | None  # values of parameters
RESULT_COLUMNS = ["model", "split", "f2", "f1", "precision", "recall", "map", "f2_low", "f2_high"]

Settings = TypeVar("Settings")


@dataclass(frozen=True, eq=False)
class Run:
    """One notebook's view of a run."""

    notebook: str  # its name, which is also that of its folder in `output_dir`; "" to look only
    data_dir: Path  # the collection
    output_dir: Path  # the results of all notebooks
    parameters: Mapping[str, Any]  # of this notebook
    upstream: Mapping[str, Provenance]  # all notebooks that it depends on, in their order
    data: Mapping[str, Any]  # state of the collection when the notebook began, see `data_state`
    namespace: Mapping[str, Any] = field(repr=False)  # the notebook's variables

    @property
    def folder(self) -> Path:
        """Where this notebook leaves its results."""
        if not self.notebook:
            raise RuntimeError(f"{self.output_dir} was opened by read_run: use open_run to write")
        return self.output_dir / self.notebook

    @cached_property
    def tables(self) -> Tables:
        """The labels that are kept, and the images with their split."""
        return read_tables(self.find(TABLES).parent, self.data_dir)

    @cached_property
    def targets(self) -> dict[str, np.ndarray]:
        """The labels of each split, bool (N, C)."""
        return {split: take_split(self.tables, split).targets for split in SPLITS}

    @cached_property
    def label_names(self) -> np.ndarray:
        """The names of the labels, such as `culture::french`, text (C,)."""
        return self.tables.labels["attribute_name"].to_numpy()

    @cached_property
    def device(self) -> "torch.device":
        """A GPU where there is one."""
        import torch  # here, as the pipeline, which runs no model, does without

        return torch.device("cuda" if torch.cuda.is_available() else "cpu")

    def find(self, name: str) -> Path:
        """Find a file that a notebook upstream has made, by the last parts of its path."""
        return find_product(self.output_dir, name, self.upstream)[0]

    def setting(self, name: str, default: Any = None) -> Any:  # noqa: ANN401
        """Return a parameter of this notebook, or of the last one upstream that has it.

        Without a `default` a parameter that is not there is a KeyError.
        """
        known = [record["parameters"] for record in self.upstream.values()] + [self.parameters]
        for parameters in reversed(known):
            if name in parameters:
                return parameters[name]
        if default is not None:
            return default
        raise KeyError(f"no notebook upstream of {self.notebook} has the parameter {name}")

    def configure(self, settings: Settings) -> Settings:
        """Fill those fields of a dataclass that have a parameter here, `epochs` from `EPOCHS`."""
        self.check_parameters()
        names = {field.name for field in fields(settings)}  # type: ignore[arg-type]  # a dataclass
        own = {name.lower(): value for name, value in self.parameters.items()}
        return replace(settings, **{k: v for k, v in own.items() if k in names})  # type: ignore[type-var]

    def check_parameters(self) -> None:
        """Raise RuntimeError if a parameter has changed since the run was opened."""
        for name, value in self.parameters.items():
            if self.namespace.get(name, value) != value:
                raise RuntimeError(
                    f"{name} is now {self.namespace[name]!r}, and was {value!r} when the run was "
                    "opened: run the cell with open_run again, and those after it"
                )

    def metrics(self, notebook: str) -> dict[str, Any]:
        """Read the `metrics.json` of a notebook upstream."""
        return load_json(self.output_dir / notebook / "metrics.json")

    def probs(self, head: str) -> dict[str, np.ndarray]:
        """Read the probabilities (N, C) of a head upstream for validation and test."""
        return {split: np.load(self.find(f"{head}/probs_{split}.npy")) for split in EVALUATED}

    def results(self, own_rows: Sequence[Mapping[str, Any]] = ()) -> pd.DataFrame:
        """Gather the `scores` of all notebooks upstream, and its own; validation first."""
        rows = [row for name in self.upstream for row in self.metrics(name).get("scores", [])]
        table = pd.DataFrame([*rows, *own_rows], columns=RESULT_COLUMNS)
        return table.sort_values(
            "split", key=lambda split: split != "val", kind="stable", ignore_index=True
        )

    def images(self, split: str, rows: Sequence[int]) -> list[np.ndarray]:
        """Read images of a split by their rows in `targets`, each (H, W, 3) uint8."""
        ids = take_split(self.tables, split).images["id"].iloc[list(rows)]
        return [np.asarray(read_image(path)) for path in find_images(self.data_dir / "train", ids)]

    def predictions(self, least: float = 0.01) -> pd.DataFrame:
        """Read what the last notebook upstream with predictions has predicted for val and test.

        A table as of `list_predictions`. Test images where horses were missed: `table.query(
        "split == 'test' and attribute_name == 'tag::horses' and true and not predicted")`.

        Raises:
            FileNotFoundError: if the run has no predictions.
        """
        folder, parts = self.find("preds_test.npy").parent, []
        for split in EVALUATED:
            probs, preds = (np.load(folder / f"{name}_{split}.npy") for name in ("probs", "preds"))
            parts.append(list_predictions(take_split(self.tables, split), probs, preds, least))
        return pd.concat(parts, ignore_index=True)

    def save_predictions(
        self, probs: Mapping[str, np.ndarray], decide: Callable[[np.ndarray], np.ndarray]
    ) -> None:
        """Keep probabilities (N, C) of validation and test, and the labels decided on by them.

        `predictions` reads them; `predictions.csv` lists the labels that are true or predicted.
        """
        listed = []
        for split in EVALUATED:
            preds = decide(probs[split])  # (N, C)
            save_array(probs[split], self.folder / f"probs_{split}.npy")
            save_array(preds, self.folder / f"preds_{split}.npy")
            part = take_split(self.tables, split)
            listed.append(list_predictions(part, probs[split], preds, least=np.inf))
        table = pd.concat(listed).astype({"probability": float}).round(4)
        save_csv(table, self.folder / "predictions.csv", spreadsheet_safe=True)

    def show(self, figure: "Figure", name: str) -> None:
        """Save a figure as `figures/NN_<name>.png` and show it in the notebook."""
        from IPython.display import Image, display  # here, as only notebooks have it

        from imet_utils.plots import save_figure  # here, as only they draw

        number = self.folder.name.partition("_")[0]
        path = self.output_dir / "figures" / f"{number}_{name}.png"
        with atomic_path(path) as temporary:
            save_figure(figure, temporary)
        display(Image(path.read_bytes(), width=round(100 * figure.get_figwidth())))

    def finish(self, metrics: Mapping[str, Any], also: Sequence[str] = ()) -> None:
        """Write `metrics.json`, and the record that this notebook has run to its end.

        Args:
            metrics: what JSON can hold; the rows of the results table under `scores`.
            also: patterns of files outside its folder that it made, relative to `output_dir`.
        """
        self.check_parameters()
        save_json(metrics, self.folder / "metrics.json")
        number = self.notebook.partition("_")[0]
        patterns = (f"{self.notebook}/**/*", f"figures/{number}_*", *also)
        paths = {path for pattern in patterns for path in self.output_dir.glob(pattern)}
        found = [path.relative_to(self.output_dir) for path in paths if path.is_file()]
        record = make_provenance(
            self.output_dir,
            self.parameters,
            _imported_modules(self.namespace),
            self.data_dir,
            self.data,
            self.upstream,
            [path.as_posix() for path in found if TRACKED not in path.parts],
        )
        save_json(record, self.folder / RECORD)


def open_run(
    notebook: str,
    upstream: Sequence[str] = (),
    parts: Sequence[str] = ("train",),
    paint: Callable[[Path, int], object] | None = None,
    parameters: Mapping[str, Any] | None = None,
) -> Run:
    """Begin a notebook: read its parameters, find its folders, check what it depends on.

    The parameters are the notebook's UPPER_CASE texts and numbers so far. Without a `DATA_DIR` the
    collection is that of the notebooks upstream, or else Kaggle's, or the sample.

    Args:
        notebook: its name, which is that of its folder; a reader's own has one of its own.
        upstream: the notebooks whose results it reads; what these depend on is found in the run.
        parts: of the collection that its results depend on, `train`, `test` or both.
        paint: writes so many images of the sample to a folder, where that is not there yet.
        parameters: by name, instead of the variables of whoever calls.

    Raises:
        RuntimeError: with the notebooks to run first, where some are missing or outdated.
    """
    namespace = sys._getframe(1).f_globals if parameters is None else parameters
    own: dict[str, Any] = {
        k: v for k, v in namespace.items() if k.isupper() and isinstance(v, PLAIN)
    }
    data_dir, limit = own.get("DATA_DIR") or "", own.get("LIMIT")
    folder = find_output_dir(own.get("OUTPUT_DIR") or "")
    records = list_upstream(folder, upstream)
    sound = {name: record for name, record in records.items() if record}
    if sound and not data_dir:
        data = collection_of(folder, next(iter(sound.values())))
    else:
        data = find_data_dir(data_dir, limit)
    if paint and not upstream and data == sample_dir(limit):
        paint(data, limit or SAMPLE_IMAGES)
    state = current_data(folder, records, data, parts)
    if reason := stale_reason(folder, notebook, records, state):
        raise RuntimeError(reason)
    (folder / notebook / RECORD).unlink(missing_ok=True)  # until it has run to its end again
    code_digest(*_imported_modules(namespace))  # reads the code that runs, before it is edited
    return Run(notebook, data, folder, own, sound, {part: state[part] for part in parts}, namespace)


def read_run(output_dir: Path | str = "") -> Run:
    """Open a run to look at: its tables, targets, probabilities, predictions, scores, heads.

    Nothing in the run changes. What has been outdated by a later change is left out. Labels of the
    MLP at another threshold are `read_run("outputs").probs("mlp")["test"] > 0.3`.

    Raises:
        FileNotFoundError: if no notebook has run to its end there.
    """
    folder = find_output_dir(str(output_dir))
    sound: dict[str, Provenance] = {}
    for name, record in list_finished(folder).items():
        if not [*changed_upstream(record, dict.fromkeys(record["upstream"]) | sound)]:
            sound[name] = record
    if not sound:
        raise FileNotFoundError(f"{folder}: no notebook has run to its end here")
    return Run("", collection_of(folder, next(iter(sound.values()))), folder, {}, sound, {}, {})


def _imported_modules(namespace: Mapping[str, Any]) -> set[str]:
    """List the modules of these packages that define what a namespace has imported."""
    names = [
        value.__name__ if isinstance(value, ModuleType) else getattr(value, "__module__", "")
        for value in namespace.values()
    ]
    return {name for name in names if isinstance(name, str) and is_ours(name)}


def list_predictions(
    part: Tables, probs: np.ndarray, preds: np.ndarray, least: float = 0.01
) -> pd.DataFrame:
    """List the pairs of image and label that are true, predicted, or at least so probable.

    Args:
        part: the split's images, N.
        probs: probabilities (N, C).
        preds: predicted labels, bool (N, C).
        least: with 0 all pairs are listed.

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
    pairs = {"true": targets, "predicted": preds, "probability": probs}
    values = {name: values[rows, classes] for name, values in pairs.items()}
    return pd.concat([images, labels], axis=1).assign(**values)


def find_data_dir(data_dir: str = "", limit: int | None = None) -> Path:
    """Return the collection: as given, or Kaggle's, or the sample's folder."""
    if data_dir:
        return Path(data_dir).expanduser().resolve()
    return next(filter(Path.is_dir, KAGGLE_INPUTS), sample_dir(limit))


def home_dir() -> Path:
    """Return the folder that `notebooks`, `data` and `outputs` are in by default.

    The package's repository, the current folder or the one above it, whichever has the notebooks
    first; the current one if none has, as where the package is installed.
    """
    here = Path.cwd()
    candidates = (PROJECT_DIR, here, here.parent)
    return next((folder for folder in candidates if (folder / PROFILES).is_dir()), here)


def sample_dir(limit: int | None = None) -> Path:
    """Return the folder of the rendered sample collection, one for each number of images."""
    return home_dir() / "data" / ("sample" if limit is None else f"sample_{limit}")


def find_output_dir(output_dir: str = "") -> Path:
    """Return the folder of results: as given, or `outputs` on Kaggle or in `home_dir`."""
    if output_dir:
        return Path(output_dir).expanduser().resolve()
    return (KAGGLE_WORKING if KAGGLE_WORKING.is_dir() else home_dir()) / "outputs"
