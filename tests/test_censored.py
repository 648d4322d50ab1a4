"""Tests of censored means and concordance against brute force, statsmodels and closed forms."""

import numpy as np
import pytest
from scipy.stats import kendalltau, somersd
from statsmodels.duration.survfunc import SurvfuncRight

from analysis.censored import (
    ConcordanceCounter,
    concordance,
    concordance_rows,
    permuted_somers_d,
    restricted_mean,
    restricted_means,
)
from analysis.inference import resamples


def slow_concordance(times, observed, outcome, weights):
    """Count pairs one by one: weighted (concordant - discordant), and comparable."""
    difference = comparable = 0.0
    for i in range(len(times)):
        for j in range(len(times)):
            known = times[j] > times[i] or (times[j] == times[i] and not observed[j])
            if i != j and observed[i] and known:
                comparable += weights[i] * weights[j]
                difference += weights[i] * weights[j] * np.sign(outcome[j] - outcome[i])
    return difference, comparable


def test_restricted_mean_of_a_worked_example():
    """Times 1, 2+, 3, 3, 4+ to horizon 5: 1 + .8 + .8 + .8/3 x 2, by hand."""
    value = restricted_mean([1, 2, 3, 3, 4], [True, False, True, True, False], 5)
    assert value == pytest.approx(1 + 0.8 + 0.8 + 2 * 0.8 / 3)


def test_restricted_mean_equals_the_area_under_the_curve_of_statsmodels():
    """Random times, random censoring, ties of both."""
    rng = np.random.default_rng(0)
    for _ in range(30):
        times, observed = rng.integers(1, 9, 40), rng.random(40) < 0.6
        curve = SurvfuncRight(times, observed.astype(int))
        knots = np.concatenate([[0], curve.surv_times, [10]])
        area = (np.concatenate([[1], curve.surv_prob]) * np.diff(knots)).sum()
        assert restricted_mean(times, observed, 10) == pytest.approx(area)


def test_censored_at_the_last_step_the_mean_counts_the_unsolved_at_the_horizon():
    """With one censoring time for all, the closed form is a plain mean; step 0 counts as 0."""
    step, solved = np.array([0, 0, 2, 5, 5, 5]), np.array([1, 1, 1, 1, 0, 0], bool)
    assert restricted_mean(step, solved, 6) == pytest.approx(np.where(solved, step, 6).mean())
    assert restricted_mean([5, 5], [False, False], 6) == 6
    assert restricted_mean([0, 0], [True, True], 6) == 0


def test_group_means_are_the_groups_means_and_an_empty_group_is_nan():
    """Groups need not be sorted."""
    rng = np.random.default_rng(1)
    times, observed, groups = rng.integers(0, 6, 50), rng.random(50) < 0.7, rng.choice([0, 1, 3], 50)
    means = restricted_means(times, observed, groups, 4, 6)
    assert np.isnan(means[2])
    for group in (0, 1, 3):
        here = groups == group
        assert means[group] == restricted_mean(times[here], observed[here], 6)


@pytest.mark.parametrize("n_times", [1, 2, 7, 1000])
def test_concordance_equals_counting_pairs_one_by_one(n_times):
    """With ties in time and outcome, censoring at any time, and weights."""
    rng = np.random.default_rng(n_times)
    times, observed = rng.integers(0, n_times, 60), rng.random(60) < 0.6
    outcome = np.round(times / max(n_times, 2) + rng.standard_normal(60), 1)
    weights = rng.integers(0, 3, (4, 60))
    difference, comparable = ConcordanceCounter(times, observed, outcome).count(weights)
    for row in range(4):
        expected = slow_concordance(times, observed, outcome, weights[row])
        assert (difference[row], comparable[row]) == pytest.approx(expected)


def test_uncensored_concordance_is_that_of_scipy():
    """Without censoring Somers' D is scipy's, and without ties it is Kendall's tau."""
    rng = np.random.default_rng(2)
    times = rng.integers(0, 6, 80)
    outcome = times + 2 * rng.standard_normal(80)
    seen, untied = np.ones(80, bool), rng.random(80)
    assert concordance(times, seen, outcome).somers_d == pytest.approx(somersd(times, outcome).statistic)
    assert concordance(untied, seen, outcome).somers_d == pytest.approx(kendalltau(untied, outcome)[0])


def test_perfect_order_gives_one_and_counts_only_comparable_pairs():
    """Of 4 presentations, 2 of them unsolved, one pair of 6 has no known order."""
    result = concordance([0, 1, 5, 5], [True, True, False, False], [0.1, 0.2, 0.4, 0.3])
    assert (result.somers_d, result.c_index, result.n_comparable, result.n_pairs) == (1.0, 1.0, 5, 6)
    nothing = concordance([5, 5], [False, False], [0.1, 0.2])
    assert np.isnan(nothing.somers_d)
    assert nothing.n_comparable == 0


def test_dropping_the_unsolved_inflates_what_counting_them_would_give():
    """Unsolved presentations with unrelated times pull the concordance down; leaving them out hides that."""
    rng = np.random.default_rng(3)
    step, solved = rng.integers(0, 6, 400), rng.random(400) < 0.3
    outcome = np.where(solved, step + 0.5 * rng.standard_normal(400), 6 * rng.random(400))
    step = np.where(solved, step, 5)
    assert concordance(step[solved], solved[solved], outcome[solved]).somers_d > 0.8
    assert concordance(step, solved, outcome).somers_d < 0.6


def test_permuted_concordance_equals_counting_each_permutation():
    """Ties in time and outcome, and permutations that take some trials twice."""
    rng = np.random.default_rng(6)
    times, observed = rng.integers(0, 6, 70), rng.random(70) < 0.6
    outcome, shuffles = np.round(rng.standard_normal(70), 1), rng.integers(0, 70, (25, 70))
    expected = [ConcordanceCounter(times[s], observed[s], outcome).somers_d()[0] for s in shuffles]
    np.testing.assert_allclose(permuted_somers_d(times, observed, outcome, shuffles, chunk=10), expected)


def test_rows_hold_the_estimate_inside_its_interval_and_c_beside_d():
    """Trials of 12 subjects and 40 objects whose steps drive their times."""
    rng = np.random.default_rng(5)
    subject, item = np.repeat(np.arange(12), 40), np.tile(np.arange(40), 12)
    step = rng.integers(0, 7, 40)[item]
    columns = (np.minimum(step, 5), step < 6, step + 4 * rng.standard_normal(480))
    rows = {r[0]: r[1:] for r in concordance_rows(columns, (subject, item), resamples(12, 40, 300, 0), 99, 0)}
    estimate, low, high, p, n = rows["somers_d"]
    assert low < estimate < high
    assert p == 0.01
    assert n == 480
    assert rows["c_index"][:3] == pytest.approx([(v + 1) / 2 for v in (estimate, low, high)])
    assert rows["somers_d_drop_unsolved"][-1] == (step < 6).sum()
    assert np.isnan(rows["somers_d_drop_unsolved"][3])


def test_bad_input_is_named():
    """Every error says what was expected."""
    with pytest.raises(ValueError, match="up to horizon 5"):
        restricted_mean([6.0], [True], 5)
    with pytest.raises(ValueError, match="one shape"):
        restricted_mean([1.0, 2.0], [True], 5)
    with pytest.raises(ValueError, match="finite times of 0 or more"):
        concordance([np.nan, 1.0], [False, True], [0.0, 1.0])
    with pytest.raises(ValueError, match="expected 2 finite outcomes"):
        concordance([0.0, 1.0], [True, True], [np.nan, 1.0])
    assert np.isnan(restricted_mean([], [], 5))
