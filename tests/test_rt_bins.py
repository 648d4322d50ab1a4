"""Tests of likeness of steps to fifths of reaction time: simulated time courses are found, constant ones are not."""

from dataclasses import replace

import numpy as np
import pytest
from sklearn.linear_model import LinearRegression

from analysis.rt_bins import rt_bins, together
from benchmarks.clean_readout import Answers
from benchmarks.simulated_people import simulated_people

N_CONDITIONS, N_STEPS = 14, 4


def answers(recovery, seed=0):
    """Answer 40 originals in 14 conditions rightly with a chance that changes over steps."""
    rng = np.random.default_rng(seed)
    first = np.linspace(0.95, 0.3, N_CONDITIONS)
    last = np.clip(first + recovery * rng.uniform(-0.5, 0.5, N_CONDITIONS), 0.1, 0.98)
    chance = np.linspace(first, last, N_STEPS + 1)
    category = np.repeat([0, 1], 20)
    condition, labels = np.repeat(np.arange(N_CONDITIONS), 40), np.tile(category, N_CONDITIONS)
    right = rng.random(len(labels)) < chance[:, condition]
    decisions = np.eye(2, dtype=np.float32)[np.where(right, labels, 1 - labels)]
    original = np.tile(np.arange(40), N_CONDITIONS)
    names = tuple(f"condition {k}" for k in range(N_CONDITIONS))
    return Answers({"one": decisions}, labels, condition, original, names, ("a", "b"), category, "one", {})


def people(model, bin_steps, seed=0):
    return simulated_people(model, "one", 0, N_STEPS, np.random.default_rng(seed), bin_steps=bin_steps)


def test_the_statistic_is_the_coefficient_of_the_product_in_a_regression():
    likeness = np.random.default_rng(0).random((6, 5))
    step, fifth = (axis.ravel() for axis in np.indices(likeness.shape))
    step, fifth = step - step.mean(), fifth - fifth.mean()
    fit = LinearRegression().fit(np.column_stack([step, fifth, step * fifth]), likeness.ravel())
    assert together(likeness) == pytest.approx(fit.coef_[2])
    assert together(np.add.outer(np.arange(6.0), np.arange(5.0) ** 2)) == pytest.approx(0, abs=1e-12)


def test_people_whose_answers_follow_the_steps_in_time_are_found():
    model = answers(0.8)
    got = rt_bins(model, people(model, (0, 1, 2, 3, 4)), n_resamples=300)
    assert got.low > 0
    assert got.low <= got.statistic <= got.high
    best = got.table.pivot(index="rt_bin", columns="step", values="likeness").to_numpy().argmax(axis=1)
    assert best[0] == 0
    assert best[-1] == N_STEPS
    assert got.table["simulated"].all()


def test_people_whose_answers_run_against_the_steps_have_a_statistic_below_zero():
    model = answers(0.8)
    assert rt_bins(model, people(model, (4, 3, 2, 1, 0)), n_resamples=300).high < 0


def test_people_who_answer_the_same_at_all_times_are_not_found():
    """The interval holds zero in about 95 % of simulations; at least 18 of 20 here."""
    held = 0
    for seed in range(20):
        model = answers(0.8, seed)
        got = rt_bins(model, people(model, (2,) * 5, seed), seed, n_resamples=200)
        held += got.low <= 0 <= got.high
    assert held >= 18


def test_a_model_with_one_step_has_no_statistic():
    model = answers(0.8)
    one = replace(model, decisions={"one": model.decisions["one"][:1]})
    got = rt_bins(one, people(model, (0, 1, 2, 3, 4)), n_resamples=50)
    assert np.isnan(got.statistic)
    assert np.isnan(got.low)
    assert got.table["step"].unique().tolist() == [0]
