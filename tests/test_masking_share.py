"""Tests of shares of deviance: against fits to the same curves, and people of known clocks."""

import numpy as np
import pandas as pd
import pytest

from analysis.masking import constant_fit, fit_clock, masking_curve, truncated_accuracy
from analysis.masking_share import masking_shares
from neurocnnf.clock import StepClock

RISING, SUDDEN = np.array([0.3, 0.42, 0.52, 0.6, 0.66, 0.7]), np.array([0.3, 0.31, 0.32, 0.33, 0.34, 0.7])


def make_trials(true, seed=0, n=6000):
    rng = np.random.default_rng(seed)
    duration = rng.choice([0.025, 0.05, 0.075, 0.1, 0.15], n)
    p = truncated_accuracy(true, duration * 1000, StepClock(10, 20), 0.2)
    trials = pd.DataFrame({"subject": rng.integers(0, 12, n), "soa_s": duration, "masked": rng.random(n) < 0.8})
    return trials.assign(correct=rng.random(n) < np.clip(p + rng.normal(0, 0.05, 12)[trials["subject"]], 0, 1))


@pytest.fixture(scope="module")
def table():
    trials = make_trials(SUDDEN)
    models = {"right": SUDDEN, "again": SUDDEN, "constant": np.full(6, 0.7)}
    return trials, masking_shares(trials, models, "constant", 0.2, 60).set_index("model")


def test_shares_are_those_of_the_fitted_clocks(table):
    trials, found = table
    curve = masking_curve(trials, True)
    fit = fit_clock([curve], SUDDEN, 0.2)
    share = (fit.log_likelihood - constant_fit(curve)) / (fit.saturated - constant_fit(curve))
    assert found.loc["right", "share"] == pytest.approx(share, abs=1e-9)
    assert found.loc["right", "low"] < share < found.loc["right", "high"] <= 1
    assert found.loc["right", "n_subjects"] == 12


def test_a_model_that_people_follow_is_told_from_one_that_they_do_not_and_not_from_itself(table):
    _, found = table
    assert found.loc["right", "share"] > 0.9
    assert found.loc["right", "difference_low"] > 0
    assert found.loc["right", "p"] < 0.05
    assert found.loc["again", "share"] == found.loc["right", "share"]
    assert np.isnan(found.loc["constant", "p"])


def test_people_of_one_accuracy_at_every_duration_follow_no_model_more_than_another():
    """Ten studies: the interval of the difference of two models of other courses holds 0 in nearly all."""
    held = 0
    for seed in range(10):
        trials = make_trials(np.full(6, 0.6), seed, 3000)
        trials["correct"] = np.random.default_rng(seed).random(len(trials)) < 0.6
        models = {"rising": RISING, "sudden": SUDDEN}
        row = masking_shares(trials, models, "sudden", 0.2, 60).set_index("model").loc["rising"]
        held += row["difference_low"] <= 0 <= row["difference_high"]
    assert held >= 8


def test_models_of_the_same_course_do_not_differ():
    trials = make_trials(RISING)
    table = masking_shares(trials, {"a": RISING, "b": RISING + 1e-6}, "b", 0.2, 60).set_index("model")
    assert table.loc["a", "difference"] == pytest.approx(0, abs=1e-3)
    assert table.loc["a", "p"] > 0.05 or np.isnan(table.loc["a", "p"])
