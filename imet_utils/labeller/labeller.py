"""Label new images with what a run has trained, kept in a small folder of its own."""

import shutil
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from difflib import get_close_matches
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from PIL import Image
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import nn

from imet_utils.decoding import (
    CANDIDATES,
    Decision,
    ImageVectors,
    NeighbourIndex,
    best_expected_sets,
    fit_strength,
    precision_thresholds,
    revise_probs,
)
from imet_utils.features import views_at_once
from imet_utils.files import atomic_folder, load_json, save_json
from imet_utils.labeller.ensemble import Ensemble, Settings
from imet_utils.models import EndToEnd
from imet_utils.processes import num_cores
from imet_utils.progress import progress
from imet_utils.provenance import changed_upstream, find_product, list_upstream
from imet_utils.runs import Run
from imet_utils.tables import SPLITS, file_key, name_files, take_split
from imet_utils.training import (
    NEIGHBOURS,
    TrainedHead,
    index_images,
    load_head,
    open_inputs,
    refit_head,
)
from imet_utils.views import ViewDataset, compute_views

FOLDER = "labeller"  # in the output folder of a run
SETTINGS, TENSORS = "labeller.json", "tensors.safetensors"  # its files
MEMBER = "member_"  # folders in it, of further labellers that are averaged in
FORMAT = 7  # of the folder
REMAKE = "Run the notebook again that makes it"
SPACE = ("centre", "axes", "embeddings")  # arrays of `NeighbourIndex`

Picture = Path | str | Image.Image


@dataclass(frozen=True, eq=False)
class Explanation:
    """What a labeller predicts for one image, and why."""

    probs: np.ndarray  # (C,) float32
    chosen: np.ndarray  # (C,) bool, the labels that the decision takes
    attention: np.ndarray | None  # (C, h, w), of sum 1 for each label; None without an RNN
    neighbours: pd.DataFrame  # training images: id, labels (class indices), similarity (cosine)


@dataclass(frozen=True, eq=False)
class Labeller:
    """Labels new images."""

    settings: Settings
    labels: pd.DataFrame  # columns attribute_id, attribute_name; row k is class k
    decision: Decision
    ensemble: Ensemble
    index: NeighbourIndex  # of the images that it learned from
    train_images: pd.DataFrame  # these, columns id, labels (class indices)
    others: tuple["Labeller", ...] = ()  # of the same labels, whose probabilities are averaged in
    shares: tuple[float, ...] = ()  # of itself and of these in the mean; empty for equal ones

    @property
    def names(self) -> np.ndarray:
        """The names of the labels, text (C,)."""
        return self.labels["attribute_name"].to_numpy()

    def with_precision(self, target: float) -> "Labeller":
        """Return the same labeller with the threshold that reached a precision on validation."""
        reached = self.settings.thresholds
        enough = [precision for precision in reached if precision >= target]
        if not 0 < target < 1 or not enough:
            limit = max(reached, default=0)
            raise ValueError(f"the target precision must be from 0 to {limit} here, got {target}")
        return replace(self, decision=Decision(threshold=reached[min(enough)]))

    def label(
        self, images: Sequence[Picture], top: int = 0, known: Sequence[Collection[str]] = ()
    ) -> pd.DataFrame:
        """Label images: paths of files, named by `name_files`, or Pillow's images, named by number.

        `top` lists at least so many labels of each image, chosen or not; `known` are the names of
        labels that each image has, which revise the others (`revise_probs`). A ValueError for a
        file that cannot be read, or a label that does not exist.

        Returns:
            Columns image, attribute_id, attribute_name, probability, chosen, best first.
        """
        if known and len(known) != len(images):
            raise ValueError(f"known has labels of {len(known)} images, got {len(images)} images")
        classes = [self.find_classes(names) for names in known]
        found = self.explain_all(images, 0, classes)
        named = zip(_name_images(images), found, strict=True)
        tables = [self.tabulate(name, each, top) for name, each in named]
        none = self.labels.iloc[:0].assign(probability=0.0, chosen=False)
        none.insert(0, "image", "")
        return pd.concat(tables, ignore_index=True) if tables else none

    def tabulate(self, image: str, explanation: Explanation, top: int = 0) -> pd.DataFrame:
        """List the labels of one image as `label` does."""
        listed = self.labels.assign(probability=explanation.probs, chosen=explanation.chosen)
        listed.insert(0, "image", image)
        return listed.iloc[rank_labels(explanation, top)].reset_index(drop=True)

    def submit(self, ids: Sequence[str], paths: Sequence[Path | None]) -> pd.DataFrame:
        """Label images in the competition's format: columns id and attribute_ids.

        An image without a file gets the best label set by the labels' frequencies in training.
        """
        guess = best_expected_sets(self.index.targets.mean(axis=0, keepdims=True))[0]  # (C,)
        files = [path for path in paths if path]
        explained = self.explain_all(files, 0)
        found = iter(progress(explained, "labelling images", len(files), "image"))
        texts = [self.join_ids(next(found).chosen if path else guess) for path in paths]
        return pd.DataFrame({"id": list(ids), "attribute_ids": texts})

    def join_ids(self, chosen: np.ndarray) -> str:
        """Write a label set, bool (C,), as a table's `attribute_ids`."""
        return " ".join(map(str, self.labels["attribute_id"][chosen]))

    def find_classes(self, names: Collection[str]) -> list[int]:
        """Return the class indices of labels; raise a ValueError for a name that none has."""
        existing, names = set(self.names), [file_key(name) for name in names]
        if unknown := [name for name in names if name not in existing]:
            similar = get_close_matches(unknown[0], existing)
            hint = f"; similar names are {', '.join(similar)}" if similar else ""
            raise ValueError(f"there is no label {unknown[0]!r}{hint}")
        return np.flatnonzero(np.isin(self.names, names)).tolist()

    def explain(
        self, image: Picture, num_neighbours: int = 5, known: Collection[str] = ()
    ) -> Explanation:
        """Label and explain one image; `known` are names of labels that it has."""
        classes = [self.find_classes(known)] if known else []
        return next(self.explain_all([image], num_neighbours, classes))

    def explain_all(
        self,
        images: Sequence[Picture],
        num_neighbours: int = 5,
        known: Sequence[Collection[int]] = (),
    ) -> Iterator[Explanation]:
        """Label and explain images, yielding each when its batch is computed.

        The probabilities are the mean over `others`, too. Attention and neighbours, 200 at the
        most, are its own; there is neither where `num_neighbours` is 0. `known` are class indices
        of labels that each image has, or empty.
        """
        own = self._explain_own(images, num_neighbours, known)
        others = [other.explain_all(images, 0, known) for other in self.others]
        for found, *rest in zip(own, *others, strict=True):
            if rest:
                both = [found.probs, *(each.probs for each in rest)]
                probs = np.average(both, axis=0, weights=self.shares or None).astype(np.float32)
                found = replace(found, probs=probs, chosen=self.decision(probs[np.newaxis])[0])
            yield found

    def _explain_own(
        self, images: Sequence[Picture], num_neighbours: int, known: Sequence[Collection[int]]
    ) -> Iterator[Explanation]:
        """Explain images by this labeller alone."""
        dataset, device = self._views(images), self.ensemble.device
        step = max(1, views_at_once(device) // dataset.num_views)
        numbers = np.arange(0, len(images), step)[:, np.newaxis] + np.arange(step)
        # The last part is filled up: an encoder's rounding depends on the size of a batch.
        parts = numbers.clip(max=len(images) - 1).tolist()
        compute = partial(self.ensemble, attend=num_neighbours > 0)
        batches = compute_views(dataset, parts, compute, num_cores(), device)
        for part, batch in zip(parts, batches, strict=True):
            views = {name: values.unflatten(0, (step, -1)) for name, values in batch.items()}
            probs = views["probs"].mean(dim=1).cpu().numpy()  # (B, C)
            vectors = ImageVectors({k: views[k].cpu().numpy() for k in ("pooled", "style")})
            nearest = self.index.nearest(vectors, CANDIDATES)
            if weight := self.settings.weights.get(NEIGHBOURS):
                probs = probs + np.float32(weight) * nearest.vote()
            if known:
                is_known = np.zeros(probs.shape, dtype=np.int8)
                for row, number in enumerate(part):
                    is_known[row, list(known[number])] = 1
                probs = revise_probs(probs, nearest, is_known, self.settings.strength)
            chosen = self.decision(probs)
            attention = views["attention"][:, 0].cpu().numpy() if "attention" in views else None
            for row in range(min(step, len(images) - part[0])):
                rows = self.train_images.iloc[nearest.indices[row, :num_neighbours]]
                rows = rows.assign(similarity=nearest.cosines[row, :num_neighbours])
                attended = None if attention is None else attention[row]
                yield Explanation(probs[row], chosen[row], attended, rows.reset_index(drop=True))

    def path(self, image: Picture, max_steps: int = 10) -> pd.Series:
        """Search the RNN's best path on the whole image: each step's probability, by its label."""
        if not self.ensemble.attending:
            return pd.Series(dtype=float)
        whole = self._views([image])[0][:1].to(self.ensemble.device)
        best = self.ensemble.search(whole, max_steps)
        return pd.Series(best.step_probs[0, 0].numpy(), self.names[best.labels[0, 0].numpy()])

    def _views(self, images: Sequence[Picture]) -> ViewDataset:
        ids = [Path(name).stem for name in _name_images(images)]
        seed, size, num_views = self.settings.seed, self.settings.size, self.settings.num_views
        return ViewDataset(images, ids, np.zeros(len(ids)), False, seed, size, num_views)

    def save(self, folder: Path | str) -> None:
        """Write everything to a folder; a ValueError if it holds anything but a labeller."""
        folder = Path(folder)
        check_replaceable(folder)
        tensors = {name: torch.from_numpy(getattr(self.index, name)) for name in SPACE}
        tensors["targets"] = torch.from_numpy(np.packbits(self.index.targets, axis=1))
        tensors |= {key: values.cpu() for key, values in self.ensemble.heads.state_dict().items()}
        weights = Path(self.settings.encoder_weights)
        saved = {
            "format": FORMAT,
            "settings": asdict(self.settings),
            "decision": asdict(self.decision),
            "temperature": self.index.temperature,
            "labels": self.labels.to_dict("list"),
            "train_ids": self.train_images["id"].tolist(),
            "shares": self.shares,
            "weights_file": f"encoder{weights.suffix}" if weights.is_file() else "",
        }
        with atomic_folder(folder) as whole:
            if saved["weights_file"]:
                shutil.copyfile(weights, whole / saved["weights_file"])
            content = save({key: values.contiguous() for key, values in tensors.items()})
            (whole / TENSORS).write_bytes(content)  # save_file would let only the owner read it
            save_json(saved, whole / SETTINGS)
            for number, other in enumerate(self.others, 2):
                other.save(whole / f"{MEMBER}{number}")

    @staticmethod
    def load(folder: Path | str) -> "Labeller":
        """Load the labeller of a folder, or of a run's output folder, onto a GPU if there is one.

        Raises:
            FileNotFoundError: if there is none.
            ValueError: if the run has changed since, or the folder is damaged or of another format.
        """
        folder = find_labeller(Path(folder))
        saved = load_json(folder / SETTINGS)
        if saved.get("format") != FORMAT:
            raise ValueError(f"{folder} has format {saved.get('format')}, not {FORMAT}. {REMAKE}")
        own = saved["settings"]
        own["thresholds"] = {float(precision): cut for precision, cut in own["thresholds"].items()}
        if saved["weights_file"]:
            own["encoder_weights"] = str(folder / saved["weights_file"])
        settings, labels = Settings(**own), pd.DataFrame(saved["labels"])
        ensemble = Ensemble(settings, len(labels))
        try:
            tensors = load_file(folder / TENSORS)
            space = {name: tensors.pop(name).numpy() for name in SPACE}
            packed = tensors.pop("targets").numpy()
            targets = np.unpackbits(packed, axis=1, count=len(labels)).astype(bool)
            ensemble.heads.load_state_dict(tensors)
        except (OSError, SafetensorError, KeyError, RuntimeError, ValueError) as error:
            reason = str(error).splitlines()[0]
            raise ValueError(f"{folder} is damaged ({reason}). {REMAKE}") from error
        index = NeighbourIndex(**space, targets=targets, temperature=saved["temperature"])
        rows = [tuple(np.flatnonzero(row)) for row in targets]
        train_images = pd.DataFrame({"id": saved["train_ids"], "labels": rows})
        device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        decision, ensemble = Decision(**saved["decision"]), ensemble.to(device).eval()
        members = sorted(folder.glob(f"{MEMBER}*"), key=lambda path: (len(path.name), path.name))
        others, shares = tuple(map(Labeller.load, members)), tuple(saved.get("shares", ()))
        return Labeller(settings, labels, decision, ensemble, index, train_images, others, shares)


def make_labeller(
    run: Run, weights: Mapping[str, float], decision: Decision, val_probs: np.ndarray
) -> Labeller:
    """Make a labeller of what a run, that of the evaluation, has trained on its training images.

    `weights`, of sum 1, are those of heads, by their names in `RECIPES`, and of `neighbours`;
    `val_probs` (N, C) is the mean by these on validation.
    """
    needed = ("maps", "pooled", "style", "hog")
    inputs = open_inputs(run.tables, run.output_dir, run.setting("ENCODER"), needed)
    made_by, hog_made_by = inputs.made_by
    index = index_images(run.tables, inputs.arrays, ("train",))
    nearest = index.nearest(ImageVectors(inputs.arrays["val"]), CANDIDATES)
    heads = {name: load_head(run, name) for name in weights if name != NEIGHBOURS}
    settings = Settings(
        encoder=made_by["encoder"],
        encoder_weights=made_by["weights"],
        mean=made_by["mean"],
        std=made_by["std"],
        seed=made_by["views"]["seed"],
        size=made_by["views"]["size"],
        num_views=made_by["views"]["num_views"],
        hog=hog_made_by["hog"],
        dims=inputs.dims,
        num_images=len(index.targets),
        weights=dict(weights),
        layers={name: head.recipe.settings.get("layers", {}) for name, head in heads.items()},
        unfrozen_stages={k: len(getattr(head.model, "unfrozen", ())) for k, head in heads.items()},
        thresholds=precision_thresholds(val_probs, run.targets["val"]),
        strength=fit_strength(val_probs, nearest, run.targets["val"]),
        has_ids=run.tables.has_ids,
        own_code={name: head.recipe.settings["own_code"] for name, head in heads.items()},
    )
    return _assemble(run, settings, decision, heads, index, ("train",))


def refit_labeller(run: Run, labeller: Labeller) -> Labeller:
    """Train the heads of a labeller anew on all labelled images, which also become its neighbours.

    What was chosen on validation stays: weights, decision, thresholds, strength. No image is left
    to test the new one on.
    """
    heads = {name: refit_head(run, name) for name in labeller.settings.layers}
    inputs = open_inputs(run.tables, run.output_dir, run.setting("ENCODER"), ("pooled", "style"))
    index = index_images(run.tables, inputs.arrays)
    settings = replace(labeller.settings, num_images=len(index.targets))
    return _assemble(run, settings, labeller.decision, heads, index, SPLITS)


def _assemble(
    run: Run,
    settings: Settings,
    decision: Decision,
    heads: Mapping[str, TrainedHead],
    index: NeighbourIndex,
    splits: Sequence[str],
) -> Labeller:
    """Put heads and index, which learned from some splits, together on one encoder."""
    models = {name: head.model for name, head in heads.items()}
    for name, model in models.items():
        if isinstance(model, EndToEnd) and not model.unfrozen:  # since the maps were not stored
            models[name] = model.head
    ensemble = Ensemble(settings, run.tables.num_classes).to(run.device).eval()
    ensemble.heads.load_state_dict(nn.ModuleDict(models).state_dict())
    labels = run.tables.labels[["attribute_id", "attribute_name"]]
    images = [take_split(run.tables, split).images[["id", "labels"]] for split in splits]
    images = pd.concat(images, ignore_index=True)
    return Labeller(settings, labels, decision, ensemble, index, images)


def rank_labels(explanation: Explanation, top: int) -> np.ndarray:
    """Return the class indices of the chosen labels and the `top` best, most probable first."""
    order = np.argsort(-explanation.probs, kind="stable")
    return order[explanation.chosen[order] | (np.arange(len(order)) < top)]


def _name_images(images: Sequence[Picture]) -> list[str]:
    named = [str(k) if isinstance(each, Image.Image) else each for k, each in enumerate(images)]
    return name_files([Path(name) for name in named])


def check_replaceable(folder: Path) -> None:
    """Raise a ValueError if a folder holds anything but a labeller."""
    if folder.exists() and any(folder.iterdir()) and not (folder / SETTINGS).is_file():
        raise ValueError(f"{folder} holds other files. Name an empty or a new folder")


def find_labeller(folder: Path) -> Path:
    """Find the files of a labeller: in this folder, or in a run's output folder.

    A FileNotFoundError if there are none, a ValueError if the run has changed since.
    """
    if (folder / SETTINGS).is_file():
        return folder
    path, record = find_product(folder, f"{FOLDER}/{SETTINGS}")
    for name in changed_upstream(record, list_upstream(folder, list(record["upstream"]))):
        raise ValueError(f"{path.parent}: {name} has run since it was made. {REMAKE}")
    return path.parent
