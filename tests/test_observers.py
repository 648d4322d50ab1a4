"""Tests of resampled observers and their ceilings against slow versions, closed forms and simulation."""

import numpy as np
import pytest

from benchmarks.observers import error_ceiling, experiments, groups, profile_ceiling, resampled_means
from benchmarks.profiles import correlate


def test_observers_who_share_conditions_are_of_one_experiment():
    seen = np.array([[1, 1, 0, 0, 0], [0, 0, 0, 1, 1], [0, 1, 1, 0, 0], [0, 0, 0, 0, 1]], bool)
    of_observer, of_condition = experiments(seen)
    assert of_observer[0] == of_observer[2] != of_observer[1] == of_observer[3]
    assert of_condition.tolist() == [of_observer[0]] * 3 + [of_observer[1]] * 2
    assert [group.tolist() for group in groups(of_observer)] == [[0, 2], [1, 3]]


@pytest.mark.parametrize("seen", [[[1, 0], [0, 0]], [[1, 0], [1, 0]]])
def test_an_observer_or_condition_without_the_other_is_refused(seen):
    with pytest.raises(ValueError, match="expected some condition for each observer"):
        experiments(np.array(seen, bool))


def test_resampled_means_are_of_whole_experiments_and_centred_on_the_mean():
    rng = np.random.default_rng(0)
    values = rng.standard_normal((30, 4))
    values[:18, 2:] = np.nan
    values[18:, :2] = np.nan
    of_observer, _ = experiments(np.isfinite(values))
    drawn = resampled_means(values, of_observer, 4000, np.random.default_rng(1))
    assert np.isfinite(drawn).all()
    mean = np.nanmean(values, axis=0)
    error = np.nanstd(values, axis=0) / np.sqrt(np.isfinite(values).sum(axis=0))
    np.testing.assert_allclose(drawn.mean(axis=0), mean, atol=4 * error.max() / np.sqrt(4000))
    np.testing.assert_allclose(drawn.std(axis=0), error, rtol=0.06)


def test_the_ceiling_is_the_correlation_of_the_truth_with_the_mean():
    """Truth plus noise of 40 observers: sqrt(variance / (variance + noise variance / 40))."""
    rng = np.random.default_rng(2)
    truth, noise = rng.standard_normal(400), 4.0
    values = truth + noise * rng.standard_normal((40, 400))
    ceiling = profile_ceiling(values, np.arange(40) % 2, correlate, np.random.default_rng(0), 20)
    assert ceiling == pytest.approx(np.corrcoef(truth, values.mean(axis=0))[0, 1], abs=0.03)
    assert error_ceiling(values.mean(axis=0), np.full(400, noise / np.sqrt(40))) == pytest.approx(ceiling, abs=0.03)


def test_noise_alone_has_no_ceiling():
    values = np.random.default_rng(0).standard_normal((20, 6))
    values -= values.mean(axis=0)  # halves then mirror one another
    assert np.isnan(profile_ceiling(values, np.zeros(20, int), correlate, np.random.default_rng(0), 10))
    assert np.isnan(error_ceiling(np.array([0.0, 1, 0, 1]), np.ones(4)))
