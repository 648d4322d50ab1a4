"""Bootstrap as matrix products, against resampling one resample at a time."""

import numpy as np
import pytest

from benchmarks.bootstrap import (
    count_draws,
    draw_neuroids,
    fold_correlations,
    interval,
    median_resamples,
    pair_counts,
)
from benchmarks.splits import make_folds


def make_data(n=60, neuroids=4, seed=0):
    rng = np.random.default_rng(seed)
    responses = rng.standard_normal((n, neuroids))
    predictions = responses + rng.standard_normal((n, neuroids)) + 100
    return predictions, responses, make_folds(n, 5, rng), rng


def test_correlations_are_numpys_in_each_fold_averaged():
    predictions, responses, folds, _ = make_data()
    expected = [np.mean([np.corrcoef(predictions[f, k], responses[f, k])[0, 1] for f in folds]) for k in range(4)]
    np.testing.assert_allclose(fold_correlations(predictions, responses, folds), expected, atol=1e-12)


def test_resampled_correlations_are_those_of_the_resample_written_out():
    predictions, responses, folds, rng = make_data()
    counts = count_draws(folds, 20, rng)
    found = fold_correlations(predictions, responses, folds, counts)
    for b in range(20):
        drawn = [np.repeat(fold, counts[b, fold].astype(int)) for fold in folds]
        expected = [np.mean([np.corrcoef(predictions[d, k], responses[d, k])[0, 1] for d in drawn]) for k in range(4)]
        np.testing.assert_allclose(found[b], expected, atol=1e-12)


def test_every_resample_keeps_the_size_of_every_fold_and_each_image_counts_once_on_average():
    _, _, folds, rng = make_data()
    counts = count_draws(folds, 2000, rng)
    for fold in folds:
        assert (counts[:, fold].sum(axis=1) == len(fold)).all()
    assert abs(counts.mean(axis=0) - 1).max() < 0.1


def test_constant_values_in_a_fold_have_no_correlation():
    predictions, responses, folds, _ = make_data()
    predictions[folds[1], 0] = 7.1
    responses[folds[1], 1] = 1e8 / 3
    predictions[3, 2] = np.nan
    r = fold_correlations(predictions, responses, folds)
    np.testing.assert_array_equal(np.isnan(r), [True, True, True, False])


def test_predictions_that_barely_vary_still_correlate():
    predictions, responses, folds, _ = make_data()
    flat = 5 + 1e-6 * (predictions - 100)
    np.testing.assert_allclose(
        fold_correlations(flat, responses, folds), fold_correlations(predictions, responses, folds), atol=1e-6
    )


def test_medians_are_over_the_drawn_neuroids_without_missing_ones():
    values = np.array([[1.0, 2, 3], [1, np.nan, 3], [np.nan] * 3])
    neuroids = np.array([[0, 0, 2], [1, 2, 2], [0, 1, 2]])
    np.testing.assert_array_equal(median_resamples(values, neuroids), [1, 3, np.nan])
    np.testing.assert_array_equal(median_resamples(values[:1], neuroids[:1]), [1])


def test_neuroids_are_drawn_with_replacement_from_all():
    drawn = draw_neuroids(5, 200, np.random.default_rng(0))
    assert drawn.shape == (200, 5)
    assert set(drawn.ravel()) == set(range(5))
    assert any(len(set(row)) < 5 for row in drawn)


def test_interval_is_the_percentile_interval():
    samples = np.random.default_rng(0).standard_normal(1001)
    assert interval(samples) == pytest.approx(tuple(np.percentile(samples, [2.5, 97.5])))
    assert interval(samples, 0.5) == pytest.approx(tuple(np.percentile(samples, [25, 75])))


def test_interval_is_missing_when_resamples_have_no_value():
    samples = np.ones(1000)
    samples[:5] = np.nan
    assert interval(samples) == (1, 1)
    samples[:20] = np.nan
    assert np.isnan(interval(samples)).all()
    assert np.isnan(interval(np.full(10, np.nan))).all()


def test_a_level_that_is_no_share_is_refused():
    with pytest.raises(ValueError, match="level: expected a number between 0 and 1, got 95"):
        interval(np.ones(3), 95)


def test_interval_covers_the_true_correlation_about_as_often_as_it_says():
    """200 data sets of 20 neuroids that share a true correlation of 0.5."""
    covered = 0
    for seed in range(200):
        rng = np.random.default_rng(seed)
        x = rng.standard_normal((150, 20))
        y = 0.5 * x + np.sqrt(0.75) * rng.standard_normal(x.shape)
        folds = make_folds(150, 5, rng)
        samples = fold_correlations(x, y, folds, count_draws(folds, 300, rng))
        low, high = interval(median_resamples(samples, draw_neuroids(20, 300, rng)))
        covered += low < 0.5 < high
    assert covered >= 180


def test_pairs_of_one_image_drawn_twice_are_left_out():
    counts = pair_counts(5, 500, np.random.default_rng(0))
    assert counts.shape == (500, 10)
    # n drawn images make n² ordered pairs; those of an image with itself or its copies are missing
    images = count_draws((np.arange(5),), 500, np.random.default_rng(0))
    np.testing.assert_array_equal(counts.sum(axis=1), (25 - (images**2).sum(axis=1)) / 2)
