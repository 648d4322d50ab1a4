"""Tests of profiles over conditions against pandas, scipy and regression."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import pearsonr, rankdata, spearmanr

from benchmarks.profiles import condition_means, correlate, off_diagonal


def test_means_are_those_of_a_group_by():
    rng = np.random.default_rng(0)
    values, condition = rng.random((3, 40)), rng.integers(0, 5, 40)
    got = condition_means(values, condition, 5)
    for row, mine in zip(values, got, strict=True):
        np.testing.assert_allclose(mine, pd.Series(row).groupby(condition).mean().to_numpy())


def test_means_of_a_resample_are_those_of_the_presentations_repeated():
    rng = np.random.default_rng(1)
    values, condition = rng.random((2, 30)), np.arange(30) % 3
    counts = rng.integers(0, 3, (4, 30)).astype(float)
    got = condition_means(values, condition, 3, counts)
    for one, mine in zip(counts.astype(int), got, strict=True):
        slow = condition_means(np.repeat(values, one, axis=1), np.repeat(condition, one), 3)
        np.testing.assert_allclose(mine, slow)


def test_a_condition_without_presentations_is_missing():
    assert np.isnan(condition_means(np.ones(4), np.zeros(4, int), 2)[1])


@pytest.mark.parametrize(("metric", "oracle"), [("pearson", pearsonr), ("spearman", spearmanr)])
def test_correlations_are_scipys(metric, oracle):
    x, y = np.random.default_rng(2).standard_normal((2, 3, 17))
    y[0, 4] = y[0, 5]  # a tie
    got = correlate(x, y, metric)
    for a, b, mine in zip(x, y, got, strict=True):
        assert mine == pytest.approx(oracle(a, b)[0], abs=1e-12)


@pytest.mark.parametrize("metric", ["pearson", "spearman"])
def test_partial_correlations_are_those_of_the_residuals_of_a_regression(metric):
    rng = np.random.default_rng(3)
    x, y, first, second = rng.standard_normal((4, 17))
    rank = rankdata if metric == "spearman" else np.asarray
    design = np.column_stack([np.ones(17), rank(first), rank(second)])
    left = [rank(v) - design @ np.linalg.lstsq(design, rank(v), rcond=None)[0] for v in (x, y)]
    assert correlate(x, y, metric, [first, second]) == pytest.approx(pearsonr(*left)[0], abs=1e-12)


def test_what_is_constant_or_explained_away_has_no_correlation():
    x = np.arange(5.0)
    assert np.isnan(correlate(np.ones(5), x))
    assert np.isnan(correlate(x, np.array([0.0, 2, 1, 4, 3]), given=[3 - 2 * x]))
    assert correlate(x, x, given=[np.ones(5)]) == pytest.approx(1)  # a constant explains nothing


def test_an_unknown_metric_is_refused():
    with pytest.raises(ValueError, match=r"metric: expected one of .*got 'cosine'"):
        correlate(np.arange(3.0), np.arange(3.0), "cosine")


def test_the_diagonal_is_left_out_row_by_row():
    assert off_diagonal(np.arange(9).reshape(3, 3)).tolist() == [1, 2, 3, 5, 6, 7]
