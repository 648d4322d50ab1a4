"""Clocks: a curve over steps read in time, and fitted to time courses."""

import numpy as np
import pytest
from scipy.optimize import minimize

from benchmarks.clock_fit import ScaledFit, clock_grid, clock_interval, read_at, step_gram, time_weights

CURVE = np.array([0.3, 0.5, 0.8])


def test_a_curve_is_at_chance_before_onset_reaches_each_step_at_its_end_and_stays():
    grid = clock_grid([100], [50])
    times = [0, 100, 125, 150, 200, 250, 900]
    np.testing.assert_allclose(
        read_at(CURVE, times, grid, 0.1)[0], [0.1, 0.1, 0.2, 0.3, 0.5, 0.8, 0.8], rtol=0, atol=1e-12
    )


def test_a_window_averages_the_curve_within_it():
    grid = clock_grid([100], [50])
    fine = read_at(CURVE, 130 + 40 * ((np.arange(5000) + 0.5) / 5000 - 0.5), grid, 0.1)[0].mean()
    assert read_at(CURVE, [130], grid, 0.1, window_ms=40)[0, 0] == pytest.approx(fine, abs=1e-3)


def test_weights_of_steps_give_what_the_curve_gives():
    grid, times = clock_grid([0, 80], [20, 70]), np.arange(-50, 500, 25)
    weights = time_weights(times, 2, grid, 50)
    np.testing.assert_allclose(np.einsum("ktc,k->ct", weights, CURVE), read_at(CURVE, times, grid, 0.0, 50), atol=1e-12)


def test_errors_with_free_amplitude_equal_those_of_a_numerical_minimum():
    rng = np.random.default_rng(0)
    grid, times = clock_grid([0, 80], [20, 70]), np.arange(0, 500, 25)
    courses, shapes = rng.normal(size=(2, len(times))), rng.random((2, 3))
    weights = time_weights(times, 2, grid)
    fit = ScaledFit((courses**2).sum(axis=1), courses @ weights, step_gram(weights))
    errors, amplitudes = fit.errors(shapes)
    for sample in range(2):
        for clock in range(len(grid)):
            shape = read_at(shapes[sample], times, grid, 0.0)[clock]

            def error(a, shape=shape, course=courses[sample]):
                return ((course - a[0] * shape) ** 2).sum()

            found = minimize(error, [1.0], bounds=[(0, None)])
            assert errors[sample, clock] == pytest.approx(found.fun, rel=1e-6)
            assert amplitudes[sample, clock] == pytest.approx(found.x[0], abs=1e-4)


def test_clocks_at_the_edge_of_the_grid_are_named():
    grid = clock_grid([0, 10, 20], [5, 10, 15])
    assert grid.at_edge(np.arange(len(grid))).tolist() == [True] * 4 + [False] + [True] * 4


@pytest.mark.parametrize(("onsets", "durations"), [([-1], [10]), ([0], [0]), ([], [10])])
def test_impossible_clocks_are_refused(onsets, durations):
    with pytest.raises(ValueError, match="expected onsets of 0 ms or more and steps that last"):
        clock_grid(onsets, durations)


def test_an_interval_of_picked_clocks_reaches_half_a_gap_beyond_them():
    tried = np.array([2.0, 4, 6, 8, 15, 22])
    assert clock_interval(np.full(100, 6.0), tried) == (5.0, 7.0)
    assert clock_interval(np.full(100, 22.0), tried) == (18.5, 25.5)
    samples = np.r_[6.0, np.repeat([4.0, 8.0], 50)]  # mean 6: nothing is shifted
    assert clock_interval(samples, tried) == (3.0, pytest.approx(8 + (15 - 6) / 4))
    assert clock_interval(np.r_[2.0, np.repeat([2.0, 22.0], 50)], tried)[0] == 0.0  # shifted to -8
