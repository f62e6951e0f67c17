import numpy as np
import pytest
from scipy.stats import bootstrap

from imet_utils.intervals import bootstrap_difference, bootstrap_mean


def draw(num_images=400, seed=0):
    return np.random.default_rng(seed).beta(2, 2, num_images)


@pytest.mark.parametrize(("level", "width"), [(0.5, 0.674), (0.95, 1.960), (0.99, 2.576)])
def test_intervals_of_many_images_are_those_of_the_normal_law(level, width):
    values = draw()
    interval = bootstrap_mean(values, num_samples=20_000, level=level)
    error = values.std() / np.sqrt(len(values))
    assert interval.mean == values.mean()
    assert interval.low == pytest.approx(values.mean() - width * error, abs=0.06 * error)
    assert interval.high == pytest.approx(values.mean() + width * error, abs=0.06 * error)


def test_intervals_of_few_images_are_those_of_scipy():
    values = np.array([0.0, 0.0, 0.1, 0.9, 1.0])
    wanted = bootstrap(
        (values,), np.mean, n_resamples=20_000, method="percentile", rng=np.random.default_rng(1)
    ).confidence_interval
    interval = bootstrap_mean(values, num_samples=20_000)
    assert (interval.low, interval.high) == pytest.approx(tuple(wanted), abs=0.025)


def test_intervals_cover_the_truth_about_as_often_as_they_say():
    covered = 0
    for seed in range(300):
        interval = bootstrap_mean(draw(80, seed), num_samples=400, level=0.9, seed=seed)
        covered += interval.low <= 0.5 <= interval.high
    assert 0.85 < covered / 300 < 0.95


def test_a_difference_is_drawn_for_the_same_images():
    hard = draw()
    first, second = hard + 0.01, hard
    interval = bootstrap_difference(first, second)
    np.testing.assert_allclose([interval.low, interval.mean, interval.high], 0.01)
    apart = bootstrap_difference(first, second[::-1])
    assert apart.low < 0 < apart.high
    assert interval.mean == pytest.approx(apart.mean)


def test_a_difference_is_that_of_the_two_means_draw_by_draw():
    first, second = draw(7), draw(7, seed=1)
    rng = np.random.default_rng(3)
    drawn = rng.integers(7, size=(500, 7))
    differences = first[drawn].mean(axis=1) - second[drawn].mean(axis=1)
    interval = bootstrap_difference(first, second, num_samples=500, level=0.8, seed=3)
    wanted = np.quantile(differences, [0.1, 0.9])
    np.testing.assert_allclose([interval.low, interval.high], wanted)
    mirrored = bootstrap_difference(second, first, num_samples=500, level=0.8, seed=3)
    np.testing.assert_allclose([-mirrored.high, -mirrored.low], wanted)


def test_intervals_are_those_of_their_seed(monkeypatch):
    values = draw()
    assert bootstrap_mean(values, 500) == bootstrap_mean(values, 500)
    assert bootstrap_mean(values, 500) != bootstrap_mean(values, 500, seed=1)
    whole = bootstrap_mean(values, 500)
    monkeypatch.setattr("imet_utils.intervals.CHUNK_CELLS", 7 * 400)  # 71 chunks and a rest
    assert bootstrap_mean(values, 500) == whole


def test_arguments_are_checked():
    values = draw(5)
    for bad, message in (
        (values[:0], r"values must be finite \(N,\) and not empty, got shape \(0,\)"),
        (values[None], r"got shape \(1, 5\)"),
        (values * np.nan, "must be finite"),
    ):
        with pytest.raises(ValueError, match=message):
            bootstrap_mean(bad)
    for num_samples, level in ((0, 0.95), (10, 0.0), (10, 1.0), (10, np.nan)):
        with pytest.raises(ValueError, match=rf"got {num_samples} and {level}"):
            bootstrap_mean(values, num_samples, level)
    with pytest.raises(ValueError, match=r"of the same images, got \(5,\) and \(4,\)"):
        bootstrap_difference(values, values[:4])
    with pytest.raises(ValueError, match="second must be finite"):
        bootstrap_difference(values, values * np.inf)
