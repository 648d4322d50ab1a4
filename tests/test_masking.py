"""Tests of masking as truncation, against closed forms, scipy and simulations."""

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import minimize_scalar
from scipy.stats import binom

from analysis.masking import MaskingCurve, constant_fit, fit_clock, masking_curve, truncated_accuracy
from neurocnnf.clock import StepClock

RISING = np.array([0.3, 0.42, 0.52, 0.6, 0.66, 0.7])
GRID = {"onsets_ms": np.arange(0, 41, 4.0), "ms_per_step": np.arange(10, 61, 5.0)}


def curve_of(clock, scale=1.2, n=1200, seed=0):
    """Answers of people who are the truncated model, scaled."""
    duration = np.array([25.0, 50, 75, 100, 150])
    p = 0.2 + scale * (truncated_accuracy(RISING, duration, clock, 0.2) - 0.2)
    n = np.full(5, float(n))
    right = n * p if seed is None else np.random.default_rng(seed).binomial(n.astype(int), p).astype(float)
    return MaskingCurve(duration, right, n)


def test_accuracy_is_that_of_the_last_step_done():
    """Step 0 is done at onset + one step; before onset it is chance; after the last step it stays."""
    found = truncated_accuracy([0.4, 0.6], [0, 10, 20, 30, 40, 50, 400], StepClock(10, 20), 0.2)
    np.testing.assert_allclose(found, [0.2, 0.2, 0.3, 0.4, 0.5, 0.6, 0.6])


def test_a_clock_on_the_grid_is_recovered_exactly_without_noise_and_within_intervals_with_it():
    true = StepClock(20, 20)
    fit = fit_clock([curve_of(true, seed=None)], RISING, 0.2, **GRID)
    assert (fit.clock, fit.scale[0]) == (true, pytest.approx(1.2, abs=1e-3))
    assert fit.log_likelihood == pytest.approx(fit.saturated, abs=1e-6)
    fit = fit_clock([curve_of(true, seed=1)], RISING, 0.2, **GRID)
    assert fit.onset_interval[0] <= 20 <= fit.onset_interval[1]
    assert fit.step_interval[0] <= 20 <= fit.step_interval[1]
    assert fit.misfit_p > 0.01


def test_the_scale_and_its_likelihood_are_those_of_a_general_optimiser():
    """Binomial likelihood from scipy, but for a constant; dispersion divides it."""
    curve, clock = curve_of(StepClock(20, 20), seed=3), StepClock(12, 30)
    excess = truncated_accuracy(RISING, curve.duration_ms, clock, 0.2) - 0.2

    def loss(scale):
        return -binom.logpmf(curve.n_correct, curve.n_trials, 0.2 + scale * excess).sum()

    best = minimize_scalar(loss, bounds=(0.01, 1.5), method="bounded", options={"xatol": 1e-9})
    grid = {"onsets_ms": np.array([12.0]), "ms_per_step": np.array([30.0])}
    fit = fit_clock([curve], RISING, 0.2, **grid)
    assert fit.scale[0] == pytest.approx(best.x, abs=1e-4)
    constant = binom.logpmf(curve.n_correct, curve.n_trials, curve.n_correct / curve.n_trials).sum() - fit.saturated
    assert fit.log_likelihood + constant == pytest.approx(-best.fun, abs=1e-6)
    half = MaskingCurve(curve.duration_ms, curve.n_correct, curve.n_trials, dispersion=2.0)
    assert fit_clock([half], RISING, 0.2, **grid).log_likelihood == pytest.approx(fit.log_likelihood / 2)


def test_two_curves_of_one_clock_share_it_and_of_two_clocks_do_not():
    """AIC: one clock for both against one each."""
    for other, shared in ((StepClock(20, 20), True), (StepClock(0, 10), False)):
        curves = [curve_of(StepClock(20, 20), seed=4), curve_of(other, seed=5)]
        together = fit_clock(curves, RISING, 0.2, **GRID)
        apart = sum(fit_clock([c], RISING, 0.2, **GRID).aic for c in curves)
        assert (together.aic < apart) == shared


def test_a_flat_curve_is_explained_by_a_constant_and_a_rising_one_is_not():
    rising = curve_of(StepClock(20, 20), seed=6)
    flat = MaskingCurve(rising.duration_ms, np.full(5, 600.0), rising.n_trials)
    assert constant_fit(flat) == pytest.approx(1200 * 5 * np.log(0.5))
    assert constant_fit(rising) < fit_clock([rising], RISING, 0.2, **GRID).log_likelihood - 50


def test_counts_are_those_of_the_trials_and_subjects_who_differ_are_more_than_binomial():
    rng = np.random.default_rng(7)
    trials = pd.DataFrame({"subject": np.repeat(np.arange(20), 200), "soa_s": np.tile([0.025, 0.1], 2000)})
    trials["masked"] = np.arange(4000) % 4 < 2
    even = trials.assign(correct=rng.random(4000) < 0.5)
    curve = masking_curve(even, masked=True)
    np.testing.assert_allclose(curve.duration_ms, [25, 100])
    part = even[even["masked"]]
    assert curve.n_correct.tolist() == part.groupby("soa_s")["correct"].sum().tolist()
    assert curve.n_trials.sum() == 2000
    assert curve.dispersion < 1.6
    able = rng.random(20)[trials["subject"]]
    assert masking_curve(trials.assign(correct=rng.random(4000) < able), masked=True).dispersion > 5
    with pytest.raises(ValueError, match="two durations or more with masked=True, got 1"):
        masking_curve(even[even["soa_s"] < 0.05], masked=True)
