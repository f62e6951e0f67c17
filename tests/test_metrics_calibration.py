import numpy as np
import pandas as pd
import pytest
from sklearn.calibration import calibration_curve

from imet_utils.metrics import calibration_bins, calibration_table

ALL = {"all": np.ones(4, dtype=bool)}


def test_the_most_probable_labels_of_an_image_stand_apart():
    probs = np.array([[0.9, 0.5, 0.1, 0.0], [0.2, 0.3, 0.1, 0.1]])
    targets = np.array([[1, 0, 0, 0], [1, 1, 0, 1]], dtype=bool)
    bins = calibration_bins(probs, targets, ALL, first=2)
    assert bins["first"].tolist() == [True, False]
    assert bins["pairs"].tolist() == [4, 4]
    assert bins["expected"].tolist() == pytest.approx([1.9 / 4, 0.3 / 4])
    assert bins["observed"].tolist() == [3 / 4, 1 / 4]
    bins = calibration_bins(np.full((300, 4), 0.25), np.zeros((300, 4), bool), ALL, first=1)
    assert bins["pairs"].tolist() == [1200]  # the first are as probable as the others


def test_bins_are_those_of_scikit_learn():
    rng = np.random.default_rng(0)
    probs = (rng.random((400, 1)) ** 3).astype(np.float32)
    targets = rng.random(probs.shape) < probs
    bins = calibration_bins(probs, targets, {"all": np.array([True])})
    pairs = targets[:, 0], probs[:, 0]
    observed, expected = calibration_curve(*pairs, n_bins=10, strategy="quantile")
    assert bins["pairs"].tolist() == [40] * 10
    np.testing.assert_allclose(bins["observed"], observed)
    np.testing.assert_allclose(bins["expected"], expected, rtol=1e-6)
    middle, wide = (40 * observed + 1.96**2 / 2) / (40 + 1.96**2), 1.96 / (40 + 1.96**2)  # Wilson
    spread = wide * np.sqrt(40 * observed * (1 - observed) + 1.96**2 / 4)
    np.testing.assert_allclose(bins["low"], middle - spread, atol=1e-4)
    np.testing.assert_allclose(bins["high"], middle + spread, atol=1e-4)


def test_the_table_weighs_the_bins_of_a_group_by_their_pairs():
    rows = [["tag", True, 30, 0.2, 0.1], ["tag", True, 10, 0.6, 0.8], ["tag", False, 5, 0.1, 0.3]]
    bins = pd.DataFrame(rows, columns=["group", "first", "pairs", "expected", "observed"])
    first, others = calibration_table(bins).to_numpy().tolist()
    assert first == ["tag", True, 40, *map(pytest.approx, (0.3, 0.275, 0.125))]
    assert others == ["tag", False, 5, *map(pytest.approx, (0.1, 0.3, 0.2))]


@pytest.mark.parametrize("num_images", [1, 3, 30])
@pytest.mark.parametrize("share", [0.0, 1.0])
def test_an_empty_group_few_images_and_one_sided_targets_do_no_harm(num_images, share):
    groups = {"culture": np.ones(12, bool), "tag": np.zeros(12, bool)}
    probs = np.random.default_rng(0).random((num_images, 12))
    bins = calibration_bins(probs, np.full(probs.shape, bool(share)), groups)
    assert bins["group"].unique().tolist() == ["culture"]
    assert (bins["observed"] == share).all()
    assert bins["pairs"].sum() == probs.size
    assert np.isfinite(calibration_table(bins)["gap"]).all()
