"""Bootstrap intervals of scores, as matrix products of resampling counts with sufficient statistics.

A resample of presentations is a row of counts: how often each presentation was drawn. Means over a resample
are then products of counts with the values, so a thousand resamples cost one matrix product. Predictions are
held fixed: the intervals speak about presentations and neuroids, not about refitting the regression.

Source: Efron and Tibshirani (1993) An Introduction to the Bootstrap, chapters 6 and 13 (percentile interval).
"""

from __future__ import annotations

import warnings

import numpy as np
from numpy.typing import NDArray

N_RESAMPLES = 5000
LEVEL = 0.95
SMALLEST_SHARE = 1e-12
"""Rounding: a variance in a resample below this share of the variance in the data, or a standard deviation
below this share of the root mean square, belongs to constant values, which have no correlation."""


def count_draws(folds: tuple[NDArray[np.int64], ...], n_resamples: int, rng: np.random.Generator) -> NDArray:
    """Draw presentations with replacement inside each fold, so that every resample keeps the folds' sizes.

    Parameters
    ----------
    folds
        Indices of the presentations of each fold; together all presentations, once.
    n_resamples
        Number of resamples.
    rng
        Source of the draws.

    Returns
    -------
    ndarray
        (resample, presentation), float64: how often each presentation was drawn.
    """
    counts = np.zeros((n_resamples, sum(map(len, folds))))
    for fold in folds:
        drawn = rng.integers(len(fold), size=(n_resamples, len(fold)))
        drawn += np.arange(n_resamples)[:, None] * len(fold)
        counts[:, fold] = np.bincount(drawn.ravel(), minlength=n_resamples * len(fold)).reshape(drawn.shape)
    return counts


def fold_correlations(
    predictions: NDArray,
    responses: NDArray,
    folds: tuple[NDArray[np.int64], ...],
    counts: NDArray | None = None,
) -> NDArray[np.float64]:
    """Pearson correlation of held-out predictions with responses in each fold, averaged over folds.

    Correlating inside a fold, not over all presentations at once, keeps differences between the folds'
    intercepts out of the score.

    Parameters
    ----------
    predictions, responses
        (presentation, neuroid).
    folds
        Held-out presentations of each fold.
    counts
        (resample, presentation), from `count_draws`; without it each presentation counts once.

    Returns
    -------
    ndarray
        (resample, neuroid), or (neuroid,) without ``counts``. NaN where predictions or responses are NaN, or
        constant within a fold.
    """
    weights = np.ones((1, len(responses))) if counts is None else counts
    total = np.zeros((len(weights), responses.shape[1]))
    for fold in folds:
        # the whole fold's mean goes first: it cancels from the correlation, and so do large offsets from its
        # rounding
        x = predictions[fold] - predictions[fold].mean(axis=0)
        y = responses[fold] - responses[fold].mean(axis=0)
        n_neuroids = x.shape[1]
        moments = weights[:, fold] @ np.concatenate([x, y, x * x, y * y, x * y], axis=1) / len(fold)
        mean_x, mean_y, xx, yy, xy = (moments[:, k * n_neuroids : (k + 1) * n_neuroids] for k in range(5))
        total += _correlation(mean_x, mean_y, xx, yy, xy, _floor(predictions[fold]), _floor(responses[fold]))
    total /= len(folds)
    return total[0] if counts is None else total


def _floor(values):
    """Variance below which a column of (presentation, neuroid) is constant up to rounding."""
    return SMALLEST_SHARE * values.var(axis=0) + SMALLEST_SHARE**2 * np.square(values).mean(axis=0)


def _correlation(mean_x, mean_y, xx, yy, xy, floor_x, floor_y):
    """Pearson r from means and mean products; NaN where either variable is constant up to rounding."""
    variance_x = xx - mean_x**2
    variance_y = yy - mean_y**2
    with np.errstate(invalid="ignore", divide="ignore"):
        r = (xy - mean_x * mean_y) / np.sqrt(variance_x * variance_y)
    return np.where((variance_x > floor_x) & (variance_y > floor_y), np.clip(r, -1, 1), np.nan)


def draw_neuroids(n_neuroids: int, n_resamples: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Draw neuroids with replacement: (resample, neuroid), indices."""
    return rng.integers(n_neuroids, size=(n_resamples, n_neuroids))


def median_resamples(values: NDArray, neuroids: NDArray[np.int64]) -> NDArray[np.float64]:
    """Median over a resample's neuroids, of values computed from that resample's presentations.

    Parameters
    ----------
    values
        (resample, neuroid), such as `fold_correlations` gives; NaN entries are left out of their resample's
        median.
    neuroids
        (resample, neuroid), from `draw_neuroids`.

    Returns
    -------
    ndarray
        (resample,); NaN where a resample holds no value.
    """
    drawn = np.take_along_axis(values, neuroids, axis=1)
    if np.isfinite(drawn).all():
        return np.median(drawn, axis=1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # an empty resample is NaN, and counted as such
        return np.nanmedian(drawn, axis=1)


def interval(samples: NDArray, level: float = LEVEL) -> tuple[float, float]:
    """Percentile interval of bootstrap samples.

    Parameters
    ----------
    samples
        (resample,).
    level
        Coverage, between 0 and 1.

    Returns
    -------
    low, high
        NaN where more than one resample in a hundred has no value: an interval of the rest would be too
        narrow.

    Raises
    ------
    ValueError
        If the level is not between 0 and 1.
    """
    if not 0 < level < 1:
        raise ValueError(f"level: expected a number between 0 and 1, got {level}. Use 0.95 for 95 %.")
    samples = np.asarray(samples, dtype=np.float64)
    kept = samples[np.isfinite(samples)]
    if not len(kept) or len(kept) < 0.99 * len(samples):
        return float("nan"), float("nan")
    low, high = np.quantile(kept, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def shifted(values: NDArray, estimate: float) -> NDArray[np.float64]:
    """Shift resamples so that the mean of those that are finite is the estimate; as they are, where none is."""
    values = np.asarray(values, np.float64)
    defined = values[np.isfinite(values)]
    return values - defined.mean() + estimate if len(defined) else values


def recentred(values: NDArray, estimate: float) -> NDArray[np.float64]:
    """Shift resampled correlations as `shifted` does, and keep them within [-1, 1].

    Subjects drawn with replacement are fewer different ones, whose mean times are noisier: every resampled correlation
    is attenuated for that reason alone, and unshifted percentiles would miss a high correlation.
    """
    return np.clip(shifted(values, estimate), -1, 1)


def pair_counts(n_images: int, n_resamples: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """Draw images with replacement, and count how often each pair of different images is then compared.

    An image drawn twice would be compared with itself; those pairs have no dissimilarity to predict and are
    left out.

    Parameters
    ----------
    n_images, n_resamples
        Size of the matrix of dissimilarities, and number of resamples.
    rng
        Source of the draws.

    Returns
    -------
    ndarray
        (resample, pair), float64, pairs in the order of `benchmarks.rsa.condensed`.
    """
    counts = count_draws((np.arange(n_images),), n_resamples, rng)
    first, second = np.triu_indices(n_images, k=1)
    return counts[:, first] * counts[:, second]
