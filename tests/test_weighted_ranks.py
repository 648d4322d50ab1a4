"""Tests of weighted ranks: against drawing the samples and ranking each."""

import numpy as np
import pytest
from scipy.stats import norm, rankdata

from analysis.inference import rank_correlation, resamples, taken
from analysis.weighted_ranks import weighted_normal_scores, weighted_partial_correlation


@pytest.fixture(scope="module")
def drawn():
    rng = np.random.default_rng(0)
    weights = resamples(5, 40, 30, seed=1)[1].astype(float)
    x = rng.integers(0, 12, 40).astype(float)
    y = x + rng.integers(0, 20, (30, 40))
    return weights, x, y


@pytest.mark.parametrize("which", ["the same in every sample", "of each sample"])
def test_scores_are_those_of_scipys_ranks_of_the_sample_itself(drawn, which):
    weights, x, y = drawn
    values = x if which == "the same in every sample" else y
    found = weighted_normal_scores(values, weights)
    for row, (counts, scores) in enumerate(zip(weights, found, strict=True)):
        objects = np.repeat(np.arange(40), counts.astype(int))
        sample = np.broadcast_to(values, (30, 40))[row, objects]
        np.testing.assert_allclose(scores[objects], norm.ppf((rankdata(sample) - 0.5) / len(sample)), atol=1e-12)
        assert not scores[counts == 0].any()


@pytest.mark.parametrize("n_given", [0, 1, 4])
def test_correlations_are_those_of_the_samples_themselves(drawn, n_given):
    weights, x, y = drawn
    given = list(np.random.default_rng(2).standard_normal((n_given, 40)) + x / 4)
    if n_given == 4:
        given[3] = 2 * given[0]  # collinear
    objects = taken(weights.astype(int))
    rows = np.take_along_axis(y, objects, axis=1)
    expected = rank_correlation(x[objects], rows, [g[objects] for g in given], "normal")
    scores = [weighted_normal_scores(v, weights) for v in (x, y, *given)]
    found = weighted_partial_correlation(scores[0], scores[1], scores[2:], weights)
    np.testing.assert_allclose(found, expected, atol=1e-9)


def test_objects_without_a_value_count_where_their_weight_is_zero_as_if_they_were_not_there(drawn):
    weights, _, y = drawn
    masked = np.where(np.arange(40) % 7 == 0, 0, weights)
    objects = np.arange(40) % 7 != 0
    y = np.where(objects, y, np.nan)
    found = weighted_normal_scores(y, masked)[:, objects]
    np.testing.assert_allclose(found, weighted_normal_scores(y[:, objects], weights[:, objects]), atol=1e-12)


def test_what_is_constant_or_explained_away_has_no_correlation(drawn):
    weights, _, y = drawn
    scores = weighted_normal_scores(y, weights)
    assert np.isnan(weighted_partial_correlation(0 * scores, scores, [], weights)).all()
    assert np.isnan(weighted_partial_correlation(scores, 0.5 * scores, [2 * scores], weights)).all()
