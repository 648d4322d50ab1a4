"""Tests of rank correlations, resampling and permutation against scipy, regression and simulation."""

import numpy as np
import pytest
from scipy.stats import binomtest, norm, rankdata, spearmanr

from analysis.censored import concordance_rows
from analysis.human_times import object_times
from analysis.inference import (
    explained_by,
    partial_ceiling,
    percentile_interval,
    permutation_p,
    permuted_blocks,
    permuted_correlations,
    rank_correlation,
    rank_rows,
    resamples,
    taken,
)
from benchmarks.bootstrap import recentred


def simulate(seed, n_subjects=12, n_objects=80, rho=0.6, noise=1.5, seen=0.7):
    """Model value, true time, and summed and counted trials (subject, object), some cells empty."""
    rng = np.random.default_rng(seed)
    x = rng.standard_normal(n_objects)
    true = rho * x + np.sqrt(1 - rho**2) * rng.standard_normal(n_objects)
    counts = (rng.random((n_subjects, n_objects)) < seen).astype(float)
    return x, true, counts * (true + noise * rng.standard_normal(counts.shape)), counts


def test_ranks_equal_those_of_scipy_with_ties_and_missing_values():
    """Average ranks, NaN left where it was and not counted."""
    values = np.random.default_rng(0).integers(0, 6, (20, 30)).astype(float)
    np.testing.assert_array_equal(rank_rows(values), rankdata(values, axis=1))
    values[np.random.default_rng(1).random(values.shape) < 0.2] = np.nan
    np.testing.assert_array_equal(rank_rows(values), rankdata(values, axis=1, nan_policy="omit"))


def test_spearman_equals_that_of_scipy_in_every_row():
    """Rows with different missing values are each computed on what they have."""
    rng = np.random.default_rng(2)
    x, y = rng.integers(0, 8, (10, 50)).astype(float), rng.standard_normal((10, 50))
    y += 0.2 * x
    x[rng.random(x.shape) < 0.1] = np.nan
    y[rng.random(y.shape) < 0.1] = np.nan
    expected = [spearmanr(a, b, nan_policy="omit").statistic for a, b in zip(x, y, strict=True)]
    np.testing.assert_allclose(rank_correlation(x, y), expected)


@pytest.mark.parametrize("n_given", [1, 2, 3])
def test_partial_correlation_equals_correlating_regression_residuals(n_given):
    """Ranks of x and y, each regressed on the ranks of what is given."""
    rng = np.random.default_rng(n_given)
    given = rng.standard_normal((n_given, 70))
    x, y = given.sum(axis=0) + rng.standard_normal(70), given[0] + rng.standard_normal(70)
    design = np.column_stack([np.ones(70), *(rankdata(z) for z in given)])
    left = [v - design @ np.linalg.lstsq(design, v, rcond=None)[0] for v in (rankdata(x), rankdata(y))]
    assert rank_correlation(x, y, given) == pytest.approx(np.corrcoef(left)[0, 1])


def test_partial_correlation_with_one_covariate_has_the_closed_form():
    """(rxy - rxz ryz) / sqrt((1 - rxz^2)(1 - ryz^2)); a repeated covariate changes nothing."""
    x, y, z = np.random.default_rng(3).standard_normal((3, 40))
    x, y = x + z, y + z
    xy, xz, yz = (spearmanr(a, b).statistic for a, b in ((x, y), (x, z), (y, z)))
    expected = (xy - xz * yz) / np.sqrt((1 - xz**2) * (1 - yz**2))
    assert rank_correlation(x, y, [z]) == pytest.approx(expected)
    assert rank_correlation(x, y, [z, z]) == pytest.approx(expected)


def test_a_correlation_that_is_not_defined_is_nan_and_not_zero():
    """x constant, or explained away."""
    x, y = np.random.default_rng(4).standard_normal((2, 30))
    assert np.isnan(rank_correlation(np.ones(30), y))
    assert np.isnan(rank_correlation(x, y, [2 * x]))
    assert np.isnan(permuted_correlations(x, y, [2 * x], 10)).all()
    assert np.isnan(permutation_p(float("nan"), [0.1]))
    assert percentile_interval([np.nan] * 5 + [1.0] * 5) == pytest.approx((np.nan, np.nan), nan_ok=True)


def test_explained_variance_and_ceiling_have_their_closed_forms():
    """A ceiling reached by the truth itself, simulated with a large sample."""
    rng = np.random.default_rng(5)
    z, own, noise = rng.standard_normal((3, 200_000))
    true = 0.6 * z + 0.8 * own
    measured = true + noise  # reliability 1/2
    assert explained_by(measured, [z]) == pytest.approx(spearmanr(measured, z).statistic ** 2)
    assert explained_by(measured, []) == 0
    assert partial_ceiling(0.5, 0) == pytest.approx(np.sqrt(0.5))
    design = np.column_stack([np.ones_like(z), z])
    left = [v - design @ np.linalg.lstsq(design, v, rcond=None)[0] for v in (true, measured)]
    r2 = np.corrcoef(measured, z)[0, 1] ** 2
    assert partial_ceiling(0.5, r2) == pytest.approx(np.corrcoef(left)[0, 1], abs=0.01)
    assert np.isnan(partial_ceiling(0.3, 0.4))


def test_resamples_draw_as_many_as_there_are_and_follow_the_seed():
    """Subjects and objects are drawn separately; indices name what was taken as often as it was."""
    subjects, objects = resamples(5, 8, 50, seed=1)
    assert (subjects.sum(axis=1) == 5).all()
    assert (objects.sum(axis=1) == 8).all()
    again = np.stack([np.bincount(row, minlength=8) for row in taken(objects)])
    np.testing.assert_array_equal(again, objects)
    np.testing.assert_array_equal(objects, resamples(5, 8, 50, seed=1)[1])
    with pytest.raises(ValueError, match="at least one subject, object and resample, got 0"):
        resamples(0, 8, 50, seed=1)


def test_interval_of_a_mean_is_that_of_the_normal():
    """Percentiles of draws from a standard normal."""
    low, high = percentile_interval(np.random.default_rng(6).standard_normal(100_000))
    assert (low, high) == pytest.approx((-1.96, 1.96), abs=0.03)


def test_permuted_blocks_keep_the_trials_of_an_object_together_and_in_order():
    """Every object's trials come from one object, each object is used once where sizes are equal."""
    groups = np.random.default_rng(7).permutation(np.repeat(np.arange(6), 4))
    for row in permuted_blocks(groups, 20, seed=0):
        sources = [set(groups[row[groups == g]]) for g in range(6)]
        assert all(len(source) == 1 for source in sources)
        assert set.union(*sources) == set(range(6))
        assert sorted(row) == list(range(24))
    uneven = permuted_blocks([0, 0, 0, 1], 20, seed=0)
    assert {tuple(row) for row in uneven} == {(0, 1, 2, 3), (3, 3, 3, 0)}


def test_permutation_p_of_a_correlation_is_close_to_the_exact_test_of_scipy():
    """Without covariates, against the t approximation."""
    x, y = np.random.default_rng(8).standard_normal((2, 60))
    y += 0.25 * x
    result = spearmanr(x, y)
    p = permutation_p(result.statistic, permuted_correlations(x, y, n_permutations=20_000))
    assert p == pytest.approx(result.pvalue, rel=0.2, abs=0.003)


@pytest.mark.parametrize(
    ("n_given", "drive", "scores"),
    [(0, 0.0, "ranks"), (1, 1.0, "ranks"), (2, 0.3, "ranks"), (2, 1.0, "normal")],
)
def test_under_the_null_one_test_in_twenty_is_positive(n_given, drive, scores):
    """400 simulations with covariates that drive both x and y: rate .05 within binomial error."""
    rng = np.random.default_rng(9 + n_given)
    positive = 0
    for seed in range(400):
        given = rng.standard_normal((n_given, 40))
        x, y = rng.standard_normal((2, 40)) + drive * given.sum(axis=0)
        permuted = permuted_correlations(x, y, given, 199, seed, scores)
        positive += permutation_p(rank_correlation(x, y, given, scores), permuted) <= 0.05
    assert binomtest(positive, 400, 0.05).pvalue > 0.01


def test_ranks_leave_some_of_two_strong_covariates_and_normal_scores_do_not():
    """As the docstring says, for x and y unrelated but for what is given; averages of 300 simulations."""
    rng = np.random.default_rng(12)
    given = rng.standard_normal((2, 300, 300))
    x, y = rng.standard_normal((2, 300, 300)) + given.sum(axis=0)
    assert rank_correlation(x, y, given).mean() == pytest.approx(0.063, abs=0.012)
    assert abs(rank_correlation(x, y, given, "normal").mean()) < 0.02


def test_normal_scores_are_the_quantiles_of_mid_ranks():
    """Correlation of scores from scipy; an unknown kind is refused."""
    x, y = np.random.default_rng(13).integers(0, 9, (2, 40)).astype(float)
    expected = np.corrcoef([norm.ppf((rankdata(v) - 0.5) / 40) for v in (x, y)])[0, 1]
    assert rank_correlation(x, y, scores="normal") == pytest.approx(expected)
    with pytest.raises(ValueError, match="expected 'ranks' or 'normal', got 'savage'"):
        rank_correlation(x, y, scores="savage")


def test_under_the_null_one_concordance_in_twenty_is_positive():
    """300 simulations, uneven objects whose trials resemble each other: .05 within binomial error."""
    rng, positive = np.random.default_rng(20), 0
    for seed in range(300):
        item = np.repeat(np.arange(25), rng.integers(4, 9, 25))
        step = np.clip(rng.integers(0, 7, 25)[item] + rng.integers(-1, 2, len(item)), 0, 6)
        time_z = rng.standard_normal(25)[item] + rng.standard_normal(len(item))
        columns = (np.minimum(step, 5), step < 6, time_z)
        none = resamples(3, 25, 1, 0)
        row = concordance_rows(columns, (item % 3, item), (none[0][:0], none[1][:0]), 99, seed)[0]
        positive += row[4] <= 0.05
    assert binomtest(positive, 300, 0.05).pvalue > 0.01


@pytest.mark.parametrize("rho", [0.0, 0.6, 0.95])
def test_intervals_over_subjects_and_objects_cover_what_the_study_would_give_on_average(rho):
    """60 simulated studies: the 95 % interval holds the mean over studies at least as often as 9 in 10."""
    studies = (simulate(seed, rho=rho) for seed in range(1000, 1200))
    target = np.mean([rank_correlation(x, object_times(s, c)) for x, _, s, c in studies])
    held = 0
    for seed in range(60):
        x, _, sums, counts = simulate(seed, rho=rho)
        subjects, objects = resamples(*counts.shape, 300, seed)
        drawn = taken(objects)
        human = np.take_along_axis(object_times(sums, counts, subjects), drawn, axis=1)
        estimate = float(rank_correlation(x, object_times(sums, counts)))
        low, high = percentile_interval(recentred(rank_correlation(x[drawn], human), estimate))
        assert low <= estimate <= high
        held += low <= target <= high
    assert held >= 49  # below 49 of 60 has probability 4e-5 at a coverage of .95, .015 at .9


def test_shifted_correlations_have_the_estimate_as_mean_and_stay_correlations():
    shifted = recentred([0.2, np.nan, 0.4], 0.5)
    np.testing.assert_allclose(shifted, [0.4, np.nan, 0.6])
    np.testing.assert_array_equal(recentred([0.2, 0.6], 0.9), [0.7, 1.0])
    assert np.isnan(recentred([np.nan], 0.5)).all()
