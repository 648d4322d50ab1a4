"""Dissimilarities and their comparison, against scipy and resampling written out."""

import numpy as np
import pytest
from scipy.spatial.distance import cosine, pdist, squareform
from scipy.stats import pearsonr, rankdata, spearmanr

from benchmarks.bootstrap import pair_counts
from benchmarks.resampled_rsa import resampled_midranks, resampled_products, resampled_standardise, sort_pairs
from benchmarks.rsa import (
    check_metric,
    compare,
    condensed,
    correlation_rdm,
    kendall_tau_a,
    midranks,
    similarities,
    standardise,
)


def test_distances_are_scipys():
    features = np.random.default_rng(0).standard_normal((20, 300)) + 2
    np.testing.assert_allclose(correlation_rdm(features), pdist(features, "correlation"), atol=1e-12)


def test_float32_features_are_computed_in_float64():
    features = (np.random.default_rng(0).standard_normal((20, 300)) * 1e-3 + 50).astype(np.float32)
    expected = pdist(features.astype(np.float64), "correlation")
    np.testing.assert_allclose(correlation_rdm(features), expected, atol=1e-10)


def test_a_constant_or_broken_pattern_has_no_distance_and_the_others_keep_theirs():
    features = np.random.default_rng(0).standard_normal((6, 50))
    expected = squareform(pdist(features, "correlation"))
    features[2] = 0.1
    features[4, 7] = np.nan
    found = squareform(correlation_rdm(features), checks=False)
    kept = [0, 1, 3, 5]
    np.testing.assert_allclose(found[np.ix_(kept, kept)], expected[np.ix_(kept, kept)], atol=1e-12)
    assert np.isnan(found[2, kept]).all()
    assert np.isnan(found[4, kept]).all()


@pytest.mark.parametrize("shape", [(1, 5), (5, 1), (5,), (2, 3, 4)])
def test_patterns_that_have_no_correlation_are_refused(shape):
    with pytest.raises(ValueError, match="with at least 2 of each, got shape"):
        correlation_rdm(np.zeros(shape))


@pytest.mark.parametrize("ties", [False, True])
def test_spearman_is_scipys(ties):
    first, second = np.random.default_rng(0).standard_normal((2, 300))
    if ties:
        first, second = np.round(first), np.round(second, 1)
    assert compare(first, second, "spearman") == pytest.approx(spearmanr(first, second)[0], abs=1e-12)


def test_cosine_is_scipys():
    first, second = np.random.default_rng(0).random((2, 300))
    assert compare(first, second, "cosine") == pytest.approx(1 - cosine(first, second), abs=1e-12)


def test_pearson_is_scipys():
    first, second = np.random.default_rng(0).random((2, 300))
    assert compare(first, second, "pearson") == pytest.approx(pearsonr(first, second)[0], abs=1e-12)


@pytest.mark.parametrize("decimals", [1, 12], ids=["ties", "no ties"])
def test_kendall_counts_pairs_of_pairs(decimals):
    first, second = np.round(np.random.default_rng(0).random((2, 80)), decimals)
    second = np.round(first + second, decimals)
    signs = [np.sign(values[:, None] - values)[np.triu_indices(80, 1)] for values in (first, second)]
    assert compare(first, second, "kendall") == pytest.approx(np.mean(signs[0] * signs[1]), abs=1e-12)


def test_ties_alone_agree_with_nothing_and_one_pair_has_no_order():
    assert kendall_tau_a(np.ones(5), np.arange(5.0)) == 0
    assert np.isnan(kendall_tau_a(np.ones(1), np.ones(1)))


@pytest.mark.parametrize("decimals", [1, 12], ids=["ties", "no ties"])
def test_midranks_are_scipys(decimals):
    values = np.round(np.random.default_rng(0).random(200), decimals)
    np.testing.assert_array_equal(midranks(values), rankdata(values))


@pytest.mark.parametrize("metric", ["pearson", "spearman", "kendall", "cosine"])
def test_a_matrix_of_similarities_holds_each_comparison(metric):
    first, second = np.random.default_rng(0).random((2, 3, 45))
    second[1, 4] = np.nan
    found = similarities(first, second, metric)
    expected = [[compare(one, other, metric) for other in second] for one in first]
    np.testing.assert_allclose(found, expected, atol=1e-12)
    assert np.isnan(found[:, 1]).all()


def test_what_is_not_an_inner_product_is_not_scaled():
    with pytest.raises(ValueError, match="expected pearson, spearman or cosine, got 'kendall'"):
        standardise(np.arange(3.0), "kendall")
    with pytest.raises(ValueError, match="expected pearson, spearman or cosine, got 'kendall'"):
        resampled_standardise(np.arange(3.0), "kendall", np.ones((1, 3)))


def test_what_is_unknown_or_does_not_vary_has_no_similarity():
    vector = np.arange(4.0)
    assert np.isnan(compare(vector, np.array([1, np.nan, 2, 3]), "spearman"))
    assert np.isnan(compare(vector, np.ones(4), "spearman"))
    assert np.isnan(compare(vector, np.full(4, 0.1), "pearson"))
    assert np.isnan(compare(vector, np.zeros(4), "cosine"))
    assert np.isnan(standardise(np.zeros(4), "cosine")).all()


def test_vectors_of_different_images_are_refused():
    with pytest.raises(ValueError, match="two condensed vectors of one length"):
        compare(np.zeros(3), np.zeros(6), "cosine")


def test_an_unknown_metric_is_refused_with_the_known_ones_named():
    with pytest.raises(ValueError, match="expected one of pearson, spearman, kendall, cosine, got 'tau'"):
        check_metric("tau")


def test_condensed_order_is_scipys_and_stacks_are_kept():
    vector = np.random.default_rng(0).random(10)
    np.testing.assert_array_equal(condensed(squareform(vector)), vector)
    np.testing.assert_array_equal(condensed(vector), vector)
    stack = np.stack([squareform(vector), squareform(2 * vector)])
    np.testing.assert_array_equal(condensed(stack), [vector, 2 * vector])


def test_matrices_that_are_not_square_or_not_symmetric_are_refused():
    with pytest.raises(ValueError, match=r"expected \(pair,\) or square"):
        condensed(np.zeros((3, 4)))
    with pytest.raises(ValueError, match="expected symmetric matrices"):
        condensed(np.arange(9.0).reshape(3, 3))


@pytest.mark.parametrize("decimals", [1, 12], ids=["ties", "no ties"])
def test_midranks_in_a_resample_are_those_of_the_resample_written_out(decimals):
    rng = np.random.default_rng(0)
    vector = np.round(rng.random(45), decimals)
    counts = pair_counts(10, 30, rng)
    ranks = resampled_midranks(sort_pairs(vector), counts)
    for b, row in enumerate(counts):
        drawn = np.repeat(np.arange(45), row.astype(int))
        np.testing.assert_allclose(ranks[b][drawn], rankdata(vector[drawn]))


@pytest.mark.parametrize("metric", ["pearson", "spearman", "cosine"])
def test_resampled_similarity_is_that_of_the_resample_written_out(metric):
    rng = np.random.default_rng(0)
    first = np.round(rng.random(190), 2)
    second = first + rng.random(190)
    counts = pair_counts(20, 70, rng)  # more than a block
    a, b = (resampled_standardise(vector, metric, counts) for vector in (first, second))
    found = (counts * a * b).sum(axis=1)
    np.testing.assert_allclose(resampled_products(first, metric, counts, [counts * b, -counts * b]), [found, -found])
    for k, row in enumerate(counts):
        drawn = np.repeat(np.arange(190), row.astype(int))
        expected = compare(first[drawn], second[drawn], metric)
        assert found[k] == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("metric", ["pearson", "spearman", "cosine"])
def test_a_resample_of_one_image_alone_has_no_value(metric):
    assert np.isnan(resampled_standardise(np.arange(3.0), metric, np.zeros((1, 3)))).all()


@pytest.mark.parametrize("kind", ["distinct", "tied", "closer than the keys resolve", "infinite", "constant"])
def test_long_vectors_are_ranked_as_by_scipy(kind):
    values = np.random.default_rng(0).random(20_001)
    if kind == "tied":
        values = np.round(values, 3)
    elif kind == "closer than the keys resolve":
        values = 1e3 * (values > 0.999) + 1e-12 * values
    elif kind == "infinite":
        values[7], values[9] = np.inf, -np.inf
    elif kind == "constant":
        values[:] = 0.3
    np.testing.assert_array_equal(midranks(values), rankdata(values))
    pairs = sort_pairs(values)
    np.testing.assert_array_equal(resampled_midranks(pairs, np.ones((1, len(values))))[0], rankdata(values))
