"""One clock or several: simulated observers who follow one, several or none."""

import numpy as np
import pandas as pd
import pytest

from analysis import speed_accuracy as sa
from analysis.timing_coverage import N_OBSERVERS, rising_curves, simulated_accuracy
from benchmarks.bootstrap import count_draws
from benchmarks.recordings.kumbhar2021 import CONDITIONS, count_answers
from benchmarks.simulated_timing import simulated_trials
from neurocnnf.clock import StepClock

MODEL = rising_curves()
CLOCK = StepClock(280, 120)
ENDS = np.cumsum([0, *N_OBSERVERS.values()])
GROUPS = tuple(np.arange(a, b) for a, b in zip(ENDS[:-1], ENDS[1:], strict=True))  # noqa: RUF007
COUNTS = count_draws(GROUPS, 200, np.random.default_rng(0))


def of_clocks(clocks, seed=0):
    """Simulate observers, with a clock of its own in each condition."""
    parts = [simulated_accuracy(MODEL, clock, np.random.default_rng(seed)) for clock in clocks]
    return np.stack([part[:, k] for k, part in enumerate(parts)], axis=1)


def rows(accuracy):
    return sa.clock_comparison(accuracy, MODEL, COUNTS).set_index("prediction")


def test_where_one_clock_is_true_more_clocks_do_not_help_and_people_do_no_better():
    table = rows(of_clocks([CLOCK] * 8))
    assert table.loc[sa.PER_LEVEL, "more_than_one_clock_high"] > 0
    assert table.loc[sa.ONE, "rmse"] == pytest.approx(table.loc[sa.PEOPLE, "rmse"], rel=0.1)
    assert table.loc[sa.FLAT, "more_than_one_clock_low"] > 0


def test_where_each_level_has_its_clock_one_for_all_is_found_worse():
    clocks = [StepClock(150 + 110 * (k % 3), 60 + 80 * (k % 3)) for k in range(8)]
    table = rows(of_clocks(clocks))
    assert table.loc[sa.PER_LEVEL, "more_than_one_clock_high"] < 0
    assert table.loc[sa.PER_LEVEL, "rmse"] < table.loc[sa.ONE, "rmse"]


def test_a_known_clock_is_found_for_all_conditions_and_for_each_that_says_something():
    table = sa.clock_table(of_clocks([CLOCK] * 8), MODEL, COUNTS)
    assert list(table["condition"]) == ["all", *range(8)]
    for _, row in table.iloc[[0, 1]].iterrows():
        assert row["onset_ms_low"] <= CLOCK.onset_ms <= row["onset_ms_high"]
        assert row["ms_per_step_low"] <= CLOCK.ms_per_step <= row["ms_per_step_high"]


def test_guessers_bound_no_clock():
    accuracy = np.where(np.isnan(of_clocks([CLOCK] * 8)), np.nan, 0.1)
    accuracy += 0.03 * np.random.default_rng(0).standard_normal(accuracy.shape)
    assert sa.clock_table(accuracy, MODEL, COUNTS)["at_edge"].iloc[0]


def test_the_profile_is_lowest_near_the_truth():
    table = sa.profile_table(of_clocks([CLOCK] * 8), MODEL)
    best = table.loc[table["rmse"].idxmin()]
    assert abs(best["onset_ms"] - 280) <= 100
    assert abs(best["ms_per_step"] - 120) <= 100


def test_tables_of_observers_count_trials_and_mean_over_observers():
    accuracy = np.repeat(MODEL[:, :, None], 10, axis=2)
    names = tuple("airplane automobile bird cat deer dog frog horse ship truck".split())  # noqa: SIM905
    deadlines = np.arange(200.0, 1001, 200)
    rng = np.random.default_rng(0)
    trials = simulated_trials(
        accuracy, CONDITIONS, CLOCK, rng, deadlines_ms=deadlines, categories=names, n_observers=3, n_trials=2
    )
    observers = count_answers(trials)
    counts = count_draws((np.arange(9),), 50, rng)
    table = sa.observer_table(observers, counts)
    here = table[(table["condition"] == "blur SD 1") & (table["time_ms"] == 800)].iloc[0]
    wanted = trials.query("study == 'simulated blur' and perturbation == 1 and deadline_ms == 800")
    assert (here["n_shown"], here["n_answered"]) == (len(wanted), wanted["answered"].sum())
    by_observer = wanted[wanted["answered"]].groupby("subject")["correct"].mean()
    assert here["accuracy"] == pytest.approx(by_observer.mean())
    assert here["n_observers"] == 3
    clock = pd.Series({"onset_ms": 280.0, "ms_per_step": 120.0})
    model = sa.model_table(MODEL, clock)
    at = model[(model["condition"] == "blur SD 1") & (model["time_ms"] == 400.0)]["accuracy"].iloc[0]
    assert at == pytest.approx(MODEL[4, 0])  # step 0 ends at 280 + 120 ms
