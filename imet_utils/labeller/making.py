"""A labeller of what a run has trained."""

from collections.abc import Mapping

import numpy as np

from imet_utils.decoding import (
    CANDIDATES,
    Decision,
    ImageVectors,
    build_neighbour_index,
    fit_strength,
    precision_thresholds,
)
from imet_utils.labeller.ensemble import Ensemble
from imet_utils.labeller.labeller import Labeller
from imet_utils.models import EndToEnd
from imet_utils.runs import Run
from imet_utils.tables import take_split
from imet_utils.training import NEIGHBOURS, choose_size, load_head, open_inputs

PRECISIONS = [percent / 100 for percent in range(5, 100)]  # that a reviewer may wish for


def make_labeller(
    run: Run, shares: Mapping[str, float], decision: Decision, val_probs: np.ndarray
) -> Labeller:
    """Make a labeller of what a run has trained.

    Args:
        run: whose notebooks have run, up to the evaluation.
        shares: of heads, by their names in `RECIPES`, and of `neighbours`, in an image's
            probabilities; of sum 1.
        decision: how labels are read off these.
        val_probs: what they are on validation, (N, C).
    """
    encoder = run.setting("ENCODER")
    inputs = open_inputs(run.tables, run.output_dir, encoder, ("maps", "pooled", "style", "hog"))
    made_by, hog_made_by = inputs.made_by
    val_targets = run.targets["val"]
    thresholds = precision_thresholds(val_probs, val_targets, PRECISIONS)
    settings = {key: made_by[key] for key in ("encoder", "weights", "mean", "std")}
    settings |= {key: made_by["views"][key] for key in ("seed", "size", "num_views")}
    settings |= {"hog": hog_made_by["hog"], "dims": inputs.dims, "shares": dict(shares)}
    train = take_split(run.tables, "train")
    settings |= {"num_images": len(train.images), "thresholds": thresholds, "unfrozen_stages": {}}
    states = {}
    for name in [name for name in shares if name != NEIGHBOURS]:
        head = load_head(run, name).model
        settings["unfrozen_stages"][name] = len(head.unfrozen) if isinstance(head, EndToEnd) else 0
        if isinstance(head, EndToEnd) and not head.unfrozen:  # as the maps were not stored
            head = head.head
        states |= {f"{name}.{key}": values for key, values in head.state_dict().items()}
    ensemble = Ensemble(settings, run.tables.num_classes).to(run.device).eval()
    ensemble.heads.load_state_dict(states)
    temperature = choose_size(len(train.images)).temperature
    neighbours = build_neighbour_index(
        ImageVectors(inputs.arrays["train"]), train.targets, temperature
    )
    nearest = neighbours.nearest(ImageVectors(inputs.arrays["val"]), CANDIDATES)
    settings["strength"] = fit_strength(val_probs, nearest, val_targets)
    labels = run.tables.labels[["attribute_id", "attribute_name"]].reset_index(drop=True)
    known = train.images[["id", "labels"]].reset_index(drop=True)
    return Labeller(settings, labels, decision, ensemble, neighbours, known)
