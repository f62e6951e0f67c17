"""One object that labels new images by what a run has learned.

It holds heads, labels, statistics, the decision and the vectors of the training images, and is kept
in a small folder of its own.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import asdict, dataclass
from difflib import get_close_matches
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from PIL import Image

from imet_utils.decoding import (
    CANDIDATES,
    Decision,
    ImageVectors,
    NeighbourIndex,
    Neighbours,
    best_expected_sets,
    revise_probs,
)
from imet_utils.features import views_at_once
from imet_utils.labeller.ensemble import Ensemble
from imet_utils.labeller.files import damaged, find_labeller, read_files, write_files
from imet_utils.processes import num_cores
from imet_utils.progress import progress
from imet_utils.training import NEIGHBOURS
from imet_utils.views import ViewDataset, compute_views

SPACE = ("centre", "axes", "embeddings")  # arrays of `NeighbourIndex`

Picture = Path | str | Image.Image


@dataclass(frozen=True, eq=False)
class Look:
    """One image as a labeller sees it.

    Attributes:
        probs: (C,) float32.
        chosen: (C,) bool, the labels that the decision takes.
        attention: (C, h, w) float32, where the whole image speaks for each label, each of sum 1;
            None where no head attends.
        nearest: columns id, labels (class indices), similarity (a cosine): training images.
    """

    probs: np.ndarray
    chosen: np.ndarray
    attention: np.ndarray | None
    nearest: pd.DataFrame


@dataclass(frozen=True, eq=False)
class Labeller:
    """Labels new images.

    Attributes:
        settings: what JSON can hold: that of the `Ensemble`; `seed` and `num_views` of the views;
            the share of the neighbours among `shares`; `thresholds` by the precision that they had
            on validation; `strength`, see `revise_probs`.
        labels: columns attribute_id, attribute_name; row k is class k.
        decision: how labels are read off probabilities.
        ensemble: the heads.
        neighbours: the training images.
        known: columns id and labels (class indices) of these.
    """

    settings: dict[str, Any]
    labels: pd.DataFrame
    decision: Decision
    ensemble: Ensemble
    neighbours: NeighbourIndex
    known: pd.DataFrame

    @property
    def names(self) -> np.ndarray:
        """The names of the labels, text (C,)."""
        return self.labels["attribute_name"].to_numpy()

    def wish(self, precision: float) -> Decision:
        """Return the decision that had this precision on validation, for those who review.

        Raises:
            ValueError: if none had, with the highest that there is.
        """
        reached = {float(wished): cut for wished, cut in self.settings["thresholds"].items()}
        enough = [wished for wished in sorted(reached) if wished >= precision]
        if not 0 < precision < 1 or not enough:
            highest = f"at most {max(reached)}" if reached else "and none was reached"
            raise ValueError(f"a precision is above 0, here {highest}; got {precision}")
        return Decision(threshold=reached[enough[0]])

    def label(
        self,
        images: Sequence[Picture],
        top: int = 0,
        decision: Decision | None = None,
        named: Sequence[Collection[str]] | None = None,
    ) -> pd.DataFrame:
        """Label images.

        Args:
            images: paths of files, or images of Pillow; those have no name but their number.
            top: how many labels of each image to list at least, chosen or not.
            decision: that chooses; None for the run's own.
            named: names of labels that each image is known to have, from which its others follow
                the better (`revise_probs`).

        Returns:
            Columns image, attribute_id, attribute_name, probability, chosen; the images in their
            order, the most probable label first.

        Raises:
            ValueError: naming the file, if one cannot be read, or the name that no label has; if
                labels of another number of images are named.
        """
        decide, rows = decision or self.decision, []
        if named is not None and len(named) != len(images):
            raise ValueError(f"labels are named of {len(named)} images, and {len(images)} given")
        classes = None if named is None else [self.find_classes(names) for names in named]
        found = self.probs(images, named=classes)
        for number, (image, probs) in enumerate(zip(images, found, strict=True)):
            chosen = decide(probs[np.newaxis])[0]  # (C,)
            rows.append(self.tabulate(name_of(image, number), probs, chosen, top))
        return pd.concat(rows, ignore_index=True)

    def tabulate(
        self, image: str, probs: np.ndarray, chosen: np.ndarray, top: int = 0
    ) -> pd.DataFrame:
        """List the labels of one image, see `label`, by its probabilities and bool, (C,) both."""
        order = rank_labels(probs, chosen, top)
        listed = self.labels.iloc[order].reset_index(drop=True)
        listed.insert(0, "image", image)
        return listed.assign(probability=probs[order], chosen=chosen[order])

    def submit(self, ids: Sequence[str], paths: Sequence[Path | None]) -> pd.DataFrame:
        """Label images in the competition's format: columns id and attribute_ids.

        Args:
            ids: of the images.
            paths: of their files; an image without one gets the labels that are the best guess
                for any image, by their frequencies in training.
        """
        guess = best_expected_sets(self.neighbours.targets.mean(axis=0, keepdims=True))[0]  # (C,)
        rows = [guess] * len(paths)
        usable = [row for row, path in enumerate(paths) if path]
        found = self.probs([paths[row] for row in usable], "labelling images")
        for row, probs in zip(usable, found, strict=True):
            rows[row] = self.decision(probs[np.newaxis])[0]
        return pd.DataFrame(
            {"id": list(ids), "attribute_ids": [self.join_ids(row) for row in rows]}
        )

    def join_ids(self, row: np.ndarray) -> str:
        """Write a label set, bool (C,), as a table's `attribute_ids`."""
        return " ".join(map(str, self.labels["attribute_id"][row]))

    def find_classes(self, names: Collection[str]) -> list[int]:
        """Find the class indices of labels by their names.

        Raises:
            ValueError: for a name that no label has.
        """
        known = set(self.names)
        if unknown := [name for name in names if name not in known]:
            near = get_close_matches(unknown[0], known)
            hint = f"; near names are {', '.join(near)}" if near else ""
            raise ValueError(f"no label is called {unknown[0]!r}{hint}")
        return np.flatnonzero(np.isin(self.names, list(names))).tolist()

    def probs(
        self,
        images: Sequence[Picture],
        description: str = "",
        named: Sequence[Collection[int]] | None = None,
    ) -> Iterator[np.ndarray]:
        """Yield the probabilities (C,) float32 of each image, as they are computed.

        Those of an image do not depend on what else is labelled: an encoder rounds by the size of
        its batch, and so a last one that is not full is filled up.

        Args:
            images: as for `label`.
            description: shown with the progress; empty for none.
            named: class indices of the labels that each image is known to have; None for none.
        """
        for count, probs, _, _ in self._batches(images, description, False, named):
            yield from probs[:count]

    def looks(
        self,
        images: Sequence[Picture],
        num_nearest: int = 5,
        description: str = "",
        named: Sequence[Collection[int]] | None = None,
    ) -> Iterator[Look]:
        """Look closely at each image, as they are computed.

        Args:
            images: as for `label`.
            num_nearest: training images to name, 200 at the most.
            description: shown with the progress; empty for none.
            named: as for `probs`.
        """
        found = self._batches(images, description, True, named)
        for count, probs, near, attention in found:
            chosen = self.decision(probs)
            for row in range(count):
                nearest = self.known.iloc[near.indices[row, :num_nearest]].reset_index(drop=True)
                nearest = nearest.assign(similarity=near.cosines[row, :num_nearest])
                seen = None if attention is None else attention[row]
                yield Look(probs[row], chosen[row], seen, nearest)

    def look(self, image: Picture, num_nearest: int = 5, named: Collection[str] = ()) -> Look:
        """Look closely at one image, see `looks`; `named` are labels that it is known to have."""
        classes = [self.find_classes(named)] if named else None
        return next(self.looks([image], num_nearest, named=classes))

    def path(self, image: Picture, max_steps: int = 10) -> pd.DataFrame:
        """Search what the RNN names one after the other on the whole image.

        Returns:
            Columns label (class index) and probability, of its step; no rows without an RNN.
        """
        if not self.ensemble.attending:
            return pd.DataFrame({"label": [], "probability": []})
        whole = self._views([image])[0][:1].to(self.ensemble.device)
        best = self.ensemble.search(whole, max_steps)
        steps = {"label": best.labels[0, 0], "probability": best.step_probs[0, 0]}
        return pd.DataFrame({name: values.numpy() for name, values in steps.items()})

    def _batches(
        self,
        images: Sequence[Picture],
        description: str,
        attend: bool,
        named: Sequence[Collection[int]] | None,
    ) -> Iterator[tuple[int, np.ndarray, Neighbours, np.ndarray | None]]:
        """Yield how many images a batch has, and what is found of each.

        These are the probabilities (B, C), the nearest labelled images, and the attention of view
        0. What follows after so many images is what the batch was filled up with.
        """
        dataset, device = self._views(images), self.ensemble.device
        step = max(1, views_at_once(device) // dataset.num_views)
        last = len(images) - 1
        parts = [
            [min(k, last) for k in range(start, start + step)]
            for start in range(0, len(images), step)
        ]
        compute = partial(self.ensemble, attend=attend)
        found = compute_views(dataset, parts, compute, num_cores(), device)
        shown = progress(found, description, len(parts), "batch") if description else found
        for part, batch in zip(parts, shown, strict=True):
            views = {name: values.unflatten(0, (step, -1)) for name, values in batch.items()}
            probs = views["probs"].mean(dim=1).cpu().numpy()  # (B, C)
            vectors = ImageVectors({k: views[k].cpu().numpy() for k in ("pooled", "style")})
            nearest = self.neighbours.nearest(vectors, CANDIDATES)
            if share := self.settings["shares"].get(NEIGHBOURS):
                probs = probs + np.float32(share) * nearest.vote()
            if named is not None:
                stated = np.zeros(probs.shape, dtype=np.int8)
                for row, k in enumerate(part):
                    stated[row, list(named[k])] = 1
                probs = revise_probs(probs, nearest, stated, self.settings["strength"])
            attention = views["attention"][:, 0].cpu().numpy() if "attention" in views else None
            yield min(step, len(images) - part[0]), probs, nearest, attention

    def save(self, folder: Path | str) -> None:
        """Write everything to a folder, in place of the labeller that may be there.

        Raises:
            ValueError: if the folder holds something else.
        """
        arrays = {name: getattr(self.neighbours, name) for name in SPACE}
        arrays["targets"] = np.packbits(self.neighbours.targets, axis=1)
        state = self.ensemble.heads.state_dict()
        arrays |= {f"heads.{key}": values.cpu().numpy() for key, values in state.items()}
        arrays = {key: np.ascontiguousarray(array) for key, array in arrays.items()}
        settings = self.settings | {"decision": asdict(self.decision)}
        settings |= {"temperature": self.neighbours.temperature}
        settings |= {"labels": self.labels.to_dict("list"), "known": self.known["id"].tolist()}
        write_files(Path(folder), settings, arrays)

    @staticmethod
    def load(folder: Path | str) -> "Labeller":
        """Load what `save` has written, onto a GPU where there is one.

        Args:
            folder: of the labeller, or of the results of a run.

        Raises:
            FileNotFoundError: if there is none.
            ValueError: if the run has gone on since, or the folder is damaged or of another
                version.
        """
        folder = find_labeller(Path(folder))
        settings, arrays = read_files(folder)
        labels = pd.DataFrame(settings.pop("labels"))
        known, decision = settings.pop("known"), Decision(**settings.pop("decision"))
        temperature = settings.pop("temperature")
        ensemble = Ensemble(settings, len(labels))
        if ensemble.encoder.dim != settings["dims"]["maps"]:
            raise ValueError(f"{folder} is of another encoder than {settings['encoder']}")
        try:
            state = {key: arrays[f"heads.{key}"] for key in ensemble.heads.state_dict()}
            ensemble.heads.load_state_dict({k: torch.from_numpy(v) for k, v in state.items()})
            targets = np.unpackbits(arrays["targets"], axis=1, count=len(labels)).astype(bool)
            neighbours = NeighbourIndex(*(arrays[name] for name in SPACE), targets, temperature)
        except (KeyError, RuntimeError, ValueError) as error:
            raise damaged(folder, error) from error
        rows = [tuple(np.flatnonzero(row)) for row in targets]
        device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        ensemble = ensemble.to(device).eval()
        frame = pd.DataFrame({"id": known, "labels": rows})
        return Labeller(settings, labels, decision, ensemble, neighbours, frame)

    def _views(self, images: Sequence[Picture]) -> ViewDataset:
        """Make the data set of the images' views, as those of the test part are made."""
        ids = [Path(name_of(image, number)).stem for number, image in enumerate(images)]
        views = {name: self.settings[name] for name in ("seed", "size", "num_views")}
        return ViewDataset(images, ids, np.zeros(len(ids)), train=False, **views)


def rank_labels(probs: np.ndarray, chosen: np.ndarray, top: int) -> np.ndarray:
    """Order the labels chosen, and the `top` best in any case, the most probable first.

    >>> rank_labels(np.array([0.1, 0.9, 0.5, 0.2]), np.array([True, False, False, False]), top=2)
    array([1, 2, 0])
    """
    order = np.argsort(-probs, kind="stable")
    return order[chosen[order] | (np.arange(len(order)) < top)]


def name_of(image: Picture, number: int) -> str:
    """Name an image: its file's name, or its number where it has none."""
    return str(number) if isinstance(image, Image.Image) else Path(image).name
