"""Tests of recovery: a small version of what `python -m analysis.recovery` measures."""

import numpy as np
import pytest
from scipy.stats import binomtest, linregress

from analysis.recovery import (
    BOUNDS,
    correlation_recovered,
    fit_timing,
    main,
    masking_recovered,
    measure,
    timing_recovered,
)


def test_timing_without_choice_of_bound_is_a_line_by_least_squares():
    """One candidate, all reached: scipy's estimates."""
    rng = np.random.default_rng(0)
    steps, rt = rng.random(80) * 5, rng.standard_normal(80)
    rt = 300 + 20 * steps + 40 * rt
    found = fit_timing(rt, np.stack([steps, steps]), np.ones((2, 80), bool), [1.0, 1.1])
    expected = linregress(steps, rt)
    assert found.ms_per_step[0] == pytest.approx(expected.slope)
    assert found.onset_ms[0] == pytest.approx(expected.intercept)
    half = (found.ms_per_step[2] - found.ms_per_step[1]) / 2
    assert half == pytest.approx(1.99 * expected.stderr, rel=0.02)  # t and likelihood agree at 80 trials


def test_a_known_clock_bound_and_noise_are_recovered_within_their_intervals():
    """12 simulations: each interval holds its truth in most of them."""
    table = measure(12, (timing_recovered, masking_recovered))
    assert len(table) == 6
    assert table["simulated"].all()
    for share in table["share"]:
        assert binomtest(round(12 * share), 12, 0.95).pvalue > 0.001


def test_a_bound_between_candidates_is_within_the_interval_of_the_next():
    steps = np.stack([np.random.default_rng(k).random(200) * 5 for k in range(3)])
    found = fit_timing(300 + 50 * steps[1], steps, np.ones((3, 200), bool), BOUNDS[:3])
    assert found.bound == pytest.approx((1.1, 1.05, 1.15))


def test_under_the_null_few_correlations_are_found():
    positive = sum(correlation_recovered(seed, 100)["correlation null rejected"] for seed in range(20))
    assert binomtest(positive, 20, 0.05).pvalue > 0.005


def test_the_table_is_written(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("analysis.recovery.measure", lambda n: measure(n, (masking_recovered,)))
    main(["--out", str(tmp_path / "a" / "recovery.csv"), "--simulations", "1"])
    assert "masking onset_ms" in (tmp_path / "a" / "recovery.csv").read_text()
    assert capsys.readouterr().out.strip().endswith("recovery.csv")
