import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics as reference

from imet_utils import metrics

TARGETS = np.array([[1, 1, 0, 0], [0, 0, 1, 0], [0, 1, 0, 1]], dtype=bool)
PREDS = np.array([[1, 0, 0, 0], [1, 1, 1, 0], [0, 0, 0, 0]], dtype=bool)


def draw(num_images=60, num_classes=12, levels=20, seed=0, dtype=np.float32):
    """Probabilities with many ties, and targets that go with them."""
    rng = np.random.default_rng(seed)
    probs = rng.integers(0, levels, (num_images, num_classes)) / levels
    return probs.astype(dtype), rng.random(probs.shape) < probs**2


def reference_scores(preds, targets):
    how = {"average": "samples", "zero_division": 0}
    return {
        "f2": reference.fbeta_score(targets, preds, beta=2, **how),
        "f1": reference.fbeta_score(targets, preds, beta=1, **how),
        "precision": reference.precision_score(targets, preds, **how),
        "recall": reference.recall_score(targets, preds, **how),
    }


@given(st.integers(1, 8), st.integers(2, 6), st.integers(0, 10_000), st.floats(0, 1))
def test_sample_scores_equal_scikit_learn(num_images, num_classes, seed, share):
    rng = np.random.default_rng(seed)
    preds, targets = rng.random((2, num_images, num_classes)) < share
    assert metrics.sample_scores(preds, targets) == pytest.approx(reference_scores(preds, targets))


def test_groups_are_scored_over_the_images_that_they_concern():
    rows = {"first": [1, 1, 0, 0], "last": [0, 0, 0, 1], "none": [0] * 4, "all": [1] * 4}
    groups = {name: np.array(row, dtype=bool) for name, row in rows.items()}
    table = metrics.scores_by_group(PREDS, TARGETS, groups).set_index("group")
    counts = table[["classes", "images", "left_out"]].values.tolist()
    assert counts == [[2, 3, 0], [1, 1, 2], [0, 0, 3], [4, 3, 0]]
    assert table.loc["first", "f2"] == pytest.approx((5 / 9 + 0 + 0) / 3)
    assert table.loc["none", ["f2", "f1", "precision", "recall"]].isna().all()
    _, low, high = metrics.bootstrap_mean(metrics.f2_per_image(PREDS, TARGETS))
    wanted = metrics.sample_scores(PREDS, TARGETS) | {"f2_low": low, "f2_high": high}
    assert table.loc["all", [*wanted]].to_dict() == wanted


def test_frequency_bands_keep_classes_of_one_count_together():
    def band(*counts):
        bands = metrics.frequency_bands(np.array(counts))
        return {name: np.flatnonzero(mask).tolist() for name, mask in bands.items()}

    # Sorted: 1 1 4 5 | 9 20 40 100; the lower quartiles are 1, 5 and 20.
    assert band(40, 1, 5, 100, 4, 9, 20, 1) == {
        "1 image": [1, 7], "4-5 images": [2, 4], "9-20 images": [5, 6], "40-100 images": [0, 3],
    }  # fmt: skip
    assert band(2, 2, 7, 2, 2) == {"2 images": [0, 1, 3, 4], "7 images": [2]}  # two stay empty


@pytest.mark.parametrize("levels", [2, 5, 1000])
def test_curves_and_areas_equal_scikit_learn_with_ties(levels):
    probs, targets = draw(levels=levels, seed=levels)
    targets[:, 3], targets[:, 5] = False, True
    table = metrics.average_precision_per_class(probs, targets).set_index("class_index")
    assert metrics.mean_average_precision(probs, targets) == (table["average_precision"].mean(), 2)
    curves = metrics.roc_per_class(probs, targets)
    assert list(curves) == table.index.tolist() == [k for k in range(12) if k not in (3, 5)]
    for k, curve in curves.items():
        truth, scores = targets[:, k], probs[:, k]
        precision = reference.average_precision_score(truth, scores)
        assert table.loc[k].tolist() == [truth.sum(), pytest.approx(precision, abs=1e-12)]
        assert curve.area == pytest.approx(reference.roc_auc_score(truth, scores))
        np.testing.assert_array_equal(
            (curve.across, curve.up), reference.roc_curve(truth, scores)[:2]
        )


def test_averages_have_the_areas_of_scikit_learn_and_curves_to_match():
    probs, targets = draw(num_images=300, seed=4)
    band, averages = np.arange(12) < 5, ("micro", "macro")
    roc = metrics.roc_averages(probs, targets)
    precision = metrics.precision_recall_curves(probs, targets, {"band": band})
    wanted = {n: reference.average_precision_score(targets, probs, average=n) for n in averages}
    wanted["band"] = reference.average_precision_score(
        targets[:, band], probs[:, band], average="macro"
    )
    assert {name: curve.area for name, curve in precision.items()} == pytest.approx(wanted)
    wanted = {n: reference.roc_auc_score(targets, probs, average=n) for n in averages}
    assert {name: curve.area for name, curve in roc.items()} == pytest.approx(wanted)
    for curve in (*precision.values(), *roc.values()):
        assert np.trapezoid(curve.up, curve.across) == pytest.approx(curve.area, abs=2e-3)
    for across, up, _ in roc.values():
        assert (across[0], up[0], across[-1], up[-1]) == (0, 0, 1, 1)
        assert min(np.diff(across).min(), np.diff(up).min()) >= 0


def test_curves_of_nothing_true_or_all_true_are_left_out():
    probs, targets = draw()
    targets[:, :3] = False
    curves = metrics.precision_recall_curves(probs, targets, {"bare": np.arange(12) < 3})
    assert list(curves) == ["micro", "macro"]
    for one_sided in (targets & False, targets | True):
        assert metrics.precision_recall_curves(probs, one_sided, {"all": np.ones(12, bool)}) == {}
        assert metrics.roc_averages(probs, one_sided) == {}


def test_best_threshold_is_the_first_of_the_best_and_inclusive():
    probs = np.array([[0.30, 0.10], [0.10, 0.30]], dtype=np.float32)
    best = metrics.best_threshold(probs, np.eye(2, dtype=bool))
    assert best == 0.11  # at 0.10 itself both labels are still predicted
    curve = metrics.threshold_curve(probs, np.eye(2, dtype=bool))
    assert curve["threshold"].tolist() == [k / 100 for k in range(51)]
    assert curve["precision"].tolist() == pytest.approx([0.5] * 11 + [1.0] * 20 + [0.0] * 20)


def test_proportion_thresholds_are_the_best_of_their_form():
    probs, targets = draw(seed=2)
    proportions = np.linspace(0.01, 0.6, 12)
    scales, powers = [0.2, 0.5, 1.0], [0, 0.5, 1]
    found = metrics.proportion_thresholds(probs, targets, proportions, scales, powers)
    candidates = [(s * proportions**p).astype(np.float32) for p in powers for s in scales]
    f2 = [reference_scores(probs >= values, targets)["f2"] for values in candidates]
    np.testing.assert_array_equal(found, candidates[int(np.argmax(f2))])


@given(st.integers(1, 6), st.integers(0, 10_000))
def test_constant_guess_is_the_best_of_all_k(num_classes, seed):
    rng = np.random.default_rng(seed)
    train, val = rng.random((2, 9, num_classes)) < 0.4
    guess = metrics.constant_guess(train, val)
    order = np.argsort(-train.sum(axis=0), kind="stable")
    sets = [np.isin(np.arange(num_classes), order[: k + 1]) for k in range(num_classes)]
    f2 = [metrics.sample_scores(np.broadcast_to(some, val.shape), val)["f2"] for some in sets]
    np.testing.assert_array_equal(guess, sets[int(np.argmax(f2))])
